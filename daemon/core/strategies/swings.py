"""Swing highs and lows, known two bars late and never before.

Runs over all bars it is given, across days and gaps. Knows nothing of windows or signals.
"""

from __future__ import annotations

import math
from typing import Any

_INF = math.inf


class Swings:
    """Finds swings bar by bar, in constant time.

    Bar i is a swing high if its high is at or above the highs of i-2, i-1, i+1 and i+2, ties
    counting; it exists from the close of bar i+2 on. Lows are mirrored. Source: MISSION, Swings.

    ``new_high`` and ``new_low`` say whether the bar just taken confirmed bar i-2; ``last_high`` and
    ``last_low`` are the prices of the latest confirmed swings, None before the first one.
    """

    __slots__ = (
        "_h1",
        "_h2",
        "_h3",
        "_h4",
        "_l1",
        "_l2",
        "_l3",
        "_l4",
        "_tie",
        "last_high",
        "last_low",
        "new_high",
        "new_low",
    )

    def __init__(self, tie: float) -> None:
        """Start empty; ``tie`` is the tolerance of price comparisons (price units)."""
        self._tie = tie
        # Nothing is a swing beside an infinite neighbour, so the first four bars need no counter.
        self._h1 = self._h2 = self._h3 = self._h4 = _INF
        self._l1 = self._l2 = self._l3 = self._l4 = -_INF
        self.last_high: float | None = None
        self.last_low: float | None = None
        self.new_high = False
        self.new_low = False

    def update(self, high: float, low: float) -> None:
        """Take the next bar; the bar two before it may become a swing."""
        floor = -self._tie
        h1, h2, h3 = self._h1, self._h2, self._h3
        self.new_high = new = (
            h2 - high > floor and h2 - h1 > floor and h2 - h3 > floor and h2 - self._h4 > floor
        )
        if new:
            self.last_high = h2
        self._h4, self._h3, self._h2, self._h1 = h3, h2, h1, high
        l2, l1 = self._l2, self._l1
        self.new_low = (
            low - l2 > floor and l1 - l2 > floor and self._l3 - l2 > floor and self._l4 - l2 > floor
        )
        if self.new_low:
            self.last_low = l2
        self._l4, self._l3, self._l2, self._l1 = self._l3, l2, l1, low

    def state(self) -> dict[str, Any]:
        """Return all that later answers depend on, as JSON values."""
        highs = (self._h1, self._h2, self._h3, self._h4)
        lows = (self._l1, self._l2, self._l3, self._l4)
        return {
            "highs": [x if x < _INF else None for x in highs],
            "lows": [x if x > -_INF else None for x in lows],
            "last_high": self.last_high,
            "last_low": self.last_low,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take back what ``state`` returned."""
        highs = [_INF if x is None else float(x) for x in state["highs"]]
        lows = [-_INF if x is None else float(x) for x in state["lows"]]
        self._h1, self._h2, self._h3, self._h4 = highs
        self._l1, self._l2, self._l3, self._l4 = lows
        last_high, last_low = state["last_high"], state["last_low"]
        self.last_high = None if last_high is None else float(last_high)
        self.last_low = None if last_low is None else float(last_low)
