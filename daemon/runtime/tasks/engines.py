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
from daemon.runtime.traceback_text import RAISED
from state.bars import Bar

SLICE: Final = 500
"""Engines that are handed a bar before other tasks have a turn."""


class EngineTasks:
    """The tasks of all engines; ``ask`` is the router's and the desk's way to them."""

    def __init__(self, engines: Iterable[Engine]) -> None:
        """Make an inbox for each engine; ``start`` makes the tasks."""
        self._inboxes = {one.key: asyncio.Queue[Bar](1) for one in engines}
        self._engines = {one.key: one for one in engines}
        self._wishes: list[Wish] = []
        self._waiting = 0
        self._all_answered = asyncio.Event()

    def start(self, group: asyncio.TaskGroup) -> list[asyncio.Task[None]]:
        """Start one task per engine in the group and return them."""
        return [
            group.create_task(self._engine_task(engine, self._inboxes[key]), name=f"engine {key}")
            for key, engine in self._engines.items()
        ]

    async def ask(self, bars: Sequence[tuple[Lane, Bar]]) -> list[Wish]:
        """Show every bar to its series and to the tasks of its engines; return all answers.

        The order of the answers is that in which they came.
        """
        wishes: list[Wish] = []
        self._wishes = wishes
        self._all_answered.clear()
        self._waiting = 1  # this call itself, until everybody has a bar
        for lane, bar in bars:
            lane.update(bar)
            for engine in lane.engines:
                self._waiting += 1
                self._inboxes[engine.key].put_nowait(bar)
                if self._waiting % SLICE == 0:
                    await asyncio.sleep(0)
        self._count_down()
        await self._all_answered.wait()
        return wishes

    async def _engine_task(self, engine: Engine, inbox: asyncio.Queue[Bar]) -> None:
        while True:
            bar = await inbox.get()
            try:
                answer = engine.on_bar(bar)
            except RAISED as error:
                self._wishes.append((engine, bar, error))
            else:
                if answer is not None:
                    self._wishes.append((engine, bar, answer))
            self._count_down()

    def _count_down(self) -> None:
        self._waiting -= 1
        if not self._waiting:
            self._all_answered.set()
