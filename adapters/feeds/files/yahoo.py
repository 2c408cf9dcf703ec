"""Yahoo and TwelveData style: ``Date,Open,High,Low,Close[,Adj Close],Volume``, ``datetime;...``.

Prices are the unadjusted ones; ``Adj Close`` is not read. TwelveData writes the newest row first:
such a file is read from its end, so that bars still come oldest first with flat memory. A date
without a time is the day's start in the zone, so open stamping is evident; a time under these
widely borrowed column names says nothing, so ``stamp`` must be set.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from adapters.feeds.files.layout import (
    PRICE_NAMES,
    Layout,
    find_columns,
    header,
    iso_clock,
    quad,
    split,
)

NAME: Final = "yahoo"
LOOKS_LIKE: Final = "a header Date,Open,High,Low,Close[,Adj Close][,Volume] or datetime,open,..."
_WHAT: Final = "a Yahoo or TwelveData CSV"
_TIMES: Final = ("date", "datetime")
_DATE_LENGTH: Final = len("2017-01-02")


def recognise(lines: Sequence[str]) -> Layout | None:
    """Return the layout when the first column is ``Date`` or ``datetime``, else None.

    Raises:
        FeedError: a price is missing, or no stamp can be read.
    """
    for delimiter in (",", ";", "\t"):
        names = header(lines[0], delimiter)
        if len(names) > 1 and names[0] in _TIMES and "tick_volume" not in names:
            return _layout(lines[1:], names, delimiter)
    return None


def _layout(rows: Sequence[str], names: tuple[str, ...], delimiter: str) -> Layout:
    wanted: dict[str, Sequence[str]] = {name: (name,) for name in PRICE_NAMES}
    if "volume" in names:
        wanted["volume"] = ("volume",)
    found = find_columns(names, wanted, _WHAT)
    layout = Layout(
        dialect=NAME,
        delimiter=delimiter,
        header_lines=1,
        fields=len(names),
        time=(0,),
        price=quad(found, PRICE_NAMES),
        names=names,
        clock=iso_clock(rows, delimiter, 0, _WHAT),
        volume=found.get("volume"),
        stamp="open" if _are_dates(rows, delimiter) else None,
    )
    return replace(layout, newest_first=_is_newest_first(rows, layout))


def _are_dates(rows: Sequence[str], delimiter: str) -> bool:
    return all(len(split(row, delimiter)[0].strip()) <= _DATE_LENGTH for row in rows)


def _is_newest_first(rows: Sequence[str], layout: Layout) -> bool:
    """Say whether the first two readable, different stamps run backwards."""
    first: int | None = None
    for line in rows:
        row = split(line, layout.delimiter)
        at = layout.read_stamp(row) if len(row) == layout.fields else None
        if at is None or at == first:
            continue
        if first is not None:
            return at < first
        first = at
    return False
