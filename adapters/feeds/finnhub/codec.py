"""Finnhub on the wire: trades in batches, pings and errors.

A frame is taken whole or not at all: one impossible trade refuses its batch. Trade conditions are
not read. A trade of a symbol that this codec was not made with is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from adapters.feeds.finnhub.messages import Frame, Trade
from adapters.feeds.frames import decoded, instant_ns, price, shown, size, words
from adapters.feeds.venue_symbols import VenueSymbols
from adapters.feeds.wire import Event, FrameError, Heartbeat, Refused, Tick, checked_side

NAME: Final = "finnhub"

_MS: Final = 1_000_000
_FRAMES: Final = msgspec.json.Decoder(Frame)
_FINAL: Final = ("api key", "token", "invalid symbol", "too many symbols", "access")
"""Words of errors that asking again does not cure."""


class FinnhubCodec:
    """Trades of the symbols it was made with (``AAPL``, ``OANDA:EUR_USD``, ``BINANCE:BTCUSDT``)."""

    name = NAME

    def __init__(self, symbols: Mapping[str, str], side: str) -> None:
        """Take foliod's symbols with Finnhub's, and what the prices are.

        Of stocks and crypto they are trades. For forex Finnhub passes on a broker's price and
        does not say which side it is of, so nobody but the operator can.

        Raises:
            ConfigError: an unknown side, or symbols that cannot be told apart.
        """
        self.side = checked_side(NAME, side)
        self._symbols = VenueSymbols(NAME, symbols)

    def hello(self) -> Sequence[bytes]:
        """Return one subscription per symbol; Finnhub answers none of them."""
        return tuple(
            msgspec.json.encode({"type": "subscribe", "symbol": name})
            for name in self._symbols.names
        )

    def decode(self, frame: bytes | str) -> Sequence[Event]:
        """Return what one frame says.

        Raises:
            FrameError: it is not what Finnhub documents.
        """
        found = decoded(NAME, _FRAMES, frame)
        if found.type == "trade" and found.data is not None:
            return tuple([self._tick(trade) for trade in found.data])
        if found.type == "ping":
            return (Heartbeat(),)
        if found.type == "error":
            text = words(found.msg)
            return (Refused("error", text, is_final=_is_final(text)),)
        raise FrameError(f"{NAME}: expected a trade, ping or error, found {shown(frame)}")

    def _tick(self, trade: Trade) -> Tick:
        return Tick(
            self._symbols.symbol(trade.s),
            instant_ns(trade.t, _MS, "finnhub: time t of a trade"),
            price(trade.p, "finnhub: price p of a trade"),
            0.0 if trade.v is None else size(trade.v, "finnhub: volume v of a trade"),
        )


def _is_final(text: str) -> bool:
    folded = text.casefold()
    return any(word in folded for word in _FINAL)
