"""Sequences of broker events, sane and not, between bars: the desk books, keeps, and goes on (S4).

The venue may also fall silent, or refuse every exit. After each step all that is recorded is held
to the history checker, and the live portfolio to what the journal's bytes make of it. That nothing
raises and that no instant rings without end is the point: either would be a crash loop.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.brokers.paper import PaperFaults
from daemon.core.calendar import Schedule, WindowSpec
from daemon.core.commands import Command
from daemon.core.effects import Effect, Protect, Submit
from daemon.core.supervisors.halts import Halts
from daemon.runtime.at_once import at_once
from daemon.runtime.lane import Lane
from daemon.runtime.venue import PaperVenue
from state import codec
from state.entries import InstrumentSet, IntentRecorded
from state.executions import BrokerEvent, Execution, OrderNews
from state.ledger import apply
from state.portfolio import Portfolio
from state.signals import Action, Exit, Signal
from state.units import DAY_NS, HOUR_NS, NEVER_NS
from tests.builders import bar, eurusd
from tests.history.checker import Walk
from tests.stepping import M5, ListSink, Scene, Scripts

EIGHT = 17_168 * DAY_NS + 8 * HOUR_NS
"""2017-01-02 08:00 UTC, a Monday."""
WINDOW = Schedule([WindowSpec(8 * 3600, 10 * 3600, "UTC", frozenset(range(7)), 10 * 3600)])
MOST = 400
"""Entries of one step, far more than any makes that ends."""

_NUMBERS = st.sampled_from([10, 10, 4, 6, 1, 12, 0, -10, float("nan"), float("inf"), 2.5, 10**400])
_ODD: dict[str, st.SearchStrategy[Any]] = {
    "execution_id": st.sampled_from(["1", "2", "2", "3", "4", "5", "", "\ud800", "9" * 999]),
    "trade_id": st.sampled_from(["fgone", ""]),
    "symbol": st.sampled_from(["GBPUSD", "", "\x1b"]),
    "leg": st.sampled_from(["entry", "exit", "stop", "target", "gift"]),
    "side": st.sampled_from([1, -1, 0, 1.0]),
    "lots": _NUMBERS,
    "price": st.sampled_from([1.1, 0.0, -1.1, float("nan"), 1e300, 10**400]),
    "fill_ticks": st.sampled_from([110_013, 109_987, 220_000, -1, 10**30, float("nan")]),
    "filled_ns": st.sampled_from([0, -1, NEVER_NS, float("nan")]),
    "spread": st.sampled_from([0.0, -1.0, float("nan"), 1e300]),
}
_EXECUTIONS = st.tuples(
    st.just("execution"),
    st.integers(0, 7),
    st.sampled_from([10, 10, 4, 6, 1, 12]),
    st.sampled_from(["1", "2", "3", "4", "5", "6", "7", "8"]),
    st.sampled_from([()] * 3 + [(name,) for name in _ODD]).flatmap(
        lambda names: st.fixed_dictionaries({name: _ODD[name] for name in names})
    ),
)
_NEWS = st.tuples(
    st.just("news"),
    st.integers(0, 7),
    st.sampled_from(
        [
            "ACCEPT",
            "REJECT",
            "CANCEL",
            "LOSE",
            "ACCEPT",
            "CANCEL",
            "SUBMIT",
            "FILL",
            "PART",
            "?",
            "",
        ]
    ),
    st.sampled_from(["VENUE", "VENUE", "\x1b[2J", "x" * 300]),
)
_WISHES = st.sampled_from(
    [None, Signal(1, stop=1.098), Signal(-1, stop=1.102), Signal(1, trigger=1.1004, stop=1.098),
     Exit()]
)  # fmt: skip
_BARS = st.tuples(st.just("bar"), st.integers(-150, 150), _WISHES)
_MOODS = st.tuples(st.just("mood"), st.sampled_from(["honest", "honest", "silent", "refuses"]))
_RESETS = st.tuples(st.just("reset"))
_STEPS = st.lists(
    st.one_of(_EXECUTIONS, _EXECUTIONS, _NEWS, _BARS, _BARS, _BARS, _MOODS, _RESETS), max_size=40
)


FACTS = ("left at a level", "an entry filled while")
"""What the checker holds against a broker that is always heard, and is only told here: a part of
what was open is closed at a level, an order fills whose cancel nobody has answered."""


class Endless(AssertionError):
    """An instant that does not end."""


class Sink(ListSink):
    """Keeps every entry, and notices an instant that does not end."""

    left = MOST

    async def extend(self, entries: Sequence[Any], *, follows: bool = True) -> int:
        """Take entries."""
        self.left -= len(entries)
        if self.left < 0:
            raise Endless(entries)
        return await super().extend(entries, follows=follows)


class Moody(PaperVenue):
    """The paper broker's venue, which may say nothing, or refuse every exit."""

    mood = "honest"

    async def carry_out(self, lane: Lane, effect: Effect, at_ns: int) -> Sequence[BrokerEvent]:
        """Carry out one effect, or not."""
        if isinstance(effect, Protect) or self.mood == "honest":
            return await super().carry_out(lane, effect, at_ns)
        if self.mood == "silent":
            return ()
        if isinstance(effect, Submit) and effect.intent.purpose == "exit":
            return (OrderNews(effect.intent.intent_id, "REJECT", "VENUE"),)
        return await super().carry_out(lane, effect, at_ns)


class Desk:
    """One engine whose broker tells anything."""

    def __init__(self, partial: float) -> None:
        """Open it at 08:00, in a window that ends at 10:00."""
        self.script: dict[int, Action] = {}
        self.sink, self.venue = Sink(), Moody()
        self.scene = Scene(
            [eurusd()], [Scripts("EURUSD", "hand", self.script, WINDOW)], gates=[Halts()],
            quantity="10", faults=PaperFaults(partial_fraction=partial), sink=self.sink,
        )  # fmt: skip
        self.scene.stepper.dispatch.venue = self.venue
        self.bars, self.close = 0, 110_000
        self.walk, self.shadow, self.seen = Walk(), Portfolio(), 0
        self.scene.begin(EIGHT, [InstrumentSet(EIGHT, eurusd())])
        self.bar(0, Signal(1, stop=1.098))

    def bar(self, move: int, wish: Action | None) -> None:
        """Step one bar; the strategy wishes this at its close."""
        if wish is not None:
            self.script[self.bars] = wish
        open_, self.close = self.close, max(self.close + move, 50_000)
        high, low = max(open_, self.close), min(open_, self.close)
        start = EIGHT + self.bars * M5
        self.bars += 1
        prices = [ticks / 100_000 for ticks in (open_, high, low, self.close)]
        self.scene.step({"EURUSD": [bar(start, *prices)]})

    def execution(self, place: int, lots: int, name: str, odd: dict[str, Any]) -> None:
        """Tell a fill of one of the orders so far, at 1.1, with something odd about it."""
        intents = [one.intent for one in self.sink.entries if isinstance(one, IntentRecorded)]
        of, now = intents[-1 - place % len(intents)], self.scene.portfolio.now_ns
        made = Execution(
            execution_id=name, intent_id=of.intent_id, trade_id=of.trade_id, symbol=of.symbol,
            leg=of.purpose, side=of.side, lots=lots, price=1.1, filled_ns=now, bar_open_ns=now,
            fill_ticks=110_000 + 13 * of.side, spread=0.00003, slippage=0.0001, at_open=True,
            reason="ENTRY",
        )  # fmt: skip
        self.hear(msgspec.structs.replace(made, **odd))

    def news(self, place: int, event: str, code: str) -> None:
        """Tell news of one of the orders so far."""
        intents = [one.intent for one in self.sink.entries if isinstance(one, IntentRecorded)]
        self.hear(OrderNews(intents[-1 - place % len(intents)].intent_id, event, code))

    def hear(self, event: BrokerEvent) -> None:
        """Let the desk answer an event now."""
        now = self.scene.portfolio.now_ns
        at_once(self.scene.stepper.commit(self.scene.desk.on_event(event, now), now))
        at_once(self.scene.stepper.advance(now))

    def reset(self) -> None:
        """Lift what halts."""
        now = self.scene.portfolio.now_ns
        for name in list(self.scene.portfolio.halts):
            self.scene.stepper.give(Command(now, "reset", name, "by hand"))
        at_once(self.scene.stepper.advance(now))

    def audit(self) -> None:
        """Hold what is new to the checker, and the portfolio to the journal's bytes."""
        self.sink.left = MOST
        for entry in self.sink.entries[self.seen :]:
            payload = codec.encode(entry)
            self.seen += 1
            apply(self.shadow, self.seen, codec.decode(payload))
            self.walk.take({**json.loads(payload), "seq": self.seen})
        texts = [str(one) for one in self.walk.report.found]
        assert [text for text in texts if not any(word in text for word in FACTS)] == []
        live = self.scene.portfolio
        assert codec.encode_snapshot(self.shadow) == codec.encode_snapshot(live)
        for position in live.positions.values():
            assert position.lots > 0 and position.stop_ticks is not None


@settings(max_examples=300, deadline=None)
@given(partial=st.sampled_from([0.0, 0.4]), steps=_STEPS)
def test_no_sequence_of_broker_events_ends_the_desk(
    partial: float, steps: list[tuple[Any, ...]]
) -> None:
    """Three hundred sequences of up to forty fills, news, bars, moods and resets."""
    desk = Desk(partial)
    for kind, *given_ in steps:
        if kind == "mood":
            desk.venue.mood = given_[0]
        else:
            getattr(desk, kind)(*given_)
        desk.audit()
