"""Backups of a portfolio's database, made while its writer works.

SQLite's own online backup, through a connection that only reads: the writer waits for nothing. A
backup is whole or not there, and checked before it takes its name. It decides neither when nor how
often; a failure is its caller's to tell, and no reason to stop.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from state.errors import JournalError
from state.migrate import open_for_reading
from state.soundness import backups, check
from state.units import day_text

KEPT: Final = 14
_RESERVE_BYTES: Final = 64 * 1024 * 1024
"""What a backup leaves free for the journal, beside its own size."""


def backup(database: Path, folder: Path, day: int, keep: int = KEPT) -> Path:
    """Copy ``database`` to ``<folder>/YYYY-MM-DD.db`` and return its path.

    ``day`` is an ordinal; a backup of the same day is replaced. When it returns, the copy is on the
    disk, and of the backups in the folder the newest ``keep`` are left. Call it from any one thread
    at a time.

    Raises:
        JournalError: it cannot be read or written, would fill the disk, or the copy is not sound;
            then every older backup is still there.
    """
    target = folder / f"{day_text(day)}.db"
    temporary = folder / f".{target.name}.tmp"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _check_room(database, folder)
        temporary.unlink(missing_ok=True)
        try:
            _copy(database, temporary)
            os.replace(temporary, target)
        finally:
            for leftover in folder.glob(f"{temporary.name}*"):
                leftover.unlink(missing_ok=True)
        _sync(folder)
        for old in backups(folder)[: -max(1, keep)]:
            old.unlink()
    except (OSError, sqlite3.Error) as problem:
        raise JournalError(f"no backup of {database} in {folder}: {problem}") from problem
    return target


def _check_room(database: Path, folder: Path) -> None:
    size = database.stat().st_size
    with contextlib.suppress(FileNotFoundError):
        size += database.with_name(database.name + "-wal").stat().st_size
    free = shutil.disk_usage(folder).free
    if free < size + _RESERVE_BYTES:
        raise JournalError(
            f"no backup of {database}: {free >> 20} MiB are free in {folder}, it needs"
            f" {size >> 20} MiB and leaves {_RESERVE_BYTES >> 20} MiB to the journal"
        )


def _copy(database: Path, temporary: Path) -> None:
    """Copy in one step, so that no commit in between begins it anew; check; confirm."""
    with (
        closing(open_for_reading(database)) as source,
        closing(sqlite3.connect(temporary, isolation_level=None)) as copy,
    ):
        # Nothing is lost with it: the file is synced as a whole before it takes its name.
        copy.execute("PRAGMA synchronous=OFF")
        source.backup(copy)
    with closing(open_for_reading(temporary)) as copy:
        check(copy, temporary, is_unclean=True)
    _sync(temporary)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
