"""How long a portfolio with a long journal takes to come up again, with and without a snapshot.

``python -m benchmarks.restart`` builds the journal once: one engine whose strategy says something
on every one-minute bar, so that each bar makes an entry. Then fresh processes bring it up: as a
kill in the middle of a day left it, and with every snapshot deleted. A start is the time from
having imported the program to being ready to trade; importing it is told apart.
"""

from __future__ import annotations

import argparse
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from benchmarks.generate import write
from benchmarks.replay import config

TALKER: Final = '''
from foliod import CancelEntry, NoParams, Strategy


class Talker(Strategy):
    """Withdraws, on every bar, an order that it never gave."""

    def on_bar(self, bar, in_window):
        """Say something."""
        return CancelEntry()

    def state(self):
        """Keep nothing."""
        return {}

    def restore(self, state):
        """Take nothing back."""
'''
_COME_UP: Final = """
import sys, time
from pathlib import Path
begun = time.perf_counter()
from config.load import load
from daemon.trading import Hooks, Trading
imported = time.perf_counter()
config, home = Path(sys.argv[1]), Path(sys.argv[2])
trading = Trading(load([config], {}), home, config.parent, Hooks())
ready = time.perf_counter()
print(imported - begun, ready - imported, trading.core.portfolio.seq)
trading.close()
"""


def build(folder: Path, entries: int) -> Path:
    """Write bars, configuration and a journal of about so many entries; return the home."""
    import asyncio

    from config.load import load
    from daemon.trading import Hooks, Trading
    from state.writer import Written

    write(folder / "SYM000.parquet", 1000, entries)
    (folder / "talker.py").write_text(TALKER)
    text = config(folder, 1).replace('kind = "EMA"', 'kind = "talker.py:Talker"')
    (folder / "restart.toml").write_text(text)
    home = folder / "home"
    home.mkdir()

    async def fill() -> None:
        last: list[Written] = []

        async def later(written: Written) -> None:
            last[:] = [written]

        trading = Trading(load([folder / "restart.toml"], {}), home, folder, Hooks())
        await trading.begin_run(later)
        while trading.coming() is not None and trading.core.portfolio.seq < entries:
            await trading.step(trading.take())
            if trading.core.portfolio.seq % 1_000 == 0:
                last[0].result()
        last[0].result()
        await asyncio.to_thread(trading.close)  # as a kill leaves it: no snapshot of the last hours

    asyncio.run(fill())
    return home


def come_up(folder: Path, home: Path) -> tuple[float, float, int]:
    """Bring it up in a fresh process; return seconds of import and start, and the last entry."""
    arguments = [sys.executable, "-c", _COME_UP, str(folder / "restart.toml"), str(home)]
    done = subprocess.run(arguments, check=True, capture_output=True, text=True)
    imported, ready, seq = done.stdout.split()
    return float(imported), float(ready), int(seq)


def main() -> None:
    """Read the command line, measure, print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.restart", description=__doc__)
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        begun = time.perf_counter()
        home = build(folder, given.entries)
        print(f"built in {time.perf_counter() - begun:.0f} s")
        print("| start | entries | import s | start s | slowest s |")
        print("|---|---|---|---|---|")
        for name in ("with a snapshot", "without"):
            if name == "without":
                with sqlite3.connect(home / "foliod.db") as database:
                    database.execute("DELETE FROM snapshots")
            found = []
            for number in range(given.rounds):
                copy = folder / f"copy{number}"
                shutil.copytree(home, copy)
                found.append(come_up(folder, copy))
                shutil.rmtree(copy)
            starts = [one[1] for one in found]
            print(
                f"| {name} | {found[0][2]:,} | {statistics.median(one[0] for one in found):.2f}"
                f" | {statistics.median(starts):.2f} | {max(starts):.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
