"""Binance on the wire: klines and trades, spot and USD-M futures, combined or raw streams.

Pings are the websocket's own. Events of other streams (book, ticker, mark price) yield nothing; an
event whose kind Binance does not document is refused. A price of a symbol that this codec was not
made with is refused too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from adapters.feeds.binance.messages import INTERVALS, Frame, Payload, Refusal
from adapters.feeds.frames import bar, decoded, instant_ns, price, shown, size, words
from adapters.feeds.venue_symbols import VenueSymbols
from adapters.feeds.wire import BarUpdate, Event, FrameError, Refused, Subscribed, Tick
from state.errors import ConfigError

NAME: Final = "binance"
KLINE: Final = "kline_"
TRADES: Final = ("trade", "aggTrade")

_MS: Final = 1_000_000
_REQUEST: Final = 1
_LENGTHS: Final = {word: length for length, word in INTERVALS.items()}
_FRAMES: Final = msgspec.json.Decoder(Frame)
_PASSED_OVER: Final = frozenset(
    {
        "24hrMiniTicker", "24hrTicker", "1hTicker", "4hTicker", "1dTicker", "assetIndexUpdate",
        "avgPrice", "bookTicker", "compositeIndex", "continuous_kline", "contractInfo",
        "depthUpdate", "forceOrder", "markPriceUpdate", "serverShutdown",
    }
)  # fmt: skip
"""Documented kinds that are no bars and no trades. A shutdown is followed by the line's end."""
_MALFORMED: Final = (0, 1, 2, 3)
"""Codes of a request that is wrong in itself; the same request is refused again."""


class BinanceCodec:
    """Streams of the symbols it was made with: ``kline_1m`` and its like, ``trade``, ``aggTrade``.

    Binance answers a subscription to a symbol it does not have as it answers any other: only
    prices prove one.
    """

    name = NAME
    side = "trade"

    def __init__(self, symbols: Mapping[str, str], streams: Sequence[str] = ("kline_1m",)) -> None:
        """Take foliod's symbols with Binance's (``BTCUSDT``), and the streams of each.

        Raises:
            ConfigError: a stream that this codec does not read, or symbols that cannot be told.
        """
        self._symbols = VenueSymbols(
            NAME, {symbol: name.upper() for symbol, name in symbols.items()}
        )
        for stream in streams:
            if stream not in TRADES and stream.removeprefix(KLINE) not in _LENGTHS:
                raise ConfigError(
                    f"{NAME}: expected a stream such as kline_1m, trade or aggTrade, "
                    f"found {shown(stream)}"
                )
        if not streams:
            raise ConfigError(f"{NAME}: expected at least one stream, found none")
        self._streams = tuple(streams)

    def hello(self) -> Sequence[bytes]:
        """Return one subscription to all streams of all symbols."""
        wanted = [
            f"{name.lower()}@{stream}" for name in self._symbols.names for stream in self._streams
        ]
        return (msgspec.json.encode({"method": "SUBSCRIBE", "params": wanted, "id": _REQUEST}),)

    def decode(self, frame: bytes | str) -> Sequence[Event]:
        """Return what one frame says.

        Raises:
            FrameError: it is not what Binance documents.
        """
        found = decoded(NAME, _FRAMES, frame)
        if found.stream and found.data is not None:
            return self._event(found.data, found.stream, frame)
        if found.e:
            return self._event(found, "", frame)
        if found.error is not None:
            return (_refused(found.error),)
        if found.code is not None and found.msg:
            return (_refused(Refusal(found.code, found.msg)),)
        if found.result is None and found.id == _REQUEST:
            return (Subscribed(),)
        return self._event(found, "", frame)

    def _event(self, event: Payload, stream: str, frame: bytes | str) -> Sequence[Event]:
        if event.e == "kline":
            return (self._kline(event),)
        if event.e in TRADES:
            return () if event.X == "NA" else (self._trade(event),)
        if event.e in _PASSED_OVER or (not event.e and _is_book(event, stream)):
            return ()
        raise FrameError(
            f"{NAME}: expected an event, or the answer to a request, found {shown(frame)}"
        )

    def _trade(self, event: Payload) -> Tick:
        return Tick(
            self._symbols.symbol(event.s),
            instant_ns(event.T, _MS, "binance: time T of a trade"),
            price(event.p, "binance: price p of a trade"),
            size(event.q, "binance: quantity q of a trade"),
        )

    def _kline(self, event: Payload) -> BarUpdate:
        kline = event.k
        if kline is None:
            raise FrameError(f"{NAME}: expected a kline k, found none")
        symbol = self._symbols.symbol(event.s)
        length = _LENGTHS.get(kline.i)
        if length is None:
            raise FrameError(f"{NAME}: expected an interval such as 1m, found {shown(kline.i)}")
        open_ns = instant_ns(kline.t, _MS, "binance: start t of a kline")
        if (kline.T + 1 - kline.t) * _MS != length:
            raise FrameError(
                f"{NAME}: expected a kline of {kline.i}, found one from {shown(kline.t)} "
                f"to {shown(kline.T)}"
            )
        prices = (kline.o, kline.h, kline.l, kline.c)
        made = bar(open_ns, length, prices, kline.v, "binance: kline")
        return BarUpdate(symbol, length, made, kline.x)


def _is_book(event: Payload, stream: str) -> bool:
    """Tell whether an event without a kind is one of the book's, the only ones Binance has."""
    if event.s and event.u > 0:
        return True
    return event.lastUpdateId > 0 and (not stream or "@depth" in stream)


def _refused(refusal: Refusal) -> Refused:
    code = refusal.code
    return Refused(shown(code), words(refusal.msg), is_final=code in _MALFORMED)
