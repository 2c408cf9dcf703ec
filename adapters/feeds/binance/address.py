"""Where Binance's market data is. It needs no key."""

from __future__ import annotations

from typing import Final, Literal

from adapters.feeds.address import Address

Market = Literal["spot", "futures"]

STREAMS: Final[dict[Market, str]] = {
    "spot": "wss://stream.binance.com:9443",
    "futures": "wss://fstream.binance.com",
}
REST: Final[dict[Market, str]] = {
    "spot": "https://api.binance.com",
    "futures": "https://fapi.binance.com",
}


def stream(market: Market = "spot", base: str = "") -> Address:
    """Return the combined stream; what it carries is said by the codec's subscription."""
    return Address(f"{base or STREAMS[market]}/stream")


def rest(market: Market = "spot", base: str = "") -> Address:
    """Return where the history is asked for."""
    return Address(base or REST[market])
