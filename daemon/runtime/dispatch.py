"""How effects leave: in the order in which they were decided, each order after its intent.

What is decided together leaves together, so that one wait for the disk serves every order of an
instant. Protection and cancels, which can only lessen what is at risk, wait for nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from daemon.core.desk import Desk
from daemon.core.effects import Cancel, Effect, FillNow, Protect, Submit
from daemon.runtime.lane import Lane
from daemon.runtime.venue import PaperVenue, Venue
from state import failpoints
from state.executions import BrokerEvent, OrderNews
from state.journal import Sink
from state.orders import Intent
from state.units import NEVER_NS

Hear = Callable[[BrokerEvent, int], Awaitable[None]]
"""Takes what a venue tells, at an instant."""


class Dispatch:
    """Effects on their way to the venue, and what the venue says of them on its way back."""

    def __init__(
        self,
        desk: Desk,
        lanes: Mapping[tuple[str, int], Lane],
        sink: Sink,
        hear: Hear,
        refuse: Callable[[Intent], str | None] | None,
    ) -> None:
        """Bind the parts; ``refuse`` may stop an entry order right before it goes out."""
        self.venue: Venue = PaperVenue()
        """Carries effects out; a runner may put a task of its own in between."""
        self._costs = desk.costs
        self._lanes = lanes
        self._sink = sink
        self._hear = hear
        self._refuse = refuse
        self._leaving: list[Effect] = []

    def take(self, effects: Sequence[Effect]) -> None:
        """Take effects whose entries are recorded; they leave with the next ``send``."""
        self._leaving += effects

    async def send(self, now_ns: int) -> None:
        """Let all leave that was taken, after one wait for the disk where orders do.

        Raises:
            JournalError: the intents cannot be written.
        """
        leaving, self._leaving = self._leaving, []
        if any(isinstance(one, Submit) for one in leaving):
            await self._sink.settle()
            failpoints.hit("orders.durable")
        for effect in leaving:
            failpoints.hit("effect.leaving")
            await self._carry_out(effect, now_ns)

    async def _carry_out(self, effect: Effect, now_ns: int) -> None:
        if isinstance(effect, Protect):
            lane = self._lanes[(effect.symbol, effect.interval_ns)]
            await self.venue.carry_out(lane, effect, now_ns)
            return
        intent = effect.intent
        lane = self._lanes[(intent.symbol, intent.interval_ns)]
        if isinstance(effect, Submit) and intent.purpose == "entry" and self._refuse is not None:
            code = self._refuse(intent)
            if code is not None:
                await self._hear(OrderNews(intent.intent_id, "REJECT", code), now_ns)
                return
        events = await self.venue.carry_out(lane, effect, now_ns)
        failpoints.hit("effect.left")
        for event in events:
            await self._hear(event, now_ns)
        if isinstance(effect, Submit) and self._costs.fill_at_close and not intent.is_resting:
            at_close = FillNow(intent, intent.reference, intent.decided_ns)
            for event in await self.venue.carry_out(lane, at_close, now_ns):
                await self._hear(event, now_ns)

    async def cancel_now(self, effect: Cancel, now_ns: int) -> None:
        """Cancel an order of which no bar can come any more, whatever the venue's delay."""
        lane = self._lanes[(effect.intent.symbol, effect.intent.interval_ns)]
        for event in await self.venue.carry_out(lane, effect, NEVER_NS):
            await self._hear(event, now_ns)
