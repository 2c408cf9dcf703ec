"""Binance kline dumps: twelve columns, open time first, in ms (us since 2025), header or none.

Stamps are UTC bar opens, prices are trades (say ``mid``), volume is in the base asset.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from adapters.feeds.files.layout import (
    PRICE_NAMES,
    Clock,
    Layout,
    find_columns,
    header,
    quad,
    shown,
    split,
)
from state.errors import FeedError

NAME: Final = "binance"
LOOKS_LIKE: Final = "a header open_time,open,high,low,close,..., or 12 columns from a ms/us stamp"
_WHAT: Final = "a Binance kline dump"
_COLUMNS: Final = 12
_UNITS: Final = {13: 1_000_000, 16: 1_000}
"""Digits of a stamp of our century to ns per unit."""
_STAMP: Final = re.compile(r"\d{13}|\d{16}", re.ASCII)
_OPEN_TIME: Final = ("open_time", "open time", "opentime", "timestamp")


def recognise(lines: Sequence[str]) -> Layout | None:
    """Return the layout for a kline header or a row of twelve columns from an epoch, else None.

    Raises:
        FeedError: the header is Binance's, but a column is missing or the stamps are no epochs.
    """
    names = header(lines[0], ",")
    if names[0] in _OPEN_TIME[:3] or (names[0] == "timestamp" and "close_time" in names):
        wanted: dict[str, Sequence[str]] = {name: (name,) for name in PRICE_NAMES}
        wanted |= {"open_time": _OPEN_TIME, "volume": ("volume",)}
        found = find_columns(names, wanted, _WHAT)
        return _layout(lines[1:], found, names, header_lines=1)
    if any(_is_row(line) for line in lines[:3]):
        columns: tuple[str, ...] = ("open_time", *PRICE_NAMES, "volume", "close_time")
        columns += tuple(f"column {i}" for i in range(len(columns) + 1, _COLUMNS + 1))
        found = {name: place for place, name in enumerate(columns)}
        return _layout(lines, found, columns, header_lines=0)
    return None


def _is_row(line: str) -> bool:
    row = line.strip().split(",")
    return len(row) == _COLUMNS and all(_STAMP.fullmatch(row[i]) for i in (0, 6))


def _layout(
    lines: Sequence[str], found: dict[str, int], names: tuple[str, ...], header_lines: int
) -> Layout:
    return Layout(
        dialect=NAME,
        delimiter=",",
        header_lines=header_lines,
        fields=len(names),
        time=(found["open_time"],),
        price=quad(found, PRICE_NAMES),
        names=names,
        clock=Clock.EPOCH,
        volume=found["volume"],
        unit_ns=_unit(lines, found["open_time"]),
    )


def _unit(lines: Sequence[str], place: int) -> int:
    for line in lines:
        row = split(line, ",")
        if len(row) > place and _STAMP.fullmatch(row[place].strip()):
            return _UNITS[len(row[place].strip())]
    if not lines:
        return _UNITS[13]
    raise FeedError(
        f"looks like {_WHAT}, but no row begins with a stamp of 13 (ms) or 16 (us) digits; the"
        f" first row is {shown(lines[0])}"
    )
