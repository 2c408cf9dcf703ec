"""The end-of-day task: reports and parity in processes of their own, so the loop is never held up.

At the end-of-day alarm the provisional report, after the day rolled the final one, and whatever was
missed while nobody was there. It reads the database to know; nobody tells it and nobody waits for
it. What fails is named in ``alerts`` and tried again.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from daemon.core.status import Alert
from daemon.runtime.closing import (
    PARITY,
    Due,
    Step,
    Wanted,
    has_rung,
    keep_closed,
    last_closed,
    look,
    steps,
)
from daemon.runtime.run_folder import DATABASE
from daemon.runtime.run_log import RunLog
from state.errors import ExitCode, FoliodError, JournalError
from state.queries import Book, open_book
from state.units import day_text

PERIOD_S: Final = 1.0
RETRY_S: Final = 900.0
"""How long after a failure everything that is due is tried again."""
LIMIT_S: Final = 300.0
"""The longest that one report may take."""
NICENESS: Final = 10

Backup = Callable[[int], Awaitable[None]]
"""Backs the database up; it is given the trading day (an ordinal) that has rolled."""


class EndOfDayTask:
    """Closes the trading days of one portfolio."""

    def __init__(
        self,
        home: Path,
        wanted: Wanted,
        seq: Callable[[], int],
        log: RunLog,
        backup: Backup | None = None,
        reported: Callable[[int], None] = lambda _: None,
    ) -> None:
        """Watch the database in ``home``; ``seq`` is the last entry that is on the disk.

        ``backup`` is called once for each final end of a day, after its reports; whatever
        ``FoliodError`` or ``OSError`` it raises alarms, and it is called again later. ``reported``
        is told of each day (an ordinal) whose end is final.
        """
        self._home = home
        self._wanted = wanted
        self._seq = seq
        self._log = log
        self._backup = backup
        self._reported = reported
        self._alerts: dict[str, Alert] = {}
        self._seen = self._looked = 0
        self._retry_s = 0.0

    def alerts(self) -> list[Alert]:
        """Return what failed, for the status line."""
        return list(self._alerts.values())

    async def run(self) -> None:
        """Close days until cancelled, those missed first."""
        while True:
            now_s = asyncio.get_running_loop().time()
            seq, again = self._seq(), bool(self._retry_s) and now_s >= self._retry_s
            if seq != self._seen or again:
                self._seen = seq
                try:
                    async with open_book(self._home / DATABASE) as book:
                        due = await self._due(book, again=again)
                    if due is not None:
                        await self._close_day(due)
                except (JournalError, OSError) as problem:
                    self._fail("end of day", "REPORT_FAILED", str(problem))
                    self._retry_s = now_s + RETRY_S
            await asyncio.sleep(PERIOD_S)

    async def last(self, stop: asyncio.Event) -> None:
        """Close what there is now, the day that has not rolled included, unless told to stop."""
        work = asyncio.create_task(self._last(), name="last reports")
        stopped = asyncio.create_task(stop.wait(), name="stop")
        await asyncio.wait({work, stopped}, return_when=asyncio.FIRST_COMPLETED)
        for task in (work, stopped):
            task.cancel()
        await asyncio.wait({work, stopped})
        if not work.cancelled():
            work.result()

    async def _last(self) -> None:
        try:
            async with open_book(self._home / DATABASE) as book:
                due = await look(book, self._home, is_over=True)
            await self._close_day(due)
        except (JournalError, OSError) as problem:
            self._fail("end of day", "REPORT_FAILED", str(problem))

    async def _due(self, book: Book, *, again: bool) -> Due | None:
        """Return what is due now, None for nothing new; ``again``: in any case."""
        after, self._looked = self._looked, await book.last_seq()
        days = await book.days(limit=1)
        rolled_seq = days[-1].seq if days else 0
        rolled = rolled_seq > after and days[-1].day > last_closed(self._home)
        if again or rolled or await has_rung(book, max(after, rolled_seq)):
            return await look(book, self._home, is_over=False)
        return None

    async def _close_day(self, due: Due) -> None:
        """Do all that is due; a step that fails keeps no other from being done."""
        all_well = True
        for step in steps(self._home, due, self._wanted):
            all_well = await self._carry_out(step) and all_well
        if due.rolled:
            all_well = await self._back_up(due.present - 1) and all_well
        if due.rolled and all_well:
            self._alerts.pop("end of day", None)
            keep_closed(self._home, due.present - 1)
            self._log.info("day closed", day=day_text(due.present - 1))
            self._reported(due.present - 1)
        now_s = asyncio.get_running_loop().time()
        self._retry_s = 0.0 if all_well else now_s + RETRY_S

    async def _carry_out(self, step: Step) -> bool:
        """Run one command; say whether it is done. A divergence is a result, not a failure."""
        status, said = await _run(step.arguments, self._home)
        if status == ExitCode.OK:
            self._alerts.pop(step.name, None)
        elif step.name == PARITY and status == ExitCode.NO:
            self._fail(step.name, "PARITY_DIFFERS", said or "see the parity report")
        else:
            self._fail(step.name, "REPORT_FAILED", f"{said or 'it said nothing'} (status {status})")
            return False
        return True

    async def _back_up(self, day: int) -> bool:
        if self._backup is None:
            return True
        try:
            await self._backup(day)
        except (FoliodError, OSError) as problem:
            self._fail("backup", "BACKUP_FAILED", str(problem))
            return False
        self._alerts.pop("backup", None)
        return True

    def _fail(self, name: str, code: str, why: str) -> None:
        if name not in self._alerts:
            self._log.error("end of day", step=name, problem=why)
        self._alerts[name] = Alert(code, f"{name}: {why}")


async def _run(arguments: tuple[str, ...], folder: Path) -> tuple[int, str]:
    """Run the program in a process of low priority; return its status and what it said last."""
    command = [sys.executable, "-P", "-m", "daemon.cli.main", "--no-color", *arguments]
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
    except OSError as problem:
        return ExitCode.INTERNAL, str(problem)
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, process.pid, NICENESS)
    try:
        async with asyncio.timeout(LIMIT_S):
            said, _ = await process.communicate()
    except TimeoutError:
        return ExitCode.INTERNAL, f"stopped after {LIMIT_S:g} s"
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    lines = [line for line in said.decode("utf-8", "replace").splitlines() if line.strip()]
    told = [line for line in lines if "difference" in line or line.startswith("foliod:")]
    return process.returncode or 0, (told or lines or [""])[-1][:400]
