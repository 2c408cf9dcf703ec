"""A live feed on loopback: from the sending of a frame to its closed bar in the taker's hands.

``python -m benchmarks.feed_latency`` sends 1,000 bars a second from a process of its own over a
websocket, and bursts of 500, to a bare client (receive and decode: the floor) and to the session
(decode, checks, order, silence), in turns. ``--soak MINUTES`` sends 200 a second, drops the
line every minute, and watches memory, handles and tasks; a lost or doubled bar ends it with 1.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import random  # noqa: TID251 - seeded here
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import NamedTuple

import msgspec
import uvloop
from websockets.asyncio.client import connect

from adapters.clock import SteadyClock, SystemClock
from adapters.feeds.backoff import BackoffLimits
from adapters.feeds.events import FILLED, BarClosed, GapUnfilled
from adapters.feeds.expected import AlwaysOpen
from adapters.feeds.intake import Intake
from adapters.feeds.line import LineLimits
from adapters.feeds.series import SeriesRules, SeriesSpec
from adapters.feeds.session import FeedSession, SessionLimits
from adapters.feeds.websocket import WebsocketOpener
from benchmarks.feed_venue import Order, VenueCodec, Wire, bar_of, symbol_of
from state.bars import Bar
from state.units import SECOND_NS

STEADY = Order(symbols=50, interval_ns=SECOND_NS // 20, per_s=1000, count=200)
BURST = Order(symbols=500, interval_ns=SECOND_NS, per_s=0, count=1)
FLAT_OUT = Order(symbols=50, interval_ns=SECOND_NS // 20, per_s=0, count=30)
SOAK = Order(symbols=50, interval_ns=SECOND_NS // 4, per_s=200, count=1 << 40, drops=True)
ROUNDS = 3
SPREAD_S = 20.0


class Truth:
    """The history of the venue, without a socket."""

    async def fetch(self, symbol: str, interval_ns: int, from_ns: int, to_ns: int) -> Sequence[Bar]:
        """Return every bar of the time asked for."""
        return [bar_of(n, interval_ns) for n in range(from_ns // interval_ns, to_ns // interval_ns)]


@contextmanager
def venue() -> Iterator[str]:
    """Run the venue in a process of its own; yield its address."""
    command = [sys.executable, "-m", "benchmarks.feed_venue"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"ws://127.0.0.1:{process.stdout.readline().strip()}/"
        finally:
            process.kill()


async def bare(url: str, order: Order) -> list[int]:
    """Receive an order with nothing but the library and a decoder; return ns for each frame."""
    steady, decoder, found = SteadyClock(), msgspec.json.Decoder(Wire), list[int]()
    async with connect(url, compression=None, proxy=None, ping_interval=None) as line:
        await line.send(msgspec.json.encode(order), text=True)
        for _ in range(order.symbols * order.count):
            wire = decoder.decode(await line.recv(decode=False))
            found.append(steady.now_ns() - wire.x)
    return found


@asynccontextmanager
async def session(
    url: str, order: Order, history: Truth | None = None
) -> AsyncIterator[tuple[FeedSession, VenueCodec]]:
    """Run a session for an order while the block runs."""
    clock, codec = SystemClock(), VenueCodec(order)
    specs = [SeriesSpec(symbol_of(one), AlwaysOpen()) for one in range(order.symbols)]
    rules = SeriesRules(order.interval_ns, has_history=history is not None)
    limits = SessionLimits(pauses=BackoffLimits(first_s=0.2, largest_s=2.0))
    feed = FeedSession(
        codec,
        WebsocketOpener(url, LineLimits()),
        Intake(specs, rules, clock.now_ns()),
        clock,
        random.Random(1),
        limits,
        history,
    )
    running = asyncio.create_task(feed.run())
    try:
        yield feed, codec
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def whole(url: str, order: Order) -> list[int]:
    """Take an order from a session; return ns from the sending of each bar to its taker."""
    steady, found = SteadyClock(), list[int]()
    sent: dict[tuple[int, int], int] = {}
    async with session(url, order) as (feed, codec):
        decode = codec.decode

        def noting(frame: bytes | str) -> Sequence[object]:
            events = decode(frame)
            sent[id(events[0].bar)] = codec.latest_x  # type: ignore[index]
            return events

        def take() -> None:
            while (event := feed.take_event()) is not None:
                if isinstance(event, BarClosed):
                    found.append(steady.now_ns() - sent.pop(id(event.bar)))  # type: ignore[call-overload]
            if len(found) >= order.symbols * order.count:
                over.set()

        over = asyncio.Event()
        codec.decode = noting  # type: ignore[method-assign, assignment]
        feed.on_events(take)
        await over.wait()
    return found


def quantile(values: list[int], part: float) -> float:
    """Return a quantile in microseconds."""
    return sorted(values)[min(len(values) - 1, int(len(values) * part))] / 1000


async def latency(url: str) -> None:
    """Measure and print the table."""
    rows: dict[str, dict[str, list[float]]] = {}
    for _ in range(ROUNDS):
        for name, run in (("bare client", bare), ("session", whole)):
            row = rows.setdefault(name, {})
            times = await run(url, STEADY)
            row.setdefault("p50 us", []).append(quantile(times, 0.5))
            row.setdefault("p99 us", []).append(quantile(times, 0.99))
            burst = await run(url, BURST)
            row.setdefault("burst, last us", []).append(max(burst) / 1000)
            begun = time.process_time()
            taken = len(await run(url, FLAT_OUT))
            row.setdefault("CPU us a bar", []).append((time.process_time() - begun) / taken * 1e6)
    names = list(rows["session"])
    print(f"{'':12}" + "".join(f"{name:>16}" for name in names))
    medians = {who: [statistics.median(row[name]) for name in names] for who, row in rows.items()}
    for who, values in medians.items():
        print(f"{who:12}" + "".join(f"{value:16.1f}" for value in values))
    ratios = [a / b for a, b in zip(medians["session"], medians["bare client"], strict=True)]
    print(f"{'ratio':12}" + "".join(f"{value:16.2f}" for value in ratios))
    print(
        f"{ROUNDS} rounds in turns: {STEADY.symbols * STEADY.count} bars at {STEADY.per_s}/s, "
        f"bursts of {BURST.symbols}, {FLAT_OUT.symbols * FLAT_OUT.count} flat out for the CPU time"
    )


class Sample(NamedTuple):
    """The process at a moment of a soak; ``blocks`` is how many objects Python holds."""

    seconds: float
    memory_kb: int
    blocks: int
    handles: int
    tasks: int


def resident_kb() -> int:
    """Return the memory that the process holds, in KB."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * (os.sysconf("SC_PAGESIZE") // 1024)


async def soak(url: str, minutes: float) -> bool:
    """Run for so long; print and return whether nothing was lost, doubled or untrue."""
    steady, seconds = SteadyClock(), minutes * 60
    last: dict[str, int] = {}
    faults: list[str] = []
    bars = filled = 0
    samples: list[Sample] = []
    begun_ns = steady.now_ns()
    came = asyncio.Event()
    async with session(url, SOAK, Truth()) as (feed, _):
        feed.on_events(came.set)
        while (elapsed := (steady.now_ns() - begun_ns) / SECOND_NS) < seconds:
            if not samples or elapsed - samples[-1][0] >= SPREAD_S:
                gc.collect()  # a lost line leaves cycles, which Python finds hours later
                handles = len(os.listdir("/proc/self/fd"))
                tasks, blocks = len(asyncio.all_tasks()), sys.getallocatedblocks()
                samples.append(Sample(elapsed, resident_kb(), blocks, handles, tasks))
            while (event := feed.take_event()) is None:
                came.clear()
                await came.wait()
            if isinstance(event, GapUnfilled):
                faults.append(f"unfilled {event}")
            if not isinstance(event, BarClosed):
                continue
            bars += 1
            filled += event.provenance == FILLED
            number = event.bar.open_ns // SOAK.interval_ns
            before = last.get(event.symbol, number - 1)
            if number != before + 1 or event.bar != bar_of(number, SOAK.interval_ns):
                faults.append(f"{event.symbol}: {number} after {before}")
            last[event.symbol] = number
        status = feed.status()
    _report(samples, bars, filled, status.reconnects, faults)
    return not faults


def _slope(part: list[Sample], name: str) -> None:
    if len(part) < 3:
        return
    at = [one.seconds for one in part]
    memory = statistics.linear_regression(at, [one.memory_kb for one in part]).slope
    blocks = statistics.linear_regression(at, [one.blocks for one in part]).slope
    print(
        f"slope, {name}: {memory * 86_400 / 1024:.1f} MB a day of the process,"
        f" {blocks * 86_400:,.0f} objects a day"
    )


def _report(
    samples: list[Sample],
    bars: int,
    filled: int,
    reconnects: int,
    faults: list[str],
) -> None:
    print(f"{'seconds':>8}{'memory KB':>12}{'objects':>9}{'handles':>9}{'tasks':>7}")
    for at, memory, blocks, handles, tasks in samples:
        print(f"{at:8.0f}{memory:12}{blocks:9}{handles:9}{tasks:7}")
    _slope(samples[3:], "the first minute left out")
    _slope(samples[len(samples) // 2 :], "second half")
    print(f"{bars} bars, {filled} of them filled, {reconnects} lines lost, {len(faults)} faults")
    for fault in faults[:10]:
        print(fault)


def main() -> None:
    """Measure, or soak; exit with 1 when a bar was lost or doubled."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.feed_latency", description=__doc__)
    parser.add_argument("--soak", type=float, metavar="MINUTES", help="run for so long instead")
    asked = parser.parse_args()
    with venue() as url:
        if asked.soak is None:
            uvloop.run(latency(url))
        elif not uvloop.run(soak(url, asked.soak)):
            raise SystemExit(1)


if __name__ == "__main__":
    main()
