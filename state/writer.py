"""The one writing connection of a portfolio's database: a thread, whole transactions, group commit.

A transaction is one function: whatever arrived while the last one was committing goes into the
next. Entries are numbered, encoded, chained and projected inside it, so the journal and the query
tables never disagree. A future answers only after the commit; nothing else is an acknowledgement.
After the first failure nothing more is taken: the process stops and recovers from what is there.
With ``retry`` a full disk and an IO error are no such failure: the transaction is rolled back and
written again, the same rows in the same order, until the disk takes it; what was submitted waits.

How durable. With ``FULL`` (live) the disk has confirmed before a caller hears of it. With
``NORMAL`` (replay) it confirms at checkpoints and on ``close``: kill -9 loses nothing that was
acknowledged, a power cut loses the tail since the last checkpoint, and neither leaves a damaged
database. A replay that a power cut ended is run again anyway, and it saves a wait for the disk on
every simulated day. ``OFF`` would gain next to nothing over that, and a power cut could then
damage the database of a finished run.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Self

from state import codec, failpoints, projector, soundness
from state.entries import Entry
from state.errors import FoliodError, JournalError
from state.journal import read
from state.migrate import Synchronous, open_for_writing
from state.projector import Projector

Written = Future[int]
"""A write on its way: done when it is durable, with the number of its last entry."""

SNAPSHOTS_KEPT: Final = 8
"""Older snapshots are dropped: they are caches of the fold. There is one for each trading day and
for each start and orderly end, and a day is proven from one before it (``daemon.parity``)."""

_PROJECTOR_KEY: Final = "projector"
_TRANSACTION_ENTRIES: Final = 20_000
_IDLE_COMMITS: Final = 256
_RECOVERY_ROWS: Final = 1024
_FIRST_PAUSE_S: Final = 0.05
_LONGEST_PAUSE_S: Final = 2.0
"""Between two attempts on a disk that takes nothing: doubled each time, up to this."""

_JOURNAL: Final = "INSERT INTO journal VALUES (?,?,?,?,?)"
_SNAPSHOT: Final = "REPLACE INTO snapshots VALUES (?,?,?,?)"
_PRUNE: Final = (
    "DELETE FROM snapshots WHERE seq NOT IN (SELECT seq FROM snapshots ORDER BY seq DESC LIMIT ?)"
)
_META: Final = "REPLACE INTO meta VALUES (?,?)"


class Blocked(NamedTuple):
    """A disk that takes nothing for now: the ``problem`` and its remedy in words, how many
    ``attempts`` failed, and how long was waited between them, in seconds.
    """

    problem: str
    attempts: int
    waited_s: float


class _Job:
    """What one caller wants in one transaction. ``seq`` is the last entry after it."""

    __slots__ = ("entries", "future", "meta", "seq", "snapshot")

    def __init__(
        self,
        entries: Sequence[Entry] = (),
        *,
        snapshot: tuple[int, int, bytes, str] | None = None,
        meta: tuple[str, str] | None = None,
    ) -> None:
        self.entries = entries
        self.snapshot = snapshot
        self.meta = meta
        self.seq = 0
        self.future: Future[int] = Future()
        # From now on a cancel is refused: a caller who stops waiting does not undo the write.
        self.future.set_running_or_notify_cancel()


class _Transaction(NamedTuple):
    """One transaction, encoded, chained and folded: it can be written as often as it takes."""

    jobs: list[_Job]
    rows: list[tuple[int, int, str, bytes, bytes]]
    changes: projector.Batch
    seq: int
    link: bytes


class Writer:
    """The writer of one database. Construct it, submit, close it; hold the folder's lock.

    Every method may be called from any thread. ``seq`` is the number of the last durable entry,
    ``retry`` whether a full disk and an IO error are waited out, ``inputs`` what puts on the disk
    what entries were decided from (both may be set; the writer's thread calls it before each
    transaction, and an OSError of it is one of the disk), ``blocked`` what holds the disk up (None:
    nothing), ``steps`` how many transactions were tried, ``is_idle`` whether nothing waits.
    """

    def __init__(
        self,
        path: Path,
        synchronous: Synchronous,
        *,
        inbox_entries: int = 65_536,
        patience_s: float = 10.0,
        retry: bool = False,
        on_blocked: Callable[[str], None] = lambda _: None,
        on_unblocked: Callable[[], None] = lambda: None,
    ) -> None:
        """Open or create the database, recover the fold and start the thread.

        ``inbox_entries`` may wait before ``submit`` waits too; ``patience_s`` is how long it and
        ``close`` wait for the disk before they give up. ``retry``: a full disk and an IO error are
        waited out, until ``close``. ``on_blocked`` is called with the problem when such a wait
        begins, ``on_unblocked`` when it is over, by the writer's thread: both only take note.

        Raises:
            DamagedError: the database is damaged; it says how to restore it.
            JournalError: the database cannot be opened for writing, or its journal read.
            LedgerError: the journal contradicts itself.
        """
        self.path = path
        self._inbox_entries = inbox_entries
        self._patience_s = patience_s
        is_unclean = _has_log(path)
        self._connection = open_for_writing(path, synchronous)
        try:
            soundness.check(self._connection, path, is_unclean=is_unclean)
            self.seq, self._link = self._last()
            self._projector = self._recover()
        except sqlite3.Error as problem:
            self._connection.close()
            raise soundness.unreadable(path, problem, doing="cannot be read") from problem
        except BaseException:
            self._connection.close()
            raise
        self.retry = retry
        self.inputs: Callable[[], None] = _nothing
        self._on_blocked, self._on_unblocked = on_blocked, on_unblocked
        self.blocked: Blocked | None = None
        self.steps = 0
        self._commits = 0
        self._in_hand = 0
        self._inbox: deque[_Job] = deque()
        self._waiting = 0
        self._is_closing = False
        self._failure: FoliodError | None = None
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="journal-writer", daemon=True)
        self._thread.start()

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits for the disk."""
        return not self._inbox and not self._in_hand

    def submit(self, batch: Sequence[Entry]) -> Future[int]:
        """Write the entries in one transaction; the future holds the number of the last of them.

        An empty batch is durable when everything submitted before it is. The caller must not
        change ``batch`` afterwards. A caller who is cancelled while it waits knows nothing about
        its write, and one whose future failed neither: both re-read.

        Raises:
            JournalError: the writer failed or was closed, or the disk takes nothing any more.
                The future raises it when the write itself fails (LedgerError when an entry
                contradicts the journal).
        """
        return self._put(_Job(batch))

    def snapshot(self, seq: int, at_ns: int, payload: bytes) -> Future[int]:
        """Keep the state after entry ``seq``, which must have been submitted before.

        Raises:
            JournalError: as ``submit``.
        """
        return self._put(_Job(snapshot=(seq, at_ns, payload, codec.digest(payload))))

    def meta(self, key: str, value: str) -> Future[int]:
        """Set a word about the database itself.

        Raises:
            JournalError: as ``submit``, or the key is the store's own.
        """
        if key == _PROJECTOR_KEY:
            raise JournalError(f"the key {key!r} is the store's own")
        return self._put(_Job(meta=(key, value)))

    def close(self) -> None:
        """Write what was submitted, leave one clean file and end the thread. Again: nothing.

        Raises:
            JournalError: the writer had failed (LedgerError likewise), or the disk does not
                answer; then what was not acknowledged is unknown until it is re-read.
        """
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()
        self._thread.join(self._patience_s)
        if self._thread.is_alive():
            raise JournalError(
                f"{self.path}: the disk has not answered for {self._patience_s:g} s; entries after"
                f" {self.seq} are not acknowledged. Check the disk, then start again"
            )
        if self._failure is not None:
            raise _copy(self._failure)

    def __enter__(self) -> Self:
        """Return the writer."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close; when an error is on its way already, that one is told, not the writer's."""
        try:
            self.close()
        except FoliodError:
            if error is None:
                raise

    def _put(self, job: _Job) -> Future[int]:
        with self._changed:
            has_room = self._changed.wait_for(self._has_room, self._patience_s)
            if self._failure is not None:
                raise _copy(self._failure)
            if self._is_closing:
                raise JournalError(f"{self.path}: the writer is closed, it takes nothing more")
            if not has_room:
                raise JournalError(
                    f"{self.path}: {self._waiting} entries have waited for the disk for"
                    f" {self._patience_s:g} s (limit {self._inbox_entries}); check the disk"
                )
            self._inbox.append(job)
            self._waiting += len(job.entries)
            self._changed.notify_all()
        return job.future

    def _has_room(self) -> bool:
        return self._waiting < self._inbox_entries or self._is_closing or self._failure is not None

    def _run(self) -> None:
        jobs: list[_Job] = []
        try:
            while jobs := self._take():
                self._commit(self._prepared(jobs))
                self._in_hand = 0
                for job in jobs:
                    job.future.set_result(job.seq)
                jobs = []
                failpoints.hit("writer.acknowledged")
                self._checkpoint_when_idle()
            self._finish()
        except BaseException as problem:
            self._fail(jobs, problem)
        finally:
            self._connection.close()

    def _take(self) -> list[_Job]:
        """Wait for work and return all of it, up to a transaction's limit; empty: closed."""
        jobs: list[_Job] = []
        entries = 0
        with self._changed:
            while not self._inbox and not self._is_closing:
                self._changed.wait()
            while self._inbox and entries < _TRANSACTION_ENTRIES:
                jobs.append(self._inbox.popleft())
                entries += len(jobs[-1].entries)
            self._waiting -= entries
            self._in_hand = len(jobs)
            self._changed.notify_all()
        return jobs

    def _prepared(self, jobs: list[_Job]) -> _Transaction:
        """Number, encode, chain and fold; nothing is written."""
        seq, link = self.seq, self._link
        rows = []
        encode, chain, fold = codec.encode, codec.chain, self._projector.fold
        for job in jobs:
            for entry in job.entries:
                seq += 1
                payload = encode(entry)
                link = chain(link, payload)
                fold(seq, entry)
                rows.append((seq, entry.at_ns, codec.kind(entry), payload, link))
            job.seq = seq
        return _Transaction(jobs, rows, self._projector.take(), seq, link)

    def _commit(self, transaction: _Transaction) -> None:
        """Write it; where that was asked for, as often as it takes."""
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                self._write(transaction)
                break
            except (sqlite3.Error, OSError) as problem:
                if not self.retry or not soundness.may_pass(problem):
                    raise
                self._roll_back()
                self._block(problem, pause_s)
            finally:
                self.steps += 1
            with self._changed:
                if self._changed.wait_for(lambda: self._is_closing, pause_s):
                    self.retry = False  # one last attempt
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
        if self.blocked is not None:
            self.blocked = None
            self._on_unblocked()

    def _block(self, problem: sqlite3.Error | OSError, pause_s: float) -> None:
        """Say what holds the disk up, once for each time that it does."""
        before, name = self.blocked, soundness.name_of(problem)
        text = (
            f"{self._what(problem)} cannot be written for now: {problem} ({name})."
            f" {self._remedy(name)}. Nothing is"
            f" lost: entries up to {self.seq} are safe, later ones wait and are tried again"
        )
        attempts, waited_s = (before.attempts, before.waited_s) if before else (0, 0.0)
        self.blocked = Blocked(text, attempts + 1, waited_s + pause_s)
        if before is None:
            self._on_blocked(text)

    def _write(self, transaction: _Transaction) -> None:
        execute = self._connection.execute
        failpoints.hit("writer.taken")
        self.inputs()
        execute("BEGIN IMMEDIATE")
        failpoints.hit("writer.begun")
        self._connection.executemany(_JOURNAL, transaction.rows)
        failpoints.hit("writer.inserted")
        projector.write(self._connection, transaction.changes)
        for job in transaction.jobs:
            self._write_extras(job)
        failpoints.hit("writer.projected")
        execute("COMMIT")
        failpoints.hit("writer.committed")
        self.seq, self._link = transaction.seq, transaction.link
        self._commits += 1

    def _write_extras(self, job: _Job) -> None:
        if job.meta is not None:
            self._connection.execute(_META, job.meta)
        if job.snapshot is None:
            return
        if not 0 < job.snapshot[0] <= job.seq:
            raise JournalError(
                f"a snapshot after entry {job.snapshot[0]} was given, the journal ends at {job.seq}"
            )
        self._connection.execute(_SNAPSHOT, job.snapshot)
        self._connection.execute(_PRUNE, (SNAPSHOTS_KEPT,))
        self._save_fold()

    def _save_fold(self) -> None:
        state = self._projector.state()
        text = f"{codec.digest(state)} {state.decode()}"
        self._connection.execute(_META, (_PROJECTOR_KEY, text))
        self._saved_seq = self._projector.seq

    def _checkpoint_when_idle(self) -> None:
        """Move the log into the database while nobody waits; SQLite does it at its limit else."""
        if self._commits < _IDLE_COMMITS or self._inbox:
            return
        self._commits = 0
        try:
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        except sqlite3.Error as problem:
            # The log keeps what could not be moved; a later checkpoint moves it.
            if not self.retry or not soundness.may_pass(problem):
                raise

    def _finish(self) -> None:
        self._connection.execute("PRAGMA synchronous=FULL")
        if self._saved_seq != self._projector.seq:
            self._save_fold()
        failpoints.hit("writer.finishing")
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()

    def _fail(self, jobs: list[_Job], problem: BaseException) -> None:
        self._roll_back()
        failure = self._explained(problem)
        with self._changed:
            self._failure = failure
            waiting = [*jobs, *self._inbox]
            self._inbox.clear()
            self._waiting = self._in_hand = 0
            self._changed.notify_all()
        for job in waiting:
            job.future.set_exception(_copy(failure))

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            # A failed rollback changes nothing: what has no commit is gone at the next opening.
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")

    def _explained(self, problem: BaseException) -> FoliodError:
        tail = (
            f"Entries up to {self.seq} are safe; nothing after them is acknowledged or written."
            " Then start again"
        )
        if isinstance(problem, FoliodError):
            return type(problem)(f"{problem}. {tail}")
        name = soundness.name_of(problem)
        return JournalError(
            f"{self._what(problem)} cannot be written: {problem} ({name})."
            f" {self._remedy(name)}. {tail}"
        )

    def _what(self, problem: BaseException) -> str:
        if isinstance(problem, OSError):
            return f"the bars that entries of {self.path} were decided from"
        return f"the journal {self.path}"

    def _remedy(self, name: str) -> str:
        if name in ("SQLITE_FULL", "ENOSPC"):
            return f"Free space on the disk that holds {self.path.parent}"
        if name == "EIO" or name.startswith("SQLITE_IOERR"):
            return "Check the disk, the kernel's log and the limits on file size"
        if name == "SQLITE_BUSY":
            return "Find the other process that writes to it, there must be none"
        if name.startswith("E"):
            return "Check that its folder is there, and may be written to"
        return "Run `foliod verify`"

    def _last(self) -> tuple[int, bytes]:
        row = self._connection.execute(
            "SELECT seq, chain FROM journal ORDER BY seq DESC LIMIT 1"
        ).fetchone()
        return row or (0, codec.GENESIS)

    def _recover(self) -> Projector:
        """Return the projector as of the last entry: what was saved, and the entries since."""
        fold = self._saved_fold()
        self._saved_seq = fold.seq
        for seq, entry in read(self.path, fold.seq):
            fold.fold(seq, entry)
            if seq % _RECOVERY_ROWS == 0:
                fold.take()
        fold.take()
        return fold

    def _saved_fold(self) -> Projector:
        row = self._connection.execute(
            "SELECT CAST(value AS BLOB) FROM meta WHERE key = ?", (_PROJECTOR_KEY,)
        ).fetchone()
        digest, _, state = (row[0] if row else b"").partition(b" ")
        try:
            if codec.digest(state).encode() == digest:
                return Projector(state)
        except JournalError:
            pass  # it is a cache, and of another version
        return Projector()  # the journal has it all


def _has_log(path: Path) -> bool:
    """Whether the last process left its write-ahead log behind: it did not end in order."""
    try:
        return path.with_name(path.name + "-wal").stat().st_size > 0
    except OSError:
        return False


def _nothing() -> None:
    """Put nothing on the disk: entries were decided from what is there already."""


def _copy(error: FoliodError) -> FoliodError:
    """Return an error of its own for every caller, so that their tracebacks do not mix."""
    return type(error)(str(error))
