"""Drawdowns with their dates, and measures of trades in R, worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.reports.metrics import max_drawdown
from daemon.reports.metrics_curve import Fall, deepest, underwater, worst_fall, worst_falls
from daemon.reports.metrics_trades import exposure, sqn

CURVE = np.array([100.0, 120.0, 120.0, 90.0, 108.0, 120.0, 130.0, 117.0, 125.0])
STAMPS = np.arange(9) * 10


def test_the_deepest_fall_and_its_dates() -> None:
    """120 to 90 is a quarter: from the last 120 (at 20) over 30 back at 120 at 50."""
    assert worst_fall(STAMPS, CURVE) == Fall(0.25, 20, 30, 50, 30)


def test_the_deepest_falls_do_not_overlap() -> None:
    """The second is 130 to 117, a tenth, and not back yet: it lasts to the end."""
    first, second = worst_falls(STAMPS, CURVE)
    assert first == Fall(0.25, 20, 30, 50, 30)
    assert (second.peak_ns, second.trough_ns, second.recovered_ns) == (60, 70, None)
    assert (second.depth, second.duration_ns) == pytest.approx((0.1, 20))
    assert worst_falls(STAMPS, CURVE, 1) == [first]


def test_a_curve_that_never_fell_has_no_drawdown() -> None:
    """Neither an empty one, a point, a flat one nor one that only rose."""
    for values in ([], [5.0], [5.0, 5.0], [5.0, 6.0, 6.0]):
        curve, stamps = np.array(values), np.arange(len(values))
        assert worst_fall(stamps, curve) is None
        assert worst_falls(stamps, curve) == []


def test_a_fall_begins_at_a_positive_peak() -> None:
    """From debt there is no fall; from 100 to -50 it is 150 %."""
    curve = np.array([-10.0, -20.0, 100.0, -50.0])
    assert underwater(curve).tolist() == [0.0, 0.0, 0.0, 1.5]
    assert worst_fall(np.arange(4), curve) == Fall(1.5, 2, 3, None, 1)
    assert worst_fall(np.arange(2), np.array([-1.0, -2.0])) is None


@given(st.lists(st.integers(-5, 40).map(float), max_size=60))
def test_the_deepest_fall_is_the_one_found_point_by_point(values: list[float]) -> None:
    """The columns agree with the running measure that daily reports use."""
    depth, trough = deepest(np.array(values))
    assert depth == pytest.approx(max_drawdown(values), abs=1e-15)
    assert worst_fall(np.arange(len(values)), np.array(values)) is None or values[trough] <= max(
        values[:trough]
    )


def test_a_long_curve_is_looked_at_in_pieces() -> None:
    """The peak may lie in an earlier piece than the trough."""
    curve = np.full(200_000, 100.0)
    curve[10], curve[180_000] = 200.0, 50.0
    assert deepest(curve) == (0.75, 180_000)


def test_sqn_by_hand() -> None:
    """R of 2 and -1 in turn, 30 each: mean 0.5, sample deviation 1.5 x sqrt(60 / 59)."""
    r = [2.0, -1.0] * 30
    deviation = 1.5 * math.sqrt(60 / 59)
    assert sqn(r) == pytest.approx(math.sqrt(60) * 0.5 / deviation)
    assert sqn(r[:29]) is None
    assert sqn([1.0] * 50) is None


def test_sqn_counts_a_hundred_trades_at_most() -> None:
    """More trades do not make a system better: 400 are rooted as 100."""
    r = [2.0, -1.0] * 200
    deviation = 1.5 * math.sqrt(400 / 399)
    assert sqn(r) == pytest.approx(10 * 0.5 / deviation)


def test_exposure_counts_time_once() -> None:
    """Of 0 to 100: 10-30 and 20-40 are 30, 90-120 is 10 of the span: 40 %."""
    assert exposure([(20, 40), (10, 30), (90, 120), (-5, 0)], 0, 100) == 0.4
    assert exposure([], 0, 100) == 0.0
    assert exposure([(1, 2)], 5, 5) is None
