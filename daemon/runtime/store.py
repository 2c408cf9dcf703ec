"""Where a portfolio at work has its journal: a database to go on with, or a part of one to redo.

The second kind is read only: what is decided beyond the part is thrown away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Protocol

from state.codec import Snapshot
from state.entries import Entry
from state.journal import read_payloads, read_snapshots
from state.writer import Writer, Written


class Recorder(Protocol):
    """What makes entries durable."""

    @property
    def seq(self) -> int:
        """Return the number of the last durable entry."""

    @property
    def steps(self) -> int:
        """Return how many transactions were tried."""

    @property
    def is_idle(self) -> bool:
        """Return whether nothing waits to be written."""

    def submit(self, entries: Sequence[Entry]) -> Written:
        """Take entries that belong together."""

    def snapshot(self, seq: int, at_ns: int, payload: bytes) -> Written:
        """Take a snapshot of the state after an entry."""

    def close(self) -> None:
        """End."""


class Store(Protocol):
    """Snapshots, newest first, the entries after one of them, and where new ones go."""

    writer: Recorder

    def snapshots(self) -> list[tuple[int, Snapshot]]:
        """Return (seq, snapshot) of each."""

    def tail(self, after: int) -> Iterator[tuple[int, bytes]]:
        """Yield (seq, payload) of the entries after number ``after``."""

    def wait_out(self) -> None:
        """From now on wait a full disk out instead of failing."""


class Database:
    """The database of a daemon, to go on with."""

    def __init__(
        self,
        path: Path,
        on_blocked: Callable[[str], None] = lambda _: None,
        on_unblocked: Callable[[], None] = lambda: None,
    ) -> None:
        """Open it for writing; the caller holds the folder's lock.

        The two are told by the writer's thread when the disk takes nothing, and again does.

        Raises:
            FoliodError: it cannot be used.
        """
        self._path = path
        self._writer = Writer(path, "FULL", on_blocked=on_blocked, on_unblocked=on_unblocked)
        self.writer: Recorder = self._writer

    def snapshots(self) -> list[tuple[int, Snapshot]]:
        """Return every snapshot that is whole."""
        return read_snapshots(self._path)

    def tail(self, after: int) -> Iterator[tuple[int, bytes]]:
        """Yield every entry after number ``after``."""
        return read_payloads(self._path, after)

    def wait_out(self) -> None:
        """From now on wait a full disk out instead of failing."""
        self._writer.retry = True


class Past:
    """The entries of a database from a snapshot (None: the beginning) up to number ``until``."""

    def __init__(self, path: Path, kept: tuple[int, Snapshot] | None, until: int) -> None:
        """Read that part; nothing is written, whoever holds the folder."""
        self._path = path
        self._kept = kept
        self._until = until
        self.writer: Recorder = _Nowhere(until)

    def snapshots(self) -> list[tuple[int, Snapshot]]:
        """Return the one snapshot."""
        return [self._kept] if self._kept is not None else []

    def tail(self, after: int) -> Iterator[tuple[int, bytes]]:
        """Yield the entries after number ``after`` that belong to the part."""
        return takewhile(lambda one: one[0] <= self._until, read_payloads(self._path, after))

    def wait_out(self) -> None:
        """Nothing is written, so nothing is to wait for."""


class _Nowhere:
    """Takes everything and keeps nothing."""

    def __init__(self, seq: int) -> None:
        self.seq = seq
        self.steps = 0
        self.is_idle = True

    def submit(self, entries: Sequence[Entry]) -> Written:
        return self._done(len(entries))

    def snapshot(self, seq: int, at_ns: int, payload: bytes) -> Written:
        return self._done(0)

    def close(self) -> None:
        """End: there is nothing to end."""

    def _done(self, count: int) -> Written:
        self.seq += count
        written = Written()
        written.set_result(self.seq)
        return written
