"""A strategy's traceback in the journal: the same text whoever asked the strategy (REC-5)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from adapters.brokers.paper import Book, PaperFaults
from daemon.core.calendar import Schedule
from daemon.core.engine import Engine
from daemon.core.market import Series
from daemon.core.strategy import Context, NoParams, Strategy
from daemon.runtime.lane import Lane
from daemon.runtime.stepper import Stepper, Wish
from daemon.runtime.tasks.engines import EngineTasks
from daemon.runtime.traceback_text import portable_traceback
from state.bars import Bar
from state.instruments import Grid
from state.units import MINUTE_NS
from tests.builders import bar, eurusd

M5 = 5 * MINUTE_NS


def _zero(count: int) -> float:
    return 1 / count


def _endless(count: int) -> int:
    return _endless(count + 1)


class Raising(Strategy):
    """Raises what it is told to raise, two calls deep."""

    def __init__(self, raises: Callable[[int], Any]) -> None:
        """Take what raises."""
        super().__init__(
            Context("EURUSD", M5, 0.0001, 0.00001, 1e-10, Schedule.always()), NoParams()
        )
        self._raises = raises

    def on_bar(self, bar: Bar, in_window: bool) -> None:
        """Raise."""
        self._raises(0)


def _lane(raises: Callable[[int], Any]) -> Lane:
    grid = Grid(eurusd())
    return Lane(Series(grid, M5), Book(grid, PaperFaults()), [Engine(Raising(raises), "one")])


def _text(wishes: list[Wish]) -> str:
    ((_, _, error),) = wishes
    assert isinstance(error, BaseException)
    return portable_traceback(error)


async def _asked_by_a_task(lane: Lane, one: Bar) -> list[Wish]:
    tasks = EngineTasks(lane.engines)
    async with asyncio.TaskGroup() as group:
        running = tasks.start(group)
        found = await tasks.ask([(lane, one)])
        for task in running:
            task.cancel()
    return found


@pytest.mark.parametrize("raises", [_zero, _endless])
async def test_who_asked_leaves_no_trace(raises: Callable[[int], Any]) -> None:
    """A daemon's engine task, and the recovery that steps the same bar, journal equal bytes."""
    one = bar(0, 1.1, 1.1, 1.1, 1.1)
    stepped = _text(Stepper.ask([(_lane(raises), one)]))
    tasked = _text(await _asked_by_a_task(_lane(raises), one))

    assert tasked == stepped
    assert "on_bar" in stepped
    assert raises.__name__ in stepped
    assert "stepper.py" not in stepped
