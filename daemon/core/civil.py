"""Civil clocks: the one place where local times become UTC instants.

A local time of day means the *first* instant at which the zone's clock reads that time or later.
So a time inside a DST gap is the first instant that exists, and a time inside a fold is its first
occurrence. Everything after that is integer arithmetic in UTC. This module reads no clock.
"""

from __future__ import annotations

from bisect import bisect_right
from datetime import datetime
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from state.units import DAY_NS, EPOCH_ORDINAL, HOUR_NS, SECOND_NS

DAY_S: Final = 86_400
"""24:00 as a second of the local day."""

_CHUNK_DAYS: Final = 512
_CHUNK_NS: Final = _CHUNK_DAYS * DAY_NS
_FAR_NS: Final = 36 * HOUR_NS
"""Longer than any UTC offset: a clock this long before an instant surely reads less."""


def _offset_at(zone: ZoneInfo, second: int) -> int:
    offset = datetime.fromtimestamp(second, zone).utcoffset()
    if offset is None:  # pragma: no cover - a ZoneInfo always knows its offset
        raise ValueError(f"zone {zone.key} has no offset")
    return offset.days * DAY_S + offset.seconds


@lru_cache(maxsize=512)
def offset_pieces(zone: str, chunk: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return (starts, offsets) in ns of the pieces of constant UTC offset in one 512-day chunk.

    ``starts`` ascend and begin with the chunk's own start, ``chunk * 512`` days after 1970. Two
    changes within one UTC day would be taken for one; no zone has had such since 1970.
    """
    tz = ZoneInfo(zone)
    first = chunk * _CHUNK_DAYS * DAY_S
    starts, offsets = [first], [_offset_at(tz, first)]
    for at in range(first + DAY_S, first + (_CHUNK_DAYS + 1) * DAY_S, DAY_S):
        offset = _offset_at(tz, at)
        if offset == offsets[-1]:
            continue
        before, after = at - DAY_S, at
        while after - before > 1:
            middle = (before + after) // 2
            if _offset_at(tz, middle) == offsets[-1]:
                before = middle
            else:
                after = middle
        starts.append(after)
        offsets.append(offset)
    return tuple(s * SECOND_NS for s in starts), tuple(o * SECOND_NS for o in offsets)


def _piece(zone: str, ns: int) -> tuple[int, int, int]:
    """Return (start, end, offset) in ns of a piece of constant offset around an instant."""
    chunk = ns // _CHUNK_NS
    starts, offsets = offset_pieces(zone, chunk)
    index = bisect_right(starts, ns) - 1
    end = starts[index + 1] if index + 1 < len(starts) else (chunk + 1) * _CHUNK_NS
    return starts[index], end, offsets[index]


class CivilClock:
    """Local dates and times of one IANA zone, for instants asked mostly in time order.

    A local day is [first instant at or after its midnight, the same of the next day), so days
    never go back, whatever the clock on the wall does.
    """

    __slots__ = ("_day", "_day_hi", "_day_lo", "_hi", "_lo", "_offset", "zone")

    def __init__(self, zone: str) -> None:
        """Open the zone.

        Raises:
            ValueError: the zone is not an IANA name that this machine knows.
        """
        try:
            ZoneInfo(zone)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError(
                f"unknown time zone {zone!r}; use a name like Europe/London"
            ) from error
        self.zone = zone
        self._lo = self._hi = self._offset = 0
        self._day_lo = self._day_hi = self._day = 0

    def offset_ns(self, ns: int) -> int:
        """Return local time minus UTC at this instant, in nanoseconds."""
        if not self._lo <= ns < self._hi:
            self._lo, self._hi, self._offset = _piece(self.zone, ns)
        return self._offset

    def day(self, ns: int) -> int:
        """Return the ordinal of the local date at this instant."""
        if self._day_lo <= ns < self._day_hi:
            return self._day
        day = (ns + self.offset_ns(ns)) // DAY_NS + EPOCH_ORDINAL
        end_ns = self.day_start_ns(day + 1)
        if ns >= end_ns:  # a fold took the clock back over midnight: the new day has begun
            day += 1
            end_ns = self.day_start_ns(day + 1)
        self._day_lo, self._day_hi, self._day = self.day_start_ns(day), end_ns, day
        return day

    def second(self, ns: int) -> int:
        """Return the whole second of the local day that the clock shows (0 to 86399)."""
        return (ns + self.offset_ns(ns)) // SECOND_NS % DAY_S

    def day_start_ns(self, day: int) -> int:
        """Return the first instant of this local day (01:00 where DST skips midnight)."""
        return self.instant(day, 0)

    def next_day_ns(self, ns: int) -> int:
        """Return the first instant of the local day after the one at this instant."""
        if not self._day_lo <= ns < self._day_hi:
            self.day(ns)
        return self._day_hi

    def instant(self, day: int, second: int) -> int:
        """Return the first instant at which the clock reads this second of this day, or later.

        ``second`` may be negative or 86400 and more: it then belongs to a neighbouring day.
        """
        local_ns = (day - EPOCH_ORDINAL) * DAY_NS + second * SECOND_NS
        at_ns = local_ns - _FAR_NS
        while True:
            start_ns, end_ns, offset = _piece(self.zone, at_ns)
            found = max(start_ns, local_ns - offset)
            if found < end_ns:
                return found
            at_ns = end_ns
