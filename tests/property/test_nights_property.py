"""Random days of one held position: which nights were asked for, and how its stop moved (S5).

The instants at which a plan is widened or refused are worked out again here, with the standard
library's zones and no code of the calendar, the timers or the plans.
"""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from daemon.core.calendar import Schedule, WindowSpec
from daemon.core.overnight import Overnight
from daemon.core.plans import Plans
from state.bars import Bar
from state.entries import PlanSet, WideningRefused
from state.signals import Signal
from state.units import utc_ns
from tests.builders import bar, eurusd
from tests.stepping import M5, Scene, Scripts

BEGIN_NS = utc_ns(datetime(2017, 3, 24, 6, tzinfo=UTC))
"""A Friday, 06:00 UTC: two days before Europe's clocks change, nine before Melbourne's."""
TICK = 0.00001
ZONES = ("UTC", "Australia/Melbourne", "America/New_York", "Europe/London", "Asia/Kolkata")


class Step(NamedTuple):
    """A bar: so many empty intervals before it, and ticks of gap, body and wick."""

    pause: int
    gap: int
    body: int
    wick: int


STEPS = st.lists(
    st.builds(
        Step,
        st.sampled_from([0, 0, 1, 6, 11, 100, 190, 287, 288, 300, 600]),
        st.integers(-200, 200),
        st.integers(-200, 200),
        st.integers(0, 100),
    ),
    min_size=1,
    max_size=25,
)


def made(steps: list[Step]) -> list[Bar]:
    """Make the bars: the signal's and the entry's are flat and follow on each other."""
    bars = [bar(BEGIN_NS + n * M5, 1.1, 1.1, 1.1, 1.1) for n in range(2)]
    close = 110_000
    for step in steps:
        open_ = close + step.gap
        close = open_ + step.body
        high, low = max(open_, close) + step.wick, min(open_, close) - step.wick
        begin = bars[-1].close_ns + step.pause * M5
        bars.append(bar(begin, *(ticks * 1 / 100_000 for ticks in (open_, high, low, close))))
    return bars


def day_of(at_ns: int, zone: str) -> date:
    """Return the date in a zone."""
    return datetime.fromtimestamp(at_ns // 10**9, ZoneInfo(zone)).date()


def begin_of(day: date, zone: str) -> int:
    """Return the first instant of a date (no zone used here skips its midnight)."""
    return utc_ns(datetime.combine(day, time(), ZoneInfo(zone)))


def expected(bars: list[Bar], zone: str, left_ns: int | None) -> list[tuple[date, int]]:
    """Return (trading day, instant) of every widening or refusal, from the rules' words.

    The window ends at 07:00 UTC. The gap of a day is checked when the first bar opening on it
    closes; that of the entry's day is. What was not asked before the day ended is not asked.
    """
    entry_ns, last_ns = bars[1].open_ns, bars[-1].close_ns
    found = []
    for number in range((last_ns - entry_ns) // (24 * 3600 * 10**9) + 2):
        day = day_of(entry_ns, zone) + timedelta(days=number)
        begin, end = begin_of(day, zone), begin_of(day + timedelta(days=1), zone)
        noon = datetime.combine(day, time(7), UTC)
        ends = [utc_ns(noon + timedelta(days=shift)) for shift in (-1, 0, 1)]
        due = next((at for at in ends if begin <= at < end and at > entry_ns), None)
        first = next((one.close_ns for one in bars[1:] if begin <= one.open_ns < end), None)
        if day == day_of(entry_ns, zone):
            first = entry_ns
        if due is None or first is None:
            continue
        instant = max(due, first)
        if instant < end and instant <= last_ns and (left_ns is None or instant < left_ns):
            found.append((day, instant))
    return found


def run(bars: list[Bar], zone: str, trail: int | None, max_r: str) -> Scene:
    """Hold a long from the second bar on, with its stop 400 pips away."""
    script = Scripts(
        "EURUSD",
        "hand",
        {0: Signal(1, stop=1.06, trail_distance=None if trail is None else trail * TICK)},
        Schedule([WindowSpec(6 * 3600, 7 * 3600, "UTC", frozenset(range(7)), None)]),
        at_end="hold",
        overnight=Overnight(max_r=Decimal(max_r)),
    )
    return Scene([eurusd()], [script], zone=zone).run({"EURUSD": bars})


HISTORIES = given(
    STEPS,
    st.sampled_from(ZONES),
    st.sampled_from([None, 150, 1500]),
    st.sampled_from(["1.2", "9"]),
)


def hold(steps: list[Step], zone: str, trail: int | None, max_r: str) -> None:
    """Run one history and hold it to the rules."""
    bars = made(steps)
    scene = run(bars, zone, trail, max_r)
    exits = scene.exits()
    asked = [
        (day_of(one.at_ns, zone), one.at_ns)
        for one in scene.sink.entries
        if isinstance(one, WideningRefused)
        or (isinstance(one, PlanSet) and isinstance(one.widened_day, int))
    ]

    assert asked == expected(bars, zone, exits[0].at_ns if exits else None)
    assert len(exits) <= 1
    plans = scene.plans()
    for before, after in itertools.pairwise(plans):
        nearer = after.stop_ticks - before.stop_ticks
        assert nearer > 0 if after.reason == "TRAIL" else nearer < 0
        risk = Decimal(110_013 - after.stop_ticks) * Decimal("0.00001")
        assert after.reason == "TRAIL" or risk <= Decimal(max_r) * plans[0].initial_risk
    if exits:
        (stop,) = [one for one in bars if one.close_ns == exits[0].at_ns]
        resting = [one for one in plans if one.at_ns < stop.close_ns][-1].stop_ticks
        assert stop.low <= resting * TICK + 1e-9
        assert float(exits[0].price) == pytest.approx(min(resting * TICK, stop.open), abs=1e-9)


@settings(deadline=None, max_examples=200)
@HISTORIES
def test_nights_and_trails_of_a_held_position(
    steps: list[Step], zone: str, trail: int | None, max_r: str
) -> None:
    """Asked once a day, after the gap check, never else; the trail never goes back; out once."""
    hold(steps, zone, trail, max_r)


@pytest.mark.parametrize("name", ["is_gap_checked", "follow"])
def test_a_rule_left_out_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: without the gap check, or with a trail that forgets its side, something differs."""
    if name == "is_gap_checked":
        monkeypatch.setattr(Plans, name, lambda *_: True)
    else:
        monkeypatch.setattr(
            "daemon.core.plans.trailed",
            lambda grid, side, stop, close, distance: grid.nearest(close - side * distance),
        )
    broken = settings(
        deadline=None, max_examples=300, phases=[Phase.generate], derandomize=True, database=None
    )(HISTORIES(hold))

    with pytest.raises((AssertionError, ExceptionGroup)):
        broken()
