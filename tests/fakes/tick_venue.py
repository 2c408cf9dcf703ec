# ruff: noqa: D102, D107 - a venue is made of its clock, its dialect and its script
"""Vendors of ticks as Finnhub and Twelve Data document them: a websocket of prices, bars by REST.

They tell the prices of ``bar_socket``, four ticks a minute (open, high, low, close), on its clock.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any, Final, Protocol

import msgspec
from aiohttp import web

from state.bars import Bar
from state.units import MINUTE_NS, SECOND_NS, utc_ns, utc_text
from tests.fakes.bar_socket import BEGIN_NS, SPEED, FastClock, bar_of
from tests.fakes.listening import listening

KEY: Final = "c4n4ry-k3y-of-a-test"
_PARTS: Final = ("open", "high", "low", "close")
_PLACES: Final = (5, 20, 35, 50)


class Dialect(Protocol):
    """What a vendor's words are."""

    source: str
    names: dict[str, str]
    """Its symbols, with foliod's."""
    parameter: str
    """Of the socket's address, with the key."""
    header: tuple[str, str]
    """Of a request for history, with the key."""

    def subscribed(self, asked: dict[str, Any]) -> tuple[list[str], list[object]]:
        """Return the symbols that a message asks for, and what it is answered with."""

    def tick(self, name: str, price: float, at_ns: int) -> object: ...

    def bars(self, name: str, rows: list[Bar]) -> object: ...

    def span(self, query: dict[str, str]) -> tuple[int, int]:
        """Return from when to when (inclusive) bars are asked for, in ns."""


class Finnhub:
    """Subscriptions that nobody answers, trades in lists, candles in columns."""

    source = "finnhub"
    names: Final = {"OANDA:EUR_USD": "EURUSD", "OANDA:GBP_USD": "GBPUSD"}
    parameter = "token"
    header = ("X-Finnhub-Token", KEY)

    def subscribed(self, asked: dict[str, Any]) -> tuple[list[str], list[object]]:
        assert asked["type"] == "subscribe"
        return [asked["symbol"]], [{"type": "ping"}]

    def tick(self, name: str, price: float, at_ns: int) -> object:
        trade = {"s": name, "p": price, "t": at_ns // 10**6, "v": 0, "c": None}
        return {"type": "trade", "data": [trade]}

    def bars(self, name: str, rows: list[Bar]) -> object:
        if not rows:
            return {"s": "no_data"}
        found: dict[str, object] = {
            part[0]: [round(getattr(one, part), 5) for one in rows] for part in _PARTS
        }
        opens = [one.open_ns // SECOND_NS for one in rows]
        return {**found, "t": opens, "v": [4] * len(rows), "s": "ok"}

    def span(self, query: dict[str, str]) -> tuple[int, int]:
        assert query["resolution"] == "1"
        return int(query["from"]) * SECOND_NS, int(query["to"]) * SECOND_NS


class TwelveData:
    """One subscription that is answered, a price a message, series of texts."""

    source = "twelvedata"
    names: Final = {"EUR/USD": "EURUSD", "GBP/USD": "GBPUSD"}
    parameter = "apikey"
    header = ("Authorization", f"apikey {KEY}")

    def subscribed(self, asked: dict[str, Any]) -> tuple[list[str], list[object]]:
        if asked["action"] == "heartbeat":
            return [], [{"event": "heartbeat", "status": "ok"}]
        assert asked["action"] == "subscribe"
        names = asked["params"]["symbols"].split(",")
        told = [{"symbol": one, "exchange": "PHYSICAL CURRENCY"} for one in names]
        answer = {"event": "subscribe-status", "status": "ok", "success": told, "fails": None}
        return names, [answer]

    def tick(self, name: str, price: float, at_ns: int) -> object:
        at = {"timestamp": at_ns // SECOND_NS, "price": price}
        return {"event": "price", "symbol": name, "currency_base": "x", **at}

    def bars(self, name: str, rows: list[Bar]) -> object:
        if not rows:
            return {"status": "error", "code": 400, "message": "No data is available on it."}
        values = [
            {
                "datetime": utc_text(one.open_ns).rstrip("Z").replace("T", " "),
                **{part: f"{getattr(one, part):.5f}" for part in _PARTS},
            }
            for one in rows
        ]
        return {"meta": {"symbol": name, "interval": "1min"}, "values": values, "status": "ok"}

    def span(self, query: dict[str, str]) -> tuple[int, int]:
        assert (query["interval"], query["timezone"], query["order"]) == ("1min", "UTC", "ASC")
        first, last = (
            utc_ns(datetime.fromisoformat(query[one]).replace(tzinfo=UTC))
            for one in ("start_date", "end_date")
        )
        return first, last


class TickVenue:
    """Drops its first line after so many ``minutes``, then lets nobody in until ``door`` is set."""

    def __init__(self, clock: FastClock, dialect: Dialect, minutes: int) -> None:
        self.clock = clock
        self._dialect = dialect
        self._minutes = minutes
        self.door = asyncio.Event()
        self.door.set()
        self.lines = 0
        self.address = ""
        self.asked: list[str] = []

    async def _until(self, at_ns: int) -> None:
        await asyncio.sleep(max(0.0, (at_ns - self.clock.now_ns()) / SPEED / SECOND_NS))

    async def _speak(self, line: web.WebSocketResponse, minutes: int | None) -> None:
        first = (self.clock.now_ns() - BEGIN_NS) // MINUTE_NS + 1
        minute = first
        while minutes is None or minute < first + minutes:
            for place, part in zip(_PLACES, _PARTS, strict=True):
                await self._until(BEGIN_NS + minute * MINUTE_NS + place * SECOND_NS)
                for name, symbol in self._dialect.names.items():
                    price = round(getattr(bar_of(symbol, minute), part), 5)
                    tick = self._dialect.tick(name, price, self.clock.now_ns())
                    await line.send_bytes(msgspec.json.encode(tick))
            minute += 1

    async def _hear(self, line: web.WebSocketResponse, heard: set[str]) -> None:
        async for message in line:
            names, answers = self._dialect.subscribed(msgspec.json.decode(message.data))
            heard.update(names)
            for answer in answers:
                await line.send_bytes(msgspec.json.encode(answer))

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        if request.query.get(self._dialect.parameter) != KEY:
            raise web.HTTPUnauthorized
        if not self.door.is_set():
            raise web.HTTPServiceUnavailable
        line = web.WebSocketResponse()
        await line.prepare(request)
        minutes = None if self.lines else self._minutes
        self.lines += 1
        heard: set[str] = set()
        hearing = asyncio.create_task(self._hear(line, heard))
        speaking = asyncio.create_task(self._speak(line, minutes))
        await asyncio.wait({hearing, speaking}, return_when=asyncio.FIRST_COMPLETED)
        for task in (hearing, speaking):
            task.cancel()
            with suppress(asyncio.CancelledError, ConnectionError):
                await task
        assert heard == set(self._dialect.names)
        if minutes is not None and request.transport is not None:
            self.door.clear()
            request.transport.abort()
        return line

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._stream(request)
        name, value = self._dialect.header
        if request.headers.get(name) != value:
            raise web.HTTPUnauthorized
        self.asked.append(request.path_qs)
        from_ns, to_ns = self._dialect.span(dict(request.query))
        symbol, now_ns = request.query["symbol"], self.clock.now_ns()
        bars = [
            bar_of(self._dialect.names[symbol], minute)
            for minute in range(-600, (now_ns - BEGIN_NS) // MINUTE_NS)
        ]
        rows = [one for one in bars if from_ns <= one.open_ns <= to_ns]
        answer = msgspec.json.encode(self._dialect.bars(symbol, rows))
        return web.Response(body=answer, content_type="application/json")

    @asynccontextmanager
    async def open(self) -> AsyncIterator[TickVenue]:
        """Listen on 127.0.0.1 while the block runs."""
        async with listening(**{"": self._answer}) as address:
            self.address = address
            yield self
