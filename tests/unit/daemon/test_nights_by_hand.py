"""Held positions over nights, worked out by hand (S3, S5, W2).

EURUSD as in test_fills_by_hand: a market or stop fill costs 0.00013. The long below is filled at
1.10013 with its stop at 1.07 and its target at 1.2, so the initial risk is 0.03013 a unit. 1 % of
the entry is 0.0110013: the first night takes the stop to 1.07 - 0.0110013 = 1.0589987, which is
1.05900 on the tick, and the target to 1.21100. The loss there is 0.04113, the limit of 1.5 R is
0.045195.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from daemon.core.calendar import CivilClock, Schedule, WindowSpec
from daemon.core.commands import Command
from daemon.core.overnight import Overnight
from daemon.core.supervisors.endofday import EndOfDayAlarm
from daemon.core.supervisors.rstop import RStopWatch
from state import codec
from state.bars import Bar
from state.entries import AlarmRung, DayRolled, PlanSet, WideningRefused
from state.signals import Signal
from state.units import day_text, utc_ns, utc_text
from tests.builders import bar, eurusd
from tests.stepping import Scene, Scripts

EVERY_DAY = frozenset(range(7))
LONG = Signal(1, stop=1.07, target=1.2)
KEY = "EURUSD/hand"


def ns(text: str) -> int:
    """Read ``2017-01-02 08:00`` (UTC)."""
    return utc_ns(datetime.fromisoformat(text).replace(tzinfo=UTC))


def at(text: str, *prices: float) -> Bar:
    """Make a bar of five minutes opening then: flat at 1.1, at one price, or of four prices."""
    four = prices if len(prices) == 4 else (prices or (1.1,)) * 4
    return bar(ns(text), *four)


def daily(start_s: int = 8 * 3600, end_s: int = 9 * 3600) -> Schedule:
    """Make the window 08:00-09:00 UTC, every day."""
    return Schedule([WindowSpec(start_s, end_s, "UTC", EVERY_DAY, None)])


def held(signal: Signal = LONG, terms: Overnight | None = None, **script: Any) -> Scripts:  # noqa: ANN401
    """Make an engine that signals at its first bar and holds, widened for the night."""
    given = {"schedule": daily(), "at_end": "hold", "overnight": terms or Overnight(), **script}
    return Scripts("EURUSD", "hand", {0: signal}, **given)


def scene(script: Scripts, bars: list[Bar], **given: Any) -> Scene:  # noqa: ANN401
    """Run one engine over its bars."""
    return Scene([eurusd()], [script], **given).run({"EURUSD": bars})


MONDAY = [at("2017-01-02 08:00"), at("2017-01-02 08:05")]
"""Signal and entry."""


def widened(run: Scene) -> list[tuple[str, int, int | None]]:
    """Return instant, stop and target of every widening."""
    return [
        (utc_text(one.at_ns)[:16], one.stop_ticks, one.target_ticks)
        for one in run.plans()
        if one.reason == "WIDENED"
    ]


def refused(run: Scene) -> list[tuple[str, str, str, str]]:
    """Return day, code, observed and limit of every refusal."""
    return [
        (day_text(one.day), one.code, one.observed, one.limit)
        for one in run.sink.entries
        if isinstance(one, WideningRefused)
    ]


def rung(run: Scene) -> list[str]:
    """Return the instants of the alarms that widened or refused."""
    return [
        utc_text(one.at_ns)[:16]
        for one in run.sink.entries
        if isinstance(one, AlarmRung) and one.name == f"widen/{KEY}"
    ]


def test_the_window_end_widens_stop_and_target_without_a_bar() -> None:
    """At 09:00 the timer widens to 1.05900 and 1.21100; R keeps the initial risk."""
    run = scene(held(), [*MONDAY, at("2017-01-02 20:00")])

    assert widened(run) == [("2017-01-02T09:00", 105_900, 121_100)]
    assert rung(run) == ["2017-01-02T09:00"]
    position = run.portfolio.positions[KEY]
    assert position.initial_risk == Decimal("0.03013")
    assert position.initial_stop_ticks == 107_000
    assert day_text(position.widened_day) == "2017-01-02"


def test_a_short_is_widened_upwards() -> None:
    """Sold at 1.09987, stop 1.13, target 1: by 0.0109987 to 1.1409987 (1.14100) and 0.98900."""
    run = scene(held(Signal(-1, stop=1.13, target=1.0)), [*MONDAY, at("2017-01-02 20:00")])

    assert widened(run) == [("2017-01-02T09:00", 114_100, 98_900)]


def test_a_gap_through_the_widened_stop_exits_once_at_the_open() -> None:
    """SLT-3: the next morning opens at 1.05: out there, at 1.04987; 1.0650 the night before holds.

    The bar of Monday evening falls to 1.065, through the initial stop of 1.07, which rests no more.
    """
    evening = at("2017-01-02 20:00", 1.09, 1.09, 1.065, 1.09)
    morning = [at("2017-01-03 07:00", 1.05), at("2017-01-03 07:05", 1.04)]
    run = scene(held(), [*MONDAY, evening, *morning])

    (leave,) = run.exits()
    assert (leave.leg, leave.reason, run.price(leave)) == ("stop", "SL", 1.04987)
    assert leave.bar_open_ns == ns("2017-01-03 07:00")
    stats = run.portfolio.days[leave.day]
    assert stats.r == pytest.approx((1.04987 - 1.10013) / 0.03013, abs=1e-9)


def test_once_per_trading_day() -> None:
    """Two windows a day, bars around both: only the first end of a day widens."""
    specs = [
        WindowSpec(8 * 3600, 9 * 3600, "UTC", EVERY_DAY, None),
        WindowSpec(12 * 3600, 13 * 3600, "UTC", EVERY_DAY, None),
    ]
    bars = [*MONDAY, at("2017-01-02 12:00"), at("2017-01-02 14:00")]
    bars += [at(f"2017-01-03 {hour}:00") for hour in ("07", "12", "14")]
    run = scene(held(terms=Overnight(max_r=Decimal(9)), schedule=Schedule(specs)), bars)

    assert widened(run) == [
        ("2017-01-02T09:00", 105_900, 121_100),
        ("2017-01-03T09:00", 104_800, 122_200),
    ]


def test_widening_waits_for_the_first_bar_of_the_day() -> None:
    """Tuesday has no bar before 10:00: its window end of 09:00 waits until the close at 10:05.

    From 1.05900 by 0.0110013 to 1.0479987. No alarm is journalled for what waited.
    """
    bars = [*MONDAY, at("2017-01-03 10:00"), at("2017-01-03 10:05")]
    run = scene(held(terms=Overnight(max_r=Decimal(9))), bars)

    assert [one[:2] for one in widened(run)] == [
        ("2017-01-02T09:00", 105_900),
        ("2017-01-03T10:05", 104_800),
    ]
    assert rung(run) == ["2017-01-02T09:00"]


def test_a_trail_of_the_same_instant_goes_first() -> None:
    """At 10:05 the stop follows to 1.11 - 0.02 = 1.09, and from there it is widened: 1.07900."""
    signal = Signal(1, stop=1.07, target=1.2, trail_distance=0.02)
    run = scene(held(signal), [*MONDAY, at("2017-01-03 10:00", 1.11)])

    assert [one.stop_ticks for one in run.plans()] == [107_000, 108_000, 106_900, 109_000, 107_900]
    assert widened(run) == [
        ("2017-01-02T09:00", 106_900, 121_100),
        ("2017-01-03T10:05", 107_900, 122_200),
    ]


def test_the_first_bar_of_the_day_meets_the_stop_as_it_was() -> None:
    """Tuesday's first bar, at 10:00, opens at 1.055, below 1.05900: out, nothing is widened."""
    run = scene(held(), [*MONDAY, at("2017-01-03 10:00", 1.055), at("2017-01-03 10:05")])

    assert len(widened(run)) == 1
    assert [run.price(one) for one in run.exits()] == [1.05487]


def test_a_bar_that_opened_yesterday_checks_no_gap() -> None:
    """The bar 23:55-24:00 closes on Tuesday and belongs to Monday: window end 00:30 waits.

    It waits for the bar of 01:00, although one closed at Tuesday's first instant.
    """
    script = held(terms=Overnight(max_r=Decimal(9)), schedule=daily(8 * 3600, 1800))
    bars = [*MONDAY, at("2017-01-02 23:55"), at("2017-01-03 01:00"), at("2017-01-03 02:00")]
    run = scene(script, bars)

    assert [one[0] for one in widened(run)] == ["2017-01-03T01:05"]


def test_a_day_without_bars_is_left_out() -> None:
    """No bar on Tuesday: it is never asked, and Wednesday's end widens by one night, not two."""
    bars = [*MONDAY, at("2017-01-04 08:00"), at("2017-01-04 10:00")]
    run = scene(held(terms=Overnight(max_r=Decimal(9))), bars)

    assert [one[:2] for one in widened(run)] == [
        ("2017-01-02T09:00", 105_900),
        ("2017-01-04T09:00", 104_800),
    ]


def test_more_than_max_overnight_r_is_refused_once_a_day() -> None:
    """The second night would lose 1.10013 - 1.04800 = 0.05213, more than 1.5 x 0.03013."""
    bars = [*MONDAY, *(at(f"2017-01-03 {hour}:00") for hour in ("08", "10", "14", "20"))]
    run = scene(held(), bars)

    assert len(widened(run)) == 1
    assert refused(run) == [
        ("2017-01-03", "OVERNIGHT_RISK", "0.05213 at stop 1.048", "0.045195 (1.5 x 0.03013)")
    ]
    assert rung(run) == ["2017-01-02T09:00", "2017-01-03T09:00"]
    assert run.portfolio.positions[KEY].stop_ticks == 105_900


def test_the_cap_is_measured_from_the_initial_stop() -> None:
    """300 pips a night, 5 % of 1.10013 = 0.0550065 in all.

    Monday 1.07 - 0.03 = 1.04000. Tuesday 0.0250065 is left: 1.0149935, on the tick 1.01499.
    Wednesday nothing is left; the target too went by 0.03 and 0.0250065 only.
    """
    terms = Overnight(pips=Decimal(300), max_r=Decimal(9))
    bars = [*MONDAY, *(at(f"2017-01-0{day} {hour}:00") for day in (3, 4) for hour in (10, 20))]
    run = scene(held(terms=terms, schedule=daily(8 * 3600, 12 * 3600)), bars)

    assert [one[1:] for one in widened(run)] == [(104_000, 123_000), (101_499, 125_501)]
    ((day, code, observed, limit),) = refused(run)
    assert (day, code) == ("2017-01-04", "OVERNIGHT_NO_ROOM")
    assert observed == "0.05501 from the initial stop, -0.0000035 left"
    assert limit == "0.0550065 (0.05 x 1.10013), at least a tick"


def test_the_absolute_distance_counts_where_it_is_larger() -> None:
    """100 pips are less than 1 % (110.013), 120 pips are more: 1.07 - 0.012 = 1.05800."""
    for pips, stop in ((100, 105_900), (120, 105_800)):
        run = scene(held(terms=Overnight(pips=Decimal(pips))), [*MONDAY, at("2017-01-02 20:00")])
        assert widened(run)[0][1] == stop


def test_no_level_goes_through_zero() -> None:
    """A short with its target at 0.01 would get one at -0.00100: refused, nothing moves."""
    short = Signal(-1, stop=1.13, target=0.01)
    run = scene(held(short), [*MONDAY, at("2017-01-02 20:00")])

    assert widened(run) == []
    assert [one[1:] for one in refused(run)] == [("OVERNIGHT_LEVEL", "target at -0.001", "above 0")]


def test_a_kill_or_a_halt_admits_no_wider_stop() -> None:
    """RSK-2, KIL-1: killed or halted at 08:30, the widening of 09:00 is refused."""
    for name, observed in (("kill", "kill switch: halt"), ("halt", "operator")):
        command = Command(ns("2017-01-02 08:30"), name, reason="wrong")
        run = scene(held(), [*MONDAY, at("2017-01-02 20:00")], commands=[command])
        assert [one[1:] for one in refused(run)] == [("OVERNIGHT_HALTED", observed, "no halt")]


def test_an_r_stop_of_the_same_instant_goes_first() -> None:
    """Tuesday's waiting widening meets a mark of -1 R at 10:05: the latch, then the refusal."""
    watch = RStopWatch(-1.0, open_r=True)
    bars = [*MONDAY, at("2017-01-03 10:00", 1.0695), at("2017-01-03 10:05", 1.0695)]
    run = scene(held(terms=Overnight(max_r=Decimal(9))), bars, watches=[watch])

    assert [one[0] for one in widened(run)] == ["2017-01-02T09:00"]
    assert [one[:3] for one in refused(run)] == [("2017-01-03", "OVERNIGHT_HALTED", "r_stop")]


def test_the_rest_after_a_reduction_is_widened() -> None:
    """Of 4 lots 2 are sold at the end; the loss counts the 2 that stay: 2 x 0.04113 of 6 x 0.03."""
    run = scene(held(at_end="reduce"), [*MONDAY, at("2017-01-02 09:00")], quantity="4")

    assert [one.reason for one in run.plans()] == ["ENTRY", "HELD", "WIDENED"]
    assert widened(run) == [("2017-01-02T09:00", 105_900, 121_100)]
    assert run.portfolio.positions[KEY].lots == 2


def test_nothing_is_widened_unasked() -> None:
    """Held without ``overnight_widen`` the plan stays; so does one that closes at the end."""
    for at_end, overnight in (("hold", None), ("close", Overnight())):
        script = held(at_end=at_end)
        script.overnight = overnight
        run = scene(script, [*MONDAY, at("2017-01-02 20:00")])
        assert [one.reason for one in run.plans()] == ["ENTRY"]
        assert refused(run) == []


def test_the_worst_case_counts_the_widened_stop() -> None:
    """R1: (1.05900 - 0.00013 - 1.10013) / 0.03013 = -1.3694 R; it was -1.0043."""
    run = scene(held(), [*MONDAY, at("2017-01-02 20:00")], worst_case=True)

    worst = run.desk.valuation.standing(ns("2017-01-02 20:05")).worst_r
    assert worst == pytest.approx(-0.04126 / 0.03013, abs=1e-9)


def test_days_and_nights_in_melbourne() -> None:
    """UTC+11: the trading day of 2017-01-03 begins at 13:00Z of the 2nd; the window ends at 14:00Z.

    So that end belongs to the 3rd. With a bar opening at 13:00Z its gap is checked, without one it
    waits for the bar of 15:00Z.
    """
    for extra, instant in (([at("2017-01-02 13:00")], "14:00"), ([], "15:05")):
        script = held(schedule=daily(8 * 3600, 14 * 3600))
        bars = [*MONDAY, *extra, at("2017-01-02 15:00"), at("2017-01-02 16:00")]
        run = scene(script, bars, zone="Australia/Melbourne")
        assert [one[0] for one in widened(run)] == [f"2017-01-02T{instant}"]
        assert day_text(run.portfolio.positions[KEY].widened_day) == "2017-01-03"


def test_always_open_is_widened_at_the_end_of_each_day_over_a_clock_change() -> None:
    """Melbourne goes back on 2017-04-02: 23:55 is 12:55Z on the 1st, 13:55Z on the 2nd."""
    clock = CivilClock("Australia/Melbourne")
    script = held(terms=Overnight(max_r=Decimal(9)), schedule=Schedule.always())
    hours = [f"{hour:02d}" for hour in range(24)]
    bars = [at(f"2017-04-01 {hour}:00") for hour in hours]
    bars = [at("2017-04-01 00:00"), at("2017-04-01 00:05"), *bars[1:]]
    bars += [at(f"2017-04-02 {hour}:00") for hour in hours]
    run = scene(
        script,
        bars,
        zone="Australia/Melbourne",
        end_of_day=EndOfDayAlarm(clock, 23 * 3600 + 55 * 60),
    )

    assert [one[0] for one in widened(run)] == ["2017-04-01T12:55", "2017-04-02T13:55"]


def test_a_day_that_rolls_tells_what_was_open() -> None:
    """S3: key, levels, time-stop and P&L at the mark of 1.09: (1.09 - 1.10013) x 3 = -0.03039."""
    bars = [*MONDAY, at("2017-01-02 20:00", 1.09), at("2017-01-03 07:00", 1.09)]
    signal = Signal(1, stop=1.07, target=1.2, trail_distance=0.04)
    run = scene(held(signal), bars, quantity="3")

    (rolled,) = [one for one in run.sink.entries if isinstance(one, DayRolled)]
    (kept,) = rolled.positions
    assert (kept.symbol, kept.strategy, kept.side, kept.lots) == ("EURUSD", "hand", 1, 3)
    assert (kept.entry, kept.stop_ticks, kept.target_ticks) == (
        Decimal("1.10013"),
        105_900,
        121_100,
    )
    assert (kept.trail_distance, kept.time_stop_ns) == (0.04, (1 << 63) - 1)
    assert kept.open_pnl == Decimal("-0.03039") and kept.initial_risk == Decimal("0.09039")


def test_a_flat_day_keeps_the_form_it_had() -> None:
    """A roll without positions, a plan without trail: written without the fields of this page."""

    run = scene(Scripts("EURUSD", "hand", {}), [at("2017-01-02 08:00"), at("2017-01-03 08:00")])
    (rolled,) = [one for one in run.sink.entries if isinstance(one, DayRolled)]
    plan = PlanSet(0, "t", 1, None, 0, Decimal(1))

    assert b'"positions"' not in codec.encode(rolled)
    assert b"trail" not in codec.encode(plan) and b"widened" not in codec.encode(plan)
