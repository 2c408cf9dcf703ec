"""A task that carries out jobs one after another: the desk is one, the broker another.

Whoever asks waits for the result. A full inbox makes askers wait, it never grows. A job that fails
ends the task, and with it the daemon: what it left undone is found by the next start.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, TypeVar

from daemon.runtime.tasks.begun import Begun

_T = TypeVar("_T")

INBOX: Final = 256
"""Jobs that may wait before askers do."""


class SerialTask:
    """Jobs in the order in which they were given, one at a time."""

    def __init__(self, limit: int = INBOX) -> None:
        """Take at most ``limit`` waiting jobs."""
        self._inbox: asyncio.Queue[tuple[Callable[[], Awaitable[Any]], asyncio.Future[Any]]]
        self._inbox = asyncio.Queue(limit)
        self._is_running = False
        self.most = 0
        """The most jobs that have waited at once since this was last set to 0."""
        self.steps = 0
        """Jobs carried out so far."""
        self.is_idle = True
        """Whether no job is in hand and none waits."""

    async def ask(self, job: Callable[[], Awaitable[_T]]) -> _T:
        """Have a job carried out and return its result.

        A caller who is cancelled while it waits undoes nothing: the job is carried out.
        """
        done: asyncio.Future[_T] = asyncio.get_running_loop().create_future()
        self.is_idle = False
        if self._inbox.full():
            await self._inbox.put((job, done))
        else:
            self._inbox.put_nowait((job, done))
        self.most = max(self.most, self._inbox.qsize())
        return await done

    async def ask_now(self, job: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
        """Have a job carried out as ``ask`` does, but begin at once when the task is idle.

        A job that never waits costs no turn of the loop; see ``Begun`` for what it must not do.
        """
        if not (self.is_idle and self._is_running):
            return await self.ask(job)
        self.is_idle = False
        begun = Begun(job())
        if begun.is_done:
            self.steps += 1
            self.is_idle = self._inbox.empty()
            return begun.value
        if not self._inbox.empty():
            begun.close()
            raise RuntimeError("a job asked the task that carries it out")
        return await self.ask(lambda: begun)

    async def run(self) -> None:
        """Carry out jobs until cancelled.

        Raises:
            Exception: whatever a job raised.
        """
        self._is_running = True
        try:
            while True:
                self.is_idle = self._inbox.empty()
                job, done = await self._inbox.get()
                try:
                    result = await job()
                except BaseException:
                    done.cancel()
                    raise
                self.steps += 1
                if not done.done():
                    done.set_result(result)
        finally:
            self._is_running = False
