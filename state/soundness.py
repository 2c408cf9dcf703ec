"""Whether a database may be gone on with, asked at every start; and what to do when it may not.

Cheap on purpose: the end of the chain always, SQLite's own check only after an unclean end.
``state.verify_fold`` proves the whole. It reads only: a damaged database is left as it is, because
what can be saved from it must not be made worse.
"""

from __future__ import annotations

import errno
import shlex
import sqlite3
from pathlib import Path
from typing import Final

from state import codec
from state.errors import DamagedError, JournalError

BACKUPS: Final = "backups"
"""The folder beside a database with its backups, ``YYYY-MM-DD.db``."""

NAME_PATTERN: Final = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9].db"
_TAIL_ENTRIES: Final = 1_024
_MOST_ENTRIES: Final = 20_000
_CHECKED_BYTES: Final = 256 * 1024 * 1024
"""SQLite's check of so much takes a fifth of a second; of more, only ``foliod verify`` does it."""


def backups(folder: Path) -> list[Path]:
    """Return the backups in a folder, oldest first."""
    return sorted(folder.glob(NAME_PATTERN))


def damaged(path: Path, found: str) -> DamagedError:
    """Return the error for a damaged database: what was ``found``, and how to restore it."""
    home, folder = path.parent, path.parent / BACKUPS
    kept = backups(folder)
    lines = [
        f"{path} is damaged: {found}",
        "nothing was changed in it. What still holds is said by: foliod verify"
        f" {shlex.quote(str(home.absolute()))}",
    ]
    if kept:
        lines += [
            f"backups: {len(kept)} in {folder}, the newest {kept[-1].name}. To restore it:",
            f"  {_restoring(path, kept[-1])}",
            "then start again: it goes on from there. See docs/operating/recovery.md first",
        ]
    else:
        lines.append(
            f"there is no backup in {folder}: restore the file from a copy of your own, or move"
            f" {home} away and begin anew. See docs/operating/recovery.md first"
        )
    return DamagedError("\n".join(lines))


def _restoring(path: Path, kept: Path) -> str:
    """Return the commands that put a backup in a database's place and keep what was there.

    The logs go too: they tell of entries that the backup does not have.
    """
    home = path.parent.absolute()
    moved = [f"{path.name}*"] if any(home.glob(f"{path.name}*")) else []
    moved += ["logs"] if (home / "logs").exists() else []
    words = [f"cd {shlex.quote(str(home))}"]
    if moved:
        words += ["mkdir damaged", f"mv {' '.join(moved)} damaged/"]
    return " && ".join([*words, f"cp {kept.parent.name}/{kept.name} {path.name}"])


def unreadable(path: Path, problem: sqlite3.Error, *, doing: str) -> JournalError:
    """Return the error for what SQLite said: damage, or a file that cannot be got at.

    ``doing`` is what could not be done, such as ``cannot be opened``.
    """
    name = getattr(problem, "sqlite_errorname", "")
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")) or "no such" in str(problem):
        return damaged(path, f"it {doing}: {problem}")
    return JournalError(f"{path} {doing}: {problem}")


def check(connection: sqlite3.Connection, path: Path, *, is_unclean: bool) -> None:
    """Refuse a database that is damaged where a start depends on it.

    ``is_unclean``: the last process did not end in order.

    Raises:
        DamagedError: says what is damaged, where the backups are and how to restore one.
        JournalError: it cannot be read.
    """
    try:
        if is_unclean and path.stat().st_size <= _CHECKED_BYTES:
            line = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            if line != "ok":
                raise damaged(path, f"SQLite's check says: {' '.join(line.split())}")
        _check_chain(connection, path)
    except sqlite3.Error as problem:
        raise unreadable(path, problem, doing="cannot be read") from problem


def _check_chain(connection: sqlite3.Connection, path: Path) -> None:
    """Follow the chain from the newest snapshot on, within bounds: what recovery reads."""
    last, snapshot = connection.execute(
        "SELECT (SELECT ifnull(max(seq), 0) FROM journal),"
        " (SELECT ifnull(max(seq), 0) FROM snapshots)"
    ).fetchone()
    if snapshot > last:
        raise damaged(path, f"it has a snapshot after entry {snapshot}, its journal ends at {last}")
    before = max(last - _MOST_ENTRIES, min(snapshot, last - _TAIL_ENTRIES), 0)
    rows = connection.execute(
        "SELECT seq, CAST(payload AS BLOB), CAST(chain AS BLOB) FROM journal WHERE seq >= ?"
        " ORDER BY seq",
        (before,),
    )
    link = codec.GENESIS
    if before:
        seq, _, link = rows.fetchone()
        if seq != before:
            raise damaged(path, f"entry {before} is missing, the next one is {seq}")
    for number, (seq, payload, stored) in enumerate(rows, start=before + 1):
        if seq != number:
            raise damaged(path, f"entry {number} is missing, the next one is {seq}")
        link = codec.chain(link, payload)
        if link != stored:
            raise damaged(path, f"entry {seq} or its link in the chain was changed")


def name_of(problem: BaseException) -> str:
    """Return the name that SQLite or the system has for an error, or that of its class."""
    if isinstance(problem, OSError):
        return errno.errorcode.get(problem.errno or 0, type(problem).__name__)
    return str(getattr(problem, "sqlite_errorname", type(problem).__name__))


def may_pass(problem: sqlite3.Error | OSError) -> bool:
    """Whether a disk can get over it, so that the same may be written later."""
    name = name_of(problem)
    return isinstance(problem, OSError) or name == "SQLITE_FULL" or name.startswith("SQLITE_IOERR")
