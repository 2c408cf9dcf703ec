"""Measures of a series of returns: pure functions on numpy arrays, oldest first, no NaN inside.

A return is a simple one per step (0.01 for 1 %). A measure that is not defined, or that too few
returns stand behind, is None, never NaN or infinity. Nothing is read, drawn or rounded here. The
page docs/reference/metrics.md gives every formula with its source.
"""

from __future__ import annotations

import math
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from state.units import DAY_NS, SECOND_NS

Floats = NDArray[np.float64]
Instants = NDArray[np.int64]

MIN_RETURNS: Final = 20
"""Fewer returns than this say nothing: ratios and tail measures are None."""

YEAR_NS: Final = 365 * DAY_NS + DAY_NS // 4
"""A year of 365.25 days."""

_NOISE: Final = 1e-12
"""A deviation below this part of the largest return is rounding, not risk."""


class Period(msgspec.Struct, frozen=True):
    """The data's own period: what a step is and how many of them a year has.

    ``spacing_s`` is the median distance of two points in seconds; ``periods_per_year`` the steps
    over the calendar span from the first point to the last. On an even clock they say the same;
    where nights and weekends have no points only the second counts the steps that there are.
    """

    spacing_s: float
    periods_per_year: float


class Tail(msgspec.Struct, frozen=True):
    """Historical VaR and CVaR per step, signed fractions (-0.025: 2.5 % lost), over ``n`` returns.

    ``level`` is the tail's share: 0.05 for "95 %". Both are None below ``min_n``.
    """

    var: float | None
    cvar: float | None
    level: float
    n: int
    min_n: int


def returns(equity: Floats) -> Floats:
    """Return the simple returns of a curve: (n,) points give (n - 1,) returns.

    Raises:
        ValueError: a point before the last is not positive, so a return has no meaning.
    """
    if len(equity) < 2:
        return np.empty(0)
    if not bool(np.all(equity[:-1] > 0)):
        raise ValueError("equity is not positive, so it has no returns")
    found: Floats = equity[1:] / equity[:-1] - 1.0
    return found


def growth(values: Floats) -> Floats:
    """Return what 1 has become after each return, (n,)."""
    return np.asarray(np.cumprod(1.0 + values), np.float64)


def period(stamps_ns: Instants) -> Period | None:
    """Return the data's own period; None below two points."""
    yearly = periods_per_year(stamps_ns)
    if yearly is None:
        return None
    return Period(float(np.median(np.diff(stamps_ns))) / SECOND_NS, yearly)


def periods_per_year(stamps_ns: Instants) -> float | None:
    """Return how many of its own steps the data has a year; None below two points."""
    span = int(stamps_ns[-1]) - int(stamps_ns[0]) if len(stamps_ns) else 0
    return (len(stamps_ns) - 1) / span * YEAR_NS if span > 0 else None


def total_return(values: Floats) -> float | None:
    """Return the compounded return; None without returns."""
    return _finite(float(np.prod(1.0 + values)) - 1.0) if len(values) else None


def annual_return(
    values: Floats, periods_per_year: float, *, min_n: int = MIN_RETURNS
) -> float | None:
    """Return the compound growth a year: prod(1 + r) ** (periods a year / n) - 1.

    None as well when everything was lost, and beyond what a float holds.

    Source: compound annual growth rate; C. Bacon, Practical Portfolio Performance Measurement and
    Attribution, 2nd ed. (2008), ch. 2.
    """
    if len(values) < max(1, min_n):
        return None
    end = float(np.prod(1.0 + values))
    if not 0 < end < math.inf:
        return None
    power = math.log(end) * periods_per_year / len(values)
    return math.expm1(power) if power < 700 else None


def annual_volatility(
    values: Floats, periods_per_year: float, *, min_n: int = MIN_RETURNS
) -> float | None:
    """Return the sample deviation (n - 1) x sqrt(periods a year)."""
    if len(values) < max(2, min_n):
        return None
    return _finite(float(np.std(values, ddof=1)) * math.sqrt(periods_per_year))


def sharpe(
    values: Floats,
    periods_per_year: float,
    *,
    risk_free: float | Floats = 0.0,
    min_n: int = MIN_RETURNS,
) -> float | None:
    """Return mean / sample deviation of the excess returns x sqrt(periods a year).

    ``risk_free`` is a return per step, or one for each. None when the returns are all the same.

    Source: W. F. Sharpe, The Sharpe Ratio, Journal of Portfolio Management 21 (1994), 49-58.
    """
    if len(values) < max(2, min_n):
        return None
    excess = values - risk_free
    deviation = float(np.std(excess, ddof=1))
    if _is_noise(deviation, excess):
        return None
    return _finite(float(np.mean(excess)) / deviation * math.sqrt(periods_per_year))


def downside_deviation(
    values: Floats,
    periods_per_year: float,
    *,
    required: float | Floats = 0.0,
    min_n: int = MIN_RETURNS,
) -> float | None:
    """Return sqrt(mean(min(r - required, 0) ** 2)) x sqrt(periods a year), the mean over all n.

    Source: F. Sortino and L. Price, Performance Measurement in a Downside Risk Framework, Journal
    of Investing 3 (1994), 59-64.
    """
    if len(values) < max(1, min_n):
        return None
    below = np.minimum(values - required, 0.0)
    return _finite(math.sqrt(float(np.mean(below * below))) * math.sqrt(periods_per_year))


def sortino(
    values: Floats,
    periods_per_year: float,
    *,
    required: float | Floats = 0.0,
    min_n: int = MIN_RETURNS,
) -> float | None:
    """Return (mean - required) / downside deviation x sqrt(periods a year).

    ``required`` is a return per step, or one for each. None when no return is below it. Source: as
    downside_deviation.
    """
    risk = downside_deviation(values, 1.0, required=required, min_n=min_n)
    excess = values - required
    if risk is None or _is_noise(risk, excess):
        return None
    return _finite(float(np.mean(excess)) / risk * math.sqrt(periods_per_year))


def calmar(values: Floats, periods_per_year: float, *, min_n: int = MIN_RETURNS) -> float | None:
    """Return the annual return / the largest drawdown; None without a drawdown.

    Source: T. W. Young, Calmar Ratio: A Smoother Tool, Futures 20 (1991), 40.
    """
    yearly = annual_return(values, periods_per_year, min_n=min_n)
    fall = largest_fall(values)
    return None if yearly is None or fall <= 0 else _finite(yearly / fall)


def largest_fall(values: Floats) -> float:
    """Return the largest drawdown of the compounded returns, a fraction >= 0; the start counts."""
    if not len(values):
        return 0.0
    curve = np.concatenate(([1.0], growth(values)))
    peaks = np.maximum.accumulate(curve)
    return max(0.0, float(np.max(1.0 - curve / peaks)))


def tail(values: Floats, *, level: float = 0.05, min_n: int = MIN_RETURNS) -> Tail:
    """Return historical VaR (the ``level`` quantile) and CVaR (the mean of returns up to it).

    The quantile is interpolated linearly at (n - 1) x level. Source: R. J. Hyndman and Y. Fan,
    Sample Quantiles in Statistical Packages, The American Statistician 50 (1996), type 7;
    R. T. Rockafellar and S. Uryasev, Optimization of Conditional Value-at-Risk, Journal of Risk 2
    (2000).
    """
    n = len(values)
    if n < max(1, min_n):
        return Tail(None, None, level, n, min_n)
    place = (n - 1) * level
    low = math.floor(place)
    high = min(low + 1, n - 1)
    ordered = np.partition(values, (low, high))
    below, above = float(ordered[low]), float(ordered[high])
    var = below + (above - below) * (place - low)
    worst = ordered[: low + 1]
    return Tail(_finite(var), _finite(float(np.mean(worst))), level, n, min_n)


def _is_noise(deviation: float, values: Floats) -> bool:
    return deviation <= _NOISE * float(np.max(np.abs(values)))


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
