"""Recorded bars as a portfolio's history: what a live feed delivered, instant by instant (F6).

A record's instant is the one at which the bar was stepped, so that a recovery and a replay step the
same bars at the same instants, in the same order, late ones included.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Final

from adapters.feeds.events import LIVE
from adapters.feeds.files.spec import Refused
from adapters.feeds.recording import RecordedBar, read_segments
from daemon.runtime.instants import Instant
from daemon.runtime.lane import Lane
from state.bars import Bar
from state.errors import FeedError

FOLDER: Final = "recorded"
"""The folder of the recording, in the portfolio's."""

_RECENT: Final = 1500
"""A day of minutes."""

_instant = attrgetter("at_ns")


def tells_of_trading(folder: Path) -> bool:
    """Whether a recording is more than the warm-up of a first start: a live bar, or damage."""
    if not folder.is_dir():
        return False
    try:
        return any(one.provenance == LIVE for one in read_segments(folder))
    except (FeedError, OSError):
        return True


class RecordedBars:
    """The recording of one portfolio.

    ``recent`` has, by symbol, the last bars of the feed's own interval that were read, oldest
    first: what tells a gap, and what the next coarser bar begins with.
    """

    def __init__(self, folder: Path, keys: frozenset[tuple[str, int]], own_ns: int) -> None:
        """Read below ``folder``; bars of other series than ``keys`` are not stepped.

        ``own_ns`` is the feed's own interval.
        """
        self._folder = folder
        self._keys = keys
        self._own_ns = own_ns
        self.recent: dict[str, deque[Bar]] = {}

    def keys(self) -> set[tuple[str, int]]:
        """Return the series."""
        return set(self._keys)

    def instants(self, lanes: list[Lane], after_ns: int) -> Iterator[Instant]:
        """Yield what was stepped after ``after_ns``.

        Raises:
            FeedError: the recording is damaged; says where.
        """
        self.recent.clear()
        by_key = {lane.series.key: lane for lane in lanes}
        for now_ns, rows in groupby(self._rows(), key=_instant):
            bars = [(by_key[(one.symbol, one.interval_ns)], one.bar) for one in rows]
            if now_ns > after_ns:
                yield Instant(now_ns, bars)

    def refused(self) -> list[tuple[str, Refused]]:
        """Return nothing: what a feed refused is journalled as it comes."""
        return []

    def _rows(self) -> Iterator[RecordedBar]:
        if not self._folder.is_dir():
            return
        for row in read_segments(self._folder):
            if row.interval_ns == self._own_ns:
                self.recent.setdefault(row.symbol, deque(maxlen=_RECENT)).append(row.bar)
            if (row.symbol, row.interval_ns) in self._keys:
                yield row
