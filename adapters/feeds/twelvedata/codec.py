"""Twelve Data on the wire: price events, answers to subscriptions, heartbeats, errors.

A price event carries the last price and, for some markets, bid and ask; the price is what is read,
one kind for all symbols. Its stamp is in whole seconds. The day's volume that comes with it is no
size. A price of a symbol that this codec was not made with is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from adapters.feeds.frames import decoded, instant_ns, price, shown, words
from adapters.feeds.twelvedata.messages import Frame
from adapters.feeds.venue_symbols import VenueSymbols
from adapters.feeds.wire import (
    Event,
    FrameError,
    Heartbeat,
    Refused,
    Subscribed,
    Tick,
    checked_side,
)
from state.units import SECOND_NS

NAME: Final = "twelvedata"

_FRAMES: Final = msgspec.json.Decoder(Frame)
_FINAL: Final = frozenset({"400", "401", "403", "404", "414"})
"""Codes that asking again does not cure; 429 and 5xx it may."""


class TwelveDataCodec:
    """Prices of the symbols it was made with (``EUR/USD``, ``AAPL``, ``BTC/USD``).

    The venue asks the client to speak every ten seconds (``keepalive``).
    """

    name = NAME
    keepalive = b'{"action":"heartbeat"}'
    keepalive_every_s = 10.0

    def __init__(self, symbols: Mapping[str, str], side: str) -> None:
        """Take foliod's symbols with Twelve Data's, and what the prices are.

        Raises:
            ConfigError: an unknown side, or symbols that cannot be told apart.
        """
        self.side = checked_side(NAME, side)
        self._symbols = VenueSymbols(NAME, symbols)

    def hello(self) -> Sequence[bytes]:
        """Return one subscription to all symbols."""
        names = ",".join(self._symbols.names)
        return (msgspec.json.encode({"action": "subscribe", "params": {"symbols": names}}),)

    def decode(self, frame: bytes | str) -> Sequence[Event]:
        """Return what one frame says.

        Raises:
            FrameError: it is not what Twelve Data documents.
        """
        found = decoded(NAME, _FRAMES, frame)
        if found.event == "price":
            return (self._tick(found, frame),)
        if found.event == "heartbeat":
            return (Heartbeat(),)
        if found.event == "subscribe-status" and (found.success or found.fails):
            return self._answer(found)
        if found.status == "error":
            return (_refused(found),)
        if found.event in ("subscribe-status", "unsubscribe-status", "reset-status"):
            return ()
        raise FrameError(
            f"{NAME}: expected a price, heartbeat, status or error, found {shown(frame)}"
        )

    def _tick(self, found: Frame, frame: bytes | str) -> Tick:
        if found.price is None or found.timestamp is None:
            raise FrameError(f"{NAME}: expected price and timestamp, found {shown(frame)}")
        return Tick(
            self._symbols.symbol(found.symbol),
            instant_ns(found.timestamp, SECOND_NS, "twelvedata: timestamp of a price"),
            price(found.price, "twelvedata: price"),
        )

    def _answer(self, found: Frame) -> Sequence[Event]:
        events: list[Event] = []
        if found.success:
            events.append(Subscribed(self._symbols.known([one.symbol for one in found.success])))
        if found.fails:
            names = [one.symbol for one in found.fails]
            text = words(f"not subscribed: {', '.join(names)}")
            events.append(Refused("fails", text, is_final=True, symbols=self._symbols.known(names)))
        return events


def _refused(found: Frame) -> Refused:
    code = words(str(found.code)) if found.code is not None else "error"
    text = found.message or "; ".join(found.messages or ())
    return Refused(code, words(text), is_final=code in _FINAL)
