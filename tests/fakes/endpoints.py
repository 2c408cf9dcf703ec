# ruff: noqa: D102 - the handlers' names say what they do
"""A real HTTP server on the loopback that answers as it is told; a port where nobody listens."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

import msgspec
from aiohttp import web


@dataclass
class Endpoint:
    """What was asked of a server, and what it answers.

    ``script`` has the answers to come: a status, or a status with headers; the last one stays.
    ``hold`` keeps every answer back until it is set.
    """

    url: str = ""
    script: list[int | tuple[int, dict[str, str]]] = field(default_factory=lambda: [200])
    hold: asyncio.Event | None = None
    asked: list[tuple[str, bytes]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.asked.append((request.method, body))
        self.headers.append(dict(request.headers))
        self.times.append(asyncio.get_running_loop().time())
        if self.hold is not None:
            await self.hold.wait()
        told = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        status, headers = (told, {}) if isinstance(told, int) else told
        return web.Response(status=status, headers=headers, text="the body is nobody's business")

    def titles(self) -> list[str]:
        """Return the titles of the messages that were posted, in order."""
        return [msgspec.json.decode(body)["title"] for _, body in self.asked]


@contextlib.asynccontextmanager
async def serving(endpoint: Endpoint, path: str = "/hook") -> AsyncIterator[Endpoint]:
    """Serve an endpoint on a free port of the loopback."""
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", endpoint.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    endpoint.url = f"http://127.0.0.1:{port}{path}"
    try:
        yield endpoint
    finally:
        if endpoint.hold is not None:
            endpoint.hold.set()
        await runner.cleanup()


@contextlib.contextmanager
def serving_apart(endpoint: Endpoint, path: str = "/hook") -> Iterator[Endpoint]:
    """Serve an endpoint on a thread with a loop of its own, for callers that block or have one."""
    ready, loop, ending = threading.Event(), asyncio.new_event_loop(), asyncio.Event()

    async def serve() -> None:
        async with serving(endpoint, path):
            ready.set()
            await ending.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    try:
        assert ready.wait(20)
        yield endpoint
    finally:
        loop.call_soon_threadsafe(ending.set)
        thread.join()
        loop.close()


def dead_port() -> int:
    """Return a port of the loopback on which nobody listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port
