"""One live feed: a line that is opened again and again, and the bars that come of it (F2-F5).

Connected means that payload arrived, not that a socket is open. Silence is told by the calendar,
never by pings. Everything is bounded: frames, queues, times; a session that is not read from stops
reading from its venue. It decides nothing about trading and never falls back to another source.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Final

import msgspec

from adapters.feeds.backoff import (
    BackoffLimits,
    Chance,
    LineError,
    VenueRefusal,
    delays,
    should_reconnect,
)
from adapters.feeds.events import (
    Connected,
    Disconnected,
    FeedEvent,
    FeedRefused,
    FillWanted,
    FrameRefused,
)
from adapters.feeds.history import History
from adapters.feeds.intake import Intake
from adapters.feeds.line import Line, Opener
from adapters.feeds.outbox import Outbox
from adapters.feeds.wire import Codec, KeptAlive, Refused
from adapters.ports import Clock
from adapters.redaction import redacted
from state.errors import FeedError
from state.units import SECOND_NS

_LONGEST_NAP_S: Final = 1.0
_SHORTEST_NAP_S: Final = 0.001
_LAG_NS: Final = SECOND_NS // 10
"""A loop that wakes so late has frames to read first: their prices must not come too late."""


class SessionLimits(msgspec.Struct, frozen=True):
    """The patience of a session, in seconds.

    ``silent_after_s`` is how long every open symbol may be without a price before the line is taken
    for dead; ``steady_after_s`` how long prices must have flowed for the next pause to be a short
    one again; ``fill_timeout_s`` how long a history may take. ``nap_s`` bounds how late a bar is
    closed. ``queue`` is how many events may wait for their taker.
    """

    silent_after_s: float = 120.0
    steady_after_s: float = 10.0
    fill_timeout_s: float = 10.0
    nap_s: float = 0.1
    queue: int = 4096
    pauses: BackoffLimits = BackoffLimits()


class SymbolStatus(msgspec.Struct):
    """One symbol in the status: ``state`` is flowing, stale, closed or waiting; ns 0 is never."""

    symbol: str
    state: str
    last_bar_ns: int
    due_ns: int
    late_ticks: int


class FeedStatus(msgspec.Struct):
    """A session in the status object.

    ``state`` is ``connecting`` until payload arrives, ``connected``, ``waiting`` for the next try,
    or ``ended``. ``errors`` counts lost lines and refused frames; ``refused`` prices, bars and
    frames by reason code.
    """

    source: str
    address: str
    state: str
    connected: bool
    errors: int
    reconnects: int
    last_frame_ns: int
    last_reason: str
    last_text: str
    queued: int
    refused: dict[str, int]
    symbols: list[SymbolStatus]


class FeedSession:
    """Runs one feed: ``run`` as a task, ``on_events`` and ``take_event`` for one taker.

    ``on_frame`` is shown every frame with the instant it came, before it is decoded; it may raise
    ``FeedError``, which is counted.
    """

    def __init__(
        self,
        codec: Codec,
        opener: Opener,
        intake: Intake,
        clock: Clock,
        chance: Chance,
        limits: SessionLimits = SessionLimits(),  # noqa: B008 - frozen
        history: History | None = None,
        secrets: Sequence[str] = (),
        on_frame: Callable[[int, bytes | str], None] | None = None,
    ) -> None:
        """Put the parts together; nothing is opened yet."""
        self._codec = codec
        self._opener = opener
        self._intake = intake
        self._clock = clock
        self._chance = chance
        self._limits = limits
        self._history = history
        self._secrets = tuple(secrets)
        self._on_frame = on_frame
        self._outbox = Outbox(limits.queue)
        self._asked = asyncio.Event()
        self._line: Line | None = None
        self._fault: LineError | None = None
        self._flowed_ns: int | None = None
        self._state = "connecting"
        self._errors = 0
        self._lines = 0
        self._bad_frames = 0
        self._last_frame_ns = 0
        self._last = ("", "")

    async def run(self) -> None:
        """Run until cancelled, or until the venue refuses for good (``FeedRefused`` says it)."""
        async with asyncio.TaskGroup() as group:
            beside = [group.create_task(self._clock_task())]
            if isinstance(self._codec, KeptAlive):
                beside.append(group.create_task(self._keepalive_task(self._codec)))
            if self._history is not None:
                beside.append(group.create_task(self._fill_task(self._history)))
            try:
                await self._line_task()
            finally:
                self._state = "ended"
                for task in beside:
                    task.cancel()

    def on_events(self, call: Callable[[], None]) -> None:
        """Have the taker called whenever events wait, and now if some do; it raises nothing."""
        self._outbox.on_filled = call
        if len(self._outbox):
            call()

    def take_event(self) -> FeedEvent | None:
        """Return the next event that waits, None when there is none."""
        return self._outbox.take()

    def status(self) -> FeedStatus:
        """Return how the feed is, for the status object."""
        now_ns, intake = self._clock.now_ns(), self._intake
        refused = intake.counts()
        if self._bad_frames:
            refused["FRAME_REFUSED"] = self._bad_frames
        symbols = [
            SymbolStatus(
                one.symbol,
                one.state(now_ns),
                one.policy.last.close_ns if one.policy.last else 0,
                one.due_ns,
                intake.late_ticks(one.symbol),
            )
            for one in intake.series.values()
        ]
        return FeedStatus(
            source=self._codec.name,
            address=self._opener.address,
            state=self._state,
            connected=self._state == "connected",
            errors=self._errors,
            reconnects=max(0, self._lines - 1),
            last_frame_ns=self._last_frame_ns,
            last_reason=self._last[0],
            last_text=self._last[1],
            queued=len(self._outbox),
            refused=refused,
            symbols=symbols,
        )

    async def _line_task(self) -> None:
        """Open lines, one after the other, until one is refused for good."""
        pauses = delays(self._chance, self._limits.pauses)
        while True:
            try:
                await self._one_line()
            except LineError as error:
                failure = self._fault or error
            now_ns = self._clock.now_ns()
            text = redacted(str(failure), *self._secrets)
            self._failed(failure.code, text)
            await self._outbox.room()
            self._outbox.put([Disconnected(self._codec.name, failure.code, text, now_ns)])
            if not should_reconnect(failure):
                self._outbox.put([FeedRefused(self._codec.name, text, True, now_ns)])
                return
            flowed_ns = self._flowed_ns
            if flowed_ns is not None and now_ns - flowed_ns >= _ns(self._limits.steady_after_s):
                pauses = delays(self._chance, self._limits.pauses)
            self._state = "waiting"
            await asyncio.sleep(next(pauses))

    async def _one_line(self) -> None:
        """Open one line and take what comes until it ends, which it does by an error.

        Raises:
            LineError: how it ended.
        """
        self._state, self._fault, self._flowed_ns = "connecting", None, None
        self._lines += 1
        line = await self._opener.open()
        try:
            self._intake.opened(self._clock.now_ns())
            self._line = line
            for frame in self._codec.hello():
                await line.send(frame)
            await line.deliver(self._take, self._outbox)
        finally:
            self._line = None
            self._intake.lost(self._clock.now_ns())
            if self._fault is not None:
                line.abort()
            await line.close()

    def _take(self, frame: bytes | str) -> None:
        """Take one frame: decode it, and hand over what comes of it."""
        now_ns = self._last_frame_ns = self._clock.now_ns()
        if self._on_frame is not None:
            self._keep(self._on_frame, now_ns, frame)
        try:
            events = self._codec.decode(frame)
        except Exception as error:
            # A codec is pure: whatever it raises says that the frame is not what is documented.
            self._bad_frames += 1
            text = f"{type(error).__name__}: {error}".encode("utf-8", "backslashreplace").decode()
            text = redacted(text, *self._secrets)[:200]
            self._failed("FRAME_REFUSED", text)
            self._outbox.put([FrameRefused("FRAME_REFUSED", text)])
            return
        before = self._intake.payloads
        found = self._intake.take(events, now_ns)
        if self._flowed_ns is None and self._intake.payloads > before:
            self._flowed_ns, self._state = now_ns, "connected"
            self._outbox.put([Connected(self._codec.name, now_ns)])
        if found:
            self._hand_over(found)
        for event in events:
            if isinstance(event, Refused):
                self._refused(event, now_ns)

    def _keep(
        self, on_frame: Callable[[int, bytes | str], None], now_ns: int, frame: bytes | str
    ) -> None:
        """Show a frame to who keeps it; a record that cannot be written stops no bar."""
        try:
            on_frame(now_ns, frame)
        except FeedError as error:
            self._failed("RECORD_FAILED", str(error))

    def _refused(self, refused: Refused, now_ns: int) -> None:
        """Say that the venue said no; end the session when that is final for all of it.

        Raises:
            VenueRefusal: it is final for every symbol.
        """
        error = VenueRefusal(refused)
        is_all = not refused.symbols or set(refused.symbols) >= set(self._intake.series)
        if refused.is_final and is_all:
            raise error
        text = redacted(str(error), *self._secrets)
        self._failed(error.code, text)
        self._outbox.put([FeedRefused(self._codec.name, text, False, now_ns)])

    async def _clock_task(self) -> None:
        """Close bars, tell silence, and end a line that is silent, as the time comes."""
        patience_ns = _ns(self._limits.silent_after_s)
        while True:
            now_ns = self._clock.now_ns()
            due_ns = self._intake.next_due_ns()
            nap_s = min(max((due_ns - now_ns) / SECOND_NS, _SHORTEST_NAP_S), self._limits.nap_s)
            await asyncio.sleep(min(nap_s, _LONGEST_NAP_S))
            woke_ns = self._clock.now_ns()
            if woke_ns - now_ns - round(nap_s * SECOND_NS) > _LAG_NS:
                await asyncio.sleep(_SHORTEST_NAP_S)
            await self._outbox.room()
            now_ns = self._clock.now_ns()
            self._hand_over(self._intake.on_time(now_ns))
            self._end_if_silent(now_ns, patience_ns)

    async def _keepalive_task(self, codec: KeptAlive) -> None:
        """Say what a venue wants to hear; that a line is gone is told elsewhere."""
        while True:
            await asyncio.sleep(codec.keepalive_every_s)
            if self._line is not None:
                with suppress(LineError):
                    await self._line.send(codec.keepalive)

    def _end_if_silent(self, now_ns: int, patience_ns: int) -> None:
        line = self._line
        if line is None or self._fault is not None or not self._outbox.has_room():
            return
        if now_ns < self._intake.silent_by_ns(patience_ns, now_ns):
            return
        text = f"no price of any open symbol for {self._limits.silent_after_s:g} s"
        self._fault = LineError(text, "LINE_SILENT")
        line.abort()

    async def _fill_task(self, history: History) -> None:
        """Ask the history for what is missing, whenever something is."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            await asyncio.gather(*(self._fill(history, one) for one in self._intake.wanted()))

    async def _fill(self, history: History, wanted: FillWanted) -> None:
        try:
            async with asyncio.timeout(self._limits.fill_timeout_s):
                bars = await history.fetch(
                    wanted.symbol, wanted.interval_ns, wanted.from_ns, wanted.to_ns
                )
        except (FeedError, TimeoutError) as error:
            text = str(error) or f"no answer within {self._limits.fill_timeout_s:g} s"
            text = redacted(text, *self._secrets)
            self._failed("FILL_FAILED", text)
            await self._outbox.room()
            found = self._intake.fill_failed(wanted, text, self._clock.now_ns())
        else:
            await self._outbox.room()
            found = self._intake.fill(wanted, bars, self._clock.now_ns())
        self._hand_over([*found, *self._intake.on_time(self._clock.now_ns())])

    def _hand_over(self, events: Iterable[FeedEvent]) -> None:
        self._outbox.put(events)
        if self._history is not None and self._intake.wanted():
            self._asked.set()

    def _failed(self, code: str, text: str) -> None:
        self._errors += 1
        self._last = (code, text)


def _ns(seconds: float) -> int:
    return round(seconds * SECOND_NS)
