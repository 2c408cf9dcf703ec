"""Proof of a recorded run: its books add up, its bars are there, its decisions come out again.

The runner behind ``foliod verify``. It re-decides by replaying the same bars with the same settings
into a temporary folder, and changes nothing in the run's own.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec

from adapters.feeds.files.blocks import content_digest
from adapters.ports import Clock
from config.fingerprint import fingerprint
from config.load import load
from config.settings import Settings
from daemon.parity import redecide
from daemon.replay import Replay, ReplayOptions, read_manifest
from daemon.reports.difference import first_difference
from daemon.runtime import trade_proof
from daemon.runtime.run_folder import DATABASE, MANIFEST, Manifest
from daemon.runtime.run_index import manifest_of
from daemon.runtime.version import VERSION
from state import codec, journal, verify_fold
from state.entries import Entry, RunEnded, RunStarted
from state.errors import FeedError, FoliodError, JournalError
from state.lock import is_held
from state.units import utc_text

CONFIG: Final = "config.toml"
REPLAY: Final = "replay"
_DAEMON: Final = (
    "a daemon's portfolio: its books are verified, and the trading day that goes on is decided"
    " again; `foliod report parity --day DATE` decides one of the last days again"
)


class Interrupted(Exception):
    """The operator asked to stop before the decisions were compared."""


class Part(msgspec.Struct, frozen=True):
    """One thing that was verified: it holds when ``findings`` is empty.

    ``name`` is ``books``, ``configuration``, ``bars``, ``inputs``, ``trades`` or ``decisions``;
    ``detail`` says what was looked at.
    """

    name: str
    detail: str
    findings: list[str]

    @property
    def ok(self) -> bool:
        """Whether it holds."""
        return not self.findings


class Proof(msgspec.Struct, frozen=True):
    """What verifying a run found. ``notes`` are worth knowing and no fault."""

    ok: bool
    run: str
    run_id: str
    state: str
    version: str
    parts: list[Part]
    notes: list[str]


class _Options(msgspec.Struct, frozen=True):
    """The options in a manifest that change a replay's result."""

    from_ns: int
    to_ns: int
    close_at_end: bool


class Progress(Protocol):
    """Shows how far the second replay is."""

    def advance(self, bars: int, now_ns: int) -> None:
        """Show that ``bars`` bars are done and the history's clock says ``now_ns``."""


class _Silent:
    def advance(self, bars: int, now_ns: int) -> None:
        """Show nothing."""


Show = Callable[[tuple[int, int]], AbstractContextManager[Progress]]
"""Begins to show progress over a span of history (first and last instant, 0: not known)."""


def _silent(_: tuple[int, int]) -> AbstractContextManager[Progress]:
    return nullcontext(_Silent())


@dataclass(frozen=True, slots=True)
class _Run:
    """A recorded run. ``end`` is its journal's last entry, number ``last``; None: no entry.

    ``held``: a process still writes it.
    """

    folder: Path
    manifest: Manifest
    held: bool
    last: int
    end: Entry | None

    @property
    def database(self) -> Path:
        """Where its journal is."""
        return self.folder / DATABASE

    @property
    def is_whole(self) -> bool:
        """Whether the journal goes to the run's own end, and not only to where it was killed."""
        return isinstance(self.end, RunEnded)


async def verify(folder: Path, clock: Clock, *, decide: bool = True, show: Show = _silent) -> Proof:
    """Verify the run in ``folder``; without ``decide``, do not replay it.

    Raises:
        FeedError: the folder is no run's.
        FoliodError: the second replay cannot be written.
        Interrupted: SIGINT or SIGTERM came during the second replay.
    """
    read_manifest(folder)
    held = is_held(folder)
    manifest = manifest_of(folder)
    books = _books(folder, manifest)
    try:
        last = journal.last_seq(folder / DATABASE)
        run = _Run(folder, manifest, held, last, _last_entry(folder / DATABASE, last))
    except JournalError as problem:
        return _proof(folder, manifest, [_with(books, str(problem))], [])
    settings, configuration = _configuration(run)
    parts = [_with(books, *_ending(run)), configuration]
    if manifest.mode != REPLAY:
        parts.append(_trades(run))
        if decide and settings is not None:
            parts.append(await _day(run, settings))
        return _proof(folder, manifest, parts, [*_notes(run), _DAEMON])
    parts += [_bars(manifest), *_inputs(manifest), _trades(run)]
    if decide:
        parts.append(await _decisions(run, settings, parts, clock, show))
    return _proof(folder, manifest, parts, _notes(run))


def _proof(folder: Path, manifest: Manifest, parts: list[Part], notes: list[str]) -> Proof:
    return Proof(
        all(part.ok for part in parts),
        folder.resolve().name,
        manifest.run_id,
        manifest.state,
        manifest.version,
        parts,
        notes,
    )


def _with(part: Part, *findings: str) -> Part:
    """Return the part with what is not said in it yet."""
    more = [one for one in findings if one not in part.findings]
    return msgspec.structs.replace(part, findings=part.findings + more)


def _last_entry(database: Path, last: int) -> Entry | None:
    try:
        return next((entry for _, entry in journal.read(database, last - 1)), None)
    except JournalError:
        return None


def _notes(run: _Run) -> list[str]:
    manifest, found = run.manifest, []
    if manifest.version != VERSION:
        found.append(
            f"foliod {manifest.version} made the run, this is {VERSION}: another version may decide"
            " otherwise; to compare like with like, verify with the version that made it"
        )
    reached = f"its journal ends at entry {run.last}"
    if run.end is not None:
        reached += f", {utc_text(run.end.at_ns)}"
    if run.held:
        found.append(f"the run still goes on: {reached}, and is verified up to there")
    elif not run.is_whole:
        found.append(f"the run is {manifest.state}: {reached}, and is verified up to there")
    elif isinstance(run.end, RunEnded) and run.end.reason == "INTERRUPTED":
        found.append(f"the run was interrupted: {reached}, and is verified up to there")
    return found


# The parts ----------------------------------------------------------------------------------------


def _books(folder: Path, manifest: Manifest) -> Part:
    """Check the database: chain, fold, snapshot, tables."""
    try:
        found = [f"{one.check}: {one.text}" for one in verify_fold.check(folder / DATABASE)]
    except JournalError as problem:
        found = [str(problem)]
    return Part("books", "chain, fold, snapshot and tables of the database", found)


def _ending(run: _Run) -> list[str]:
    """Say when the manifest promises an end that the journal does not have."""
    if run.manifest.state != "complete" or run.is_whole:
        return []
    return [
        f"{MANIFEST} says that the run is complete, but its journal ends at entry {run.last},"
        " without RunEnded: its end is gone"
    ]


def _configuration(run: _Run) -> tuple[Settings | None, Part]:
    """Read the settings of the run folder and hold them to the manifest's hash."""
    path, manifest = run.folder / CONFIG, run.manifest
    detail = f"{CONFIG} has the hash of the run"
    try:
        settings = load([path], {})
    except FoliodError as problem:
        return None, Part("configuration", detail, str(problem).splitlines())
    found, findings = fingerprint(settings), []
    if found != manifest.config_hash and manifest.version == VERSION:
        findings.append(
            f"{path} gives the hash {found}, the run's is {manifest.config_hash}: the file or"
            f" {MANIFEST} was changed"
        )
    return settings, Part("configuration", detail, findings)


def _bars(manifest: Manifest) -> Part:
    """Hold every bar file of the run to its digest."""
    notes = [(note.symbol, note.path, note.digest) for note in manifest.bars]
    return _files("bars", "bar", notes)


def _inputs(manifest: Manifest) -> list[Part]:
    """Hold the other input files of the run to their digests; no part where there were none."""
    notes = [(note.kind, note.path, note.digest) for note in manifest.inputs]
    return [_files("inputs", "other input", notes)] if notes else []


def _files(part: str, what: str, notes: list[tuple[str, str, str]]) -> Part:
    """Hold files, each (name, path, digest of then), to their digests."""
    findings = []
    for name, text, digest in notes:
        path = Path(text)
        try:
            found = content_digest(path)
        except FeedError as problem:
            findings.append(f"{problem}" if path.exists() else f"{name}: {path} is missing")
            continue
        if found != digest:
            findings.append(
                f"{name}: {path} was changed since the run: its digest is {found[:16]}...,"
                f" it was {digest[:16]}..."
            )
    count = len(notes)
    return Part(part, f"{count} {what} file{'s' * (count != 1)} with the digest of then", findings)


def _trades(run: _Run) -> Part:
    """Hold trades.csv to the journal."""
    try:
        found = trade_proof.compare(run.folder, whole=run.is_whole and not run.held)
    except FoliodError as problem:
        return Part("trades", "trades.csv", [f"cannot be compared: {problem}"])
    detail = f"{found.rows} rows of trades.csv are the journal's closed trades"
    if found.lacking:
        detail += f"; the last {found.lacking} had not been written when the run ended"
    return Part("trades", detail, found.findings)


async def _day(run: _Run, settings: Settings) -> Part:
    """Decide the trading day that goes on again, from the newest snapshot before it."""
    try:
        found = await redecide(run.folder, settings)
    except FoliodError as problem:
        return _undecided(*str(problem).splitlines())
    detail = f"{found.entries} entries from {found.since} on re-decided byte for byte"
    if found.left_out:
        detail += f"; left out: {found.left_out}"
    findings = [one for one in (found.divergence, found.problem) if one]
    return Part("decisions", detail, findings)


# The decisions ------------------------------------------------------------------------------------


async def _decisions(
    run: _Run, settings: Settings | None, parts: list[Part], clock: Clock, show: Show
) -> Part:
    """Decide again, in a temporary folder, and compare the journals."""
    if settings is None:
        return _undecided("its configuration cannot be read")
    with tempfile.TemporaryDirectory(prefix="foliod-verify-") as folder:
        try:
            again = _Again(run, settings, Path(folder) / "run", clock)
        except FoliodError as problem:
            return _undecided(*str(problem).splitlines())
        try:
            await again.run(show)
        except JournalError:
            raise
        except FoliodError as problem:
            return _undecided(*str(problem).splitlines())
        findings = again.identity(parts)
        try:
            same, text = again.compare()
        except JournalError as problem:
            return Part("decisions", "the journal cannot be read to its end", [str(problem)])
    if text:
        agree = f"the first {same} of {run.last} entries are re-decided byte for byte"
        return Part("decisions", agree, [*findings, text])
    return Part("decisions", f"{same} entries re-decided byte for byte", findings)


def _undecided(*reasons: str) -> Part:
    return Part("decisions", "nothing re-decided", [f"cannot be re-decided: {r}" for r in reasons])


class _Again:
    """The second replay of a run."""

    def __init__(self, run: _Run, settings: Settings, folder: Path, clock: Clock) -> None:
        """Open the same bars with the same settings and options.

        Raises:
            FoliodError: a file, a strategy or the options cannot be used.
        """
        self._run = run
        self._until_ns = run.end.at_ns if run.end is not None else 0
        self._is_enough = False
        self._folder = folder
        given = _options(run.manifest.options)
        options = ReplayOptions(
            from_ns=given.from_ns,
            to_ns=given.to_ns,
            close_at_end=given.close_at_end,
            run_dir=folder,
            command="foliod verify",
            strategies_folder=run.folder,
        )
        self._replay = Replay(settings, options, clock)

    async def run(self, show: Show) -> None:
        """Replay up to where the recorded run ended.

        Raises:
            FoliodError: the replay fails.
            Interrupted: the operator asked to stop.
        """
        replay = self._replay
        with show(replay.span()) as progress:

            def tell(bars: int, now_ns: int) -> None:
                progress.advance(bars, now_ns)
                if self._stops_early and now_ns >= self._until_ns:
                    self._is_enough = True
                    replay.stop()

            replay.options = replace(replay.options, progress=tell)
            result = await replay.run()
        if result.reason == "INTERRUPTED" and not self._is_enough:
            raise Interrupted

    @property
    def _stops_early(self) -> bool:
        """Whether the recorded run ended before its history did."""
        end = self._run.end
        return not isinstance(end, RunEnded) or end.reason == "INTERRUPTED"

    def identity(self, parts: list[Part]) -> list[str]:
        """Say when the run's id is not the one that the very same inputs make."""
        manifest = self._run.manifest
        inputs = all(part.ok for part in parts if part.name in ("configuration", "bars", "inputs"))
        if not inputs or manifest.version != VERSION or self._replay.run_id == manifest.run_id:
            return []
        return [
            f"{MANIFEST} has the run id {manifest.run_id}, its configuration, bars, version and"
            f" options make {self._replay.run_id}: one of them was changed in it"
        ]

    def compare(self) -> tuple[int, str]:
        """Return how many entries agree, and the first difference in words, empty for none.

        Raises:
            JournalError: a journal cannot be read.
        """
        kept: Iterator[tuple[int, bytes]] = islice(
            journal.read_payloads(self._run.database), self._run.last
        )
        again = journal.read_payloads(self._folder / DATABASE)
        return first_difference(kept, again, whole=self._run.is_whole, adapted=self._adapted)

    def _adapted(self, payload: bytes) -> bytes:
        """Write the recorded identity into the two entries that carry it.

        It follows from the bars' digests and the version. Where those differ that is said by
        itself, and the first difference is to be one of decisions.
        """
        manifest, entry = self._run.manifest, codec.decode(payload)
        if isinstance(entry, RunStarted):
            return codec.encode(
                msgspec.structs.replace(
                    entry,
                    run_id=manifest.run_id,
                    version=manifest.version,
                    config_hash=manifest.config_hash,
                )
            )
        if isinstance(entry, RunEnded):
            return codec.encode(msgspec.structs.replace(entry, run_id=manifest.run_id))
        return payload


def _options(given: dict[str, Any]) -> _Options:
    try:
        return msgspec.convert(given, _Options)
    except msgspec.ValidationError as problem:
        raise FeedError(f"{MANIFEST}: options: {problem}") from problem
