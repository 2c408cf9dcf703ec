"""A session against venues that misbehave over real sockets (F2-F5, FEED-1 to FEED-3).

Whatever a venue does: what is handed over is true, in order, and nothing twice; silence is STALE
one interval and a grace after the last bar; memory is bounded; the session ends when told.
"""

from __future__ import annotations

import asyncio
import random  # noqa: TID251 - seeded here
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

import msgspec
import pytest
from websockets.asyncio.server import ServerConnection

from adapters.clock import SteadyClock, SystemClock
from adapters.feeds.backoff import BackoffLimits
from adapters.feeds.bar_policy import PolicyLimits
from adapters.feeds.events import (
    FILLED,
    LIVE,
    BarClosed,
    Connected,
    Disconnected,
    FeedEvent,
    FeedRefused,
    Flowing,
    GapFound,
    Stale,
)
from adapters.feeds.expected import AlwaysOpen
from adapters.feeds.history import History
from adapters.feeds.intake import Intake
from adapters.feeds.line import LineLimits
from adapters.feeds.series import SeriesRules, SeriesSpec
from adapters.feeds.session import FeedSession, SessionLimits
from adapters.feeds.websocket import WebsocketOpener
from state.bars import Bar
from state.errors import FeedError
from state.units import SECOND_NS
from tests.fakes.hostile_feed import (
    GRACE_NS,
    INTERVAL_NS,
    SYMBOL,
    Script,
    Venue,
    after,
    bar_of,
    floods,
    hangs_up,
    says,
    shifted,
    skips,
    speaks,
    stalls,
    stutters,
    vanishes,
    within,
)
from tests.fakes.small_codec import SmallCodec, bar_frame, refusal_frame, tick_frame

PATIENCE_S = 10.0
LINE = LineLimits(
    open_timeout_s=2.0, close_timeout_s=0.3, max_frame_bytes=65_536, max_queue=16,
    ping_interval_s=0.2, ping_timeout_s=30.0,
)  # fmt: skip
LIMITS = SessionLimits(
    silent_after_s=0.6,
    steady_after_s=5.0,
    fill_timeout_s=2.0,
    nap_s=0.02,
    pauses=BackoffLimits(first_s=0.05, largest_s=0.4),
)
_Kind = TypeVar("_Kind")


class Watched:
    """A session under way, and the events that it has handed over."""

    def __init__(self, session: FeedSession) -> None:
        """Start the session and take its events."""
        self.session = session
        self.events: list[FeedEvent] = []
        self.task = asyncio.create_task(session.run())
        self._taker = asyncio.create_task(self._take())
        self.pause_s = 0.0

    async def _take(self) -> None:
        filled = asyncio.Event()
        self.session.on_events(filled.set)
        while True:
            await filled.wait()
            filled.clear()
            while (event := self.session.take_event()) is not None:
                self.events.append(event)
                await asyncio.sleep(self.pause_s)

    async def wait_until(self, holds: Callable[[], bool], patience_s: float = PATIENCE_S) -> None:
        """Wait until something holds, at most ``patience_s``."""
        for _ in range(round(patience_s / 0.01)):
            if holds():
                return
            await asyncio.sleep(0.01)
        raise AssertionError(f"it never came to hold: {self.session.status()}")

    async def wait_bars(self, count: int) -> None:
        """Wait for so many bars."""
        await self.wait_until(lambda: len(self.bars()) >= count)

    async def end(self) -> None:
        """End the session as a daemon does."""
        for task in (self.task, self._taker):
            task.cancel()
        for task in (self.task, self._taker):
            with suppress(asyncio.CancelledError):
                await task

    def of(self, kind: type[_Kind]) -> list[_Kind]:
        """Return the events of one kind."""
        return [one for one in self.events if isinstance(one, kind)]

    def bars(self) -> list[BarClosed]:
        """Return the bars handed over so far."""
        return [one for one in self.events if isinstance(one, BarClosed)]

    def numbers(self) -> list[int]:
        """Return the intervals of the bars handed over so far."""
        return [one.bar.open_ns // INTERVAL_NS for one in self.bars()]


@asynccontextmanager
async def watched(
    venue: Venue,
    *,
    history: History | None = None,
    limits: SessionLimits = LIMITS,
    recent: tuple[Bar, ...] = (),
    url: str = "",
    on_frame: Callable[[int, bytes | str], None] | None = None,
) -> AsyncIterator[Watched]:
    """Run a session against a venue; at the end everything handed over must have been true."""
    clock = SystemClock()
    rules = SeriesRules(
        INTERVAL_NS, PolicyLimits(skew_ns=SECOND_NS, grace_ns=GRACE_NS), history is not None
    )
    start_ns = clock.now_ns()
    intake = Intake([SeriesSpec(SYMBOL, AlwaysOpen(), recent=recent)], rules, start_ns)
    session = FeedSession(
        SmallCodec(),
        WebsocketOpener(url or venue.url, LINE, {"Authorization": "Bearer c4n4ry"}),
        intake,
        clock,
        random.Random(7),
        limits,
        history,
        secrets=["c4n4ry"],
        on_frame=on_frame,
    )
    found = Watched(session)
    try:
        yield found
    finally:
        await found.end()
    numbers = found.numbers()
    assert numbers == sorted(set(numbers)), "FEED-3: bars strictly increase, none twice"
    assert all(one.bar == bar_of(one.bar.open_ns // INTERVAL_NS) for one in found.bars())
    for one in found.of(Stale):
        if one.since_ns > start_ns:
            assert one.due_ns == one.since_ns + INTERVAL_NS + GRACE_NS, "F4"
    said = repr(found.events) + msgspec.json.encode(session.status()).decode()
    assert "c4n4ry" not in said, "SEC-1: no key in any event or status"


def unbroken(numbers: Sequence[int]) -> bool:
    """Whether nothing is missing between the first and the last."""
    return list(numbers) == list(range(numbers[0], numbers[-1] + 1))


async def test_a_stall_with_pings_answered_is_stale_and_the_line_is_opened_anew() -> None:
    """F4: pings prove nothing. STALE at one interval + grace; then reconnect; history fills all."""
    venue = Venue(after(3, stalls), speaks)
    async with venue.open(), watched(venue, history=venue) as feed:
        await feed.wait_until(lambda: bool(feed.of(Stale)))
        stale = feed.of(Stale)[0]
        assert SystemClock().now_ns() - stale.due_ns < 2 * SECOND_NS
        await feed.wait_until(lambda: len(feed.of(Connected)) == 2 and len(feed.of(Flowing)) >= 2)
        codes = [one.code for one in feed.of(Disconnected)]

    assert stale.due_ns == stale.since_ns + INTERVAL_NS + GRACE_NS
    assert codes == ["LINE_SILENT"]
    assert unbroken(feed.numbers())
    assert {one.provenance for one in feed.bars()} == {LIVE, FILLED}


async def test_a_peer_that_vanished_is_found_by_silence_and_hangs_nothing() -> None:
    """F3: a half-open line delivers no end; the session drops it hard and goes on."""
    venue = Venue(after(2, vanishes), speaks)
    async with venue.open(), watched(venue, history=venue) as feed:
        await feed.wait_until(lambda: len(feed.of(Connected)) == 2)
        await feed.wait_bars(6)

    assert feed.of(Disconnected)[0].code == "LINE_SILENT"
    assert unbroken(feed.numbers())


async def test_a_storm_of_hangups_loses_and_doubles_nothing_and_asks_ever_more_slowly() -> None:
    """F3: after each one a longer pause, because prices never flowed for long."""
    venue = Venue(*[after(1, hangs_up)] * 6, speaks)
    async with venue.open(), watched(venue, history=venue) as feed:
        await feed.wait_until(lambda: venue.lines == 7)
        await feed.wait_until(lambda: max(feed.numbers()) >= max(venue.sent) - 1 > 0)
        await feed.wait_bars(8)

    lost = [one.at_ns for one in feed.of(Disconnected)]
    assert len(lost) == 6 == feed.session.status().reconnects
    assert (lost[-1] - lost[0]) / 1e9 > 0.5 * (0.05 + 0.1 + 0.2 + 0.4 + 0.4)
    assert unbroken(feed.numbers())
    assert venue.sent - set(feed.numbers()) <= {max(venue.sent)}


async def test_a_refused_connection_is_tried_until_somebody_listens() -> None:
    """F3: connected means payload arrived; until then the state says connecting or waiting."""
    idle = Venue(speaks)
    async with idle.open():
        port = idle.port
    venue = Venue(speaks)
    async with watched(venue, url=f"ws://127.0.0.1:{port}/?apikey=c4n4ry") as feed:
        await feed.wait_until(lambda: len(feed.of(Disconnected)) >= 2)
        status = feed.session.status()
        async with venue.open(port):
            await feed.wait_bars(2)
            assert feed.session.status().connected

    assert not status.connected
    assert status.state in ("connecting", "waiting")
    assert (status.last_reason, status.errors >= 2) == ("LINE_LOST", True)
    assert not any(isinstance(one, Connected) for one in feed.events[:2])


async def test_a_line_that_opens_and_says_nothing_is_never_connected() -> None:
    """F3, proof of flow: heartbeats and acknowledgements are no payload."""
    venue = Venue(after(0, lambda v, line: _beats(line)), speaks)
    async with venue.open(), watched(venue) as feed:
        await feed.wait_until(lambda: bool(feed.of(Disconnected)))
        assert feed.of(Connected) == []
        await feed.wait_bars(2)

    assert [one.code for one in feed.of(Disconnected)] == ["LINE_SILENT"]


async def _beats(line: ServerConnection) -> None:
    while True:
        await line.send('{"k":"beat"}')
        await line.send('{"k":"subscribed"}')
        await asyncio.sleep(0.02)


async def test_a_burst_for_a_slow_taker_waits_in_bounded_queues_and_loses_nothing() -> None:
    """RES-1: more bars at once than the queue holds; the venue waits, none is dropped."""
    count, queue = 500, 20
    venue = Venue(floods(count))
    limits = msgspec.structs.replace(LIMITS, queue=queue)
    last = bar_of(SystemClock().now_ns() // INTERVAL_NS - count)
    async with venue.open(), watched(venue, limits=limits, recent=(last,)) as feed:
        feed.pause_s = 0.001
        most = 0

        def all_there() -> bool:
            nonlocal most
            most = max(most, feed.session.status().queued)
            return len(feed.bars()) >= count

        await feed.wait_until(all_there)

    assert 0 < most <= queue + 4
    assert unbroken(feed.numbers()[:count])


async def test_duplicates_and_wrong_order_change_nothing() -> None:
    """FEED-3: each bar once, in order; every repeat is counted with its reason."""
    venue = Venue(stutters)
    async with venue.open(), watched(venue, history=venue) as feed:
        await feed.wait_bars(7)
        refused = feed.session.status().refused

    assert unbroken(feed.numbers())
    assert refused["DUPLICATE"] >= 5
    # Nothing was known before the first pair, so its earlier bar, sent twice, is too late.
    assert sum(count for code, count in refused.items() if code != "DUPLICATE") <= 2


async def test_bars_that_were_left_out_are_flagged_and_filled() -> None:
    """F5: each gap is said with its ends, and history has what is in it."""
    venue = Venue(skips(3))
    async with venue.open(), watched(venue, history=venue) as feed:
        await feed.wait_bars(9)

    assert unbroken(feed.numbers())
    assert len(feed.of(GapFound)) >= 2 or len(feed.of(Stale)) >= 2
    filled = {one.bar.open_ns // INTERVAL_NS for one in feed.bars() if one.provenance == FILLED}
    assert filled and not filled & venue.sent


NOISE = (
    "", "{", "null", "[]", '"bar"', '{"k":"bar"}', '{"k":"nothing"}', "\x00\x01",
    '{"k":"tick","s":1,"at":"x","p":[]}', '{"k":"tick","s":"EURUSD","at":1,"p":NaN}',
    '{"k":"tick","s":"EURUSD","at":1,"p":1e999}', '{"k":"tick","s":"EURUSD","at":1,"p":-1}',
    '{"k":"tick","s":"EURUSD","at":' + "9" * 5000 + ',"p":1}', "[" * 20_000,
    '{"k":"beat","x":' * 3_000, tick_frame("GBPUSD", 1, 1.0),
    bar_frame("GBPUSD", bar_of(5)), bar_frame(SYMBOL, bar_of(2 * 10**10)),
    '{"k":"bar","s":"EURUSD","at":0,"end":150000000,"p":[1,0.5,2,1]}',
    '{"k":"bar","s":"EURUSD","at":100,"end":150000100,"p":[1,1,1,1]}',
    '{"k":"bar","s":"EURUSD","at":0,"end":60000000000,"p":[1,1,1,1]}',
)  # fmt: skip


async def test_noise_of_every_kind_is_counted_and_the_bars_go_on() -> None:
    """FEED-2: malformed, wrong types, deep nesting, NaN, infinities, other symbols: none a bar."""
    venue = Venue(says(*NOISE))
    async with venue.open(), watched(venue) as feed:
        await feed.wait_bars(3)
        status = feed.session.status()

    assert feed.of(Disconnected) == []
    assert unbroken(feed.numbers())
    assert status.refused["FRAME_REFUSED"] >= 10
    assert {"WRONG_SYMBOL", "WRONG_INTERVAL", "FROM_FUTURE"} <= set(status.refused)
    assert status.last_reason == "FRAME_REFUSED"


async def test_a_huge_frame_ends_the_line_and_not_the_memory() -> None:
    """RES-1: a frame above the limit is never held; the next line goes on."""
    venue = Venue(after(2, says("x" * 70_000)), speaks)
    async with venue.open(), watched(venue, history=venue) as feed:
        await feed.wait_until(lambda: len(feed.of(Connected)) == 2)
        await feed.wait_bars(5)

    assert feed.of(Disconnected)[0].code == "FRAME_TOO_LARGE"
    assert unbroken(feed.numbers())


async def test_a_clock_that_is_ahead_makes_no_bar_and_is_said() -> None:
    """FEED-1: bars from the future are refused with their reason; the symbol is STALE."""
    venue = Venue(after(2, shifted(50)))
    async with venue.open(), watched(venue) as feed:
        await feed.wait_until(lambda: bool(feed.of(Stale)))
        await feed.wait_until(lambda: feed.session.status().refused.get("FROM_FUTURE", 0) > 2)

    assert len(feed.bars()) == 2


async def test_ticks_make_true_bars_and_the_torn_first_one_is_refused() -> None:
    """F2: high and low of every bar are those of the ticks sent, over a real line."""
    venue = Venue(_ticks)
    async with venue.open(), watched(venue) as feed:
        await feed.wait_bars(3)
        refused = feed.session.status().refused

    assert unbroken(feed.numbers())
    assert refused == {"INCOMPLETE": 1}


async def _ticks(venue: Venue, line: ServerConnection) -> None:
    """Send the prices of each interval's true bar, spread over its first half."""
    await asyncio.sleep(INTERVAL_NS / 2e9)
    while True:
        number = SystemClock().now_ns() // INTERVAL_NS
        bar = bar_of(number)
        for part, price in enumerate((bar.open, bar.high, bar.low, bar.close)):
            await line.send(tick_frame(SYMBOL, bar.open_ns + part, price))
        await venue.next_bar()


async def test_a_key_that_is_refused_is_never_tried_again() -> None:
    """F3: a refusal of the handshake and one in words both end the session, and say so."""

    async def no(venue: Venue, line: ServerConnection) -> None:
        await line.send(refusal_frame("key c4n4ry is not valid", final=True))
        await stalls(venue, line)

    venue = Venue(after(2, no))
    async with venue.open(), watched(venue) as feed:
        await feed.wait_until(feed.task.done)
        await feed.wait_until(lambda: bool(feed.of(FeedRefused)))
        assert feed.session.status().state == "ended"

    assert venue.lines == 1
    (said,) = feed.of(FeedRefused)
    assert said.is_final
    assert said.text == "42: key *** is not valid"


async def test_a_recording_that_cannot_be_written_stops_no_bar() -> None:
    """F6: it is said, and the feed goes on."""

    def full(at_ns: int, frame: bytes | str) -> None:
        raise FeedError("cannot record below var: No space left on device")

    venue = Venue(speaks)
    async with venue.open(), watched(venue, on_frame=full) as feed:
        await feed.wait_bars(2)
        status = feed.session.status()

    assert (status.last_reason, status.connected) == ("RECORD_FAILED", True)
    assert status.errors >= 2


async def test_a_refusal_that_is_not_final_is_said_and_the_line_goes_on() -> None:
    """F3: a venue that is busy, or refuses one symbol of many, ends nothing."""
    venue = Venue(says(refusal_frame("busy, c4n4ry", final=False)))
    async with venue.open(), watched(venue) as feed:
        await feed.wait_bars(2)
        status = feed.session.status()

    assert [(one.text, one.is_final) for one in feed.of(FeedRefused)] == [("42: busy, ***", False)]
    assert (status.last_reason, status.connected, venue.lines) == ("VENUE_REFUSED", True, 1)


async def test_a_venue_that_never_answers_a_close_does_not_hold_the_session() -> None:
    """RES-1: ending is polite for so long, then hard."""

    async def deaf(venue: Venue, line: ServerConnection) -> None:
        await venue.speak(line, 2)
        await vanishes(venue, line)

    venue = Venue(deaf)
    steady = SteadyClock()
    async with venue.open():
        async with watched(venue) as feed:
            await feed.wait_bars(2)
            begun_ns = steady.now_ns()
        took_ns = steady.now_ns() - begun_ns

    assert took_ns < 3 * SECOND_NS


def _random_script(rng: random.Random) -> Script:
    """Draw what one line of a bad day does."""
    ending = rng.choice([stalls, vanishes, hangs_up, says("x" * 70_000), says(*NOISE), stutters])
    script = after(rng.randrange(5), ending) if rng.random() < 0.8 else skips(rng.randrange(1, 4))
    return within(2.5, script)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(6))
async def test_a_bad_day_of_everything_loses_and_doubles_nothing(seed: int) -> None:
    """FEED-1 to FEED-3 over scenarios drawn at random; then faults stop and it must converge."""
    rng = random.Random(seed)
    venue = Venue(*[_random_script(rng) for _ in range(12)], speaks)
    async with venue.open(), watched(venue, history=venue) as feed:
        await feed.wait_until(lambda: venue.lines == 13, patience_s=90.0)
        await feed.wait_until(lambda: feed.session.status().connected)
        caught_up = len(feed.bars()) + 5
        await feed.wait_bars(caught_up)
        assert [one.state for one in feed.session.status().symbols] == ["flowing"]

    assert unbroken(feed.numbers())
