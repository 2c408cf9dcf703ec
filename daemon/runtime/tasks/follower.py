"""The follower's task: keeps the files beside the journal up to it, and reads what it reports.

It waits for nobody and nobody waits for it, but for the last look when everything else has ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from daemon.core.status import Alert
from daemon.runtime.follower import JournalFollower
from daemon.runtime.run_folder import DATABASE
from daemon.runtime.run_log import RunLog
from state.errors import JournalError
from state.queries import open_book

PERIOD_S: Final = 0.2
RETRY_S: Final = 10.0
"""How long a file that could not be written is left alone: each trade is in it within a minute."""
LAST_LOOK_S: Final = 20.0
"""The longest that the end of a process waits for its files; the next start writes the rest."""


class FollowerTask:
    """Follows one portfolio until told to end."""

    def __init__(
        self,
        home: Path,
        portfolio_id: str,
        engines: Sequence[tuple[str, str]],
        seq: Callable[[], int],
        log: RunLog,
    ) -> None:
        """Follow the database in ``home``; ``seq`` is the last entry that is on the disk."""
        self._database = home / DATABASE
        self._follower = JournalFollower(home, portfolio_id, engines, _pause)
        self._seq = seq
        self._log = log
        self._ending = asyncio.Event()
        self._seen = -1
        self._said: dict[str, str] = {}
        self._not_before_s = 0.0

    def alerts(self) -> list[Alert]:
        """Return what could not be written, for the status line."""
        return self._follower.alert_list()

    def reopen(self) -> None:
        """Look at every file anew, soon: somebody moved some of them away."""
        self._follower.reopen()
        self._seen, self._not_before_s = -1, 0.0

    def end(self) -> None:
        """Let ``run`` look a last time and return."""
        self._ending.set()

    async def run(self) -> None:
        """Follow until ``end`` is called, then once more."""
        try:
            await self._run()
        finally:
            self._follower.close()

    async def _run(self) -> None:
        while not self._ending.is_set():
            try:
                await self._follow()
            except JournalError as problem:
                self._say({DATABASE: str(problem)})
                self._seen = -1
                await self._rest(RETRY_S)
        try:
            async with asyncio.timeout(LAST_LOOK_S), open_book(self._database) as book:
                await self._follower.follow(book)
                self._say(self._follower.alerts)
        except JournalError as problem:
            self._say({DATABASE: str(problem)})
        except TimeoutError:
            self._log.warning("files are not complete", note="the next start writes the rest")

    async def _follow(self) -> None:
        async with open_book(self._database) as book:
            while not self._ending.is_set():
                seq, now_s = self._seq(), asyncio.get_running_loop().time()
                if seq != self._seen and now_s >= self._not_before_s:
                    self._seen = seq  # before: who asks meanwhile for more is heard afterwards
                    await self._follower.follow(book)
                    if self._follower.alerts:
                        self._seen, self._not_before_s = -1, now_s + RETRY_S
                    self._say(self._follower.alerts)
                await self._rest(PERIOD_S)

    async def _rest(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._ending.wait()
        except TimeoutError:
            pass

    def _say(self, problems: dict[str, str]) -> None:
        """Log what is new: a file that cannot be written, one that can again, one made anew."""
        for name, why in problems.items():
            if name not in self._said:
                self._log.error("file cannot be written", file=name, problem=why)
        for name in self._said.keys() - problems.keys():
            self._log.info("file can be written again", file=name)
        self._said = dict(problems)
        for note in self._follower.notes:
            self._log.warning("file mended", note=note)
        self._follower.notes.clear()


async def _pause() -> None:
    await asyncio.sleep(0)
