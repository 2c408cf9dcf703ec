"""The demo's input: six weeks of synthetic 1m bars of four symbols and a news calendar, as files.

What happens on which day is fixed below, so that every built-in strategy trades, some days lose
badly and each gate has something to refuse. It writes files and nothing else: the demo's
configuration is elsewhere.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

import numpy as np

from adapters.feeds.columns import Columns
from adapters.feeds.day_kinds import DayKind
from adapters.feeds.synthetic import Market, Scenario, bars
from state.units import DAY_NS, EPOCH_ORDINAL, HOUR_NS, MINUTE_NS, day_text

DEMO_SEED: Final = 2024
"""The seed of the demo that the documentation shows."""

FIRST_SUNDAY: Final = date(2024, 1, 14).toordinal()
WEEKS: Final = 6

_MARKETS: Final = (
    Market("EURUSD", 5, 109_500, range_pips=20, scale=1.0, noise_pips=0.9),
    Market("GBPUSD", 5, 127_200, range_pips=24, scale=1.2, noise_pips=1.1),
    Market("USDJPY", 3, 147_800, range_pips=24, scale=1.2, noise_pips=1.1),
    Market("XAUUSD", 2, 203_000, range_pips=50, scale=2.2, noise_pips=2.0),
)

_K = DayKind
_CYCLE: Final = (
    *(_K.BREAKOUT_UP, _K.SWEEP_HIGH, _K.FAILED_SWEEP_LOW, _K.TREND_DOWN, _K.LATE_SWEEP_LOW),
    *(_K.BREAKOUT_DOWN, _K.WHIPSAW_UP, _K.SWEEP_LOW, _K.QUIET, _K.TREND_UP),
    *(_K.FAILED_SWEEP_HIGH, _K.LATE_SWEEP_HIGH, _K.WHIPSAW_DOWN, _K.SWEEP_HIGH, _K.BREAKOUT_UP),
)
"""The days of a market that has no day of its own below; each symbol enters it elsewhere."""
_ENTRY: Final = {"EURUSD": 0, "GBPUSD": 4, "USDJPY": 8, "XAUUSD": 11}
_COMMON: Final = {
    3: (_K.NEWS_UP, _K.NEWS_DOWN, _K.NEWS_UP, _K.NEWS_DOWN),
    12: (_K.WHIPSAW_UP, _K.WHIPSAW_UP, _K.WHIPSAW_DOWN, _K.WHIPSAW_UP),
    13: (_K.FAILED_SWEEP_HIGH, _K.WHIPSAW_DOWN, _K.FAILED_SWEEP_LOW, _K.WHIPSAW_DOWN),
    17: (_K.SWEEP_HIGH, _K.BREAKOUT_UP, _K.BREAKOUT_DOWN, _K.BREAKOUT_UP),
    22: (_K.NEWS_DOWN, _K.NEWS_UP, _K.NEWS_DOWN, _K.NEWS_UP),
}
"""Trading days (0 is the first Monday) on which all symbols do the same kind of thing.

3 and 22: news. 12 and 13: the bad days, on which breakouts and sweeps lose everywhere. 17: EURUSD
is missing, so that nothing can be converted to euro while the other symbols give setups.
"""
_OUTAGES: Final = {
    "EURUSD": ((17, 6 * 60, 17, 20 * 60),),
    "USDJPY": ((8, 9 * 60, 9, 6 * 60), (26, 12 * 60 + 40, 26, 15 * 60)),
}
"""Symbol to stretches without bars: trading day and minute from which, and until which."""
_NEWS: Final = (
    (3, "08:30", "EUR|GBP", "high", "Flash purchasing managers' index"),
    (3, "13:30", "USD", "high", "Gross domestic product, advance"),
    (6, "13:30", "USD", "medium", "Initial jobless claims"),
    (9, "07:00", "GBP", "high", "Retail sales"),
    (14, "13:30", "USD", "high", "Non-farm payrolls"),
    (17, "10:00", "EUR", "low", "Industrial production"),
    (20, "13:30", "USD", "high", "Consumer price index, core"),
    (22, "08:30", "EUR|GBP|JPY", "high", "Central bank rate decision"),
    (22, "13:30", "USD", "high", "Retail sales, control group"),
    (27, "15:00", "USD", "high", "Business survey, services"),
)
"""Trading day, UTC time, currencies, impact, title."""


@dataclass(frozen=True, slots=True)
class DemoFiles:
    """Where the demo's input is.

    ``bars`` is symbol to CSV file: 1m bars in foliod's own dialect, mid prices, stamped with their
    open in UTC. ``first_ns`` is the first Sunday's opening, ``end_ns`` the last Friday's end
    (exclusive).
    """

    folder: Path
    bars: dict[str, Path]
    news: Path
    first_ns: int
    end_ns: int


def scenarios() -> dict[str, Scenario]:
    """Return what each symbol does in the demo: its market, its days and its outages."""
    return {
        market.symbol: Scenario(
            market, FIRST_SUNDAY, _days(place, market.symbol), _outages(market.symbol)
        )
        for place, market in enumerate(_MARKETS)
    }


def write_demo(folder: Path, seed: int = DEMO_SEED) -> DemoFiles:
    """Write the demo's bars and news into ``folder``, which is made when it is missing.

    Each file appears whole or not at all; files of an earlier demo are replaced. Equal seeds write
    equal bytes.

    Raises:
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = {}
    for symbol, scenario in scenarios().items():
        written[symbol] = folder / f"{symbol}_1m.csv"
        decimals = scenario.market.decimals
        _replace(written[symbol], "".join(_csv(bars(scenario, seed), decimals)))
    news = folder / "news.csv"
    _replace(news, _news_text())
    first_ns = (FIRST_SUNDAY - EPOCH_ORDINAL) * DAY_NS + 22 * HOUR_NS
    end_ns = _instant(5 * WEEKS - 1, 22 * 60)
    return DemoFiles(folder, written, news, first_ns, end_ns)


def _days(place: int, symbol: str) -> tuple[DayKind, ...]:
    """Return the kinds of all trading days of one symbol, the common ones in their places."""
    entry = _ENTRY[symbol]
    return tuple(
        _COMMON[day][place] if day in _COMMON else _CYCLE[(entry + day) % len(_CYCLE)]
        for day in range(5 * WEEKS)
    )


def _outages(symbol: str) -> tuple[tuple[int, int], ...]:
    stretches = _OUTAGES.get(symbol, ())
    return tuple((_instant(*part[:2]), _instant(*part[2:])) for part in stretches)


def _ordinal(trading_day: int) -> int:
    return FIRST_SUNDAY + trading_day // 5 * 7 + trading_day % 5 + 1


def _instant(trading_day: int, minute: int) -> int:
    return (_ordinal(trading_day) - EPOCH_ORDINAL) * DAY_NS + minute * MINUTE_NS


def _csv(batches: Iterator[Columns], decimals: int) -> Iterator[str]:
    """Yield the text of a bar file: a header, then a piece for each batch."""
    yield "ts,open,high,low,close,volume\n"
    line = f"%sZ,%.{decimals}f,%.{decimals}f,%.{decimals}f,%.{decimals}f,%d\n"
    for batch in batches:
        stamps = np.datetime_as_string(batch.open_ns.astype("datetime64[ns]"), unit="s").tolist()
        prices = (batch.open, batch.high, batch.low, batch.close, batch.volume)
        rows = zip(stamps, *(column.tolist() for column in prices), strict=True)
        yield "".join([line % row for row in rows])


def _news_text() -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("date", "time_utc", "currencies", "impact", "title"))
    for day, at, currencies, impact, title in _NEWS:
        writer.writerow((day_text(_ordinal(day)), at, currencies, impact, title))
    return text.getvalue()


def _replace(path: Path, text: str) -> None:
    """Write a file beside its place and move it there, so that no reader sees half of it."""
    beside = path.with_name(f".{path.name}.partial")
    try:
        with beside.open("w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
