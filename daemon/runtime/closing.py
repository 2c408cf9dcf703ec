"""What is done beside trading when a trading day ends: which reports are due, as commands (T2, C2).

All of them are idempotent and read the database only. Which day was closed last is kept in
``reports/end-of-day.json``, so that a start knows what was missed. Nothing here runs anything.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from daemon.runtime.run_folder import write_atomically
from state.entries import AlarmRung, Decided
from state.queries import Book
from state.units import day_text

KEPT: Final = "end-of-day.json"
ALARM: Final = "end_of_day"
PARITY: Final = "parity"


class Wanted(NamedTuple):
    """What the end of a day is to do.

    ``reports``: the daily ones; ``analytics``: weekly, monthly and since inception too;
    ``parity``: the day is decided once more; ``picture``: the day is drawn, for messages.
    """

    reports: bool = True
    analytics: bool = True
    parity: bool = True
    picture: bool = False


class Step(NamedTuple):
    """One command of the end of a day: ``name`` is for people."""

    name: str
    arguments: tuple[str, ...]


class Due(NamedTuple):
    """What is due. Days are ordinals, 0: none.

    ``closed`` is the last day closed, ``present`` the one that has not rolled, ``decided`` the last
    day with decisions that is to be proven. ``rolled``: days rolled that are not closed yet.
    """

    closed: int
    present: int
    rolled: bool
    decided: int


class _Kept(msgspec.Struct):
    closed: str


async def has_rung(book: Book, after: int) -> bool:
    """Say whether the end-of-day alarm rang after entry number ``after``."""
    async for line in book.entries_after(after, kinds=("AlarmRung",)):
        if isinstance(line.entry, AlarmRung) and line.entry.name == ALARM:
            return True
    return False


async def look(book: Book, home: Path, *, is_over: bool) -> Due:
    """Find what is due; ``is_over``: the day that has not rolled is to be proven too."""
    closed, present = last_closed(home), await book.present_day()
    days = await book.days(since_day=closed + 1)
    before = await book.days(limit=len(days) + 1)
    since = before[0].seq if len(before) > len(days) else 0
    decided = 0
    async for line in book.entries_after(since, kinds=("Decided",)):
        if isinstance(line.entry, Decided) and (is_over or line.entry.day < present):
            decided = max(decided, line.entry.day)
    return Due(closed, present, bool(days), decided)


def steps(home: Path, due: Due, wanted: Wanted) -> list[Step]:
    """Return the commands that are due, in order."""
    if not wanted.reports:
        return []
    folder = str(home.absolute())
    drawn = ("--png", "--date", day_text(due.present - 1)) if wanted.picture and due.rolled else ()
    found = [Step("daily report", ("report", "day", folder, *drawn))]
    if due.rolled and wanted.analytics:
        found += [
            Step(name, ("report", kind, folder)) for name, kind in _periods(due.closed, due.present)
        ]
    if due.decided and wanted.parity:
        day = day_text(due.decided)
        found.append(Step(PARITY, ("report", "parity", folder, "--day", day)))
    return found


def _periods(closed: int, present: int) -> list[tuple[str, str]]:
    """Return the periods that ended after the day closed last; all of them when none was."""
    if not closed:
        return [
            ("weekly report", "week"),
            ("monthly report", "month"),
            ("report since inception", "inception"),
        ]
    first, last = date.fromordinal(closed + 1), date.fromordinal(present)
    found = []
    if first.isocalendar()[:2] != last.isocalendar()[:2]:
        found.append(("weekly report", "week"))
    if (first.year, first.month) != (last.year, last.month):
        found += [("monthly report", "month"), ("report since inception", "inception")]
    return found


def last_closed(home: Path) -> int:
    """Return the last day that was closed, 0 for none."""
    try:
        kept = msgspec.json.decode((home / "reports" / KEPT).read_bytes(), type=_Kept)
        return date.fromisoformat(kept.closed).toordinal()
    except (OSError, msgspec.MsgspecError, ValueError):
        return 0


def keep_closed(home: Path, day: int) -> None:
    """Remember that everything of a day is done.

    Raises:
        JournalError: it cannot be written.
    """
    (home / "reports").mkdir(parents=True, exist_ok=True)
    content = msgspec.json.encode(_Kept(day_text(day))) + b"\n"
    write_atomically(home / "reports" / KEPT, content)
