"""The built-in strategies against trade lists of an independent implementation (E2).

Every expected trade, denied or cancelled signal must be a signal of ours and the other way round.
Bars are read and resampled here with a few lines of their own, so that neither the feeds nor the
desk can hide a difference.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pyarrow import parquet

from daemon.core.calendar import WEEKDAYS, Schedule, WindowSpec
from daemon.core.strategies.registry import BUILT_IN
from daemon.core.strategy import Context, Strategy
from state.bars import Bar
from state.instruments import Grid, Instrument
from state.signals import Signal
from state.units import SECOND_NS, utc_ns
from tests.builders import shared_data

RUNS = ("eurusd_2017q1_london", "eurusd_2017q1_gates", "xauusd_2014-05_london", "nifty_5m")

Key = tuple[str, str, int, int]
"""Symbol, strategy, instant of the signal (UTC ns), side."""


def _columns(path: Path, *, mid: bool) -> Iterator[tuple[int, float, float, float, float]]:
    table = parquet.read_table(path).to_pydict()
    prices = [table[name] for name in ("open", "high", "low", "close")]
    if mid:
        asks = [table["ask_" + name] for name in ("open", "high", "low", "close")]
        prices = [
            [(bid + ask) / 2 for bid, ask in zip(bids, column, strict=True)]
            for bids, column in zip(prices, asks, strict=True)
        ]
    for ts, *four in zip(table["ts"], *prices, strict=True):
        yield utc_ns(ts), four[0], four[1], four[2], four[3]


def _bars(path: Path, interval_ns: int, *, mid: bool) -> list[Bar]:
    """Fold finer bars into buckets counted from 00:00 UTC, complete or not."""
    bars: list[Bar] = []
    for at_ns, open_, high, low, close in _columns(path, mid=mid):
        start_ns = at_ns - at_ns % interval_ns
        if bars and bars[-1].open_ns == start_ns:
            last = bars.pop()
            open_, high, low = last.open, max(last.high, high), min(last.low, low)
        bars.append(Bar(start_ns, start_ns + interval_ns, open_, high, low, close))
    return bars


def _second(text: str) -> int:
    hour, minute = text.split(":")
    return int(hour) * 3600 + int(minute) * 60


def _schedule(windows: list[dict[str, Any]]) -> Schedule:
    return Schedule(
        [
            WindowSpec(
                start_s=_second(window["start"]),
                end_s=_second(window["end"]),
                zone=window["zone"],
                weekdays=frozenset(WEEKDAYS.index(day) for day in window["weekdays"]),
            )
            for window in windows
        ]
    )


def _grid(symbol: str, spec: dict[str, Any]) -> Grid:
    return Grid(
        Instrument(
            symbol=symbol,
            quote_currency="USD",
            pip=Decimal(str(spec["pip"])),
            tick=Decimal(str(spec["tick"])),
            lot=Decimal(1),
            min_quantity=Decimal(1),
        )
    )


def _strategy(row: dict[str, Any], grid: Grid, schedule: Schedule, interval_ns: int) -> Strategy:
    kind = BUILT_IN[row["kind"]]
    context = Context(grid.symbol, interval_ns, grid.pip, grid.tick, grid.tie, schedule)
    return kind(context, msgspec.convert(row["params"], kind.Params))


def _signals(run: dict[str, Any], folder: Path) -> dict[Key, Signal]:
    interval_ns = run["interval_s"] * SECOND_NS
    found: dict[Key, Signal] = {}
    for symbol, spec in run["symbols"].items():
        grid = _grid(symbol, spec)
        bars = _bars(folder / spec["file"], interval_ns, mid=spec.get("price") == "mid")
        for row in run["strategies"]:
            schedule = _schedule(row["windows"])
            strategy = _strategy(row, grid, schedule, interval_ns)
            for bar in bars:
                action = strategy.on_bar(bar, schedule.covers(bar.open_ns))
                if action is not None:
                    assert isinstance(action, Signal)
                    found[symbol, row["name"], bar.close_ns, action.side] = action
    return found


def _rows(path: Path, instant: str) -> dict[Key, dict[str, str]]:
    with path.open(newline="") as file:
        return {
            (
                row["symbol"],
                row["strategy"],
                utc_ns(datetime.strptime(row[instant], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)),
                1 if row["side"] == "long" else -1,
            ): row
            for row in csv.DictReader(file)
        }


@pytest.mark.parametrize("name", RUNS)
def test_signals_and_levels_are_those_of_the_expected_runs(name: str) -> None:
    """Same instants, same sides, same stops and targets on the tick grid; none more, none less."""
    folder = shared_data()
    run = json.loads((folder / "expected" / f"{name}.json").read_text())
    trades = _rows(folder / "expected" / f"{name}.trades.csv", "signal_time")
    denied = _rows(folder / "expected" / f"{name}.denied.csv", "time")

    signals = _signals(run, folder / "bars")

    assert set(signals) == set(trades) | set(denied)
    for key, row in trades.items():
        grid, signal = _grid(key[0], run["symbols"][key[0]]), signals[key]
        side, fill = key[3], float(row["entry_fill"])
        stop = signal.stop if signal.stop_distance is None else fill - side * signal.stop_distance
        assert stop is not None
        ticks = grid.nearest(stop)
        assert ticks == grid.nearest(float(row["stop"])), (key, signal, row)
        away = abs(fill - grid.price(ticks)) if signal.target_r else signal.target_distance
        assert away is not None
        assert grid.nearest(fill + side * away) == grid.nearest(float(row["target"])), (key, row)
        if signal.trigger is not None:
            trigger = grid.price(grid.nearest(signal.trigger))
            assert side * (float(row["entry_price"]) - trigger) >= -grid.tie, (key, signal, row)
