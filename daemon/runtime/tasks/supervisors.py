"""The instants that each supervisor waits for, as functions of the portfolio: one task per row.

They only let time pass at the desk. What follows is decided there, in the order of the rules.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from daemon.core.pace import Pace
from daemon.core.timers import Timers
from daemon.runtime.stepper import Stepper
from state.units import NEVER_NS

_OTHERS: Final = frozenset({"end_of_day", "rearm"})


def supervisor_alarms(
    stepper: Stepper, timers: Timers, pace: Pace, now_ns: Callable[[], int]
) -> dict[str, Callable[[], int]]:
    """Return for every supervisor with alarms the function that names its next instant."""
    portfolio = stepper.portfolio

    def pacing_ns() -> int:
        """When entries are allowed again, or the first cooldown is over: the status says so."""
        now = now_ns()
        instants = [one.until_ns for one in pace.cooldowns(portfolio, now)]
        instants.append(pace.next_allowed_ns(portfolio, now))
        return min((one for one in instants if one > now), default=NEVER_NS)

    return {
        "windows": lambda: timers.next_of(lambda kind: kind not in _OTHERS),
        "r_stop": lambda: stepper.day_end_ns,
        "pacing": pacing_ns,
        "drawdown": lambda: timers.next_of(lambda kind: kind == "rearm"),
        "end_of_day": lambda: timers.next_of(lambda kind: kind == "end_of_day"),
    }
