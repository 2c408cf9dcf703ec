"""The bar stream against slow references.

Invariants: resample equals a loop over rows; merge equals sorted(); neither depends on how the
batches are cut; an instant is in one slice.
"""

from __future__ import annotations

import math
import random  # noqa: TID251 - hypothesis seeds it
from collections.abc import Iterator

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.feeds.columns import Columns
from adapters.feeds.merge import SeriesFeed, merge, series_bytes
from adapters.feeds.resample import resample
from state.units import MINUTE_NS

Row = tuple[int, float, float, float, float, float]


@st.composite
def series(draw: st.DrawFn, most: int = 60) -> list[Row]:
    """Draw bars of one series: opens strictly increasing in minutes, with gaps."""
    opens = draw(st.sets(st.integers(0, 400), max_size=most))
    chance = draw(st.randoms(use_true_random=False))
    return [_row(minute * MINUTE_NS, chance) for minute in sorted(opens)]


def _row(open_ns: int, chance: random.Random) -> Row:
    open_, close = chance.uniform(1, 2), chance.uniform(1, 2)
    volume = chance.choice([math.nan, chance.uniform(0, 9), chance.uniform(0, 1e9)])
    return (open_ns, open_, max(open_, close) + 0.1, min(open_, close) - 0.1, close, volume)


def cut(rows: list[Row], sizes: list[int]) -> Iterator[Columns]:
    """Yield the rows in batches of these sizes, the rest in one."""
    for size in [*sizes, len(rows)]:
        part, rows = rows[:size], rows[size:]
        table = np.array(part, np.float64).reshape(-1, 6)
        opens = np.array([row[0] for row in part], np.int64)
        yield Columns(opens, *(table[:, field].copy() for field in range(1, 6)))


def uncut(batches: Iterator[Columns]) -> list[str]:
    """Return all rows as text: NaN equal to NaN, every bit of a float shown."""
    return [
        repr(tuple(float(value) for value in row))
        for part in batches
        for row in zip(
            part.open_ns, part.open, part.high, part.low, part.close, part.volume, strict=True
        )
    ]


def slow_resample(rows: list[Row], target_ns: int) -> list[str]:
    """Resample one row after the other."""
    made: dict[int, list[Row]] = {}
    for row in rows:
        made.setdefault(row[0] - row[0] % target_ns, []).append(row)
    result = []
    for bucket, members in made.items():
        volumes = [row[5] for row in members if not math.isnan(row[5])]
        total = 0.0
        for volume in volumes:
            total += volume
        high, low = max(row[2] for row in members), min(row[3] for row in members)
        bar = (bucket, members[0][1], high, low, members[-1][4], total if volumes else math.nan)
        result.append(repr(tuple(float(value) for value in bar)))
    return result


sizes = st.lists(st.integers(0, 12), max_size=12)


@given(series(), sizes, st.sampled_from([2, 5, 15, 60]))
@settings(deadline=None)
def test_resample_equals_a_loop_over_rows(rows: list[Row], cuts: list[int], minutes: int) -> None:
    """Every bit of every field, the order of summing volume included, for any cut."""
    made = resample(cut(rows, cuts), MINUTE_NS, minutes * MINUTE_NS)
    assert uncut(made) == slow_resample(rows, minutes * MINUTE_NS)


@given(
    st.lists(st.tuples(series(40), sizes, st.sampled_from([1, 5])), max_size=6), st.integers(1, 50)
)
@settings(deadline=None)
def test_merge_equals_sorted(drawn: list[tuple[list[Row], list[int], int]], limit: int) -> None:
    """All rows, in (close, symbol, interval) order, an instant in one slice, for any cut."""
    feeds = []
    expected = []
    for index, (rows, cuts, minutes) in enumerate(drawn):
        symbol, interval = f"S{index // 2}", (minutes * 10 + index) * MINUTE_NS
        feeds.append(SeriesFeed(symbol, interval, cut(rows, cuts)))
        expected += [(row[0] + interval, symbol, interval, repr(row[1:])) for row in rows]
    keys = sorted((feed.symbol, feed.interval_ns) for feed in feeds)
    found = []
    last = -1
    for part in merge(feeds, limit):
        assert len(part) > 0
        assert part.close_ns[0] > last
        last = int(part.close_ns[-1])
        assert len(part) <= limit + limit // 8 or part.close_ns[0] == last
        for row in range(len(part)):
            symbol, interval = keys[int(part.series[row])]
            columns = (part.open, part.high, part.low, part.close, part.volume)
            values = tuple(float(column[row]) for column in columns)
            assert part.open_ns[row] == part.close_ns[row] - interval
            found.append((int(part.close_ns[row]), symbol, interval, repr(values)))
    assert found == sorted(expected)


@given(st.lists(series(30), min_size=1, max_size=4), sizes, st.integers(1, 40))
@settings(deadline=None)
def test_bytes_per_series_do_not_depend_on_slices(
    drawn: list[list[Row]], cuts: list[int], limit: int
) -> None:
    """The bytes of a series, over all slices, are those of its bars alone."""
    feeds = [SeriesFeed(f"S{n}", MINUTE_NS, cut(rows, cuts)) for n, rows in enumerate(drawn)]
    found = {n: b"" for n in range(len(drawn))}
    for part in merge(feeds, limit):
        for index, count, last_ns, data in series_bytes(part, 0, len(part)):
            found[index] += data
            assert len(data) == 48 * count
            assert last_ns == int.from_bytes(data[-48:-40], "little")
    for n, rows in enumerate(drawn):
        alone = b"".join(
            item[3]
            for part in merge([SeriesFeed("S", MINUTE_NS, cut(rows, []))])
            for item in series_bytes(part, 0, len(part))
        )
        assert found[n] == alone
