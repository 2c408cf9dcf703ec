"""The end-of-day alarm: once per trading day, shortly before the day rolls.

It names instants only; what is reported then is not its business.
"""

from __future__ import annotations

from typing import Final

from daemon.core.civil import CivilClock
from state.units import MINUTE_NS

EARLIEST_S: Final = (23 * 60 + 50) * 60
LATEST_S: Final = (23 * 60 + 59) * 60 + 59


class EndOfDayAlarm:
    """Rings at one local time of the portfolio's zone on every trading day."""

    name = "end_of_day"

    def __init__(self, clock: CivilClock, at_s: int) -> None:
        """Take the portfolio's clock and the second of the local day, 23:50:00 to 23:59:59.

        Raises:
            ValueError: the time is outside these ten minutes.
        """
        if not EARLIEST_S <= at_s <= LATEST_S:
            raise ValueError(
                f"end of day is at second {at_s} of the day, "
                f"allowed: {EARLIEST_S} (23:50:00) to {LATEST_S} (23:59:59)"
            )
        self._clock = clock
        self._at_s = at_s

    def next_due_ns(self, now_ns: int) -> int:
        """Return the first instant > ``now_ns`` at which it must ring.

        Of a repeated time the first occurrence rings. On a day that a clock change ends before the
        time it rings one minute before the roll, so that no trading day goes without.
        """
        day = self._clock.day(now_ns)
        while True:
            start_ns, end_ns = self._clock.day_start_ns(day), self._clock.day_start_ns(day + 1)
            due_ns = min(self._clock.instant(day, self._at_s), end_ns - MINUTE_NS)
            if due_ns > now_ns and start_ns < end_ns:
                return due_ns
            day += 1
