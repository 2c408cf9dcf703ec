"""Measures of daily results, one day at a time: returns' Sharpe ratio, the largest drawdown.

Pure, on plain numbers: the reports and the health gate mean the same by them. A measure that is not
defined is None, never NaN or infinity.
"""

from __future__ import annotations

import math
from typing import Final

import msgspec

SHARPE_MIN_DAYS: Final = 20
"""Fewer daily returns than this say nothing: the Sharpe ratio is None."""

DAYS_PER_YEAR: Final = 365.25


class Sharpe(msgspec.Struct, frozen=True):
    """A Sharpe ratio with what it needs to be read: ``value`` None below ``min_n`` returns.

    ``n`` daily returns; ``periods_per_year`` is the data's own (1.0 until two days are known);
    risk-free rate 0.
    """

    value: float | None
    n: int
    min_n: int
    periods_per_year: float


class ReturnsSoFar:
    """Mean and deviation of daily returns, one day at a time (Welford's method).

    Source: B. P. Welford, Technometrics 4 (1962), 419-420.
    """

    def __init__(self) -> None:
        """Begin without returns."""
        self.n = 0
        self._mean = 0.0
        self._squares = 0.0
        self._first_day = self._last_day = 0

    def add(self, day: int, value: float) -> None:
        """Take the return (a fraction) of one day (a proleptic ordinal), days in order."""
        if not self.n:
            self._first_day = day
        self._last_day = day
        self.n += 1
        delta = value - self._mean
        self._mean += delta / self.n
        self._squares += delta * (value - self._mean)

    def sharpe(self, min_n: int = SHARPE_MIN_DAYS) -> Sharpe:
        """Return mean / sample deviation x sqrt(periods a year).

        Periods a year: (n - 1) days over the calendar span from the first to the last, so a book
        that trades five days a week gets about 261 and one that never rests 365.
        """
        span = self._last_day - self._first_day
        periods = (self.n - 1) / span * DAYS_PER_YEAR if span > 0 else 1.0
        value = None
        if self.n >= max(2, min_n) and self._squares > 0:
            deviation = math.sqrt(self._squares / (self.n - 1))
            value = self._mean / deviation * math.sqrt(periods)
        return Sharpe(value, self.n, min_n, round(periods, 4))


class Drawdown:
    """The largest fall below an earlier peak, as a fraction of that peak, point by point.

    ``worst`` is >= 0; a curve without a positive peak has none.
    """

    def __init__(self) -> None:
        """Begin without points."""
        self._peak = 0.0
        self.worst = 0.0

    def add(self, equity: float) -> None:
        """Take the next point, oldest first."""
        if equity > self._peak:
            self._peak = equity
        elif self._peak > 0:
            self.worst = max(self.worst, 1.0 - equity / self._peak)
