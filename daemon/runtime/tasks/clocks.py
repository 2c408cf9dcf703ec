"""The run's clock: what instant it is for a portfolio, and how tasks wait for one.

``PacedClock`` runs with the real time, as fast or faster; ``WallClock`` is the real time of a live
feed; ``LockstepClock`` goes on only when whoever it woke has parked again, so that a run as fast as
possible is the same each time. All know alarms: a task parks with a function that names its next
instant, and is woken after it.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Final, Protocol

from adapters.ports import Clock
from state.units import NEVER_NS, SECOND_NS

_LONGEST_S: Final = 3600.0
"""Whoever waits for next year looks again every hour."""
_LOOK_S: Final = 0.5
"""A wall clock may be set, or have slept: whoever waits for it looks again so often."""


class RunClock(Protocol):
    """The clock of one run, in UTC nanoseconds of the run."""

    def now_ns(self) -> int:
        """Return the present instant; never beyond what is yet to be stepped."""

    async def alarm(self, name: str, next_ns: Callable[[], int]) -> None:
        """Return when the instant that ``next_ns`` names is over.

        It is asked again whenever ``changed`` is called. ``name`` orders those due at one instant.
        """

    def changed(self) -> None:
        """Say that instants of alarms may be others now."""

    async def reach(self, close_ns: int) -> None:
        """Return when bars that close at this instant may be stepped."""

    def stepped(self, now_ns: int, next_close_ns: int) -> None:
        """Say which instant is done, and when the next bars close."""


class _RealTime(ABC):
    """What clocks that run by themselves share: alarms that look again when something changed."""

    def __init__(self) -> None:
        """Begin without a change."""
        self._change = asyncio.Event()

    @abstractmethod
    def now_ns(self) -> int:
        """Return the present instant of the run."""

    @abstractmethod
    def _waits_s(self, due_ns: int) -> float:
        """Return how many seconds to wait for an instant of the run."""

    async def alarm(self, name: str, next_ns: Callable[[], int]) -> None:
        """Return when the instant that ``next_ns`` names is over."""
        while (due_ns := next_ns()) >= self.now_ns():
            change = self._change
            try:
                async with asyncio.timeout(min(_LONGEST_S, self._waits_s(due_ns))):
                    await change.wait()
            except TimeoutError:
                pass

    def changed(self) -> None:
        """Wake every parked alarm, so that it looks again."""
        self._change.set()
        self._change = asyncio.Event()


class PacedClock(_RealTime):
    """Real time from an anchor on, ``speed`` times as fast."""

    def __init__(self, steady: Clock, start_ns: int, speed: float) -> None:
        """Begin at ``start_ns`` now."""
        super().__init__()
        self._steady = steady
        self._speed = speed
        self._start_ns, self._steady_ns = start_ns, steady.now_ns()
        self._done_ns, self._ceiling_ns = start_ns, start_ns

    def now_ns(self) -> int:
        """Return the present instant: never beyond the close of bars that are yet to be stepped."""
        passed_ns = round((self._steady.now_ns() - self._steady_ns) * self._speed)
        return max(self._done_ns, min(self._start_ns + passed_ns, self._ceiling_ns))

    async def reach(self, close_ns: int) -> None:
        """Return when the real time has come for bars that close at this instant."""
        await asyncio.sleep(self._real_s(close_ns))

    def stepped(self, now_ns: int, next_close_ns: int) -> None:
        """Let time go on up to the close of the next bars."""
        self._done_ns, self._ceiling_ns = now_ns, next_close_ns
        self.changed()

    def _waits_s(self, due_ns: int) -> float:
        # Beyond the ceiling only a step can make it due.
        return self._real_s(due_ns + 1) if due_ns < self._ceiling_ns else _LONGEST_S

    def _real_s(self, at_ns: int) -> float:
        """Return the real seconds until an instant of the run; at least a thousandth if it is yet
        to come, because a loop takes less for nothing at all."""
        due_ns = self._steady_ns + round((at_ns - self._start_ns) / self._speed)
        left_ns = due_ns - self._steady.now_ns()
        return max(0.001, left_ns / SECOND_NS) if left_ns > 0 else 0.0


class WallClock(_RealTime):
    """The real time, late by a grace: bars that close at an instant come first, then its alarms."""

    def __init__(
        self, clock: Clock, grace_ns: int, start_ns: int, ceiling_ns: int = NEVER_NS
    ) -> None:
        """Begin no earlier than ``start_ns``; ``ceiling_ns`` is when known bars close."""
        super().__init__()
        self._clock = clock
        self._grace_ns = grace_ns
        self._done_ns, self._ceiling_ns = start_ns, ceiling_ns

    def now_ns(self) -> int:
        """Return the present instant of the run: never back, nor beyond bars yet to be stepped."""
        passed_ns = min(self._clock.now_ns() - self._grace_ns, self._ceiling_ns)
        self._done_ns = max(self._done_ns, passed_ns)
        return self._done_ns

    async def reach(self, close_ns: int) -> None:
        """Return at once: what has come from a line has closed."""

    def stepped(self, now_ns: int, next_close_ns: int) -> None:
        """Never be earlier than an instant that was done."""
        self._done_ns = max(self._done_ns, now_ns)
        if next_close_ns != self._ceiling_ns:
            self._ceiling_ns = next_close_ns
            self.changed()

    def _waits_s(self, due_ns: int) -> float:
        return max(0.001, (due_ns + 1 - self.now_ns()) / SECOND_NS)


class LockstepClock:
    """Time that stands still while anything is at work."""

    def __init__(self, start_ns: int) -> None:
        """Begin at ``start_ns``."""
        self._now_ns = start_ns
        self._parked: dict[str, tuple[Callable[[], int], asyncio.Future[None]]] = {}
        self._awaited: tuple[str, asyncio.Future[None]] | None = None

    def now_ns(self) -> int:
        """Return the present instant."""
        return self._now_ns

    async def alarm(self, name: str, next_ns: Callable[[], int]) -> None:
        """Park until the instant that ``next_ns`` names is over."""
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._parked[name] = next_ns, woken
        if self._awaited is not None and self._awaited[0] == name:
            self._awaited[1].set_result(None)
            self._awaited = None
        await woken

    def changed(self) -> None:
        """Do nothing: every alarm is asked anew whenever the clock goes on."""

    async def reach(self, close_ns: int) -> None:
        """Go on to an instant: wake what is due before it, each until it has parked again."""
        while self._parked:
            due_ns, name = min((next_ns(), name) for name, (next_ns, _) in self._parked.items())
            if due_ns >= close_ns or due_ns == NEVER_NS:
                break
            self._now_ns = max(self._now_ns, due_ns + 1)
            _, woken = self._parked.pop(name)
            parks: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._awaited = name, parks
            woken.set_result(None)
            await parks
            if self._parked[name][0]() <= due_ns:
                raise RuntimeError(f"the alarm {name} rang and is due at the same instant again")
        self._now_ns = max(self._now_ns, close_ns)

    def stepped(self, now_ns: int, next_close_ns: int) -> None:
        """Stand at the instant that was done."""
        self._now_ns = max(self._now_ns, now_ns)
