"""One life of the simulated daemon: the real one on the virtual loop, and what happens to it.

To be called in a child: it changes modules of the process, and its faults end it.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import os
import shutil
import signal
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

import adapters.kill_file
import daemon.beside
import daemon.live
import daemon.trading
import state.writer
from adapters.kill_file import FILE, PERIOD_S, write_kill_file
from config.override import override
from config.settings import Settings
from daemon.control import Request
from daemon.core.effects import Effect, Submit
from daemon.core.status import Alert
from daemon.feeding import Make
from daemon.live import Live, LiveOptions
from daemon.runtime.closing import Wanted
from daemon.runtime.lane import Lane
from daemon.runtime.past import Past
from daemon.runtime.run_folder import DATABASE
from daemon.runtime.tasks.clocks import PacedClock
from daemon.runtime.venue import Venue
from daemon.trading import Hooks, Trading
from state import codec, failpoints, verify_fold
from state.bars import Bar
from state.entries import Entry
from state.errors import FoliodError, JournalError
from state.executions import BrokerEvent
from state.ledger import apply
from state.portfolio import Portfolio
from state.units import SECOND_NS
from state.verify_fold import first_difference
from tests.crash.plants import replace
from tests.crash.stage import SENT, Wire, decisions, entries_of, forget, sent_before_durable
from tests.simulation.disk import THREADING, TurnWriter
from tests.simulation.loop import VirtualClock, VirtualLoop
from tests.simulation.rules import Rules
from tests.simulation.world import MAX_PER_SYMBOL, MAX_POSITIONS, Faults

WORDS = (
    ("halt", ""),
    ("resume", ""),
    ("resume", ""),
    ("flatten", ""),
    ("reset", "kill"),
    ("reset", "kill"),
    ("reset", "r_stop"),
    ("reset", "EURUSD"),
)


GATE_S = 0.1
"""Seconds in which the gate is closed after the file is visible (KIL-1)."""


class Ended(msgspec.Struct, frozen=True):
    """How a life ended by itself: a reason of the daemon's, or the error that it told."""

    reason: str
    is_refused: bool
    now_s: float


class Note:
    """Violations, on their way into a file that a kill does not take."""

    def __init__(self, path: Path) -> None:
        """Append to ``path``."""
        self._path = path

    def __call__(self, violations: Iterable[str]) -> None:
        """Note them."""
        found = list(violations)
        if found:
            with self._path.open("a") as file:
                file.writelines(f"{one}\n" for one in found)


class SimulatedDaemon(Live):
    """The daemon among its tasks, with the world as one task more."""

    def __init__(
        self,
        settings: Settings,
        folder: Path,
        faults: Faults,
        loop: VirtualLoop,
        rules: Rules,
        note: Note,
    ) -> None:
        """Set it up in ``folder``."""
        self._faults = faults
        self._loop = loop
        self._rules = rules
        self._violated = note
        self._folder = folder
        self._world = ControlFolder(folder / "control", loop)
        self._wall = VirtualClock(loop, 1_700_000_000 * SECOND_NS)
        options = LiveOptions(
            speed=faults.speed,
            control=folder / "control",
            config_text="",
            log=io.StringIO(),
            say=lambda _: None,
            wanted=Wanted(reports=False, analytics=False, parity=False),
        )
        super().__init__(override(settings, data_dir=folder), options, self._wall)

    def _bring_up(self) -> None:
        super()._bring_up()
        stepper = self._at_work.stepper
        wire = Wire(stepper.dispatch.venue, self._folder / SENT, exits=False)
        stepper.dispatch.venue = Gated(wire, self._world, self._loop, self._violated)

    def _outer_tasks(self, group: asyncio.TaskGroup) -> list[asyncio.Task[None]]:
        found = super()._outer_tasks(group)
        found.append(group.create_task(self._look_task(), name="kill file's thread"))
        if self._faults.events_s != float("inf"):
            found.append(group.create_task(self._world_task(), name="world"))
        return found

    async def _look_task(self) -> None:
        """Look at the kill file as often as its thread does."""
        while True:
            await asyncio.sleep(PERIOD_S)
            self._kill.look()

    async def _world_task(self) -> None:
        rng = self._faults.rng
        while True:
            await asyncio.sleep(rng.expovariate(1 / self._faults.events_s))
            word = rng.choice(("operator", "operator", "kill", "unkill", "folder", "clock", "stop"))
            if word == "operator":
                name, argument = rng.choice(WORDS)
                await self._answer(Request(name, argument, "drawn", dry_run=rng.random() < 0.1))
            elif word == "clock":
                self._wall.offset_ns += rng.randint(-90_000, 90_000) * SECOND_NS
            elif word == "stop":
                if rng.random() < 0.2 and not self._is_stopping:
                    self._loop.signals[signal.SIGTERM]()
            else:
                self._world.change(word, rng.choice(("halt", "flatten")))

    async def _step(self, make: Make) -> None:
        await super()._step(make)
        self._violated(self._settled())

    def _settled(self) -> Iterator[str]:
        """Yield what must not be between two instants: unprotected trades, cash that differs."""
        yield from self._rules.settled()
        core = self._at_work.core
        if self._disk.problem or not self._at_work.writer.is_idle:
            return  # memory is ahead of what the disk takes
        if core.portfolio.cash != self._rules.cash:
            yield f"CASH-1: {core.portfolio.cash} in memory, {self._rules.cash} by the journal"
        if core.portfolio.seq != self._rules.seq:
            yield f"REC-1: entry {core.portfolio.seq} in memory, {self._rules.seq} are durable"
        for key, position in core.portfolio.positions.items():
            slots = [one.slots.get(position.strategy) for one in core.broker.books.values()]
            guards = [one.guard for one in slots if one is not None and one.guard is not None]
            if position.trade_id not in {one.trade_id for one in guards}:
                yield f"SLT-1: {key} has no stop at the venue"


class ControlFolder:
    """The folder of the kill file, as somebody outside changes it."""

    def __init__(self, folder: Path, loop: VirtualLoop) -> None:
        """Look at it as the last life left it; a new portfolio's is made by the daemon."""
        self._folder = folder
        self._away = folder.with_name("away")
        self._loop = loop
        is_closed = self._away.exists() or (folder / FILE).exists()
        self.closed_s: float | None = loop.time() if is_closed else None

    def change(self, word: str, level: str) -> None:
        """Write the file, remove it, or let the folder vanish or come back."""
        folder = self._folder
        if word == "kill" and folder.is_dir():
            write_kill_file(folder, level, "drawn")
        elif word == "unkill" and folder.is_dir():
            (folder / FILE).unlink(missing_ok=True)
        elif word == "folder":
            if self._away.exists():
                self._away.rename(folder)
            elif folder.exists():
                folder.rename(self._away)
        is_open = folder.is_dir() and not (folder / FILE).exists()
        self.closed_s = None if is_open else self.closed_s or self._loop.time()


class Gated:
    """A venue that knows when nothing that adds risk may come to it any more."""

    def __init__(self, venue: Venue, world: ControlFolder, loop: VirtualLoop, note: Note) -> None:
        """Stand before ``venue``."""
        self._venue = venue
        self._world = world
        self._loop = loop
        self._note = note

    async def carry_out(self, lane: Lane, effect: Effect, at_ns: int) -> Sequence[BrokerEvent]:
        """Note an entry that comes later than the gate may take to close."""
        closed_s = self._world.closed_s
        if isinstance(effect, Submit) and effect.intent.purpose == "entry" and closed_s is not None:
            late_s = self._loop.time() - closed_s
            if late_s > GATE_S:
                self._note([f"KIL-1: an entry went out {late_s:.3f} s after the kill switch"])
        return await self._venue.carry_out(lane, effect, at_ns)

    def fills(self, lane: Lane, bar: Bar, slippage: float) -> AsyncIterator[BrokerEvent]:
        """Yield what the venue does with a bar."""
        return self._venue.fills(lane, bar, slippage)


class NoFollower:
    """Who only reads beside trading, and does it in threads and processes: nobody."""

    def __init__(self, *_: object, **__: object) -> None:
        """Follow nothing."""
        self._ending = asyncio.Event()

    def alerts(self) -> list[Alert]:
        """Return nothing."""
        return []

    def end(self) -> None:
        """Let ``run`` return."""
        self._ending.set()

    async def run(self) -> None:
        """Wait for the end."""
        await self._ending.wait()

    async def last(self, stop: asyncio.Event) -> None:
        """Do nothing."""


class BurstClock(PacedClock):
    """A paced clock whose bars sometimes come late, and then all at once."""

    faults: Faults

    async def reach(self, close_ns: int) -> None:
        """Return when the bars have come at last."""
        await super().reach(close_ns)
        if self.faults.rng.random() < self.faults.burst:
            await asyncio.sleep(self.faults.rng.random() * 3_000 / self._speed)


def live(settings: Settings, folder: Path, faults: Faults, start_s: float) -> Ended:
    """Live one life in ``folder`` and return how it ended, if it ends by itself."""
    note = Note(folder / "violations.txt")
    note(sent_before_durable(folder))
    home = folder / settings.portfolio.id
    rules = Rules(MAX_POSITIONS, MAX_PER_SYMBOL)
    for seq, entry in enumerate(entries_of(home), 1):
        note(rules.take(seq, entry))
    if faults.forgets:
        forget(folder)
    loop = VirtualLoop(faults.rng, start_s, pauses=faults.pauses)
    asyncio.set_event_loop(loop)
    _replace_the_world(loop, faults, rules, note)
    one = SimulatedDaemon(settings, folder, faults, loop, rules, note)
    if faults.dies_after_s is not None:
        loop.call_later(faults.dies_after_s, os.kill, os.getpid(), signal.SIGKILL)
    # Whoever failed has told it by its task; futures that nobody asks any more say it again.
    loop.set_exception_handler(lambda *_: None)
    failpoints.arm(faults.strike)
    try:
        ended = Ended(loop.run_until_complete(one.run()), False, loop.time())
    except FoliodError as problem:
        if not (faults.has_disk_fault and isinstance(problem, JournalError)):
            note([f"LIV-1: it ended with {type(problem).__name__}: {problem}"])
        ended = Ended(str(problem).replace(str(folder), "HERE"), True, loop.time())
    failpoints.arm(None)
    note(rules.settled())
    if not ended.is_refused:
        note(_equal_to_fold(one, home))
        note(f"REC-1: {found.check}: {found.text}" for found in verify_fold.check(home / DATABASE))
    return ended


def _replace_the_world(loop: VirtualLoop, faults: Faults, rules: Rules, note: Note) -> None:
    """Give this process the virtual time, no threads, a drawn disk and a bursting feed."""

    def durable(seq: int, entry: Entry) -> None:
        note(rules.take(seq, entry))

    BurstClock.faults = faults
    replace(daemon.live, "PacedClock", BurstClock)
    for owner, name, value in substitutes(loop, faults.latency, durable):
        replace(owner, name, value)


def substitutes(
    loop: VirtualLoop, latency: Callable[[], float], durable: Callable[[int, Entry], None]
) -> list[tuple[Any, str, object]]:
    """Return what stands in for time and threads: owner, name, and what is put there."""
    clock = VirtualClock(loop)
    return [
        (state.writer, "threading", THREADING),
        (adapters.kill_file, "threading", THREADING),
        (adapters.kill_file, "SteadyClock", lambda: clock),
        (daemon.live, "SteadyClock", lambda: clock),
        (daemon.beside, "FollowerTask", NoFollower),
        (daemon.beside, "EndOfDayTask", NoFollower),
        (daemon.trading, "Writer", TurnWriter),
        (TurnWriter, "latency", latency),
        (TurnWriter, "durable", durable),
    ]


def _equal_to_fold(one: Live, home: Path) -> Iterator[str]:
    assert one._trading is not None
    folded = Portfolio()
    for seq, entry in enumerate(entries_of(home), 1):
        apply(folded, seq, entry)
    mine, theirs = (msgspec.json.encode(each) for each in (one._trading.core.portfolio, folded))
    if mine != theirs:
        yield "REC-1: the portfolio in memory is not the fold of the journal"


def decided_again(settings: Settings, folder: Path) -> Iterator[str]:
    """REC-5: the whole journal is decided once more, entry for entry, and folded to the same state.

    Both start without a snapshot; the one that decides again is told that all of it is the past.
    """
    home = folder / settings.portfolio.id
    again = folder / "again"
    again.mkdir()
    shutil.copy(home / DATABASE, again / DATABASE)
    with sqlite3.connect(again / DATABASE) as connection:
        connection.execute("DELETE FROM snapshots")
    connection.close()
    given = override(settings, data_dir=folder)
    past = Past(again / DATABASE, None, len(entries_of(home)))
    try:
        decided = Trading(given, again, Path(), Hooks(), past=past)
        folded = Trading(given, again, Path(), Hooks())
        folded.close()
    except FoliodError as problem:
        yield f"REC-5: {problem}"
        return
    states = [json.loads(codec.encode_snapshot(one.state())) for one in (decided, folded)]
    if states[0] != states[1]:
        yield f"REC-1: folded to another state: {first_difference(states[0], states[1], 'state')}"


def digest(folder: Path) -> str:
    """Return a hash of every decision so far and of what was told of them."""
    found = hashlib.blake2b(digest_size=8)
    for one in decisions(folder):
        found.update(one)
    for path in sorted((folder / "stage" / "logs").glob("*.jsonl")):
        found.update(path.read_bytes().replace(str(folder).encode(), b"HERE"))
    return found.hexdigest()
