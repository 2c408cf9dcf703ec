"""Merge: the bars of many series as one stream in time order.

Each round passes on all bars up to a horizon that every series has been read to, so that all bars
closing at one instant are always in one slice, however the sources cut their batches. It never
looks at a single row from Python, holds a bounded number of rows, and changes no bar.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from adapters.feeds.columns import Columns
from adapters.feeds.resample import interval_text, resample
from state.errors import FeedError
from state.units import NEVER_NS, utc_text

_ROWS_IN_BUFFERS = 204_800
"""Rows that the batches of all series hold together: 10 MB of columns."""


@dataclass(frozen=True, slots=True)
class SeriesFeed:
    """The bars of one symbol at one interval; ``batches`` is read once, as the merge needs it."""

    symbol: str
    interval_ns: int
    batches: Iterator[Columns]


@dataclass(frozen=True, slots=True)
class Slice:
    """Bars of all series over a stretch of time, sorted by (close_ns, symbol, interval).

    Every array has one length n and must not be written to: ``close_ns`` and ``open_ns`` are int64
    UTC nanoseconds (the interval's end, exclusive, and its start); ``series`` is int32, the index
    into the feeds sorted by (symbol, interval_ns); prices and ``volume`` are float64 as in Columns.
    """

    close_ns: NDArray[np.int64]
    series: NDArray[np.int32]
    open_ns: NDArray[np.int64]
    open: NDArray[np.float64]
    high: NDArray[np.float64]
    low: NDArray[np.float64]
    close: NDArray[np.float64]
    volume: NDArray[np.float64]

    def __len__(self) -> int:
        """Return the number of bars."""
        return len(self.close_ns)


def batch_rows(series: int) -> int:
    """Return how many rows a source should read at a time, so that memory is flat in series.

    >>> batch_rows(1), batch_rows(100)
    (65536, 2048)
    """
    return max(512, min(65_536, _ROWS_IN_BUFFERS // max(1, series)))


def series_feeds(
    symbol: str,
    source_interval_ns: int,
    intervals_ns: Iterable[int],
    open_batches: Callable[[], Iterable[Columns]],
) -> list[SeriesFeed]:
    """Feed several intervals of one symbol from one source, finest first.

    The source is opened once per distinct interval (``open_batches`` must give a fresh, equal
    stream each time): reading twice is cheap, holding a file's rows until the slower reader has
    caught up is not.

    Raises:
        FeedError: an interval cannot be made from the source's.
    """
    return [
        SeriesFeed(symbol, interval, resample(open_batches(), source_interval_ns, interval))
        for interval in sorted(set(intervals_ns))
    ]


def merge(feeds: Sequence[SeriesFeed], rows: int = 65_536) -> Iterator[Slice]:
    """Merge series into slices of about ``rows`` bars in (close_ns, symbol, interval) order.

    All bars closing at one instant are in one slice. A slice holds at most ``rows`` and an eighth
    more, except when a single instant has more bars than that. The bars of all slices in a row
    depend on the bars of the feeds only, not on how those were cut into batches.

    Raises:
        ValueError: ``rows`` is not positive.
        FeedError: at once, when a series is given twice; while merging, when the bars of a series
            go back in time or repeat an instant.
    """
    if rows < 1:
        raise ValueError(f"rows must be at least 1, not {rows}")
    ordered = sorted(feeds, key=lambda feed: (feed.symbol, feed.interval_ns))
    for one, other in pairwise(ordered):
        if (one.symbol, one.interval_ns) == (other.symbol, other.interval_ns):
            raise FeedError(
                f"{one.symbol} {interval_text(one.interval_ns)} is given by two sources; "
                "keep one of them"
            )
    return _slices(ordered, rows)


class _Buffer:
    """What was read of one series and not passed on yet: the rows of ``bars`` from ``start``."""

    __slots__ = ("_batches", "_feed", "bars", "close_ns", "ended", "start")

    def __init__(self, feed: SeriesFeed) -> None:
        self._feed = feed
        self._batches = iter(feed.batches)
        none = np.empty(0, np.float64)
        self.bars = Columns(np.empty(0, np.int64), none, none, none, none, none)
        self.close_ns = self.bars.open_ns
        self.start = 0
        self.ended = False

    def fill(self, low_water: int) -> None:
        """Read until ``low_water`` rows wait or the source has ended."""
        waiting = len(self.close_ns) - self.start
        if self.ended or waiting >= low_water:
            return
        last = int(self.bars.open_ns[-1]) if len(self.bars) else -NEVER_NS
        pieces = [self.rows(self.start, len(self.close_ns))] if waiting else []
        while waiting < low_water:
            batch = next(self._batches, None)
            if batch is None:
                self.ended = True
                break
            if len(batch):
                last = self._check(batch, last)
                pieces.append(batch)
                waiting += len(batch)
        self.bars = _joined(pieces) if pieces else self.rows(0, 0)
        self.close_ns = self.bars.open_ns + self._feed.interval_ns
        self.start = 0

    def rows(self, start: int, stop: int) -> Columns:
        """Return the rows ``[start, stop)`` of the buffer as views."""
        bars = self.bars
        if start == 0 and stop == len(bars):
            return bars
        return Columns(
            bars.open_ns[start:stop],
            bars.open[start:stop],
            bars.high[start:stop],
            bars.low[start:stop],
            bars.close[start:stop],
            bars.volume[start:stop],
        )

    def _check(self, batch: Columns, last: int) -> int:
        """Return the last open of the batch when all its opens come after ``last``, in order."""
        opens = batch.open_ns
        if int(opens[0]) > last and bool((opens[1:] > opens[:-1]).all()):
            return int(opens[-1])
        if int(opens[0]) > last:
            at = int(np.flatnonzero(opens[1:] <= opens[:-1])[0])
            last, found = int(opens[at]), int(opens[at + 1])
        else:
            found = int(opens[0])
        raise FeedError(
            f"{self._feed.symbol} {interval_text(self._feed.interval_ns)}: the bar of "
            f"{utc_text(found)} comes after the bar of {utc_text(last)}; bars must be in time "
            "order, each later than the one before: sort the source and remove duplicates"
        )


def _joined(pieces: list[Columns]) -> Columns:
    """Return one batch out of several; a single one is not copied."""
    if len(pieces) == 1:
        return pieces[0]
    return Columns(
        np.concatenate([piece.open_ns for piece in pieces]),
        np.concatenate([piece.open for piece in pieces]),
        np.concatenate([piece.high for piece in pieces]),
        np.concatenate([piece.low for piece in pieces]),
        np.concatenate([piece.close for piece in pieces]),
        np.concatenate([piece.volume for piece in pieces]),
    )


def _slices(feeds: list[SeriesFeed], rows: int) -> Iterator[Slice]:
    """Fill, choose a horizon, pass on; only series with bars before the horizon are touched."""
    buffers = [_Buffer(feed) for feed in feeds]
    low_water = max(1, rows // (2 * len(buffers))) if buffers else 1
    first = np.full(len(buffers), NEVER_NS, np.int64)  # close of the next bar, NEVER: none left
    reach = np.full(len(buffers), NEVER_NS, np.int64)  # read to here; NEVER: to the end
    touched = list(range(len(buffers)))
    while True:
        for index in touched:
            buffer = buffers[index]
            buffer.fill(low_water)
            closes = buffer.close_ns
            first[index] = closes[buffer.start] if buffer.start < len(closes) else NEVER_NS
            reach[index] = NEVER_NS if buffer.ended else closes[-1]
        if not len(first) or int(first.min()) == NEVER_NS:
            return
        touched, stops = _reach(buffers, first, reach, rows)
        pieces = []
        for index, stop in zip(touched, stops, strict=True):
            buffer = buffers[index]
            pieces.append((buffer.rows(buffer.start, stop), buffer.close_ns[buffer.start : stop]))
            buffer.start = stop
        yield _sorted(touched, pieces)


def _reach(
    buffers: list[_Buffer], first: NDArray[np.int64], reach: NDArray[np.int64], rows: int
) -> tuple[list[int], list[int]]:
    """Return the series with bars up to the next horizon, and where each one's rows stop.

    The horizon is as late as all series were read to; while that makes too many rows, it moves
    towards the first instant in proportion, and it ends there at the latest.
    """
    start = int(first.min())
    bound = min(int(reach.min()), NEVER_NS - 1)
    touched = np.flatnonzero(first <= bound).tolist()
    horizon = min(bound, max(int(buffers[index].close_ns[-1]) for index in touched))
    while True:
        stops = [int(buffers[i].close_ns.searchsorted(horizon, "right")) for i in touched]
        total = sum(stops) - sum(buffers[index].start for index in touched)
        if total <= rows + rows // 8 or horizon == start:
            break
        horizon = start + (horizon - start) * rows // total
    kept = [(i, stop) for i, stop in zip(touched, stops, strict=True) if stop > buffers[i].start]
    return [index for index, _ in kept], [stop for _, stop in kept]


def _sorted(series: list[int], pieces: list[tuple[Columns, NDArray[np.int64]]]) -> Slice:
    """Put the rows of several series in order; those of a single one are passed on as views.

    The pieces stand in the order of (symbol, interval), so a stable sort by close is the order
    wanted.
    """
    bars = [piece for piece, _ in pieces]
    if len(pieces) == 1:
        only, closes = pieces[0]
        index = np.full(len(only), series[0], np.int32)
        return Slice(
            closes, index, only.open_ns, only.open, only.high, only.low, only.close, only.volume
        )
    close_ns = np.concatenate([closes for _, closes in pieces])
    order = np.argsort(close_ns, kind="stable")
    joined = _joined(bars)
    return Slice(
        close_ns[order],
        np.repeat(np.array(series, np.int32), [len(piece) for piece in bars])[order],
        joined.open_ns[order],
        joined.open[order],
        joined.high[order],
        joined.low[order],
        joined.close[order],
        joined.volume[order],
    )


def series_bytes(bars: Slice, start: int, stop: int) -> list[tuple[int, int, int, bytes]]:
    """Return the rows ``[start, stop)`` of a slice as canonical bytes, one item per series.

    An item is (series, count, last_open_ns, bytes): 48 bytes a bar in time order, open_ns as int64,
    then open, high, low, close, volume as float64, little-endian; every NaN is the one quiet NaN,
    so that equal bars have equal bytes everywhere. Series are in ascending order.

    Source: ``state.entries.BarsConsumed``.
    """
    if stop <= start:
        return []
    part = slice(start, stop)
    series = bars.series[part]
    volume = bars.volume[part]
    columns = [
        bars.open_ns[part],
        *(a[part].view(np.int64) for a in (bars.open, bars.high, bars.low, bars.close)),
        np.where(np.isnan(volume), np.nan, volume).view(np.int64),
    ]
    ends = np.array([stop - start])
    if series[0] != series[-1] or (series != series[0]).any():
        # Two bytes sort by radix, in linear time; more series than that fall back to a merge sort.
        key = series.astype(np.uint16) if int(series.max()) < 65_536 else series
        order = np.argsort(key, kind="stable")
        columns = [column[order] for column in columns]
        series = series[order]
        ends = np.append(np.flatnonzero(series[1:] != series[:-1]) + 1, len(series))
    table = np.empty((len(series), 6), "<i8")
    for position, column in enumerate(columns):
        table[:, position] = column
    items = []
    begin = 0
    for end in ends.tolist():
        rows = table[begin:end]
        items.append((int(series[begin]), end - begin, int(rows[-1, 0]), rows.tobytes()))
        begin = end
    return items
