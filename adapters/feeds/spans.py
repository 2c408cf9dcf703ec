"""Spans: what a history request may ask for, and how venues write intervals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from state.errors import FeedError
from state.units import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS

_UNITS: Final = ((DAY_NS, "d"), (HOUR_NS, "h"), (MINUTE_NS, "m"), (SECOND_NS, "s"))


def interval_text(interval_ns: int) -> str:
    """Write an interval as people do: ``5m``, ``1h``, ``1d``, else in nanoseconds.

    >>> interval_text(300_000_000_000)
    '5m'
    """
    for unit, letter in _UNITS:
        if interval_ns > 0 and interval_ns % unit == 0:
            return f"{interval_ns // unit}{letter}"
    return f"{interval_ns}ns"


def venue_interval(venue: str, intervals: Mapping[int, str], interval_ns: int) -> str:
    """Return the venue's word for an interval.

    Raises:
        FeedError: the venue has no such bars.
    """
    found = intervals.get(interval_ns)
    if found is None:
        raise FeedError(
            f"{venue} has no history of {interval_text(interval_ns)}; "
            f"it has {', '.join(interval_text(one) for one in intervals)}"
        )
    return found


def check_span(venue: str, interval_ns: int, from_ns: int, to_ns: int, most: int) -> None:
    """Refuse a span that is empty or longer than one answer.

    Raises:
        FeedError: it is.
    """
    if to_ns <= from_ns:
        raise FeedError(
            f"{venue}: expected a span of time, found an end that is not after its start"
        )
    bars = -((from_ns - to_ns) // interval_ns)
    if bars > most:
        raise FeedError(f"{venue}: expected at most {most} bars at once, found {bars}")
