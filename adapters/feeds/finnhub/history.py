"""Finnhub's candles by REST; which path depends on the market."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Literal
from urllib.parse import urlencode

import msgspec

from adapters.feeds.finnhub.messages import RESOLUTIONS, Candles
from adapters.feeds.frames import (
    LONGEST_BODY,
    ascending,
    bar,
    decoded,
    instant_ns,
    shown,
    words,
)
from adapters.feeds.spans import check_span, venue_interval
from adapters.feeds.venue_symbols import VenueSymbols
from adapters.feeds.wire import FrameError, checked_side
from state.bars import Bar
from state.units import SECOND_NS

Market = Literal["stock", "forex", "crypto"]

_WHERE: Final = "finnhub: history"
_CANDLES: Final = msgspec.json.Decoder(Candles)


class FinnhubHistory:
    """Candles of the symbols it was made with, all of one market."""

    name = "finnhub"
    most = 500

    def __init__(self, symbols: Mapping[str, str], side: str, market: Market) -> None:
        """Take foliod's symbols with Finnhub's, the side of prices, and the market.

        Raises:
            ConfigError: an unknown side, or symbols that cannot be told apart.
        """
        self.side = checked_side(self.name, side)
        self._symbols = VenueSymbols(self.name, symbols)
        self._path = f"/api/v1/{market}/candle"

    def request(self, symbol: str, interval_ns: int, from_ns: int, to_ns: int) -> str:
        """Return path and query for bars that open in [from, to).

        Raises:
            FeedError: it cannot be asked for.
        """
        word = venue_interval(self.name, RESOLUTIONS, interval_ns)
        check_span(self.name, interval_ns, from_ns, to_ns, self.most)
        query = {
            "symbol": self._symbols.name(symbol),
            "resolution": word,
            "from": -(-from_ns // SECOND_NS),
            "to": -(-to_ns // SECOND_NS) - 1,
        }
        return f"{self._path}?{urlencode(query)}"

    def decode(self, body: bytes, interval_ns: int) -> list[Bar]:
        """Return the bars of one answer; it does not name its interval, so nothing checks it.

        Raises:
            FrameError: it is no such answer.
        """
        found = decoded(_WHERE, _CANDLES, body, LONGEST_BODY)
        if found.s == "no_data":
            return []
        if found.s != "ok":
            said = words(found.error) if found.error else shown(body)
            raise FrameError(f"{_WHERE}: expected candles, found {said}")
        count = len(found.t)
        columns = (found.o, found.h, found.l, found.c)
        if any(len(column) != count for column in columns) or len(found.v) not in (0, count):
            raise FrameError(f"{_WHERE}: expected {count} values in each column, found others")
        volumes: Sequence[float | None] = found.v or [None] * count
        rows = zip(found.t, zip(*columns, strict=True), volumes, strict=True)
        return ascending(
            (
                bar(
                    instant_ns(at_s, SECOND_NS, f"{_WHERE}: time t"),
                    interval_ns,
                    prices,
                    volume,
                    f"{_WHERE}: candle",
                )
                for at_s, prices, volume in rows
            ),
            _WHERE,
        )
