# ruff: noqa: D102, D107 - what a script does, its name says
"""A socket that sends one-minute bars as JSON, on a clock that runs sixty times as fast.

The price of every minute is known, whoever asks; what a line does instead of sending it is a
script, as in ``hostile_feed``.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from state.bars import Bar
from state.units import MINUTE_NS, SECOND_NS

SPEED: Final = 60
BEGIN_NS: Final = 1_772_614_800 * SECOND_NS
"""2026-03-04T09:00:00Z, a Wednesday."""
SYMBOLS: Final = ("EURUSD", "GBPUSD")
TICK: Final = 0.00001


class FastClock:
    """A wall clock that runs ``SPEED`` times as fast, from ``BEGIN_NS`` on."""

    def __init__(self) -> None:
        self._real_ns = time.monotonic_ns()

    def now_ns(self) -> int:
        return BEGIN_NS + (time.monotonic_ns() - self._real_ns) * SPEED


def bar_of(symbol: str, minute: int) -> Bar:
    """Return the true bar of a minute, counted from ``BEGIN_NS``: it goes up and down by turns."""
    ticks = 110_000 + 20_000 * SYMBOLS.index(symbol) + 3 * (minute * 7 % 11)
    close = round(ticks * TICK, 5)
    at = BEGIN_NS + minute * MINUTE_NS
    return Bar(at, at + MINUTE_NS, close, close + 60 * TICK, close - 60 * TICK, close)


def frame_of(symbol: str, bar: Bar) -> str:
    """Return a bar as the socket sends it."""
    prices = {name: getattr(bar, name) for name in ("open", "high", "low", "close")}
    return json.dumps({"s": symbol, "t": bar.open_ns // 10**6, **prices})


Script = Callable[["BarSocket", ServerConnection], Awaitable[None]]


class BarSocket:
    """Runs one script a connection, the last one for all that come after.

    ``sent`` are the minutes of each symbol whose bars were sent.
    """

    def __init__(self, clock: FastClock, *scripts: Script) -> None:
        self.clock = clock
        self._scripts = scripts
        self.lines = 0
        self.port = 0
        self.sent: dict[str, set[int]] = {symbol: set() for symbol in SYMBOLS}

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/bars"

    async def next_minute(self) -> int:
        """Wait for the end of the present minute; return its number."""
        now_ns = self.clock.now_ns()
        minute = (now_ns - BEGIN_NS) // MINUTE_NS
        left_ns = BEGIN_NS + (minute + 1) * MINUTE_NS - now_ns
        await asyncio.sleep(left_ns / SPEED / SECOND_NS + 0.002)
        return minute

    async def speak(
        self, line: ServerConnection, count: int | None = None, only: tuple[str, ...] = SYMBOLS
    ) -> None:
        """Send so many minutes as they end, None: for ever."""
        done = 0
        while count is None or done < count:
            minute = await self.next_minute()
            for symbol in only:
                self.sent[symbol].add(minute)
                await line.send(frame_of(symbol, bar_of(symbol, minute)))
            done += 1

    async def _serve(self, line: ServerConnection) -> None:
        script = self._scripts[min(self.lines, len(self._scripts) - 1)]
        self.lines += 1
        with suppress(ConnectionClosed):
            await script(self, line)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[BarSocket]:
        """Listen on 127.0.0.1 while the block runs."""
        async with serve(
            self._serve, "127.0.0.1", 0, compression=None, close_timeout=0.2, ping_interval=None
        ) as server:
            self.port = next(iter(server.sockets)).getsockname()[1]
            yield self


async def speaks(socket: BarSocket, line: ServerConnection) -> None:
    """Send every bar in time, for ever."""
    await socket.speak(line)


async def stalls(socket: BarSocket, line: ServerConnection) -> None:
    """Say nothing more, and answer every ping."""
    await line.wait_closed()


async def hangs_up(socket: BarSocket, line: ServerConnection) -> None:
    """End the line without a word."""
    line.transport.abort()


def says(*frames: str) -> Script:
    """Send these frames, then every bar in time."""

    async def script(socket: BarSocket, line: ServerConnection) -> None:
        for frame in frames:
            await line.send(frame)
        await socket.speak(line)

    return script


def after(count: int, then: Script, only: tuple[str, ...] = SYMBOLS) -> Script:
    """Send so many minutes, then do something else."""

    async def script(socket: BarSocket, line: ServerConnection) -> None:
        await socket.speak(line, count, only)
        await then(socket, line)

    return script


def lags(symbol: str, minutes: int) -> Script:
    """Hold a symbol's bars of so many minutes back, send them all at once, then go on in time."""
    rest = tuple(one for one in SYMBOLS if one != symbol)

    async def script(socket: BarSocket, line: ServerConnection) -> None:
        first = (socket.clock.now_ns() - BEGIN_NS) // MINUTE_NS
        await socket.speak(line, minutes, rest)
        for minute in range(first, first + minutes):
            socket.sent[symbol].add(minute)
            await line.send(frame_of(symbol, bar_of(symbol, minute)))
        await socket.speak(line)

    return script
