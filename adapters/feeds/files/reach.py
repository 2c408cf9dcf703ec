"""About where a bar file begins and ends, told without reading it; for progress bars only.

Stamps are taken as they stand (a wall clock counts as UTC), so the answer may be hours off.
"""

from __future__ import annotations

from typing import Final

from adapters.feeds.files import parquet
from adapters.feeds.files.layout import split
from adapters.feeds.files.source import BarSource, sample_stamps

_TAIL_BYTES: Final = 4096


def reach(source: BarSource) -> tuple[int, int]:
    """Return about the first and the last stamp in ns; 0 where it cannot be told quickly."""
    stamps = sample_stamps(source.head, source.layout)
    if not len(stamps):
        return 0, 0
    if source.head.is_parquet:
        end = parquet.last_stamp(source.spec.path, source.layout)
    else:
        end = _last_line(source)
    known = [int(stamps.min()), int(stamps.max()), *([end] if end else [])]
    return min(known), max(known)


def _last_line(source: BarSource) -> int:
    """Return the stamp of the last whole line, 0 when it has none."""
    try:
        with source.spec.path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - _TAIL_BYTES))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return 0
    for line in reversed(lines[1:]):
        row = split(line, source.layout.delimiter)
        if len(row) > max(source.layout.time):
            found = source.layout.read_stamp(row)
            if found is not None:
                return found
    return 0
