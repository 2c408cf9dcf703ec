"""Drawdowns of an equity curve with their dates: pure functions on numpy arrays, oldest first.

Instants are UTC nanoseconds. Nothing is read, drawn or rounded here.
"""

from __future__ import annotations

import math
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Instants = NDArray[np.int64]

_PIECE: Final = 1 << 16
"""Points looked at together: what fits the processor's cache."""


class Fall(msgspec.Struct, frozen=True):
    """One drawdown: from a peak over its trough back to the peak's height.

    ``depth`` is a fraction of the peak, > 0, above 1 when equity went below zero. ``recovered_ns``
    is None while the curve is still below the peak; ``duration_ns`` runs from the peak to the
    recovery, or to the curve's end.
    """

    depth: float
    peak_ns: int
    trough_ns: int
    recovered_ns: int | None
    duration_ns: int


def underwater(equity: Floats, highest: float = -math.inf) -> Floats:
    """Return the fall below the highest point so far, a fraction >= 0, (n,).

    ``highest`` is the highest point before these. 0 where there has been no positive point.
    """
    peaks = np.maximum.accumulate(equity)
    np.maximum(peaks, highest, out=peaks)
    if len(peaks) and not peaks[0] > 0:
        dry = peaks <= 0
        return np.where(dry, 0.0, 1.0 - equity / np.where(dry, 1.0, peaks))
    found: Floats = 1.0 - equity / peaks
    return found


def worst_fall(stamps_ns: Instants, equity: Floats) -> Fall | None:
    """Return the deepest drawdown (the first of equals); None without any."""
    depth, trough = deepest(equity)
    if depth <= 0:
        return None
    peak = int(np.argmax(equity[:trough]))
    back = int(np.argmax(equity[trough:] >= equity[peak])) + trough
    end = back if equity[back] >= equity[peak] else None
    return _fall(stamps_ns, depth, _last_of(equity, peak, trough), trough, end)


def deepest(equity: Floats) -> tuple[float, int]:
    """Return the depth of the deepest drawdown and the place of its trough; (0, 0) without any."""
    depth, place, highest = 0.0, 0, -math.inf
    for begin in range(0, len(equity), _PIECE):
        part = equity[begin : begin + _PIECE]
        below = underwater(part, highest)
        low = int(np.argmax(below))
        if below[low] > depth:
            depth, place = float(below[low]), begin + low
        highest = max(highest, float(np.max(part)))
    return depth, place


def worst_falls(stamps_ns: Instants, equity: Floats, count: int = 5) -> list[Fall]:
    """Return the ``count`` deepest drawdowns, deepest first (then earliest).

    Two drawdowns never overlap: each ends where the curve is back at its peak.
    """
    below = underwater(equity)
    wet = np.concatenate(([False], below > 0, [False]))
    edges = np.flatnonzero(wet[1:] != wet[:-1])
    starts, ends = edges[::2], edges[1::2]
    if not len(starts):
        return []
    depths = np.maximum.reduceat(below, starts)
    order = np.argsort(-depths, kind="stable")[:count]
    found = []
    for one in order.tolist():
        first, after = int(starts[one]), int(ends[one])
        trough = first + int(np.argmax(below[first:after]))
        end = after if after < len(equity) else None
        found.append(_fall(stamps_ns, float(below[trough]), first - 1, trough, end))
    return found


def _last_of(equity: Floats, peak: int, trough: int) -> int:
    """Return the last place before the trough at which the curve stood at its peak."""
    return trough - 1 - int(np.argmax(equity[peak:trough][::-1] >= equity[peak]))


def _fall(stamps: Instants, depth: float, peak: int, trough: int, back: int | None) -> Fall:
    end = int(stamps[-1] if back is None else stamps[back])
    start = int(stamps[peak])
    return Fall(depth, start, int(stamps[trough]), None if back is None else end, end - start)
