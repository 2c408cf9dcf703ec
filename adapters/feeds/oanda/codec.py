"""OANDA v20 on the wire: a price stream over chunked HTTP, one JSON object a line.

What is streamed is said by the address, so there is nothing to send. A price whose one side has no
liquidity is a quote at the close-out prices that cannot be traded. A price of a symbol that this
codec was not made with is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from adapters.feeds.frames import decoded, price, shown, stamp_ns, words
from adapters.feeds.oanda.messages import Line
from adapters.feeds.venue_symbols import VenueSymbols
from adapters.feeds.wire import Event, FrameError, Heartbeat, Quote, Refused

NAME: Final = "oanda"

_LINES: Final = msgspec.json.Decoder(Line)
_FINAL: Final = ("authoriz", "invalid value", "invalid instrument", "account")
"""Words of refusals that asking again does not cure."""


class OandaCodec:
    """Bid and ask of the symbols it was made with (``EUR_USD``); a quote's mid is the price."""

    name = NAME
    side = "mid"

    def __init__(self, symbols: Mapping[str, str]) -> None:
        """Take foliod's symbols with OANDA's instruments.

        Raises:
            ConfigError: the symbols cannot be told apart.
        """
        self._symbols = VenueSymbols(NAME, symbols)

    def hello(self) -> Sequence[bytes]:
        """Return nothing: the request names the instruments."""
        return ()

    def decode(self, frame: bytes | str) -> Sequence[Event]:
        """Return what one line says; a blank one says nothing.

        The body of a refused request is read too, as ``Refused``.

        Raises:
            FrameError: it is not what OANDA documents.
        """
        if not frame.strip():
            return ()
        line = decoded(NAME, _LINES, frame)
        if line.type == "PRICE":
            return self._quote(line)
        if line.type == "HEARTBEAT":
            return (Heartbeat(stamp_ns(line.time, "oanda: time of a heartbeat", zoned=True)),)
        if not line.type and line.error_message:
            text = words(line.error_message)
            final = any(word in text.casefold() for word in _FINAL)
            return (Refused(words(line.error_code) or "error", text, is_final=final),)
        raise FrameError(f"{NAME}: expected a price, heartbeat or error, found {shown(frame)}")

    def _quote(self, line: Line) -> Sequence[Event]:
        symbol = self._symbols.symbol(line.instrument)
        at_ns = stamp_ns(line.time, "oanda: time of a price", zoned=True)
        if line.bids and line.asks:
            bid_text, ask_text, tradeable = line.bids[0].price, line.asks[0].price, _state(line)
        elif line.closeout_bid and line.closeout_ask:
            bid_text, ask_text, tradeable = line.closeout_bid, line.closeout_ask, False
        else:
            return ()
        bid, ask = price(bid_text, "oanda: bid"), price(ask_text, "oanda: ask")
        if bid > ask:
            raise FrameError(f"{NAME}: expected a bid below its ask, found {bid!r} and {ask!r}")
        return (Quote(symbol, at_ns, bid, ask, tradeable),)


def _state(line: Line) -> bool:
    if line.tradeable is not None:
        return line.tradeable
    if line.status:
        return line.status == "tradeable"
    raise FrameError(f"{NAME}: expected a price to say whether it is tradeable, found none")
