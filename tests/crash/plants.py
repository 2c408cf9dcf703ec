"""Bugs that trading programs have had, planted into a child one at a time; each must be caught.

A plant changes the program in the process that calls it and nowhere else. Beside it stand the
scenario and the kills under which it shows; the same kills without the plant are the control.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from adapters.clock import SystemClock
from adapters.kill_file import KillFile, Order
from daemon.core.calendar import CivilClock
from daemon.core.engine import Engine
from daemon.runtime.dispatch import Dispatch
from daemon.runtime.stepper import Stepper
from state.entries import Entry, HaltSet

FIRST, MIDDLE, LAST, EVERY = "first", "middle", "last", "every"


@dataclass(frozen=True, slots=True)
class Plant:
    """A bug in words, how it is planted, and where it shows: points, and which of their hits."""

    bug: str
    plant: Callable[[], None]
    scenario: str
    kills: Sequence[tuple[str, str]]


def replace(owner: object, name: str, value: object) -> None:
    """Put ``value`` in the place of something that is there."""
    if not hasattr(owner, name):
        raise AttributeError(f"{owner} has no {name} any more: the plant must follow the program")
    setattr(owner, name, value)


def _send_first() -> None:
    async def sending(self: Dispatch, now_ns: int) -> None:
        leaving, self._leaving = self._leaving, []
        for effect in leaving:
            await self._carry_out(effect, now_ns)

    replace(Dispatch, "send", sending)


def _r_stop_in_memory() -> None:
    record = Stepper._record

    async def recording(self: Stepper, entries: Sequence[Entry], *, follows: bool = True) -> None:
        rest = []
        for one in entries:
            if isinstance(one, HaltSet) and one.name == "r_stop":
                self.portfolio.halts[one.name] = one
            else:
                rest.append(one)
        if rest:
            await record(self, rest, follows=follows)

    replace(Stepper, "_record", recording)


def _day_of_the_host() -> None:
    day = CivilClock.day
    replace(CivilClock, "day", lambda self, _: day(self, SystemClock().now_ns()))


def _forget_engines() -> None:
    replace(Engine, "restore", lambda self, state: None)


def _kill_by_exists() -> None:
    def found(self: KillFile) -> Order | None:
        return Order("halt", "it is there") if os.path.exists(self._path) else None

    replace(KillFile, "_found", found)


PLANTS = {
    "send first": Plant(
        "an order goes out before its intent is durable",
        _send_first,
        "entries and exits",
        [("writer.begun", EVERY)],
    ),
    "R-stop in memory": Plant(
        "an R-stop is remembered, not journalled",
        _r_stop_in_memory,
        "R-stop",
        [("instant.concluded", MIDDLE)],
    ),
    "host's day": Plant(
        "the trading day is that of the host's clock",
        _day_of_the_host,
        "over night",
        [("instant.concluded", MIDDLE)],
    ),
    "forgetful": Plant(
        "recovery forgets what engines know",
        _forget_engines,
        "entries and exits",
        [("instant.concluded", LAST)],
    ),
    "exists": Plant(
        "the kill gate asks os.path.exists",
        _kill_by_exists,
        "control folder",
        [("instant.concluded", MIDDLE)],
    ),
}
"""Name of each planted bug."""
