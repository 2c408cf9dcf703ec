"""What Finnhub sends. One-letter names are the venue's.

Source: Finnhub documentation, "Trades" (websocket), "Stock Candles", "Forex Candles" and "Crypto
Candles".
"""

from __future__ import annotations

import msgspec

from state.units import DAY_NS, HOUR_NS, MINUTE_NS

RESOLUTIONS = {
    MINUTE_NS: "1",
    5 * MINUTE_NS: "5",
    15 * MINUTE_NS: "15",
    30 * MINUTE_NS: "30",
    HOUR_NS: "60",
    DAY_NS: "D",
    7 * DAY_NS: "W",
}
"""Lengths and the venue's words for them; a month is no length and is left out."""


class Trade(msgspec.Struct, frozen=True):
    """One trade: ``p`` price, ``t`` milliseconds, ``v`` volume, 0 where only a price changed."""

    s: str
    p: float
    t: int
    v: float | None = None


class Frame(msgspec.Struct, frozen=True):
    """A frame: ``type`` is ``trade``, ``ping`` or ``error``."""

    type: str
    data: list[Trade] | None = None
    msg: str = ""


class Candles(msgspec.Struct, frozen=True):
    """A history answer in columns; ``s`` is ``ok`` or ``no_data``."""

    s: str = ""
    error: str = ""
    t: list[int] = []
    o: list[float] = []
    h: list[float] = []
    l: list[float] = []  # noqa: E741
    c: list[float] = []
    v: list[float] = []
