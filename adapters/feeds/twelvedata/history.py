"""Twelve Data's time series by REST: ``/time_series``, asked for in UTC and oldest first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode

import msgspec

from adapters.feeds.frames import LONGEST_BODY, ascending, bar, decoded, shown, stamp_ns, words
from adapters.feeds.spans import check_span, venue_interval
from adapters.feeds.twelvedata.messages import INTERVALS, Row, Series
from adapters.feeds.venue_symbols import VenueSymbols
from adapters.feeds.wire import FrameError, checked_side
from state.bars import Bar
from state.units import SECOND_NS, utc_text

_WHERE: Final = "twelvedata: history"
_SERIES: Final = msgspec.json.Decoder(Series)


class TwelveDataHistory:
    """Time series of the symbols it was made with, up to 5,000 bars at once."""

    name = "twelvedata"
    most = 5000

    def __init__(self, symbols: Mapping[str, str], side: str) -> None:
        """Take foliod's symbols with Twelve Data's, and what the prices are.

        Raises:
            ConfigError: an unknown side, or symbols that cannot be told apart.
        """
        self.side = checked_side(self.name, side)
        self._symbols = VenueSymbols(self.name, symbols)

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
            "start_date": _wall(-(-from_ns // SECOND_NS)),
            "end_date": _wall(-(-to_ns // SECOND_NS) - 1),
            "timezone": "UTC",
            "order": "ASC",
            "outputsize": self.most,
        }
        return f"/time_series?{urlencode(query)}"

    def decode(self, body: bytes, interval_ns: int) -> list[Bar]:
        """Return the bars of one answer; the last one may still be forming.

        Raises:
            FrameError: it is no such answer.
        """
        found = decoded(_WHERE, _SERIES, body, LONGEST_BODY)
        if found.status == "error":
            if found.message.startswith("No data is available"):
                return []
            code = words(str(found.code))
            raise FrameError(f"{_WHERE}: expected bars, was refused: {code} {words(found.message)}")
        if found.status != "ok" or found.meta is None or found.values is None:
            raise FrameError(f"{_WHERE}: expected status, meta and values, found {shown(body)}")
        if found.meta.interval != INTERVALS.get(interval_ns):
            raise FrameError(
                f"{_WHERE}: expected bars of {INTERVALS.get(interval_ns)}, "
                f"found {shown(found.meta.interval)}"
            )
        return ascending((_bar(row, interval_ns) for row in found.values), _WHERE)


def _bar(row: Row, interval_ns: int) -> Bar:
    open_ns = stamp_ns(row.datetime, f"{_WHERE}: datetime", zoned=False)
    prices = (row.open, row.high, row.low, row.close)
    return bar(open_ns, interval_ns, prices, row.volume, f"{_WHERE}: bar")


def _wall(at_s: int) -> str:
    return utc_text(at_s * SECOND_NS).rstrip("Z").replace("T", " ")
