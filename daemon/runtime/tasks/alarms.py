"""A supervisor's task: it owns the alarms of one kind and lets the desk ring them when time comes.

With bars coming, the stepper rings what is due on its own; these tasks are for the time in which no
bar comes. Which alarms there are is derived from the portfolio, so a restart forgets none.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from daemon.runtime.tasks.clocks import RunClock


async def alarm_task(
    name: str, next_ns: Callable[[], int], clock: RunClock, ring: Callable[[], Awaitable[object]]
) -> None:
    """Ring whenever the instant that ``next_ns`` names is over, until cancelled."""
    while True:
        await clock.alarm(name, next_ns)
        await ring()
