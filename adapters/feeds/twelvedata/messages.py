"""What Twelve Data sends.

Source: Twelve Data documentation, "WebSocket", "Real-time price" and "Time series".
"""

from __future__ import annotations

import msgspec

from state.units import DAY_NS, HOUR_NS, MINUTE_NS

INTERVALS = {
    MINUTE_NS: "1min",
    5 * MINUTE_NS: "5min",
    15 * MINUTE_NS: "15min",
    30 * MINUTE_NS: "30min",
    45 * MINUTE_NS: "45min",
    HOUR_NS: "1h",
    2 * HOUR_NS: "2h",
    4 * HOUR_NS: "4h",
    8 * HOUR_NS: "8h",
    DAY_NS: "1day",
    7 * DAY_NS: "1week",
}
"""Lengths and the venue's words for them; a month is no length and is left out."""


class Named(msgspec.Struct, frozen=True):
    """A symbol in the answer to a subscription."""

    symbol: str


class Frame(msgspec.Struct, frozen=True):
    """A frame: ``event`` says of what; an error may come without one."""

    event: str = ""
    status: str = ""
    symbol: str = ""
    price: float | None = None
    timestamp: int | None = None
    success: list[Named] | None = None
    fails: list[Named] | None = None
    code: int | str | None = None
    message: str = ""
    messages: list[str] | None = None


class Row(msgspec.Struct, frozen=True):
    """One bar of a time series: ``datetime`` is its open, in the zone that was asked for."""

    datetime: str
    open: str
    high: str
    low: str
    close: str
    volume: str | None = None


class Meta(msgspec.Struct, frozen=True):
    """What a time series is of."""

    symbol: str
    interval: str


class Series(msgspec.Struct, frozen=True):
    """A history answer; ``status`` is ``ok`` or ``error``."""

    status: str = ""
    code: int | str | None = None
    message: str = ""
    meta: Meta | None = None
    values: list[Row] | None = None
