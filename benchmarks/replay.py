"""Replay speed: the whole program against a tight Python loop over the same bars.

Run ``python -m benchmarks.replay`` (see ``--help``). The workload: 1-minute bars, EMA 20/50 cross,
stop 1 ATR and target 2 ATR inside the bar, one position, window 07:00-10:00 UTC closing at its end,
a spread. The program runs with everything on: all gates, R-stop, pacing, drawdown lock, paper
broker, ledger, journal committed per simulated day, trade log, equity curves, status and events.
Limits are wide, so that the trades are the workload's. Every figure is a fresh process pinned to
nothing; CPU time is the process's own, all threads, from open files to a finished run folder.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from benchmarks.generate import write

SPREAD: Final = 0.00002
WARM: Final = 100
_HEAD: Final = """
[portfolio]
id = "bench"
base_currency = "USD"
equity = 10_000_000
data_dir = "{folder}/var"
[costs]
slippage_min_pips = 0
[sizing]
kind = "fixed"
quantity = 1000
[risk]
daily_r_stop = -1000
[risk.strategy]
trades_per_day = 1000
r_stop = -1000
[risk.caps]
max_order_value = 1_000_000_000
max_gross_exposure = 1_000_000_000
max_positions = 10_000
max_positions_per_symbol = 100
[risk.drawdown]
lock_fraction = 0.9
[pacing]
spacing_s = 0
symbol_spacing_s = 0
per_hour = 100
per_day = 1000
allow_daily_below_hourly_rate = true
cooldown_win_m = 0
cooldown_loss_m = 0
cooldown_stop_m = 0
loss_streak_cooldown_m = 0
"""
_SYMBOL: Final = """
[[bars]]
symbol = "{symbol}"
path = "{path}"
price = "mid"
interval = "1m"
[instruments.{symbol}]
quote_currency = "USD"
pip = 0.0001
tick = 0.00001
lot = 1000
min_quantity = 1000
spread_pips = 0.2
"""
_STRATEGY: Final = """
[[strategies]]
name = "ema"
kind = "EMA"
symbols = [{symbols}]
interval = "1m"
windows = [{{ start = 07:00:00, end = 10:00:00, weekdays = {days} }}]
"""
_DAYS: Final = '["mon", "tue", "wed", "thu", "fri", "sat", "sun"]'


def config(folder: Path, symbols: int) -> str:
    """Return the workload's configuration for so many symbols, one engine each."""
    names = [f"SYM{number:03d}" for number in range(symbols)]
    parts = [_HEAD.format(folder=folder)]
    parts += [_SYMBOL.format(symbol=one, path=folder / f"{one}.parquet") for one in names]
    quoted = ", ".join(f'"{one}"' for one in names)
    parts.append(_STRATEGY.format(symbols=quoted, days=_DAYS))
    return "".join(parts)


def run_foliod(folder: Path, symbols: int, bars: int) -> dict[str, Any]:
    """Replay the workload once in this process and return its figures."""
    import pyarrow.compute
    import pyarrow.parquet  # noqa: F401
    import uvloop

    from adapters.clock import SystemClock
    from config.load import load
    from daemon.replay import Replay, ReplayOptions

    path = folder / "bench.toml"
    path.write_text(config(folder, symbols))
    with tempfile.TemporaryDirectory(dir=folder) as run_dir:
        settings = load([path], {})
        options = ReplayOptions(run_dir=Path(run_dir) / "run")
        wall, cpu = time.perf_counter(), time.process_time()
        replay = Replay(settings, options, SystemClock())
        result = uvloop.run(replay.run())
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        with (result.folder / "trades.csv").open() as file:
            trades = sum(1 for _ in file) - 1
    return _figures("foliod", symbols * bars, cpu, wall, trades)


def run_tight(folder: Path, symbols: int, bars: int) -> dict[str, Any]:
    """Run the workload as one tight loop over Python lists and return its figures."""
    import pyarrow.parquet as pq

    trades, cpu, wall = 0, 0.0, 0.0
    for number in range(symbols):
        table = pq.read_table(folder / f"SYM{number:03d}.parquet")
        stamps = table["ts"].to_numpy().astype("int64").tolist()
        columns = [table[name].to_numpy().tolist() for name in ("open", "high", "low", "close")]
        begin, begin_cpu = time.perf_counter(), time.process_time()
        trades += len(tight(stamps, *columns))
        cpu, wall = cpu + time.process_time() - begin_cpu, wall + time.perf_counter() - begin
    return _figures("tight loop", symbols * bars, cpu, wall, trades)


def tight(  # noqa: C901  one loop is the point of it
    stamps: list[int],
    opens: list[float],
    highs: list[float],
    lows: list[float],
    closes: list[float],
) -> list[tuple[int, int, float]]:
    """Return (entry, exit, profit) of the workload: what the machine allows plain Python."""
    book: list[tuple[int, int, float]] = []
    fast = slow = before = closes[0]
    atr = highs[0] - lows[0]
    gap = stop = target = entry = wait = 0.0
    side = pending = entered = 0
    rows = zip(stamps, opens, highs, lows, closes, strict=True)
    for count, (stamp, open_, high, low, close) in enumerate(rows):
        minute = stamp // 60_000_000_000 % 1440
        if pending:
            side, entry, entered, pending = pending, open_, stamp, 0
            stop, target = open_ - side * wait, open_ + 2 * side * wait
        if side:
            out = 0.0
            if minute == 600:
                out = open_
            elif side > 0:
                if low <= stop:
                    out = stop if open_ > stop else open_
                elif high >= target:
                    out = target if open_ < target else open_
            elif high >= stop:
                out = stop if open_ < stop else open_
            elif low <= target:
                out = target if open_ > target else open_
            if out:
                book.append((entered, stamp, side * (out - entry) - SPREAD))
                side = 0
        true_range = high - low
        if before > high:
            true_range = before - low
        elif before < low:
            true_range = high - before
        before = close
        atr = true_range / 14 + 13 / 14 * atr
        fast += 2 / 21 * (close - fast)
        slow += 2 / 51 * (close - slow)
        last, gap = gap, fast - slow
        if not side and 420 <= minute < 599 and count >= WARM:
            if last <= 0 < gap:
                pending, wait = 1, atr
            elif last >= 0 > gap:
                pending, wait = -1, atr
    return book


def _figures(name: str, bars: int, cpu: float, wall: float, trades: int) -> dict[str, Any]:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "name": name,
        "us": cpu / bars * 1e6,
        "wall": wall,
        "mb": peak,
        "trades": trades,
        "bars": bars,
    }


def fresh(what: str, folder: Path, symbols: int, bars: int) -> dict[str, Any]:
    """Run one measurement in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.replay", "--one", what, "--folder", str(folder)]
    command += ["--symbols", str(symbols), "--bars", str(bars)]
    found = subprocess.run(command, check=True, capture_output=True, text=True)
    figures: dict[str, Any] = json.loads(found.stdout.splitlines()[-1])
    return figures


def measure(folder: Path, symbols: int, bars: int, rounds: int) -> None:
    """Measure both, in turn, and print medians and the median of the pairs' ratios."""
    here = folder / f"{symbols}x{bars}"
    if not here.exists():
        here.mkdir(parents=True)
        for number in range(symbols):
            write(here / f"SYM{number:03d}.parquet", 1000 + number, bars)
    rows = [
        (fresh("tight", here, symbols, bars), fresh("foliod", here, symbols, bars))
        for _ in range(rounds)
    ]
    loop = statistics.median(one["us"] for one, _ in rows)
    ours = statistics.median(two["us"] for _, two in rows)
    ratio = statistics.median(two["us"] / one["us"] for one, two in rows)
    peak = max(two["mb"] for _, two in rows)
    wall = statistics.median(two["wall"] for _, two in rows)
    speed = symbols * bars / wall
    print(
        f"{symbols:>7} {bars:>10,} {loop:>8.3f} {ours:>8.3f} {ratio:>7.1f} {speed:>10,.0f}"
        f" {peak:>7.0f} {rows[0][1]['trades']:>8,} {rows[0][0]['trades']:>8,}",
        flush=True,
    )


def main() -> None:
    """Read the command line, measure, print one row per workload."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.replay", description=__doc__)
    parser.add_argument("--bars", type=int, nargs="+", default=[100_000, 500_000, 2_000_000])
    parser.add_argument("--symbols", type=int, nargs="+", default=[1])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="keep generated bars here")
    parser.add_argument("--one", choices=["foliod", "tight"], help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        run = run_foliod if given.one == "foliod" else run_tight
        print(json.dumps(run(given.folder, given.symbols[0], given.bars[0])))
        return
    print(f"{platform.machine()}, Python {platform.python_version()}, medians of {given.rounds}")
    print("us/bar: CPU microseconds per bar and engine; ratio: to the tight loop, in pairs")
    print(
        f"{'engines':>7} {'bars each':>10} {'tight us':>8} {'ours us':>8} {'ratio':>7}"
        f" {'bars/s':>10} {'peak MB':>7} {'trades':>8} {'tight':>8}"
    )
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.folder or Path(scratch)
        for symbols in given.symbols:
            for bars in given.bars:
                measure(folder, symbols, bars, given.rounds)


if __name__ == "__main__":
    main()
