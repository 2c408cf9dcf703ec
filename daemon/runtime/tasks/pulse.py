"""The loop's pulse: how late the loop wakes a task that asked for a moment (LIV-2)."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

from adapters.ports import Clock
from state.units import SECOND_NS

PERIOD_S: Final = 0.1
_KEPT: Final = 600


class Pulse:
    """Measures the loop's lag over the last minute."""

    def __init__(self, steady: Clock) -> None:
        """Begin without a measurement."""
        self._steady = steady
        self._late_ns: deque[int] = deque(maxlen=_KEPT)
        self.lag_ms_p99: float | None = None

    async def run(self) -> None:
        """Measure until cancelled."""
        while True:
            asked_ns = self._steady.now_ns() + round(PERIOD_S * SECOND_NS)
            await asyncio.sleep(PERIOD_S)
            self._late_ns.append(max(0, self._steady.now_ns() - asked_ns))
            if len(self._late_ns) % 10 == 0:
                ranked = sorted(self._late_ns)
                self.lag_ms_p99 = round(ranked[(len(ranked) * 99) // 100] / 1e6, 3)
