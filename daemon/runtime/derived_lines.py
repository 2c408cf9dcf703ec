"""A file of lines that can be made again, and only grows: trades.csv, an equity curve.

Whoever opens it gives it every line from the first on. Those that it has are passed over, the last
of them is compared, the rest is appended. A file that says otherwise, or more, than what it is made
from is made anew as a whole. So it does not matter where a crash left it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from daemon.runtime.dated_lines import cut_torn_line

_READ_BYTES: Final = 1 << 20


class DerivedLines:
    """One such file. Lines are bytes with their line end and have none inside.

    ``is_open``: it takes lines. ``is_wrong``: what was given so far is not what the file says.
    """

    def __init__(self, path: Path) -> None:
        """Name the file; ``open`` looks at it."""
        self.path = path
        self.is_open = False
        self.is_wrong = False
        self._is_anew = False
        self._kept = self._given = self._size = 0
        self._last = b""
        self._text = bytearray()

    @property
    def kept(self) -> int:
        """How many whole lines the file had when it was opened."""
        return self._kept

    @property
    def is_ahead(self) -> bool:
        """Whether the file has lines that were not given."""
        return self._given < self._kept

    def open(self) -> None:
        """Look at the file, cut a torn last line, and expect the first line.

        Raises:
            OSError: it cannot be read or cut.
        """
        self.is_open = False
        cut_torn_line(self.path)
        self._kept, self._size, self._last = _end_of(self.path)
        self._expect(is_anew=False)

    def begin_anew(self) -> None:
        """Expect the first line; the file is replaced by what is given."""
        self._kept, self._last = 0, b""
        self._expect(is_anew=True)

    def _expect(self, *, is_anew: bool) -> None:
        self.is_open, self.is_wrong, self._is_anew = True, False, is_anew
        self._given = 0
        self._text.clear()

    def skip(self, count: int) -> None:
        """Take so many lines as given, unseen."""
        self._given += count

    def give(self, line: bytes) -> None:
        """Take the next line."""
        self._given += 1
        if self._given > self._kept:
            self._text += line
        elif self._given == self._kept and line != self._last:
            self.is_wrong = True

    def flush(self) -> None:
        """Write what the file lacks.

        Raises:
            OSError: it cannot be written, or somebody else changed it: it is then to be opened
                again; lines are never written in part.
        """
        if not self._text:
            return
        self.is_open = False
        if self._is_anew:
            self._replace()
        else:
            self._append()
        self.is_open = True
        self._text.clear()

    def _replace(self) -> None:
        draft = self.path.with_name(f".{self.path.name}.part")
        try:
            draft.write_bytes(self._text)
            draft.replace(self.path)
        except OSError:
            draft.unlink(missing_ok=True)
            raise
        self._is_anew = False
        self._size = len(self._text)

    def _append(self) -> None:
        descriptor = os.open(
            self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644
        )
        try:
            if os.fstat(descriptor).st_size != self._size:
                raise OSError(f"{self.path} was changed by somebody else; it is looked at again")
            if os.write(descriptor, self._text) < len(self._text):
                os.ftruncate(descriptor, self._size)
                raise OSError(f"{self.path}: the disk took only part; it was taken back")
        finally:
            os.close(descriptor)
        self._size += len(self._text)


def _end_of(path: Path) -> tuple[int, int, bytes]:
    """Return how many lines a file has, its size in bytes and its last line."""
    count = size = 0
    tail = b""
    try:
        with path.open("rb") as file:
            while part := file.read(_READ_BYTES):
                count += part.count(b"\n")
                size += len(part)
                tail = (tail + part)[-2 * _READ_BYTES :]
    except FileNotFoundError:
        return 0, 0, b""
    return count, size, tail[tail.rfind(b"\n", 0, -1) + 1 :]
