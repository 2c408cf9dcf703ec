"""The date a range strategy lives in: when it ends and when its morning range ends.

For LSG, ORB and ARLS, whose range hours, date and daily reset are in their window's zone.
Nothing here may look at prices.
"""

from __future__ import annotations

from daemon.core.calendar import CivilClock, Schedule, time_text
from state.errors import ConfigError

RANGE_END_S = 7 * 3600
"""Second of the local day at which the 00:00-07:00 range ends (exclusive)."""


class CivilDay:
    """The running date of one strategy, in the zone of its windows.

    ``end_ns`` is the first instant of the next date and ``range_end_ns`` the instant of 07:00 local
    time, both 0 before the first bar. Compare ``open_ns >= end_ns`` and call ``begin`` then.
    """

    __slots__ = ("_clock", "end_ns", "range_end_ns")

    def __init__(self, clock: CivilClock) -> None:
        """Start before the first date."""
        self._clock = clock
        self.end_ns = 0
        self.range_end_ns = 0

    def begin(self, open_ns: int) -> None:
        """Enter the date of a bar that opens at ``open_ns``."""
        clock = self._clock
        self.end_ns = clock.next_day_ns(open_ns)
        self.range_end_ns = clock.instant(clock.day(open_ns), RANGE_END_S)

    def state(self) -> list[int]:
        """Return both instants."""
        return [self.end_ns, self.range_end_ns]

    def restore(self, state: list[int]) -> None:
        """Take back what ``state`` returned."""
        self.end_ns, self.range_end_ns = state


def day_of(schedule: Schedule, kind: str, symbol: str, earliest_s: int) -> CivilDay:
    """Check that the windows are what a range strategy can work with and return its date.

    ``earliest_s`` is the first allowed start, in seconds of the local day.

    Raises:
        ConfigError: there is no window, a window crosses midnight or starts too early, two windows
            share a weekday, or the windows are in different zones; all problems at once.
    """
    problems = _window_problems(schedule, earliest_s)
    if problems:
        raise ConfigError([f"{kind} on {symbol}: {problem}" for problem in problems])
    return CivilDay(schedule.single_zone)


def _window_problems(schedule: Schedule, earliest_s: int) -> list[str]:
    specs = schedule.specs
    if not specs:
        return ["needs a window, found none; give one window a day, e.g. 07:00-10:00 UTC"]
    problems = []
    zones = sorted({spec.zone for spec in specs})
    if len(zones) > 1:
        problems.append(f"windows are in different zones ({', '.join(zones)}); use one zone")
    taken: set[int] = set()
    for spec in specs:
        text = f"window {spec.text()}"
        if spec.end_s < spec.start_s:
            problems.append(f"{text} crosses midnight; this strategy works within one date")
        if spec.start_s < earliest_s:
            problems.append(
                f"{text} starts before the range ends; start at {time_text(earliest_s)} or later"
            )
        if taken & spec.weekdays:
            problems.append(f"{text} is a second window of the same day; keep one a day")
        taken |= spec.weekdays
    return problems
