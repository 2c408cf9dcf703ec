"""Plain frames of a generic socket, read in one go: one flat object that is one bar.

Most sockets send these, and each of their names is known beforehand. Whatever is not plainly a
possible bar of a known symbol is left to the codec, which looks at it step by step and says what is
wrong with it: what is read here, it would have read as the same bar. (Fields that nobody named are
skipped: a number in them that is too large for any reader is not seen.)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from adapters.feeds.frames import FIRST_NS, HIGHEST_PRICE, LAST_NS, LONGEST_FRAME
from adapters.feeds.generic.messages import UNITS, Fields
from adapters.feeds.wire import BarUpdate
from state.bars import Bar

Reader = Callable[[bytes | str], BarUpdate | None]
"""Reads a frame; None: it is not plain."""

_TYPES: Final = {
    "open_time": int, "open": float, "high": float, "low": float, "close": float,
    "volume": float, "symbol": str, "closed": bool,
}  # fmt: skip
_MOST: Final = 1e18
"""A larger volume is looked at step by step."""


def plain_reader(fields: Fields, symbols: Mapping[str, str], interval_ns: int) -> Reader | None:
    """Return a reader of plain frames, None where ``fields`` says that they cannot be plain.

    ``symbols`` are foliod's by the names that the socket gives them.
    """
    names = {name: getattr(fields, name) for name in _TYPES if getattr(fields, name)}
    taken = list(names.values())
    is_flat = not any("." in one or one.isdecimal() for one in taken)
    if fields.bars or not UNITS.get(fields.unit) or not is_flat or len(set(taken)) < len(taken):
        return None
    shape = msgspec.defstruct(
        "PlainBar", [(name, _TYPES[name]) for name in names], rename=names, gc=False
    )
    decode: Callable[[bytes | str], Any] = msgspec.json.Decoder(shape).decode
    unit_ns = UNITS[fields.unit]
    has_volume, has_flag = "volume" in names, "closed" in names
    only = "" if "symbol" in names else next(iter(symbols.values()))

    def read(frame: bytes | str) -> BarUpdate | None:
        if len(frame) > LONGEST_FRAME or not frame.isascii():
            return None
        try:
            found = decode(frame)
        except (msgspec.DecodeError, RecursionError):
            return None
        symbol = only or symbols.get(found.symbol)
        open_ns = found.open_time * unit_ns
        volume = found.volume + 0.0 if has_volume else math.nan  # -0.0 becomes 0.0
        open_, high, low, close = found.open, found.high, found.low, found.close
        if (
            symbol is None
            or not FIRST_NS <= open_ns < LAST_NS
            or not 0 < low <= open_ <= high < HIGHEST_PRICE
            or not low <= close <= high
            or (has_volume and not 0 <= volume < _MOST)
        ):
            return None
        bar = Bar(open_ns, open_ns + interval_ns, open_, high, low, close, volume)
        return BarUpdate(symbol, interval_ns, bar, not has_flag or found.closed)

    return read
