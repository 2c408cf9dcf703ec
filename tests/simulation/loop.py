"""An event loop whose time jumps to the next timer when nothing is ready, and its clocks.

Everything on it is in one thread: what the program gives to a thread is done at once and answered
after a drawn delay. Callbacks that are ready together run in an order drawn from the seed.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from contextvars import Context
from random import Random  # noqa: TID251 - seeded by whoever makes the loop
from typing import Any, TypeVar

from state.units import SECOND_NS

_T = TypeVar("_T")


PAUSE_S = 0.01
"""The longest pause of a callback."""


class Stuck(Exception):
    """Nothing is ready and no timer is set, or the work does not come to an end."""


class _NoServer:
    """A listener that nobody connects to."""

    def close(self) -> None:
        """Do nothing."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """Virtual seconds; ``iterations`` counts turns, more than ``most`` of them are a hang.

    A part ``pauses`` of all callbacks, and so of all tasks, is not run at once but a while later.
    ``is_in_thread`` holds while a thread's work is done: it waits for nothing on the loop.
    """

    def __init__(
        self, rng: Random, start_s: float = 0.0, *, pauses: float = 0.0, most: int = 2_000_000
    ) -> None:
        """Begin at ``start_s``."""
        super().__init__()
        self._now_s = start_s
        self._rng = rng
        self._pauses = pauses
        self._most = most
        self.iterations = 0
        self.is_in_thread = False
        self.signals: dict[int, Callable[[], object]] = {}

    def time(self) -> float:
        """Return the virtual time in seconds."""
        return self._now_s

    def _run_once(self) -> None:
        self.iterations += 1
        if self.iterations > self._most:
            raise Stuck(f"{self._most} turns, and no end")
        ready: Any = self._ready  # type: ignore[attr-defined]
        scheduled: Any = self._scheduled  # type: ignore[attr-defined]
        while scheduled and scheduled[0]._cancelled:
            self._timer_cancelled_count -= 1  # type: ignore[attr-defined]
            heapq.heappop(scheduled)._scheduled = False
        if not ready and not self._stopping:  # type: ignore[attr-defined]
            if not scheduled:
                raise Stuck("nothing is ready and no timer is set")
            self._now_s = max(self._now_s, scheduled[0]._when)
        elif len(ready) > 1:
            handles = list(ready)
            self._rng.shuffle(handles)
            ready.clear()
            ready.extend(handles)
        super()._run_once()  # type: ignore[misc]

    def call_soon(
        self,
        callback: Callable[..., object],
        *args: object,
        context: Context | None = None,
    ) -> asyncio.Handle:
        """Run it in the next turn, or let whoever it is of pause."""
        if self._pauses and self._rng.random() < self._pauses:
            pause_s = self._rng.random() * PAUSE_S
            return self.call_later(pause_s, callback, *args, context=context)
        return super().call_soon(callback, *args, context=context)

    def call_soon_threadsafe(
        self,
        callback: Callable[..., object],
        *args: object,
        context: Context | None = None,
    ) -> asyncio.Handle:
        """There is one thread: the same as ``call_soon``."""
        return self.call_soon(callback, *args, context=context)

    def run_in_executor(  # type: ignore[override]
        self,
        executor: object,
        func: Callable[..., _T],
        *args: Any,  # noqa: ANN401
    ) -> asyncio.Future[_T]:
        """Do it now, answer later."""
        answer: asyncio.Future[_T] = self.create_future()
        self.is_in_thread = True
        try:
            result = func(*args)
        except BaseException as problem:
            self.call_later(self._delay_s(), _fail, answer, problem)
        else:
            self.call_later(self._delay_s(), _settle, answer, result)
        finally:
            self.is_in_thread = False
        return answer

    def _delay_s(self) -> float:
        return self._rng.choice((0.0, 0.0005, 0.003))

    def add_signal_handler(
        self,
        sig: int,
        callback: Callable[..., object],
        *args: object,
    ) -> None:
        """Remember what a signal does; ``signals`` is how one comes."""
        self.signals[sig] = lambda: callback(*args)

    def remove_signal_handler(self, sig: int) -> bool:
        """Forget it."""
        return self.signals.pop(sig, None) is not None

    async def create_unix_server(self, *_: Any, **__: Any) -> Any:  # noqa: ANN401
        """Listen to nobody: the operator of a simulation asks the daemon directly."""
        return _NoServer()


def _settle(answer: asyncio.Future[_T], result: _T) -> None:
    if not answer.done():
        answer.set_result(result)


def _fail(answer: asyncio.Future[_T], problem: BaseException) -> None:
    if not answer.done():
        answer.set_exception(problem)


class VirtualClock:
    """The loop's time as a clock, ``offset_ns`` beside it; whoever wants may set it.

    Each look takes a nanosecond: code that waits for an instant by looking again comes to it.
    """

    def __init__(self, loop: VirtualLoop, offset_ns: int = 0) -> None:
        """Tell the time of ``loop``."""
        self._loop = loop
        self.offset_ns = offset_ns
        self._looks = 0

    def now_ns(self) -> int:
        """Return the present instant in nanoseconds."""
        self._looks += 1
        return round(self._loop.time() * SECOND_NS) + self.offset_ns + self._looks
