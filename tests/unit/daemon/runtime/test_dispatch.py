"""What is decided at one instant leaves together: each order after its intent, after one wait."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import msgspec

from daemon.core.calendar import Schedule, WindowSpec
from daemon.core.effects import Effect, Protect, Submit
from daemon.runtime.lane import Lane
from daemon.runtime.venue import PaperVenue
from state.bars import Bar
from state.entries import Decided, Entry, Filled, IntentRecorded, OrderChanged
from state.executions import BrokerEvent
from state.signals import Signal
from state.units import DAY_NS, HOUR_NS
from tests.builders import bar, eurusd
from tests.stepping import M5, ListSink, Scene, Scripts

EIGHT = 17_168 * DAY_NS + 8 * HOUR_NS
NAMES = ("AUDUSD", "EURUSD", "GBPUSD")


class Disk(ListSink):
    """A sink that takes what it is waited for only, and counts the waits."""

    def __init__(self) -> None:
        """Begin with nothing on it."""
        super().__init__()
        self.waits = 0
        self.durable = 0
        self.lies = False

    async def extend(self, entries: Sequence[Entry], *, follows: bool = True) -> int:
        """Take entries; they are on the disk after the next wait."""
        await super().extend(entries)
        if follows:
            await self.settle()
        return len(self.entries)

    async def settle(self) -> None:
        """Wait, when something is on its way."""
        self.waits += self.durable < len(self.entries)
        if not self.lies:
            self.durable = len(self.entries)

    def intents(self) -> set[str]:
        """Return the intents that are on the disk."""
        there = self.entries[: self.durable]
        return {one.intent.intent_id for one in there if isinstance(one, IntentRecorded)}


class Watched(PaperVenue):
    """A venue that holds every order against the disk and notes the waits so far."""

    def __init__(self, disk: Disk) -> None:
        """Look at this disk."""
        self._disk = disk
        self.seen: list[tuple[str, int]] = []
        self.early: list[str] = []

    async def carry_out(self, lane: Lane, effect: Effect, at_ns: int) -> Sequence[BrokerEvent]:
        """Note the effect, then carry it out."""
        self.seen.append((type(effect).__name__, self._disk.waits))
        if isinstance(effect, Submit) and effect.intent.intent_id not in self._disk.intents():
            self.early.append(effect.intent.intent_id)
        return await super().carry_out(lane, effect, at_ns)

    def fills(self, lane: Lane, bar: Bar, slippage: float) -> AsyncIterator[BrokerEvent]:
        """Let the book fill."""
        return super().fills(lane, bar, slippage)


def scene_of_three() -> tuple[Scene, Disk, Watched]:
    """Make three engines that all enter at the first bar and must be out at nine."""
    until_nine = Schedule([WindowSpec(8 * 3600, 9 * 3600, "UTC", frozenset(range(5)), None)])
    signal = Signal(1, stop=1.05, target_r=1.0)
    disk = Disk()
    scene = Scene(
        [msgspec.structs.replace(eurusd(), symbol=name) for name in NAMES],
        [Scripts(name, "hand", {0: signal}, until_nine) for name in NAMES],
        sink=disk,
    )
    scene.stepper.dispatch.venue = venue = Watched(disk)
    return scene, disk, venue


def step(scene: Scene, number: int) -> None:
    """Step the flat bars that open so many bars after eight."""
    scene.step({name: [bar(EIGHT + number * M5, 1.1, 1.1, 1.1, 1.1)] for name in NAMES})


def test_orders_of_one_instant_wait_once() -> None:
    """Three decisions and intents, one wait, then three orders; the venue's news come last."""
    scene, disk, venue = scene_of_three()
    scene.begin(EIGHT)
    before, first = disk.waits, len(disk.entries)
    step(scene, 0)
    assert venue.seen == [("Submit", before + 1)] * 3 and not venue.early
    kinds = [type(one) for one in disk.entries[first:]]
    assert kinds == [Decided, IntentRecorded] * 3 + [OrderChanged] * 3
    decided = [one.symbol for one in disk.entries[first:] if isinstance(one, Decided)]
    assert decided == list(NAMES)
    assert disk.durable == len(disk.entries)


def test_protection_waits_for_nothing() -> None:
    """Three fills at the next open are protected at once; the instant's end waits for them."""
    scene, disk, venue = scene_of_three()
    step(scene, 0)
    venue.seen.clear()
    before = disk.waits
    step(scene, 1)
    assert len(scene.fills("entry")) == 3
    assert venue.seen == [(Protect.__name__, before)] * 3
    assert disk.waits == before + 1 and disk.durable == len(disk.entries)


def test_time_stops_of_one_instant_wait_once() -> None:
    """Three positions are closed at nine: all intents, one wait, all orders."""
    scene, disk, venue = scene_of_three()
    for number in range(11):
        step(scene, number)
    venue.seen.clear()
    before = disk.waits
    step(scene, 11)
    assert venue.seen == [("Submit", before + 1)] * 3 and not venue.early
    step(scene, 12)
    exits = [one.reason for one in disk.entries if isinstance(one, Filled) and one.leg == "exit"]
    assert exits == ["TIME"] * 3


def test_an_order_that_left_too_early_would_be_seen() -> None:
    """Control: on a disk that says it has what it has not, every order is early."""
    scene, disk, venue = scene_of_three()

    disk.lies = True
    step(scene, 0)
    assert len(venue.early) == 3
