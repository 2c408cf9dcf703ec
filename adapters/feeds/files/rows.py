"""Rows: blocks of text to arrays of numbers, fast where they are clean, careful where not.

A block is first given to the columnar reader whole. A block it cannot read is halved until the
pieces are small, and those are read line by line; so one bad row costs little and is named by
line. Nothing is judged here but readability.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from adapters.feeds.files import stamps
from adapters.feeds.files.arrays import floats, integers
from adapters.feeds.files.blocks import Block, Head, backwards, forwards
from adapters.feeds.files.layout import PRICE_NAMES, Clock, Layout, shown, split
from adapters.feeds.files.spec import UNREADABLE_NUMBER, UNREADABLE_TIME, WRONG_FIELDS, Tally

Floats = NDArray[np.float64]
Quad = tuple[Floats, Floats, Floats, Floats]
_CAREFUL_LINES: Final = 128
_NUMBER: Final = re.compile(
    r"[+-]?(?:\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?|nan|inf|infinity)",
    re.ASCII | re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class RawRows:
    """Readable rows, in the order of the file (oldest first unless the file is newest first).

    ``lines`` (n,) int64: line, or row of a Parquet file, 1-based. ``stamps`` (n,) int64 ns as the
    file says them: UTC, or wall time as if UTC. ``first`` holds open, high, low, close as the file
    has them (the bid when there are two sides), ``ask`` the other side; ``volume`` NaN where none.
    """

    lines: NDArray[np.int64]
    stamps: NDArray[np.int64]
    first: Quad
    ask: Quad | None
    volume: Floats

    def take(self, keep: NDArray[np.bool_] | slice) -> RawRows:
        """Return the rows that ``keep`` (a mask or a slice) picks."""
        return RawRows(
            self.lines[keep],
            self.stamps[keep],
            _take(self.first, keep),
            None if self.ask is None else _take(self.ask, keep),
            self.volume[keep],
        )


def read_rows(head: Head, layout: Layout, tally: Tally) -> Iterator[RawRows]:
    """Yield the readable rows of a text file, oldest first; what cannot be read goes to ``tally``.

    Raises:
        FeedError: the file cannot be read as bytes.
    """
    if not layout.newest_first:
        for block in forwards(head, layout.header_lines):
            yield from parse(block, layout, tally)
        return
    for block in backwards(head, layout.header_lines):
        for rows in reversed(list(parse(block, layout, tally))):
            yield rows.take(slice(None, None, -1))


def parse(block: Block, layout: Layout, tally: Tally) -> Iterator[RawRows]:
    """Yield the readable rows of one block, in the order of the file."""
    lines = block.body.count(b"\n") + (not block.body.endswith(b"\n"))
    rows = _fast(block, layout, lines)
    if rows is not None:
        yield rows
        return
    cut = block.body.find(b"\n", len(block.body) // 2) + 1
    if lines <= _CAREFUL_LINES or not 0 < cut < len(block.body):
        yield from _careful(block, layout, tally)
        return
    upper = Block(block.first_line, block.body[:cut])
    yield from parse(upper, layout, tally)
    yield from parse(
        Block(block.first_line + upper.body.count(b"\n"), block.body[cut:]), layout, tally
    )


def _take(quad: Quad, keep: NDArray[np.bool_] | slice) -> Quad:
    return quad[0][keep], quad[1][keep], quad[2][keep], quad[3][keep]


def _fast(block: Block, layout: Layout, lines: int) -> RawRows | None:
    """Read a block column by column; None when any row of it needs care."""
    import pyarrow as pa
    from pyarrow import csv

    names = [str(i) for i in range(layout.fields)]
    numbers = _number_places(layout)
    types: dict[str, Any] = {str(i): pa.float64() for i in numbers}
    types.update({str(i): _stamp_type(layout) for i in layout.time})
    try:
        table = csv.read_csv(
            io.BytesIO(block.body),
            read_options=csv.ReadOptions(
                column_names=names, use_threads=False, block_size=len(block.body) + 1
            ),
            parse_options=csv.ParseOptions(delimiter=layout.delimiter, ignore_empty_lines=False),
            convert_options=csv.ConvertOptions(
                column_types=types,
                include_columns=list(types),
                null_values=[""],
                strings_can_be_null=False,
            ),
        )
    except (pa.ArrowInvalid, pa.ArrowKeyError):
        return None
    if table.num_rows != lines:
        return None
    columns = {int(name): table.column(name).combine_chunks() for name in types}
    if any(columns[i].null_count for i in columns if i != layout.volume):
        return None
    at = _stamp_column(columns, layout)
    if at is None:
        return None
    price = {i: floats(columns[i]) for i in numbers}
    return RawRows(
        np.arange(block.first_line, block.first_line + lines, dtype=np.int64),
        at,
        _quad(price, layout.price),
        None if layout.ask is None else _quad(price, layout.ask),
        _volume(price, layout, lines),
    )


def _stamp_type(layout: Layout) -> Any:  # noqa: ANN401  (pyarrow's types have no common name)
    import pyarrow as pa

    if layout.clock is Clock.OFFSET:
        return pa.timestamp("ns", "UTC")
    if layout.clock is Clock.LOCAL:
        return pa.timestamp("ns")
    return pa.int64() if layout.clock is Clock.EPOCH else pa.binary()


def _stamp_column(columns: dict[int, Any], layout: Layout) -> NDArray[np.int64] | None:
    if layout.clock is Clock.TEMPLATE:
        return _template_column(columns, layout)
    at = integers(columns[layout.time[0]])
    if layout.clock is not Clock.EPOCH:
        return at
    if len(at) and (int(at.min()) < 0 or int(at.max()) >= (1 << 63) // layout.unit_ns):
        return None
    return at * layout.unit_ns


def _template_column(columns: dict[int, Any], layout: Layout) -> NDArray[np.int64] | None:
    total: NDArray[np.int64] | None = None
    for place, template in zip(layout.time, layout.templates, strict=True):
        column = columns[place]
        _, offsets_buffer, text = column.buffers()
        n, width = len(column), len(template)
        offsets = np.frombuffer(offsets_buffer, np.int32)[column.offset : column.offset + n + 1]
        if n == 0 or not bool(np.all(np.diff(offsets) == width)):
            return None
        begin = int(offsets[0])
        matrix = np.frombuffer(text, np.uint8)[begin : begin + n * width].reshape(n, width)
        part = stamps.template_column(matrix, template)
        if part is None:
            return None
        total = part if total is None else total + part
    return total


def _number_places(layout: Layout) -> list[int]:
    volume = () if layout.volume is None else (layout.volume,)
    return [*layout.price, *(layout.ask or ()), *volume]


def _quad(price: dict[int, Floats], places: tuple[int, int, int, int]) -> Quad:
    return price[places[0]], price[places[1]], price[places[2]], price[places[3]]


def _volume(price: dict[int, Floats], layout: Layout, n: int) -> Floats:
    return np.full(n, np.nan) if layout.volume is None else price[layout.volume]


def _careful(block: Block, layout: Layout, tally: Tally) -> Iterator[RawRows]:
    """Read a block line by line; every bad line is counted with its number and its reason."""
    lines: list[int] = []
    at: list[int] = []
    values: list[list[float]] = []
    numbers = _number_places(layout)
    body = block.body.removesuffix(b"\n").decode("utf-8", "replace")
    for number, line in enumerate(body.split("\n"), block.first_line):
        if not line.strip():
            continue
        row = split(line.rstrip("\r"), layout.delimiter)
        if len(row) != layout.fields:
            tally.add(
                WRONG_FIELDS,
                f"line {number}: {len(row)} fields, expected {layout.fields}: {shown(line)}",
            )
            continue
        stamp = layout.read_stamp(row)
        if stamp is None:
            text = " ".join(row[i] for i in layout.time)
            tally.add(UNREADABLE_TIME, f"line {number}: {shown(text)} is no time of this file")
            continue
        read = _numbers(row, numbers, layout, number, tally)
        if read is not None:
            lines.append(number)
            at.append(stamp)
            values.append(read)
    if lines:
        table = np.ascontiguousarray(np.array(values, np.float64).T)
        price = dict(zip(numbers, table, strict=True))
        yield RawRows(
            np.array(lines, np.int64),
            np.array(at, np.int64),
            _quad(price, layout.price),
            None if layout.ask is None else _quad(price, layout.ask),
            _volume(price, layout, len(lines)),
        )


def _numbers(
    row: Sequence[str], places: list[int], layout: Layout, line: int, tally: Tally
) -> list[float] | None:
    read: list[float] = []
    for place in places:
        text = row[place].strip()
        if not text and place == layout.volume:
            read.append(math.nan)
        elif _NUMBER.fullmatch(text):
            read.append(float(text))
        else:
            name = layout.names[place] if place < len(layout.names) else PRICE_NAMES[0]
            tally.add(UNREADABLE_NUMBER, f"line {line}: {name} is {shown(text)}, not a number")
            return None
    return read
