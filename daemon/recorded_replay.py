"""A daemon's recording replayed: its bars and commands through a fresh portfolio, held to its own.

The runner behind ``foliod replay RUN`` for the folder of a daemon on a live feed. The result is a
run folder with a copy of the recording and a journal of its own; the first entry that differs from
the daemon's is named. The daemon's folder is only read, so it may be at work.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from adapters.ports import Clock
from config.fingerprint import fingerprint
from config.load import load
from config.settings import Settings
from daemon.core.commands import Command
from daemon.feed_wiring import series_keys
from daemon.reports.difference import first_difference
from daemon.runtime.follower import JournalFollower
from daemon.runtime.recorded import FOLDER, RecordedBars
from daemon.runtime.recovery import BLOCKED_CODE, KILL_CODE, LIFE
from daemon.runtime.run_folder import (
    DATABASE,
    Manifest,
    RunFolder,
    free_name,
    run_stem,
    write_atomically,
)
from daemon.runtime.run_index import RUNS
from daemon.runtime.version import VERSION
from daemon.trading import END_OF_HISTORY, MODE, Hooks, Trading
from state import codec
from state.entries import CommandTaken, OrderChanged, RunStarted
from state.errors import ConfigError, FeedError, JournalError
from state.journal import read, read_payloads
from state.orders import OrderEvent
from state.queries import open_book
from state.units import utc_text

CONFIG: Final = "config.toml"


class Replayed(msgspec.Struct, frozen=True):
    """What replaying a recording showed: ``same`` entries came out again, then ``difference``.

    ``difference`` is empty where all did. ``bars`` were stepped, warm-up left out.
    """

    ok: bool
    folder: str
    bars: int
    same: int
    until: str
    difference: str


class _Script(msgspec.Struct):
    """What the daemon's journal says of its inputs: beginning, end, commands, orders not sent."""

    begin_ns: int
    end_ns: int
    commands: list[Command]
    not_sent: dict[str, str]


def is_recorded(folder: Path) -> bool:
    """Whether a folder is of a daemon that recorded its bars."""
    return (folder / FOLDER).is_dir() and (folder / DATABASE).exists()


async def replay_recording(
    home: Path, run_dir: Path | None, clock: Clock, progress: Callable[[int, int], None]
) -> Replayed:
    """Replay the recording in ``home`` into ``run_dir``, None: a new folder below its ``runs``.

    Raises:
        FoliodError: recording, journal, settings or the new folder cannot be used.
    """
    settings = load([home / CONFIG], {})
    config_hash = fingerprint(settings)
    script = _script(home, config_hash)
    runs = home.parent / RUNS
    folder = run_dir or free_name(runs, run_stem(clock.now_ns(), f"recorded-{home.name}"))
    run = RunFolder(folder, "foliod replay", clock.now_ns())
    manifest = Manifest(
        "", settings.portfolio.id, MODE, VERSION, config_hash, "running",
        utc_text(clock.now_ns()), [],
    )  # fmt: skip
    try:
        run.write_manifest(manifest)
        write_atomically(run.folder / CONFIG, (home / CONFIG).read_bytes())
        _copy(home / FOLDER, run.folder / FOLDER)
        bars = await _decide(settings, run.folder, script, manifest, progress)
        same, difference = first_difference(
            _decisions(home / DATABASE), _decisions(run.database), whole=False
        )
        manifest.state, manifest.reason = "complete", END_OF_HISTORY
    except BaseException as problem:
        manifest.state, manifest.reason = "failed", str(problem) or type(problem).__name__
        raise
    finally:
        manifest.ended = utc_text(clock.now_ns())
        run.write_manifest(manifest)
        run.close()
    until = utc_text(script.end_ns)
    return Replayed(not difference, str(run.folder), bars, same, until, difference)


def _copy(recording: Path, to: Path) -> None:
    try:
        shutil.copytree(recording, to)
    except (OSError, shutil.Error) as problem:
        raise JournalError(f"{recording} cannot be copied to {to}: {problem}") from problem


def _script(home: Path, config_hash: str) -> _Script:
    """Read the inputs of a daemon's decisions that are in its journal and nowhere else."""
    script: _Script | None = None
    for _, entry in read(home / DATABASE):
        if script is None:
            script = _Script(entry.at_ns, entry.at_ns, [], {})
        script.end_ns = max(script.end_ns, entry.at_ns)
        if isinstance(entry, RunStarted) and entry.config_hash != config_hash:
            raise ConfigError(
                f"{home}: from {utc_text(entry.at_ns)} on it was decided under another"
                f" configuration ({entry.config_hash[:12]}) than {CONFIG} there is"
                f" ({config_hash[:12]}), so it cannot be replayed as a whole;"
                " `foliod report parity --day DATE` decides a day of it again"
            )
        if isinstance(entry, CommandTaken):
            script.commands.append(Command(entry.at_ns, entry.name, entry.argument, entry.reason))
        elif isinstance(entry, OrderChanged) and _was_not_sent(entry):
            script.not_sent[entry.intent_id] = entry.code
    if script is None:
        raise FeedError(f"{home}: the journal is empty; nothing to replay")
    return script


def _was_not_sent(entry: OrderChanged) -> bool:
    return entry.event == OrderEvent.REJECT and entry.code in (KILL_CODE, BLOCKED_CODE)


async def _decide(
    settings: Settings,
    folder: Path,
    script: _Script,
    manifest: Manifest,
    progress: Callable[[int, int], None],
) -> int:
    """Decide everything once more, into the database in ``folder``; return the bars stepped."""
    source = RecordedBars(folder / FOLDER, series_keys(settings), 0)
    hooks = Hooks(refuse=lambda intent: script.not_sent.get(intent.intent_id))
    trading = Trading(settings, folder, folder, hooks, source=source, begin_ns=script.begin_ns)
    try:
        await trading.begin_run()
        manifest.run_id = trading.run_id
        for command in script.commands:
            trading.stepper.give(command)
        for instant in trading.rest():
            await trading.step(instant)
            progress(trading.bars, trading.now_ns)
        # What the daemon decided after its last bar: commands, alarms, days that rolled.
        await trading.stepper.advance(max(script.end_ns, trading.at_ns) + 1)
        await trading.end_run(END_OF_HISTORY)
        manifest.first, manifest.last = utc_text(script.begin_ns), utc_text(trading.now_ns)
    finally:
        trading.close()
    names = [(one.symbol, one.name) for one in trading.core.engines]
    await _write_files(folder, settings.portfolio.id, names)
    return trading.bars


async def _at_once() -> None:
    """Nothing else waits for its turn here."""


async def _write_files(folder: Path, portfolio_id: str, engines: list[tuple[str, str]]) -> None:
    """Write trades.csv, events and equity from the database, as a daemon does."""
    follower = JournalFollower(folder, portfolio_id, engines, _at_once)
    try:
        async with open_book(folder / DATABASE) as book:
            await follower.follow(book)
        problems = [one.what for one in follower.alert_list()]
        if problems:
            raise JournalError("; ".join(problems))
    finally:
        follower.close()


def _decisions(database: Path) -> Iterator[tuple[int, bytes]]:
    """Yield what the core decided, without what tells of processes."""
    for seq, payload in read_payloads(database, 0):
        if codec.head(payload).type not in LIFE:
            yield seq, payload
