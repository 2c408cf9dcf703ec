"""The recorder: every accepted bar of a live feed in files that say when they were changed (F6).

One file a UTC day, append-only, one record a line: JSON, a tab, and the first 16 bytes of the
BLAKE2b of the line before's chain and this JSON, in hex. A file begins with a head that carries the
end of the chain before it. A line that was torn at the end of the last file is cut off when the
recorder opens, and said; anything else that does not fit is damage, and nothing is repaired.
"""

from __future__ import annotations

import errno
import math
import os
import threading
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from datetime import date
from itertools import groupby
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import msgspec

from adapters.feeds.events import BarClosed
from adapters.feeds.recording import (
    FORMAT,
    NO_CHAIN,
    Frame,
    Head,
    Row,
    last_chain,
    lines,
    next_chain,
    segments,
)
from state.errors import FeedError
from state.units import DAY_NS, EPOCH_ORDINAL, day_text

MOST: Final = 131_072
"""Bars that may wait for the disk: a day of ninety symbols by the minute."""
_ENCODER: Final = msgspec.json.Encoder()


class Recorder:
    """Appends to the files of one folder, which nobody else may write to.

    ``repaired`` says what was cut off at opening, empty for nothing. ``add`` records at once: the
    record is in the hands of the system when it returns, and with ``is_durable`` on the disk.
    ``put`` only takes note; ``write`` and ``sync`` record what was put, keep it while the disk does
    not take it, and may be called from another thread.
    """

    def __init__(self, folder: Path, *, is_durable: bool = True, kind: str = "bars") -> None:
        """Open the folder, made when missing, and check its last file; ``kind``: bars or frames.

        Raises:
            FeedError: the last file is damaged, or the folder cannot be used.
        """
        self.repaired = ""
        self._folder = folder
        self._kind = kind
        self._is_durable = is_durable
        self._chain = NO_CHAIN
        self._day = -1
        self._file = -1
        self._size = 0
        self._is_torn = False
        self._synced = (0, NO_CHAIN)
        self._waiting: deque[Row] = deque()
        self._unsynced: list[Row] = []
        self._lock = threading.Lock()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._continue(segments(folder, kind))
        except OSError as error:
            raise self._failed(error) from error

    def add(self, closed: BarClosed) -> None:
        """Record an accepted bar.

        Raises:
            FeedError: it cannot be written; what was written before is whole.
        """
        self._add(_row(closed))

    def add_frame(self, at_ns: int, frame: bytes | str) -> None:
        """Record a frame as it came; bytes that are no text are kept as escapes.

        Raises:
            FeedError: it cannot be written.
        """
        text = frame if isinstance(frame, str) else frame.decode("utf-8", "backslashreplace")
        self._add(Frame(at_ns, text))

    def put(self, closed: BarClosed) -> None:
        """Take note of an accepted bar, to be recorded by the next ``write`` or ``sync``.

        Raises:
            FeedError: so many wait for the disk already that memory is not kept for more.
        """
        if len(self._waiting) >= MOST:
            raise FeedError(
                f"{len(self._waiting)} bars wait to be recorded below {self._folder}, and the disk"
                " takes none; free or mend it, then start again"
            )
        self._waiting.append(_row(closed))

    def write(self) -> bool:
        """Write what was put, unless another thread is at it; return whether the disk took it.

        Where it did not, the bars wait: ``sync`` meets the same trouble and says which.
        """
        if not self._lock.acquire(blocking=False):
            return True
        try:
            self._write_waiting()
        except OSError:
            return False
        finally:
            self._lock.release()
        return True

    def sync(self) -> None:
        """Return when everything that was put or added so far is on the disk.

        Raises:
            OSError: the disk does not take it; what was put is kept, to be written again.
        """
        with self._lock:
            self._write_waiting()
            if self._file < 0 or (self._size, self._chain) == self._synced:
                return
            try:
                os.fdatasync(self._file)
            except OSError:
                self._take_back()
                raise
            self._is_synced()

    def close(self) -> None:
        """Write out and close the file; twice is once.

        Raises:
            FeedError: the disk does not take it.
        """
        try:
            self.sync()
            if self._file >= 0:
                os.fsync(self._file)
        except OSError as error:
            raise self._failed(error) from error
        finally:
            if self._file >= 0:
                os.close(self._file)
                self._file = -1

    def __enter__(self) -> Self:
        """Return the recorder."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()

    def _add(self, record: Row | Frame) -> None:
        with self._lock:
            try:
                self._write_waiting()
                self._append([record])
                if self._is_durable:
                    os.fdatasync(self._file)
            except OSError as error:
                raise self._failed(error) from error

    def _failed(self, error: OSError) -> FeedError:
        return FeedError(f"cannot record below {self._folder}: {error.strerror}")

    def _write_waiting(self) -> None:
        """Write what was put, the records of a day together; keep it until it is synced."""
        while self._waiting:
            _, group = next(groupby(tuple(self._waiting), self._day_of))
            now = list(group)
            self._append(now)
            for _ in now:
                self._waiting.popleft()
            self._unsynced += now

    def _day_of(self, record: Row | Frame) -> int:
        # A clock that was set back does not open an older file again.
        return max(self._day, record.at // DAY_NS)

    def _append(self, records: Sequence[Row | Frame]) -> None:
        """Write records of one day."""
        day = self._day_of(records[0])
        if day != self._day or self._file < 0:
            self._open(day)
        self._write(records)

    def _open(self, day: int) -> None:
        """Go on with the file of a day, or begin it."""
        if self._file >= 0:
            self._cut()
            try:
                os.fsync(self._file)
            except OSError:
                self._take_back()
                raise
            os.close(self._file)
            self._file = -1
        text = day_text(day + EPOCH_ORDINAL)
        path = self._folder / f"{self._kind}-{text}.jsonl"
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        self._size = os.fstat(self._file).st_size
        if self._size == 0:
            self._write([Head(FORMAT, text, self._chain)])
            _sync_folder(self._folder)
        self._day = day  # only now: what fails before is begun again
        self._is_synced()

    def _write(self, records: Sequence[Head | Row | Frame]) -> None:
        """Write whole lines, or leave the file as it was."""
        self._cut()
        chain, parts = self._chain, []
        for record in records:
            text = _ENCODER.encode(record)
            chain = next_chain(chain, text)
            parts.append(b"%b\t%b\n" % (text, chain.encode()))
        content = b"".join(parts)
        self._is_torn = True
        written = os.write(self._file, content)
        if written < len(content):
            with suppress(OSError):
                self._cut()
            problem = f"only {written} of {len(content)} bytes were taken; is it full?"
            raise OSError(errno.ENOSPC, problem)
        self._is_torn = False
        self._size += len(content)
        self._chain = chain

    def _cut(self) -> None:
        """Cut off what a failed write left behind."""
        if self._is_torn:
            os.ftruncate(self._file, self._size)
            self._is_torn = False

    def _is_synced(self) -> None:
        self._synced = self._size, self._chain
        self._unsynced.clear()

    def _take_back(self) -> None:
        """Go back to what is on the disk for sure: after a failed sync the rest is unknown."""
        self._size, self._chain = self._synced
        self._is_torn = True
        self._waiting.extendleft(reversed(self._unsynced))
        self._unsynced.clear()

    def _continue(self, paths: list[Path]) -> None:
        """Take up the chain at the end of the last file, after cutting off what was torn."""
        if not paths:
            return
        path = paths[-1]
        self._day = _day_of(path)
        content = path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            self.repaired = f"{path.name}: {len(content) - whole} bytes of a torn record cut off"
            os.truncate(path, whole)
        if not whole:
            # Not even its head was written: what was before it says how the chain goes on.
            self._chain = last_chain(paths[-2]) if len(paths) > 1 else NO_CHAIN
            return
        for _, chain in lines(path, None):
            self._chain = chain


def _row(closed: BarClosed) -> Row:
    bar = closed.bar
    volume = None if math.isnan(bar.volume) else bar.volume
    return Row(
        closed.at_ns, closed.symbol, closed.interval_ns, bar.open_ns,
        (bar.open, bar.high, bar.low, bar.close), volume, closed.provenance,
    )  # fmt: skip


def _sync_folder(folder: Path) -> None:
    """Make the name of a new file durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _day_of(path: Path) -> int:
    return date.fromisoformat(path.stem.partition("-")[2]).toordinal() - EPOCH_ORDINAL
