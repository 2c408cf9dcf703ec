"""Binance's klines by REST: ``/api/v3/klines`` and ``/fapi/v1/klines``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode

import msgspec

from adapters.feeds.binance.address import Market
from adapters.feeds.binance.messages import INTERVALS, Candle, Refusal
from adapters.feeds.frames import LONGEST_BODY, ascending, bar, decoded, instant_ns, shown, words
from adapters.feeds.spans import check_span, venue_interval
from adapters.feeds.venue_symbols import VenueSymbols
from adapters.feeds.wire import FrameError
from state.bars import Bar

_MS: Final = 1_000_000
_PATHS: Final[dict[Market, str]] = {"spot": "/api/v3/klines", "futures": "/fapi/v1/klines"}
_ROWS: Final = msgspec.json.Decoder(list[Candle] | Refusal)


class BinanceHistory:
    """Klines of the symbols it was made with, of trades, up to 1,000 at once."""

    name = "binance"
    side = "trade"
    most = 1000

    def __init__(self, symbols: Mapping[str, str], market: Market = "spot") -> None:
        """Take foliod's symbols with Binance's, and the market they are of.

        Raises:
            ConfigError: the symbols cannot be told apart.
        """
        self._symbols = VenueSymbols(
            self.name, {symbol: name.upper() for symbol, name in symbols.items()}
        )
        self._path = _PATHS[market]

    def request(self, symbol: str, interval_ns: int, from_ns: int, to_ns: int) -> str:
        """Return path and query for bars that open in [from, to).

        Raises:
            FeedError: it cannot be asked for.
        """
        word = venue_interval(self.name, INTERVALS, interval_ns)
        check_span(self.name, interval_ns, from_ns, to_ns, self.most)
        query = {
            "symbol": self._symbols.name(symbol),
            "interval": word,
            "startTime": -(-from_ns // _MS),
            "endTime": -(-to_ns // _MS) - 1,
            "limit": self.most,
        }
        return f"{self._path}?{urlencode(query)}"

    def decode(self, body: bytes, interval_ns: int) -> list[Bar]:
        """Return the bars of one answer; the last one may still be forming.

        Raises:
            FrameError: it is no such answer.
        """
        rows = decoded("binance: history", _ROWS, body, LONGEST_BODY)
        if isinstance(rows, Refusal):
            raise FrameError(
                f"binance: history: expected klines, was refused: {shown(rows.code)} "
                f"{words(rows.msg)}"
            )
        return ascending((_bar(row, interval_ns) for row in rows), "binance: history")


def _bar(row: Candle, interval_ns: int) -> Bar:
    open_ns = instant_ns(row.opened, _MS, "binance: open time of a kline")
    if (row.closed + 1 - row.opened) * _MS != interval_ns:
        raise FrameError(
            f"binance: history: expected klines of {interval_ns // _MS} ms, found one from "
            f"{shown(row.opened)} to {shown(row.closed)}"
        )
    prices = (row.open, row.high, row.low, row.close)
    return bar(open_ns, interval_ns, prices, row.volume, "binance: history: kline")
