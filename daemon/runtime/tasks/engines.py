"""One task per engine, each with an inbox for one bar.

Every bar reaches every engine of its series. An instant is handed out as a whole and is over when
every engine has answered, so that what engines decide does not depend on how they are scheduled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Final

from daemon.core.engine import Engine
from daemon.runtime.lane import Lane
from daemon.runtime.stepper import Wish
from daemon.runtime.tasks.begun import Woken
from daemon.runtime.traceback_text import RAISED
from state.bars import Bar

SLICE: Final = 500
"""Engines that are handed a bar before other tasks have a turn."""


class EngineTasks:
    """The tasks of all engines; ``ask`` is the desk's way to them."""

    def __init__(self, engines: Iterable[Engine]) -> None:
        """Make an inbox for each engine; ``start`` makes the tasks."""
        self._tasks = {one.key: _EngineTask(one, self) for one in engines}
        self.wishes: list[Wish] = []
        """What was answered to the bars of this instant, in the order in which it came."""
        self._waiting = 0
        self._all_answered = asyncio.Event()

    def start(self, group: asyncio.TaskGroup) -> list[asyncio.Task[None]]:
        """Start one task per engine in the group and return them."""
        return [
            group.create_task(one.work.run(), name=f"engine {key}")
            for key, one in self._tasks.items()
        ]

    async def ask(self, bars: Sequence[tuple[Lane, Bar]]) -> list[Wish]:
        """Show every bar to its series and to the tasks of its engines; return all answers.

        The order of the answers is that in which they came.
        """
        self.wishes = wishes = list[Wish]()
        handed = 0
        for lane, bar in bars:
            lane.update(bar)
            for engine in lane.engines:
                handed += 1
                self._waiting += 1
                self._tasks[engine.key].hand(bar)
                if handed % SLICE == 0:
                    await asyncio.sleep(0)
        while self._waiting:
            self._all_answered.clear()
            await self._all_answered.wait()
        return wishes

    def answered(self) -> None:
        """Take note that an engine is done with its bar."""
        self._waiting -= 1
        if not self._waiting:
            self._all_answered.set()


class _EngineTask:
    """One engine, its inbox and its task."""

    def __init__(self, engine: Engine, tasks: EngineTasks) -> None:
        self._engine = engine
        self._tasks = tasks
        self._inbox: Bar | None = None
        self.work = Woken(self._answer)

    def hand(self, bar: Bar) -> None:
        self._inbox = bar
        self.work.wake()

    async def _answer(self) -> None:
        bar, self._inbox = self._inbox, None
        if bar is None:
            return
        tasks, engine = self._tasks, self._engine
        try:
            answer = engine.on_bar(bar)
        except RAISED as error:
            tasks.wishes.append((engine, bar, error))
        else:
            if answer is not None:
                tasks.wishes.append((engine, bar, answer))
        tasks.answered()
