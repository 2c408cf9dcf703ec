"""Proof that a database is what its journal says: the checks behind ``foliod verify`` (S2).

Reads only, in one snapshot of the database and one pass over the journal, with memory that does
not grow with it. Repairs nothing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import msgspec

from state import codec
from state.entries import Entry
from state.errors import FoliodError, JournalError
from state.ledger import apply
from state.migrate import migrations, open_for_reading, version
from state.portfolio import Portfolio
from state.projected import TABLES
from state.projector import rebuild

_SHOWN: Final = 5
"""Findings told per table; the rest is counted."""

_MISSING: Final = "nothing"


class Finding(msgspec.Struct, frozen=True):
    """One thing that does not hold.

    ``check`` is what was checked: ``database``, ``schema``, ``chain``, ``journal``, ``snapshot`` or
    ``tables``. ``text`` says where, what was found and what was expected.
    """

    check: str
    text: str


def check(path: Path) -> list[Finding]:
    """Check the database at ``path``; an empty list means that everything holds.

    The file is sound (SQLite's own check), the schema is this version's, the chain is intact, the
    journal reads and folds, the fold equals the last snapshot, and every table equals one rebuilt
    from the journal. A check that needs an earlier one is left out when that one fails.

    Raises:
        JournalError: there is no database at ``path``, or it is not foliod's.
    """
    with closing(open_for_reading(path)) as connection:
        try:
            # One read transaction: a daemon that writes meanwhile changes nothing for us.
            connection.execute("BEGIN")
            return _file(connection) or _schema(connection) or _contents(connection)
        except sqlite3.Error as problem:
            return [Finding("database", f"{path} cannot be read: {problem}")]


def _file(connection: sqlite3.Connection) -> list[Finding]:
    lines = [row[0] for row in connection.execute("PRAGMA quick_check(10)")]
    return [] if lines == ["ok"] else [Finding("database", line) for line in lines]


def _schema(connection: sqlite3.Connection) -> list[Finding]:
    have, known = version(connection), len(migrations())
    if have == known:
        return []
    return [Finding("schema", f"found schema {have}, expected {known}: use the version that fits")]


def _contents(connection: sqlite3.Connection) -> list[Finding]:
    walk = _Walk(connection)
    try:
        rebuilt = rebuild(walk)
    except FoliodError as problem:
        return [*walk.findings, Finding("journal", str(problem))]
    with closing(rebuilt):
        # After a journal that stopped early the tables are longer than the rebuild, no wonder.
        if walk.is_whole:
            for table, key in TABLES.items():
                walk.findings.extend(_compare(connection, rebuilt, table, key))
    return walk.findings


class _Walk:
    """One pass over the journal: checks chain and columns, folds, and yields the entries."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.findings: list[Finding] = []
        self.is_whole = False
        self._connection = connection
        self._portfolio: Portfolio | None = Portfolio()
        self._snapshot = connection.execute(
            "SELECT seq, CAST(payload AS BLOB), digest FROM snapshots ORDER BY seq DESC LIMIT 1"
        ).fetchone()

    def __iter__(self) -> Iterator[tuple[int, Entry]]:
        link, last, is_intact = codec.GENESIS, 0, True
        rows = self._connection.execute(
            "SELECT seq, at_ns, kind, CAST(payload AS BLOB), chain FROM journal ORDER BY seq"
        )
        for seq, at_ns, kind, payload, stored in rows:
            if seq != last + 1:
                self._say("chain", f"entry {last + 1} is missing, the next one is {seq}")
                return
            last, link = seq, codec.chain(link, payload)
            if is_intact and link != stored:
                is_intact = False
                self._say("chain", f"broken at entry {seq}: it or its link was changed")
            try:
                entry = codec.decode(payload)
            except JournalError as problem:
                self._say("journal", f"entry {seq}: {problem}")
                return
            self._columns(seq, entry, at_ns, kind)
            self._fold(seq, entry)
            yield seq, entry
        self.is_whole = True
        if self._snapshot is not None and not 0 < self._snapshot[0] <= last:
            self._say("snapshot", f"it is of entry {self._snapshot[0]}, the journal ends at {last}")

    def _say(self, name: str, text: str) -> None:
        self.findings.append(Finding(name, text))

    def _columns(self, seq: int, entry: Entry, at_ns: int, kind: str) -> None:
        expected = (entry.at_ns, codec.kind(entry))
        if (at_ns, kind) != expected and len(self.findings) < _SHOWN:
            self._say(
                "journal", f"entry {seq}: its columns say {(at_ns, kind)}, its payload {expected}"
            )

    def _fold(self, seq: int, entry: Entry) -> None:
        if self._portfolio is None:
            return
        try:
            apply(self._portfolio, seq, entry)
        except FoliodError as problem:
            self._say("journal", f"entry {seq} does not fold: {problem}")
            self._portfolio = None
            return
        if self._snapshot is not None and seq == self._snapshot[0]:
            self._compare_snapshot(self._portfolio)

    def _compare_snapshot(self, portfolio: Portfolio) -> None:
        seq, payload, stored = self._snapshot
        if codec.digest(payload) != stored:
            self._say("snapshot", f"of entry {seq}: its bytes do not have the digest {stored}")
            return
        try:
            kept = codec.decode_snapshot(payload).portfolio
        except JournalError as problem:
            self._say("snapshot", f"of entry {seq}: {problem}")
            return
        difference = first_difference(
            msgspec.json.decode(msgspec.json.encode(kept)),
            msgspec.json.decode(msgspec.json.encode(portfolio)),
        )
        if difference:
            self._say("snapshot", f"of entry {seq}: {difference}")


def first_difference(kept: object, folded: object, path: str = "portfolio") -> str:
    """Name the first field in which a snapshot differs from the fold; empty: none does.

    Both are plain JSON values. The order of a mapping counts: what is forgotten first hangs on it.
    """
    if isinstance(kept, dict) and isinstance(folded, dict):
        return _mapping_difference(kept, folded, path)
    if isinstance(kept, list) and isinstance(folded, list):
        for index, (one, other) in enumerate(zip(kept, folded, strict=False)):
            if difference := first_difference(one, other, f"{path}[{index}]"):
                return difference
        if len(kept) == len(folded):
            return ""
        return f"{path} has {len(kept)} items in the snapshot, {len(folded)} in the fold"
    if kept == folded:
        return ""
    return f"{path} is {kept!r} in the snapshot, {folded!r} in the fold"


def _mapping_difference(kept: dict[str, object], folded: dict[str, object], path: str) -> str:
    for key in [*folded, *(key for key in kept if key not in folded)]:
        where = f"{path}.{key}"
        if key not in kept or key not in folded:
            one, other = kept.get(key, _MISSING), folded.get(key, _MISSING)
            return f"{where} is {one!r} in the snapshot, {other!r} in the fold"
        if difference := first_difference(kept[key], folded[key], where):
            return difference
    return "" if list(kept) == list(folded) else f"{path} is in another order in the snapshot"


def _compare(
    kept: sqlite3.Connection, rebuilt: sqlite3.Connection, table: str, key: str
) -> list[Finding]:
    """Walk both versions of a table side by side in key order."""
    keys = key.split(", ")
    sql = f"SELECT {key}, * FROM {table} ORDER BY {key}"
    cursors = kept.execute(sql), rebuilt.execute(sql)
    columns = [column[0] for column in cursors[1].description][len(keys) :]
    texts: list[str] = []
    count = 0
    for name, one, other in _pairs(*cursors, len(keys)):
        if one == other:
            continue
        count += 1
        if count <= _SHOWN:
            where = f"{table} {'/'.join(str(part) for part in name)}"
            texts.append(f"{where}{_row_difference(columns, one, other)}")
    if count > _SHOWN:
        texts.append(f"{table}: {count - _SHOWN} more rows differ")
    return [Finding("tables", text) for text in texts]


_Key = tuple[Any, ...]
_Pair = tuple[_Key, tuple[Any, ...] | None, tuple[Any, ...] | None]


def _pairs(kept: sqlite3.Cursor, rebuilt: sqlite3.Cursor, width: int) -> Iterator[_Pair]:
    """Yield (key, kept row, rebuilt row), a row None where only the other has the key."""
    one, other = kept.fetchone(), rebuilt.fetchone()
    while one is not None or other is not None:
        if other is None or (one is not None and one[:width] < other[:width]):
            yield one[:width], one[width:], None
            one = kept.fetchone()
        elif one is None or other[:width] < one[:width]:
            yield other[:width], None, other[width:]
            other = rebuilt.fetchone()
        else:
            yield one[:width], one[width:], other[width:]
            one, other = kept.fetchone(), rebuilt.fetchone()


def _row_difference(
    columns: list[str], kept: tuple[Any, ...] | None, rebuilt: tuple[Any, ...] | None
) -> str:
    if kept is None:
        return " is missing"
    if rebuilt is None:
        return " is there, and the journal has nothing of it"
    for column, one, other in zip(columns, kept, rebuilt, strict=True):
        if one != other:
            return f", {column}: found {one!r}, the journal says {other!r}"
    return ""
