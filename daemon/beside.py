"""What goes on beside trading: files that follow the journal, the end of each day, messages.

All of it reads the journal or is told of an entry after it was applied. Nothing waits for it, and
what fails here is an alert, never a reason to stop.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from adapters.ports import Clock
from config.settings import Settings
from daemon.core.status import Alert
from daemon.runtime.announcements import Announcer
from daemon.runtime.closing import Wanted
from daemon.runtime.notify_thread import NotifyThread
from daemon.runtime.run_folder import DATABASE
from daemon.runtime.run_log import RunLog
from daemon.runtime.tasks.end_of_day import EndOfDayTask
from daemon.runtime.tasks.follower import FollowerTask
from daemon.wiring import Core, endpoints, notifications
from state.backup import backup
from state.entries import Entry
from state.soundness import BACKUPS
from state.units import day_text

_LAST_S: Final = 5.0
"""How long the end of a process waits for messages to be sent; the rest waits on the disk."""


class Beside:
    """Everything beside one portfolio's trading."""

    def __init__(
        self, settings: Settings, home: Path, wanted: Wanted, log: RunLog, clock: Clock
    ) -> None:
        """Bind; a message's address that cannot be read is told now.

        Raises:
            ConfigError: a secret of the notifications cannot be used.
        """
        self._settings = settings
        self._home = home
        self._log = log
        self._clock = clock
        self._endpoints = endpoints(settings, os.environ)
        self._wanted = wanted._replace(
            reports=wanted.reports and settings.end_of_day.reports,
            picture=bool(self._endpoints.notifiers),
        )
        self._announcer: Announcer | None = None

    def begin(self, core: Core, is_alive: Callable[[], bool]) -> None:
        """Make the parts around a core that was brought up; ``is_alive``: it makes progress."""
        settings, home, portfolio = self._settings, self._home, core.portfolio
        engines = [(one.symbol, one.name) for one in core.engines]
        self.follower = FollowerTask(
            home, settings.portfolio.id, engines, lambda: portfolio.seq, self._log
        )
        self.end_of_day = EndOfDayTask(
            home, self._wanted, lambda: portfolio.seq, self._log, self._back_up, self._reported
        )
        messages = notifications(settings, self._endpoints, home, self._note)
        self._thread = NotifyThread(
            messages,
            self._note,
            dead_man=self._endpoints.dead_man,
            every_s=settings.notify.dead_man_every_s,
            is_alive=is_alive,
        )
        self._thread.start()
        self._announcer = Announcer(portfolio, settings.notify.levels.model_dump(), messages.offer)

    def take(self, seq: int, entry: Entry) -> None:
        """Take an entry that was just applied."""
        if self._announcer is not None:
            self._announcer.take(seq, entry)

    def started(self, lines: list[str]) -> None:
        """Tell that the daemon came up, and what it found."""
        if self._announcer is not None:
            self._announcer.started(lines, self._clock.now_ns())

    def failed(self, problem: str) -> None:
        """Tell that something failed."""
        if self._announcer is not None:
            self._announcer.failed(problem, self._clock.now_ns())

    def alerts(self) -> list[Alert]:
        """Return what failed, for the status line."""
        return [*self.follower.alerts(), *self.end_of_day.alerts()]

    def reopen(self) -> None:
        """Open the files anew: somebody moved them away."""
        self.follower.reopen()

    async def close(self, reason: str) -> None:
        """Tell that the daemon ended (``reason`` empty: it failed), and send what waits."""
        if self._announcer is None:
            return
        if reason:
            self._announcer.stopped(reason, self._clock.now_ns())
        await asyncio.to_thread(self._thread.stop, _LAST_S)

    async def _back_up(self, day: int) -> None:
        path = await asyncio.to_thread(backup, self._home / DATABASE, self._home / BACKUPS, day)
        self._log.info("backed up", path=str(path))

    def _reported(self, day: int) -> None:
        """Tell of the final report of a day, with its picture where there is one."""
        if self._announcer is None:
            return
        date, folder = day_text(day), self._home / "reports" / "daily"
        picture = folder / f"{date}.png"
        try:
            text = (folder / f"{date}.md").read_text(encoding="utf-8")
        except OSError as problem:
            text = f"the report cannot be read: {problem}"
        self._announcer.reported(
            date, text, picture if picture.exists() else None, self._clock.now_ns()
        )

    def _note(self, line: str) -> None:
        self._log.warning("notifications", note=line)
