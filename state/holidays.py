"""Holidays: when an exchange is closed, flattened from its calendar to plain numbers.

A noun only: how calendars are read belongs to ``adapters.calendars``, what a closed day does to a
window to ``daemon.core.calendar``.
"""

from __future__ import annotations

import msgspec


class Holidays(msgspec.Struct, frozen=True):
    """The closed days and early closes of one exchange.

    Days are proleptic ordinals of the date in ``zone``. ``closed`` holds every day without a
    session, weekends included; ``early_close`` maps a day to the second of its local day at which
    trading ends (exclusive). ``first`` and ``last`` bound what the calendar knows, both inclusive:
    a day outside counts as closed. ``session_start_s`` is the second of the local day at which the
    session of a day begins, zero or negative: -25200 is 17:00 of the day before.
    """

    name: str
    zone: str
    closed: frozenset[int]
    early_close: dict[int, int]
    first: int
    last: int
    session_start_s: int = 0

    def is_closed(self, day: int) -> bool:
        """Say whether there is no session on this day, or the calendar does not know it."""
        return day in self.closed or not self.first <= day <= self.last
