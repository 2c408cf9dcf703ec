"""Coming up again: the state beside the portfolio, and the tail of the journal as a script.

A snapshot holds the portfolio and the ``Work``. What the journal has after it is decided once more
from the same bars and commands and held to the journal entry for entry: what was recorded is never
recorded twice, and whoever was killed in the middle of an instant goes on in the middle of it.
Nothing here reads a bar file, a clock or the settings.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Final

import msgspec

from adapters.brokers.paper import PaperBroker
from daemon.core.commands import Command
from daemon.core.desk import Desk
from daemon.core.engine import Engine
from daemon.core.supervisors.drawdown import DrawdownWatch
from daemon.core.timers import Timers
from daemon.runtime.past import Recorder
from daemon.runtime.snapshots import snapshot_of
from daemon.runtime.stepper_state import StepperState
from state import codec, failpoints
from state.codec import Snapshot
from state.entries import (
    BarsRefused,
    CommandTaken,
    Entry,
    InstrumentSet,
    OrderChanged,
    RunEnded,
    RunStarted,
)
from state.errors import JournalError
from state.instruments import Instrument
from state.orders import Intent, OrderEvent
from state.portfolio import Portfolio
from state.units import utc_text
from state.writer import Written

KILL_CODE: Final = "KILL_SWITCH"
"""Why an order was not sent although the desk had accepted it: the gate closed in between."""

BLOCKED_CODE: Final = "JOURNAL_BLOCKED"
"""Likewise: the disk does not take the intent, and what is not on it must not go out."""

LIFE: Final = frozenset(one.__name__ for one in (RunStarted, RunEnded, InstrumentSet, BarsRefused))
"""Kinds of entries that no decision of the core makes: of a process's life, of an instrument that
another configuration brought, of what a live feed refused."""


class Divergence(JournalError):
    """Entry ``seq`` of the journal, ``kept``, is decided otherwise now: ``again``."""

    def __init__(self, text: str, seq: int, kept: bytes, again: bytes) -> None:
        """Say it in words, with both payloads."""
        super().__init__(text)
        self.seq, self.kept, self.again = seq, kept, again


class Work(msgspec.Struct, frozen=True):
    """All that later decisions depend on beside the rest of a snapshot, between two instants.

    Mappings are by engine key (``made_of``: what its engine is made of; another one cannot take
    its state), ``SYMBOL/interval in ns`` (``books``, ``consumed``) or symbol. ``consumed_ns`` is
    the instant up to which bars are journalled as consumed, ``day_end_ns`` the end of the trading
    day that was the present one after the last instant stepped.
    """

    config_hash: str
    version: str
    stepper: StepperState
    timers: tuple[int, int]
    made_of: dict[str, str]
    books: dict[str, msgspec.Raw]
    consumed: dict[str, str]
    consumed_ns: int
    day_end_ns: int
    instruments: dict[str, Instrument]


class Parts(msgspec.Struct, frozen=True):
    """The wired objects that have a state; ``made_of`` says what each engine is made of."""

    desk: Desk
    timers: Timers
    broker: PaperBroker
    drawdown: DrawdownWatch
    made_of: Mapping[str, str]

    @classmethod
    def of(cls, desk: Desk, timers: Timers, broker: PaperBroker, drawdown: DrawdownWatch) -> Parts:
        """Return the parts of a wired core."""
        made_of = {key: engine_made_of(engine) for key, engine in desk.engines.items()}
        return cls(desk, timers, broker, drawdown, made_of)

    def snapshot(self, work: Work) -> Snapshot:
        """Return all of it as a snapshot holds it."""
        desk = self.desk
        kept = snapshot_of(desk.portfolio, list(desk.engines.values()), desk.market, self.drawdown)
        kept.work = msgspec.Raw(msgspec.json.encode(work))
        return kept

    def books(self) -> dict[str, msgspec.Raw]:
        """Return what rests in every book."""
        return {_name(key): msgspec.Raw(one.state()) for key, one in self.broker.books.items()}

    def take(self, portfolio: Portfolio) -> None:
        """Put every field of ``portfolio`` into the one that the core looks at."""
        for name in portfolio.__struct_fields__:
            setattr(self.desk.portfolio, name, getattr(portfolio, name))

    def restore(
        self, kept: Snapshot, work: Work, *, release: bool
    ) -> tuple[set[str], set[tuple[str, int]]]:
        """Give every part its state; return the engines and series that the snapshot lacks.

        Their state is a function of the bars so far, which must be shown to them. ``release``: a
        quarantined engine is tried again.
        """
        self.take(kept.portfolio)
        self.timers.restore(work.timers)
        self.drawdown.restore(kept.drawdown)
        for key, book in self.broker.books.items():
            resting = work.books.get(_name(key))
            if resting is not None:
                book.restore(bytes(resting))
        fresh = set()
        for one in self.desk.market.series:
            if _name(one.key) in kept.series:
                one.restore(kept.series[_name(one.key)])
            else:
                fresh.add(one.key)
        return self._restore_engines(kept, work, release), fresh

    def _restore_engines(self, kept: Snapshot, work: Work, release: bool) -> set[str]:
        lacking = set()
        for key, engine in self.desk.engines.items():
            state = kept.engines.get(key)
            if key in self.desk.portfolio.quarantined and not release:
                engine.quarantined = True
            elif state is None or work.made_of.get(key) != self.made_of[key]:
                lacking.add(key)
            else:
                engine.restore(state)
        return lacking


def engine_made_of(engine: Engine) -> str:
    """Say what an engine is made of: its class, interval, windows and parameters."""
    strategy = engine.strategy
    params = msgspec.json.encode(strategy.params).decode()
    windows = ",".join(one.text() for one in engine.schedule.specs)
    return f"{type(strategy).__name__} {engine.interval_ns} {windows} {params}"


def _name(key: tuple[str, int]) -> str:
    return f"{key[0]}/{key[1]}"


Wait = Callable[[Written], Awaitable[None]]
"""Waits until a write is durable, or raises why it is not."""


async def wait_here(written: Written) -> None:
    """Wait for the disk on this thread: for a start, and wherever no loop runs."""
    written.result()


class DurableSink:
    """The sink of a daemon: an entry is recorded when ``wait`` says that it is on the disk.

    While ``tail`` has entries that were recorded before, the core's are held to them instead.
    """

    def __init__(
        self,
        writer: Recorder,
        tail: Iterable[tuple[int, bytes]],
        adopt: Callable[[int, Entry], None],
        seq: int,
    ) -> None:
        """Go on after entry ``seq``; ``adopt`` applies an entry of the tail that nobody decides."""
        self.wait: Wait = wait_here
        self._gathered: list[Entry] = []
        self._writer = writer
        self.tail = deque(tail)
        self._adopt = adopt
        self.seq = seq

    def commands(self) -> list[Command]:
        """Return the operator's commands in the tail: inputs, to be given again."""
        name = CommandTaken.__name__
        taken = [codec.decode(one) for _, one in self.tail if codec.head(one).type == name]
        return [
            Command(one.at_ns, one.name, one.argument, one.reason)
            for one in taken
            if isinstance(one, CommandTaken)
        ]

    def next_ns(self) -> int | None:
        """Return the instant of the next entry that the core is to decide, None: all is done."""
        self._live("")
        return codec.head(self.tail[0][1]).at_ns if self.tail else None

    async def extend(self, entries: Sequence[Entry], *, follows: bool = True) -> int:
        """Record entries that belong together and return the number of the last one.

        The disk is waited for where something ``follows`` from them, else they are gathered for
        ``settle``: the entries of an instant are one write.

        Raises:
            JournalError: they cannot be written, or are not those that the journal has.
        """
        rest = list(entries)
        if self.tail:
            self._live(codec.kind(entries[0]))
            while rest and self.tail:
                self._hold(rest.pop(0))
        if rest:
            self._gathered += rest
            if follows:
                await self.settle()
            self.seq += len(rest)
        return self.seq

    async def settle(self) -> None:
        """Write what was gathered and wait for the disk.

        Raises:
            JournalError: it cannot be written.
        """
        if self._gathered:
            entries, self._gathered = self._gathered, []
            await self.wait(self._writer.submit(entries))

    def refusal(self, intent: Intent) -> str | None:
        """Return why an order was not sent in the past, None when it was or is yet to be sent."""
        if not self.tail:
            return None
        entry = codec.decode(self.tail[0][1])
        if (
            isinstance(entry, OrderChanged)
            and entry.intent_id == intent.intent_id
            and entry.event == OrderEvent.REJECT
            and entry.code in (KILL_CODE, BLOCKED_CODE)
        ):
            return entry.code
        return None

    def _live(self, decided: str) -> None:
        """Adopt the entries of a process's life that come next, up to the kind decided now."""
        while self.tail:
            payload = self.tail[0][1]
            kind = codec.head(payload).type
            if kind not in LIFE or kind == decided:
                return
            self.seq, _ = self.tail.popleft()
            self._adopt(self.seq, codec.decode(payload))

    def _hold(self, entry: Entry) -> None:
        seq, payload = self.tail[0]
        mine = codec.encode(entry)
        if mine != payload:
            raise Divergence(
                f"entry {seq} of the journal cannot be decided again: it says {_short(payload)},"
                f" this version decides {_short(mine)} from the same bars, at"
                f" {utc_text(entry.at_ns)}. The bar files, a strategy's code or the program were"
                " changed since. Start with what they were, stop in order (SIGTERM), then change",
                seq,
                payload,
                mine,
            )
        self.tail.popleft()
        self.seq = seq
        failpoints.hit("recovery.held")


def _short(payload: bytes) -> str:
    return payload[:160].decode("utf-8", "replace")
