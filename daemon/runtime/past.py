"""A part of a portfolio's journal, to be decided once more; what is decided beyond it is dropped.

Nothing here writes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Protocol

from state.codec import Snapshot
from state.entries import Entry
from state.journal import read_payloads
from state.writer import Written


class Recorder(Protocol):
    """What makes entries durable. ``retry``: a full disk is waited out. ``inputs``: what they were
    decided from is on the disk when it returns, which is asked for first."""

    retry: bool
    inputs: Callable[[], None]

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


class _Nowhere:
    """Takes everything and keeps nothing."""

    def __init__(self, seq: int) -> None:
        self.seq = seq
        self.steps = 0
        self.retry = False
        self.inputs: Callable[[], None] = _nothing
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


def _nothing() -> None:
    pass
