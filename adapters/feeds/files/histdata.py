"""HistData ASCII M1: ``20170310 120000;1.0666;1.0667;1.0666;1.06665;0``, no header.

Stamps are bar opens in wall time; prices are bid. The vendor says "EST without daylight saving";
files have been seen that keep New York time with daylight saving, so the zone is never assumed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from adapters.feeds.files.layout import Clock, Layout

NAME: Final = "histdata"
LOOKS_LIKE: Final = "no header, rows like 20170310 120000;1.0666;1.0668;1.0665;1.0667;0"
_ROW: Final = re.compile(r"\s*\d{8} \d{6};[^;]+;[^;]+;[^;]+;[^;]+;[^;]*\s*", re.ASCII)


def recognise(lines: Sequence[str]) -> Layout | None:
    """Return the layout when one of the first three lines is a HistData row, else None."""
    if not any(_ROW.fullmatch(line) for line in lines[:3]):
        return None
    return Layout(
        dialect=NAME,
        delimiter=";",
        header_lines=0,
        fields=6,
        time=(0,),
        price=(1, 2, 3, 4),
        names=("time", "open", "high", "low", "close", "volume"),
        clock=Clock.TEMPLATE,
        volume=5,
        templates=("YYYYMMDD hhmmss",),
    )
