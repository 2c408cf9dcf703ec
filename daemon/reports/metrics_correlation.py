"""Correlation of several equity curves that keep different clocks; pure numpy, oldest first.

Two curves are compared at the coarser of their two periods: each step takes a curve's last value at
its end, a curve keeps its last value in between, and only steps inside both spans count. Finer
steps would see two clocks that tick in turn and call the curves strangers (T. W. Epps, Comovements
in Stock Prices in the Very Short Run, JASA 74 (1979), 291-298).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from daemon.reports.aggregate_workers import Each, in_turn
from state.units import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS

Floats = NDArray[np.float64]
Instants = NDArray[np.int64]
Counts = NDArray[np.int64]

MIN_OVERLAP: Final = 10
"""Fewer common points than this say nothing: the correlation is None."""

_MILLI = SECOND_NS // 1000
STEPS_NS: Final = (
    *(n * _MILLI for n in (1, 10, 100)),
    *(n * SECOND_NS for n in (1, 2, 5, 10, 15, 30)),
    *(n * MINUTE_NS for n in (1, 2, 3, 5, 10, 15, 20, 30)),
    *(n * HOUR_NS for n in (1, 2, 3, 4, 6, 8, 12)),
    *(n * DAY_NS for n in (1, 7, 30)),
)
"""The steps a clock may have, counted from 1970-01-01 00:00 UTC."""

_NEAR: Final = 0.95
"""A period this part of a step still takes the step: clocks jitter."""
_NOISE: Final = 1e-12
"""A variance below this part of the whole curve's is rounding, not movement."""
_SPARSE: Final = 8
"""More steps than this for each point are not laid out one by one."""
_STILL: Final = 1e-26
"""A curve whose squared returns add up to less has not moved."""


class Correlation(msgspec.Struct, frozen=True):
    """Pearson correlation of returns, pair by pair; both tables are (k, k) and symmetric.

    ``matrix`` has None where it is undefined: a flat curve, or fewer than ``min_overlap`` points.
    ``overlap`` counts the common points (one more than the returns compared); ``step_s`` (k,) is
    each curve's own step in seconds, of a pair the longer one counts. The diagonal is 1 for a curve
    that moves, with its own points.
    """

    matrix: list[list[float | None]]
    overlap: list[list[int]]
    step_s: list[float]
    min_overlap: int


def step_of(spacing_ns: float) -> int:
    """Return the smallest step that is not shorter than a period (within 5 %), in ns."""
    for step in STEPS_NS:
        if step >= spacing_ns * _NEAR:
            return step
    return STEPS_NS[-1]


def spacing_ns(stamps_ns: Instants) -> float:
    """Return the median distance of two points; the longest step below two points."""
    return float(np.median(np.diff(stamps_ns))) if len(stamps_ns) > 1 else float(STEPS_NS[-1])


def correlate(
    curves: Sequence[tuple[Instants, Floats]],
    spacings_ns: Sequence[float] | None = None,
    *,
    each: Each = in_turn,
    min_overlap: int = MIN_OVERLAP,
) -> Correlation:
    """Correlate the returns of every pair of (stamps, equity) curves.

    ``spacings_ns`` are their median spacings where they are known. A curve that is not positive
    throughout has no returns and correlates with none.
    """
    if spacings_ns is None:
        spacings_ns = [spacing_ns(stamps) for stamps, _ in curves]
    count = len(curves)
    own = np.array([step_of(one) for one in spacings_ns], np.int64)
    pair_step = np.maximum.outer(own, own) if count else np.empty((0, 0), np.int64)
    matrix = np.full((count, count), np.nan)
    overlap = np.zeros((count, count), np.int64)
    for step in sorted(set(own.tolist())):
        members = np.flatnonzero(own <= step)
        values, points = _at_step([curves[i] for i in members.tolist()], step, min_overlap, each)
        mine = pair_step[np.ix_(members, members)] == step
        here = np.ix_(members, members)
        matrix[here] = np.where(mine, values, matrix[here])
        overlap[here] = np.where(mine, points, overlap[here])
    return Correlation(
        [[None if one != one else round(one, 12) for one in row] for row in matrix.tolist()],
        overlap.tolist(),
        (own / SECOND_NS).tolist(),
        min_overlap,
    )


def _at_step(
    curves: Sequence[tuple[Instants, Floats]], step: int, min_overlap: int, each: Each
) -> tuple[Floats, Counts]:
    """Return (k, k) correlations (NaN: undefined) and common points at one step."""
    buckets = list(each(lambda curve: curve[0] // step, curves))
    places = _places(buckets)
    first = np.array([one[0] for one in places])
    last = np.array([one[-1] for one in places])
    moves = np.zeros((len(curves), int(last.max()) + 1))

    def fill(row: int) -> None:
        held = _held(places[row] - first[row], curves[row][1])
        if len(held) > 1 and bool(np.all(held > 0)):
            change = held[1:] / held[:-1] - 1.0
            moves[row, first[row] + 1 : last[row] + 1] = change - change.mean()

    for _ in each(fill, range(len(curves))):
        pass
    points = np.maximum(0, np.minimum.outer(last, last) - np.maximum.outer(first, first) + 1)
    return _pearson(moves, first, last, points, min_overlap), points


def _held(places: Counts, equity: Floats) -> Floats:
    """Return the last value at each step from a curve's first to its last; gaps keep the value."""
    rows = np.zeros(int(places[-1]) + 1, np.int64)
    rows[places] = np.arange(len(places))  # Of several in one step the last stays.
    found: Floats = equity[np.maximum.accumulate(rows)]
    return found


def _pearson(
    moves: Floats, first: Counts, last: Counts, points: Counts, min_overlap: int
) -> Floats:
    """Correlate rows that are zero outside their span, each pair inside the common span.

    Sums over a pair's span are differences of running sums, taken where a span begins or ends; the
    products are one matrix product. Each row is centred on its own mean first, so that little is
    lost by subtracting.
    """
    begin = np.maximum.outer(first, first)
    end = np.maximum(np.minimum.outer(last, last), begin)
    edges = np.unique(np.concatenate((first, last)))
    begin, end = np.searchsorted(edges, begin), np.searchsorted(edges, end)
    rows = np.arange(len(moves))[:, None]
    sums, squares = _running(moves, edges), _running(moves, edges, squared=True)
    total = sums[rows, end] - sums[rows, begin]
    spread = squares[rows, end] - squares[rows, begin]
    n = np.maximum(points - 1, 1)
    spread = spread - total * total / n
    scale = np.sqrt(np.maximum(spread * spread.T, 0.0))
    whole = squares[:, -1:]
    is_flat = (spread <= _NOISE * whole) | (whole <= _STILL)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = (moves @ moves.T - total * total.T / n) / scale
    found = np.clip(found, -1.0, 1.0)
    found[is_flat | is_flat.T | (points < max(3, min_overlap))] = np.nan
    return found


def _running(moves: Floats, edges: Counts, *, squared: bool = False) -> Floats:
    """Return each row's sum up to and with each edge, (k, edges)."""
    found = np.empty((len(moves), len(edges)))
    starts = np.concatenate(([0], edges[:-1] + 1))
    for row, values in enumerate(moves):
        parts = np.add.reduceat(values * values if squared else values, starts)
        found[row] = np.cumsum(parts)
    return found


def _places(buckets: Sequence[Counts]) -> list[Counts]:
    """Return where each bucket stands among the distinct buckets of all, counted from 0."""
    low = min(int(one[0]) for one in buckets)
    high = max(int(one[-1]) for one in buckets)
    if high - low < _SPARSE * sum(len(one) for one in buckets):
        seen = np.zeros(high - low + 1, np.bool_)
        for one in buckets:
            seen[one - low] = True
        place = np.cumsum(seen) - 1
        return [place[one - low] for one in buckets]
    clock = np.unique(np.concatenate(buckets))
    return [np.searchsorted(clock, one) for one in buckets]
