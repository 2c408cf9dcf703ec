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

    assert [box.take() for _ in range(5)] == [*numbered(1, 2, 3, 4), None]
    assert len(box) == 0


async def test_who_puts_waits_for_room_and_who_takes_is_called() -> None:
    """Each wakes the other, and neither is woken for nothing."""
    box, called = Outbox(1), list[int]()
    box.on_filled = lambda: called.append(len(box))
    box.put([])
    assert called == []
    box.put(numbered(1, 2))
    assert called == [2]
    assert box.take() == numbered(1)[0]
    waiting = asyncio.create_task(box.room())
    await asyncio.sleep(0)
    assert not waiting.done()

    assert box.take() == numbered(2)[0]
    await waiting


async def test_who_takes_at_once_makes_nobody_wait() -> None:
    """However much is put, there is room again when the taker has taken it."""
    box, taken = Outbox(1), list[FeedEvent]()

    def take() -> None:
        while (event := box.take()) is not None:
            taken.append(event)

    box.on_filled = take
    box.put(numbered(1, 2, 3))

    assert taken == numbered(1, 2, 3)
    assert box.has_room()
