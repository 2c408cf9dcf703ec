"""Expected bars: by when the next bar of a series must have come, from its market's hours (F4).

Silence is told from the calendar and the clock alone; pings and heartbeats prove nothing. Pure
functions of time: who watches the clock calls them.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final, Protocol
from zoneinfo import ZoneInfo

from state.holidays import Holidays
from state.units import DAY_NS, EPOCH_ORDINAL, NEVER_NS, utc_ns

_SEARCH_DAYS: Final = 15
"""No market rests longer between two sessions; after that the calendar has ended."""

Session = tuple[int, int]
"""Open (inclusive) and close (exclusive) of one session, UTC nanoseconds."""


class MarketHours(Protocol):
    """When a market is expected to be open."""

    def session_at(self, at_ns: int) -> Session:
        """Return the session that is open at an instant, or else the next one.

        Sessions may touch. After the last one that is known: ``(NEVER_NS, NEVER_NS)``.
        """


class AlwaysOpen:
    """A market that never rests: crypto."""

    def session_at(self, at_ns: int) -> Session:
        """Return all of time."""
        return 0, NEVER_NS


class CivilHours:
    """Sessions in civil time: one on each of some weekdays, without holidays.

    The session of a local day runs from ``start_s`` (inclusive) to ``end_s`` (exclusive), seconds
    of that day in ``zone``; a negative start is on the evening before. ``weekdays``: Monday is 0.
    ``holidays`` takes closed days away and cuts early closes; days it does not know are closed.
    """

    def __init__(
        self,
        zone: str,
        start_s: int,
        end_s: int,
        weekdays: frozenset[int] = frozenset(range(5)),
        holidays: Holidays | None = None,
    ) -> None:
        """Take the hours.

        Raises:
            ValueError: they are none, or longer than a day.
        """
        if not (-86_400 < start_s < end_s <= 86_400 and end_s - start_s <= 86_400):
            raise ValueError(
                f"a session from second {start_s} to {end_s}: expected a start before the end, "
                "within a day of it, and an end of at most 86400"
            )
        if not weekdays or not weekdays <= frozenset(range(7)):
            raise ValueError(f"weekdays {sorted(weekdays)}: expected some of 0 (Monday) to 6")
        self._zone = ZoneInfo(zone)
        self._start_s = start_s
        self._end_s = end_s
        self._weekdays = weekdays
        self._holidays = holidays
        self._day = lru_cache(maxsize=64)(self._session_of)
        self._latest: Session = (0, 0)

    def session_at(self, at_ns: int) -> Session:
        """Return the session that is open at an instant, or else the next one."""
        latest = self._latest
        if latest[0] <= at_ns < latest[1]:
            return latest
        first = at_ns // DAY_NS + EPOCH_ORDINAL - 1
        for day in range(first, first + _SEARCH_DAYS):
            session = self._day(day)
            if session is not None and session[1] > at_ns:
                self._latest = session
                return session
        return NEVER_NS, NEVER_NS

    def _session_of(self, day: int) -> Session | None:
        """Return the session of one local day, a proleptic ordinal."""
        end_s = self._end_s
        if (day + 6) % 7 not in self._weekdays:
            return None
        if self._holidays is not None:
            if self._holidays.is_closed(day):
                return None
            end_s = min(end_s, self._holidays.early_close.get(day, end_s))
        opens, closes = self._instant(day, self._start_s), self._instant(day, end_s)
        return (opens, closes) if opens < closes else None

    def _instant(self, day: int, second: int) -> int:
        midnight = datetime.combine(date.fromordinal(day), datetime.min.time())
        local = (midnight + timedelta(seconds=second)).replace(tzinfo=self._zone)
        return utc_ns(local.astimezone(UTC))


def fx_hours() -> CivilHours:
    """Return the week of currencies: Sunday 17:00 to Friday 17:00, New York time."""
    return CivilHours("America/New_York", -7 * 3600, 17 * 3600)


def exchange_hours(holidays: Holidays, start_s: int, end_s: int) -> CivilHours:
    """Return the regular sessions of an exchange by its calendar.

    ``start_s`` and ``end_s`` are seconds of the local day in the calendar's zone; a calendar whose
    sessions begin on the evening before says so itself.
    """
    week = frozenset(range(7))
    start_s = holidays.session_start_s or start_s
    return CivilHours(holidays.zone, start_s, end_s, week, holidays)


def is_open(hours: MarketHours, at_ns: int) -> bool:
    """Whether the market is expected to be open at an instant."""
    return hours.session_at(at_ns)[0] <= at_ns


def next_bar_ns(hours: MarketHours, after_ns: int, interval_ns: int) -> int:
    """Return when the first interval opens, at or after ``after_ns``, that should have a bar.

    Intervals are counted from 00:00 UTC; one in which the market opens counts. NEVER_NS when the
    market is not known to open again.
    """
    start_ns = -(-after_ns // interval_ns) * interval_ns
    opens_ns = hours.session_at(start_ns)[0]
    if opens_ns >= NEVER_NS:
        return NEVER_NS
    return max(start_ns, opens_ns - opens_ns % interval_ns)


def expected_by_ns(hours: MarketHours, after_ns: int, interval_ns: int, grace_ns: int) -> int:
    """Return the instant by which the next bar must have come: its interval's end and a grace.

    ``after_ns`` is the close of the last bar, or when watching began. Without a bar the series is
    stale *from* that instant on. NEVER_NS when the market is not known to open again.
    """
    opens_ns = next_bar_ns(hours, after_ns, interval_ns)
    return NEVER_NS if opens_ns >= NEVER_NS else opens_ns + interval_ns + grace_ns


def has_missing(hours: MarketHours, from_ns: int, to_ns: int, interval_ns: int) -> bool:
    """Whether a bar should have been between the end of one bar and the open of another."""
    return next_bar_ns(hours, from_ns, interval_ns) < to_ns


def silence_ends_ns(hours: MarketHours, since_ns: int, patience_ns: int) -> int:
    """Return the instant at which an open market has been silent for ``patience_ns``.

    Time in which the market is closed does not count. NEVER_NS when it will not open so long.
    """
    at_ns, left_ns = since_ns, patience_ns
    for _ in range(_SEARCH_DAYS):
        opens_ns, closes_ns = hours.session_at(at_ns)
        if opens_ns >= NEVER_NS:
            break
        begins_ns = max(at_ns, opens_ns)
        if begins_ns + left_ns <= closes_ns:
            return begins_ns + left_ns
        left_ns -= closes_ns - begins_ns
        at_ns = closes_ns
    return NEVER_NS
