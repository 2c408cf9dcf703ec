"""MetaTrader 5: the terminal's tab-separated export, and comma files with a ``tick_volume``.

Stamps are bar opens in the broker's server time, which the file does not name; prices are bid.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from adapters.feeds.files import stamps
from adapters.feeds.files.layout import (
    PRICE_NAMES,
    Clock,
    Layout,
    find_columns,
    header,
    iso_clock,
    quad,
    shown,
    split,
)
from state.errors import FeedError

NAME: Final = "mt5"
LOOKS_LIKE: Final = (
    "a header <DATE> <TIME> <OPEN> ... <TICKVOL> with tabs, or Date,open,high,low,close,tick_volume"
)
_WHAT: Final = "a MetaTrader 5 export"
_VOLUMES: Final = ("tickvol", "tick_volume")
_DATES: Final = ("YYYY.MM.DD", "YYYY-MM-DD")
_TIMES: Final = ("hh:mm:ss", "hh:mm")


def recognise(lines: Sequence[str]) -> Layout | None:
    """Return the layout for a MetaTrader header, else None.

    Raises:
        FeedError: the header is MetaTrader's, but a column is missing or no stamp can be read.
    """
    if lines[0].lstrip().upper().startswith("<DATE>"):
        return _export(lines)
    names = header(lines[0], ",")
    if any(volume in names for volume in _VOLUMES) and names[0] in ("date", "time", "datetime"):
        return _commas(lines, names)
    return None


def _export(lines: Sequence[str]) -> Layout:
    delimiter = "\t" if "\t" in lines[0] else ","
    names = header(lines[0], delimiter)
    wanted = {name: (name,) for name in ("date", *PRICE_NAMES)}
    wanted |= {name: (name,) for name in ("time", "tickvol") if name in names}
    found = find_columns(names, wanted, _WHAT)
    time = tuple(found[name] for name in ("date", "time") if name in found)
    return Layout(
        dialect=NAME,
        delimiter=delimiter,
        header_lines=1,
        fields=len(names),
        time=time,
        price=quad(found, PRICE_NAMES),
        names=names,
        clock=Clock.TEMPLATE,
        volume=found.get("tickvol"),
        templates=_templates(lines[1:], delimiter, time),
    )


def _templates(lines: Sequence[str], delimiter: str, time: tuple[int, ...]) -> tuple[str, ...]:
    for line in lines:
        row = split(line, delimiter)
        if len(row) <= max(time):
            continue
        texts = [row[place].strip() for place in time]
        for date in _DATES:
            for templates in [(date,)] if len(time) == 1 else [(date, clock) for clock in _TIMES]:
                if stamps.template_ns(texts, templates) is not None:
                    return templates
    if not lines:
        return (_DATES[0], _TIMES[0])[: len(time)]
    raise FeedError(
        f"looks like {_WHAT}, but no row begins with a time like 2021.03.10 00:00:00; the first row"
        f" is {shown(lines[0])}"
    )


def _commas(lines: Sequence[str], names: tuple[str, ...]) -> Layout:
    wanted: dict[str, Sequence[str]] = {name: (name,) for name in PRICE_NAMES}
    found = find_columns(names, {**wanted, "volume": _VOLUMES}, _WHAT)
    return Layout(
        dialect=NAME,
        delimiter=",",
        header_lines=1,
        fields=len(names),
        time=(0,),
        price=quad(found, PRICE_NAMES),
        names=names,
        clock=iso_clock(lines[1:], ",", 0, _WHAT),
        volume=found["volume"],
    )
