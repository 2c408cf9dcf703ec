"""What notifications cost whoever trades: nothing that can be measured, whatever an endpoint does.

``python -m benchmarks.notifications`` prints how long ``offer`` takes, and how long the demo's
instants take to step (decided, durable, applied) on a desk's thread, with no notifications and with
a message offered at every change of state to an endpoint that answers, that is dead, and that
accepts and never answers. The modes take turns, round after round. *Paced*: the desk rests 10 ms
after each change, which still is a message every 10 ms. *Storm*: it does not rest.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import statistics
import sys
import tempfile
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from adapters.clock import SteadyClock
from adapters.feeds.demo import write_demo
from adapters.kill_file import SWITCH_S
from adapters.notify.webhook import Webhook
from adapters.ports import Message
from config.load import load
from config.settings import Settings
from daemon.runtime.at_once import at_once
from daemon.runtime.notifications import INBOX, Limits, Notifications
from daemon.runtime.notify_thread import NotifyThread
from daemon.trading import Hooks, Trading
from state.units import NEVER_NS

ROUNDS: Final = 5
OFFERS: Final = 200_000
INSTANTS: Final = 8_000
PACED_INSTANTS: Final = 2_500
PAUSE_S: Final = 0.01
MODES: Final = ("none", "answering", "dead", "silent")
_DEMO: Final = Path(__file__).parents[1] / "config" / "examples" / "demo.toml"
_OK: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


def a_message(number: int) -> Message:
    """Return a message as a trade makes one; no two fold."""
    title = f"demo: EURUSD orb_london +1.00 R, +500.00 EUR ({number})"
    return Message(number, "info", "trade", str(number), title, title, "demo", id=str(number))


@contextlib.asynccontextmanager
async def endpoint(mode: str) -> AsyncIterator[str]:
    """Yield the URL of an endpoint of a kind, on the loopback."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                await reader.readexactly(int(head.split("content-length: ")[1].split("\r")[0]))
                writer.write(_OK)
        writer.close()

    if mode == "answering":
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        async with server:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        return
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        if mode == "silent":
            one.listen()  # the system accepts for it; nobody reads
        yield f"http://127.0.0.1:{one.getsockname()[1]}/"


def stepped(
    settings: Settings, home: Path, notifications: Notifications | None, pause_s: float
) -> list[float]:
    """Step the demo; return the microseconds of each instant in which something changed."""
    clock, changes, times = SteadyClock(), [0], list[float]()
    rest = threading.Event()

    def tell(_: int) -> int:
        changes[0] += 1
        if notifications is not None:
            notifications.offer(a_message(changes[0]))
        return NEVER_NS

    home.mkdir(parents=True)
    trading = Trading(settings, home, Path(), Hooks(tell=tell))
    at_once(trading.begin_run())
    for _ in range(PACED_INSTANTS if pause_s else INSTANTS):
        if trading.coming() is None:
            break
        instant, before = trading.take(), changes[0]
        begun_ns = clock.now_ns()
        at_once(trading.step(instant))
        if changes[0] != before:
            times.append((clock.now_ns() - begun_ns) / 1e3)
            if pause_s:
                rest.wait(pause_s)
    trading.close()
    return times


async def one_run(settings: Settings, mode: str, folder: Path, pause_s: float) -> list[float]:
    """Step the demo on a thread, as the daemon does, with notifications of a mode beside it."""
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(1, "desk") as desk:
        if mode == "none":
            home = folder / "home"
            return await loop.run_in_executor(desk, stepped, settings, home, None, pause_s)
        async with endpoint(mode) as url:
            hook = Webhook("bench", url, 10.0)
            notifications = Notifications([hook], folder / "notify", Limits(), lambda _: None)
            thread = NotifyThread(notifications, lambda _: None)
            thread.start()
            times = await loop.run_in_executor(
                desk, stepped, settings, folder / "home", notifications, pause_s
            )
            await asyncio.to_thread(thread.stop, 0.0)
            return times


async def offers() -> list[int]:
    """Return the nanoseconds of offers to notifications whose endpoint is silent."""
    clock, found = SteadyClock(), list[int]()
    message = a_message(0)
    with tempfile.TemporaryDirectory() as place:
        async with endpoint("silent") as url:
            notifications = Notifications(
                [Webhook("bench", url, 10.0)], Path(place), Limits(), lambda _: None
            )
            for _ in range(OFFERS // INBOX):
                for _ in range(INBOX):
                    begun_ns = clock.now_ns()
                    notifications.offer(message)
                    found.append(clock.now_ns() - begun_ns)
                notifications._taken()
    return sorted(found)


def percentile(values: list[float], share: float) -> float:
    """Return a percentile of sorted values."""
    return values[min(len(values) - 1, int(len(values) * share))]


def main() -> None:
    """Measure and print."""
    sys.setswitchinterval(SWITCH_S)
    taken = asyncio.run(offers())
    print(
        f"offer: {len(taken)} times, p50 {statistics.median(taken):.0f} ns, "
        f"p99 {taken[int(len(taken) * 0.99)]} ns, max {taken[-1] / 1e3:.0f} us "
        "(two readings of the clock included)"
    )
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_demo(folder / "bars")
        text = _DEMO.read_text()
        (folder / "foliod.toml").write_text(text[: text.index("# An operator's days")])
        settings = load([folder / "foliod.toml"], {})
        compare("paced", settings, folder, PAUSE_S)
        compare("storm", settings, folder, 0.0)


def compare(name: str, settings: Settings, folder: Path, pause_s: float) -> None:
    """Run every mode round after round, and print the times of each."""
    rounds: dict[str, list[list[float]]] = {mode: [] for mode in MODES}
    for number in range(ROUNDS):
        turn = number % len(MODES)
        for mode in MODES[turn:] + MODES[:turn]:
            where = folder / f"{name}-{mode}-{number}"
            rounds[mode].append(sorted(asyncio.run(one_run(settings, mode, where, pause_s))))
    print(f"{name}: {len(rounds['none'][0])} instants with a change, {ROUNDS} runs of each")
    base = [statistics.median(one) for one in rounds["none"]]
    for mode, runs in rounds.items():
        p50s = [statistics.median(one) for one in runs]
        p99s = [percentile(one, 0.99) for one in runs]
        ratio = statistics.median(mine / theirs for mine, theirs in zip(p50s, base, strict=True))
        print(
            f"{mode:10} p50 {statistics.median(p50s):7.1f} us ({min(p50s):.1f}-{max(p50s):.1f}), "
            f"p99 {statistics.median(p99s):7.1f} us, ratio to none {ratio:.3f}"
        )


if __name__ == "__main__":
    main()
