"""Event lines that go on where the last whole one ends, however the process before ended.

The newest file's last line names the journal entry it is of. What the file forgot when its writer
died (instruments, trades, the run) is read from the database.
"""

from __future__ import annotations

import contextlib
from datetime import date
from pathlib import Path
from typing import Final

import msgspec

from daemon.runtime.dated_lines import cut_torn_line
from daemon.runtime.events_file import STEM, EventsFile
from state.entries import Entry, RunStarted
from state.queries import Book
from state.units import DAY_NS, EPOCH_ORDINAL, utc_text

_ORDERS: Final = 4096
"""The newest orders, whose trades may get another plan."""
_TAIL_BYTES: Final = 1 << 20
ASIDE: Final = ".aside"
"""What the names of files end with that are not of this journal."""


class _Line(msgspec.Struct):
    seq: int
    ts: str
    kind: str


class EventsResume:
    """The events of one portfolio; ``seq`` is the last journal entry that they know.

    ``notes`` has a sentence for each thing that was found and mended.
    """

    def __init__(self, folder: Path, portfolio_id: str) -> None:
        """Write in ``folder``; ``open`` looks at it."""
        self._folder = folder
        self._portfolio_id = portfolio_id
        self._file: EventsFile | None = None
        self.seq = 0
        self.notes: list[str] = []

    @property
    def is_open(self) -> bool:
        """Whether it takes entries."""
        return self._file is not None

    async def open(self, book: Book) -> None:
        """Find where the newest file ends and get ready for the entry after it.

        Files whose end the journal does not know (a database put back from a backup) are set aside
        under another name, and all are written anew.

        Raises:
            OSError: the files cannot be read or cut.
            JournalError: the database cannot be read.
        """
        last, floor_ns = self._last()
        if last is not None and not await _is_of(book, last):
            self._set_aside()
            last, floor_ns = None, 0
        self.seq = last.seq if last is not None else 0
        started = await book.last_entry("RunStarted", self.seq)
        run_id = started.run_id if isinstance(started, RunStarted) else ""
        file = EventsFile(self._folder, self._portfolio_id, run_id)
        if self.seq:
            async for line in book.entries_after(0, kinds=("InstrumentSet",)):
                if line.seq > self.seq:
                    break
                file.take(line.seq, line.entry)
        orders = await book.orders(limit=_ORDERS)
        file.resume({one.trade_id: one.symbol for one in orders}, floor_ns)
        self._file = file

    def take(self, seq: int, entry: Entry) -> None:
        """Write the line of an entry, if it has one. Raises OSError as ``EventsFile.take``."""
        if self._file is not None:
            self._file.take(seq, entry)
            self.seq = seq

    def flush(self) -> None:
        """Hand every line to the operating system. Raises OSError as ``EventsFile.flush``."""
        if self._file is not None:
            self._file.flush()

    def close(self) -> None:
        """Close the file; what was not flushed is taken from the journal again."""
        file, self._file = self._file, None
        if file is not None:
            with contextlib.suppress(OSError):
                file.drop()

    def _paths(self) -> list[Path]:
        return sorted(self._folder.glob(f"{STEM}*.jsonl"))

    def _last(self) -> tuple[_Line | None, int]:
        """Return the last whole line and the first instant of its file's day, None without one."""
        for path in reversed(self._paths()):
            torn = cut_torn_line(path)
            if torn:
                self.notes.append(f"{path.name}: cut {torn} bytes of a torn last line")
            with path.open("rb") as file:
                size = file.seek(0, 2)
                file.seek(max(0, size - _TAIL_BYTES))
                lines = file.read().splitlines()
            if lines:
                return _decoded(lines[-1]), _day_ns(path)
        return None, 0

    def _set_aside(self) -> None:
        paths = self._paths()
        for path in paths:
            path.replace(path.with_name(path.name + ASIDE))
        self.notes.append(
            f"the events in {self._folder} do not end as the journal does: {len(paths)} set aside"
            f" as *{ASIDE}, written anew"
        )


def _decoded(text: bytes) -> _Line:
    try:
        return msgspec.json.decode(text, type=_Line)
    except msgspec.MsgspecError:
        return _Line(-1, "", "")


def _day_ns(path: Path) -> int:
    """Return the first instant of the day in a file's name, 0 where there is none."""
    try:
        day = date.fromisoformat(path.stem.removeprefix(STEM)).toordinal()
    except ValueError:
        return 0
    return (day - EPOCH_ORDINAL) * DAY_NS


async def _is_of(book: Book, last: _Line) -> bool:
    """Say whether the journal has the entry that a line is of."""
    async for line in book.entries_after(last.seq - 1):
        return (
            line.seq == last.seq
            and line.kind == last.kind
            and utc_text(line.entry.at_ns) == last.ts
        )
    return False
