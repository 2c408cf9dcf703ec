"""What a portfolio's folder says of its own health, before anything is done with it.

A database that is not there looks like a new portfolio, and one whose write-ahead log was removed
like an older one. The folder's other files know better. It changes nothing but torn last lines of
derived files.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from daemon.runtime.dated_lines import cut_torn_line
from daemon.runtime.events_file import STEM as EVENTS
from daemon.runtime.recorded import FOLDER as RECORDED
from daemon.runtime.recorded import tells_of_trading
from daemon.runtime.run_folder import DATABASE, MANIFEST
from daemon.runtime.status_file import STEM as STATUS
from daemon.runtime.status_lines import dated_files, last_status
from state.journal import is_begun, last_seq
from state.soundness import BACKUPS, backups, damaged

LOGS: Final = "logs"
_FILES: Final = 8
"""So many of the newest files a power cut may have torn: at full speed a day is soon over, and the
system keeps what was written to itself for half a minute."""


def check_home(home: Path) -> None:
    """Refuse a folder whose other files tell of more than its database has.

    Call it with the portfolio's lock held, before the database is opened for writing.

    Raises:
        DamagedError: the database is missing, empty, damaged or too old; says how to restore it.
        JournalError: it cannot be read.
    """
    path = home / DATABASE
    traces = [name for name in (MANIFEST, LOGS) if (home / name).exists()]
    traces += [BACKUPS] if backups(home / BACKUPS) else []
    if not traces and path.with_name(f"{DATABASE}-journal").exists():
        return  # its first page was being written: SQLite takes that back when it is opened
    if found := _unbegun(path):
        traces += [RECORDED] if tells_of_trading(home / RECORDED) else []
        if not traces:
            return  # a new one, or one whose first start ended in its warm-up or made the tables
        raise damaged(path, f"{found}, while {', '.join(traces)} tell of a portfolio at work")
    known = last_status(home)
    seq = last_seq(path)
    if known is not None and known.seq > seq:
        raise damaged(
            path,
            f"its journal ends at entry {seq}, the status line of {known.now} tells of entry"
            f" {known.seq}. Its write-ahead log was removed, or an older copy was put in its place;"
            f" if that was meant, move {home / LOGS} away",
        )


def _unbegun(path: Path) -> str:
    """Say why a database holds nothing; empty for one that holds something."""
    try:
        if not path.stat().st_size:
            return "it is empty"
    except FileNotFoundError:
        return "it is missing"
    return "" if is_begun(path) else "it has no such table as a journal"


def repair_lines(home: Path) -> list[str]:
    """Cut torn last lines off the newest status and event files; return a sentence for each.

    A kill tears one file of each, a power cut also those of the days before that were not yet on
    the disk.

    Call it at the start of a daemon, and tell the operator.

    Raises:
        OSError: such a file cannot be written.
    """
    said = []
    for stem in (STATUS, EVENTS):
        for path in dated_files(home / LOGS, stem)[-_FILES:]:
            if torn := cut_torn_line(path):
                said.append(f"{path.name}: cut {torn} bytes of a torn last line")
    return said
