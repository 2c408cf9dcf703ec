"""Reading one equity file: CSV with the columns ``timestamp`` and ``equity``, oldest row first.

A file is taken whole or refused with one reason that names the line; nothing is repaired, sorted or
guessed. Stamps are ISO 8601: all with one offset, or all without any, which is UTC.
"""

from __future__ import annotations

import csv
import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from adapters.feeds.files.stamps import iso_ns
from daemon.core.plain import plain
from daemon.reports.metrics_correlation import spacing_ns
from state.errors import FeedError

Floats = NDArray[np.float64]
Instants = NDArray[np.int64]

FILE_BYTES: Final = 256 << 20
"""A larger file is no equity curve; the limit keeps memory bounded."""
LINE_BYTES: Final = 1 << 16
MOST: Final = 1e15
"""An equity beyond this is no amount of money, and sums of it would lose cents."""

_COLUMNS: Final = ("timestamp", "equity")
_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_OFFSET: Final = re.compile(r"(Z|[+-]\d\d(?::?\d\d)?)$", re.ASCII)
_BOM: Final = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Curve:
    """An equity curve: ``stamps_ns`` (n,) UTC, strictly ascending; ``equity`` (n,) finite."""

    stamps_ns: Instants
    equity: Floats

    @cached_property
    def spacing_ns(self) -> float:
        """The median distance of two points, worked out once; the longest there is below two."""
        return spacing_ns(self.stamps_ns)

    def __len__(self) -> int:
        """Return the number of points."""
        return len(self.stamps_ns)


def read_curve(path: Path, *, least: int = 2) -> Curve:
    """Read a file of at least ``least`` rows.

    Raises:
        FeedError: it is no equity curve; the text is the reason alone, without the file's name.
    """
    content = _content(path)
    names = _header(content)
    fast, refusal = _columns(content, names)
    if fast is None or not _is_sound(fast) or not _has_one_zone(content, names, len(fast)):
        fault = _first_fault(content, names)
        if fault is not None:
            raise FeedError(fault)
    if fast is None:
        raise FeedError(f"cannot be read: {plain(refusal)[:200]}")
    if len(fast) < least:
        raise FeedError(_too_short(len(fast)))
    return fast


def _too_short(rows: int) -> str:
    if rows == 0:
        return "has a header and no row"
    return "has one row; a curve needs two points at least"


def _content(path: Path) -> bytes:
    """Return the bytes of a regular file of reasonable size that is text."""
    try:
        found = os.stat(path)
        if not stat.S_ISREG(found.st_mode):
            raise FeedError("is a folder" if stat.S_ISDIR(found.st_mode) else "is no regular file")
        if found.st_size > FILE_BYTES:
            raise FeedError(f"has {found.st_size >> 20} MiB; the most is {FILE_BYTES >> 20} MiB")
        content = path.read_bytes().removeprefix(_BOM)
    except PermissionError:
        raise FeedError("may not be read by this user; check owner and mode") from None
    except OSError as error:
        raise FeedError(f"cannot be read: {error.strerror or error}") from None
    if not content[:LINE_BYTES].strip() and not content.strip():
        raise FeedError("is empty" if not content else "has only blank lines")
    if b"\0" in content[:LINE_BYTES]:
        raise FeedError(f"is binary, not text; begins {_shown(content[:20])}")
    return content


def _header(content: bytes) -> list[str]:
    """Return the names of the columns, in the file's order."""
    line = content[: LINE_BYTES + 1].split(b"\n", 1)[0]
    if len(line) > LINE_BYTES:
        raise FeedError(f"line 1 is longer than {LINE_BYTES >> 10} KiB; begins {_shown(line[:20])}")
    try:
        names = [one.strip().strip('"') for one in line.decode("utf-8").split(",")]
    except UnicodeDecodeError:
        raise FeedError(f"is not UTF-8 text; begins {_shown(line[:20])}") from None
    for wanted in _COLUMNS:
        if names.count(wanted) != 1:
            what = "has no column" if wanted not in names else "has more than one column"
            raise FeedError(
                f"{what} {wanted!r}; line 1 is {_shown(line)}, wanted is 'timestamp,equity'"
            )
    return names


def _columns(content: bytes, names: Sequence[str]) -> tuple[Curve | None, str]:
    """Read both columns at once; None with the reader's words when any row resists."""
    import pyarrow as pa
    from pyarrow import csv as arrow

    zone = "UTC" if _offset_of(_first_stamp(content, names)) is not None else None
    try:
        table = arrow.read_csv(
            # It reads bytes where they are; a file object of Python it would ask piece by piece.
            cast("Any", pa.BufferReader(content)),
            read_options=arrow.ReadOptions(
                column_names=list(names),
                skip_rows=1,
                use_threads=False,
                block_size=len(content) + 1,
            ),
            convert_options=arrow.ConvertOptions(
                column_types={"timestamp": pa.timestamp("ns", tz=zone), "equity": pa.float64()},
                include_columns=list(_COLUMNS),
                null_values=[],
            ),
            # The default pool hands its pages back after every file and faults them in again.
            memory_pool=pa.system_memory_pool(),
        )
    except (pa.ArrowException, ValueError) as error:
        return None, str(error)
    stamps: Instants = table["timestamp"].cast(pa.int64()).to_numpy()
    equity: Floats = table["equity"].to_numpy()
    return Curve(stamps, equity), ""


def _is_sound(curve: Curve) -> bool:
    """Whether stamps ascend and amounts are amounts; NaN fails the comparison."""
    stamps, equity = curve.stamps_ns, curve.equity
    return bool(np.all(stamps[1:] > stamps[:-1])) and bool(np.all(np.abs(equity) <= MOST))


def _has_one_zone(content: bytes, names: Sequence[str], rows: int) -> bool:
    """Whether every stamp surely ends like the first one; False: look closer."""
    offset = _offset_of(_first_stamp(content, names))
    if offset is None:
        return True
    return tuple(names) == _COLUMNS and content.count(offset.encode() + b",") == rows


def _first_stamp(content: bytes, names: Sequence[str]) -> str:
    end = content.find(b"\n")
    line = content[end + 1 : end + 1 + LINE_BYTES].lstrip(b"\r\n").split(b"\n", 1)[0]
    fields = line.decode("utf-8", "replace").split(",")
    place = names.index("timestamp")
    return fields[place].strip().strip('"') if end >= 0 and len(fields) > place else ""


def _offset_of(stamp: str) -> str | None:
    found = _OFFSET.search(stamp[10:])
    return found.group(1) if found else None


# Naming the first fault --------------------------------------------------------------------------


def _first_fault(content: bytes, names: Sequence[str]) -> str | None:
    """Walk the rows and say what is wrong with the first bad one; None when all are well."""
    at, worth = (names.index(one) for one in _COLUMNS)
    last: int | None = None
    zone: str | None = None
    for number, fields in _rows(content):
        if isinstance(fields, str):
            return f"line {number} {fields}"
        if len(fields) != len(names):
            return f"line {number} has {len(fields)} fields, the header has {len(names)}"
        stamp, amount = fields[at].strip(), fields[worth].strip()
        instant = iso_ns(stamp)
        fault = _amount_fault(amount)
        if instant is None:
            fault = f"timestamp {_shown(stamp)} is no ISO 8601 instant of 1678-2261"
        elif fault is None:
            offset = _zone_name(stamp, instant)
            zone = offset if zone is None else zone
            fault = _order_fault(instant[0], last, stamp) if offset == zone else None
            if offset != zone:
                fault = f"mixes zones: {_shown(stamp)} is in {offset}, the rows before in {zone}"
            last = instant[0]
        if fault is not None:
            return f"line {number}: {fault}"
    return None


def _zone_name(stamp: str, instant: tuple[int, bool]) -> str:
    """Return the offset of a stamp, the same text for the same offset."""
    if not instant[1]:
        return "no zone"
    naive = iso_ns(_OFFSET.sub("", stamp))
    minutes = 0 if naive is None else (naive[0] - instant[0]) // 60_000_000_000
    return f"UTC{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"


def _amount_fault(text: str) -> str | None:
    if _NUMBER.fullmatch(text) is None:
        return f"equity {_shown(text)} is no finite number"
    if not abs(float(text)) <= MOST:
        return f"equity {_shown(text)} is beyond {MOST:g}"
    return None


def _order_fault(at: int, last: int | None, stamp: str) -> str | None:
    if last is None or at > last:
        return None
    if at == last:
        return f"timestamp {_shown(stamp)} is there twice"
    return f"timestamp {_shown(stamp)} is older than the row before; sort oldest first"


def _rows(content: bytes) -> Iterator[tuple[int, list[str] | str]]:
    """Yield (line number, fields) of each row, or a fault in place of the fields."""
    for number, line in enumerate(content.split(b"\n"), 1):
        bare = line.rstrip(b"\r")
        if number == 1 or not bare:
            continue
        if len(bare) > LINE_BYTES:
            yield number, f"is longer than {LINE_BYTES >> 10} KiB; begins {_shown(bare[:20])}"
            return
        if b"\0" in bare:
            yield number, f"holds a NUL byte; begins {_shown(bare[:20])}"
            return
        try:
            yield number, next(csv.reader([bare.decode("utf-8")], strict=True), [])
        except (UnicodeDecodeError, csv.Error):
            yield number, f"cannot be split into fields; it is {_shown(bare[:40])}"
            return


def _shown(text: str | bytes) -> str:
    """Return at most 40 characters of a text from a file, quoted, safe for a terminal."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace").rstrip("\r")
    return repr(plain(text if len(text) <= 40 else text[:37] + "..."))
