"""The journal as raw rows: read-only, the chain over its bytes recomputed (DUR-1)."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

Row = dict[str, Any]
"""One entry as its JSON has it, and its number under ``seq``."""

LIFE = ("RunStarted", "RunEnded")


class Violation(NamedTuple):
    """What does not hold: the invariant's id, the entry's number, and what was found there."""

    invariant: str
    seq: int
    found: str

    def __str__(self) -> str:
        """Write it as one line."""
        return f"{self.invariant} at entry {self.seq}: {self.found}"


class Snapshot(NamedTuple):
    """A kept state: the portfolio as JSON has it, after entry ``seq``."""

    seq: int
    portfolio: Row


def numbered(rows: Sequence[Row]) -> list[Row]:
    """Number rows from 1 on."""
    return [{**row, "seq": seq} for seq, row in enumerate(rows, start=1)]


def rows_of(database: Path) -> list[Row]:
    """Return every entry of a journal as it lies in the database."""
    return [{**json.loads(payload), "seq": seq} for seq, _, _, payload, _ in _raw(database)]


def snapshots_of(database: Path) -> list[Snapshot]:
    """Return the snapshots that a database keeps."""
    with closing(_opened(database)) as connection:
        found = connection.execute("SELECT seq, CAST(payload AS TEXT) FROM snapshots ORDER BY seq")
        return [Snapshot(seq, json.loads(payload)["portfolio"]) for seq, payload in found]


def chain_problems(database: Path) -> Iterator[Violation]:
    """Yield every hole, every row whose columns differ from its bytes, and a broken chain."""
    link, before = bytes(16), 0
    for seq, at_ns, kind, payload, chain in _raw(database):
        if seq != before + 1:
            yield Violation("DUR-1", seq, f"entry {before + 1} is missing")
        row = json.loads(payload)
        if (row["at_ns"], row["type"]) != (at_ns, kind):
            yield Violation("DUR-1", seq, f"columns say {kind} at {at_ns}, its bytes do not")
        link = hashlib.blake2b(link + payload.encode(), digest_size=16).digest()
        if link != chain:
            yield Violation("DUR-1", seq, "the chain breaks: these bytes are not the recorded ones")
            link = chain
        before = seq


def difference(first: Path, second: Path) -> Iterator[Violation]:
    """Yield the first entry that two journals decided differently (DET-1).

    What tells of processes, and so of kills and restarts, is left out.
    """
    one, other = (
        [(raw[0], raw[3]) for raw in _raw(path) if raw[2] not in LIFE] for path in (first, second)
    )
    for (seq, mine), (_, its) in zip(one, other, strict=False):
        if mine != its:
            yield Violation("DET-1", seq, f"the other journal has {its[:200]}, this {mine[:200]}")
            return
    if len(one) != len(other):
        seq = (one or other)[-1][0]
        yield Violation("DET-1", seq, f"{len(one)} decisions, the other journal has {len(other)}")


def _raw(database: Path) -> list[tuple[int, int, str, str, bytes]]:
    with closing(_opened(database)) as connection:
        return connection.execute(
            "SELECT seq, at_ns, kind, CAST(payload AS TEXT), CAST(chain AS BLOB)"
            " FROM journal ORDER BY seq"
        ).fetchall()


def _opened(database: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{database}?mode=ro", uri=True)
