"""Synthetic bars: deterministic, possible, in the FX week, and what their kind of day says."""

from __future__ import annotations

import hashlib
from datetime import date

import numpy as np
import pytest
from numpy.typing import NDArray

from adapters.feeds.columns import Columns
from adapters.feeds.day_kinds import DayKind, shape_of
from adapters.feeds.synthetic import Market, Scenario, bars
from state.units import DAY_NS, EPOCH_ORDINAL, HOUR_NS, MINUTE_NS

SUNDAY = date(2024, 1, 14).toordinal()
MARKET = Market("EURUSD", 5, 109_500)


def one_week(*kinds: DayKind, seed: int = 1, market: Market = MARKET) -> Columns:
    """Make the bars of one week."""
    (week,) = bars(Scenario(market, SUNDAY, kinds), seed)
    return week


def asia_and_london(week: Columns, trading_day: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return masks of 00:00-07:00 and 07:00-10:00 UTC of a trading day (0 is Monday)."""
    midnight = (SUNDAY + 1 + trading_day - EPOCH_ORDINAL) * DAY_NS
    hours = (week.open_ns - midnight) / HOUR_NS
    return (hours >= 0) & (hours < 7), (hours >= 7) & (hours < 10)


def digest(week: Columns) -> str:
    """Return the hash of every byte of the bars."""
    columns = (week.open_ns, week.open, week.high, week.low, week.close, week.volume)
    return hashlib.blake2b(b"".join(part.tobytes() for part in columns), digest_size=8).hexdigest()


def test_a_seed_gives_the_same_bars_on_every_platform() -> None:
    """The hash is fixed: another one means that the demo's trades changed for everybody."""
    assert digest(one_week(*5 * [DayKind.SWEEP_HIGH])) == "d370483bd832b923"


def test_seeds_and_symbols_differ() -> None:
    """Two symbols under one seed are two markets."""
    kinds = 5 * [DayKind.QUIET]
    one, other = one_week(*kinds), one_week(*kinds, seed=2)
    symbol = one_week(*kinds, market=Market("GBPUSD", 5, 109_500))
    assert len({digest(one), digest(other), digest(symbol)}) == 3


def test_bars_are_possible_and_lie_on_the_tick() -> None:
    """High and low hold open and close; a bar opens at the close before unless one is missing."""
    week = one_week(*5 * [DayKind.NEWS_UP])
    assert (week.high >= np.maximum(week.open, week.close)).all()
    assert (week.low <= np.minimum(week.open, week.close)).all()
    assert (week.close == np.round(week.close, 5)).all()
    follows = np.diff(week.open_ns) == MINUTE_NS
    assert (week.open[1:][follows] == week.close[:-1][follows]).all()


def test_the_week_runs_from_sunday_to_friday_22_utc() -> None:
    """Five days and two hours less two: 7200 minutes, about three of a thousand missing."""
    week = one_week(*5 * [DayKind.QUIET])
    sunday_ns = (SUNDAY - EPOCH_ORDINAL) * DAY_NS
    assert sunday_ns + 22 * HOUR_NS <= week.open_ns[0] < sunday_ns + 23 * HOUR_NS
    assert week.open_ns[-1] < sunday_ns + 5 * DAY_NS + 22 * HOUR_NS
    assert 7120 < len(week) < 7200


def test_an_outage_has_no_bars_and_changes_no_other() -> None:
    """The market went on; the feed did not."""
    start = (SUNDAY + 1 - EPOCH_ORDINAL) * DAY_NS
    kinds = tuple(5 * [DayKind.QUIET])
    (whole,) = bars(Scenario(MARKET, SUNDAY, kinds), 1)
    (holed,) = bars(Scenario(MARKET, SUNDAY, kinds, ((start, start + HOUR_NS),)), 1)
    out = (whole.open_ns >= start) & (whole.open_ns < start + HOUR_NS)
    assert out.any()
    assert holed.open_ns.tolist() == whole.open_ns[~out].tolist()
    assert holed.close.tolist() == whole.close[~out].tolist()


def test_a_sweep_takes_the_asian_high_and_turns() -> None:
    """London trades 3 pips over the range's high and closes far below it; mirrored for the low."""
    high = one_week(*5 * [DayKind.SWEEP_HIGH])
    low = one_week(*5 * [DayKind.SWEEP_LOW])
    for day in range(5):
        asia, london = asia_and_london(high, day)
        top = high.high[asia].max()
        assert high.high[london].max() >= top + 0.0003
        assert high.close[london][-1] < top - 0.0020
        asia, london = asia_and_london(low, day)
        bottom = low.low[asia].min()
        assert low.low[london].min() <= bottom - 0.0003
        assert low.close[london][-1] > bottom + 0.0020


def test_a_quiet_london_stays_inside_the_asian_range() -> None:
    """No sweep on a quiet day."""
    week = one_week(*5 * [DayKind.QUIET])
    for day in range(5):
        asia, london = asia_and_london(week, day)
        assert week.high[london].max() < week.high[asia].max() + 0.0003
        assert week.low[london].min() > week.low[asia].min() - 0.0003


def test_every_kind_of_day_has_a_shape_in_time_order() -> None:
    """Turns come later and later and the last one is midnight; a mirror mirrored is itself."""
    for kind in DayKind:
        shape = shape_of(kind)
        minutes = [turn.minute for turn in shape.turns]
        assert minutes == sorted(set(minutes))
        assert (minutes[0], minutes[-1]) == (420, 1440)
        assert shape.mirrored().mirrored() == shape


def test_a_first_day_that_is_no_sunday_is_refused() -> None:
    """The week's opening belongs to a Sunday."""
    with pytest.raises(ValueError, match="Sunday"):
        list(bars(Scenario(MARKET, SUNDAY + 1, (DayKind.QUIET,)), 1))
