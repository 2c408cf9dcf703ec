"""Bars as the checker sees them: read with pandas and resampled by hand, no code of the program."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tests.history.audit import Config

_BAR = struct.Struct("<q5d")
_PRICES = ("open", "high", "low", "close")


@dataclass
class Bars:
    """Mid-priced bars of one symbol at one interval, with Wilder's ATR(14) of each bar.

    ``at`` is the place of a bar by its open.
    """

    opens_ns: np.ndarray
    rows: np.ndarray
    volumes: list[float]
    atr: np.ndarray
    at: dict[int, int]

    def packed(self, first: int, last: int) -> bytes:
        """Return the 48 bytes of each bar from place ``first`` to ``last``, exclusive."""
        return b"".join(
            _BAR.pack(int(self.opens_ns[i]), *self.rows[i].tolist(), self.volumes[i])
            for i in range(first, last)
        )


class History:
    """The bar files of a configuration, mid-priced, at any interval."""

    def __init__(self, config: Config, folder: Path, instruments: Mapping[str, Any]) -> None:
        """Read every file; paths are relative to ``folder``."""
        self._finest: dict[str, tuple[Path, str, float, int]] = {}
        for one in config["bars"]:
            mine = instruments[one["symbol"]]
            half = float(mine["spread_pips"]) * float(mine["pip"]) / 2
            path = folder / one["path"]
            self._finest[one["symbol"]] = (path, one["price"], half, path.stat().st_mtime_ns)

    def bars(self, symbol: str, interval_ns: int) -> Bars:
        """Return the bars of a series: buckets from 00:00 UTC, complete or not."""
        return _resampled(*self._finest[symbol], interval_ns)


class Prices:
    """Last prices and rates, in the units of the base currency, at the bars that engines see."""

    def __init__(
        self, history: History, config: Config, base: str, instruments: Mapping[str, Any],
        intervals: Mapping[str, int],
    ) -> None:  # fmt: skip
        """Take the finest interval (ns) at which each symbol is seen."""
        self._history = history
        self._pairs = config.get("conversion", {})
        self._base = base
        self._instruments = instruments
        self._intervals = intervals

    def last(self, symbol: str, at_ns: int, *, before: int = 0) -> float | None:
        """Return the last close at or before an instant (``before`` bars earlier), or None."""
        interval = self._intervals[symbol]
        bars = self._history.bars(symbol, interval)
        index = int(np.searchsorted(bars.opens_ns, at_ns - interval, "right")) - 1 - before
        return float(bars.rows[index, 3]) if index >= 0 else None

    def rate(self, currency: str, at_ns: int, *, before: int = 0) -> float | None:
        """Return what a unit of a currency is worth, None where no price is known."""
        if currency == self._base:
            return 1.0
        pair = self._pairs.get(currency)
        price = self.last(pair, at_ns, before=before) if pair else None
        if price is None:
            return None
        quote = self._instruments[pair]["quote_currency"]
        other = quote if quote != currency else pair.replace(quote, "")
        further = self.rate(other, at_ns, before=before)
        if further is None:
            return None
        return further * price if quote != currency else further / price

    def value(self, symbol: str, lots: int, price: float | None, at_ns: int) -> float | None:
        """Return what lots at a price are worth, None where price or rate is unknown."""
        one = self._instruments[symbol]
        rate = self.rate(one["quote_currency"], at_ns)
        if rate is None or price is None:
            return None
        return lots * float(one["lot"]) * float(one["multiplier"]) * price * rate


def can_read(config: Config, folder: Path) -> bool:
    """Say whether every bar file is here, and is of a kind that the checker reads."""
    if config.get("feed", {}).get("source", "files") != "files":
        return False  # they came over a line, and their recording is not read here
    return all(_is_known(folder / one["path"]) for one in config["bars"])


def _is_known(path: Path) -> bool:
    if not path.is_file():
        return False
    if path.suffix == ".csv":
        with path.open() as file:
            return file.readline().startswith("ts,open,high,low,close")
    return path.suffix == ".parquet"


@lru_cache(maxsize=16)
def _read(path: Path, price: str, half: float, _written_ns: int) -> pd.DataFrame:
    frame = pd.read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path)
    names = list(_PRICES)
    if price == "bidask":
        for name in names:
            frame[name] = (frame[name] + frame["ask_" + name]) / 2
    elif price in ("bid", "ask"):
        frame[names] += half if price == "bid" else -half
    stamps = pd.to_datetime(frame["ts"], utc=True, format="ISO8601")
    frame["ns"] = stamps.astype("datetime64[ns, UTC]").astype("int64")
    if "volume" not in frame:
        frame["volume"] = math.nan
    return frame


@lru_cache(maxsize=32)
def _resampled(path: Path, price: str, half: float, written_ns: int, interval_ns: int) -> Bars:
    """Make the bars one by one: the order of additions decides the last bits of a volume."""
    frame = _read(path, price, half, written_ns)
    opens: list[int] = []
    rows: list[list[float]] = []
    volumes: list[float] = []
    columns = [frame[name].tolist() for name in ("ns", *_PRICES, "volume")]
    for ns, open_, high, low, close, volume in zip(*columns, strict=True):
        bucket = ns // interval_ns * interval_ns
        if not opens or bucket != opens[-1]:
            opens.append(bucket)
            rows.append([open_, high, low, close])
            volumes.append(float(volume))
            continue
        row = rows[-1]
        row[1], row[2], row[3] = max(row[1], high), min(row[2], low), close
        if not math.isnan(volume):
            volumes[-1] = volume if math.isnan(volumes[-1]) else volumes[-1] + volume
    at = {ns: index for index, ns in enumerate(opens)}
    return Bars(np.array(opens, np.int64), np.array(rows), volumes, _atr(rows), at)


def _atr(rows: list[list[float]]) -> np.ndarray:
    out = np.empty(len(rows))
    value = close = 0.0
    for index, (_, high, low, after) in enumerate(rows):
        if index == 0:
            value = high - low
        else:
            true_range = max(high - low, abs(high - close), abs(low - close))
            value = true_range / 14 + value * 13 / 14
        out[index], close = value, after
    return out
