"""Notifications: from a bounded inbox through folding and a spool on disk to each endpoint.

Whoever trades calls ``offer`` and nothing else: it appends to a bounded queue, and neither blocks,
waits nor raises, whatever an endpoint or the disk does. All else happens in tasks of its own, the
disk on threads; ``daemon.runtime.notify_thread`` has a loop for them alone. A message is delivered
at least once: a process killed between the delivery and its note on disk sends it again, under the
same ``id``.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Protocol

import msgspec

from adapters.ports import Message, Notifier
from daemon.core.plain import plain
from daemon.runtime.folding import Folding
from daemon.runtime.spool import Spool
from state.errors import NotifyError

INBOX: Final = 1_024
"""Messages between two looks of the task; beyond it they are dropped and counted."""
LOOK_S: Final = 0.2
CRITICAL: Final = "critical"
TITLE_CHARS: Final = 160
TEXT_CHARS: Final = 4_000


class Limits(msgspec.Struct, frozen=True):
    """What bounds the work: seconds, messages a minute and to an endpoint, messages on disk.

    ``first_wait_s`` and ``longest_wait_s`` are of the back-off after failures, which doubles.
    """

    fold_s: float = 60.0
    per_minute: int = 20
    spool_max: int = 500
    first_wait_s: float = 1.0
    longest_wait_s: float = 300.0


class ChannelStatus(msgspec.Struct, frozen=True):
    """One endpoint: messages sent, waiting and given up; ``problem`` of the last try, or empty."""

    name: str
    sent: int
    waiting: int
    dropped: int
    problem: str


class NotifyStatus(msgspec.Struct, frozen=True):
    """How notifications fare. ``dropped``: offered while the inbox was full."""

    offered: int
    dropped: int
    folded: int
    channels: list[ChannelStatus]


class Channel:
    """One endpoint: its spool, its rate and its back-off."""

    def __init__(
        self, notifier: Notifier, folder: Path, limits: Limits, note: Callable[[str], None]
    ) -> None:
        """Open the spool below ``folder``; ``note`` takes lines for the log."""
        self.name = notifier.name
        self._notifier = notifier
        self._spool = Spool(folder / notifier.name.replace(" ", "-"), limits.spool_max)
        self._limits = limits
        self._note = note
        self._news = asyncio.Event()
        self._urgent = asyncio.Event()
        self._disk = asyncio.Lock()
        self._sent = self._lost = self._told = 0
        self._problem = self._disk_problem = ""
        self._times: deque[float] = deque(maxlen=limits.per_minute)

    def status(self) -> ChannelStatus:
        """Return how it fares."""
        dropped = self._lost + self._spool.dropped
        problem = self._problem or self._spool.problem
        return ChannelStatus(self.name, self._sent, len(self._spool), dropped, problem)

    async def keep(self, messages: Sequence[Message]) -> None:
        """Put messages into the spool, and go on to send them."""
        for message in messages:
            self._spool.add(message)
        await self._sync()
        if self._spool.problem and not self._disk_problem:
            self._note(f"{self.name}: messages wait in memory only: {self._spool.problem}")
        self._disk_problem = self._spool.problem
        self._news.set()
        if any(one.level == CRITICAL for one in messages):
            self._urgent.set()
        dropped = self._lost + self._spool.dropped
        if dropped != self._told:
            self._note(f"{self.name}: {dropped - self._told} messages were given up")
            self._told = dropped

    async def send_task(self) -> None:
        """Send what waits, one at a time, until cancelled."""
        wait_s = 0.0
        while True:
            # Cleared before looking: what comes during a try is not overslept after it.
            self._news.clear()
            self._urgent.clear()
            found = self._spool.first()
            if found is None:
                await self._rest(None, self._news)
                continue
            left_s = self._rate_left_s()
            if left_s > 0 and found[1].level != CRITICAL:
                await self._rest(left_s, self._urgent)
                continue
            self._times.append(asyncio.get_running_loop().time())
            asked = await self._try(*found)
            if asked is None:
                wait_s = 0.0
                continue
            wait_s = min(max(self._limits.first_wait_s, 2 * wait_s), self._limits.longest_wait_s)
            # What is critical tries at once, unless the other side asked to be left alone.
            if asked > 0:
                await asyncio.sleep(max(wait_s, asked))
            else:
                await self._rest(wait_s, self._urgent)

    async def _rest(self, within_s: float | None, woken: asyncio.Event) -> None:
        """Wait so long (None: for good), or until the event is set."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await woken.wait()

    async def _try(self, number: int, message: Message) -> float | None:
        """Try once; return None when the message is done with, else how long to wait at least."""
        try:
            await self._notifier.send(message)
        except NotifyError as problem:
            if problem.is_final:
                self._lost += 1
                self._fail(f"{problem}; it is given up")
                await self._forget(number)
                return None
            self._fail(str(problem))
            return problem.retry_after_s or 0.0
        except Exception as problem:  # a defect there must not end the work here
            self._fail(f"{self.name}: raised {type(problem).__name__}")
            return 0.0
        self._sent += 1
        if self._problem:
            self._note(f"{self.name}: delivers again")
        self._problem = ""
        await self._forget(number)
        return None

    def _fail(self, problem: str) -> None:
        if problem != self._problem:
            self._note(problem)
        self._problem = problem

    def _rate_left_s(self) -> float:
        """Return how long the rate asks to wait; what is critical does not, and counts."""
        if len(self._times) < self._limits.per_minute:
            return 0.0
        return self._times[0] + 60.0 - asyncio.get_running_loop().time()

    async def _forget(self, number: int) -> None:
        self._spool.remove(number)
        await self._sync()

    async def _sync(self) -> None:
        """Let the disk follow, on a thread that is waited for even when this task is cancelled."""
        async with self._disk:
            work = asyncio.ensure_future(asyncio.to_thread(self._spool.sync))
            try:
                await asyncio.shield(work)
            except asyncio.CancelledError:
                await work
                raise

    async def close(self) -> None:
        """Close the endpoint; what waits stays on disk."""
        await self._notifier.close()


class Notifications:
    """Takes messages from whoever has one, and sees to it that they arrive."""

    def __init__(
        self,
        notifiers: Sequence[Notifier],
        folder: Path,
        limits: Limits,
        note: Callable[[str], None],
        hide: Callable[[str], str] = plain,
    ) -> None:
        """Open a spool below ``folder`` for each notifier.

        ``note`` takes lines for the log, on the thread of the loop that works. ``hide`` takes
        secrets out of a text.
        """
        self._inbox: deque[Message] = deque()
        self._note = note
        self._channels = [Channel(one, folder, limits, self._say) for one in notifiers]
        self._folding = Folding(limits.fold_s)
        self._hide = hide
        self._is_collecting = False
        self._offered = self._dropped = self._told = 0

    def offer(self, message: Message) -> None:
        """Take a message, from any thread; drop it and count where the inbox is full."""
        if len(self._inbox) >= INBOX:
            self._dropped += 1
            return
        self._offered += 1
        self._inbox.append(message)

    def status(self) -> NotifyStatus:
        """Return how notifications fare."""
        channels = [one.status() for one in self._channels]
        return NotifyStatus(self._offered, self._dropped, self._folding.folded, channels)

    async def run(self) -> None:
        """Work until cancelled; then what was offered is on disk and endpoints are closed."""
        try:
            async with asyncio.TaskGroup() as group:
                for channel in self._channels:
                    group.create_task(channel.send_task(), name=f"notify {channel.name}")
                while True:
                    await self._collect()
                    await asyncio.sleep(LOOK_S)
        finally:
            rest = self._taken(is_end=True)
            for channel in self._channels:
                await channel.keep(rest)
                with contextlib.suppress(Exception):
                    await channel.close()

    async def drain(self, within_s: float) -> bool:
        """Wait until all that was offered has been sent; False when that took too long.

        For an orderly end, while ``run`` still works: what is left stays on disk.
        """
        step_s = LOOK_S / 4
        for _ in range(math.ceil(within_s / step_s)):
            if not self._is_unsent():
                return True
            await asyncio.sleep(step_s)
        return not self._is_unsent()

    def _is_unsent(self) -> bool:
        waiting = any(one.status().waiting for one in self._channels)
        return bool(self._inbox) or self._is_collecting or waiting

    async def _collect(self) -> None:
        """Move what was offered into the spools; a defect here ends no task."""
        self._is_collecting = True
        try:
            if messages := self._taken():
                for channel in self._channels:
                    await channel.keep(messages)
        except Exception as problem:
            self._say(f"notifications: {type(problem).__name__} while messages were kept")
        finally:
            self._is_collecting = False

    def _say(self, line: str) -> None:
        """Note a line; a log that cannot be written is no reason to end."""
        with contextlib.suppress(Exception):
            self._note(line)

    def _taken(self, *, is_end: bool = False) -> list[Message]:
        """Take what is in the inbox, made safe and folded."""
        now_s = asyncio.get_running_loop().time()
        found = []
        for _ in range(len(self._inbox)):
            message = self._folding.take(self._safe(self._inbox.popleft()), now_s)
            if message is not None:
                found.append(message)
        found += self._folding.rest() if is_end else self._folding.due(now_s)
        if self._dropped != self._told:
            self._say(f"notifications: {self._dropped - self._told} dropped, the inbox was full")
            self._told = self._dropped
        return found

    def _safe(self, message: Message) -> Message:
        """Return a message without control characters and secrets, and no longer than allowed."""
        text = "\n".join(plain(line) for line in self._hide(message.text).splitlines())
        return msgspec.structs.replace(
            message, title=plain(self._hide(message.title))[:TITLE_CHARS], text=text[:TEXT_CHARS]
        )


class Pinging(Protocol):
    """What is pinged: ``adapters.notify.dead_man.DeadMan``."""

    async def ping(self) -> None:
        """Fetch it once. Raises NotifyError."""

    async def close(self) -> None:
        """Give up what is held."""


async def dead_man_task(
    man: Pinging, every_s: float, is_alive: Callable[[], bool], note: Callable[[str], None]
) -> None:
    """Ping again and again while ``is_alive`` says so, until cancelled.

    ``is_alive`` is asked before each ping: without progress there is none, and the alarm sounds on
    the other side. A failure is noted once, until a ping arrives again.
    """
    failing = ""
    try:
        while True:
            if is_alive():
                try:
                    await man.ping()
                    failing = ""
                except NotifyError as problem:
                    if str(problem) != failing:
                        note(str(problem))
                    failing = str(problem)
            await asyncio.sleep(every_s)
    finally:
        await man.close()
