# ruff: noqa: D107 - a venue is made of its clock and its script
"""An exchange as Binance documents it: klines over one combined stream, klines by REST.

It tells the bars of ``bar_socket`` on the same clock: each minute as it forms, and closed at its
end.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import msgspec
from aiohttp import WSMsgType, web

from state.units import MINUTE_NS, SECOND_NS
from tests.fakes.bar_socket import BEGIN_NS, SPEED, FastClock, bar_of
from tests.fakes.listening import listening

NAMES: Final = {"EURUSDT": "EURUSD", "GBPUSDT": "GBPUSD"}
_MS: Final = 1_000_000


class BinanceVenue:
    """``lasts`` are the minutes after which each line is dropped; the ones after them stay.

    While ``door`` is not set nobody is let in. ``asked`` is the history that was asked for.
    """

    def __init__(self, clock: FastClock, *lasts: int) -> None:
        self.clock = clock
        self._lasts = lasts
        self.door = asyncio.Event()
        self.door.set()
        self.lines = 0
        self.url = ""
        self.asked: list[str] = []

    def _kline(self, name: str, minute: int, *, closed: bool) -> bytes:
        bar = bar_of(NAMES[name], minute)
        open_ms, close_ms = bar.open_ns // _MS, bar.close_ns // _MS - 1
        prices = {key: f"{getattr(bar, part):.5f}" for key, part in _PARTS}
        if not closed:
            prices["c"] = prices["o"]
        kline = {
            "t": open_ms, "T": close_ms, "s": name, "i": "1m", **prices, "v": "7.5", "n": 3,
            "x": closed, "q": "8.1", "V": "1", "Q": "1",
        }  # fmt: skip
        data = {"e": "kline", "E": self.clock.now_ns() // _MS, "s": name, "k": kline}
        return msgspec.json.encode({"stream": f"{name.lower()}@kline_1m", "data": data})

    async def _speak(self, line: web.WebSocketResponse, minutes: int | None) -> None:
        done = 0
        while minutes is None or done < minutes:
            minute = (self.clock.now_ns() - BEGIN_NS) // MINUTE_NS
            end_ns = BEGIN_NS + (minute + 1) * MINUTE_NS
            while (left_ns := end_ns - self.clock.now_ns()) > 0:
                for name in NAMES:
                    await line.send_bytes(self._kline(name, minute, closed=False))
                await asyncio.sleep(min(left_ns / SPEED / SECOND_NS + 0.002, 0.25))
            for name in NAMES:
                await line.send_bytes(self._kline(name, minute, closed=True))
            done += 1

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        if not self.door.is_set():
            raise web.HTTPServiceUnavailable
        line = web.WebSocketResponse()
        await line.prepare(request)
        asked = msgspec.json.decode((await line.receive()).data)
        assert sorted(asked["params"]) == sorted(f"{one.lower()}@kline_1m" for one in NAMES)
        await line.send_bytes(msgspec.json.encode({"result": None, "id": asked["id"]}))
        minutes = self._lasts[self.lines] if self.lines < len(self._lasts) else None
        self.lines += 1
        with suppress(ConnectionError):
            speaking = asyncio.create_task(self._speak(line, minutes))
            hearing = asyncio.create_task(_until_closed(line))
            await asyncio.wait({speaking, hearing}, return_when=asyncio.FIRST_COMPLETED)
            for task in (speaking, hearing):
                task.cancel()
            await asyncio.wait({speaking, hearing})
        if minutes is not None and request.transport is not None:
            self.door.clear()
            request.transport.abort()
        return line

    async def _klines(self, request: web.Request) -> web.Response:
        assert request.path == "/api/v3/klines"
        self.asked.append(request.path_qs)
        query, now_ns = request.query, self.clock.now_ns()
        rows: list[list[Any]] = []
        for minute in range(-600, (now_ns - BEGIN_NS) // MINUTE_NS + 1):
            bar = bar_of(NAMES[query["symbol"]], minute)
            if int(query["startTime"]) <= bar.open_ns // _MS <= int(query["endTime"]):
                prices = [f"{getattr(bar, part):.5f}" for _, part in _PARTS]
                end_ms = bar.close_ns // _MS - 1
                rows.append([bar.open_ns // _MS, *prices, "7.5", end_ms, "8.1", 3, "1", "1", "0"])
        assert query["interval"] == "1m"
        return web.Response(body=msgspec.json.encode(rows), content_type="application/json")

    @asynccontextmanager
    async def open(self) -> AsyncIterator[BinanceVenue]:
        """Listen on 127.0.0.1 while the block runs."""
        async with listening(stream=self._stream, api=self._klines) as address:
            self.url = address
            yield self


_PARTS: Final = (("o", "open"), ("h", "high"), ("l", "low"), ("c", "close"))


async def _until_closed(line: web.WebSocketResponse) -> None:
    while (await line.receive()).type not in (WSMsgType.CLOSE, WSMsgType.CLOSED, WSMsgType.ERROR):
        pass
