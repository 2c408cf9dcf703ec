"""The writer in the loop's own thread: the same database code, committed a drawn while later."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

from state.entries import Entry
from state.migrate import Synchronous
from state.soundness import may_pass
from state.writer import (
    _FIRST_PAUSE_S,
    _LONGEST_PAUSE_S,
    Writer,
    _Job,
    _Transaction,
)
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

    def __init__(self, path: Path, synchronous: Synchronous, **options: Any) -> None:  # noqa: ANN401
        """Open the database; the disk needs no sync, no power cut is played here."""
        self._is_due = False
        self._pause_s = _FIRST_PAUSE_S
        self._pending: _Transaction | None = None
        super().__init__(path, synchronous, **options)
        self._connection.execute("PRAGMA synchronous=OFF")

    def _put(self, job: _Job) -> Future[int]:
        future = super()._put(job)
        loop = asyncio._get_running_loop()
        if not isinstance(loop, VirtualLoop) or loop.is_in_thread:
            self._turn()
        else:
            self._come_back(type(self).latency())
        return future

    def _come_back(self, seconds: float) -> None:
        if not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_later(seconds, self._turn)

    def close(self) -> None:
        """As the writer's: a last attempt at what waits for the disk, then the rest."""
        if self._pending is not None:
            self.retry = False
            self._turn()
        super().close()

    def _turn(self) -> None:
        """Do what the writer's thread does between two waits."""
        self._is_due = False
        if self._pending is None:
            if not self._inbox or self._is_closing:
                return
            self._pending = self._prepared(self._take())
        try:
            self._write(self._pending)
        except BaseException as problem:
            self._wait_or_fail(self._pending, problem)
            return
        finally:
            self.steps += 1
        transaction, self._pending = self._pending, None
        self._pause_s, self._in_hand = _FIRST_PAUSE_S, 0
        if self.blocked is not None:
            self.blocked = None
            self._on_unblocked()
        self._acknowledge(transaction)
        if self._inbox:
            self._come_back(type(self).latency())

    def _wait_or_fail(self, transaction: _Transaction, problem: BaseException) -> None:
        if self.retry and isinstance(problem, sqlite3.Error) and may_pass(problem):
            self._roll_back()
            self._block(problem, self._pause_s)
            self._come_back(self._pause_s)
            self._pause_s = min(self._pause_s * 2, _LONGEST_PAUSE_S)
            return
        self._pending = None
        self._fail(transaction.jobs, problem)
        self._connection.close()
        assert isinstance(self._thread, LateThread)
        self._thread.forget()

    def _acknowledge(self, transaction: _Transaction) -> None:
        seq = transaction.seq - sum(len(job.entries) for job in transaction.jobs)
        for job in transaction.jobs:
            for entry in job.entries:
                seq += 1
                type(self).durable(seq, entry)
            job.future.set_result(job.seq)
