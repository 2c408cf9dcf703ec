"""Bars as instants: all that close at one moment, in order, each with the lane it belongs to."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Final, NamedTuple, Protocol

import numpy as np

from adapters.feeds.files.spec import Refused
from adapters.feeds.merge import SeriesFeed, Slice, merge
from daemon.runtime.lane import Lane
from state.bars import Bar

_ROWS: Final = 2_048
"""Bars made into objects at a time."""


class Instant(NamedTuple):
    """What is stepped at ``now_ns``: bars in order of (symbol, interval), most often closing then.

    A bar of a live feed that was filled in late is stepped alone, later than it closed.
    """

    now_ns: int
    bars: list[tuple[Lane, Bar]]


class BarSource(Protocol):
    """Where the bars of a portfolio are kept: files of history, or what a feed has recorded."""

    def keys(self) -> set[tuple[str, int]]:
        """Return the series: (symbol, interval in ns)."""

    def instants(self, lanes: list[Lane], after_ns: int) -> Iterator[Instant]:
        """Yield the instants after ``after_ns``; ``lanes`` are in the order of the sorted keys."""

    def refused(self) -> list[tuple[str, Refused]]:
        """Return (symbol, refused rows) of what was read so far."""


def read_instants(feeds: list[SeriesFeed], lanes: list[Lane], after_ns: int) -> Iterator[Instant]:
    """Yield the instants of some series after ``after_ns``; those before cost no object each."""
    for part in merge(feeds, _ROWS):
        if part.close_ns[-1] <= after_ns:
            continue
        starts, closes, pairs = instants(part, lanes)
        for now_ns, (first, last) in zip(closes, pairwise(starts), strict=True):
            if now_ns > after_ns:
                yield Instant(now_ns, pairs[first:last])


def instants(part: Slice, lanes: list[Lane]) -> tuple[list[int], list[int], list[tuple[Lane, Bar]]]:
    """Return where each instant starts (and the end), the instants, and (lane, bar) of each row."""
    bars = map(
        Bar,
        part.open_ns.tolist(),
        part.close_ns.tolist(),
        part.open.tolist(),
        part.high.tolist(),
        part.low.tolist(),
        part.close.tolist(),
        part.volume.tolist(),
    )
    pairs = list(zip(map(lanes.__getitem__, part.series.tolist()), bars, strict=True))
    changes = np.flatnonzero(np.diff(part.close_ns, prepend=part.close_ns[0] - 1))
    return [*changes.tolist(), len(pairs)], part.close_ns[changes].tolist(), pairs
