"""Where orders go, as the stepper sees it: effects in, broker events out, awaited one by one.

The stepped lane calls the paper broker's books directly; a daemon puts a task in between. Nothing
here decides.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from adapters.brokers.paper import Guard
from daemon.core.effects import Cancel, Effect, FillNow, Protect, Submit
from daemon.runtime.lane import Lane
from state.bars import Bar
from state.executions import BrokerEvent


class Venue(Protocol):
    """What carries out effects. Events come in the order in which they happened."""

    async def carry_out(self, lane: Lane, effect: Effect, at_ns: int) -> Sequence[BrokerEvent]:
        """Carry out one effect on the lane's series and return what followed at once."""

    def fills(self, lane: Lane, bar: Bar, slippage: float) -> AsyncIterator[BrokerEvent]:
        """Yield what a bar does to what rests on its series.

        Each event's effects are carried out before the next one is asked for.
        """


class PaperVenue:
    """The paper broker's books, asked directly."""

    async def carry_out(self, lane: Lane, effect: Effect, at_ns: int) -> Sequence[BrokerEvent]:
        """Carry out one effect: protection and orders rest in the lane's book."""
        book = lane.book
        if isinstance(effect, Protect):
            guard = Guard(
                effect.trade_id, effect.side, effect.lots, effect.stop_ticks, effect.target_ticks
            )
            book.protect(effect.strategy, guard)
            return ()
        intent = effect.intent
        if isinstance(effect, Submit):
            return (book.submit(intent),)
        if isinstance(effect, FillNow):
            return list(book.fill_now(intent, effect.price, effect.at_ns))
        assert isinstance(effect, Cancel)
        news = book.cancel(intent.strategy, intent.intent_id, effect.code, at_ns)
        return () if news is None else (news,)

    async def fills(self, lane: Lane, bar: Bar, slippage: float) -> AsyncIterator[BrokerEvent]:
        """Yield what a bar does to what rests in the lane's book."""
        for event in lane.book.on_bar(bar, slippage):
            yield event
