"""Listening on 127.0.0.1 while a block runs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def listening(**answers: Answer) -> AsyncIterator[str]:
    """Answer requests below each path (its name with ``_`` for ``/``); yield host and port."""
    app = web.Application()
    for name, answer in answers.items():
        app.router.add_get(f"/{name.replace('_', '/')}" + "{rest:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
