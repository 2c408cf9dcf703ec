"""How the desk waits for the disk: until an entry is durable, or it is plain that it cannot be now.

While the disk takes nothing, the writer keeps what it was given, in order, and the desk goes on for
exits alone: the runner refuses every entry order, since its intent is on no disk. Nothing is said
to be durable that is not.
"""

from __future__ import annotations

import asyncio

from state.writer import Written


class Disk:
    """The journal's disk as the loop sees it. ``problem`` is empty while it takes what it is given.

    ``blocked`` and ``unblocked`` are for the writer's thread.
    """

    def __init__(self) -> None:
        """Begin with a sound disk."""
        self._loop = asyncio.get_running_loop()
        self._change = asyncio.Event()
        self._waiter: asyncio.Future[None] | None = None
        self._failure: asyncio.Future[None] = self._loop.create_future()
        self.problem = ""

    def blocked(self, problem: str) -> None:
        """Take note that the disk takes nothing, and why (any thread)."""
        self._loop.call_soon_threadsafe(self._set, problem)

    def unblocked(self) -> None:
        """Take note that the disk took what had waited (any thread)."""
        self._loop.call_soon_threadsafe(self._set, "")

    async def durable(self, written: Written) -> None:
        """Return when a write is on the disk, or when the disk is blocked.

        Raises:
            FoliodError: the write failed for good.
        """
        if not self.problem:
            self._waiter = waiter = self._loop.create_future()
            written.add_done_callback(lambda _: self._wake(waiter))
            await waiter
        if written.done():
            written.result()
        else:
            written.add_done_callback(self._look)

    async def change(self) -> None:
        """Wait until ``problem`` comes or goes."""
        await self._change.wait()
        self._change.clear()

    async def failure(self) -> None:
        """Wait until a write that nobody waits for any more fails for good, and raise why."""
        await self._failure

    def _set(self, problem: str) -> None:
        self.problem = problem
        if problem and self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
        self._change.set()

    def _wake(self, waiter: asyncio.Future[None]) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(_end, waiter)

    def _look(self, written: Written) -> None:
        error = written.exception()
        if error is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._fail, error)

    def _fail(self, error: BaseException) -> None:
        if not self._failure.done():
            self._failure.set_exception(error)


def _end(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
