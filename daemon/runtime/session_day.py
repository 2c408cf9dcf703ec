"""One trading day of a portfolio, from the opening of its first window to the end of its last.

A window belongs to the day on which it starts, in the portfolio's zone; one over midnight is waited
for. A strategy without windows has the whole day.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from daemon.core.calendar import Schedule, Window
from daemon.core.civil import CivilClock


class SessionDay(msgspec.Struct, frozen=True):
    """The day ``day`` (an ordinal in the portfolio's zone).

    Its first window opens at ``opens_ns`` (inclusive), its last one ends at ``closes_ns``
    (exclusive), UTC nanoseconds.
    """

    day: int
    opens_ns: int
    closes_ns: int


def next_day(schedules: Iterable[Schedule], zone: str, from_ns: int) -> SessionDay | None:
    """Return the first day with a window that is open at ``from_ns`` or opens after it.

    None: no window ever opens again.
    """
    clock = CivilClock(zone)
    schedules = list(schedules)
    starts = [
        from_ns if one.is_always else first.start_ns
        for one in schedules
        if (first := _first(one, from_ns)) is not None
    ]
    if not starts:
        return None
    day = clock.day(min(starts))
    end_ns = clock.day_start_ns(day + 1)
    spans = [
        (one.start_ns, one.end_ns)
        for schedule in schedules
        for one in _windows(schedule, from_ns, end_ns)
    ]
    if any(one.is_always for one in schedules):
        spans.append((from_ns, end_ns))
    opens_ns = min(start_ns for start_ns, _ in spans)
    return SessionDay(day, opens_ns, max(end_ns for _, end_ns in spans))


def _first(schedule: Schedule, from_ns: int) -> Window | None:
    return schedule.at(from_ns) or schedule.next_after(from_ns)


def _windows(schedule: Schedule, from_ns: int, end_ns: int) -> Iterator[Window]:
    """Yield the windows that start before ``end_ns`` and end after ``from_ns``."""
    window = None if schedule.is_always else _first(schedule, from_ns)
    while window is not None and window.start_ns < end_ns:
        yield window
        window = schedule.next_after(window.start_ns)
