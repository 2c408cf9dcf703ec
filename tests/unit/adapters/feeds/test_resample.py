"""Resample: what a coarser bar is made of (MISSION, Bars)."""

from __future__ import annotations

import math

import numpy as np
import pytest

from adapters.feeds.columns import Columns
from adapters.feeds.resample import interval_text, resample
from state.errors import FeedError
from state.units import DAY_NS, HOUR_NS, MINUTE_NS


def bars(*rows: tuple[float, float, float, float, float, float]) -> Columns:
    """Make 1m bars from (minute, open, high, low, close, volume)."""
    table = np.array(rows, np.float64).reshape(-1, 6)
    return Columns(
        table[:, 0].astype(np.int64) * MINUTE_NS, *(table[:, field].copy() for field in range(1, 6))
    )


def test_a_bucket_takes_first_open_last_close_true_extremes_and_summed_volume() -> None:
    """Minutes 0-4 make one 5m bar stamped with the bucket's start."""
    source = bars((1, 1.10, 1.15, 1.09, 1.11, 3), (2, 1.11, 1.12, 1.05, 1.06, 4))
    (made,) = resample([source], MINUTE_NS, 5 * MINUTE_NS)
    assert made.open_ns.tolist() == [0]
    assert (made.open[0], made.high[0], made.low[0], made.close[0]) == (1.10, 1.15, 1.05, 1.06)
    assert made.volume[0] == 7


def test_an_incomplete_bucket_is_a_bar_and_an_empty_one_is_not() -> None:
    """Minutes 3 and 11 make the bars of 0 and 10; the bucket of 5 has no bar."""
    source = bars((3, 1, 1, 1, 1, 1), (11, 2, 2, 2, 2, 1))
    made = list(resample([source], MINUTE_NS, 5 * MINUTE_NS))
    assert [int(ns) for part in made for ns in part.open_ns] == [0, 10 * MINUTE_NS]


def test_a_bar_split_over_batches_is_one_bar() -> None:
    """The unfinished bar is carried, not passed on twice."""
    parts = [
        bars((0, 1, 3, 1, 2, 1)),
        bars(),
        bars((1, 2, 2, 0.5, 1.5, 2)),
        bars((5, 9, 9, 9, 9, 5)),
    ]
    made = list(resample(parts, MINUTE_NS, 5 * MINUTE_NS))
    assert [len(part) for part in made] == [1, 1]
    assert (made[0].high[0], made[0].low[0], made[0].close[0], made[0].volume[0]) == (
        3,
        0.5,
        1.5,
        3,
    )


def test_volume_leaves_nan_out_and_is_nan_when_no_number_is_there() -> None:
    """A source without volume stays without volume, also across a cut."""
    nan = math.nan
    parts = [
        bars((0, 1, 1, 1, 1, nan), (1, 1, 1, 1, 1, 2), (2, 1, 1, 1, 1, nan), (5, 1, 1, 1, 1, nan)),
        bars((6, 1, 1, 1, 1, nan), (10, 1, 1, 1, 1, nan)),
        bars((11, 1, 1, 1, 1, 4)),
    ]
    volumes = [float(v) for part in resample(parts, MINUTE_NS, 5 * MINUTE_NS) for v in part.volume]
    assert volumes[0] == 2
    assert math.isnan(volumes[1])
    assert volumes[2] == 4


def test_equal_intervals_pass_the_batches_through() -> None:
    """No copy and no change when there is nothing to do."""
    source = bars((0, 1, 1, 1, 1, 1))
    assert next(resample([source], MINUTE_NS, MINUTE_NS)) is source


@pytest.mark.parametrize(
    ("source_ns", "target_ns", "words"),
    [
        (5 * MINUTE_NS, 7 * MINUTE_NS, "multiple of 5m"),
        (HOUR_NS, MINUTE_NS, "multiple of 1h"),
        (MINUTE_NS, 7 * MINUTE_NS, "divides a day"),
        (DAY_NS, 2 * DAY_NS, "divides a day"),
    ],
)
def test_an_interval_that_cannot_be_made_is_refused_at_once(
    source_ns: int, target_ns: int, words: str
) -> None:
    """The refusal says what is allowed, before a row is read."""
    with pytest.raises(FeedError, match=words):
        resample([], source_ns, target_ns)


def test_intervals_are_written_as_people_do() -> None:
    """The largest unit that divides it."""
    assert [interval_text(ns) for ns in (MINUTE_NS, HOUR_NS, 4 * HOUR_NS, DAY_NS, 7)] == [
        "1m",
        "1h",
        "4h",
        "1d",
        "7ns",
    ]
