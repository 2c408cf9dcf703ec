"""The sum of sessions on a common clock, by hand and against a plain sum."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.reports import aggregate_clock
from daemon.reports.aggregate_clock import add_up, paced
from daemon.reports.aggregate_files import Curve
from daemon.reports.aggregate_workers import workers
from state.units import DAY_NS, SECOND_NS

points = st.dictionaries(st.integers(0, 60), st.integers(-9, 9), min_size=1, max_size=25)


def _curve(values: dict[int, float]) -> Curve:
    stamps = sorted(values)
    return Curve(np.array(stamps, np.int64), np.array([values[one] for one in stamps], float))


def test_three_clocks_by_hand() -> None:
    """100 from 0, 50 from 5 and 10 from 8: at 0 there are 160 in all.

    At 3 the first gains 1, at 5 nothing, at 6 the second loses 5, at 8 nothing, at 9 the third
    gains 2 and the first has ended: 101 + 45 + 12.
    """
    found = add_up(
        [_curve({0: 100, 3: 101}), _curve({5: 50, 6: 45}), _curve({8: 10, 9: 12})],
    )
    assert found.stamps_ns.tolist() == [0, 3, 5, 6, 8, 9]
    assert found.equity.tolist() == [160, 161, 161, 156, 156, 158]


def test_what_one_gains_and_another_loses_is_nothing() -> None:
    """No dust of binary fractions is left to be taken for a return."""
    up = {at: 100 + 0.1 * (at % 2) for at in range(50)}
    down = {at: 100 - 0.1 * (at % 2) for at in range(50)}
    assert set(add_up([_curve(up), _curve(down)]).equity.tolist()) == {200.0}


def test_no_session_and_one() -> None:
    """Nothing is empty; one session is its own sum."""
    assert len(add_up([])) == 0
    one = _curve({1: 5.0, 7: 6.5})
    assert add_up([one]).equity.tolist() == [5.0, 6.5]


@pytest.mark.parametrize("size", [1, 7, 1 << 18])
@given(curves=st.lists(points, min_size=1, max_size=5))
def test_against_a_plain_sum(size: int, curves: list[dict[int, int]]) -> None:
    """Before its first point a session counts with it, after its last with that; in any pieces."""
    sessions = [_curve({at: float(value) for at, value in one.items()}) for one in curves]
    clock = sorted({at for one in curves for at in one})

    def held(one: dict[int, int], at: int) -> int:
        return one[max((key for key in one if key <= at), default=min(one))]

    plain = [sum(held(one, at) for one in curves) for at in clock]
    found = add_up(sessions, size=size)
    assert found.stamps_ns.tolist() == clock
    assert found.equity.tolist() == plain


def test_pieces_on_several_threads_make_the_same_sum() -> None:
    """However the work is cut and spread, the figures are the same to the last bit."""
    rng = np.random.default_rng(5)
    sessions = [
        Curve(np.cumsum(rng.integers(1, 9, 3000)), 100 + np.cumsum(rng.normal(0, 1, 3000)))
        for _ in range(7)
    ]
    whole = add_up(sessions)
    with workers() as each:
        cut = add_up(sessions, each, size=1000)
    assert cut.stamps_ns.tolist() == whole.stamps_ns.tolist()
    assert cut.equity == pytest.approx(whole.equity, rel=1e-15)


def test_sessions_that_tick_in_turn_are_paced() -> None:
    """40 sessions every 40 s, each a second after the other: returns are taken every 60 s at most.

    The step is the period rounded up to a round one; first and last point stay.
    """
    at = np.arange(100) * 40 * SECOND_NS
    sessions = [Curve(at + k * SECOND_NS, np.full(100, 10.0 + k)) for k in range(40)]
    total = add_up(sessions)
    found = paced(total, sessions)
    assert len(total) == 4000
    assert found.stamps_ns[0] == 0
    assert found.stamps_ns[-1] == total.stamps_ns[-1]
    assert set(np.diff(found.stamps_ns)[1:-1].tolist()) == {60 * SECOND_NS}


def test_a_common_clock_is_left_as_it_is() -> None:
    """Sessions on one clock, and a few on different ones, keep every point."""
    at = np.arange(100) * SECOND_NS
    sessions = [Curve(at, np.full(100, 1.0)) for _ in range(40)]
    total = add_up(sessions)
    assert paced(total, sessions) is total
    days = [Curve(np.arange(9) * DAY_NS + k * SECOND_NS, np.full(9, 1.0)) for k in range(5)]
    total = add_up(days)
    assert paced(total, days) is total
    after = [Curve(at + k * DAY_NS, np.full(100, 1.0)) for k in range(40)]
    total = add_up(after)
    assert paced(total, after) is total


def test_a_long_gap_is_not_laid_out() -> None:
    """Two bursts of nanoseconds a year apart are thinned without a table of the year."""
    stamps = np.concatenate([np.arange(500), np.arange(500) + 365 * DAY_NS])
    places = aggregate_clock.last_of_each(stamps, 100)
    assert places.tolist() == [0, 99, 199, 299, 399, 499, 599, 699, 799, 899, 999]
