"""What only the tear sheet measures: R in bins, engines' daily P&L beside one another.

Pure functions on plain numbers. A measure that is not
defined is None, never NaN or infinity.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from daemon.reports.metrics_curve import Fall
from daemon.reports.metrics_trades import sqn
from daemon.reports.tally import rounded
from state.units import DAY_NS, utc_text

CORRELATION_MIN_DAYS: Final = 20
"""Fewer days than this on which one of two engines traded say nothing."""
_BINS: Final = 40


class Drawdown(msgspec.Struct, frozen=True):
    """A drawdown: from the peak over the trough back to the peak; None: that is still ahead.

    ``depth`` is a fraction of the peak, ``days`` how long it took, or has taken.
    """

    depth: float
    peak_at: str
    trough_at: str
    recovered_at: str | None
    days: float


def drawdown(fall: Fall) -> Drawdown:
    """Write a fall of the curve with instants as text."""
    back = fall.recovered_ns
    return Drawdown(
        round(fall.depth, 8),
        utc_text(fall.peak_ns),
        utc_text(fall.trough_ns),
        None if back is None else utc_text(back),
        round(fall.duration_ns / DAY_NS, 2),
    )


class Distribution(msgspec.Struct, frozen=True):
    """R of the closed trades: ``counts[i]`` lie in [edges[i], edges[i + 1]), the last one closed.

    ``deviation`` is the sample deviation; ``sqn`` as in ``daemon.reports.metrics_trades``.
    """

    n: int
    mean: float | None
    median: float | None
    deviation: float | None
    sqn: float | None
    edges: list[float]
    counts: list[int]


def distribution(values: Sequence[float]) -> Distribution:
    """Count R values in at most 40 round bins with an edge at 0."""
    if not values:
        return Distribution(0, None, None, None, None, [], [])
    ordered = sorted(values)
    n = len(ordered)
    mean = math.fsum(ordered) / n
    median = (ordered[(n - 1) // 2] + ordered[n // 2]) / 2
    deviation = None
    if n > 1:
        deviation = math.sqrt(math.fsum((one - mean) ** 2 for one in ordered) / (n - 1))
    edges, counts = _binned(ordered)
    return Distribution(
        n, round(mean, 6), round(median, 6), rounded(deviation), rounded(sqn(values)), edges, counts
    )


def _binned(ordered: Sequence[float]) -> tuple[list[float], list[int]]:
    span = max(ordered[-1], 0.0) - min(ordered[0], 0.0)
    step = next(
        (
            one * 10.0**power
            for power in range(-1, 12)
            for one in (1, 2, 5)
            if span <= (_BINS - 2) * one * 10.0**power
        ),
        max(span, 1.0),
    )
    first = math.floor(min(ordered[0], 0.0) / step)
    last = max(math.floor(max(ordered[-1], 0.0) / step) + 1, first + 1)
    counts = [0] * (last - first)
    for one in ordered:
        counts[min(max(math.floor(one / step) - first, 0), len(counts) - 1)] += 1
    return [round(number * step, 6) for number in range(first, last + 1)], counts


class Correlation(msgspec.Struct, frozen=True):
    """Pearson's correlation of engines' daily P&L over all days; a day without a trade counts 0.

    ``rows[i][j]`` is None where fewer than ``min_days`` days had a trade of either engine, or one
    never varied; ``overlap[i][j]`` counts the days on which both closed a trade. ``left_out``
    engines traded on fewer days than those shown.
    """

    engines: list[str]
    rows: list[list[float | None]]
    overlap: list[list[int]]
    days: int
    min_days: int
    left_out: int


def correlation(
    daily: Mapping[str, Mapping[int, float]], days: Sequence[int], most: int = 12
) -> Correlation:
    """Correlate the daily P&L (engine: day: amount) of the engines that traded on most days."""
    import numpy as np

    names = sorted(daily, key=lambda name: (-len(daily[name]), name))[:most]
    names.sort()
    table = np.array([[daily[name].get(day, 0.0) for day in days] for name in names], dtype=float)
    table = table.reshape(len(names), len(days))
    centred = table - table.mean(axis=1, keepdims=True) if days else table
    norms = np.sqrt((centred**2).sum(axis=1))
    rows: list[list[float | None]] = []
    overlap: list[list[int]] = []
    for one, name in enumerate(names):
        both = [len(daily[name].keys() & daily[other].keys()) for other in names]
        overlap.append(both)
        row: list[float | None] = []
        for two, other in enumerate(names):
            either = len(daily[name].keys() | daily[other].keys())
            product = float(norms[one] * norms[two])
            known = either >= CORRELATION_MIN_DAYS and product > 0
            value = float(centred[one] @ centred[two]) / product if known else None
            row.append(None if value is None else round(min(1.0, max(-1.0, value)), 6))
        rows.append(row)
    return Correlation(
        names, rows, overlap, len(days), CORRELATION_MIN_DAYS, len(daily) - len(names)
    )
