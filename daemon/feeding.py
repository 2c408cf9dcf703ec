"""Feeding a portfolio: instants of recorded history at a pace, or bars of a live feed as they come.

Nothing here decides. A bar of a live feed is on the disk before any entry that is decided from it;
bars that close at one instant are stepped together, the last of them waited for no longer than the
feed's grace. A bar that comes later than that is stepped alone, at the instant at which it came.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

import msgspec

from adapters.feeds.events import (
    LIVE,
    BarClosed,
    BarRefused,
    Connected,
    Disconnected,
    FeedEvent,
    FeedRefused,
    Flowing,
    FrameRefused,
    GapFound,
    GapUnfilled,
    Stale,
)
from adapters.feeds.recorder import Recorder
from adapters.feeds.session import FeedSession
from adapters.feeds.wire import VenueStatus
from adapters.ports import Clock
from daemon.core.latches import STALE, VENUE
from daemon.core.status import Alert
from daemon.runtime.instants import Instant
from daemon.runtime.run_log import RunLog
from daemon.runtime.tasks.begun import Woken
from daemon.runtime.tasks.clocks import RunClock
from daemon.trading import Trading
from state.entries import BarsRefused
from state.errors import FeedError, JournalError
from state.units import NEVER_NS, SECOND_NS, utc_text

REFUSED: Final = "refused"
"""The halt while the venue refuses for good."""
_STRETCH: Final = 64
"""Instants made ready at a time while nothing paces them."""
_STRAGGLERS_S: Final = 0.1
"""How long after the grace the other series' bars of an instant are waited for."""
_OVERDUE_NS: Final = SECOND_NS
"""How long after that what has come already goes first: a burst takes its time to be read."""
_LOOK_S: Final = 0.1
"""How often the wall clock, which may be set, is looked at meanwhile."""

Make = Callable[[], Instant]
"""Makes an instant when its turn has come: what it closes over cannot change any more then."""
Step = Callable[[Make], Awaitable[None]]
"""Brings an instant before the desk and returns when it is done."""
Job = Callable[[], Awaitable[None]]
Ask = Callable[[Job], Awaitable[None]]
"""Has the desk carry out a job."""
Command = Callable[[str, str, str], Awaitable[None]]
"""Gives the core a command: name, argument, reason."""


class FileFeed:
    """The bars of the configured files, each instant when the run's clock has come to it."""

    def __init__(
        self,
        trading: Trading,
        clock: RunClock,
        step: Step,
        is_over: Callable[[], bool],
        *,
        paced: bool,
    ) -> None:
        """Feed ``trading``, through ``step``, until ``is_over``."""
        self._trading = trading
        self._clock = clock
        self._step = step
        self._is_over = is_over
        self._count = 1 if paced else _STRETCH
        self._ready: asyncio.Queue[list[Instant]] = asyncio.Queue(1)

    async def read(self) -> None:
        """Make instants ready, a little ahead of the router, until the bars end: task *feed*."""
        while stretch := await asyncio.to_thread(self._next_stretch):
            await self._ready.put(stretch)
        await self._ready.put([])

    async def run(self) -> None:
        """Bring each instant to the desk in its time, until the bars end: task *router*."""
        trading, clock = self._trading, self._clock
        while stretch := await self._ready.get():
            for instant in stretch:
                if self._is_over():
                    # Bars that are stepped no more let no time pass.
                    await asyncio.Event().wait()
                clock.stepped(trading.now_ns, instant.now_ns)
                await clock.reach(instant.now_ns)
                await self._step(partial(_same, instant))

    def alerts(self) -> list[Alert]:
        """Return nothing: what a file lacks is said when it is read."""
        return []

    async def tell_refused(self) -> None:
        """Do nothing: rows that a file refused are journalled at its end."""

    def _next_stretch(self) -> list[Instant]:
        trading, found = self._trading, list[Instant]()
        while len(found) < self._count and trading.coming() is not None:
            found.append(trading.take())
        return found


def _same(instant: Instant) -> Instant:
    return instant


class LiveFeed:
    """The bars of a session, recorded and stepped; silence and refusals as commands of the core."""

    def __init__(
        self,
        trading: Trading,
        session: FeedSession,
        recorder: Recorder,
        clock: RunClock,
        wall: Clock,
        step: Step,
        command: Command,
        desk: Ask,
        log: RunLog,
        grace_s: float,
        left: list[Instant],
    ) -> None:
        """Feed ``trading``; ``command`` goes through the desk, as ``step`` does.

        ``left`` was recorded and not stepped, as the daemon was killed in between: it comes first.
        """
        self._trading = trading
        self._session = session
        self._recorder = recorder
        self._clock = clock
        self._wall = wall
        self._step = step
        self._command = command
        self._desk = desk
        self._log = log
        self._left = left
        self._patience_ns = round((grace_s + _STRAGGLERS_S) * SECOND_NS)
        self._lanes = {
            series.key: trading.stepper.lanes[series.key] for series in trading.core.market.series
        }
        self._waiting: dict[tuple[str, int], BarClosed] = {}
        self._close_ns = 0
        self._expected = 0
        self._is_taken = True
        self._refused: dict[tuple[str, str], tuple[int, str]] = {}
        self._alerts: dict[str, Alert] = {}
        self._router = Woken(self._bring)
        self._look: asyncio.TimerHandle | None = None

    @property
    def session(self) -> FeedSession:
        """The session, for the status."""
        return self._session

    def alerts(self) -> list[Alert]:
        """Return what a person should look at."""
        return list(self._alerts.values())

    async def read(self) -> None:
        """Run the session until the venue refuses for good, or for ever: task *feed*."""
        await self._session.run()

    async def run(self) -> None:
        """Bring what the session tells to the desk until cancelled: task *router*."""
        for number, instant in enumerate(self._left):
            await self._step(partial(_same, instant))
            later = self._left[number + 1 :]
            self._clock.stepped(instant.now_ns, later[0].now_ns if later else NEVER_NS)
        self._session.on_events(self._router.wake)
        await self._router.run()

    async def _bring(self) -> None:
        """Bring all that the session has told to the desk.

        Bars that wait for others of their instant are stepped when nothing has come for so long.
        """
        while True:
            left_ns = NEVER_NS
            if self._waiting:
                left_ns = self._close_ns + self._patience_ns - self._wall.now_ns()
            # What has come already may be a bar of this instant, and belongs with them.
            event = self._session.take_event() if left_ns > -_OVERDUE_NS else None
            if isinstance(event, BarClosed):
                await self._take(event)
            elif event is not None:
                await self._hear(event)
            elif left_ns <= 0:
                await self._flush()
            else:
                self._look_again(left_ns)
                return

    def _look_again(self, left_ns: int) -> None:
        """See to it that bars which wait are looked at when their time is over."""
        if left_ns == NEVER_NS:
            return
        loop = asyncio.get_running_loop()
        due_s = loop.time() + min(left_ns / SECOND_NS, _LOOK_S)
        if self._look is not None:
            if self._look.when() <= due_s:
                return
            self._look.cancel()
        self._look = loop.call_at(due_s, self._time_is_over)

    def _time_is_over(self) -> None:
        self._look = None
        self._router.wake()

    # Bars ---------------------------------------------------------------------------------------

    async def _take(self, closed: BarClosed) -> None:
        key, close_ns = (closed.symbol, closed.interval_ns), closed.bar.close_ns
        if key not in self._lanes:
            # The feed's own interval, of which engines see only coarser bars: kept for a restart.
            self._record(closed, close_ns)
            self._write()
            return
        if close_ns != self._close_ns and self._waiting:
            await self._flush()
        if closed.provenance != LIVE or close_ns <= self._trading.now_ns:
            await self._step_now([closed], close_ns)
            return
        if not self._waiting:
            self._close_ns = close_ns
            self._expected = sum(not close_ns % one for _, one in self._lanes)
        self._waiting[key] = closed
        if len(self._waiting) == self._expected:
            await self._flush()

    async def _flush(self) -> None:
        """Step the bars that wait."""
        waiting, self._waiting = self._waiting, {}
        await self._step_now([waiting[key] for key in sorted(waiting)], self._close_ns)

    async def _step_now(self, bars: list[BarClosed], close_ns: int) -> None:
        """Step bars; they are recorded at the instant at which they were stepped."""
        await self._step(partial(self._made, bars, close_ns))
        self._write()
        self._clock.stepped(self._trading.now_ns, NEVER_NS)
        await self._tell()

    def _made(self, bars: list[BarClosed], close_ns: int) -> Instant:
        """Take note of bars for the recording and make their instant, at the desk: nothing comes in
        between. They are on the disk before any entry that is decided from them."""
        now_ns = close_ns
        if close_ns <= self._trading.at_ns:
            # Late: its instant is over, and with it all that was decided then.
            now_ns = max(self._clock.now_ns(), self._trading.at_ns + 1)
        for one in bars:
            self._record(one, now_ns)
        return Instant(
            now_ns, [(self._lanes[(one.symbol, one.interval_ns)], one.bar) for one in bars]
        )

    def _record(self, closed: BarClosed, now_ns: int) -> None:
        try:
            self._recorder.put(msgspec.structs.replace(closed, at_ns=now_ns))
        except FeedError as problem:
            raise JournalError(str(problem)) from problem

    def _write(self) -> None:
        """Record what was stepped, where no entry has had it recorded yet.

        When the disk does not take it the journal's writer is given a reason to find that out: it
        waits for the disk, and there are no entries meanwhile.
        """
        was_taken, self._is_taken = self._is_taken, self._recorder.write()
        if was_taken and not self._is_taken:
            self._trading.writer.submit(())

    # Everything else ----------------------------------------------------------------------------

    async def _hear(self, event: FeedEvent) -> None:
        if isinstance(event, BarRefused):
            first = f"{event.text} ({utc_text(event.bar.open_ns)})"
            self._count(event.symbol, event.code, first)
        elif isinstance(event, FrameRefused):
            self._count("", event.code, event.text)
        elif isinstance(event, Stale):
            since = utc_text(event.since_ns) if event.since_ns else "the start"
            await self._trip(STALE + event.symbol, "FEED_STALE", f"no bar since {since}")
            await self._tell()
        elif isinstance(event, Flowing):
            await self._clear(STALE + event.symbol, "bars flow again")
        elif isinstance(event, VenueStatus | FeedRefused):
            await self._hear_venue(event)
        elif isinstance(event, Connected):
            self._log.info("feed connected", source=event.source)
            await self._clear(REFUSED, "the venue delivers")
        elif isinstance(event, Disconnected):
            self._log.warning("feed lost", source=event.source, code=event.code, problem=event.text)
        elif isinstance(event, GapFound | GapUnfilled):
            span = f"{utc_text(event.gap.from_ns)} to {utc_text(event.gap.to_ns)}"
            said = "gap" if isinstance(event, GapFound) else f"gap not filled: {event.text}"
            self._log.warning(said, symbol=event.symbol, span=span)

    def _count(self, symbol: str, code: str, first: str) -> None:
        count, first = self._refused.get((symbol, code), (0, first))
        self._refused[symbol, code] = count + 1, first

    async def _hear_venue(self, event: VenueStatus | FeedRefused) -> None:
        if isinstance(event, FeedRefused):
            self._log.error("feed refused", source=event.source, problem=event.text)
            if event.is_final:
                await self._trip(REFUSED, "VENUE_REFUSED", event.text)
            return
        name = VENUE + event.symbol if event.symbol else "venue"
        if event.open:
            await self._clear(name, event.text or "the venue is open")
        else:
            await self._trip(name, "VENUE_CLOSED", event.text or "the venue is closed")

    async def _trip(self, name: str, code: str, reason: str) -> None:
        self._alerts[name] = Alert(code, f"{name.rpartition('/')[2]}: {reason}")
        self._log.error("breaker", name=name, code=code, reason=reason)
        await self._command("breaker", name, reason)

    async def _clear(self, name: str, reason: str) -> None:
        self._alerts.pop(name, None)
        if name in self._trading.core.portfolio.halts:
            self._log.info("breaker over", name=name, reason=reason)
            await self._command("breaker_over", name, reason)

    async def _tell(self) -> None:
        """Let the desk journal what was refused: at most once an instant."""
        if self._refused:
            await self._desk(self.tell_refused)

    async def tell_refused(self) -> None:
        """Journal how many bars were refused since the last time: a job of the desk (F5)."""
        refused, self._refused = self._refused, {}
        now_ns = self._trading.at_ns
        for (symbol, code), (count, first) in sorted(refused.items()):
            await self._trading.stepper.record(BarsRefused(now_ns, symbol, code, count, first))
