"""Zones: from wall time to instants, a column at a time, with gaps and folds said out loud.

A wall time in a gap (the hour that spring skips) does not exist and is refused. A wall time in a
fold (the hour that autumn repeats) is resolved by the order of the rows, or refused.
"""

from __future__ import annotations

import bisect
from datetime import datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from adapters.feeds.files.spec import load_zone
from state.units import DAY_NS, SECOND_NS

_DAY_S: Final = 86_400
GAP: Final = "gap"
FOLD: Final = "fold"


class WallClock:
    """One zone's offsets, looked up as far as the rows ask for.

    ``to_utc`` remembers the last instant it gave, because in a fold the order decides.
    """

    def __init__(self, zone: str, interval_ns: int) -> None:
        """Prepare a zone; ``interval_ns`` is the step of the bars, for the rule of folds."""
        self._zone = load_zone(zone)
        self._interval_ns = interval_ns
        self._first_day = 0
        self._last_day = -1
        self._changes: list[int] = []
        self._offsets: list[int] = [0]
        self._previous: int | None = None

    def to_utc(self, wall_ns: NDArray[np.int64]) -> tuple[NDArray[np.int64], dict[int, str]]:
        """Turn wall times (n,) int64, oldest first, into UTC instants.

        Returns the instants and, by position, the rows that have none: ``gap`` or ``fold``. Fold
        rule: of the two instants the earlier one that comes after the row before; when the row
        before is further away than the fold is long, order says nothing and the row is refused.
        """
        if len(wall_ns) == 0:
            return wall_ns, {}
        self._cover(wall_ns)
        change, offset = self._table()
        early = np.searchsorted(change + offset[:-1], wall_ns, "right")
        late = np.searchsorted(change + offset[1:], wall_ns, "right")
        utc = wall_ns - offset[early]
        bad: dict[int, str] = {}
        before = self._previous
        for row in np.flatnonzero(early != late).tolist():
            if row > 0 and row - 1 not in bad:
                before = int(utc[row - 1])
            if early[row] > late[row]:
                bad[row] = GAP
                continue
            chosen = self._resolve(before, int(utc[row]), int(wall_ns[row] - offset[late[row]]))
            if chosen is None:
                bad[row] = FOLD
            else:
                utc[row] = chosen
        self._previous = before if len(utc) - 1 in bad else int(utc[-1])
        return utc, bad

    def _resolve(self, before: int | None, first: int, second: int) -> int | None:
        if before is None:
            return None
        if before < first:
            near = max(second - first, self._interval_ns)
            return first if first - before <= near else None
        if before == first and second - first > self._interval_ns:
            return first
        return second

    def to_wall(self, utc_ns: NDArray[np.int64]) -> NDArray[np.int64]:
        """Turn UTC instants (n,) int64 into wall times of the zone."""
        if len(utc_ns) == 0:
            return utc_ns
        self._cover(utc_ns)
        change, offset = self._table()
        wall: NDArray[np.int64] = utc_ns + offset[np.searchsorted(change, utc_ns, "right")]
        return wall

    def _table(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        return np.array(self._changes, np.int64), np.array(self._offsets, np.int64)

    def _cover(self, at: NDArray[np.int64]) -> None:
        """Learn every change of offset around these times."""
        first_day, last_day = int(at.min()) // DAY_NS - 2, int(at.max()) // DAY_NS + 2
        if self._last_day < self._first_day:
            self._first_day = self._last_day = first_day
            self._offsets = [self._offset_at(first_day * _DAY_S)]
        for day in range(self._last_day, last_day):
            self._probe(day)
            self._last_day = day + 1
        for day in range(self._first_day - 1, first_day - 1, -1):
            self._probe(day)
            self._first_day = day

    def _probe(self, day: int) -> None:
        start, end = day * _DAY_S, (day + 1) * _DAY_S
        before, after = self._offset_at(start), self._offset_at(end)
        if before == after:
            return
        low, high = start, end
        while high - low > 1:
            middle = (low + high) // 2
            if self._offset_at(middle) == before:
                low = middle
            else:
                high = middle
        place = bisect.bisect_left(self._changes, high * SECOND_NS)
        self._changes.insert(place, high * SECOND_NS)
        self._offsets[place] = before
        self._offsets.insert(place + 1, after)

    def _offset_at(self, second: int) -> int:
        offset = datetime.fromtimestamp(second, self._zone).utcoffset()
        return int(offset.total_seconds()) * SECOND_NS if offset else 0
