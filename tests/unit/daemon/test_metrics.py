"""Measures of trades and daily returns, each worked out by hand."""

from __future__ import annotations

import math

import pytest

from daemon.core.day_measures import ReturnsSoFar
from daemon.reports.metrics import (
    expectancy_r,
    max_drawdown,
    profit_factor,
    win_rate,
)


def test_ratios_of_nothing_are_none() -> None:
    """A measure that is not defined is None, never NaN."""
    assert win_rate(0, 0) is None
    assert profit_factor(5.0, 0.0) is None
    assert expectancy_r(0.0, 0) is None
    assert ReturnsSoFar().sharpe().value is None


def test_ratios_by_hand() -> None:
    """3 of 4 won; won 6, lost 4; 2 R in 8 trades."""
    assert win_rate(3, 4) == 0.75
    assert profit_factor(6.0, 4.0) == 1.5
    assert expectancy_r(2.0, 8) == 0.25


@pytest.mark.parametrize(
    ("curve", "expected"),
    [
        ([], 0.0),
        ([100.0], 0.0),
        ([100.0, 110.0, 99.0, 120.0, 90.0], 0.25),  # 120 to 90; 110 to 99 is 0.1 only
        ([100.0, 50.0, 200.0, 150.0], 0.5),
        ([100.0, 101.0, 102.0], 0.0),
        ([-5.0, -10.0], 0.0),
        ([100.0, -100.0], 2.0),
    ],
)
def test_drawdown_by_hand(curve: list[float], expected: float) -> None:
    """The largest fall below an earlier peak, as a fraction of that peak."""
    assert max_drawdown(curve) == pytest.approx(expected)


def test_sharpe_by_hand() -> None:
    """Returns 1 %, 3 %, 2 % on days 1, 2, 3: mean 2 %, sample deviation 1 %, ratio 2.

    Two steps over two days are 365.25 periods a year.
    """
    returns = ReturnsSoFar()
    for day, value in ((1, 0.01), (2, 0.03), (3, 0.02)):
        returns.add(day, value)
    found = returns.sharpe(min_n=3)
    assert (found.n, found.min_n, found.periods_per_year) == (3, 3, 365.25)
    assert found.value == pytest.approx(2 * math.sqrt(365.25))


def test_sharpe_annualises_by_the_days_of_the_data() -> None:
    """Five days a week: 10 steps from Monday to the Monday two weeks later, 14 days: 260.9."""
    returns = ReturnsSoFar()
    days = [day for day in range(1, 16) if day % 7 not in (6, 0)]
    for day in days:
        returns.add(day, 0.01 if day % 2 else -0.005)
    assert len(days) == 11
    assert returns.sharpe(2).periods_per_year == pytest.approx(10 / 14 * 365.25, abs=1e-4)


def test_sharpe_is_null_below_its_least_n_and_for_flat_returns() -> None:
    """UX: null below a stated n; equal returns have no deviation."""
    returns = ReturnsSoFar()
    for day in range(1, 20):
        returns.add(day, 0.01 * (day % 3))
    assert returns.sharpe().value is None
    returns.add(20, 0.0)
    assert returns.sharpe().value is not None
    flat = ReturnsSoFar()
    for day in range(30):
        flat.add(day, 0.0)
    assert flat.sharpe().value is None
