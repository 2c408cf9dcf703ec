"""Merge: order, instants, limits and refusals of the bar stream (F1, Order within one instant)."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator

import numpy as np
import pytest

from adapters.feeds.columns import Columns
from adapters.feeds.merge import SeriesFeed, Slice, batch_rows, merge, series_bytes, series_feeds
from state.errors import FeedError
from state.units import MINUTE_NS


def minutes(opens: list[int], price: float = 1.0) -> Columns:
    """Make flat bars opening at these minutes."""
    flat = np.full(len(opens), price)
    return Columns(np.array(opens, np.int64) * MINUTE_NS, flat, flat, flat, flat, flat)


def feed(symbol: str, *batches: list[int], interval: int = 1) -> SeriesFeed:
    """Make a series of ``interval`` minutes from batches of opening minutes."""
    return SeriesFeed(symbol, interval * MINUTE_NS, iter([minutes(batch) for batch in batches]))


def rows(slices: Iterator[Slice]) -> list[tuple[int, int]]:
    """Return (close minute, series) of every row."""
    return [
        (int(close) // MINUTE_NS, int(series))
        for part in slices
        for close, series in zip(part.close_ns, part.series, strict=True)
    ]


def test_rows_come_by_close_then_symbol_then_interval() -> None:
    """EURUSD 5m closes at minute 5 after EURUSD 1m and before USDJPY 1m."""
    merged = merge(
        [
            feed("USDJPY", [3, 4, 5]),
            feed("EURUSD", [0], interval=5),
            feed("EURUSD", [3, 4, 5]),
        ]
    )
    assert rows(merged) == [(4, 0), (4, 2), (5, 0), (5, 1), (5, 2), (6, 0), (6, 2)]


def test_an_instant_is_never_split_over_slices() -> None:
    """However small the slices, the bars closing at one instant stay together."""
    feeds = [feed(f"S{n}", [0, 1], [2, 3, 4], [5]) for n in range(7)]
    parts = list(merge(feeds, rows=3))
    assert [sorted(set(part.close_ns.tolist())) for part in parts] == [
        [minute * MINUTE_NS] for minute in range(1, 7)
    ]
    assert all(len(part) == 7 for part in parts)


def test_a_slice_holds_about_the_rows_asked_for() -> None:
    """A big batch is passed on in pieces."""
    parts = list(merge([feed("A", list(range(1000))), feed("B", list(range(1000)))], rows=100))
    assert max(len(part) for part in parts) <= 112
    assert sum(len(part) for part in parts) == 2000


def test_one_series_is_passed_on_without_a_copy() -> None:
    """The only series' arrays are the source's."""
    batch = minutes([0, 1, 2])
    (part,) = merge([SeriesFeed("A", MINUTE_NS, iter([batch]))])
    assert part.open is batch.open
    assert part.series.tolist() == [0, 0, 0]


def test_no_series_and_empty_series_make_no_slices() -> None:
    """Nothing in, nothing out."""
    assert list(merge([])) == []
    assert list(merge([feed("A"), feed("B", [])])) == []


@pytest.mark.parametrize("batches", [([0, 2, 1],), ([0, 1], [0]), ([0, 1], [1]), ([0, 0],)])
def test_a_series_going_back_in_time_is_refused(batches: tuple[list[int], ...]) -> None:
    """Within a batch or between two; the message names the series and both instants."""
    with pytest.raises(FeedError, match=r"EURUSD 1m: the bar of 1970-01-01T00:0\d:00Z comes after"):
        list(merge([feed("EURUSD", *batches)]))


def test_a_series_given_twice_is_refused() -> None:
    """Two sources for one series would double its bars."""
    with pytest.raises(FeedError, match="EURUSD 1m is given by two sources"):
        merge([feed("EURUSD", [0]), feed("EURUSD", [1])])


def test_memory_for_batches_is_shared_by_all_series() -> None:
    """A hundred series read in smaller batches than one; no series reads single rows."""
    assert batch_rows(1) == 65_536
    assert 100 * batch_rows(100) * 48 <= 20_000_000
    assert batch_rows(100_000) == 512


def test_one_source_feeds_several_intervals() -> None:
    """A 1m source feeds 1m and 5m engines; each interval opens the source anew."""
    opened = []

    def open_batches() -> Iterator[Columns]:
        opened.append(1)
        return iter([minutes([0, 1, 2]), minutes([3, 4, 5])])

    feeds = series_feeds("EURUSD", MINUTE_NS, [5 * MINUTE_NS, MINUTE_NS, MINUTE_NS], open_batches)
    assert len(opened) == 2
    assert rows(merge(feeds)) == [(1, 0), (2, 0), (3, 0), (4, 0), (5, 0), (5, 1), (6, 0), (10, 1)]


def test_series_bytes_are_the_digest_s_48_bytes_a_bar() -> None:
    """open_ns int64, then open, high, low, close, volume float64, little-endian, per series."""
    one = Columns(*_six(60, 1.1, 1.2, 1.0, 1.15, 7.0))
    two = Columns(*_six(60, 2.1, 2.2, 2.0, 2.15, -np.nan))
    (part,) = merge([SeriesFeed("B", 60, iter([two])), SeriesFeed("A", 60, iter([one]))])
    nan = bytes.fromhex("000000000000f87f")
    assert series_bytes(part, 0, 2) == [
        (0, 1, 60, struct.pack("<q5d", 60, 1.1, 1.2, 1.0, 1.15, 7.0)),
        (1, 1, 60, struct.pack("<q4d", 60, 2.1, 2.2, 2.0, 2.15) + nan),
    ]
    assert series_bytes(part, 1, 2) == series_bytes(part, 0, 2)[1:]
    assert series_bytes(part, 1, 1) == []


def test_bytes_of_ranges_in_a_row_digest_like_the_whole() -> None:
    """A rolling digest does not depend on where the ranges are cut."""
    feeds = [feed("A", list(range(40))), feed("B", list(range(0, 40, 3)))]
    (part,) = merge(feeds)
    whole = {series: hashlib.blake2b(data) for series, _, _, data in series_bytes(part, 0, 54)}
    rolling = {0: hashlib.blake2b(), 1: hashlib.blake2b()}
    for start in range(0, 54, 7):
        for series, _, _, data in series_bytes(part, start, min(54, start + 7)):
            rolling[series].update(data)
    assert {s: h.digest() for s, h in whole.items()} == {s: h.digest() for s, h in rolling.items()}


def _six(open_ns: int, *fields: float) -> tuple[np.ndarray, ...]:
    return (np.array([open_ns], np.int64), *(np.array([field]) for field in fields))
