"""Bars as the auditor sees them: read and resampled with pandas, with no code of the program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd


@dataclass
class Bars:
    """Mid-priced bars of one symbol at one interval, with Wilder's ATR(14) of each bar."""

    opens_ns: np.ndarray
    rows: np.ndarray
    atr: np.ndarray
    at: dict[int, int]


class History:
    """The bar files of a configuration, mid-priced, at any interval."""

    def __init__(
        self, folder: Path, files: Sequence[Mapping[str, Any]], halves: Mapping[str, float]
    ) -> None:
        """Read every file (paths relative to ``folder``); ``halves``: half the spread by symbol."""
        self._minutes = {
            one["symbol"]: _read(folder / one["path"], one["price"], halves[one["symbol"]])
            for one in files
        }
        self._series: dict[tuple[str, int], Bars] = {}

    def bars(self, symbol: str, interval_ns: int) -> Bars:
        """Return the bars of a series: buckets from 00:00 UTC, complete or not."""
        key = (symbol, interval_ns)
        if key not in self._series:
            frame = self._minutes[symbol]
            bucket = frame["ns"] // interval_ns * interval_ns
            made = frame.groupby(bucket).agg(
                open=("open", "first"), high=("high", "max"), low=("low", "min"),
                close=("close", "last"),
            )  # fmt: skip
            rows = made.to_numpy()
            opens = made.index.to_numpy()
            at = {int(ns): index for index, ns in enumerate(opens)}
            self._series[key] = Bars(opens, rows, _atr(rows), at)
        return self._series[key]


def _read(path: Path, price: str, half: float) -> pd.DataFrame:
    frame = pd.read_parquet(path)
    names = ["open", "high", "low", "close"]
    if price == "bidask":
        for name in names:
            frame[name] = (frame[name] + frame["ask_" + name]) / 2
    elif price == "bid":
        frame[names] += half
    frame["ns"] = frame["ts"].astype("datetime64[ns, UTC]").astype("int64")
    return frame


def _atr(rows: np.ndarray) -> np.ndarray:
    out = np.empty(len(rows))
    value = close = 0.0
    for index, (_, high, low, after) in enumerate(rows.tolist()):
        if index == 0:
            value = high - low
        else:
            true_range = max(high - low, abs(high - close), abs(low - close))
            value = true_range / 14 + value * 13 / 14
        out[index], close = value, after
    return out
