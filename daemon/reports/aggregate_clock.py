"""The sum of several equity curves on a common clock, and that clock at a sensible pace.

The clock has every instant at which any session has a point. Before its first point a session
counts with its starting balance, after its last with its last value, in between with the value it
last had. Returns are never strung together. Pure numpy; nothing is read here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from daemon.reports.aggregate_files import Curve, Floats, Instants
from daemon.reports.aggregate_workers import Each, in_turn
from daemon.reports.metrics_correlation import step_of

PIECE: Final = 1 << 20
"""Points that are merged at a time: few enough to stay near the processor."""
_SAMPLES: Final = 512
_FASTER: Final = 10
"""A clock this much faster than the fastest session is one of sessions ticking in turn."""


def add_up(curves: Sequence[Curve], each: Each = in_turn, *, size: int = PIECE) -> Curve:
    """Return the sum of all curves at every instant at which any of them has a point.

    About ``size`` points are merged at a time.
    """
    pieces = _pieces(curves, size)
    total = sum(len(one) for one in curves)
    stamps, equity = np.empty(total, np.int64), np.empty(total)

    def fill(piece: _Piece) -> int:
        part = _summed(piece)
        stamps[piece.place : piece.place + len(part)] = part.stamps_ns
        equity[piece.place : piece.place + len(part)] = part.equity
        return len(part)

    filled = 0
    for piece, count in zip(pieces, each(fill, pieces), strict=True):
        if filled != piece.place:  # Instants that sessions share left a hole.
            stamps[filled : filled + count] = stamps[piece.place : piece.place + count]
            equity[filled : filled + count] = equity[piece.place : piece.place + count]
        filled += count
    return Curve(stamps[:filled], equity[:filled])


def paced(total: Curve, curves: Sequence[Curve]) -> Curve:
    """Return the points that returns are taken between.

    They are all points, unless the clock ticks more than ten times as fast as the fastest session,
    which happens when many sessions stamp their points in turn. Then they are the first point and
    the last of each period of that session: a step of a fraction of a period has no meaning for
    a tail measure.
    """
    busiest = max((len(one) for one in curves), default=0)
    if len(total) <= _FASTER * busiest:
        return total
    fastest = min(one.spacing_ns for one in curves)
    quick = np.count_nonzero(np.diff(total.stamps_ns) < fastest / _FASTER)
    if quick * 2 <= len(total):
        return total
    keep = last_of_each(total.stamps_ns, step_of(fastest))
    return Curve(total.stamps_ns[keep], total.equity[keep])


def last_of_each(stamps: Instants, step: int) -> NDArray[np.int64]:
    """Return the place of the first instant and of the last one in each bucket of ``step`` ns."""
    first, last = int(stamps[0]) // step, int(stamps[-1]) // step
    if last - first < len(stamps):
        edges = np.arange(first + 1, last + 1, dtype=np.int64) * step
        places = np.searchsorted(stamps, edges, side="left") - 1
    else:
        bucket = stamps // step
        places = np.flatnonzero(bucket[1:] != bucket[:-1])
    return np.unique(np.concatenate(([0], places, [len(stamps) - 1])))


class _Piece(NamedTuple):
    """Part of all curves: (curve, begin, end) of each, and the exact sum held before it.

    ``place`` counts the points of all curves before it.
    """

    spans: list[tuple[Curve, int, int]]
    held: float
    place: int


def _pieces(curves: Sequence[Curve], size: int) -> list[_Piece]:
    """Cut all curves at the same instants, oldest first.

    A piece starts from the exact sum of the values held, so rounding never grows beyond a piece.
    """
    places = [0] * len(curves)
    found = []
    for edge in _edges(curves, size):
        ends = [int(np.searchsorted(one.stamps_ns, edge, side="left")) for one in curves]
        held = math.fsum(
            float(one.equity[max(0, place - 1)]) for one, place in zip(curves, places, strict=True)
        )
        spans = [span for span in zip(curves, places, ends, strict=True) if span[2] > span[1]]
        if spans:
            found.append(_Piece(spans, held, sum(places)))
        places = ends
    return found


def _summed(piece: _Piece) -> Curve:
    """Sort one piece and run its sum; of equal instants only the last says what is held."""
    stamps = np.concatenate([one.stamps_ns[begin:end] for one, begin, end in piece.spans])
    changes = np.concatenate([_changes(*span) for span in piece.spans])
    order = np.argsort(stamps, kind="stable")
    stamps = stamps[order]
    # Changes are summed from 0 and what is held is added once, so that +0.1 here and -0.1 there
    # come out as nothing at all.
    running = np.cumsum(changes[order])
    running += piece.held
    is_last = stamps[1:] != stamps[:-1]
    if bool(np.all(is_last)):
        return Curve(stamps, running)
    keep = np.append(is_last, True)
    return Curve(stamps[keep], running[keep])


def _changes(curve: Curve, begin: int, end: int) -> Floats:
    """Return what each point of [begin, end) adds to the value held before; the first adds 0."""
    before = max(0, begin - 1)
    found: Floats = np.diff(curve.equity[before:end])
    return found if begin else np.concatenate((np.zeros(1), found))


def _edges(curves: Sequence[Curve], size: int) -> list[int]:
    """Return instants that cut all points into pieces of about ``size``, the last after all.

    Estimated from a few hundred points of each piece.
    """
    if not curves:
        return []
    last = max(int(one.stamps_ns[-1]) for one in curves) + 1
    total = sum(len(one) for one in curves)
    if total <= size:
        return [last]
    stride = max(1, size // _SAMPLES)
    sample = np.sort(np.concatenate([one.stamps_ns[::stride] for one in curves]))
    count = -(-total // size)
    cuts = sample[np.arange(1, count) * len(sample) // count].tolist()
    return [*sorted(set(cuts)), last]
