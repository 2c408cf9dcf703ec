"""The journal as the rest of the program sees it: where entries go, and how they are read back.

Reads through short read-only queries, so that a reader never holds up the writer's checkpoints.
Writes nothing: that is ``state.writer``.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Final, Protocol

from state import codec
from state.entries import Entry
from state.errors import JournalError
from state.migrate import open_for_reading
from state.soundness import damaged, unreadable

_PAGE_ROWS: Final = 2048


class Sink(Protocol):
    """Where the core puts what it decided, in order."""

    async def extend(self, entries: Sequence[Entry], *, follows: bool = True) -> int:
        """Take entries that belong together, in order; return the number of the last of them.

        They are recorded when it returns, as surely as the sink promises; where nothing ``follows``
        from them, they may be on their way until ``settle`` returns. One call at a time.
        """

    async def settle(self) -> None:
        """Return when everything that was taken is recorded."""


class BufferedSink:
    """A sink that keeps entries until its owner drains them into the writer.

    Its owner drains it once per simulated day (replay), so that it stays small. ``seq`` is the
    number of the last entry taken.
    """

    __slots__ = ("_entries", "seq")

    def __init__(self, seq: int = 0) -> None:
        """Continue after entry number ``seq``, the last one of the journal."""
        self.seq = seq
        self._entries: list[Entry] = []

    async def extend(self, entries: Sequence[Entry], *, follows: bool = True) -> int:
        """Take the next entries and return the number of the last one; it never waits."""
        self._entries += entries
        self.seq += len(entries)
        return self.seq

    async def settle(self) -> None:
        """Return at once: what was taken is where it is drained from."""

    def drain(self) -> list[Entry]:
        """Return what was taken since the last call, oldest first, and forget it."""
        entries = self._entries
        self._entries = []
        return entries


def read(path: Path, after_seq: int = 0) -> Iterator[tuple[int, Entry]]:
    """Yield (seq, entry) of every entry after number ``after_seq``, in order, streaming.

    Raises:
        JournalError: there is no journal at ``path``, it cannot be read, an entry is missing or
            unreadable.
    """
    for seq, payload in read_payloads(path, after_seq):
        yield seq, codec.decode(payload)


def read_payloads(path: Path, after_seq: int = 0) -> Iterator[tuple[int, bytes]]:
    """Yield (seq, canonical JSON) of every entry after number ``after_seq``, streaming.

    Raises:
        JournalError: there is no journal at ``path``, it cannot be read, or an entry is missing.
    """
    for rows in _pages(path, after_seq, "seq, CAST(payload AS BLOB)"):
        yield from rows


def read_chained(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield (seq, canonical JSON) of every entry from the first, each held to its link, streaming.

    For whoever builds on entries that nobody decides again.

    Raises:
        DamagedError: an entry or its link was changed.
        JournalError: there is no journal at ``path``, it cannot be read, or an entry is missing.
    """
    link = codec.GENESIS
    for rows in _pages(path, 0, "seq, CAST(payload AS BLOB), CAST(chain AS BLOB)"):
        for seq, payload, stored in rows:
            link = codec.chain(link, payload)
            if link != stored:
                raise damaged(path, f"entry {seq} or its link in the chain was changed")
            yield seq, payload


def is_begun(path: Path) -> bool:
    """Whether a database has tables; without any, nothing was ever recorded in it.

    They come in one transaction, the first: a process that ended before it left a file without.

    Raises:
        JournalError: there is no database at ``path``, or it cannot be read.
    """
    with closing(open_for_reading(path)) as connection:
        try:
            return bool(connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])
        except sqlite3.Error as problem:
            raise unreadable(path, problem, doing="cannot be read") from problem


def last_seq(path: Path) -> int:
    """Return the number of the last durable entry, 0 when there is none.

    Raises:
        JournalError: there is no journal at ``path``, or it cannot be read.
    """
    with closing(open_for_reading(path)) as connection:
        try:
            return int(connection.execute("SELECT ifnull(max(seq), 0) FROM journal").fetchone()[0])
        except sqlite3.Error as problem:
            raise unreadable(path, problem, doing="cannot be read") from problem


def read_snapshots(path: Path) -> list[tuple[int, codec.Snapshot]]:
    """Return (seq, snapshot) of every snapshot that is whole, newest first.

    One that is damaged or of another version is left out: the journal has it all.

    Raises:
        JournalError: there is no journal at ``path``, or it cannot be read.
    """
    with closing(open_for_reading(path)) as connection:
        try:
            rows = connection.execute(
                "SELECT seq, CAST(payload AS BLOB), digest FROM snapshots ORDER BY seq DESC"
            ).fetchall()
        except sqlite3.Error as problem:
            raise unreadable(path, problem, doing="cannot be read") from problem
    found = []
    for seq, payload, digest in rows:
        if codec.digest(payload) == digest:
            with suppress(JournalError):
                found.append((seq, codec.decode_snapshot(payload)))
    return found


def damage(path: Path) -> str:
    """Look through the whole database; return the first thing that is wrong, or nothing.

    Raises:
        JournalError: there is no journal at ``path``, or it cannot be read.
    """
    with closing(open_for_reading(path)) as connection:
        try:
            (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        except sqlite3.Error as problem:
            raise JournalError(f"{path} cannot be read: {problem}") from problem
    return "" if found == "ok" else " ".join(str(found).split())


def journal_bytes_digest(path: Path) -> str:
    """Return the chain over every payload, computed anew: equal journals, equal text (32 hex).

    Raises:
        JournalError: there is no journal at ``path``, it cannot be read, or an entry is missing.
    """
    link = codec.GENESIS
    for _, payload in read_payloads(path):
        link = codec.chain(link, payload)
    return link.hex()


def _pages(path: Path, after_seq: int, columns: str) -> Iterator[list[Any]]:
    """Yield rows of the columns, the first of which is ``seq``, of every entry after a number.

    A page has whole numbers without a hole: ``seq`` is the primary key, so its ends say so.
    """
    with closing(open_for_reading(path)) as connection:
        while rows := _page(connection, path, after_seq, columns):
            if rows[0][0] != after_seq + 1 or rows[-1][0] != after_seq + len(rows):
                _refuse_hole(path, after_seq, rows)
            after_seq = rows[-1][0]
            yield rows


def _refuse_hole(path: Path, after_seq: int, rows: list[Any]) -> None:
    wanted, found = next(
        (number, row[0]) for number, row in enumerate(rows, start=after_seq + 1) if row[0] != number
    )
    raise JournalError(
        f"{path}: entry {wanted} is missing, the next one is {found}; run `foliod verify`"
    )


def _page(connection: sqlite3.Connection, path: Path, after_seq: int, columns: str) -> list[Any]:
    try:
        return connection.execute(
            f"SELECT {columns} FROM journal WHERE seq > ? ORDER BY seq LIMIT ?",
            (after_seq, _PAGE_ROWS),
        ).fetchall()
    except sqlite3.Error as problem:
        doing = f"cannot be read after entry {after_seq}"
        raise unreadable(path, problem, doing=doing) from problem
