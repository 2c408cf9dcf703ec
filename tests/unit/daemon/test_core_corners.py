"""Corners of the core, each decided by MISSION's text and worked out by hand.

EURUSD as in the fills by hand: pip 0.0001, tick 0.00001, half a spread 0.00003, slippage 0.0001.
So a market or stop fill costs 0.00013, a target fill 0.00003. ``LONG`` bought at 1.1 has its fill
at 1.10013, its stop at 1.099 (sold at 1.09887) and a risk of 0.00113 a unit.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from adapters.brokers.paper import PaperFaults
from daemon.core.calendar import Schedule, WindowSpec
from daemon.core.commands import Command
from daemon.core.market import Costs
from daemon.core.strategy import NoParams
from daemon.core.supervisors.drawdown import DrawdownLock, DrawdownWatch
from daemon.core.supervisors.freshness import Freshness
from daemon.core.supervisors.rstop import RStopWatch
from daemon.core.supervisors.strategy_day import StrategyDayWatch
from state.bars import Bar
from state.codec import decode, encode
from state.entries import DayRolled, EquityMarked, HaltSet, IntentRecorded, OrderChanged
from state.errors import LedgerError
from state.ledger import apply
from state.signals import Exit, Signal
from state.units import DAY_NS, HOUR_NS, MINUTE_NS, utc_text
from tests.builders import bar, eurusd
from tests.stepping import M5, Scene, Scripted, Scripts

EIGHT = 17_168 * DAY_NS + 8 * HOUR_NS
"""2017-01-02 08:00 UTC, a Monday."""
WORKDAYS = frozenset(range(5))
LONG = Signal(1, stop=1.099)


def flat(number: int, price: float = 1.1) -> Bar:
    """Make a flat bar, the ``number``-th one after 08:00."""
    return bar(EIGHT + number * M5, price, price, price, price)


def one(number: int, open_: float, high: float, low: float, close: float) -> Bar:
    """Make the ``number``-th bar after 08:00."""
    return bar(EIGHT + number * M5, open_, high, low, close)


def window(end_s: int, **more: Any) -> Schedule:  # noqa: ANN401 - what a schedule takes
    """Make a window from 08:00 UTC to this second of the day."""
    return Schedule([WindowSpec(8 * 3600, end_s, "UTC", WORKDAYS)], **more)


def hand(script: dict[int, Any], name: str = "hand", **more: Any) -> Scripts:  # noqa: ANN401
    """Make an engine on EURUSD."""
    return Scripts("EURUSD", name, script, **more)


def told(scene: Scene) -> list[tuple[str, str, float]]:
    """Return reason, stamp and fill of every exit."""
    return [(x.reason, utc_text(x.filled_ns)[11:16], scene.price(x)) for x in scene.exits()]


def halts(scene: Scene) -> list[tuple[str, str]]:
    """Return name and instant of every halt."""
    found = [x for x in scene.sink.entries if isinstance(x, HaltSet)]
    return [(x.name, utc_text(x.at_ns)[11:16]) for x in found]


# Exits between bars -------------------------------------------------------------------------------


def test_a_time_stop_inside_a_bar_waits_for_the_next_open() -> None:
    """A window ending 08:12: sold at the open of 08:15, not at 08:10, which was before the end.

    The bar 08:10-08:15 still has its stop: a low of 1.098 there sells at 1.09887 instead.
    """
    bars = [flat(0), flat(1), flat(2, 1.1005), flat(3, 1.1010)]
    script = hand({0: LONG}, schedule=window(8 * 3600 + 720))
    scene = Scene([eurusd()], [script]).run({"EURUSD": bars})
    assert told(scene) == [("TIME", "08:15", 1.10087)]
    bars[2] = one(2, 1.1, 1.1, 1.098, 1.1)
    stopped = Scene([eurusd()], [script]).run({"EURUSD": bars})
    assert told(stopped) == [("SL", "08:15", 1.09887)]
    assert stopped.cancels() == ["TRADE_CLOSED"]
    assert stopped.portfolio.orders == {} and stopped.portfolio.positions == {}


def test_a_command_inside_a_bar_sells_at_the_next_open() -> None:
    """Flatten at 08:12: the open of 08:10 (1.1005) is past, that of 08:15 (1.1010) is next."""
    commands = [Command(EIGHT + 12 * MINUTE_NS, "flatten")]
    bars = [flat(0), flat(1), flat(2, 1.1005), flat(3, 1.1010)]
    scene = Scene([eurusd()], [hand({0: LONG})], commands=commands).run({"EURUSD": bars})
    assert told(scene) == [("FLATTEN", "08:15", 1.10087)]


def test_a_command_at_a_close_that_meets_no_bar_takes_that_close() -> None:
    """Flatten at 08:15, the last bar closing then at 1.1010: "closed at or before its instant"."""
    commands = [Command(EIGHT + 3 * M5, "flatten")]
    bars = [flat(0), flat(1), flat(2, 1.1010)]
    scene = Scene([eurusd()], [hand({0: LONG})], commands=commands)
    scene.run({"EURUSD": [*bars, flat(40)]})
    assert told(scene) == [("FLATTEN", "08:15", 1.10087)]
    ended = Scene([eurusd()], [hand({0: LONG})], commands=commands).run({"EURUSD": bars})
    assert told(ended) == [("FLATTEN", "08:15", 1.10087)]


def test_an_exit_takes_as_long_to_the_market_as_an_entry() -> None:
    """With 60 s of latency an Exit of 08:15 misses the open of 08:15 and takes that of 08:20."""
    bars = [flat(0), flat(1), flat(2), flat(3, 1.1005), flat(4, 1.1010)]
    script = hand({0: LONG, 2: Exit()})
    scene = Scene([eurusd()], [script], faults=PaperFaults(latency_s=60.0)).run({"EURUSD": bars})
    assert told(scene) == [("SIGNAL", "08:20", 1.10087)]


def test_flatten_closes_what_a_reduction_in_flight_leaves() -> None:
    """Of 4 lots 2 are sold at 08:10 (REDUCE); a flatten of 08:12 sells the other 2 at 08:15."""
    script = hand({0: LONG}, schedule=window(8 * 3600 + 600), at_end="reduce")
    commands = [Command(EIGHT + 12 * MINUTE_NS, "flatten")]
    scene = Scene([eurusd()], [script], quantity="4", commands=commands)
    scene.run({"EURUSD": [flat(0), flat(1), flat(2), flat(3)]})
    assert [(x.reason, x.lots, utc_text(x.filled_ns)[11:16]) for x in scene.exits()] == [
        ("REDUCE", 2, "08:10"),
        ("FLATTEN", 2, "08:15"),
    ]
    assert scene.portfolio.positions == {}


def test_a_stop_ends_every_exit_in_flight() -> None:
    """REDUCE and FLATTEN both wait for 08:20 (latency); the stop of 08:10-08:15 closes all 4."""
    script = hand({0: LONG}, schedule=window(8 * 3600 + 900), at_end="reduce")
    commands = [Command(EIGHT + 16 * MINUTE_NS, "flatten")]
    scene = Scene(
        [eurusd()], [script], quantity="4", commands=commands, faults=PaperFaults(latency_s=60.0)
    )
    scene.run({"EURUSD": [*(flat(n) for n in range(3)), one(3, 1.1, 1.1, 1.098, 1.1), flat(4)]})
    assert [(x.reason, x.lots) for x in scene.exits()] == [("SL", 4)]
    assert scene.cancels() == ["TRADE_CLOSED", "TRADE_CLOSED"]
    assert scene.portfolio.orders == {}


def test_reduce_takes_the_decimal_fraction_of_the_lots() -> None:
    """0.29 of 100 lots are 29, though 100 * 0.29 is 28.999999999999996 in binary."""
    script = hand({0: LONG}, schedule=window(8 * 3600 + 600), at_end="reduce", reduce_fraction=0.29)
    scene = Scene([eurusd()], [script], quantity="100")
    scene.run({"EURUSD": [flat(0), flat(1), flat(2)]})
    assert [x.lots for x in scene.exits()] == [29]


# What fills late, and must be flat ----------------------------------------------------------------


def test_kill_flatten_closes_what_met_its_open_before() -> None:
    """Kill at 08:07: the order of 08:05 met its open and is known at 08:10; sold at 08:10's open.

    A plain halt leaves it open behind its stop.
    """
    bars = {"EURUSD": [flat(0), flat(1), flat(2), flat(3)]}
    at_ns = EIGHT + 7 * MINUTE_NS
    flatten = Scene([eurusd()], [hand({0: LONG})], commands=[Command(at_ns, "kill_flatten")])
    assert told(flatten.run(bars)) == [("FLATTEN", "08:10", 1.09987)]
    assert flatten.portfolio.positions == {} and flatten.portfolio.orders == {}
    halt = Scene([eurusd()], [hand({0: LONG})], commands=[Command(at_ns, "kill")]).run(bars)
    assert told(halt) == [] and len(halt.portfolio.positions) == 1


# Partial fills ------------------------------------------------------------------------------------


def test_an_exit_of_a_part_filled_trade_ends_its_entry_too() -> None:
    """5 of 10 lots fill at 08:05; Exit at 08:10 sells 5 and the other 5 are never bought."""
    script = hand({0: LONG, 1: Exit()})
    scene = Scene(
        [eurusd()], [script], quantity="10", faults=PaperFaults(partial_fraction=0.5)
    ).run({"EURUSD": [flat(0), flat(1), flat(2), flat(3)]})
    assert [(x.leg, x.lots) for x in scene.fills()] == [("entry", 5), ("exit", 5)]
    assert scene.cancels() == ["TRADE_CLOSED"]
    assert len(scene.portfolio.counted) == 1


def test_the_rest_of_an_entry_obeys_the_levels_of_its_trade() -> None:
    """5 lots at 1.10013 with a stop 0.001 away: 1.09913. The bar 08:10 opens at 1.098, beyond it.

    The other 5 lots are cancelled (their own stop would be 1.09713), and the first 5 leave at the
    open: 1.098 - 0.00013, not at a stop that was never traded.
    """
    scene = Scene(
        [eurusd()],
        [hand({0: Signal(1, stop_distance=0.001)})],
        quantity="10",
        faults=PaperFaults(partial_fraction=0.5),
    ).run({"EURUSD": [flat(0), flat(1), one(2, 1.098, 1.0985, 1.0975, 1.098), flat(3)]})
    assert [(x.leg, x.lots) for x in scene.fills()] == [("entry", 5), ("stop", 5)]
    assert scene.cancels() == ["LEVEL_ALREADY_CROSSED"]
    assert told(scene) == [("SL", "08:15", 1.09787)]


def test_a_stop_on_a_part_cancels_the_rest() -> None:
    """5 of 10 lots fill at 08:05 and are stopped in that bar; the other 5 are cancelled at once."""
    scene = Scene(
        [eurusd()], [hand({0: LONG})], quantity="10", faults=PaperFaults(partial_fraction=0.5)
    ).run({"EURUSD": [flat(0), one(1, 1.1, 1.1, 1.098, 1.1), flat(2)]})
    assert [(x.leg, x.lots) for x in scene.fills()] == [("entry", 5), ("stop", 5)]
    assert scene.cancels() == ["TRADE_CLOSED"]
    # R: 5 x -0.00126 / (5 x 0.00113)
    assert next(iter(scene.portfolio.days.values())).r == pytest.approx(-126 / 113, abs=1e-12)


# Watches ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at_close", [True, False])
def test_a_loss_realised_by_an_alarm_is_looked_at_before_the_next_entry(at_close: bool) -> None:
    """A time-stop of 08:15 that meets no bar sells at the close of 08:15, costs and all.

    Bought at 1.10013; at mark 0.999 equity is 100000 - 60000 x 0.10113 = 93932.2, above the floor
    of 93930 (6.07 %). Sold at 0.99887 it is 100000 - 60000 x 0.10126 = 93924.4, below it. Nothing
    is open when the next bar closes at 11:45, and R4 must lock before its engine is asked. With
    ``fill = "close"`` the alarm of 08:15 itself sells.
    """
    script = hand({0: Signal(1, stop=0.9), 3: LONG}, schedule=window(8 * 3600 + 900))
    after = hand({3: LONG}, name="later")
    bars = [flat(0), flat(1), one(2, 1.1, 1.1, 0.999, 0.999), flat(44, 0.999)]
    scene = Scene(
        [eurusd()],
        [script, after],
        gates=[DrawdownLock(0.0607)],
        watches=[DrawdownWatch(0.0607, 120, auto_rearm=True)],
        quantity="60000",
        costs=Costs(fill_at_close=at_close),
    ).run({"EURUSD": bars})
    assert [x.reason for x in scene.exits()] == ["TIME"]
    assert halts(scene) == [("drawdown", "11:45")]
    assert scene.decisions()[-1].strategy == "later"
    assert scene.decisions()[-1].outcome == "DRAWDOWN_LOCK"


def test_a_strategys_latch_leaves_working_entries_alone() -> None:
    """R2 latches, R1 cancels: "R1, R4 and R5 halts cancel working entries", R2's do not.

    Strategy ``twin`` loses 126/113 R on EURUSD; its stop-entry on GBPUSD goes on working.
    """
    pound = msgspec.structs.replace(eurusd(), symbol="GBPUSD")
    waiting = Signal(1, trigger=1.2, stop=1.19)
    scripts = [hand({0: LONG}, name="twin"), Scripts("GBPUSD", "twin", {0: waiting})]
    bars = {
        "EURUSD": [flat(0), flat(1), one(2, 1.1, 1.1, 1.098, 1.1)],
        "GBPUSD": [flat(n) for n in range(3)],
    }
    for watch, cancelled in (
        (StrategyDayWatch(-1.0, None), []),
        (RStopWatch(-1.0, open_r=True), ["HALT"]),
    ):
        scene = Scene([eurusd(), pound], scripts, watches=[watch]).run(bars)
        assert len(halts(scene)) == 1
        assert scene.cancels() == cancelled


# Money that moves ---------------------------------------------------------------------------------


def test_a_deposit_moves_the_mark_at_its_own_instant() -> None:
    """100000 in at 08:12 while 60000 are open: the mark doubles with equity, and no more.

    Equity at 08:10 is 100000 - 60000 x 0.00013 = 99992.2; the mark is 100000. The deposit scales it
    by 199992.2 / 99992.2 to 200007.801. At 08:15 the price is 1.0840: equity is
    200000 - 60000 x 0.01613 = 199032.2, 0.49 % below. Scaled by the equity of 08:15 the mark would
    be 100000 x 199032.2 / 99032.2 = 200977.2, and a lock at 0.9 % would close.
    """
    watch = DrawdownWatch(0.009, 120, auto_rearm=True)
    scene = Scene(
        [eurusd()],
        [hand({0: Signal(1, stop=0.9)})],
        watches=[watch],
        quantity="60000",
        commands=[Command(EIGHT + 12 * MINUTE_NS, "deposit", "100000")],
        high_water=watch.mark_at,
    ).run({"EURUSD": [flat(0), flat(1), flat(2, 1.084)]})
    assert halts(scene) == []
    marks = [x for x in scene.sink.entries if isinstance(x, EquityMarked)]
    assert next((utc_text(x.at_ns)[11:16], x.cash, x.high_water) for x in marks) == (
        "08:12",
        Decimal("200000"),
        Decimal("200007.80060845"),
    )
    assert scene.portfolio.high_water == marks[0].high_water


def test_a_withdrawal_is_no_drawdown_of_the_day() -> None:
    """90000 of 100000 leave at 08:12; the day's drawdown stays that of prices.

    Equity 100000, 99992.2 at 08:10 (0.0078 %), then 9992.2 and 9992.2 at 08:15.
    """
    scene = Scene(
        [eurusd()],
        [hand({0: Signal(1, stop=0.9)})],
        quantity="60000",
        commands=[Command(EIGHT + 12 * MINUTE_NS, "withdraw", "90000")],
    ).run({"EURUSD": [flat(0), flat(1), flat(2), flat(300)]})
    rolled = next(x for x in scene.sink.entries if isinstance(x, DayRolled))
    assert rolled.drawdown == pytest.approx(7.8 / 100_000, abs=1e-9)


def test_a_lock_cleared_by_name_takes_the_equity_of_that_moment_as_its_mark() -> None:
    """Locked at 08:10 (equity 94392.8 is 5.6 % down), reset at 08:12: the new mark is 94392.8.

    At 08:15 equity is 91994.8, 2.5 % below it: no second lock. The equity of 08:15 as mark would
    let another 5 % go from there.
    """
    watch = DrawdownWatch(0.05, 120, auto_rearm=False)
    scene = Scene(
        [eurusd()],
        [hand({0: Signal(1, stop=0.5)})],
        watches=[watch],
        quantity="40000",
        commands=[Command(EIGHT + 12 * MINUTE_NS, "reset", "drawdown")],
        high_water=watch.mark_at,
    ).run({"EURUSD": [flat(0), one(1, 1.1, 1.1, 0.9, 0.95995), flat(2, 0.9)]})
    assert halts(scene) == [("drawdown", "08:10")]
    assert scene.portfolio.high_water == Decimal("94392.8")


# Odd instants -------------------------------------------------------------------------------------


def test_commands_before_the_start_are_taken_at_the_start() -> None:
    """A halt given in 2016 is in force from the first instant; nothing is journalled before it."""
    commands = [Command(EIGHT - 100 * DAY_NS, "halt")]
    scene = Scene([eurusd()], [hand({})], commands=commands).run({"EURUSD": [flat(0)]})
    assert halts(scene) == [("operator", "08:00")]
    instants = [entry.at_ns for entry in scene.sink.entries]
    assert instants == sorted(instants) and instants[0] == EIGHT


def test_close_at_end_leaves_no_entry_behind() -> None:
    """An entry of 08:05 whose symbol has no further bar ends with the history, while others go on.

    At 08:10 it may still be on its way, so an ordinary cancel would wait for the next bar.
    """
    pound = msgspec.structs.replace(eurusd(), symbol="GBPUSD")
    scene = Scene([eurusd(), pound], [hand({0: LONG}), Scripts("GBPUSD", "hand", {})])
    scene.run({"EURUSD": [flat(0)], "GBPUSD": [flat(0), flat(1)]}, close_at_end=True)
    assert scene.cancels() == ["END"]
    assert scene.portfolio.orders == {} and scene.portfolio.counted == []


def test_the_ledger_names_an_unknown_event() -> None:
    """An order's news that no version knows, or a fill without one, stops the fold in words."""
    scene = Scene([eurusd()], [hand({0: LONG})]).step({"EURUSD": [flat(0)]})
    intent = next(x.intent for x in scene.sink.entries if isinstance(x, IntentRecorded))
    for event in ("EXPLODE", "FILL"):
        odd = OrderChanged(EIGHT + M5, intent.intent_id, event)
        with pytest.raises(LedgerError, match=f"unknown event '{event}' .* known: SUBMIT, ACCEPT"):
            apply(scene.portfolio, scene.portfolio.seq + 1, odd)


# Several engines ----------------------------------------------------------------------------------


def test_engines_of_two_intervals_decide_by_symbol_and_name() -> None:
    """At 08:05 a 5m engine ``a`` and 1m engines ``b`` and ``0`` of one symbol speak: 0, a, b.

    Each fills at the next open of its own bars: 08:05 for all, known at 08:06 and at 08:10.
    """
    minute = MINUTE_NS
    scripts = [
        hand({0: LONG}, name="a"),
        hand({4: LONG}, name="b", interval_ns=minute),
        hand({4: LONG}, name="0", interval_ns=minute),
    ]
    fine = [bar(EIGHT + n * minute, 1.1, 1.1, 1.1, 1.1, minutes=1) for n in range(10)]
    scene = Scene([eurusd()], scripts).run({"EURUSD": [*fine, flat(0), flat(1)]})
    assert [x.strategy for x in scene.decisions()] == ["0", "a", "b"]
    assert [(x.strategy, utc_text(x.at_ns)[11:16]) for x in scene.fills()] == [
        ("0", "08:06"),
        ("b", "08:06"),
        ("a", "08:10"),
    ]
    assert {utc_text(x.filled_ns)[11:16] for x in scene.fills()} == {"08:05"}


class Raising(Scripted):
    """Raises at its bar number 1."""

    def on_bar(self, bar: Bar, in_window: bool) -> Any:  # noqa: ANN401
        """Answer once, then raise."""
        if self._count == 1:
            raise ZeroDivisionError("at its second bar")
        return super().on_bar(bar, in_window)


def test_quarantine_inside_an_instant_leaves_the_others_alone() -> None:
    """``a`` raises at 08:10: its stop-entry is cancelled there, ``b`` is asked at that very T."""
    scene = Scene([eurusd()], [hand({0: Signal(1, trigger=1.2, stop=1.19)}, "a"), hand({1: LONG})])
    engine = scene.desk.engines["EURUSD/a"]
    raising = Raising(engine.strategy.context, NoParams(), {0: Signal(1, trigger=1.2, stop=1.19)})
    engine.strategy, engine.answer = raising, raising.on_bar
    scene.run({"EURUSD": [flat(n) for n in range(3)]})
    assert scene.cancels() == ["ENGINE_QUARANTINED"]
    assert [(x.strategy, x.outcome) for x in scene.decisions()] == [
        ("a", "ACCEPTED"),
        ("hand", "ACCEPTED"),
    ]
    assert list(scene.portfolio.quarantined) == ["EURUSD/a"]


@pytest.mark.parametrize("level", [1e15, 1e300])
def test_a_level_beyond_every_number_quarantines_its_engine_only(level: float) -> None:
    """A sell with such a stop, and a buy with such a target, never reach the journal as orders."""
    scripts = [
        hand({0: Signal(-1, stop=level)}, "a"),
        hand({0: Signal(1, stop=1.099, target=level)}, "b"),
        hand({0: Signal(1, stop=1.099, target_r=level)}, "c"),
        hand({0: Signal(1, stop=1.099, target_distance=level)}, "d"),
        hand({0: Signal(1, trigger=level, stop=1.099)}, "e"),
        hand({0: Signal(-1, stop_distance=level)}, "f"),
        hand({1: LONG}, "g"),
    ]
    scene = Scene([eurusd()], scripts).run({"EURUSD": [flat(0), flat(1), flat(2)]})
    assert [x.strategy for x in scene.fills()] == ["g"]
    assert sorted(scene.portfolio.quarantined) == [f"EURUSD/{name}" for name in "abcdef"]
    for entry in scene.sink.entries:
        assert decode(encode(entry)) is not None


# Rates --------------------------------------------------------------------------------------------


def test_no_rate_or_a_stale_one_refuses_entries_and_lets_exits_pass() -> None:
    """A EUR portfolio trading GBPUSD: dollars convert at EURUSD's close.

    Before EURUSD's first bar there is no rate (08:05 denied). At 08:10 there is: accepted. EURUSD
    then stays silent: at 08:25 its rate is 15 minutes old, above 10 minutes, and ``b`` is denied;
    the stop of ``a`` in that bar is booked at the last rate, 1 / 1.25 = 0.8.
    """
    pound = msgspec.structs.replace(eurusd(), symbol="GBPUSD")
    scene = Scene(
        [eurusd(), pound],
        [
            Scripts("GBPUSD", "a", {0: LONG, 1: LONG}),
            Scripts("GBPUSD", "b", {4: LONG}),
        ],
        gates=[Freshness(2, 600)],
        base_currency="EUR",
        conversion={"USD": ("EURUSD", "EUR", "USD")},
    ).run(
        {
            "EURUSD": [flat(1, 1.25)],
            "GBPUSD": [*(flat(n) for n in range(4)), one(4, 1.1, 1.1, 1.098, 1.1)],
        }
    )
    outcomes = [(x.strategy, x.outcome) for x in scene.decisions()]
    assert outcomes == [("a", "NO_RATE"), ("a", "ACCEPTED"), ("b", "STALE_RATE")]
    leave = scene.exits()[0]
    # -0.00126 USD x 0.8, rounded half-even to 8 places
    assert (leave.rate, leave.pnl) == (Decimal("0.800000000000"), Decimal("-0.00100800"))


def test_r_of_a_trade_with_a_partial_exit() -> None:
    """4 lots from 1.10013, 2 sold at 08:10 at 1.1004 - 0.00013, 2 at the stop, 1.09887.

    (2 x 0.00014 - 2 x 0.00126) / (4 x 0.00113) = -224 / 452 R. Until the trade closes nothing is
    realised; its open R at 08:15 (1.0998) counts the 2 lots left: 2 x -0.00033 / 0.00452.
    """
    script = hand({0: LONG}, schedule=window(8 * 3600 + 600), at_end="reduce")
    scene = Scene([eurusd()], [script], quantity="4")
    scene.step({"EURUSD": [flat(0), flat(1), one(2, 1.1004, 1.1004, 1.0998, 1.0998)]})
    marks = scene.desk.marks(EIGHT + 3 * M5)
    assert marks.realised_r == 0.0
    assert marks.open_r == pytest.approx(-66 / 452, abs=1e-9)
    scene.step({"EURUSD": [one(3, 1.1, 1.1, 1.098, 1.1)]})
    assert scene.desk.marks(EIGHT + 4 * M5).realised_r == pytest.approx(-224 / 452, abs=1e-12)


def test_an_entry_pending_at_the_end_stays_working() -> None:
    """Only time-stops end with the history; without --close-at-end nothing else is touched."""
    scene = Scene([eurusd()], [hand({0: LONG})]).run({"EURUSD": [flat(0)]})
    assert scene.cancels() == [] and len(scene.portfolio.orders) == 1


def test_worst_case_uses_the_atr_of_the_trades_own_bars() -> None:
    """The 5m engine's bar of range 0.3 makes its ATR 0.3, so its stop pays 0.0003, not 0.0001.

    Bought at 1.1 + 0.00003 + 0.0003 = 1.10033 with the stop at 1.0: sold at 0.99967 - R is
    -0.10066 / 0.10033. The ATR of the 1m bars is 0.
    """
    fine = [bar(EIGHT + n * MINUTE_NS, 1.1, 1.1, 1.1, 1.1, minutes=1) for n in range(10)]
    scripts = [hand({0: Signal(1, stop=1.0)}), hand({}, "fine", interval_ns=MINUTE_NS)]
    scene = Scene([eurusd()], scripts, worst_case=True)
    scene.step({"EURUSD": [*fine, one(0, 1.1, 1.25, 0.95, 1.1), flat(1)]})
    slippage = 0.3 * 13 / 14 / 1000  # ATR after the flat bar 08:05
    worst = -(0.10033 + 0.00003 + slippage) / 0.10033
    assert scene.desk.valuation.standing(EIGHT + 2 * M5).worst_r == pytest.approx(worst, abs=1e-9)
