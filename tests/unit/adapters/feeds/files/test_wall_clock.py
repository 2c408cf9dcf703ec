"""Wall time: gaps are refused, folds are resolved by order or refused."""

from __future__ import annotations

import numpy as np
import pytest

from adapters.feeds.files.spec import load_zone
from adapters.feeds.files.stamps import iso_ns
from adapters.feeds.files.zones import FOLD, GAP, WallClock
from state.errors import FeedError
from state.units import HOUR_NS, MINUTE_NS, utc_text

NEW_YORK = "America/New_York"


def walls(*texts: str) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return wall times as ns."""
    read = [iso_ns(text) for text in texts]
    return np.array([r[0] for r in read if r is not None], np.int64)


def texts(at: np.ndarray[tuple[int], np.dtype[np.int64]]) -> list[str]:
    """Return hours and minutes in UTC."""
    return [utc_text(int(value))[8:16] for value in at]


def test_both_sides_of_a_change() -> None:
    """New York 2017-03-12: 01:59 is 06:59 UTC, 03:00 is 07:00 UTC, one minute later."""
    at, bad = WallClock(NEW_YORK, MINUTE_NS).to_utc(
        walls("2017-03-12 01:59", "2017-03-12 03:00", "2017-11-06 00:00")
    )
    assert texts(at) == ["12T06:59", "12T07:00", "06T05:00"]
    assert bad == {}


def test_gap_has_no_instant() -> None:
    """02:30 of 2017-03-12 does not exist in New York."""
    _, bad = WallClock(NEW_YORK, MINUTE_NS).to_utc(walls("2017-03-12 01:59", "2017-03-12 02:30"))
    assert bad == {1: GAP}


def test_fold_goes_by_order() -> None:
    """01:58, 01:59, 01:00, 01:01 of 2017-11-05: the clock went back after the second."""
    at, bad = WallClock(NEW_YORK, MINUTE_NS).to_utc(
        walls(*(f"2017-11-05 {t}" for t in ("00:59", "01:58", "01:59", "01:00", "01:01", "02:00")))
    )
    assert bad == {}
    assert texts(at) == ["05T04:59", "05T05:58", "05T05:59", "05T06:00", "05T06:01", "05T07:00"]


def test_fold_of_hourly_bars_repeats_its_stamp() -> None:
    """Hourly bars write 01:00 twice: the second is an hour later; of minutes it is a duplicate."""
    rows = walls("2017-11-05 00:00", "2017-11-05 01:00", "2017-11-05 01:00", "2017-11-05 02:00")
    at, bad = WallClock(NEW_YORK, HOUR_NS).to_utc(rows)
    assert texts(at) == ["05T04:00", "05T05:00", "05T06:00", "05T07:00"]
    assert bad == {}
    at, _ = WallClock(NEW_YORK, MINUTE_NS).to_utc(rows)
    assert texts(at)[1:3] == ["05T05:00", "05T05:00"]


def test_fold_without_neighbours_is_refused() -> None:
    """A row in the fold with nothing near before it: order does not tell, so it is refused."""
    rows = walls("2017-11-03 16:59", "2017-11-05 01:30", "2017-11-05 02:30")
    _, bad = WallClock(NEW_YORK, MINUTE_NS).to_utc(rows)
    assert bad == {1: FOLD}
    _, bad = WallClock(NEW_YORK, MINUTE_NS).to_utc(rows[1:])
    assert bad == {0: FOLD}


def test_order_is_kept_over_batches() -> None:
    """The fold is resolved the same when a batch ends inside it, also as the years go back."""
    rows = walls("2017-11-05 01:58", "2017-11-05 01:59", "2017-11-05 01:00", "2017-11-05 02:00")
    clock = WallClock(NEW_YORK, MINUTE_NS)
    clock.to_utc(walls("2017-11-05 00:59"))
    parts = [texts(clock.to_utc(rows[i : i + 1])[0])[0] for i in range(4)]
    assert parts == ["05T05:58", "05T05:59", "05T06:00", "05T07:00"]
    at, _ = clock.to_utc(walls("2001-07-01 00:00", "2037-12-01 00:00"))
    assert texts(at) == ["01T04:00", "01T05:00"]


def test_to_wall_and_back() -> None:
    """Every hour of a year comes back from wall time, in a zone with half-hour changes too."""
    for zone in ("UTC", NEW_YORK, "Australia/Lord_Howe", "Europe/Athens"):
        utc = np.arange(1_483_228_800, 1_514_764_800, 1800, dtype=np.int64) * 1_000_000_000
        clock = WallClock(zone, 30 * MINUTE_NS)
        at, bad = clock.to_utc(clock.to_wall(utc))
        assert bad == {}
        assert np.array_equal(at, utc)


def test_unknown_zone_suggests_a_name() -> None:
    """A zone that is none names the nearest."""
    with pytest.raises(FeedError, match="did you mean 'Europe/Athens'"):
        load_zone("Europe/Athen")
