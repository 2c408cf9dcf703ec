"""The recorder: every accepted bar of a live feed in files that say when they were changed (F6).

One file a UTC day, append-only, one record a line: JSON, a tab, and the first 16 bytes of the
BLAKE2b of the line before's chain and this JSON, in hex. A file begins with a head that carries the
end of the chain before it. A line that was torn at the end of the last file is cut off when the
recorder opens, and said; anything else that does not fit is damage, and nothing is repaired.
"""

from __future__ import annotations

import math
import os
from contextlib import suppress
from datetime import date
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

_ENCODER: Final = msgspec.json.Encoder()


class Recorder:
    """Appends to the files of one folder, which nobody else may write to.

    ``repaired`` says what was cut off at opening, empty for nothing. A record is in the hands of
    the system when a method returns; with ``is_durable`` it is on the disk.
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
        self._is_known = False
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._continue(segments(folder, kind))
        except OSError as error:
            raise FeedError(f"cannot record below {folder}: {error.strerror}") from error

    def add(self, closed: BarClosed) -> None:
        """Record an accepted bar.

        Raises:
            FeedError: it cannot be written; what was written before is whole.
        """
        bar = closed.bar
        volume = None if math.isnan(bar.volume) else bar.volume
        prices = (bar.open, bar.high, bar.low, bar.close)
        row = Row(
            closed.at_ns, closed.symbol, closed.interval_ns, bar.open_ns, prices, volume,
            closed.provenance,
        )  # fmt: skip
        self._append(closed.at_ns, row)

    def add_frame(self, at_ns: int, frame: bytes | str) -> None:
        """Record a frame as it came; bytes that are no text are kept as escapes.

        Raises:
            FeedError: it cannot be written.
        """
        text = frame if isinstance(frame, str) else frame.decode("utf-8", "backslashreplace")
        self._append(at_ns, Frame(at_ns, text))

    def sync(self) -> None:
        """Return when everything recorded so far is on the disk; may be called from any thread.

        Raises:
            OSError: the disk does not take it.
        """
        if self._file >= 0:
            os.fdatasync(self._file)

    def close(self) -> None:
        """Write out and close the file; twice is once."""
        if self._file >= 0:
            os.fsync(self._file)
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

    def _append(self, at_ns: int, record: Row | Frame) -> None:
        # A clock that was set back does not open an older file again.
        day = max(self._day, at_ns // DAY_NS)
        try:
            if day != self._day or self._file < 0:
                self._open(day)
            self._write(record)
        except OSError as error:
            raise FeedError(f"cannot record below {self._folder}: {error.strerror}") from error

    def _abandon(self) -> None:
        """Let go of a file whose end is not known; it is looked at before anything follows."""
        handle, self._file, self._is_known = self._file, -1, False
        with suppress(OSError):
            os.close(handle)

    def _open(self, day: int) -> None:
        """Go on with the file of a day, or begin it."""
        self.close()
        if not self._is_known:
            self._continue(segments(self._folder, self._kind))
        text = day_text(day + EPOCH_ORDINAL)
        path = self._folder / f"{self._kind}-{text}.jsonl"
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        self._day = day
        if os.fstat(self._file).st_size == 0:
            self._write(Head(FORMAT, text, self._chain))
            _sync_folder(self._folder)

    def _write(self, record: Head | Row | Frame) -> None:
        """Write one line whole, or leave the file as it was."""
        text = _ENCODER.encode(record)
        chain = next_chain(self._chain, text)
        line = b"%b\t%b\n" % (text, chain.encode())
        size = os.fstat(self._file).st_size
        try:
            written = os.write(self._file, line)
            if written < len(line):
                raise OSError(0, f"only {written} of {len(line)} bytes were taken; is it full?")
            if self._is_durable:
                os.fdatasync(self._file)
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._file, size)
            self._abandon()
            raise
        self._chain = chain

    def _continue(self, paths: list[Path]) -> None:
        """Take up the chain at the end of the last file, after cutting off what was torn."""
        self._is_known = True
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


def _sync_folder(folder: Path) -> None:
    """Make the name of a new file durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _day_of(path: Path) -> int:
    return date.fromisoformat(path.stem.partition("-")[2]).toordinal() - EPOCH_ORDINAL
