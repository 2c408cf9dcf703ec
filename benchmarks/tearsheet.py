"""How long reports of a long run take, and how large they are.

Run ``python -m benchmarks.tearsheet``. It replays generated 1-minute bars through EMA crosses with
wide limits until the run has at least 10,000 closed trades, then writes the tear sheet without and
with the bars, and every other report, each in a fresh process. Figures are the wall time of the
writing alone, imports included, and the size of the largest page.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from benchmarks.generate import write
from benchmarks.replay import config

_WINDOW: Final = "start = 07:00:00, end = 10:00:00"
_WHOLE_DAY: Final = 'start = 00:00:00, end = "24:00"'
KINDS: Final = ("tearsheet", "tearsheet with bars", "day", "week", "month", "inception")


def make_run(folder: Path, symbols: int, bars: int) -> Path:
    """Replay the workload around the clock and return its run folder."""
    import uvloop

    from adapters.clock import SystemClock
    from config.load import load
    from daemon.replay import Replay, ReplayOptions

    for number in range(symbols):
        write(folder / f"SYM{number:03d}.parquet", 1000 + number, bars)
    path = folder / "bench.toml"
    path.write_text(config(folder, symbols).replace(_WINDOW, _WHOLE_DAY))
    options = ReplayOptions(run_dir=folder / "run", config_text=path.read_text())
    result = uvloop.run(Replay(load([path], {}), options, SystemClock()).run())
    return result.folder


def write_one(kind: str, run: Path) -> dict[str, float]:
    """Write one kind of report and return its seconds and the largest page in KB."""
    import asyncio

    begin = time.perf_counter()
    pages = asyncio.run(_write(kind, run))
    wall = time.perf_counter() - begin
    return {"s": wall, "kb": max(page.stat().st_size for page in pages) / 1000, "n": len(pages)}


async def _write(kind: str, run: Path) -> list[Path]:
    from state.queries import DATABASE, open_book

    async with open_book(run / DATABASE) as book:
        now_ns = (await book.journal_tail(1))[0].at_ns
    if kind.startswith("tearsheet"):
        from daemon.aftermath import look_back
        from daemon.reports.tearsheet import write_tearsheet

        after = await look_back(run) if kind.endswith("bars") else None
        return [(await write_tearsheet(run, now_ns, hindsight=after))[0]]
    if kind == "day":
        from daemon.reports.daily import write_due

        return [one for one in await write_due(run, now_ns) if one.suffix == ".html"]
    from daemon.reports.periods import Kind, write_periods

    return await write_periods(run, Kind(kind), now_ns)


def fresh(kind: str, run: Path) -> dict[str, float]:
    """Write one kind in a fresh process, nothing of it there yet."""
    import shutil

    shutil.rmtree(run / "reports", ignore_errors=True)
    command = [sys.executable, "-m", "benchmarks.tearsheet", "--one", kind, "--folder", str(run)]
    found = subprocess.run(command, check=True, capture_output=True, text=True)
    figures: dict[str, float] = json.loads(found.stdout.splitlines()[-1])
    return figures


def main() -> None:
    """Read the command line, make the run, measure, print one row per kind."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tearsheet", description=__doc__)
    parser.add_argument("--bars", type=int, default=150_000, help="per symbol")
    parser.add_argument("--symbols", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--one", choices=KINDS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(write_one(given.one, given.folder)))
        return
    with tempfile.TemporaryDirectory() as scratch:
        run = make_run(Path(scratch), given.symbols, given.bars)
        with (run / "trades.csv").open() as file:
            trades = sum(1 for _ in file) - 1
        print(f"{platform.machine()}, Python {platform.python_version()}, {given.rounds} rounds")
        print(f"{trades:,} trades of {given.symbols} x {given.bars:,} bars")
        print(f"{'report':<20} {'pages':>6} {'seconds':>8} {'largest KB':>10}")
        for kind in KINDS:
            rows = [fresh(kind, run) for _ in range(given.rounds)]
            wall = statistics.median(one["s"] for one in rows)
            print(
                f"{kind:<20} {rows[0]['n']:>6.0f} {wall:>8.2f} {rows[0]['kb']:>10.1f}", flush=True
            )


if __name__ == "__main__":
    main()
