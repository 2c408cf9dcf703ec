"""Measures of returns, each worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from daemon.reports.metrics_returns import (
    MIN_RETURNS,
    annual_return,
    annual_volatility,
    calmar,
    downside_deviation,
    growth,
    largest_fall,
    period,
    returns,
    sharpe,
    sortino,
    tail,
    total_return,
)
from state.units import DAY_NS, HOUR_NS

FOUR = np.array([0.10, -0.10, 0.20, 0.0])


def test_returns_of_a_curve_by_hand() -> None:
    """100, 110, 99: +10 %, then -10 %; a point gives none."""
    assert returns(np.array([100.0, 110.0, 99.0])) == pytest.approx([0.1, -0.1])
    assert len(returns(np.array([100.0]))) == 0
    assert growth(np.array([0.1, -0.1])) == pytest.approx([1.1, 0.99])
    assert total_return(np.array([0.1, -0.1])) == pytest.approx(-0.01)


def test_a_curve_that_was_not_positive_has_no_returns() -> None:
    """A return on nothing, or on debt, has no meaning; the last point may be lost."""
    with pytest.raises(ValueError, match="not positive"):
        returns(np.array([100.0, 0.0, 50.0]))
    assert returns(np.array([100.0, -50.0])) == pytest.approx([-1.5])


def test_ratios_by_hand() -> None:
    """Mean 0.05; squares of the deviations 0.0025 + 0.0225 + 0.0225 + 0.0025 = 0.05.

    Sample deviation sqrt(0.05 / 3); downside sqrt(0.01 / 4) = 0.05.
    """
    deviation = math.sqrt(0.05 / 3)
    assert sharpe(FOUR, 9.0, min_n=4) == pytest.approx(0.05 / deviation * 3)
    assert annual_volatility(FOUR, 9.0, min_n=4) == pytest.approx(deviation * 3)
    assert downside_deviation(FOUR, 9.0, min_n=4) == pytest.approx(0.15)
    assert sortino(FOUR, 9.0, min_n=4) == pytest.approx(0.05 / 0.05 * 3)


def test_calmar_by_hand() -> None:
    """1.1 x 0.9 x 1.2 = 1.188 over half a year: 1.188 ** 2 - 1 = 0.411344; fall 0.1: 4.11344."""
    assert annual_return(FOUR, 8.0, min_n=4) == pytest.approx(0.411344)
    assert largest_fall(FOUR) == pytest.approx(0.1)
    assert calmar(FOUR, 8.0, min_n=4) == pytest.approx(4.11344)
    assert calmar(np.array([0.1, 0.1]), 8.0, min_n=2) is None


def test_the_first_return_counts_in_the_fall() -> None:
    """A portfolio that only lost fell from where it began: 1 - 0.9 x 0.8 = 0.28."""
    assert largest_fall(np.array([-0.1, -0.2])) == pytest.approx(0.28)
    assert largest_fall(np.array([])) == 0.0


def test_tail_by_hand() -> None:
    """21 returns -10 % ... +10 %: place 20 x 0.05 = 1, so VaR -9 %; CVaR the mean of -10, -9."""
    values = np.arange(-10, 11) / 100.0
    found = tail(np.random.default_rng(1).permutation(values))
    assert (found.n, found.min_n, found.level) == (21, 20, 0.05)
    assert found.var == pytest.approx(-0.09)
    assert found.cvar == pytest.approx(-0.095)


def test_tail_between_two_returns() -> None:
    """Of 0, 1, 2 % at the level 0.25 the place is 0.5: half way from 0 to 1 %; CVaR is 0."""
    found = tail(np.array([0.02, 0.0, 0.01]), level=0.25, min_n=3)
    assert found.var == pytest.approx(0.005)
    assert found.cvar == 0.0


def test_measures_are_none_below_their_least_n() -> None:
    """UX: null below a stated minimum; 19 returns are one too few."""
    few = np.resize(FOUR, MIN_RETURNS - 1)
    enough = np.resize(FOUR, MIN_RETURNS)
    for measure in (sharpe, sortino, calmar, annual_return, annual_volatility, downside_deviation):
        assert measure(few, 252.0) is None
        assert measure(enough, 252.0) is not None
    assert tail(few).var is None
    assert tail(few).cvar is None


@pytest.mark.parametrize("each", [0.0, 0.01, 1e-9, -0.01])
def test_returns_that_are_all_the_same_have_no_ratio(each: float) -> None:
    """Their deviation is rounding: a Sharpe ratio of 1e16 would be nonsense."""
    same = np.full(100, each)
    assert sharpe(same, 252.0) is None
    assert sharpe(same + 1e-17, 252.0) is None


def test_losses_only_have_no_infinite_figure() -> None:
    """Everything lost: no annual growth, the rest defined or None."""
    lost = np.array([-0.5] * 20 + [-1.0])
    assert annual_return(lost, 252.0) is None
    assert calmar(lost, 252.0) is None
    assert sharpe(lost, 252.0) is not None
    assert sortino(np.full(30, 0.01), 252.0) is None
    assert annual_return(np.full(30, 1.0), 1e9) is None


def test_the_period_is_the_datas_own() -> None:
    """Hours apart: 8766 a year. Days with weekends left out: 4 steps in 4 days, or 5 in 7."""
    hourly = period(np.arange(5) * HOUR_NS)
    assert hourly is not None
    assert hourly.spacing_s == 3600.0
    assert hourly.periods_per_year == pytest.approx(8766.0)
    week = period(np.array([0, 1, 2, 3, 4, 7]) * DAY_NS)
    assert week is not None
    assert week.spacing_s == 86_400.0
    assert week.periods_per_year == pytest.approx(5 / 7 * 365.25)
    assert period(np.array([5])) is None
    assert period(np.array([], np.int64)) is None
