# ruff: noqa: D102, D107 - what the methods do is the protocol's; what is wrong, the class says
"""Strategies with a planted fault, one each, and an honest one; for the causality check."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from daemon.core.strategy import Context, Strategy
from state.bars import Bar
from state.signals import Signal


def enter(side: int, note: str = "") -> Signal:
    """Return a market entry with a stop one unit away."""
    return Signal(side=side, stop_distance=1.0, note=note)


class Honest(Strategy):
    """Buys when a bar closes above the three before it."""

    def __init__(self, context: Context, params: msgspec.Struct) -> None:
        super().__init__(context, params)
        self._closes: list[float] = []

    def on_bar(self, bar: Bar, in_window: bool) -> Signal | None:
        last = self._closes[-3:]
        self._closes.append(bar.close)
        return enter(1) if len(last) == 3 and bar.close > max(last) and in_window else None

    def state(self) -> dict[str, Any]:
        return {"closes": self._closes[-3:]}

    def restore(self, state: dict[str, Any]) -> None:
        self._closes = list(state["closes"])


class SharedMemory(Honest):
    """Keeps closes in the class: a second instance knows what the first one saw."""

    seen: ClassVar[dict[int, float]] = {}

    def on_bar(self, bar: Bar, in_window: bool) -> Signal | None:
        self.seen[bar.open_ns] = bar.close
        later = self.seen.get(bar.close_ns, -math.inf)
        return enter(1) if later > bar.close else None


class Forgetful(Honest):
    """Leaves its last closes out of its state."""

    def state(self) -> dict[str, Any]:
        return {"closes": []}


class NotJson(Honest):
    """Puts NaN into its state, which JSON cannot carry."""

    def state(self) -> dict[str, Any]:
        return {"closes": [math.nan]}


class Raising(Honest):
    """Raises at the fourth bar."""

    def on_bar(self, bar: Bar, in_window: bool) -> Signal | None:
        if len(self._closes) == 3:
            raise ZeroDivisionError("a range of zero")
        return super().on_bar(bar, in_window)


class Counting(Honest):
    """Decides by how often it was made, not by bars."""

    made: ClassVar[list[int]] = []

    def __init__(self, context: Context, params: msgspec.Struct) -> None:
        super().__init__(context, params)
        self.made.append(1)
        self._turn = len(self.made)

    def on_bar(self, bar: Bar, in_window: bool) -> Signal | None:
        return enter(1, f"instance {self._turn}")


ALL_BARS: list[Bar] = []
"""What ``GlobalPeek`` looks at: a test puts the whole history in."""


class GlobalPeek(Honest):
    """Looks one bar ahead in a list of all bars in its module."""

    def __init__(self, context: Context, params: msgspec.Struct) -> None:
        super().__init__(context, params)
        self._at = 0

    def on_bar(self, bar: Bar, in_window: bool) -> Signal | None:
        self._at += 1
        if self._at >= len(ALL_BARS):
            return None
        return enter(1) if ALL_BARS[self._at].close > bar.close else None

    def state(self) -> dict[str, Any]:
        return {"at": self._at}

    def restore(self, state: dict[str, Any]) -> None:
        self._at = int(state["at"])


class FilePeek(GlobalPeek):
    """Reads the next close from a file, one line a bar, each time anew."""

    path: ClassVar[Path] = Path()

    def on_bar(self, bar: Bar, in_window: bool) -> Signal | None:
        self._at += 1
        lines = self.path.read_text().splitlines()
        if self._at >= len(lines):
            return None
        return enter(1) if float(lines[self._at]) > bar.close else None
