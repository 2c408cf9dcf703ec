"""foliod's own CSV: ``ts,open,high,low,close[,volume]``, and the ask side when it is there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from adapters.feeds.files.layout import (
    ASK_NAMES,
    PRICE_NAMES,
    Layout,
    find_columns,
    header,
    iso_clock,
    quad,
)

NAME: Final = "foliod"
LOOKS_LIKE: Final = "a header ts,open,high,low,close[,volume] with commas"


def recognise(lines: Sequence[str]) -> Layout | None:
    """Return the layout when the first line is a header with a column ``ts``, else None.

    Raises:
        FeedError: it has ``ts``, but a price is missing, or no stamp can be read.
    """
    names = header(lines[0], ",")
    if "ts" not in names:
        return None
    what = "foliod's own CSV"
    has_ask = any(name in names for name in ASK_NAMES)
    wanted = {name: (name,) for name in ("ts", *PRICE_NAMES, *(ASK_NAMES if has_ask else ()))}
    if "volume" in names:
        wanted["volume"] = ("volume",)
    found = find_columns(names, wanted, what)
    return Layout(
        dialect=NAME,
        delimiter=",",
        header_lines=1,
        fields=len(names),
        time=(found["ts"],),
        price=quad(found, PRICE_NAMES),
        names=names,
        clock=iso_clock(lines[1:], ",", found["ts"], what),
        volume=found.get("volume"),
        ask=quad(found, ASK_NAMES) if has_ask else None,
    )
