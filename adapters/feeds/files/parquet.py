"""Parquet: columns ``ts, open, high, low, close[, volume]``, and ``ask_open..ask_close``.

``ts`` is the bar's open as a timestamp; with a time zone it is an instant, without it is wall time.
Read in batches, never whole. Same names as the other dialects, but a schema instead of lines.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from adapters.feeds.files.arrays import floats, integers, valid
from adapters.feeds.files.layout import (
    ASK_NAMES,
    PRICE_NAMES,
    Clock,
    Layout,
    find_columns,
    quad,
)
from adapters.feeds.files.rows import Quad, RawRows
from adapters.feeds.files.spec import UNREADABLE_TIME, Tally
from state.errors import FeedError
from state.units import utc_ns

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

NAME: Final = "parquet"
LOOKS_LIKE: Final = "Parquet with columns ts, open, high, low, close[, volume][, ask_open...]"
_WHAT: Final = "Parquet"
_BATCH: Final = 65_536
_BUFFER: Final = 1 << 14


def recognise(path: Path) -> Layout:
    """Return the layout of a Parquet file from its schema.

    Raises:
        FeedError: damaged, no rows, a column missing or of a type that is no time or number.
    """
    try:
        return _layout(path)
    except UnicodeError as error:
        raise FeedError(f"is a damaged Parquet file: its schema is no text ({error})") from None


def _layout(path: Path) -> Layout:
    import pyarrow as pa

    with _opened(path) as file:
        schema = file.schema_arrow
        count = file.metadata.num_rows
    names = tuple(name.lower() for name in schema.names)
    has_ask = any(name in names for name in ASK_NAMES)
    wanted = {name: (name,) for name in ("ts", *PRICE_NAMES, *(ASK_NAMES if has_ask else ()))}
    if "volume" in names:
        wanted["volume"] = ("volume",)
    found = find_columns(names, wanted, _WHAT)
    _check_types(schema, found)
    if count == 0:
        raise FeedError("has a schema and no rows")
    zoned = schema.field(found["ts"]).type
    return Layout(
        dialect=NAME,
        delimiter="",
        header_lines=0,
        fields=len(names),
        time=(found["ts"],),
        price=quad(found, PRICE_NAMES),
        names=tuple(schema.names),
        clock=Clock.OFFSET if isinstance(zoned, pa.TimestampType) and zoned.tz else Clock.LOCAL,
        volume=found.get("volume"),
        ask=quad(found, ASK_NAMES) if has_ask else None,
    )


def read_rows(path: Path, layout: Layout, tally: Tally, batch: int = _BATCH) -> Iterator[RawRows]:
    """Yield the rows of a Parquet file; a row without ``ts`` goes to ``tally``.

    Raises:
        FeedError: a page is damaged or missing; says after which row.
    """
    import pyarrow as pa

    places = [*layout.price, *(layout.ask or ()), *layout.time]
    places += [] if layout.volume is None else [layout.volume]
    done = 0
    with _opened(path) as file:
        try:
            batches = file.iter_batches(
                batch, columns=[layout.names[i] for i in places], use_threads=False
            )
            for record in batches:
                columns = {i: record.column(layout.names[i]) for i in places}
                yield from _rows(columns, layout, done, record.num_rows, tally)
                done += record.num_rows
        except (pa.ArrowException, OSError, UnicodeError) as error:
            text = _line(error)
            raise FeedError(f"{path}: damaged after row {done}: {text}") from None


def last_stamp(path: Path, layout: Layout) -> int:
    """Return the last stamp in ns from the file's own statistics, 0 when it keeps none."""
    with _opened(path) as file:
        count = file.metadata.num_row_groups
        if count == 0:
            return 0
        statistics = file.metadata.row_group(count - 1).column(layout.time[0]).statistics
    if statistics is None or not isinstance(statistics.max, datetime):
        return 0
    return utc_ns(statistics.max.replace(tzinfo=UTC))


def _opened(path: Path) -> pq.ParquetFile:
    import pyarrow as pa
    from pyarrow import parquet as pq

    try:
        return pq.ParquetFile(str(path), buffer_size=_BUFFER, pre_buffer=False)
    except (pa.ArrowException, OSError, UnicodeError) as error:
        text = _line(error)
        raise FeedError(f"{path}: is a damaged or cut Parquet file: {text}") from None


def _line(error: Exception) -> str:
    """Return the first line of an error's text, short."""
    return (str(error).splitlines() or [type(error).__name__])[0][:120]


def _check_types(schema: pa.Schema, found: dict[str, int]) -> None:
    import pyarrow as pa

    problems: list[str] = []
    for name, place in found.items():
        kind = schema.field(place).type
        if name == "ts":
            if not pa.types.is_timestamp(kind):
                problems.append(f"column 'ts' is {kind}, expected a timestamp")
        elif not (
            pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind)
        ):
            problems.append(f"column {name!r} is {kind}, expected a number")
    if problems:
        raise FeedError("; ".join(problems))


def _rows(
    columns: dict[int, Any], layout: Layout, done: int, n: int, tally: Tally
) -> Iterator[RawRows]:
    import pyarrow as pa

    ts = columns[layout.time[0]]
    rows = RawRows(
        np.arange(done + 1, done + n + 1, dtype=np.int64),
        integers(ts.cast(pa.timestamp("ns", ts.type.tz))),
        _prices(columns, layout.price),
        None if layout.ask is None else _prices(columns, layout.ask),
        np.full(n, np.nan) if layout.volume is None else floats(columns[layout.volume]),
    )
    if ts.null_count:
        known = valid(ts)
        row = done + 1 + int(np.argmin(known))
        tally.add(UNREADABLE_TIME, f"row {row}: ts is empty", ts.null_count)
        rows = rows.take(known)
    yield rows


def _prices(columns: dict[int, Any], places: tuple[int, int, int, int]) -> Quad:
    first, second, third, fourth = (floats(columns[place]) for place in places)
    return first, second, third, fourth
