"""The queue between a feed session and who takes its events: in order, bounded by waiting."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable

from adapters.feeds.events import FeedEvent


class Outbox:
    """Events in order for one taker.

    Putting never waits, so that what one frame said stays together; who is about to put waits for
    ``room`` first. So it holds at most ``limit`` events and those of one frame.
    """

    def __init__(self, limit: int) -> None:
        """Begin empty."""
        self.limit = limit
        self._events: deque[FeedEvent] = deque()
        self.on_filled: Callable[[], None] = _nobody
        """Called whenever events wait; it may take them at once, and raises nothing."""
        self._drained = asyncio.Event()
        self._drained.set()

    def __len__(self) -> int:
        """Return how many events wait."""
        return len(self._events)

    def put(self, events: Iterable[FeedEvent]) -> None:
        """Add events behind those that wait."""
        self._events.extend(events)
        if len(self._events) >= self.limit:
            self._drained.clear()
        if self._events:
            self.on_filled()

    async def room(self) -> None:
        """Wait until there is room; at once when there is."""
        if not self._drained.is_set():
            await self._drained.wait()

    def has_room(self) -> bool:
        """Whether ``room`` would not wait."""
        return self._drained.is_set()

    def take(self) -> FeedEvent | None:
        """Return the next event, None when there is none."""
        if not self._events:
            return None
        event = self._events.popleft()
        if len(self._events) < self.limit:
            self._drained.set()
        return event


def _nobody() -> None:
    """Take nothing."""
