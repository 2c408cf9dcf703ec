# ruff: noqa: D102, D107 - what the methods do is the protocol's
"""A strategy that stops its whole process at a bar, so that a test can look at a run in the middle.

Only where the environment names a FIFO: it says there that it has come so far, and waits there for
a word that never comes. Anywhere else it does nothing at all.
"""

from __future__ import annotations

import os
from typing import Any

import msgspec

from daemon.core.strategy import Context, Strategy
from state.bars import Bar

FIFO = "PAUSING_FIFO"
AT_BAR = 1500
"""In the demo's first series: a day of its second week."""


class Pausing(Strategy):
    """Never trades; pauses at bar number ``AT_BAR``."""

    def __init__(self, context: Context, params: msgspec.Struct) -> None:
        super().__init__(context, params)
        self._count = 0

    def on_bar(self, bar: Bar, in_window: bool) -> None:
        self._count += 1
        fifo = os.environ.get(FIFO)
        if fifo is not None and self._count == AT_BAR:
            with open(fifo, "w") as file:
                file.write("here\n")
            with open(fifo) as file:
                file.read()

    def state(self) -> dict[str, Any]:
        return {"count": self._count}

    def restore(self, state: dict[str, Any]) -> None:
        self._count = int(state["count"])
