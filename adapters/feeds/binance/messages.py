"""What Binance sends, as far as a feed reads it. One-letter names are the venue's.

Source: Binance spot and USD-M futures documentation, "WebSocket Streams" and "Kline Data".
"""

from __future__ import annotations

import msgspec

from state.units import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS

INTERVALS = {
    SECOND_NS: "1s",
    MINUTE_NS: "1m",
    3 * MINUTE_NS: "3m",
    5 * MINUTE_NS: "5m",
    15 * MINUTE_NS: "15m",
    30 * MINUTE_NS: "30m",
    HOUR_NS: "1h",
    2 * HOUR_NS: "2h",
    4 * HOUR_NS: "4h",
    6 * HOUR_NS: "6h",
    8 * HOUR_NS: "8h",
    12 * HOUR_NS: "12h",
    DAY_NS: "1d",
    3 * DAY_NS: "3d",
    7 * DAY_NS: "1w",
}
"""Lengths and the venue's words for them; a month is no length and is left out."""


class Kline(msgspec.Struct, frozen=True):
    """``k`` of a kline event: ``t`` first, ``T`` last millisecond, ``x`` whether it is closed."""

    t: int
    T: int
    i: str
    o: str
    h: str
    l: str  # noqa: E741
    c: str
    v: str
    x: bool


class Payload(msgspec.Struct, frozen=True):
    """One event: ``e`` its kind, ``s`` the symbol, ``T`` the trade's millisecond.

    ``u``, ``A`` and ``B`` are of the spot book ticker, which names no kind; ``X`` "NA" marks a
    futures trade that is none.
    """

    e: str = ""
    s: str = ""
    T: int = 0
    p: str = ""
    q: str = ""
    X: str = ""
    k: Kline | None = None
    u: int = 0
    lastUpdateId: int = 0


class Refusal(msgspec.Struct, frozen=True):
    """An error: ``{"code": 2, "msg": "Invalid request"}``."""

    code: int
    msg: str


class Frame(Payload, frozen=True):
    """A frame: a raw event, an event wrapped by its ``stream``, or the answer to a request."""

    stream: str = ""
    data: Payload | None = None
    result: msgspec.UnsetType | None = msgspec.UNSET
    id: int | str | None = None
    code: int | None = None
    msg: str = ""
    error: Refusal | None = None


class Candle(msgspec.Struct, frozen=True, array_like=True):
    """One row of the history: open time, prices, volume, close time; more columns follow."""

    opened: int
    open: str
    high: str
    low: str
    close: str
    volume: str
    closed: int
