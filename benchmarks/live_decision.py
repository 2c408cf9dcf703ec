"""How long a frame takes to become a decision in the whole daemon, over a real socket.

``python -m benchmarks.live_decision`` starts a venue as a process of its own that sends a thousand
frames a second over loopback: bars that are still forming, and once a second one that is closed.
The daemon (uvloop, its wall clock sixty times as fast, so that a minute is a second) runs on them
with every task. Measured is the time from the sending of a closed bar's frame to the desk's
decision on its strategy's wish, and further to the intent, applied once it is on the disk. The
floor is a bare client of the same library that receives the same frames, in the same run.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from adapters.clock import SystemClock
from state.entries import IntentRecorded

if TYPE_CHECKING:
    from daemon.core.desk import Desk
    from daemon.core.engine import Engine
    from daemon.runtime.stepper import Stepper
    from state.bars import Bar
    from state.entries import Entry

SPEED: Final = 60
RATE: Final = 1000
WARM: Final = 3
"""Decisions left out at the start: the first bars load what is loaded once."""
CONFIG: Final = """
[portfolio]
id = "bench"
base_currency = "USD"
equity = 10_000_000
data_dir = "{folder}/var"
[control]
dir = "{folder}/control"
[sizing]
kind = "fixed"
quantity = 1000
[risk]
daily_r_stop = false
[risk.strategy]
trades_per_day = false
r_stop = false
[risk.caps]
max_order_value = 1_000_000_000
max_gross_exposure = 1_000_000_000
max_positions = 10
max_positions_per_symbol = 5
[pacing]
enabled = false
[end_of_day]
reports = false
[[strategies]]
name = "talker"
kind = "talker.py:Talker"
symbols = ["EURUSD"]
interval = "1m"
[feed]
source = "generic"
warm_up_bars = 0
clock_skew_ms = 60000
[[feed.hours]]
symbols = ["EURUSD"]
start = 00:00:00
end = "24:00"
zone = "UTC"
weekdays = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
[feed.generic]
url = "ws://127.0.0.1:{port}/"
side = "mid"
closed = "x"
volume = "v"
"""
TALKER: Final = '''
from foliod import Signal, Strategy


class Talker(Strategy):
    """Wishes to enter on every second bar; the bar between them stops the trade out."""

    bars = 0

    def on_bar(self, bar, in_window):
        """Wish."""
        self.bars += 1
        if self.bars % 2:
            return None
        return Signal(1, stop_distance=0.0005, target_r=1.0)

    def state(self):
        """Keep nothing."""
        return {}

    def restore(self, state):
        """Take nothing back."""
'''
VENUE: Final = """
import asyncio, json, sys, time
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

start, speed, rate, sent = float(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), 0

async def send(socket):
    minute, number = None, 0
    begun = time.monotonic()
    while True:
        number += 1
        await asyncio.sleep(max(0, begun + number / rate - time.monotonic()))
        now = start + (time.monotonic() - float(sys.argv[4])) * speed
        this = int(now // 60) * 60
        closed = minute is not None and this != minute
        stamp = (minute if closed else this) * 1000
        minute = this
        bar = {"t": stamp, "o": 1.1, "h": 1.1008, "l": 1.0992, "c": 1.1001, "x": closed}
        bar["v"] = time.monotonic_ns() / 1e3
        await socket.send(json.dumps(bar))

async def serve_one(socket):
    try:
        await send(socket)
    except ConnectionClosed:
        pass

async def main():
    async with serve(serve_one, "127.0.0.1", 0, compression=None) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


class FastClock:
    """A wall clock that runs ``SPEED`` times as fast."""

    def __init__(self) -> None:
        """Begin now."""
        self.start_s, self.steady_s = SystemClock().now_ns() / 1e9, time.monotonic()

    def now_ns(self) -> int:
        """Return the present instant."""
        passed_s = (time.monotonic() - self.steady_s) * SPEED
        return round((self.start_s + passed_s) * 1e9)


async def bare(port: int, seconds: float) -> list[float]:
    """Receive with the library alone; return the microseconds of closed bars."""
    from websockets.asyncio.client import connect

    found = []
    async with connect(f"ws://127.0.0.1:{port}/", compression=None) as line:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            bar = json.loads(await line.recv())
            if bar["x"]:
                found.append(time.monotonic_ns() / 1e3 - bar["v"])
    return found


async def daemon(folder: Path, clock: FastClock, seconds: float) -> tuple[list[float], list[float]]:
    """Run the daemon; return the microseconds to decisions and to durable intents."""
    from config.load import load
    from daemon.core.desk import Desk
    from daemon.live import Live, LiveOptions
    from daemon.runtime.stepper import Stepper

    decided: list[float] = []
    durable: list[float] = []
    sent_us = 0.0
    decide, adopt = Desk.decide, Stepper.adopt

    def timed_decide(desk: Desk, engine: Engine, bar: Bar, *given: Any) -> Any:  # noqa: ANN401
        nonlocal sent_us
        batch = decide(desk, engine, bar, *given)
        sent_us = bar.volume
        decided.append(time.monotonic_ns() / 1e3 - sent_us)
        return batch

    def timed_adopt(stepper: Stepper, seq: int, entry: Entry) -> None:
        adopt(stepper, seq, entry)
        if isinstance(entry, IntentRecorded):
            durable.append(time.monotonic_ns() / 1e3 - sent_us)

    for where, name, what in ((Desk, "decide", timed_decide), (Stepper, "adopt", timed_adopt)):
        setattr(where, name, what)
    options = LiveOptions(1.0, folder / "control", "", io.StringIO(), lambda _: None, folder)
    live = Live(load([folder / "foliod.toml"], {}), options, clock)
    asyncio.get_running_loop().call_later(seconds, os.kill, os.getpid(), signal.SIGTERM)
    await live.run()
    return decided[WARM:], durable[WARM:]


def _row(name: str, values: list[float]) -> str:
    if not values:
        return f"| {name} | 0 | - | - | - |"
    ranked = sorted(values)
    p99 = ranked[min(len(ranked) - 1, len(ranked) * 99 // 100)]
    cells = (statistics.median(ranked), p99, ranked[-1])
    return f"| {name} | {len(ranked)} | " + " | ".join(f"{one:,.0f}" for one in cells) + " |"


def main() -> None:
    """Read the command line, measure, print a table."""
    import uvloop

    parser = argparse.ArgumentParser(prog="python -m benchmarks.live_decision", description=__doc__)
    parser.add_argument("--seconds", type=float, default=90)
    given = parser.parse_args()
    clock = FastClock()
    arguments = [str(clock.start_s), str(SPEED), str(RATE), str(clock.steady_s)]
    venue = subprocess.Popen(
        [sys.executable, "-c", VENUE, *arguments], stdout=subprocess.PIPE, text=True
    )
    assert venue.stdout is not None
    port = int(venue.stdout.readline())
    try:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            (folder / "foliod.toml").write_text(CONFIG.format(folder=folder, port=port))
            (folder / "talker.py").write_text(TALKER)
            floor = uvloop.run(bare(port, given.seconds / 3))
            decided, durable = uvloop.run(daemon(folder, clock, given.seconds))
    finally:
        venue.kill()
    print("| closed bar's frame to | samples | p50 us | p99 us | max us |")
    print("|---|---:|---:|---:|---:|")
    print(_row("a bare client's JSON", floor))
    print(_row("the desk's decision", decided))
    print(_row("the intent, on the disk", durable))


if __name__ == "__main__":
    main()
