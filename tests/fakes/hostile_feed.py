# ruff: noqa: D102, D107 - what a script does, its name says
"""A venue over real sockets that misbehaves as told, and what it would have said truthfully.

Bars are short (``INTERVAL_NS``), so that minutes of a market pass in seconds. The price of every
interval is known, whoever asks: a bar that a session hands over is either true or a fault.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from adapters.clock import SystemClock
from state.bars import Bar
from state.errors import FeedError
from tests.fakes.small_codec import bar_frame

INTERVAL_NS = 150_000_000
GRACE_NS = 75_000_000
SYMBOL = "EURUSD"

Script = Callable[["Venue", ServerConnection], Awaitable[None]]


def bar_of(number: int) -> Bar:
    """Return the true bar of an interval, counted from 1970."""
    close = 1.0 + number % 97 / 100
    at = number * INTERVAL_NS
    return Bar(at, at + INTERVAL_NS, close, close + 0.5, close - 0.5, close)


class Venue:
    """Runs one script a connection; the last one for all that come after.

    ``lines`` counts connections, ``sent`` the intervals whose bars were sent at least once.
    """

    def __init__(self, *scripts: Script) -> None:
        self._scripts = scripts
        self._clock = SystemClock()
        self.lines = 0
        self.port = 0
        self.sent: set[int] = set()

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/feed?apikey=c4n4ry"

    async def next_bar(self) -> int:
        """Wait for the end of the present interval; return its number."""
        now_ns = self._clock.now_ns()
        number = now_ns // INTERVAL_NS
        await asyncio.sleep(((number + 1) * INTERVAL_NS - now_ns) / 1e9 + 0.001)
        return number

    async def send(self, line: ServerConnection, number: int) -> None:
        """Send the true bar of an interval."""
        self.sent.add(number)
        await line.send(bar_frame(SYMBOL, bar_of(number)))

    async def speak(self, line: ServerConnection, count: int | None = None) -> int:
        """Send the bars of so many intervals as they end, None: for ever; return the last."""
        number, left = 0, count
        while left is None or left > 0:
            number = await self.next_bar()
            await self.send(line, number)
            left = None if left is None else left - 1
        return number

    async def fetch(self, symbol: str, interval_ns: int, from_ns: int, to_ns: int) -> Sequence[Bar]:
        """Be a history too: all bars of the time asked for, the forming one included."""
        if (symbol, interval_ns) != (SYMBOL, INTERVAL_NS):
            raise FeedError(f"no history of {symbol} at {interval_ns}")
        return [bar_of(one) for one in range(from_ns // INTERVAL_NS, to_ns // INTERVAL_NS)]

    async def _serve(self, line: ServerConnection) -> None:
        script = self._scripts[min(self.lines, len(self._scripts) - 1)]
        self.lines += 1
        try:
            await line.recv()
            await script(self, line)
        except ConnectionClosed:
            pass

    @asynccontextmanager
    async def open(self, port: int = 0) -> AsyncIterator[Venue]:
        """Listen on 127.0.0.1 while the block runs."""
        async with serve(
            self._serve, "127.0.0.1", port, compression=None, close_timeout=0.2, ping_interval=None
        ) as server:
            self.port = next(iter(server.sockets)).getsockname()[1]
            yield self


async def speaks(venue: Venue, line: ServerConnection) -> None:
    """Send every bar in time, for ever."""
    await venue.speak(line)


def after(count: int, then: Script) -> Script:
    """Send so many bars in time, then do something else."""

    async def script(venue: Venue, line: ServerConnection) -> None:
        await venue.speak(line, count)
        await then(venue, line)

    return script


async def stalls(venue: Venue, line: ServerConnection) -> None:
    """Say nothing more, and answer every ping."""
    await line.wait_closed()


async def vanishes(venue: Venue, line: ServerConnection) -> None:
    """Neither read nor write any more, as a host does whose power failed."""
    line.transport.pause_reading()
    await line.wait_closed()


async def hangs_up(venue: Venue, line: ServerConnection) -> None:
    """End the line without a word."""
    line.transport.abort()


def says(*frames: str) -> Script:
    """Send these frames, then every bar in time."""

    async def script(venue: Venue, line: ServerConnection) -> None:
        for frame in frames:
            await line.send(frame)
        await venue.speak(line)

    return script


def within(seconds: float, script: Script) -> Script:
    """Do something, and end the line without a word when it takes longer than so many seconds."""

    async def bounded(venue: Venue, line: ServerConnection) -> None:
        try:
            async with asyncio.timeout(seconds):
                await script(venue, line)
        except TimeoutError:
            line.transport.abort()

    return bounded


async def stutters(venue: Venue, line: ServerConnection) -> None:
    """Send every bar three times, and pairs of them in the wrong order."""
    while True:
        first = await venue.next_bar()
        second = await venue.next_bar()
        for number in (second, first, second, first, second):
            await venue.send(line, number)


def skips(every: int) -> Script:
    """Leave out two bars after every so many."""

    async def script(venue: Venue, line: ServerConnection) -> None:
        while True:
            await venue.speak(line, every)
            await venue.next_bar()
            await venue.next_bar()

    return script


def floods(count: int) -> Script:
    """Send the last ``count`` bars at once, then go on in time."""

    async def script(venue: Venue, line: ServerConnection) -> None:
        number = await venue.next_bar()
        for one in range(number - count + 1, number + 1):
            await venue.send(line, one)
        await venue.speak(line)

    return script


def shifted(by: int) -> Script:
    """Send bars that say they are so many intervals later than they are."""

    async def script(venue: Venue, line: ServerConnection) -> None:
        while True:
            await line.send(bar_frame(SYMBOL, bar_of(await venue.next_bar() + by)))

    return script
