"""Bars: what every feed delivers and every strategy sees.

A bar that exists is a possible bar. Feeds check columns (``impossible``) before they make bars, so
that the hot path never has to.
"""

from __future__ import annotations

import math

import msgspec


class Bar(msgspec.Struct, frozen=True, gc=False):
    """One closed bar.

    ``open_ns`` is when it opened and ``close_ns`` when its interval ended (exclusive), both UTC
    nanoseconds; prices are mid prices in quote currency; ``volume`` is in the source's unit, NaN
    where the source has none.
    """

    open_ns: int
    close_ns: int
    open: float
    high: float
    low: float
    close: float
    volume: float = math.nan


def impossible(open_: float, high: float, low: float, close: float) -> str | None:
    """Return the reason code why these four prices cannot be a bar, or None when they can.

    Codes: ``NOT_FINITE``, ``NOT_POSITIVE``, ``HIGH_TOO_LOW`` (below open or close),
    ``LOW_TOO_HIGH``.
    """
    if not (
        math.isfinite(open_) and math.isfinite(high) and math.isfinite(low) and math.isfinite(close)
    ):
        return "NOT_FINITE"
    if open_ <= 0 or high <= 0 or low <= 0 or close <= 0:
        return "NOT_POSITIVE"
    if high < open_ or high < close:
        return "HIGH_TOO_LOW"
    if low > open_ or low > close:
        return "LOW_TOO_HIGH"
    return None
