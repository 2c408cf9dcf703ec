# ruff: noqa: D107 - a venue is made of its clock and its scripts
"""A broker as OANDA documents it: a stream of prices over chunked HTTP, candles by REST.

It tells the prices of ``bar_socket``, four quotes a minute (open, high, low, close at mid), on the
same clock. Heartbeats come all the time, whatever else a connection does by its script.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final

import msgspec
from aiohttp import web

from state.units import MINUTE_NS, SECOND_NS, utc_text
from tests.fakes.bar_socket import BEGIN_NS, SPEED, FastClock, bar_of
from tests.fakes.listening import listening

TOKEN: Final = "c4n4ry-t0k3n-of-a-test"
ACCOUNT: Final = "101-004-1234567-001"
NAMES: Final = {"EUR_USD": "EURUSD", "GBP_USD": "GBPUSD"}
HALF: Final = 0.00005
PLACES: Final = (5, 20, 35, 50)
"""Seconds of a minute at which its open, high, low and close are quoted."""

Script = Callable[["OandaVenue", web.StreamResponse], Awaitable[None]]


class OandaVenue:
    """Runs one script a connection, the last one for all that come after.

    ``asked`` are the spans of history that were asked for, as paths with their query.
    """

    def __init__(self, clock: FastClock, *scripts: Script) -> None:
        self.clock = clock
        self._scripts = scripts
        self.lines = 0
        self.url = ""
        self.asked: list[str] = []

    async def until(self, at_ns: int) -> None:
        """Wait for an instant."""
        await asyncio.sleep(max(0.0, (at_ns - self.clock.now_ns()) / SPEED / SECOND_NS))

    async def quote(
        self, stream: web.StreamResponse, name: str, mid: float, *, open_: bool
    ) -> None:
        """Send a price, stamped with the present instant."""
        line = {
            "type": "PRICE",
            "time": utc_text(self.clock.now_ns()),
            "instrument": name,
            "bids": [{"price": f"{mid - HALF:.5f}", "liquidity": 1_000_000}],
            "asks": [{"price": f"{mid + HALF:.5f}", "liquidity": 1_000_000}],
            "closeoutBid": f"{mid - 2 * HALF:.5f}",
            "closeoutAsk": f"{mid + 2 * HALF:.5f}",
            "status": "tradeable" if open_ else "non-tradeable",
            "tradeable": open_,
        }
        await stream.write(msgspec.json.encode(line) + b"\n")

    async def speak(
        self, stream: web.StreamResponse, minutes: int | None = None, shut: tuple[int, ...] = ()
    ) -> None:
        """Quote so many whole minutes, None: for ever. EUR_USD takes no orders in those ``shut``,
        counted from the first."""
        first = (self.clock.now_ns() - BEGIN_NS) // MINUTE_NS + 1
        minute = first
        while minutes is None or minute < first + minutes:
            bars = {name: bar_of(symbol, minute) for name, symbol in NAMES.items()}
            for place, part in zip(PLACES, ("open", "high", "low", "close"), strict=True):
                await self.until(BEGIN_NS + minute * MINUTE_NS + place * SECOND_NS)
                for name, bar in bars.items():
                    is_open = name != "EUR_USD" or minute - first not in shut
                    await self.quote(stream, name, getattr(bar, part), open_=is_open)
            minute += 1

    async def _beat(self, stream: web.StreamResponse) -> None:
        while True:
            line = {"type": "HEARTBEAT", "time": utc_text(self.clock.now_ns())}
            await stream.write(msgspec.json.encode(line) + b"\n")
            await asyncio.sleep(5 / SPEED)

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            raise web.HTTPUnauthorized(text="Insufficient authorization to perform request.")
        assert request.path == f"/v3/accounts/{ACCOUNT}/pricing/stream"
        assert sorted(request.query["instruments"].split(",")) == sorted(NAMES)
        script = self._scripts[min(self.lines, len(self._scripts) - 1)]
        self.lines += 1
        stream = web.StreamResponse(headers={"Content-Type": "application/octet-stream"})
        await stream.prepare(request)
        beat = asyncio.create_task(self._beat(stream))
        try:
            with suppress(ConnectionError):
                await script(self, stream)
        finally:
            beat.cancel()
            await asyncio.wait([beat])
        return stream

    async def _candles(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            raise web.HTTPUnauthorized(text="Insufficient authorization to perform request.")
        self.asked.append(request.path_qs)
        name, now_ns = request.path.split("/")[3], self.clock.now_ns()
        assert request.path == f"/v3/instruments/{name}/candles"
        candles = []
        for minute in range(-600, (now_ns - BEGIN_NS) // MINUTE_NS + 1):
            bar = bar_of(NAMES[name], minute)
            if not request.query["from"] <= utc_text(bar.open_ns) < request.query["to"]:
                continue
            mid = {
                letter: f"{getattr(bar, part):.5f}"
                for letter, part in zip("ohlc", ("open", "high", "low", "close"), strict=True)
            }
            complete = bar.close_ns <= now_ns
            time = utc_text(bar.open_ns)
            candles.append({"time": time, "complete": complete, "volume": 4, "mid": mid})
        answer = {"instrument": name, "granularity": "M1", "candles": candles}
        return web.Response(body=msgspec.json.encode(answer), content_type="application/json")

    @asynccontextmanager
    async def open(self) -> AsyncIterator[OandaVenue]:
        """Listen on 127.0.0.1 while the block runs."""
        async with listening(v3_accounts=self._stream, v3_instruments=self._candles) as address:
            self.url = f"http://{address}"
            yield self


async def quotes(venue: OandaVenue, stream: web.StreamResponse) -> None:
    """Quote every minute, for ever."""
    await venue.speak(stream)


def quotes_then_beats(minutes: int) -> Script:
    """Quote so many minutes, then send nothing but heartbeats."""

    async def script(venue: OandaVenue, stream: web.StreamResponse) -> None:
        await venue.speak(stream, minutes)
        await asyncio.Event().wait()

    return script


def shuts(*minutes: int) -> Script:
    """Quote every minute; in some EUR_USD takes no orders."""

    async def script(venue: OandaVenue, stream: web.StreamResponse) -> None:
        await venue.speak(stream, None, minutes)

    return script
