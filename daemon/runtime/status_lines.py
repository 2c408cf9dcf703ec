"""Reading status and event lines back, across the files of several days. It writes nothing.

A torn last line (a crash, or a writer in the middle of one) is left out.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import msgspec

from daemon.core.status import StatusObject
from daemon.runtime.status_file import STEM

_CHUNK_BYTES: Final = 65_536
_LINE_BYTES: Final = 4_194_304
"""No line is longer; what is longer is not ours."""

_DECODER: Final = msgspec.json.Decoder(StatusObject)


def dated_files(folder: Path, stem: str) -> list[Path]:
    """Return the files ``<stem>YYYYMMDD.jsonl`` of a folder, oldest first."""
    return sorted(folder.glob(f"{stem}[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9].jsonl"))


def last_lines(folder: Path, stem: str, count: int) -> list[bytes]:
    """Return the last ``count`` whole lines over all files, oldest first."""
    found: list[bytes] = []
    for path in reversed(dated_files(folder, stem)):
        found = _tail(path, count - len(found)) + found
        if len(found) >= count:
            break
    return found


def last_status(run_folder: Path) -> StatusObject | None:
    """Return the last status object of a run that can be read, None without one."""
    for line in reversed(last_lines(run_folder / "logs", STEM, 3)):
        try:
            return _DECODER.decode(line)
        except msgspec.MsgspecError:
            continue
    return None


def last_written_ns(run_folder: Path) -> int | None:
    """Return when the newest status file was written to, by the host's clock; None without one."""
    for path in reversed(dated_files(run_folder / "logs", STEM)):
        try:
            return path.stat().st_mtime_ns
        except OSError:
            continue
    return None


def _tail(path: Path, count: int) -> list[bytes]:
    """Return the last whole lines of one file, reading from its end."""
    if count <= 0:
        return []
    try:
        with path.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            content = b""
            limit = _LINE_BYTES * min(count, 4) + _CHUNK_BYTES
            while end > 0 and content.count(b"\n") <= count and len(content) < limit:
                start = max(0, end - _CHUNK_BYTES)
                file.seek(start)
                content = file.read(end - start) + content
                end = start
    except OSError:
        return []
    lines = content.split(b"\n")
    whole = lines[:-1] if end == 0 else lines[1:-1]
    return [line for line in whole if line][-count:]


class Follower:
    """Hands out the lines that are appended after it was made, from file to file."""

    def __init__(self, folder: Path, stem: str) -> None:
        """Begin after the last whole line of the newest file: what is torn may yet be written."""
        self._folder = folder
        self._stem = stem
        files = dated_files(folder, stem)
        self._path = files[-1] if files else None
        self._offset = 0 if self._path is None else _line_end(self._path)

    def lines(self) -> list[bytes]:
        """Return the whole lines that came since the last call."""
        found: list[bytes] = []
        for path in dated_files(self._folder, self._stem):
            if self._path is not None and path < self._path:
                continue
            if path != self._path:
                self._path, self._offset = path, 0
            found += self._more(path)
        return found

    def _more(self, path: Path) -> list[bytes]:
        if _size(path) < self._offset:  # a torn line was cut off
            self._offset = _size(path)
        try:
            with path.open("rb") as file:
                file.seek(self._offset)
                content = file.read(_LINE_BYTES * 4)
        except OSError:
            return []
        end = content.rfind(b"\n") + 1
        self._offset += end
        return [line for line in content[:end].split(b"\n") if line]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _line_end(path: Path) -> int:
    """Return where the last whole line of a file ends."""
    try:
        with path.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            while end > 0:
                start = max(0, end - _CHUNK_BYTES)
                file.seek(start)
                found = file.read(end - start).rfind(b"\n")
                if found >= 0:
                    return start + found + 1
                end = start
    except OSError:
        pass
    return 0
