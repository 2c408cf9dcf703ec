"""The broker's task: between the desk, which decides, and the venue, which carries out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from daemon.core.effects import Effect
from daemon.runtime.lane import Lane
from daemon.runtime.tasks.serial import SerialTask
from daemon.runtime.venue import Venue
from state.bars import Bar
from state.executions import BrokerEvent


class BrokerTask:
    """A venue that is asked by a task of its own, one thing at a time."""

    def __init__(self, venue: Venue) -> None:
        """Stand before ``venue``."""
        self._venue = venue
        self.work = SerialTask()

    async def carry_out(self, lane: Lane, effect: Effect, at_ns: int) -> Sequence[BrokerEvent]:
        """Let the task carry out one effect and return what followed at once."""
        return await self.work.ask(lambda: self._venue.carry_out(lane, effect, at_ns))

    async def fills(self, lane: Lane, bar: Bar, slippage: float) -> AsyncIterator[BrokerEvent]:
        """Yield what a bar does to what rests; the task is free again between two events."""
        events = self._venue.fills(lane, bar, slippage)
        while (event := await self.work.ask(lambda: _next(events))) is not None:
            yield event


async def _next(events: AsyncIterator[BrokerEvent]) -> BrokerEvent | None:
    return await anext(events, None)
