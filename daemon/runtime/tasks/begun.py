"""Work that begins in the task that brings it and goes on, when it has to wait, in its own.

A turn of the loop between two tasks costs more than most of what they do. What never waits is done
where it came up; what waits is taken over by the task that it belongs to, so that whoever brought
it may be cancelled and nothing is left half done.

The first part runs while the task that brought it is the current one: such work must not ask for
``asyncio.timeout`` or ``asyncio.current_task``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any, Generic, TypeVar

_T = TypeVar("_T")


class Begun(Generic[_T]):
    """A coroutine that has run up to its first wait, or to its end.

    ``await`` it, once, in the task that it belongs to; when it is done it need not be awaited.
    """

    __slots__ = ("_coroutine", "_error", "_waits", "is_done", "value")

    def __init__(self, coroutine: Coroutine[Any, Any, _T]) -> None:
        """Run it up to its first wait. What it raises is raised to who awaits it."""
        self._coroutine = coroutine
        self._error: BaseException | None = None
        self._waits: Any = None
        self.value: _T
        """What it returned, once it is done."""
        self.is_done = False
        """Whether it came to its end without waiting."""
        try:
            self._waits = coroutine.send(None)
        except StopIteration as end:
            self.value, self.is_done = end.value, True
        except BaseException as error:
            self._error = error

    def __await__(self) -> Generator[Any, Any, _T]:
        """Go on to the end and return its value.

        Raises:
            BaseException: whatever the coroutine raised, also before its first wait.
        """
        if self._error is not None:
            raise self._error
        if self.is_done:
            return self.value
        waits = self._waits
        try:
            while True:
                try:
                    got = yield waits
                except GeneratorExit:
                    self._coroutine.close()
                    raise
                except BaseException as error:
                    waits = self._coroutine.throw(error)
                else:
                    waits = self._coroutine.send(got)
        except StopIteration as end:
            result: _T = end.value
            return result

    def close(self) -> None:
        """End it where it waits: nobody will await it."""
        self._coroutine.close()


class Woken:
    """A job that is done again whenever somebody wakes it; ``run`` is the task that it belongs to.

    A job must do all that there is to do, so that whoever wakes it while it is at work is served.
    """

    def __init__(self, job: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Take the job; until ``run`` is under way nobody is heard."""
        self._job = job
        self._waiting = asyncio.Queue[Awaitable[None]](1)
        self._is_idle = False

    def wake(self) -> None:
        """Do the job, up to where it has to wait; nothing while it is at work."""
        if not self._is_idle:
            return
        self._is_idle = False
        begun = Begun(self._job())
        if begun.is_done:
            self._is_idle = True
        else:
            self._waiting.put_nowait(begun)

    async def run(self) -> None:
        """Do the job once, and whenever it is woken, until cancelled.

        Raises:
            Exception: whatever the job raised.
        """
        try:
            self._is_idle = True
            self.wake()
            while True:
                await (await self._waiting.get())
                self._is_idle = True
        finally:
            self._is_idle = False
