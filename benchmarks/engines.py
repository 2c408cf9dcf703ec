"""How long one tick for many engines takes in the daemon, and an intent to be on the disk.

``python -m benchmarks.engines`` runs the daemon's own tasks in this process: every symbol closes a
one-minute bar at the same instant, every engine (EMA 20/50 cross) has a task and an inbox, the desk
decides, what is decided is committed with ``synchronous=FULL``. A tick is the time from handing an
instant to the desk until it is done; quiet ticks decide nothing, busy ones wait for the disk. The
lag is how late the loop wakes another task meanwhile. Uses uvloop. Times are wall-clock.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from pathlib import Path
from typing import Final

from benchmarks.generate import write
from benchmarks.replay import config

BARS: Final = 700
"""One-minute bars from midnight: the windows are open from the 420th to the 600th."""
WARM: Final = 110


def settings_text(folder: Path, symbols: int, strategies: int) -> str:
    """Return a configuration of so many symbols with so many strategies each."""
    text = config(folder, symbols)
    head, strategy = text[: text.index("[[strategies]]")], text[text.index("[[strategies]]") :]
    found = [strategy.replace('"ema"', f'"ema{number}"', 1) for number in range(strategies)]
    return head + "\n".join(found)


async def measure(folder: Path, symbols: int, strategies: int) -> list[str]:
    """Run one portfolio and return the cells of its row."""
    from config.load import load
    from daemon.runtime.instants import Instant
    from daemon.runtime.tasks.engines import EngineTasks
    from daemon.runtime.tasks.serial import SerialTask
    from daemon.trading import Hooks, Trading
    from state.writer import Written

    path = folder / "engines.toml"
    path.write_text(settings_text(folder, symbols, strategies))
    with tempfile.TemporaryDirectory(dir=folder) as home:
        trading = Trading(load([path], {}), Path(home), Path(), Hooks())
        waits: list[float] = []

        async def durable(written: Written) -> None:
            begun = time.perf_counter()
            await asyncio.wrap_future(written)
            waits.append((time.perf_counter() - begun) * 1e3)

        await trading.begin_run(durable)
        engines, desk = EngineTasks(trading.core.engines), SerialTask()
        quiet: list[float] = []
        busy: list[float] = []
        lags: list[float] = []

        async def lag() -> None:
            while True:
                begun = time.perf_counter()
                await asyncio.sleep(0.001)
                lags.append((time.perf_counter() - begun - 0.001) * 1e3)

        def one(instant: Instant) -> asyncio.Future[None]:
            return asyncio.ensure_future(desk.ask(lambda: trading.step(instant, engines.ask)))

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(desk.run()), *engines.start(group)]
            for number in range(BARS):
                if number == WARM:
                    waits.clear()
                    tasks.append(group.create_task(lag()))
                instant, before = trading.take() if trading.coming() else None, len(waits)
                if instant is None:
                    break
                begun = time.perf_counter()
                await one(instant)
                took = (time.perf_counter() - begun) * 1e3
                if number >= WARM:
                    (busy if len(waits) > before else quiet).append(took)
                await asyncio.sleep(0)
            for task in tasks:
                task.cancel()
        count = len(trading.core.engines)
        await asyncio.to_thread(trading.close)
    return [
        f"{count:,}",
        _figures(quiet),
        f"{len(busy)}",
        _figures(busy),
        _figures(waits),
        _figures(lags),
    ]


def _figures(values: list[float]) -> str:
    """Return p50 / p99 / max in ms."""
    if not values:
        return "-"
    ranked = sorted(values)
    p50, p99, most = statistics.median(ranked), ranked[len(ranked) * 99 // 100], ranked[-1]
    return f"{p50:.2f} / {p99:.2f} / {most:.2f}"


def main() -> None:
    """Read the command line, measure, print a table."""
    import uvloop

    parser = argparse.ArgumentParser(prog="python -m benchmarks.engines", description=__doc__)
    parser.add_argument("--engines", type=int, nargs="+", default=[1, 500, 10_000])
    given = parser.parse_args()
    print("p50 / p99 / max in ms")
    print("| engines | quiet tick | busy ticks | busy tick | intent durable | loop lag |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for count in given.engines:
            symbols = min(count, 50 if count <= 500 else 100)
            for number in range(symbols):
                if not (folder / f"SYM{number:03d}.parquet").exists():
                    write(folder / f"SYM{number:03d}.parquet", 1000 + number, BARS)
            row = uvloop.run(measure(folder, symbols, count // symbols))
            print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
