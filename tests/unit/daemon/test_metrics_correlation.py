"""Correlation of curves on different clocks, by hand and against a plain computation."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from daemon.reports.metrics_correlation import correlate, step_of
from state.units import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS

Floats = NDArray[np.float64]


def _grown(changes: Floats) -> Floats:
    found: Floats = np.concatenate(([100.0], 100.0 * np.cumprod(1 + changes)))
    return found


def _walk(seed: int, n: int) -> Floats:
    return np.random.default_rng(seed).normal(0, 0.01, n)


def test_by_hand() -> None:
    """Returns 1, 3 and 2 % beside 2, 2 and -1 %: deviations -1, 1, 0 and 1, 1, -2.

    Products -1 + 1 + 0 = 0. Beside 2, 6 and 4 %: 1. Turned round: -1.
    """
    clock = np.arange(4) * HOUR_NS
    own = np.array([0.01, 0.03, 0.02])
    curves = [
        (clock, _grown(one)) for one in (own, np.array([0.02, 0.02, -0.01]), own * 2, own * -1)
    ]
    found = correlate(curves, min_overlap=4)
    assert found.matrix[0] == pytest.approx([1.0, 0.0, 1.0, -1.0], abs=1e-12)
    assert found.overlap[0] == [4, 4, 4, 4]
    assert found.step_s == [3600.0] * 4


def test_only_the_time_both_run_counts() -> None:
    """The first runs hours 0-59, the second 30-99: 30 points overlap, 29 returns."""
    both = _walk(1, 99)
    first, second = both[:59], both[30:]
    curves = [
        (np.arange(60) * HOUR_NS, _grown(first)),
        (np.arange(30, 100) * HOUR_NS, _grown(second)),
    ]
    found = correlate(curves)
    assert found.overlap == [[60, 30], [30, 70]]
    assert found.matrix[0][1] == pytest.approx(1.0)


def test_against_a_plain_computation() -> None:
    """Four curves with different spans, each pair by numpy's own corrcoef over the shared hours."""
    common = _walk(2, 200)
    curves, changes, spans = [], [], [(0, 200), (20, 150), (90, 200), (60, 140)]
    for seed, (begin, end) in enumerate(spans):
        own = common * 0.5 + _walk(seed + 10, 200)
        changes.append(own)
        curves.append((np.arange(begin, end + 1) * HOUR_NS, _grown(own[begin:end])))
    found = correlate(curves)
    for one in range(4):
        for two in range(4):
            begin = max(spans[one][0], spans[two][0])
            end = min(spans[one][1], spans[two][1])
            plain = np.corrcoef(changes[one][begin:end], changes[two][begin:end])[0, 1]
            assert found.matrix[one][two] == pytest.approx(plain, abs=1e-10)
            assert found.overlap[one][two] == end - begin + 1


def test_a_pair_is_compared_at_its_coarser_step() -> None:
    """Minutes beside hours of the same curve: hour by hour they are the same, 49 points."""
    changes = _walk(3, 48 * 60)
    fine = _grown(changes)
    minutes = np.arange(48 * 60 + 1) * MINUTE_NS
    found = correlate([(minutes, fine), (minutes[59::60], fine[59::60])])
    assert found.step_s == [60.0, 3600.0]
    assert found.overlap[0][1] == 48
    assert found.matrix[0][1] == pytest.approx(1.0, abs=1e-9)
    assert found.overlap[0][0] == 48 * 60 + 1


def test_clocks_that_tick_in_turn_still_agree() -> None:
    """Two sessions of one market, stamped one second apart each five, move together."""
    base = _grown(_walk(4, 3000))
    at = np.arange(3001) * 5 * SECOND_NS
    found = correlate([(at, base), (at + SECOND_NS, base)])
    assert found.matrix[0][1] == pytest.approx(1.0)


def test_what_is_undefined_is_none() -> None:
    """A flat curve, one that was lost, too few points, no common time, one point."""
    clock = np.arange(30) * DAY_NS
    moving = _grown(_walk(5, 29))
    lost = moving.copy()
    lost[7] = -1.0
    curves = [
        (clock, moving),
        (clock, np.full(30, 100.0)),
        (clock, lost),
        (clock[:9], moving[:9]),
        (clock + 100 * DAY_NS, moving),
        (clock[:1], moving[:1]),
    ]
    found = correlate(curves)
    assert found.matrix[0] == [1.0, None, None, None, None, None]
    assert found.overlap[0] == [30, 30, 30, 9, 0, 1]
    assert found.matrix[1][1] is None


def test_none_and_one() -> None:
    """No curve gives empty tables, one its own cell."""
    assert correlate([]).matrix == []
    clock = np.arange(30) * DAY_NS
    assert correlate([(clock, _grown(_walk(6, 29)))]).matrix == [[1.0]]


def test_two_curves_far_apart_take_little_memory() -> None:
    """A millisecond's clock over forty years is not laid out step by step."""
    early = np.arange(50) * SECOND_NS // 1000
    late = early + 14_000 * DAY_NS
    values = _grown(_walk(7, 49))
    found = correlate([(early, values), (late, values)])
    assert found.overlap == [[50, 0], [0, 50]]


@pytest.mark.parametrize(
    ("spacing_ns", "step_ns"),
    [
        (5 * MINUTE_NS, 5 * MINUTE_NS),
        (5.1 * MINUTE_NS, 5 * MINUTE_NS),
        (7 * MINUTE_NS, 10 * MINUTE_NS),
        (1, SECOND_NS // 1000),
        (400 * DAY_NS, 30 * DAY_NS),
    ],
)
def test_a_step_is_round_and_not_shorter_than_the_period(spacing_ns: float, step_ns: int) -> None:
    """A clock that jitters by a few percent keeps its step."""
    assert step_of(spacing_ns) == step_ns
