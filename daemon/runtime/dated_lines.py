"""Lines of JSON in one file per UTC day of the run's clock.

A file that a crash left with a torn last line is cut back to its last whole line when it is opened,
and says so in ``repaired``. Lines are kept in memory until ``flush``: whoever writes decides when.
Nothing here reads a clock.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import BinaryIO, Final

from state import failpoints
from state.units import DAY_NS, EPOCH_ORDINAL, day_text

_TAIL_BYTES: Final = 65_536
_BUFFER_BYTES: Final = 1 << 18


def file_day(at_ns: int) -> str:
    """Return the UTC date of an instant as ``YYYYMMDD``, the middle of a file's name."""
    return day_text(at_ns // DAY_NS + EPOCH_ORDINAL).replace("-", "")


def cut_torn_line(path: Path) -> int:
    """Cut a file back to its last line end and return how many bytes went; 0 for a whole file.

    Its time stays that of its last line: whoever asks how old that is must not be told of the cut.
    """
    try:
        file = path.open("r+b")
    except FileNotFoundError:
        return 0
    with file:
        size = file.seek(0, os.SEEK_END)
        end = size
        while end > 0:
            start = max(0, end - _TAIL_BYTES)
            file.seek(start)
            found = file.read(end - start).rfind(b"\n")
            if found >= 0:
                end = start + found + 1
                break
            end = start
        if end < size:
            before = os.fstat(file.fileno())
            file.truncate(end)
            os.utime(file.fileno(), ns=(before.st_atime_ns, before.st_mtime_ns))
        return size - end


class DatedLines:
    """Appends lines to ``<folder>/<stem><YYYYMMDD>.jsonl``.

    A new UTC day begins a new file once the present one has ``least_bytes``: live runs take 0, a
    replay of years does not make thousands of small files. A file is named by its first day.
    ``repaired`` has a sentence for each torn file that was cut. Buffered lines beyond 256 KiB are
    written without being asked.
    """

    def __init__(self, folder: Path, stem: str, least_bytes: int = 0) -> None:
        """Name the files; the folder is made when the first line is written."""
        self._least_bytes = least_bytes
        self._written = 0
        self._folder = folder
        self._stem = stem
        self._end_ns = 0
        self._file: BinaryIO | None = None
        self._text = bytearray()
        self._failure: OSError | None = None
        self.repaired: list[str] = []

    def write(self, at_ns: int, line: bytes) -> None:
        """Take one line (without its line end) stamped with the run's clock.

        Raises:
            OSError: a full buffer or a new day's file cannot be written.
        """
        if at_ns >= self._end_ns or self._file is None:
            # A late line (an end of day told a moment after midnight) stays in the newer file.
            self._end_ns = at_ns // DAY_NS * DAY_NS + DAY_NS
            if self._file is None or self._written + len(self._text) >= self._least_bytes:
                if self._file is not None:
                    self.flush()
                self._open(at_ns)
        self._text += line
        self._text += b"\n"
        if len(self._text) >= _BUFFER_BYTES:
            self.flush()

    def flush(self) -> None:
        """Hand every line to the operating system.

        Raises:
            OSError: the disk is full or gone; the lines of this flush are given up, so that the
                memory of a run stays flat. The file is opened anew for the next line, and what a
                full disk tore off is cut then, so that no later line is glued to it.
        """
        if not self._text or self._file is None:
            if self._failure is not None:  # until a line was written, nobody knows better
                raise self._failure.with_traceback(None)
            return
        text, self._text = self._text, bytearray()
        self._written += len(text)
        failpoints.hit("lines.flushing")
        before = os.fstat(self._file.fileno())
        try:
            self._file.write(text)
            self._file.flush()
        except OSError as problem:
            self._failure = problem
            file, self._file = self._file, None
            with contextlib.suppress(OSError):
                file.close()
            with contextlib.suppress(OSError):
                # A piece of a line is no sign of life: the file is as old as its last whole line.
                os.utime(file.name, ns=(before.st_atime_ns, before.st_mtime_ns))
            raise
        self._failure = None
        failpoints.hit("lines.flushed")

    def close(self) -> None:
        """Flush and close the file."""
        try:
            self.flush()
        finally:
            if self._file is not None:
                self._file.close()
                self._file = None
            self._end_ns = 0

    def drop(self) -> None:
        """Forget the lines that were not flushed, and close the file."""
        self._text.clear()
        self.close()

    def _open(self, at_ns: int) -> None:
        """Open the file of the day of ``at_ns``, whole up to its last line end."""
        before, self._file = self._file, None
        if before is not None:
            before.close()
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{self._stem}{file_day(at_ns)}.jsonl"
        torn = cut_torn_line(path)
        if torn:
            self.repaired.append(f"{path.name}: cut {torn} bytes of a torn last line")
        self._file = path.open("ab")
        self._written = self._file.tell()
