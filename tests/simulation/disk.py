"""The writer in the loop's own thread: the same database code, committed a drawn while later."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

from state.entries import Entry
from state.migrate import Synchronous
from state.writer import Writer, _Job
from tests.simulation.loop import VirtualLoop


class LateThread:
    """A thread that does its work when it is joined: by then its owner wants it to end."""

    def __init__(self, target: Callable[[], None], name: str, daemon: bool) -> None:
        """Remember the work."""
        self._work: Callable[[], None] | None = target

    def start(self) -> None:
        """Do nothing yet."""

    def join(self, timeout: float | None = None) -> None:
        """Do the work, once."""
        work, self._work = self._work, None
        if work is not None:
            work()

    def is_alive(self) -> bool:
        """Whether it is still to work."""
        return self._work is not None

    def forget(self) -> None:
        """End it without its work."""
        self._work = None


THREADING = SimpleNamespace(
    Condition=threading.Condition, Lock=threading.Lock, Event=threading.Event, Thread=LateThread
)
"""What a module that has a thread sees in the place of ``threading``."""


class TurnWriter(Writer):
    """Commits in a turn of the loop; at once where no loop is there to wait for it."""

    latency: ClassVar[Callable[[], float]] = lambda: 0.0
    """Seconds until a write that was submitted now is begun."""
    durable: ClassVar[Callable[[int, Entry], None]] = lambda seq, entry: None
    """Told every entry that a commit made durable, in order."""

    def __init__(self, path: Path, synchronous: Synchronous) -> None:
        """Open the database; the disk needs no sync, no power cut is played here."""
        self._is_due = False
        super().__init__(path, synchronous)
        self._connection.execute("PRAGMA synchronous=OFF")

    def _put(self, job: _Job) -> Future[int]:
        future = super()._put(job)
        loop = asyncio._get_running_loop()
        if not isinstance(loop, VirtualLoop) or loop.is_in_thread:
            self._turn()
        elif not self._is_due:
            self._is_due = True
            loop.call_later(type(self).latency(), self._turn)
        return future

    def _turn(self) -> None:
        """Do what the writer's thread does between two waits."""
        self._is_due = False
        if not self._inbox or self._is_closing:
            return
        jobs, seq = self._take(), self.seq
        try:
            self._commit(jobs)
        except BaseException as problem:
            self._fail(jobs, problem)
            self._connection.close()
            assert isinstance(self._thread, LateThread)
            self._thread.forget()
            return
        for job in jobs:
            for entry in job.entries:
                seq += 1
                type(self).durable(seq, entry)
            job.future.set_result(job.seq)
