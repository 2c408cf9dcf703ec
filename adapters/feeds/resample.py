"""Resample: coarser bars out of finer ones, a batch at a time.

Streams with a carry of one unfinished bar, so the result does not depend on how the batches were
cut. It judges no prices and invents no bar: a bucket without a finer bar stays empty.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from adapters.feeds.columns import Columns
from adapters.feeds.spans import interval_text as interval_text  # its readers find it here too
from state.errors import FeedError
from state.units import DAY_NS


def resample(
    batches: Iterable[Columns], source_interval_ns: int, target_interval_ns: int
) -> Iterator[Columns]:
    """Make bars of ``target_interval_ns`` from bars of ``source_interval_ns``.

    A coarser bar is made of the finer bars *opening* in its bucket, complete or not; buckets are
    counted from 00:00 UTC and ``open_ns`` becomes the bucket's start, so that the bar closes at the
    bucket's end. Open is the first, close the last, high and low are true extremes; volume is the
    sum, in time order, of the volumes that are numbers, and NaN when none is. Equal intervals pass
    through untouched.

    Raises:
        FeedError: at once, when the target is not a multiple of the source or does not divide a
            day.

    Source: MISSION, Bars.
    """
    if source_interval_ns <= 0 or target_interval_ns % source_interval_ns or not target_interval_ns:
        raise FeedError(
            f"bars of {interval_text(source_interval_ns)} cannot become bars of "
            f"{interval_text(target_interval_ns)}: the coarser interval must be a multiple of "
            f"{interval_text(source_interval_ns)}; choose one, or give a source of finer bars"
        )
    if source_interval_ns == target_interval_ns:
        return iter(batches)
    if DAY_NS % target_interval_ns:
        raise FeedError(
            f"bars of {interval_text(target_interval_ns)} do not fit evenly between 00:00 and "
            "24:00 UTC, where buckets are counted; choose an interval that divides a day, such as "
            "5m, 15m, 1h or 1d"
        )
    return _coarser(batches, target_interval_ns)


def _coarser(batches: Iterable[Columns], target_ns: int) -> Iterator[Columns]:
    """Yield finished bars of each batch; the last one waits for its bucket to end."""
    carry: Columns | None = None
    for batch in batches:
        if not len(batch):
            continue
        bars = _reduce(batch, target_ns, carry)
        carry = _rows(bars, len(bars) - 1, len(bars), copy=True)
        if len(bars) > 1:
            yield _rows(bars, 0, len(bars) - 1)
    if carry is not None:
        yield carry


def _reduce(batch: Columns, target_ns: int, carry: Columns | None) -> Columns:
    """Make one bar per bucket of the batch; ``carry`` is the bar left unfinished before it."""
    bucket = batch.open_ns // target_ns
    is_first = np.empty(len(bucket), np.bool_)
    is_first[0] = True
    np.not_equal(bucket[1:], bucket[:-1], out=is_first[1:])
    starts = np.flatnonzero(is_first)
    continues = carry is not None and int(carry.open_ns[0]) == int(bucket[0]) * target_ns
    carried = carry if continues else None
    bars = Columns(
        bucket[starts] * target_ns,
        batch.open[starts],
        np.maximum.reduceat(batch.high, starts),
        np.minimum.reduceat(batch.low, starts),
        batch.close[np.append(starts[1:], len(bucket)) - 1],
        _volumes(batch.volume, is_first, carried),
    )
    if carried is not None:
        bars.open[0] = carried.open[0]
        bars.high[0] = max(bars.high[0], carried.high[0])
        bars.low[0] = min(bars.low[0], carried.low[0])
    elif carry is not None:
        pairs = zip(_fields(carry), _fields(bars), strict=True)
        return Columns(*(np.concatenate(pair) for pair in pairs))
    return bars


def _volumes(
    volume: NDArray[np.float64], is_first: NDArray[np.bool_], carried: Columns | None
) -> NDArray[np.float64]:
    """Sum the volumes of each bucket in time order, leaving NaN out; NaN where all are NaN.

    ``bincount`` adds strictly left to right, so a sum that continues from ``carried`` has the same
    last bit as one that was never cut; pairwise sums have not.
    """
    index = np.cumsum(is_first) - 1
    is_number = ~np.isnan(volume)
    addend = np.where(is_number, volume, 0.0)
    if carried is not None and not np.isnan(carried.volume[0]):
        addend[0] += carried.volume[0]
        is_number[0] = True
    sums = np.asarray(np.bincount(index, weights=addend), np.float64)
    if not is_number.all():
        sums[np.bincount(index, weights=is_number) == 0] = np.nan
    return sums


def _fields(bars: Columns) -> tuple[NDArray[np.generic], ...]:
    """Return the six arrays in the order of the fields."""
    return (bars.open_ns, bars.open, bars.high, bars.low, bars.close, bars.volume)


def _rows(bars: Columns, start: int, stop: int, *, copy: bool = False) -> Columns:
    """Return the bars ``[start, stop)``; a copy lets go of the arrays behind them."""
    arrays = (array[start:stop] for array in _fields(bars))
    return Columns(*(array.copy() if copy else array for array in arrays))  # type: ignore[arg-type]
