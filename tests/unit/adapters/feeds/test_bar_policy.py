"""Every bar of a feed is accepted or refused with a reason; accepted ones only increase (F5)."""

from __future__ import annotations

import math
import random  # noqa: TID251 - seeded here

import pytest

from adapters.feeds.bar_policy import BarPolicy, Gap, Judgement, PolicyLimits
from adapters.feeds.expected import AlwaysOpen, fx_hours
from state.bars import Bar
from state.reasons import REASONS
from state.units import MINUTE_NS, SECOND_NS

HOUR = 1_700_000_000 // 3600 * 3600 * SECOND_NS
LIMITS = PolicyLimits(skew_ns=2 * SECOND_NS, grace_ns=SECOND_NS)


def minute(number: int, close: float = 1.0, spread: float = 0.0) -> Bar:
    """Make the one-minute bar of a minute of the hour."""
    at = HOUR + number * MINUTE_NS
    return Bar(at, at + MINUTE_NS, close, close + spread, close - spread, close, 1.0)


def policy(limits: PolicyLimits = LIMITS) -> BarPolicy:
    """Begin a series of one-minute bars of a market that never rests."""
    return BarPolicy("EURUSD", MINUTE_NS, AlwaysOpen(), limits)


def offer(to: BarPolicy, bar: Bar, late_s: float = 0.1) -> Judgement:
    """Judge a bar that comes so long after its end, and accept it when it may go on."""
    answer = to.judge(bar, bar.close_ns + round(late_s * SECOND_NS))
    if answer.is_accepted:
        to.accept(bar)
    return answer


def test_a_duplicate_is_a_no_op_and_a_revision_never_rewrites() -> None:
    """FEED-3: the first bar of an interval counts, however often others come."""
    series = policy()
    codes = [offer(series, minute(n, c)).code for n, c in [(0, 1), (1, 2), (1, 2), (1, 3), (0, 1)]]

    assert codes == ["", "", "DUPLICATE", "REVISED", "DUPLICATE"]
    assert series.last == minute(1, 2)
    assert series.refused == {"DUPLICATE": 2, "REVISED": 1}


def test_a_bar_before_the_last_one_is_late_or_out_of_order_by_the_clock() -> None:
    """FEED-3: in its grace it was overtaken, after it it is late; accepted is neither."""
    series = policy()
    offer(series, minute(5))

    assert offer(series, minute(4), late_s=1.0).code == "OUT_OF_ORDER"
    assert offer(series, minute(3), late_s=1.1).code == "LATE_BAR"
    assert series.last == minute(5)


def test_a_snapshot_of_the_past_is_no_live_bar() -> None:
    """F6: what ended before the feed was started is history, however it comes."""
    series = BarPolicy("EURUSD", MINUTE_NS, AlwaysOpen(), LIMITS, minute(3).open_ns)

    assert offer(series, minute(2)).code == "LATE_BAR"
    assert offer(series, minute(3)).is_accepted


def test_a_gap_is_flagged_from_and_to_and_only_where_the_market_was_open() -> None:
    """FEED-3: the bar goes on, and what is missing before it is said to the nanosecond."""
    series = policy()
    assert offer(series, minute(7)).gap is None
    assert offer(series, minute(8)).gap is None
    assert offer(series, minute(12)).gap == Gap(minute(9).open_ns, minute(12).open_ns)
    weekend = BarPolicy("EURUSD", MINUTE_NS, fx_hours(), LIMITS)
    friday = 1_768_000_000 // 604_800 * 604_800 + (8 * 24 + 22) * 3600
    before, after = (
        Bar(at * SECOND_NS, (at + 60) * SECOND_NS, 1, 1, 1, 1)
        for at in (friday - 60, friday + 48 * 3600)
    )
    assert offer(weekend, before).is_accepted
    assert offer(weekend, after).gap is None


@pytest.mark.parametrize(
    ("prices", "code"),
    [((math.nan, 1, 1, 1), "NOT_FINITE"), ((1, math.inf, 1, 1), "NOT_FINITE"),
     ((-1, 1, -2, 1), "NOT_POSITIVE"), ((1, 0.5, 0.5, 1), "HIGH_TOO_LOW"),
     ((1, 2, 1.5, 1.7), "LOW_TOO_HIGH")],
)  # fmt: skip
def test_an_impossible_bar_goes_no_further(prices: tuple[float, ...], code: str) -> None:
    """FEED-2: with the same reasons that a bar file is refused for."""
    series = policy()

    assert offer(series, Bar(HOUR, HOUR + MINUTE_NS, *prices)).code == code
    assert series.last is None


def test_another_symbol_or_interval_is_refused() -> None:
    """What nobody asked for is no bar of this series; nor one that is off the grid."""
    series, bar = policy(), minute(0)
    now = bar.close_ns
    shifted = Bar(bar.open_ns + SECOND_NS, bar.close_ns + SECOND_NS, 1, 1, 1, 1)

    assert series.judge(bar, now, "GBPUSD").code == "WRONG_SYMBOL"
    assert series.judge(bar, now, interval_ns=5 * MINUTE_NS).code == "WRONG_INTERVAL"
    assert series.judge(Bar(HOUR, HOUR + SECOND_NS, 1, 1, 1, 1), now).code == "WRONG_INTERVAL"
    assert series.judge(shifted, now + SECOND_NS).code == "WRONG_INTERVAL"
    assert series.judge(bar, now, "EURUSD", MINUTE_NS).is_accepted


def test_a_bar_from_the_future_is_refused() -> None:
    """A skewed clock must not make every true bar after it a late one."""
    series = policy()

    assert offer(series, minute(0), late_s=-2.0).is_accepted
    assert offer(series, minute(9), late_s=-2.1).code == "FROM_FUTURE"
    assert offer(series, minute(1)).is_accepted


def test_a_collar_refuses_a_spike_and_lets_a_market_that_moved_come_back() -> None:
    """FEED-2: off by default; a bad print goes no further, three that agree are the market."""
    limits = PolicyLimits(collar=0.02, collar_confirm_bars=3)
    series = policy(limits)
    found = [
        offer(series, minute(number, close)).code
        for number, close in enumerate([100, 101, 150, 101.5, 150, 90, 150, 151, 152, 153])
    ]
    spike = policy(limits)
    offer(spike, minute(0, 100))

    assert found == ["", "", "OFF_COLLAR", "", *["OFF_COLLAR"] * 4, "", ""]
    assert offer(spike, minute(1, 100, spread=2.1)).code == "OFF_COLLAR"
    assert offer(spike, minute(1, 100, spread=1.9)).is_accepted
    spikes = policy(limits)
    codes = [offer(spikes, minute(n, c)).code for n, c in enumerate([100, 150, 150, 101, 150, 150])]
    assert codes == ["", "OFF_COLLAR", "OFF_COLLAR", "", "OFF_COLLAR", "OFF_COLLAR"]
    unlimited = policy()
    assert [offer(unlimited, minute(n, c)).code for n, c in [(0, 1.0), (1, 900.0)]] == ["", ""]
    never = policy(PolicyLimits(collar=0.02, collar_confirm_bars=0))
    offer(never, minute(0, 100))
    assert {offer(never, minute(n, 150)).code for n in range(1, 50)} == {"OFF_COLLAR"}


def test_whatever_comes_accepted_bars_strictly_increase() -> None:
    """FEED-3 over random arrivals: no bar twice, none before another, every refusal explained."""
    for seed in range(50):
        rng, series = random.Random(seed), policy()
        accepted: list[Bar] = []
        refused = 0
        for _ in range(200):
            bar = minute(rng.randrange(30), rng.choice([1.0, 2.0, math.nan, -1.0]))
            answer = offer(series, bar, late_s=rng.uniform(-5, 5))
            if answer.is_accepted:
                accepted.append(bar)
            else:
                refused += 1
                assert answer.code in REASONS
                assert answer.text
        opens = [one.open_ns for one in accepted]
        assert opens == sorted(set(opens))
        assert all(one.close > 0 for one in accepted)
        assert sum(series.refused.values()) == refused
