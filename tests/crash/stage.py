"""One life of the daemon on a scenario: what is done from outside, what it leaves, what must hold.

The daemon is the real one on a real loop with its threads. Beside it: a note of every order that
went to the venue, which a kill does not take back.
"""

from __future__ import annotations

import io
import json
import os
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import closing
from pathlib import Path

from adapters.clock import SystemClock
from adapters.kill_file import FILE, write_kill_file
from config.override import override
from config.settings import Settings
from daemon import live
from daemon.control import Request
from daemon.core.effects import Effect, Submit
from daemon.feeding import Make
from daemon.live import Live, LiveOptions
from daemon.runtime.closing import Wanted
from daemon.runtime.lane import Lane
from daemon.runtime.run_folder import DATABASE, MANIFEST
from daemon.runtime.venue import Venue
from state import codec, verify_fold
from state.bars import Bar
from state.entries import CommandTaken, Entry, Filled, IntentRecorded, RunEnded, RunStarted
from state.executions import BrokerEvent
from state.journal import read
from tests.crash.scenarios import Act, Scenario
from tests.trading import LIFE

PORTFOLIO = "stage"
SENT = "sent.txt"


class Wire:
    """A venue that notes each order before it passes it on.

    ``exits``: exits too. While a disk takes nothing, they go out before they are durable, and only
    they.
    """

    def __init__(self, venue: Venue, note: Path, *, exits: bool = True) -> None:
        """Stand before ``venue``."""
        self._venue = venue
        self._exits = exits
        self._note = os.open(note, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    async def carry_out(self, lane: Lane, effect: Effect, at_ns: int) -> Sequence[BrokerEvent]:
        """Note an order, then let the venue have it."""
        if isinstance(effect, Submit) and (self._exits or effect.intent.purpose == "entry"):
            os.write(self._note, f"{effect.intent.intent_id}\n".encode())
        return await self._venue.carry_out(lane, effect, at_ns)

    def fills(self, lane: Lane, bar: Bar, slippage: float) -> AsyncIterator[BrokerEvent]:
        """Yield what the venue does with a bar."""
        return self._venue.fills(lane, bar, slippage)


class Stage(Live):
    """The daemon, with somebody outside who acts between bars."""

    def __init__(self, settings: Settings, folder: Path, acts: Sequence[Act]) -> None:
        """Set the stage in ``folder``; what the journal has was done already."""
        self._control = folder / "control"
        self._note = folder / SENT
        options = LiveOptions(
            speed=None,
            control=self._control,
            config_text="",
            log=io.StringIO(),
            say=lambda _: None,
            wanted=Wanted(reports=False, analytics=False, parity=False),
        )
        given = override(settings, portfolio_id=None, data_dir=folder)
        super().__init__(given, options, SystemClock())
        done = {one.at_ns for one in entries_of(self.home) if isinstance(one, CommandTaken)}
        self._acts = [one for one in acts if one.at_ns not in done]

    def _bring_up(self) -> None:
        super()._bring_up()
        stepper = self._at_work.stepper
        stepper.dispatch.venue = Wire(stepper.dispatch.venue, self._note)

    async def _step(self, make: Make) -> None:
        instant = make()
        for act in self._acts:
            if act.at_ns == instant.now_ns:
                await self._act(act)
        await super()._step(lambda: instant)

    async def _act(self, act: Act) -> None:
        away = self._control.with_name("away")
        if act.word == "ask":
            await self._operator.obey(Request(act.name, act.argument, "staged"))
        elif act.word == "kill":
            write_kill_file(self._control, act.name, "staged")
        elif act.word == "unkill":
            (self._control / FILE).unlink(missing_ok=True)
        elif act.word == "vanish" and self._control.exists():
            self._control.rename(away)
        elif act.word == "reappear" and away.exists():
            away.rename(self._control)
        self._kill.look()


def forget(folder: Path) -> None:
    """Take all snapshots away, as damage or another version would."""
    path = folder / PORTFOLIO / DATABASE
    if not path.exists():
        return
    with closing(sqlite3.connect(path)) as database, database:
        if database.execute("SELECT 1 FROM sqlite_master WHERE name = 'snapshots'").fetchone():
            database.execute("DELETE FROM snapshots")


def never_look_by_itself() -> None:
    """Let the kill watcher's task rest: when it looks is real time, and acts look themselves."""
    assert hasattr(live, "_KILL_S")
    setattr(live, "_KILL_S", 3600.0)  # noqa: B010 - a Final to the type checker


def entries_of(home: Path) -> list[Entry]:
    """Return what the journal has, nothing when there is none."""
    if not (home / DATABASE).exists() or not (home / DATABASE).stat().st_size:
        return []
    return [entry for _, entry in read(home / DATABASE)]


def decisions(folder: Path) -> list[bytes]:
    """Return every decision in order, as bytes, without the folder's own name in reasons."""
    entries = entries_of(folder / PORTFOLIO)
    here = str(folder).encode()
    return [
        codec.encode(one).replace(here, b"HERE") for one in entries if not isinstance(one, LIFE)
    ]


# What must hold ---------------------------------------------------------------------------------


def sent_before_durable(folder: Path) -> Iterator[str]:
    """ORD-2: an order at the venue has an intent in the journal, whenever the process dies."""
    note = folder / SENT
    sent = note.read_text().split() if note.exists() else []
    entries = entries_of(folder / PORTFOLIO)
    known = {one.intent.intent_id for one in entries if isinstance(one, IntentRecorded)}
    for intent_id in sorted(set(sent) - known):
        yield f"ORD-2: {intent_id} was sent, the journal does not know it"


def broken(folder: Path, reference: Path, scenario: Scenario) -> Iterator[str]:
    """Say what does not hold after the last life of a trial, beside the unbroken run."""
    home = folder / PORTFOLIO
    entries = entries_of(home)
    for finding in verify_fold.check(home / DATABASE):
        yield f"REC-1: {finding.check}: {finding.text}"
    mine, theirs = decisions(folder), decisions(reference)
    if mine != theirs:
        pairs = zip(mine, theirs, strict=False)
        at = next((i for i, (one, other) in enumerate(pairs) if one != other), len(theirs))
        yield f"REC-5: decision {at} of {len(theirs)} differs ({len(mine)} in all)"
    yield from _doubled(entries)
    yield from _lives(entries)
    yield from _files(home)
    if not scenario.must(entries):
        yield "the scenario did not happen"


def _doubled(entries: Sequence[Entry]) -> Iterator[str]:
    intents = Counter(one.intent.intent_id for one in entries if isinstance(one, IntentRecorded))
    fills = Counter(one.execution_id for one in entries if isinstance(one, Filled))
    for names, what in ((intents, "intent"), (fills, "execution")):
        for name, count in names.items():
            if count > 1:
                yield f"ORD-1: {what} {name} is there {count} times"


def _lives(entries: Sequence[Entry]) -> Iterator[str]:
    running: list[str] = []
    seen: set[str] = set()
    for one in entries:
        if isinstance(one, RunStarted):
            if one.run_id in seen:
                yield f"run {one.run_id} began twice"
            seen.add(one.run_id)
            running = [one.run_id]
        elif isinstance(one, RunEnded):
            if running != [one.run_id]:
                yield f"run {one.run_id} ended, running was {running}"
            running = []
    if running:
        yield "LIV-1: the last run has no end"


def _files(home: Path) -> Iterator[str]:
    state = json.loads((home / MANIFEST).read_text())["state"]
    if state != "complete":
        yield f"the manifest says {state}"
    for path in sorted((home / "logs").glob("*.jsonl")):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            try:
                json.loads(line)
            except ValueError:
                yield f"DUR-2: {path.name}, line {number} is torn"
