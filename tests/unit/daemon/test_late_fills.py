"""Late fills: an order that had ended fills all the same (ORD-4).

EURUSD as in the fills by hand: a buy at a trigger of 1.101 costs 0.00013 and fills at 1.10113.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from adapters.brokers.paper import PaperFaults
from daemon.core.commands import Command
from daemon.core.pace import Pace, PaceLimits
from daemon.core.supervisors.halts import Halts
from daemon.runtime.at_once import at_once
from state import verify_fold
from state.entries import (
    Decided,
    Entry,
    Filled,
    FillSuspended,
    HaltSet,
    InstrumentSet,
    IntentRecorded,
    OrderChanged,
    PlanSet,
)
from state.errors import LedgerError
from state.executions import Execution, OrderNews
from state.instruments import Instrument
from state.ledger import apply
from state.orders import ENDED_KEPT, OrderState
from state.signals import Exit, Signal
from state.units import DAY_NS, HOUR_NS, SECOND_NS
from state.writer import Writer
from tests.builders import bar, eurusd
from tests.history.checker import check_rows
from tests.history.journal import numbered, rows_of
from tests.journals import fold, intent, opening
from tests.stepping import M5, Scene, Scripts

EIGHT = 17_168 * DAY_NS + 8 * HOUR_NS
"""2017-01-02 08:00 UTC, a Monday."""
BUY = Signal(1, trigger=1.101, stop=1.099)


def _bars(*prices: float) -> dict[str, Any]:
    return {"EURUSD": [bar(EIGHT + i * M5, p, p, p, p) for i, p in enumerate(prices)]}


def _scene(script: dict[int, Any], **more: Any) -> Scene:  # noqa: ANN401 - Scene's own
    paced = Pace(PaceLimits(spacing_s=3600)).gates
    gates = more.pop("gates", [Halts(), *paced])
    scripts = [Scripts("EURUSD", "hand", script)]
    return Scene([eurusd()], scripts, gates=gates, quantity="10", **more)


def _command(minutes: int, name: str, argument: str = "") -> Command:
    return Command(EIGHT + minutes * 60 * SECOND_NS, name, argument, "by hand")


def _late(scene: Scene, number: int, lots: int, name: str = "late", **more: Any) -> Execution:  # noqa: ANN401
    """Make an execution of the ``number``-th intent."""
    intents = [one.intent for one in scene.sink.entries if isinstance(one, IntentRecorded)]
    of = intents[number]
    now = scene.portfolio.now_ns
    fill = 110_113 if of.side > 0 else 109_987
    made = Execution(
        execution_id=name, intent_id=of.intent_id, trade_id=of.trade_id, symbol=of.symbol,
        leg=of.purpose, side=of.side, lots=lots, price=1.101 if of.side > 0 else 1.1,
        fill_ticks=fill, filled_ns=now, bar_open_ns=now, spread=0.00003, slippage=0.0001,
        at_open=True, reason="ENTRY",
    )  # fmt: skip
    return msgspec.structs.replace(made, **more)


def _hear(scene: Scene, event: Execution | OrderNews) -> list[Entry]:
    """Let the broker tell something now; return what follows from it."""
    before = len(scene.sink.entries)
    now = scene.portfolio.now_ns
    at_once(scene.stepper.commit(scene.desk.on_event(event, now), now))
    at_once(scene.stepper.advance(now))
    return scene.sink.entries[before:]


def _halted_then_filled() -> tuple[Scene, list[Entry]]:
    """Halt while a buy waits, resume, and let the cancelled buy fill."""
    commands = [_command(7, "halt"), _command(8, "resume"), _command(21, "reset", "late_fill")]
    script = {0: BUY, 3: BUY, 4: BUY}
    scene = _scene(script, commands=commands).step(_bars(1.1, 1.1, 1.1))
    assert scene.cancels() == ["HALT"]
    return scene, _hear(scene, _late(scene, 0, 10))


def test_a_late_fill_is_applied_protected_and_alarms() -> None:
    """ORD-4: the fill, its stop right after it, and a halt that names the order."""
    scene, entries = _halted_then_filled()

    filled, plan, halt = entries
    assert isinstance(filled, Filled) and isinstance(plan, PlanSet) and isinstance(halt, HaltSet)
    assert (filled.lots, plan.stop_ticks) == (10, 109_900)
    assert (halt.name, halt.code) == ("late_fill", "LATE_FILL")
    assert filled.intent_id in halt.reason and "CANCELLED" in halt.reason
    position = scene.portfolio.positions["EURUSD/hand"]
    assert (position.lots, position.stop_ticks) == (10, 109_900)
    guard = scene.stepper.lanes["EURUSD", M5].book.slots["hand"].guard
    assert guard is not None and (guard.lots, guard.stop_ticks) == (10, 109_900)
    assert scene.portfolio.ended[filled.intent_id].state is OrderState.CANCELLED


def test_a_late_fill_counts_again() -> None:
    """P1: an entry that ended unfilled stops counting; when it fills after all, it counts."""
    scene, entries = _halted_then_filled()

    assert isinstance(entries[0], Filled)
    assert [one.intent_id for one in scene.portfolio.counted] == [entries[0].intent_id]


def test_entries_wait_for_a_name_after_a_late_fill() -> None:
    """The halt denies until it is reset by name; what the stop closes is closed once."""
    scene, _ = _halted_then_filled()
    more = [bar(EIGHT + i * M5, p, p, p, p) for i, p in ((3, 1.098), (4, 1.1))]
    scene.step({"EURUSD": more})

    denied, after = scene.decisions()[-2:]
    assert denied.outcome == "HALTED"
    assert "late_fill LATE_FILL" in next(v.observed for v in denied.verdicts if v.gate == "halts")
    assert after.outcome == "SPACING"
    assert [one.leg for one in scene.exits()] == ["stop"]


def test_a_late_fill_twice_is_one() -> None:
    """FIL-1: the same execution told again changes nothing, and alarms no more."""
    scene, _ = _halted_then_filled()

    assert _hear(scene, _late(scene, 0, 10)) == []


def test_two_symbols_may_use_the_same_execution_id(tmp_path: Path) -> None:
    """S4: a venue numbers executions for each symbol; neither fill is taken for the other."""
    scripts = [Scripts(symbol, "hand", {0: BUY}) for symbol in ("EURUSD", "GBPUSD")]
    pounds = msgspec.structs.replace(eurusd(), symbol="GBPUSD")
    scene = Scene([eurusd(), pounds], scripts, gates=[Halts()], quantity="10")
    scene.step({name: _bars(1.1)["EURUSD"] for name in ("EURUSD", "GBPUSD")})

    for number in (0, 1, 0, 1):
        _hear(scene, _late(scene, number, 10, name="7"))

    assert [one.symbol for one in scene.fills()] == ["EURUSD", "GBPUSD"]
    assert sorted(scene.portfolio.positions) == ["EURUSD/hand", "GBPUSD/hand"]
    assert check_rows(_rows(scene, tmp_path, pounds)).found == []


def test_a_late_exit_is_applied_and_alarms() -> None:
    """An exit that the broker rejected and filled all the same closes what is open."""
    scene = _scene({0: Signal(1, stop=1.099), 2: Exit()}).step(_bars(1.1, 1.1, 1.1))
    entry, leave = [one.intent for one in scene.sink.entries if isinstance(one, IntentRecorded)]
    _hear(scene, OrderNews(leave.intent_id, "REJECT", "VENUE"))

    entries = _hear(scene, _late(scene, 1, 10, trade_id=entry.trade_id, reason="SIGNAL"))

    assert [type(one) for one in entries] == [Filled, HaltSet]
    assert scene.portfolio.positions == {}


def test_the_rest_of_a_closed_trade_is_a_trade_of_its_own() -> None:
    """Stopped on a part, cancelled, and the rest fills: another trade, protected like the first."""
    faults = PaperFaults(partial_fraction=0.4)
    scene = _scene({0: Signal(1, stop=1.099)}, faults=faults)
    bars = [bar(EIGHT, 1.1, 1.1, 1.1, 1.1), bar(EIGHT + M5, 1.1, 1.1, 1.098, 1.098)]
    scene.step({"EURUSD": bars})
    assert scene.cancels() == ["TRADE_CLOSED"]

    filled, plan, _ = _hear(scene, _late(scene, 0, 6))

    assert isinstance(filled, Filled) and isinstance(plan, PlanSet)
    assert filled.trade_id == plan.trade_id != filled.intent_id
    assert scene.portfolio.positions["EURUSD/hand"].lots == 6
    scene.step({"EURUSD": [bar(EIGHT + 2 * M5, 1.098, 1.098, 1.098, 1.098)]})
    assert [one.trade_id for one in scene.exits()] == [filled.intent_id, filled.trade_id]
    assert scene.portfolio.trades == 2


def _rows(scene: Scene, folder: Path, *others: Instrument) -> list[dict[str, Any]]:
    first, *rest = scene.sink.entries
    given = [InstrumentSet(first.at_ns, one) for one in (eurusd(), *others)]
    with Writer(folder / "foliod.db", "NORMAL") as writer:
        writer.submit([first, *given, *rest]).result()
    assert verify_fold.check(folder / "foliod.db") == []
    return rows_of(folder / "foliod.db")


def test_tables_and_history_hold_after_late_fills(tmp_path: Path) -> None:
    """The query tables follow, a checker finds nothing, and without the alarm it names ORD-4."""
    scene, _ = _halted_then_filled()
    scene.step({"EURUSD": [bar(EIGHT + 3 * M5, 1.098, 1.098, 1.098, 1.098)]})

    rows = _rows(scene, tmp_path)

    assert check_rows(rows).found == []
    silent = [row for row in rows if row.get("code") != "LATE_FILL"]
    assert check_rows(numbered(silent)).broken == {"ORD-4"}


def test_history_holds_when_the_rest_of_a_closed_trade_fills(tmp_path: Path) -> None:
    """Two trades of one order balance, and one trade that opened again is named (FIL-1)."""
    test = _scene({0: Signal(1, stop=1.099)}, faults=PaperFaults(partial_fraction=0.4))
    bars = [bar(EIGHT, 1.1, 1.1, 1.1, 1.1), bar(EIGHT + M5, 1.1, 1.1, 1.098, 1.098)]
    test.step({"EURUSD": bars})
    _hear(test, _late(test, 0, 6))

    rows = _rows(test, tmp_path)

    assert check_rows(rows).found == []
    for row in rows:
        if row["type"] in ("Filled", "PlanSet"):
            row["trade_id"] = next(one["intent_id"] for one in rows if one["type"] == "Filled")
    assert "FIL-1" in check_rows(rows).broken


def test_a_late_fill_cancels_other_orders_within_its_bar() -> None:
    """The bar that fills it goes on, though its halt takes away what rested beside it."""
    other = Signal(1, trigger=1.2, stop=1.1)
    scripts = [
        Scripts("EURUSD", "a", {0: Signal(1, stop=1.099)}),
        Scripts("EURUSD", "b", {0: other}),
    ]
    scene = Scene([eurusd()], scripts, gates=[Halts()], quantity="10").step(_bars(1.1))
    intents = [one.intent for one in scene.sink.entries if isinstance(one, IntentRecorded)]
    assert [one.strategy for one in intents] == ["a", "b"]
    _hear(scene, OrderNews(intents[0].intent_id, "REJECT", "VENUE"))

    scene.step({"EURUSD": [bar(EIGHT + M5, 1.1, 1.1, 1.1, 1.1)]})

    assert [one.strategy for one in scene.fills("entry")] == ["a"]
    assert scene.cancels() == ["HALT"]
    assert list(scene.portfolio.positions) == ["EURUSD/a"] and scene.portfolio.orders == {}


def _between_trades() -> Scene:
    """Cancel a buy by a halt, resume, and let another buy of the engine open at 1.10013."""
    commands = [_command(7, "halt"), _command(8, "resume")]
    scene = _scene({0: BUY, 2: Signal(1, stop=1.098)}, commands=commands, gates=[Halts()])
    scene.step(_bars(1.1, 1.1, 1.1, 1.1))
    assert [one.trade_id for one in scene.portfolio.positions.values()] == [_intents(scene)[1]]
    return scene


def _intents(scene: Scene) -> list[str]:
    found = [one.intent for one in scene.sink.entries if isinstance(one, IntentRecorded)]
    return [one.intent_id for one in found]


def test_a_late_fill_joins_the_trade_that_is_open_and_its_stop(tmp_path: Path) -> None:
    """ORD-4, SLT-1: an engine has one position; what fills late to its side is guarded with it."""
    scene = _between_trades()

    filled, plan, halt = _hear(scene, _late(scene, 0, 10))

    assert isinstance(filled, Filled) and isinstance(plan, PlanSet) and isinstance(halt, HaltSet)
    assert filled.intent_id == _intents(scene)[0]
    assert filled.trade_id == plan.trade_id == _intents(scene)[1]
    assert (plan.stop_ticks, halt.code) == (109_800, "LATE_FILL")
    position = scene.portfolio.positions["EURUSD/hand"]
    # 110,013 - 109,800 = 213 ticks of 10 lots, and 313 of 10 more; a lot is a unit.
    assert (position.lots, position.initial_risk) == (20, Decimal("0.0526"))
    guard = scene.stepper.lanes["EURUSD", M5].book.slots["hand"].guard
    assert guard is not None and (guard.lots, guard.stop_ticks) == (20, 109_800)
    scene.step({"EURUSD": [bar(EIGHT + 4 * M5, 1.1, 1.1, 1.097, 1.097)]})
    assert [(one.leg, one.lots) for one in scene.exits()] == [("stop", 20)]
    assert scene.portfolio.positions == {}
    assert check_rows(_rows(scene, tmp_path)).found == []


def test_a_late_fill_to_the_other_side_is_suspended() -> None:
    """S4: it cannot join; it is kept as told, the open trade goes on, entries halt."""
    commands = [_command(7, "halt"), _command(8, "resume")]
    sell = Signal(-1, stop=1.102)
    scene = _scene({0: BUY, 2: sell}, commands=commands, gates=[Halts()])
    scene.step(_bars(1.1, 1.1, 1.1, 1.1))
    held = scene.portfolio.positions.copy()

    kept, halt = _hear(scene, _late(scene, 0, 10))

    assert isinstance(kept, FillSuspended) and isinstance(halt, HaltSet)
    assert (kept.code, kept.lots) == ("FILL_OTHER_SIDE", "10")
    assert (halt.name, halt.code) == ("broker", "BROKER_DIFFERS")
    assert scene.portfolio.positions == held


def test_the_rest_of_a_closed_trade_may_come_in_parts(tmp_path: Path) -> None:
    """Stopped on a part; the rest fills in two parts: one more trade, not two in one engine."""
    scene = _scene({0: Signal(1, stop=1.099)}, faults=PaperFaults(partial_fraction=0.4))
    bars = [bar(EIGHT, 1.1, 1.1, 1.1, 1.1), bar(EIGHT + M5, 1.1, 1.1, 1.098, 1.098)]
    scene.step({"EURUSD": bars})

    one = _hear(scene, _late(scene, 0, 3, name="late-1"))[0]
    other = _hear(scene, _late(scene, 0, 3, name="late-2"))[0]

    assert isinstance(one, Filled) and isinstance(other, Filled)
    assert one.trade_id == other.trade_id != one.intent_id
    assert scene.portfolio.positions["EURUSD/hand"].lots == 6
    assert check_rows(_rows(scene, tmp_path)).found == []


def test_orders_that_ended_are_remembered_for_a_while() -> None:
    """The memory is bounded: the oldest is forgotten first."""
    entries: list[Entry] = opening()
    at_ns = entries[-1].at_ns
    for number in range(ENDED_KEPT + 1):
        name = f"f{number}"
        entries += [intent(name, at_ns), OrderChanged(at_ns, name, "REJECT", "VENUE")]
    portfolio = fold(entries)

    assert len(portfolio.ended) == ENDED_KEPT
    assert "f0" not in portfolio.ended and f"f{ENDED_KEPT}" in portfolio.ended


def test_decisions_are_told_once() -> None:
    """A late fill makes no decision: the wish that it is of was decided long ago."""
    scene, entries = _halted_then_filled()

    assert not any(isinstance(one, Decided) for one in entries)
    with pytest.raises(LedgerError, match="recorded twice"):
        apply(scene.portfolio, scene.portfolio.seq + 1, entries[0])
