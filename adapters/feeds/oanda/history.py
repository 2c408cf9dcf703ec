"""OANDA's candles by REST: mid prices, days beginning at 00:00 UTC."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, urlencode

import msgspec

from adapters.feeds.frames import LONGEST_BODY, ascending, bar, decoded, shown, stamp_ns, words
from adapters.feeds.oanda.messages import GRANULARITIES, Candle, Candles
from adapters.feeds.spans import check_span, venue_interval
from adapters.feeds.venue_symbols import VenueSymbols
from adapters.feeds.wire import FrameError
from state.bars import Bar
from state.units import utc_text

_WHERE: Final = "oanda: history"
_CANDLES: Final = msgspec.json.Decoder(Candles)


class OandaHistory:
    """Mid candles of the symbols it was made with, up to 5,000 at once."""

    name = "oanda"
    side = "mid"
    most = 5000

    def __init__(self, symbols: Mapping[str, str]) -> None:
        """Take foliod's symbols with OANDA's instruments.

        Raises:
            ConfigError: the symbols cannot be told apart.
        """
        self._symbols = VenueSymbols(self.name, symbols)

    def request(self, symbol: str, interval_ns: int, from_ns: int, to_ns: int) -> str:
        """Return path and query for bars that open in [from, to).

        Raises:
            FeedError: it cannot be asked for.
        """
        word = venue_interval(self.name, GRANULARITIES, interval_ns)
        check_span(self.name, interval_ns, from_ns, to_ns, self.most)
        query = {
            "price": "M",
            "granularity": word,
            "from": utc_text(from_ns),
            "to": utc_text(to_ns),
            "dailyAlignment": 0,
            "alignmentTimezone": "UTC",
        }
        instrument = quote(self._symbols.name(symbol), safe="")
        return f"/v3/instruments/{instrument}/candles?{urlencode(query)}"

    def decode(self, body: bytes, interval_ns: int) -> list[Bar]:
        """Return the complete bars of one answer.

        Raises:
            FrameError: it is no such answer.
        """
        found = decoded(_WHERE, _CANDLES, body, LONGEST_BODY)
        if found.candles is None:
            said = (
                f"was refused: {words(found.error_code)} {words(found.error_message)}"
                if found.error_message
                else f"found {shown(body)}"
            )
            raise FrameError(f"{_WHERE}: expected candles, {said}")
        if found.granularity != GRANULARITIES.get(interval_ns):
            raise FrameError(
                f"{_WHERE}: expected candles of {GRANULARITIES.get(interval_ns)}, "
                f"found {shown(found.granularity)}"
            )
        complete = (candle for candle in found.candles if candle.complete)
        return ascending((_bar(candle, interval_ns) for candle in complete), _WHERE)


def _bar(candle: Candle, interval_ns: int) -> Bar:
    open_ns = stamp_ns(candle.time, f"{_WHERE}: time", zoned=True)
    mid = candle.mid
    return bar(
        open_ns, interval_ns, (mid.o, mid.h, mid.l, mid.c), candle.volume, f"{_WHERE}: candle"
    )
