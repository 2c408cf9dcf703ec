"""Ticks and quotes become bars by the clock alone; what comes late changes nothing (F2, FEED-3)."""

from __future__ import annotations

import math
import random  # noqa: TID251 - seeded here
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from adapters.feeds.aggregator import Aggregator, Coarser, MadeBar
from adapters.feeds.columns import Columns
from adapters.feeds.resample import resample
from adapters.feeds.wire import Quote, Tick
from state.bars import Bar
from state.units import MINUTE_NS, NEVER_NS, SECOND_NS
from tests.builders import shared_data

NS = pa.timestamp("ns", tz="UTC")
GRACE_NS = SECOND_NS // 2
HOUR = 1_700_000_000 // 3600 * 3600 * SECOND_NS


def _aggregator(side: str = "mid") -> Aggregator:
    return Aggregator(MINUTE_NS, GRACE_NS, side)


def _add(aggregator: Aggregator, *prices: tuple[float, float]) -> list[str | None]:
    """Add (second of the hour, price) of one symbol, in this order."""
    return [
        aggregator.add_tick(Tick("EURUSD", HOUR + round(second * SECOND_NS), price))
        for second, price in prices
    ]


def _prices(made: Sequence[MadeBar]) -> list[tuple[float, float, float, float]]:
    return [(m.bar.open, m.bar.high, m.bar.low, m.bar.close) for m in made]


def test_real_quotes_make_the_vendors_own_minute_bars() -> None:
    """F2: a day of quotes aggregates to the vendor's bid bars, each of 1363 equal in O/H/L/C."""
    folder = shared_data()
    ticks = pq.read_table(folder / "ticks/fx_eurusd_oanda_ticks_20140501.parquet")
    table = pq.read_table(folder / "bars/fx_eurusd_1m_2014-05_oanda_bidask.parquet")
    stamps = ticks["ts"].cast(NS).cast(pa.int64()).to_pylist()
    aggregator = Aggregator(MINUTE_NS, GRACE_NS, "bid")
    made: list[MadeBar] = []
    rows: Any = zip(stamps, ticks["bid"].to_pylist(), ticks["ask"].to_pylist(), strict=True)
    for at, bid, ask in rows:
        made += aggregator.close_due(at)
        assert aggregator.add_quote(Quote("EURUSD", at, bid, ask)) is None
    made += aggregator.close_due(NEVER_NS)

    opens = table["ts"].cast(NS).cast(pa.int64()).to_pylist()
    columns = [table[name].to_pylist() for name in ("open", "high", "low", "close")]
    last: Any = stamps[-1]
    theirs = {o: prices for o, *prices in zip(opens, *columns, strict=True) if o < last}
    ours = {m.bar.open_ns: [m.bar.open, m.bar.high, m.bar.low, m.bar.close] for m in made}
    assert len(ours) == 1363
    assert ours == theirs


def test_a_bar_closes_by_the_clock_after_its_grace_and_never_by_a_later_price() -> None:
    """The price of the next interval may overtake one that is on its way: it closes nothing."""
    aggregator = _aggregator()
    _add(aggregator, (10, 1.0), (61, 3.0))

    assert aggregator.close_due(HOUR + MINUTE_NS + GRACE_NS - 1) == []
    assert _add(aggregator, (59, 2.0)) == [None]
    assert aggregator.next_due_ns() == HOUR + MINUTE_NS + GRACE_NS
    made = aggregator.close_due(HOUR + MINUTE_NS + GRACE_NS)
    assert _prices(made) == [(1.0, 2.0, 1.0, 2.0)]
    assert (made[0].bar.open_ns, made[0].bar.close_ns) == (HOUR, HOUR + MINUTE_NS)
    assert aggregator.next_due_ns() == HOUR + 2 * MINUTE_NS + GRACE_NS


def test_a_late_tick_is_counted_and_changes_no_bar() -> None:
    """FEED-3: neither the closed bar, nor the forming one, nor an interval that stayed empty."""
    aggregator = _aggregator()
    _add(aggregator, (10, 1.0))
    aggregator.close_due(HOUR + MINUTE_NS + GRACE_NS)
    assert _add(aggregator, (61, 2.0), (59, 9.0)) == [None, "LATE_TICK"]
    aggregator.close_due(HOUR + 4 * MINUTE_NS)
    assert _add(aggregator, (130, 9.0)) == ["LATE_TICK"]

    assert aggregator.late == {"EURUSD": 2}
    assert aggregator.next_due_ns() == NEVER_NS


def test_an_interval_without_a_tick_has_no_bar() -> None:
    """Nothing is carried forward into a minute in which nobody traded."""
    aggregator = _aggregator()
    _add(aggregator, (10, 1.0), (190, 2.0))

    made = aggregator.close_due(HOUR + 10 * MINUTE_NS)

    assert [(m.bar.open_ns - HOUR) // MINUTE_NS for m in made] == [0, 3]


def test_open_and_close_follow_the_stamps_not_the_arrival() -> None:
    """Ticks in any order of arrival give the bar of the ordered ones; a tie goes to the later."""
    prices = [(1.0, 5.0), (2.0, 7.0), (3.0, 1.0), (4.0, 6.0)]
    for seed in range(20):
        shuffled = random.Random(seed).sample(prices, len(prices))
        aggregator = _aggregator()
        _add(aggregator, *shuffled)
        assert _prices(aggregator.close_due(NEVER_NS)) == [(5.0, 7.0, 1.0, 6.0)]
    aggregator = _aggregator()
    _add(aggregator, (1, 5.0), (1, 6.0))
    assert _prices(aggregator.close_due(NEVER_NS)) == [(5.0, 6.0, 5.0, 6.0)]


def test_a_clock_that_was_set_back_opens_nothing_again() -> None:
    """FEED-3: what was closed stays closed."""
    aggregator = _aggregator()
    _add(aggregator, (10, 1.0))
    assert len(aggregator.close_due(HOUR + 2 * MINUTE_NS)) == 1
    assert aggregator.close_due(HOUR) == []

    assert _add(aggregator, (20, 2.0)) == ["LATE_TICK"]


@pytest.mark.parametrize(
    ("price", "code"),
    [(math.nan, "NOT_FINITE"), (math.inf, "NOT_FINITE"), (0.0, "NOT_POSITIVE"),
     (-1.0, "NOT_POSITIVE"), (-math.inf, "NOT_POSITIVE")],
)  # fmt: skip
def test_a_price_that_is_none_is_refused(price: float, code: str) -> None:
    """FEED-2: NaN, infinite, zero and negative prices are counted, as a tick and in a quote."""
    aggregator = _aggregator()

    assert _add(aggregator, (1, price)) == [code]
    assert aggregator.add_quote(Quote("EURUSD", HOUR, price, math.inf)) in (
        "NOT_FINITE", "NOT_POSITIVE"
    )  # fmt: skip
    assert sum(aggregator.bad.values()) == 2
    assert aggregator.close_due(NEVER_NS) == []


def test_a_quote_counts_on_its_side_and_only_when_it_can_be_traded() -> None:
    """I3: mid, bid or ask as said; a crossed or untradeable quote is no price."""
    found = {}
    for side in ("mid", "bid", "ask"):
        aggregator = _aggregator(side)
        assert aggregator.add_quote(Quote("EURUSD", HOUR, 1.0, 3.0)) is None
        assert aggregator.add_quote(Quote("EURUSD", HOUR, 4.0, 3.0)) == "CROSSED"
        assert aggregator.add_quote(Quote("EURUSD", HOUR, 1.0, 9.0, False)) == "NOT_TRADEABLE"
        assert aggregator.add_quote(Quote("EURUSD", HOUR, math.nan, 9.0)) == "NOT_FINITE"
        found[side] = _prices(aggregator.close_due(NEVER_NS))

    assert found == {"mid": [(2.0,) * 4], "bid": [(1.0,) * 4], "ask": [(3.0,) * 4]}
    with pytest.raises(ValueError, match="expected one of mid, bid, ask"):
        _aggregator("last")


def test_a_bar_with_a_hole_in_its_ticks_says_so() -> None:
    """A line that was down, or came up, in the middle of an interval leaves it untrue."""
    aggregator = _aggregator()
    aggregator.listen("EURUSD", HOUR + 30 * SECOND_NS)
    _add(aggregator, (40, 1.0), (70, 2.0), (130, 3.0))
    aggregator.interrupt(HOUR + 130 * SECOND_NS)
    aggregator.listen("EURUSD", HOUR + 140 * SECOND_NS)
    _add(aggregator, (150, 3.0), (190, 4.0))

    made = aggregator.close_due(NEVER_NS)

    assert [m.is_whole for m in made] == [False, True, False, True]


def test_symbols_close_together_in_one_order() -> None:
    """Bars of one instant come by symbol, whoever ticked first; sizes add up to the volume."""
    aggregator = _aggregator()
    for symbol in ("USDJPY", "EURUSD"):
        aggregator.add_tick(Tick(symbol, HOUR + 61 * SECOND_NS, 1.0, 2.0))
        aggregator.add_tick(Tick(symbol, HOUR, 1.0, 2.5))
        aggregator.add_tick(Tick(symbol, HOUR, 1.0, math.nan))

    made = aggregator.close_due(NEVER_NS)

    assert [(m.symbol, m.bar.volume) for m in made] == [
        ("EURUSD", 2.5), ("USDJPY", 2.5), ("EURUSD", 2.0), ("USDJPY", 2.0)
    ]  # fmt: skip


def _bars(seed: int, count: int) -> list[Bar]:
    """Make one-minute bars with holes, some without a volume."""
    rng, found = random.Random(seed), []
    for number in range(count):
        if rng.random() < 0.2:
            continue
        low = 1 + rng.random()
        volume = math.nan if rng.random() < 0.3 else rng.random()
        at = HOUR + number * MINUTE_NS
        found.append(
            Bar(at, at + MINUTE_NS, low + 0.1, low + 0.5, low, low + rng.random() / 2, volume)
        )
    return found


@pytest.mark.parametrize("minutes", [5, 15, 60])
def test_coarser_bars_equal_those_of_a_file(minutes: int) -> None:
    """One at a time or all at once: the same coarser bars, to the last bit of the volume."""
    bars = _bars(minutes, 400)
    names = ("open", "high", "low", "close", "volume")
    batch = Columns(
        np.array([one.open_ns for one in bars]),
        *(np.array([getattr(one, name) for one in bars]) for name in names),
    )
    expected = [
        (int(b.open_ns[row]), *(float(getattr(b, name)[row]) for name in names))
        for b in resample([batch], MINUTE_NS, minutes * MINUTE_NS)
        for row in range(len(b))
    ]
    coarser = Coarser(minutes * MINUTE_NS, GRACE_NS)

    found = [done for one in bars for done in coarser.add(one)] + coarser.close_due(NEVER_NS)

    assert repr([(b.open_ns, b.open, b.high, b.low, b.close, b.volume) for b in found]) == repr(
        expected
    )


def test_a_coarser_bar_closes_with_its_last_part_or_by_the_clock() -> None:
    """Not one instant earlier; a finer bar that comes after the clock closed it changes nothing."""
    bars = [Bar(HOUR + n * MINUTE_NS, HOUR + (n + 1) * MINUTE_NS, 1, 1, 1, 1) for n in range(11)]
    coarser = Coarser(5 * MINUTE_NS, GRACE_NS)

    assert [len(coarser.add(one)) for one in bars[:5]] == [0, 0, 0, 0, 1]
    assert coarser.next_due_ns() == NEVER_NS
    coarser.add(bars[5])
    assert coarser.close_due(HOUR + 10 * MINUTE_NS + GRACE_NS - 1) == []
    assert [one.close_ns for one in coarser.close_due(HOUR + 10 * MINUTE_NS + GRACE_NS)] == [
        HOUR + 10 * MINUTE_NS
    ]
    assert coarser.add(bars[6]) == []
    assert coarser.add(bars[10]) == []
    assert coarser.close_due(NEVER_NS)[0].open_ns == HOUR + 10 * MINUTE_NS
