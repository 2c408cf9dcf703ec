"""Whatever a broker tells, the desk answers with what can be booked and recorded (S4, ORD-4).

One engine of EURUSD in each state that its order and trade can be in; every kind of event in each.
What is no fact that the book can take is suspended: kept as told, entries halted, nothing moved.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from adapters.brokers.paper import PaperFaults
from daemon.core.calendar import Schedule, WindowSpec
from daemon.core.commands import Command
from daemon.core.effects import Cancel, Effect, Protect, Submit
from daemon.core.supervisors.halts import Halts
from daemon.runtime.at_once import at_once
from daemon.runtime.lane import Lane
from daemon.runtime.venue import PaperVenue
from state import codec, verify_fold
from state.entries import (
    AlarmRung,
    Entry,
    Filled,
    FillSuspended,
    HaltSet,
    InstrumentSet,
    IntentRecorded,
    OrderChanged,
)
from state.executions import BrokerEvent, Execution, OrderNews
from state.ledger import apply
from state.orders import OrderState
from state.portfolio import Portfolio
from state.signals import Exit, Signal
from state.units import DAY_NS, HOUR_NS, NEVER_NS
from state.writer import Writer
from tests.builders import bar, eurusd
from tests.history.checker import check_rows
from tests.history.journal import rows_of
from tests.stepping import M5, Scene, Scripts

EIGHT = 17_168 * DAY_NS + 8 * HOUR_NS
"""2017-01-02 08:00 UTC, a Monday."""
NAN = float("nan")
BUY = Signal(1, trigger=1.101, stop=1.099)
MARKET = Signal(1, stop=1.099)


def _scene(script: dict[int, Any], *prices: float, **more: Any) -> Scene:  # noqa: ANN401
    scripts = [Scripts("EURUSD", "hand", script)]
    scene = Scene([eurusd()], scripts, gates=[Halts()], quantity="10", **more)
    return scene.step({"EURUSD": [bar(EIGHT + i * M5, p, p, p, p) for i, p in enumerate(prices)]})


def working() -> Scene:
    """Let a buy of 10 lots wait at its trigger."""
    return _scene({0: BUY}, 1.1)


def part() -> Scene:
    """Let 4 of 10 lots be bought, and the rest work."""
    return _scene({0: MARKET}, 1.1, 1.1, faults=PaperFaults(partial_fraction=0.4))


def held() -> Scene:
    """Hold 10 lots."""
    return _scene({0: MARKET}, 1.1, 1.1)


def leaving() -> Scene:
    """Hold 10 lots, an exit for them in flight."""
    return _scene({0: MARKET, 2: Exit()}, 1.1, 1.1, 1.1)


def lost() -> Scene:
    """Know nothing of what became of a buy."""
    scene = working()
    _hear(scene, OrderNews(_order(scene), "LOSE", "TIMEOUT"))
    return scene


def cancelled() -> Scene:
    """Have a buy cancelled."""
    words = [
        Command(EIGHT + M5 + n, word, "", "by hand") for n, word in ((1, "halt"), (2, "resume"))
    ]
    return _scene({0: BUY}, 1.1, 1.1, commands=words)


def closed() -> Scene:
    """Have bought and sold again."""
    return _scene({0: MARKET, 2: Exit()}, 1.1, 1.1, 1.1, 1.1)


SCENES = {one.__name__: one for one in (working, part, held, leaving, lost, cancelled, closed)}


def _intents(scene: Scene) -> list[Any]:
    return [one.intent for one in scene.sink.entries if isinstance(one, IntentRecorded)]


def _order(scene: Scene) -> str:
    return str(_intents(scene)[-1].intent_id)


def _execution(scene: Scene, **more: Any) -> Execution:  # noqa: ANN401
    """Make a whole fill of the newest order at 1.1, which costs 13 ticks."""
    of, now = _intents(scene)[-1], scene.portfolio.now_ns
    ticks = 110_000 + 13 * more.get("side", of.side)
    made = Execution(
        execution_id="7", intent_id=of.intent_id, trade_id=of.trade_id, symbol=of.symbol,
        leg=of.purpose, side=of.side, lots=of.lots, price=1.1, fill_ticks=ticks,
        filled_ns=now, bar_open_ns=now, spread=0.00003, slippage=0.0001, at_open=True,
        reason="ENTRY",
    )  # fmt: skip
    return msgspec.structs.replace(made, **more)


def _hear(scene: Scene, event: BrokerEvent) -> list[Entry]:
    before, now = len(scene.sink.entries), scene.portfolio.now_ns
    at_once(scene.stepper.commit(scene.desk.on_event(event, now), now))
    at_once(scene.stepper.advance(now))
    return scene.sink.entries[before:]


def _news(event: str, code: str = "VENUE") -> Callable[[Scene], BrokerEvent]:
    return lambda scene: OrderNews(_order(scene), event, code)


def _fill(**more: Any) -> Callable[[Scene], BrokerEvent]:  # noqa: ANN401
    return lambda scene: _execution(scene, **more)


def _other_leg(scene: Scene) -> str:
    return "entry" if _intents(scene)[-1].purpose == "exit" else "exit"


EVENTS: dict[str, Callable[[Scene], BrokerEvent]] = {
    "whole": _fill(),
    "part": _fill(lots=3),
    "overfill": _fill(lots=12),
    "unknown order": _fill(intent_id="fodd"),
    "unknown trade": _fill(trade_id="fgone"),
    "stop of an unknown trade": _fill(leg="stop", trade_id="fgone", side=-1),
    "stop": _fill(leg="stop", side=-1),
    "target": _fill(leg="target", side=-1),
    "stop to the same side": _fill(leg="stop", side=1),
    "another symbol": _fill(symbol="GBPUSD"),
    "no symbol": _fill(symbol=""),
    "another side": lambda scene: _execution(scene, side=-_intents(scene)[-1].side),
    "another leg": lambda scene: _execution(scene, leg=_other_leg(scene)),
    "no leg": _fill(leg="reversal"),
    "no side": _fill(side=0),
    "no lots": _fill(lots=0),
    "negative lots": _fill(lots=-10),
    "NaN lots": _fill(lots=NAN),
    "broken lots": _fill(lots=2.5),
    "countless lots": _fill(lots=10**5000),
    "no price": _fill(price=0.0),
    "negative price": _fill(price=-1.1),
    "NaN price": _fill(price=NAN),
    "infinite price": _fill(price=float("inf")),
    "a price of another world": _fill(price=1.1e12, fill_ticks=110_000_000_000_000_000),
    "a fill far from its price": _fill(fill_ticks=220_000),
    "negative ticks": _fill(fill_ticks=-110_013),
    "NaN costs": _fill(spread=NAN),
    "infinite costs": _fill(slippage=float("inf")),
    "before time": _fill(filled_ns=-1),
    "after time": _fill(filled_ns=NEVER_NS),
    "NaN instant": _fill(bar_open_ns=NAN),
    "no id": _fill(execution_id=""),
    "an id for a terminal": _fill(execution_id="\x1b[31m7"),
    "an id that is no Unicode": _fill(execution_id="\ud800"),
    "a reason that is no Unicode": _fill(reason="\ud800"),
    "an endless id": _fill(execution_id="7" * 5000),
    "accepted": _news("ACCEPT"),
    "rejected": _news("REJECT"),
    "cancelled": _news("CANCEL"),
    "lost": _news("LOSE"),
    "submitted": _news("SUBMIT"),
    "filled without an execution": _news("FILL"),
    "news of another kind": _news("AMENDED"),
    "a code for a terminal": _news("CANCEL", "\x1b[31m" + "x" * 500),
    "news of an unknown order": lambda scene: OrderNews("fodd", "CANCEL", "VENUE"),
}

BOOKED = {
    "whole": {"working": 10, "part": 6, "leaving": 10, "lost": 10, "cancelled": 10},
    "part": {"working": 3, "part": 3, "leaving": 3, "lost": 3, "cancelled": 3},
    "overfill": {"working": 10, "part": 6, "leaving": 10, "lost": 10, "cancelled": 10},
    "stop": {"part": 4, "held": 10, "leaving": 10},
    "target": {"part": 4, "held": 10, "leaving": 10},
}
"""Lots that the book takes of an execution, by event and scene; of all others, none."""
LOST = {"lost": OrderState.UNKNOWN}
"""The state in which news say nothing new."""


def _suspends(event: str, scene: str) -> bool:
    """Say whether something of an execution is left that the book does not take."""
    told = {"whole": 10, "part": 3, "overfill": 12, "stop": 10, "target": 10}
    return event not in told or BOOKED[event].get(scene, 0) < told[event]


@pytest.mark.parametrize(
    "name", [name for name in EVENTS if type(EVENTS[name](held())) is Execution]
)
@pytest.mark.parametrize("scene_name", SCENES)
def test_an_execution_is_booked_or_kept(scene_name: str, name: str, tmp_path: Path) -> None:
    """S4: what fits is booked, the rest is kept as told and latched; told again nothing follows."""
    scene = SCENES[scene_name]()
    event = EVENTS[name](scene)
    if name in ("stop", "target"):
        event = msgspec.structs.replace(event, lots=10)

    entries = _hear(scene, event)

    booked = sum(one.lots for one in entries if isinstance(one, Filled))
    kept = [one for one in entries if isinstance(one, FillSuspended)]
    assert booked == BOOKED.get(name, {}).get(scene_name, 0)
    assert len(kept) == _suspends(name, scene_name)
    assert ("broker" in scene.portfolio.halts) == bool(kept)
    assert _hear(scene, event) == []
    _sound(scene, tmp_path)


@pytest.mark.parametrize(
    "name", [name for name in EVENTS if type(EVENTS[name](held())) is OrderNews]
)
@pytest.mark.parametrize("scene_name", SCENES)
def test_news_move_an_order_or_nothing(scene_name: str, name: str, tmp_path: Path) -> None:
    """ORD-4: only what the table allows; news of what ended, or said before, changes nothing."""
    scene = SCENES[scene_name]()
    event = EVENTS[name](scene)
    before = scene.portfolio.orders.get(_order(scene))
    state = None if before is None else before.state

    entries = _hear(scene, event)

    changes = [one.event for one in entries if isinstance(one, OrderChanged)]
    odd = name in ("filled without an execution", "news of another kind")
    odd = odd or (name == "rejected" and state is OrderState.PARTIAL)
    assert ("broker" in scene.portfolio.halts) == (odd and state is not None)
    ends = name in ("cancelled", "rejected", "a code for a terminal")
    # The halt after news of no kind takes a working entry away, like any halt.
    ends = ends or (odd and scene_name != "leaving")
    assert (_order(scene) not in scene.portfolio.orders) == (ends or state is None)
    moves = ends or name == "lost" or (name, scene_name) == ("accepted", "lost")
    assert len(changes) == (moves and state not in (None, LOST.get(name)))
    assert _sound(scene, tmp_path)


def _sound(scene: Scene, folder: Path) -> bool:
    """Hold all that is recorded to the fold, the tables and the history checker; step on."""
    at = scene.portfolio.now_ns // M5 * M5 + M5
    scene.step({"EURUSD": [bar(at + i * M5, 1.1, 1.1, 1.1, 1.1) for i in range(2)]})
    again = Portfolio()
    for seq, entry in enumerate(scene.sink.entries, start=1):
        apply(again, seq, codec.decode(codec.encode(entry)))
    assert codec.encode_snapshot(again) == codec.encode_snapshot(scene.portfolio)
    first, *rest = scene.sink.entries
    with Writer(folder / "foliod.db", "NORMAL") as writer:
        writer.submit([first, InstrumentSet(first.at_ns, eurusd()), *rest]).result()
    assert verify_fold.check(folder / "foliod.db") == []
    assert check_rows(rows_of(folder / "foliod.db")).found == []
    return True


class Silent(PaperVenue):
    """A venue that answers nothing to what it is told of orders of these purposes."""

    def __init__(self, *purposes: str, answer: str = "") -> None:
        """``answer``: the news that it tells instead."""
        self.told: list[Effect] = []
        self._purposes = purposes
        self._answer = answer

    async def carry_out(self, lane: Lane, effect: Effect, at_ns: int) -> Sequence[BrokerEvent]:
        """Carry out what is of other orders."""
        if isinstance(effect, Protect) or effect.intent.purpose not in self._purposes:
            return await super().carry_out(lane, effect, at_ns)
        self.told.append(effect)
        if self._answer and isinstance(effect, Submit):
            return (OrderNews(effect.intent.intent_id, self._answer, "VENUE"),)
        return ()


def _until_nine(script: dict[int, Any], venue: PaperVenue) -> Scene:
    """Step from 08:00 to 09:30 with a window that ends at 09:00."""
    spec = WindowSpec(8 * 3600, 9 * 3600, "UTC", frozenset(range(7)), 9 * 3600)
    scripts = [Scripts("EURUSD", "hand", script, Schedule([spec]))]
    scene = Scene([eurusd()], scripts, gates=[Halts()], quantity="10")
    scene.stepper.dispatch.venue = venue
    return scene.step({"EURUSD": [bar(EIGHT + i * M5, 1.1, 1.1, 1.1, 1.1) for i in range(18)]})


def test_a_cancel_that_nobody_answers_is_asked_for_once_an_interval(tmp_path: Path) -> None:
    """Silence is no answer: the alarm rings again, and never twice in one instant."""
    venue = Silent("entry")
    scene = _until_nine({2: BUY}, venue)

    cancels = [one for one in venue.told if isinstance(one, Cancel)]
    rung = [one.at_ns for one in scene.sink.entries if isinstance(one, AlarmRung)]
    assert len(cancels) == len(rung) == 7  # 09:00 to 09:30
    assert rung == [EIGHT + HOUR_NS + i * M5 for i in range(7)]
    assert _order(scene) in scene.portfolio.orders
    assert _sound(scene, tmp_path)


def test_a_time_stop_that_the_venue_refuses_is_tried_once_an_interval(tmp_path: Path) -> None:
    """Each try is an order of its own with an id of its own; the stop goes on protecting."""
    venue = Silent("exit", answer="REJECT")
    scene = _until_nine({2: MARKET}, venue)

    names = [one.intent_id for one in _intents(scene) if one.purpose == "exit"]
    assert len(names) == len(set(names)) == 7
    assert scene.portfolio.positions["EURUSD/hand"].failed_exits == 7
    assert scene.stepper.lanes["EURUSD", M5].book.slots["hand"].guard is not None
    assert _sound(scene, tmp_path)


def test_an_exit_that_nobody_answers_is_not_sent_again(tmp_path: Path) -> None:
    """ORD-3: what is in flight may have filled; only an answer ends it."""
    venue = Silent("exit")
    scene = _until_nine({2: MARKET}, venue)

    assert [type(one) for one in venue.told].count(Submit) == 1
    assert len([one for one in _intents(scene) if one.purpose == "exit"]) == 1
    assert _sound(scene, tmp_path)


def test_exits_pass_and_entries_wait_while_broker_and_book_differ() -> None:
    """The latch denies entries, cancels none of the exits, and is lifted by name."""
    scene = _scene({0: MARKET, 3: Exit(), 6: MARKET, 8: MARKET}, 1.1, 1.1)
    _hear(scene, _execution(scene, intent_id="fodd"))
    reset = Command(EIGHT + 8 * M5, "reset", "broker", "compared with the account")
    scene.stepper.give(reset)

    scene.step({"EURUSD": [bar(EIGHT + i * M5, 1.1, 1.1, 1.1, 1.1) for i in range(2, 10)]})

    assert [one.outcome for one in scene.decisions()] == [
        "ACCEPTED", "ACCEPTED", "HALTED", "ACCEPTED",
    ]  # fmt: skip
    assert [one.leg for one in scene.exits()] == ["exit"]
    assert "broker BROKER_DIFFERS" in next(
        v.observed for v in scene.decisions()[2].verdicts if v.gate == "halts"
    )


@pytest.mark.parametrize("tag", ["", "x" * 5000, "\x1b[31m", "raus \u202e jetzt"])
def test_the_words_of_a_strategy_are_no_reason_to_keep_its_exit_back(tag: str) -> None:
    """A strategy tags its exits as it likes: they are booked like any other."""
    scene = _scene({0: MARKET, 2: Exit(tag)}, 1.1, 1.1, 1.1, 1.1)

    assert [one.reason for one in scene.exits()] == [tag or "ENTRY"]
    assert scene.portfolio.positions == {} and scene.portfolio.halts == {}


def test_a_number_told_again_for_something_else_is_kept_once_for_each_telling() -> None:
    """Not taken for the fill that is known, and not booked: broker and book differ."""
    scene = held()
    known = scene.fills()[0]
    other = _execution(scene, execution_id=known.execution_id, lots=4)

    first = _hear(scene, other)
    again = [_hear(scene, other), _hear(scene, msgspec.structs.replace(other, lots=5))]

    assert [type(one) for one in first] == [FillSuspended, HaltSet]
    assert isinstance(first[0], FillSuspended) and first[0].code == "FILL_TOLD_DIFFERENTLY"
    assert [len(one) for one in again] == [0, 2]
    assert scene.portfolio.positions["EURUSD/hand"].lots == 10


@pytest.mark.parametrize(
    ("scene_name", "name", "code"),
    [
        ("working", "unknown order", "FILL_UNKNOWN_ORDER"),
        ("held", "whole", "FILL_UNKNOWN_ORDER"),
        ("working", "another symbol", "FILL_NOT_OF_ORDER"),
        ("working", "another side", "FILL_NOT_OF_ORDER"),
        ("held", "stop to the same side", "FILL_NOT_OF_ORDER"),
        ("working", "overfill", "FILL_TOO_LARGE"),
        ("held", "stop of an unknown trade", "FILL_NOTHING_OPEN"),
        ("working", "NaN price", "FILL_UNREADABLE"),
        ("working", "a fill far from its price", "FILL_UNREADABLE"),
    ],
)
def test_what_is_kept_says_why(scene_name: str, name: str, code: str) -> None:
    """The code, what of it is not booked, and the words of the broker stand in the journal."""
    scene = SCENES[scene_name]()

    entries = _hear(scene, EVENTS[name](scene))

    kept = next(one for one in entries if isinstance(one, FillSuspended))
    halt = next(one for one in entries if isinstance(one, HaltSet) and one.name == "broker")
    assert kept.code == code
    assert kept.execution_id == "7" and kept.reason in halt.reason
    assert kept.lots == ("2" if name == "overfill" else "10")
