"""Days, halts and pacing through the stepper, worked out by hand (R1, R2, P1, S3)."""

from __future__ import annotations

from decimal import Decimal

from daemon.core.commands import Command
from daemon.core.pace import Pace, PaceLimits
from daemon.core.supervisors.halts import Halts
from daemon.core.supervisors.killswitch import KillSwitch
from daemon.core.supervisors.rstop import RStop, RStopWatch
from state.bars import Bar
from state.entries import AlarmRung, DayRolled, HaltSet
from state.signals import Signal
from state.units import DAY_NS, HOUR_NS, utc_text
from tests.builders import bar, eurusd
from tests.stepping import M5, Scene, Scripts

MIDDAY = 17_168 * DAY_NS + 12 * HOUR_NS
"""2017-01-02 12:00 UTC = 23:00 in Sydney (UTC+11 in January): the day rolls at 13:00 UTC."""

LONG = Signal(1, stop=1.099)


def flat(number: int, price: float = 1.1) -> Bar:
    """Make a flat bar, the ``number``-th after 12:00 UTC."""
    return bar(MIDDAY + number * M5, price, price, price, price)


def stopped(number: int) -> Bar:
    """Make a bar that falls through the stop at 1.099 and comes back."""
    return bar(MIDDAY + number * M5, 1.1, 1.1, 1.098, 1.1)


def test_r_stop_latches_and_rolls_in_sydney() -> None:
    """A loss of 126/113 R trips a stop of -1 R; entries are back when Sydney's date changes.

    Signal 12:05, filled at 12:05, stopped in the bar 12:10-12:15. The watch latches at 12:15, on
    the trading day 2017-01-02 of Sydney; 12:20 and 12:55 are denied. The day rolls at 13:00Z, so
    the signal of 13:00 belongs to the new day and is accepted.
    """
    script = {0: LONG, 3: LONG, 10: LONG, 11: LONG}
    bars = [flat(0), flat(1), stopped(2), *(flat(n) for n in range(3, 14))]
    scene = Scene(
        [eurusd()],
        [Scripts("EURUSD", "hand", script)],
        gates=[RStop(-1.0, open_r=True, worst_case=False)],
        watches=[RStopWatch(-1.0, open_r=True)],
        zone="Australia/Sydney",
    ).run({"EURUSD": bars})
    outcomes = [(utc_text(one.at_ns)[11:16], one.outcome) for one in scene.decisions()]
    assert outcomes == [
        ("12:05", "ACCEPTED"),
        ("12:20", "R_STOP_REACHED"),
        ("12:55", "R_STOP_REACHED"),
        ("13:00", "ACCEPTED"),
    ]
    halts = [one for one in scene.sink.entries if isinstance(one, HaltSet)]
    assert [(one.name, utc_text(one.at_ns)[11:16]) for one in halts] == [("r_stop", "12:15")]
    rolls = [one for one in scene.sink.entries if isinstance(one, DayRolled)]
    assert [utc_text(one.at_ns) for one in rolls] == ["2017-01-02T13:00:00Z"]
    assert rolls[0].trades == 1 and rolls[0].gross == Decimal("-0.00126")
    assert "r_stop" not in scene.portfolio.halts


def test_r_stop_cancels_working_entries_and_flattens_when_asked() -> None:
    """The halt of one trade's loss cancels another's stop-entry and closes a third at market."""
    scripts = [
        Scripts("EURUSD", "a_loses", {0: LONG}),
        Scripts("EURUSD", "b_waits", {0: Signal(1, trigger=1.2, stop=1.19)}),
        Scripts("EURUSD", "c_holds", {0: Signal(1, stop=1.05)}),
    ]
    scene = Scene(
        [eurusd()],
        scripts,
        gates=[RStop(-1.0, open_r=False, worst_case=False)],
        watches=[RStopWatch(-1.0, open_r=False)],
        flatten_on_r_stop=True,
    ).run({"EURUSD": [flat(0), flat(1), stopped(2), flat(3)]})
    assert scene.cancels() == ["HALT"]
    assert [(one.strategy, one.reason) for one in scene.exits()] == [
        ("a_loses", "SL"),
        ("c_holds", "FLATTEN"),
    ]


def test_open_r_counts_towards_the_stop() -> None:
    """A position 0.0006 under water on a risk of 0.00113 is -0.646 R at mark: 1.09953 - 1.10013.

    With the switch a stop of -0.5 R denies another engine; without it nothing is realised yet.
    """
    for switch, outcome in ((True, "R_STOP_REACHED"), (False, "ACCEPTED")):
        scripts = [
            Scripts("EURUSD", "a", {0: LONG}),
            Scripts("EURUSD", "b", {2: Signal(1, stop=1.05)}),
        ]
        scene = Scene(
            [eurusd()],
            scripts,
            gates=[RStop(-0.5, open_r=switch, worst_case=False)],
            watches=[RStopWatch(-0.5, open_r=switch)],
        ).run({"EURUSD": [flat(0), flat(1), flat(2, 1.0994), flat(3)]})
        assert scene.decisions()[-1].outcome == outcome


def test_worst_case_counts_open_risk_and_this_trade() -> None:
    """Both stops cost 126/113 R each: two are -2.230 R, past a limit of -2 and within -2.5."""
    for limit, outcome in ((-2.0, "R_STOP_WORST_CASE"), (-2.5, "ACCEPTED")):
        scripts = [Scripts("EURUSD", "a", {0: LONG}), Scripts("EURUSD", "b", {2: LONG})]
        scene = Scene(
            [eurusd()],
            scripts,
            gates=[RStop(limit, open_r=True, worst_case=True)],
            worst_case=True,
        ).run({"EURUSD": [flat(0), flat(1), flat(2), flat(3)]})
        assert scene.decisions()[-1].outcome == outcome


def test_pacing_binds_in_its_order() -> None:
    """Engines a..d signal at once: a is accepted, b denied by SPACING before SYMBOL_SPACING.

    300 s later the global spacing of 180 s is over and SYMBOL_SPACING (900 s) denies; 900 s later
    the entry is accepted. The answers of all gates are kept.
    """
    pace = Pace(PaceLimits())
    scripts = [
        Scripts("EURUSD", "a", {0: LONG}),
        Scripts("EURUSD", "b", {0: LONG, 1: LONG, 3: LONG}),
    ]
    scene = Scene([eurusd()], scripts, gates=pace.gates).run(
        {"EURUSD": [flat(n) for n in range(5)]}
    )
    outcomes = [(one.strategy, one.outcome) for one in scene.decisions()]
    assert outcomes == [
        ("a", "ACCEPTED"),
        ("b", "SPACING"),
        ("b", "SYMBOL_SPACING"),
        ("b", "ACCEPTED"),
    ]
    denied = [v.code for v in scene.decisions()[1].verdicts if not v.allowed]
    assert denied == ["SPACING", "SYMBOL_SPACING"]


def test_an_entry_that_ends_without_a_fill_stops_counting() -> None:
    """A crossed level cancels the first entry; the next signal is not held to its spacing."""
    scripts = [Scripts("EURUSD", "a", {0: LONG}), Scripts("EURUSD", "b", {2: LONG})]
    bars = [flat(0), flat(1, 1.0985), flat(2), flat(3)]
    scene = Scene([eurusd()], scripts, gates=Pace(PaceLimits()).gates).run({"EURUSD": bars})
    assert scene.cancels() == ["LEVEL_ALREADY_CROSSED"]
    assert [one.outcome for one in scene.decisions()] == ["ACCEPTED", "ACCEPTED"]


def test_commands_act_at_their_instant_before_the_bars() -> None:
    """A kill at 12:05 cancels the stop-entry of 12:05; reset at 12:15 lets 12:15 enter again."""
    waiting = Signal(1, trigger=1.2, stop=1.19)
    script = Scripts("EURUSD", "a", {0: waiting, 1: LONG, 2: LONG})
    commands = [
        Command(MIDDAY + M5 + 1, "kill", reason="looks wrong"),
        Command(MIDDAY + 3 * M5, "reset_kill", reason="fixed"),
    ]
    scene = Scene([eurusd()], [script], gates=[KillSwitch()], commands=commands).run(
        {"EURUSD": [flat(n) for n in range(4)]}
    )
    assert scene.cancels() == ["KILL_SWITCH"]
    outcomes = [one.outcome for one in scene.decisions()]
    assert outcomes == ["ACCEPTED", "KILL_SWITCH", "ACCEPTED"]


def test_halt_stops_entries_and_never_exits() -> None:
    """Halted by hand at 12:07: no entry, while the stop of the open position still works."""
    scripts = [Scripts("EURUSD", "a", {0: LONG}), Scripts("EURUSD", "b", {1: LONG})]
    commands = [Command(MIDDAY + M5 + M5 // 2, "halt", reason="news")]
    scene = Scene([eurusd()], scripts, gates=[Halts()], commands=commands).run(
        {"EURUSD": [flat(0), flat(1), stopped(2)]}
    )
    assert [one.outcome for one in scene.decisions()] == ["ACCEPTED", "HALTED"]
    assert [one.reason for one in scene.exits()] == ["SL"]


def test_a_cancel_comes_too_late_for_a_market_order_that_met_its_open() -> None:
    """A halt of 12:07 cannot undo a fill at the open of 12:05, but one of 12:10 it can."""
    halt = [Command(MIDDAY + M5 + M5 // 2, "halt")]
    script = Scripts("EURUSD", "a", {0: LONG})
    met = Scene([eurusd()], [script], commands=halt).run({"EURUSD": [flat(0), flat(1)]})
    assert [utc_text(one.filled_ns)[11:16] for one in met.fills()] == ["12:05"]
    late = Scene([eurusd()], [script], commands=halt).run({"EURUSD": [flat(0), flat(2)]})
    assert late.fills() == [] and late.cancels() == ["HALT"]
    never = Scene([eurusd()], [script], commands=halt).run({"EURUSD": [flat(0), flat(9)]})
    assert never.fills() == [] and never.cancels() == ["HALT"]


def test_deposits_move_cash_and_mark_alike() -> None:
    """500 in and 200 out: cash and high-water mark rise by 300, P&L does not."""
    commands = [Command(MIDDAY + M5, "deposit", "500"), Command(MIDDAY + M5, "withdraw", "200")]
    scene = Scene([eurusd()], [Scripts("EURUSD", "a", {})], commands=commands).run(
        {"EURUSD": [flat(0), flat(1)]}
    )
    assert scene.portfolio.cash == Decimal(100_300)
    assert scene.portfolio.high_water == Decimal(100_300)
    assert scene.portfolio.trades == 0


def test_days_without_bars_roll_one_by_one() -> None:
    """From Monday to Thursday without bars: three rolls, each at its own midnight."""
    bars = [flat(0), flat(3 * 288)]
    scene = Scene([eurusd()], [Scripts("EURUSD", "a", {})]).run({"EURUSD": bars})
    rolls = [one for one in scene.sink.entries if isinstance(one, DayRolled)]
    assert [utc_text(one.at_ns) for one in rolls] == [
        "2017-01-03T00:00:00Z",
        "2017-01-04T00:00:00Z",
        "2017-01-05T00:00:00Z",
    ]


def test_alarms_between_bars_ring_at_their_own_instant() -> None:
    """The wait of a market order of 12:05 ends at 12:15 although the next bar closes at 14:05."""
    script = Scripts("EURUSD", "a", {0: LONG})
    scene = Scene([eurusd()], [script]).run({"EURUSD": [flat(0), flat(24)]})
    rung = [one for one in scene.sink.entries if isinstance(one, AlarmRung)]
    assert [(one.name, utc_text(one.at_ns)[11:16]) for one in rung] == [
        ("no_bar/EURUSD/a", "12:15")
    ]
