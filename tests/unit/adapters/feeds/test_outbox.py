"""The queue of a feed session: in order, whole, bounded by making who puts wait (RES-1)."""

from __future__ import annotations

import asyncio

from adapters.feeds.events import Connected, FeedEvent
from adapters.feeds.outbox import Outbox


def numbered(*numbers: int) -> list[FeedEvent]:
    """Make events that can be told apart."""
    return [Connected("small", number) for number in numbers]


async def test_events_come_out_in_order_and_those_of_one_frame_stay_together() -> None:
    """Nothing is split or lost by the bound: it holds the limit and what one frame said."""
    box = Outbox(2)
    box.put(numbered(1))
    assert box.has_room()
    box.put(numbered(2, 3, 4))
    assert not box.has_room()

    assert [await box.take() for _ in range(4)] == numbered(1, 2, 3, 4)
    assert len(box) == 0


async def test_who_puts_waits_for_room_and_who_takes_for_an_event() -> None:
    """Each wakes the other, and neither is woken for nothing."""
    box = Outbox(1)
    taking = asyncio.create_task(box.take())
    await asyncio.sleep(0)
    assert not taking.done()
    box.put([])
    await asyncio.sleep(0)
    assert not taking.done()
    box.put(numbered(1, 2))
    assert await taking == numbered(1)[0]
    waiting = asyncio.create_task(box.room())
    await asyncio.sleep(0)
    assert not waiting.done()

    assert await box.take() == numbered(2)[0]
    await waiting
