"""Opening the database of one portfolio or replay run for its one writer, and its schema.

The schema grows by plain SQL files ``migrations/NNNN_name.sql``; ``user_version`` is the number of
the last one applied. A migration is applied whole or not at all. A database of a newer foliod, or
of another program, is refused untouched.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final, Literal

from state.errors import JournalError
from state.soundness import unreadable

APPLICATION_ID: Final = 0x666F6C69
"""``foli`` in ASCII: what ``file`` and SQLite see that this database is."""

Synchronous = Literal["FULL", "NORMAL"]
"""When the disk must have confirmed: FULL before every acknowledgement, NORMAL at checkpoints."""

_FOLDER: Final = Path(__file__).parent / "migrations"
_CHECKPOINT_PAGES: Final = 4000
_WAL_BYTES: Final = 16 * 1024 * 1024
_CACHE_KIB: Final = 16 * 1024
_BUSY_S: Final = 5.0


def sqlite_version() -> tuple[int, ...]:
    """Return the version of the SQLite library that Python is linked with."""
    return sqlite3.sqlite_version_info


def migrations() -> list[tuple[int, str]]:
    """Return (number, SQL) of every migration, in order.

    Raises:
        JournalError: the numbers do not run 1, 2, 3 ... (a broken installation).
    """
    files = sorted(_FOLDER.glob("[0-9][0-9][0-9][0-9]_*.sql"))
    numbered = [(int(file.name[:4]), file.read_text(encoding="utf-8")) for file in files]
    if [number for number, _ in numbered] != list(range(1, len(numbered) + 1)) or not numbered:
        names = ", ".join(file.name for file in files) or "none"
        raise JournalError(f"the migrations of this installation have a gap: {names}; reinstall")
    return numbered


def open_for_writing(path: Path, synchronous: Synchronous) -> sqlite3.Connection:
    """Open, or create, the database at ``path`` and bring its schema up to date.

    The connection is in autocommit: its owner says BEGIN and COMMIT. It may be handed to another
    thread once; two threads must never share it.

    Raises:
        DamagedError: it is damaged.
        JournalError: it cannot be opened or written, is not foliod's, or is newer.
    """
    try:
        connection = sqlite3.connect(
            path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False
        )
    except sqlite3.Error as problem:
        raise JournalError(f"{path} cannot be opened: {problem}") from problem
    try:
        _refuse_foreign(connection, path)
        _refuse_newer(connection, path)
        _prepare(connection, path, synchronous)
        _migrate(connection, path)
    except sqlite3.Error as problem:
        connection.close()
        raise unreadable(path, problem, doing="cannot be opened for writing") from problem
    except JournalError:
        connection.close()
        raise
    return connection


def open_for_reading(path: Path) -> sqlite3.Connection:
    """Open the database at ``path`` read-only. It must exist; its schema is not looked at.

    Raises:
        JournalError: it does not exist, cannot be opened, or is not foliod's.
    """
    if not path.is_file():
        raise JournalError(f"there is no journal at {path}")
    try:
        connection = sqlite3.connect(
            reading_uri(path), uri=True, timeout=_BUSY_S, isolation_level=None
        )
    except sqlite3.Error as problem:
        raise JournalError(f"{path} cannot be opened: {problem}") from problem
    try:
        _refuse_foreign(connection, path)
    except sqlite3.Error as problem:
        connection.close()
        raise unreadable(path, problem, doing="cannot be read") from problem
    except JournalError:
        connection.close()
        raise
    return connection


def reading_uri(path: Path) -> str:
    """Return the read-only address of a database that exists.

    Without a write-ahead log there is no writer, and the file alone is the database. Said so,
    SQLite leaves no log files behind and reads in a folder that it may not write.
    """
    address = f"{path.resolve().as_uri()}?mode=ro"
    is_at_rest = not path.with_name(path.name + "-wal").exists()
    return address + "&immutable=1" if is_at_rest else address


def version(connection: sqlite3.Connection) -> int:
    """Return the number of the last migration applied (0: none)."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _refuse_foreign(connection: sqlite3.Connection, path: Path) -> None:
    found = int(connection.execute("PRAGMA application_id").fetchone()[0])
    if found == APPLICATION_ID:
        return
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if found or tables:
        raise JournalError(
            f"{path} is a database of another program (application id {found:#x}, expected"
            f" {APPLICATION_ID:#x}): name another path"
        )


def _prepare(connection: sqlite3.Connection, path: Path, synchronous: Synchronous) -> None:
    mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
    if mode != "wal":
        raise JournalError(
            f"{path}: SQLite cannot keep a write-ahead log here (journal mode {mode!r}, expected"
            " 'wal'): use a folder on a local disk"
        )
    connection.execute(f"PRAGMA synchronous={synchronous}")
    connection.execute(f"PRAGMA wal_autocheckpoint={_CHECKPOINT_PAGES}")
    connection.execute(f"PRAGMA journal_size_limit={_WAL_BYTES}")
    connection.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")


def _refuse_newer(connection: sqlite3.Connection, path: Path) -> None:
    have, known = version(connection), len(migrations())
    if have > known:
        raise JournalError(
            f"{path} has schema {have}, this foliod knows {known}: a newer foliod wrote it;"
            " use that version, it is never migrated back"
        )


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    for number, sql in migrations()[version(connection) :]:
        # executescript runs statement by statement; the transaction makes them one.
        try:
            connection.executescript(
                f"BEGIN IMMEDIATE;\n{sql}\n;PRAGMA application_id={APPLICATION_ID};"
                f"PRAGMA user_version={number};COMMIT;"
            )
        except sqlite3.Error as problem:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise JournalError(
                f"{path}: migration {number} failed and was undone: {problem}"
            ) from problem
