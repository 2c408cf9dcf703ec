"""What OANDA's v20 interface sends: prices and heartbeats of the stream, candles.

Source: OANDA v20 documentation, "Pricing Stream", "Pricing Definitions", "Instrument: candles".
"""

from __future__ import annotations

import msgspec

from state.units import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS

GRANULARITIES = {
    5 * SECOND_NS: "S5",
    10 * SECOND_NS: "S10",
    15 * SECOND_NS: "S15",
    30 * SECOND_NS: "S30",
    MINUTE_NS: "M1",
    2 * MINUTE_NS: "M2",
    4 * MINUTE_NS: "M4",
    5 * MINUTE_NS: "M5",
    10 * MINUTE_NS: "M10",
    15 * MINUTE_NS: "M15",
    30 * MINUTE_NS: "M30",
    HOUR_NS: "H1",
    2 * HOUR_NS: "H2",
    3 * HOUR_NS: "H3",
    4 * HOUR_NS: "H4",
    6 * HOUR_NS: "H6",
    8 * HOUR_NS: "H8",
    12 * HOUR_NS: "H12",
    DAY_NS: "D",
}
"""Lengths and the venue's words for them; weeks begin where an account says, and are left out."""


class Bucket(msgspec.Struct, frozen=True):
    """A price and how much of it there is; the best one comes first."""

    price: str


class Line(msgspec.Struct, frozen=True, rename="camel"):
    """A line of the stream: ``type`` is ``PRICE`` or ``HEARTBEAT``; a refusal has none.

    ``status`` is the older word for ``tradeable``; a side without liquidity is an empty list.
    """

    type: str = ""
    time: str = ""
    instrument: str = ""
    bids: list[Bucket] = []
    asks: list[Bucket] = []
    closeout_bid: str = ""
    closeout_ask: str = ""
    tradeable: bool | None = None
    status: str = ""
    error_code: str = ""
    error_message: str = ""


class Prices(msgspec.Struct, frozen=True):
    """Open, high, low, close of one side of a candle."""

    o: str
    h: str
    l: str  # noqa: E741
    c: str


class Candle(msgspec.Struct, frozen=True):
    """A candle: ``time`` is its open, ``volume`` counts prices; not ``complete``: forming."""

    time: str
    complete: bool
    volume: int
    mid: Prices


class Candles(msgspec.Struct, frozen=True, rename="camel"):
    """A history answer."""

    instrument: str = ""
    granularity: str = ""
    candles: list[Candle] | None = None
    error_code: str = ""
    error_message: str = ""
