"""Recordings: what the recorder's files hold, and how they are read back and proved (F6).

Every record carries the chain of all before it, so that what was changed, lost or put in between is
named by file and line. Reading changes nothing.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from adapters.feeds.events import BarClosed
from state.bars import Bar
from state.errors import FeedError

if TYPE_CHECKING:
    from adapters.feeds.columns import Columns

FORMAT: Final = 1
NO_CHAIN: Final = "0" * 32
"""The chain before the first record of all."""

_NAME: Final = re.compile(r"(bars|frames)-\d{4}-\d\d-\d\d\.jsonl")


class RecordedBar(msgspec.Struct, frozen=True, gc=False):
    """A bar as it was handed over at ``at_ns``; ``provenance`` is live or filled."""

    symbol: str
    interval_ns: int
    bar: Bar
    provenance: str
    at_ns: int


class Head(msgspec.Struct, tag="head", tag_field="t"):
    """The first line of a file: its day, and the chain at the end of the file before it."""

    format: int
    day: str
    before: str


class Row(msgspec.Struct, tag="bar", tag_field="t"):
    """A bar: handed over at ``at``, opening at ``o``, of interval ``i``, from where ``f``.

    ``p`` is open, high, low, close; ``v`` is None where the source has no volume.

    A float is written in the shortest digits that read back as the same float.
    """

    at: int
    s: str
    i: int
    o: int
    p: tuple[float, float, float, float]
    v: float | None
    f: str


class Frame(msgspec.Struct, tag="frame", tag_field="t"):
    """A frame as it came at ``at``."""

    at: int
    x: str


_DECODER: Final = msgspec.json.Decoder(Head | Row | Frame)


def segments(folder: Path, kind: str = "bars") -> list[Path]:
    """Return the files of a folder, oldest first."""
    return sorted(
        path
        for path in folder.iterdir()
        if (found := _NAME.fullmatch(path.name)) and found[1] == kind
    )


def read_segments(folder: Path) -> Iterator[RecordedBar]:
    """Yield the recorded bars of a folder in the order in which they were handed over.

    A torn record at the very end is left out: a recorder cuts it off when it opens.

    Raises:
        FeedError: the first record that is damaged, missing or not of this chain, by file and line.
    """
    for record in _records(folder, "bars"):
        if isinstance(record, Row):
            volume = math.nan if record.v is None else record.v
            bar = Bar(record.o, record.o + record.i, *record.p, volume)
            yield RecordedBar(record.s, record.i, bar, record.f, record.at)


def read_frames(folder: Path) -> Iterator[tuple[int, str]]:
    """Yield the recorded frames of a folder with the instants at which they came.

    Raises:
        FeedError: the first record that is damaged.
    """
    for record in _records(folder, "frames"):
        if isinstance(record, Frame):
            yield record.at, record.x


def recorded_batches(
    folder: Path, symbol: str, interval_ns: int, rows: int = 4096
) -> Iterator[Columns]:
    """Yield the recorded bars of one series as every bar source does, to be replayed.

    Raises:
        FeedError: the record is damaged.
    """
    bars: list[Bar] = []
    for one in read_segments(folder):
        if one.symbol == symbol and one.interval_ns == interval_ns:
            bars.append(one.bar)
            if len(bars) == rows:
                yield _columns(bars)
                bars = []
    if bars:
        yield _columns(bars)


def _columns(bars: list[Bar]) -> Columns:
    import numpy as np

    from adapters.feeds.columns import Columns

    names = ("open", "high", "low", "close", "volume")
    return Columns(
        np.array([one.open_ns for one in bars], np.int64),
        *(np.array([getattr(one, name) for one in bars], np.float64) for name in names),
    )


def _records(folder: Path, kind: str) -> Iterator[Head | Row | Frame]:
    """Yield all records of a folder, the chain checked from file to file."""
    paths = segments(folder, kind)
    before: str | None = None
    for path in paths:
        chain = before
        for record, after in lines(path, before, is_last=path == paths[-1]):
            chain = after
            yield record
        if chain is before and path != paths[-1]:
            raise FeedError(f"{path}: expected records, found none")
        before = chain


def lines(
    path: Path, before: str | None, *, is_last: bool = True
) -> Iterator[tuple[Head | Row | Frame, str]]:
    """Yield the records of a file with the chain after each.

    Raises:
        FeedError: names the file, the line and what was expected of it.
    """
    chain = before or NO_CHAIN
    with open(path, "rb") as file:
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                if is_last:
                    return
                raise FeedError(f"{path}:{number}: expected a whole record, found a torn one")
            record, said = _record(line, f"{path}:{number}")
            if number == 1:
                chain = _begun(record, path, before)
            elif isinstance(record, Head):
                raise FeedError(f"{path}:{number}: expected a record, found a second head")
            chain = next_chain(chain, line[: line.rindex(b"\t")])
            if chain != said:
                raise FeedError(
                    f"{path}:{number}: the record does not follow from the one before it: it was "
                    "changed, or records before it are missing"
                )
            yield record, chain


def _begun(record: Head | Row | Frame, path: Path, before: str | None) -> str:
    """Return the chain that a file begins with."""
    if not isinstance(record, Head):
        raise FeedError(f"{path}:1: expected the head of a file, found a record")
    if record.format != FORMAT:
        raise FeedError(f"{path}:1: expected format {FORMAT}, found {record.format}")
    if before is not None and record.before != before:
        raise FeedError(
            f"{path}:1: it does not follow from the file before it: a file between them is missing"
        )
    return record.before


def _record(line: bytes, where: str) -> tuple[Head | Row | Frame, str]:
    text, _, chain = line.rstrip(b"\n").rpartition(b"\t")
    try:
        return _DECODER.decode(text), chain.decode("ascii")
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise FeedError(f"{where}: expected a record, found {line[:60]!r} ({error})") from error


def last_chain(path: Path) -> str:
    """Return the chain at the end of a file that is whole."""
    found = NO_CHAIN
    for _, chain in lines(path, None, is_last=False):
        found = chain
    return found


def next_chain(chain: str, text: bytes) -> str:
    """Return the chain after a record."""
    return hashlib.blake2b(chain.encode() + text, digest_size=16).hexdigest()


def replayed(bars: Iterable[RecordedBar]) -> Iterator[BarClosed]:
    """Yield recorded bars as a feed hands them over, with the provenance and instant they had."""
    for one in bars:
        yield BarClosed(one.symbol, one.interval_ns, one.bar, one.provenance, one.at_ns)
