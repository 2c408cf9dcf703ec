"""Fills, costs and exits against numbers worked out by hand (O2, E4, E5; MISSION, Fills).

EURUSD here: pip 0.0001, tick 0.00001, spread 0.6 pip, so half a spread is 0.00003; slippage is
max(1 pip, ATR/1000) = 0.0001 because no bar is taller than 0.1. So a market or stop fill costs
0.00013, a target fill 0.00003.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from adapters.brokers.paper import PaperFaults
from daemon.core.calendar import Schedule, WindowSpec
from daemon.core.market import Costs
from state.bars import Bar
from state.instruments import Instrument
from state.signals import Action, CancelEntry, Exit, Signal
from state.units import DAY_NS, HOUR_NS, utc_text
from tests.builders import bar, eurusd
from tests.stepping import M5, Scene, Scripts

EIGHT = 17_168 * DAY_NS + 8 * HOUR_NS
"""2017-01-02 08:00 UTC, a Monday."""

WORKDAYS = frozenset(range(5))


def quiet(number: int, price: float = 1.1) -> Bar:
    """Make a flat bar, the ``number``-th one after 08:00."""
    return bar(EIGHT + number * M5, price, price, price, price)


def one(number: int, open_: float, high: float, low: float, close: float) -> Bar:
    """Make the ``number``-th bar after 08:00."""
    return bar(EIGHT + number * M5, open_, high, low, close)


def until_nine() -> Schedule:
    """Make a window 08:00-09:00 UTC."""
    return Schedule([WindowSpec(8 * 3600, 9 * 3600, "UTC", WORKDAYS, None)])


def single(signal: Signal, bars: list[Bar], **scene: object) -> Scene:
    """Run one engine that signals at the close of bar 0."""
    script = Scripts("EURUSD", "hand", {0: signal})
    return Scene([eurusd()], [script], **scene).run({"EURUSD": bars})  # type: ignore[arg-type]


LONG = Signal(1, stop=1.099, target_r=1.0)


def test_costs_of_a_long_trade_to_its_target() -> None:
    """Entry 1.1 + 0.00013 = 1.10013; risk 0.00113, so the target is 1.10126, sold 0.00003 lower."""
    scene = single(LONG, [quiet(0), quiet(1), one(2, 1.1, 1.1015, 1.1, 1.1014)])
    entry, leave = scene.fills()
    assert scene.price(entry) == 1.10013
    assert utc_text(entry.filled_ns) == "2017-01-02T08:05:00Z"
    assert scene.plans()[0].target_ticks == 110126
    assert scene.plans()[0].initial_risk == Decimal("0.00113")
    assert (leave.leg, leave.reason, scene.price(leave)) == ("target", "TP", 1.10123)
    assert leave.pnl == Decimal("0.0011")
    assert leave.slippage == 0 and leave.spread == Decimal("0.00003")
    assert utc_text(leave.filled_ns) == "2017-01-02T08:15:00Z"


def test_costs_of_a_short_trade_to_its_stop() -> None:
    """Entry 1.1 - 0.00013 = 1.09987; stop 1.101 bought 0.00013 higher: -0.00126 on risk 0.00113."""
    short = Signal(-1, stop=1.101, target_r=2.0)
    scene = single(short, [quiet(0), quiet(1), one(2, 1.1, 1.1012, 1.1, 1.1)])
    entry, leave = scene.fills()
    assert scene.price(entry) == 1.09987
    # 2 x 0.00113 below the fill
    assert scene.plans()[0].target_ticks == 109761
    assert (leave.reason, scene.price(leave), leave.pnl) == ("SL", 1.10113, Decimal("-0.00126"))
    stats = next(iter(scene.portfolio.days.values()))
    assert stats.r == pytest.approx(-126 / 113, abs=1e-12)


def test_both_touched_is_the_stop() -> None:
    """A bar that reaches stop and target exits at the stop."""
    scene = single(LONG, [quiet(0), quiet(1), one(2, 1.1, 1.102, 1.098, 1.1)])
    assert [(x.reason, scene.price(x)) for x in scene.exits()] == [("SL", 1.09887)]


def test_gap_through_the_stop_fills_once_at_the_open() -> None:
    """A bar opening at 1.0975, beyond the stop 1.099, exits at 1.0975 - 0.00013."""
    scene = single(LONG, [quiet(0), quiet(1), one(2, 1.0975, 1.102, 1.097, 1.1), quiet(3)])
    assert [(x.reason, scene.price(x)) for x in scene.exits()] == [("SL", 1.09737)]
    assert scene.exits()[0].bar_open_ns == EIGHT + 2 * M5


def test_gap_through_the_target_fills_at_the_open() -> None:
    """A bar opening at 1.103, beyond the target 1.10126, exits at 1.103 - 0.00003."""
    scene = single(LONG, [quiet(0), quiet(1), one(2, 1.103, 1.104, 1.1025, 1.103)])
    assert [(x.reason, scene.price(x)) for x in scene.exits()] == [("TP", 1.10297)]


def test_entry_bar_counts_with_its_full_range() -> None:
    """On the entry bar the stop is hit at the stop, never at the open, and beats the target."""
    scene = single(LONG, [quiet(0), one(1, 1.1, 1.102, 1.0985, 1.1)])
    entry, leave = scene.fills()
    assert entry.bar_open_ns == leave.bar_open_ns == EIGHT + M5
    assert (leave.reason, scene.price(leave)) == ("SL", 1.09887)


def test_entry_bar_target_fills_at_the_target() -> None:
    """On the entry bar a target is filled at its level."""
    scene = single(LONG, [quiet(0), one(1, 1.1, 1.102, 1.1, 1.102)])
    assert [(x.reason, scene.price(x)) for x in scene.exits()] == [("TP", 1.10123)]


@pytest.mark.parametrize(
    ("signal", "open_"),
    [
        (LONG, 1.099),  # p <= stop
        (LONG, 1.0980),
        (Signal(1, stop=1.099, target=1.101), 1.101),  # p >= target
        (Signal(-1, stop=1.101, target=1.099), 1.099),
        (Signal(-1, stop=1.101), 1.101),
    ],
)
def test_level_already_crossed_cancels_the_entry(signal: Signal, open_: float) -> None:
    """An entry whose price before costs is at or beyond stop or target never fills."""
    scene = single(signal, [quiet(0), quiet(1, open_), quiet(2)])
    assert scene.fills() == []
    assert scene.cancels() == ["LEVEL_ALREADY_CROSSED"]
    assert scene.portfolio.counted == []


def test_fill_too_near_its_stop_is_cancelled() -> None:
    """min_stop = 0.00006 + 2 x 0.0001 = 0.00026; fill 1.09912 + 0.00013 is 0.00025 from 1.099."""
    scene = single(LONG, [quiet(0), quiet(1, 1.09912), quiet(2)])
    assert scene.cancels() == ["STOP_TOO_CLOSE"]
    scene = single(LONG, [quiet(0), quiet(1, 1.09913), quiet(2)])
    assert len(scene.fills("entry")) == 1


def test_a_distance_below_min_stop_is_denied_at_the_decision() -> None:
    """A stop given as a distance is tested at T by the sizing gate: 0.00025 < 0.00026."""
    scene = single(Signal(1, stop_distance=0.00025), [quiet(0), quiet(1)])
    assert [one.outcome for one in scene.decisions()] == ["STOP_TOO_CLOSE"]
    scene = single(Signal(1, stop_distance=0.00026), [quiet(0), quiet(1)])
    assert [one.outcome for one in scene.decisions()] == ["ACCEPTED"]


def test_market_order_without_a_next_bar_is_cancelled() -> None:
    """The next bar opens 5 min and more after T + one interval: the order ends at T + 2 intervals.

    The signal is at 08:05; a bar opening at 08:10 would still do (see below), 08:15 does not.
    """
    scene = single(LONG, [quiet(0), quiet(3), quiet(4)])
    assert scene.fills() == []
    assert scene.cancels() == ["NO_BAR"]
    change = scene.sink.entries[-1]
    assert change.at_ns >= EIGHT + 3 * M5


def test_market_order_takes_a_bar_that_opens_one_interval_late() -> None:
    """open - T <= one interval: a bar opening at 08:10 fills a signal of 08:05."""
    scene = single(LONG, [quiet(0), quiet(2)])
    assert [utc_text(x.filled_ns) for x in scene.fills()] == ["2017-01-02T08:10:00Z"]


def test_stop_entry_fills_at_its_level_or_the_open_beyond() -> None:
    """Buy at 1.1005: touched inside a bar at the level; gapped over at the open."""
    signal = Signal(1, trigger=1.1005, stop=1.099, target_r=1.0)
    touched = single(signal, [quiet(0), quiet(1), one(2, 1.1, 1.1006, 1.1, 1.1004)])
    entry = touched.fills("entry")[0]
    assert (touched.price(entry), float(entry.price)) == (1.10063, 1.1005)
    assert utc_text(entry.filled_ns) == "2017-01-02T08:15:00Z"
    gapped = single(signal, [quiet(0), quiet(1), one(2, 1.101, 1.1012, 1.1008, 1.101)])
    assert gapped.price(gapped.fills("entry")[0]) == 1.10113


def test_limit_entry_pays_the_spread_only() -> None:
    """Buy at 1.0995 or better: filled at 1.0995 + 0.00003, at the open when that is lower."""
    signal = Signal(1, limit=1.0995, stop=1.098)
    scene = single(signal, [quiet(0), quiet(1), one(2, 1.1, 1.1, 1.0994, 1.0999)])
    assert scene.price(scene.fills("entry")[0]) == 1.09953
    scene = single(signal, [quiet(0), quiet(1), one(2, 1.099, 1.1, 1.0985, 1.0999)])
    assert scene.price(scene.fills("entry")[0]) == 1.09903


def test_time_stop_fills_at_the_open_after_the_end() -> None:
    """At 09:00 the position is sold at the open of the bar opening then, even beyond its stop."""
    script = Scripts("EURUSD", "hand", {0: LONG}, until_nine())
    bars = [quiet(n) for n in range(12)] + [one(12, 1.0970, 1.0975, 1.0965, 1.097)]
    scene = Scene([eurusd()], [script]).run({"EURUSD": bars})
    leave = scene.exits()[0]
    assert (leave.leg, leave.reason) == ("exit", "TIME")
    assert utc_text(leave.filled_ns) == "2017-01-02T09:00:00Z"
    assert scene.price(leave) == 1.09687


def test_time_stop_without_a_following_bar_fills_at_the_last_close() -> None:
    """Nothing trades after the end: the last close at or before 09:00, stamped 09:00."""
    script = Scripts("EURUSD", "hand", {0: LONG}, until_nine())
    bars = [quiet(n) for n in range(11)] + [quiet(11, 1.1002), quiet(40), quiet(41)]
    scene = Scene([eurusd()], [script]).run({"EURUSD": bars})
    leave = scene.exits()[0]
    assert (leave.reason, utc_text(leave.filled_ns)) == ("TIME", "2017-01-02T09:00:00Z")
    assert scene.price(leave) == 1.10007


def test_time_stop_due_at_the_end_of_the_history_fills_at_the_last_close() -> None:
    """A time-stop already due fills at the last close; a position that is not due stays open."""
    script = Scripts("EURUSD", "hand", {0: LONG}, until_nine())
    scene = Scene([eurusd()], [script]).run({"EURUSD": [quiet(n) for n in range(12)]})
    assert [x.reason for x in scene.exits()] == ["TIME"]
    open_still = Scene([eurusd()], [script]).run({"EURUSD": [quiet(n) for n in range(11)]})
    assert open_still.exits() == [] and len(open_still.portfolio.positions) == 1


def test_close_at_end_closes_what_is_open() -> None:
    """``--close-at-end`` sells at the last close with reason END."""
    scene = Scene([eurusd()], [Scripts("EURUSD", "hand", {0: LONG})])
    scene.run({"EURUSD": [quiet(0), quiet(1), quiet(2, 1.1004)]}, close_at_end=True)
    assert [(x.reason, scene.price(x)) for x in scene.exits()] == [("END", 1.10027)]


def test_flatten_before_the_end() -> None:
    """With flatten_before_s = 300 the time-stop is at 08:55 and no entry comes from then on."""
    schedule = Schedule(
        [WindowSpec(8 * 3600, 9 * 3600, "UTC", WORKDAYS, None)], flatten_before_s=300
    )
    scripts = [
        Scripts("EURUSD", "early", {0: LONG}, schedule, flatten_before_s=300),
        Scripts("EURUSD", "late", {10: LONG}, schedule, flatten_before_s=300),
    ]
    scene = Scene([eurusd()], scripts).run({"EURUSD": [quiet(n) for n in range(12)]})
    assert utc_text(scene.exits()[0].filled_ns) == "2017-01-02T08:55:00Z"
    assert scene.decisions()[-1].outcome == "AFTER_LAST_ENTRY"


def test_reduce_closes_a_part_and_holds_the_rest() -> None:
    """``at_end = "reduce"`` sells half of 4 lots at the end; the stop guards the other 2."""
    script = Scripts("EURUSD", "hand", {0: LONG}, until_nine(), at_end="reduce")
    bars = [quiet(n) for n in range(14)] + [one(14, 1.1, 1.1, 1.098, 1.1)]
    scene = Scene([eurusd()], [script], quantity="4").run({"EURUSD": bars})
    assert [(x.reason, x.lots) for x in scene.exits()] == [("REDUCE", 2), ("SL", 2)]


def test_a_signal_at_the_end_is_denied() -> None:
    """A signal decided at exactly 09:00 comes from a bar inside the window and is denied."""
    script = Scripts("EURUSD", "hand", {11: LONG}, until_nine())
    scene = Scene([eurusd()], [script]).run({"EURUSD": [quiet(n) for n in range(13)]})
    assert [one.outcome for one in scene.decisions()] == ["OUTSIDE_WINDOW"]


def test_stop_entry_ends_at_the_last_entry_time() -> None:
    """A stop-entry touched by the bar 08:55-09:00 fills; one untouched is cancelled at 09:00."""
    signal = Signal(1, trigger=1.1005, stop=1.099)
    script = Scripts("EURUSD", "hand", {0: signal}, until_nine())
    quiets = [quiet(n) for n in range(11)]
    touched = Scene([eurusd()], [script]).run(
        {"EURUSD": [*quiets, one(11, 1.1, 1.101, 1.1, 1.1), quiet(12), quiet(13)]}
    )
    assert [x.reason for x in touched.fills()] == ["ENTRY", "TIME"]
    untouched = Scene([eurusd()], [script]).run(
        {"EURUSD": [*quiets, quiet(11), one(12, 1.1, 1.101, 1.1, 1.1)]}
    )
    assert untouched.fills() == [] and untouched.cancels() == ["LAST_ENTRY"]


def test_fill_at_close_uses_the_deciding_close_and_has_no_entry_bar() -> None:
    """``fill = "close"``: bought at 1.1 at 08:05; a gap through the stop at 08:05 fills there."""
    bars = [one(0, 1.1, 1.101, 1.098, 1.1), one(1, 1.098, 1.0985, 1.0975, 1.098)]
    scene = single(LONG, bars, costs=Costs(fill_at_close=True))
    entry, leave = scene.fills()
    assert (scene.price(entry), utc_text(entry.filled_ns)) == (1.10013, "2017-01-02T08:05:00Z")
    assert (leave.reason, scene.price(leave)) == ("SL", 1.09787)


def test_slippage_is_a_thousandth_of_atr_when_that_is_more() -> None:
    """One bar of range 0.3 makes ATR 0.3: slippage 0.0003, entry 1.1 + 0.00003 + 0.0003."""
    scene = single(Signal(1, stop=1.0), [one(0, 1.1, 1.25, 0.95, 1.1), quiet(1)])
    assert scene.price(scene.fills()[0]) == 1.10033


def test_fills_round_against_us_and_levels_to_even() -> None:
    """XAU-like half ticks: 1284.2785 - 0.25 sells at 1284.028; a level 1285.3365 becomes .336."""
    gold = Instrument(
        symbol="XAUUSD",
        quote_currency="USD",
        pip=Decimal("0.1"),
        tick=Decimal("0.001"),
        lot=Decimal(1),
        min_quantity=Decimal(1),
        spread_pips=Decimal(3),
    )
    script = Scripts("XAUUSD", "hand", {0: Signal(-1, stop=1285.3365)})
    flat = [bar(EIGHT + n * M5, 1284.2785, 1284.2785, 1284.2785, 1284.2785) for n in range(2)]
    scene = Scene([gold], [script]).run({"XAUUSD": flat})
    assert scene.price(scene.fills()[0]) == 1284.028
    assert scene.plans()[0].stop_ticks == 1_285_336


def test_usdjpy_in_a_eur_portfolio() -> None:
    """1000 USDJPY from 110.013 to its stop 109: rate = 1 / 110 USD per JPY, / 1.1 USD per EUR.

    Entry 110 + half spread 0.005 + slippage 0.01 = 110.015; stop 109 sold 0.015 lower = 108.985.
    Loss 1.03 x 1000 JPY = 1030 JPY. At the exit USDJPY's last close is 110 (the bar of the exit is
    not yet closed history when it fills) and EURUSD's is 1.1: 1030 / 110 / 1.1 EUR.
    """
    usdjpy = Instrument(
        symbol="USDJPY",
        quote_currency="JPY",
        pip=Decimal("0.01"),
        tick=Decimal("0.001"),
        lot=Decimal(1000),
        min_quantity=Decimal(1000),
        spread_pips=Decimal(1),
    )
    conversion = {"JPY": ("USDJPY", "USD", "JPY"), "USD": ("EURUSD", "EUR", "USD")}
    scene = Scene(
        [eurusd(), usdjpy],
        [Scripts("USDJPY", "hand", {0: Signal(1, stop=109.0)})],
        base_currency="EUR",
        conversion=conversion,
        quantity="1000",
    ).run(
        {
            "EURUSD": [quiet(n) for n in range(3)],
            "USDJPY": [quiet(0, 110.0), quiet(1, 110.0), one(2, 110.0, 110.0, 108.9, 109.0)],
        }
    )
    rate = Decimal(1) / Decimal("1.1")
    rate = (rate.quantize(Decimal("0.000000000001")) / Decimal(110)).quantize(
        Decimal("0.000000000001")
    )
    entry, leave = scene.fills()
    assert scene.price(entry) == 110.015 and entry.rate == rate
    assert leave.pnl == (-1030 * rate).quantize(Decimal("0.00000001"))
    assert scene.plans()[0].initial_risk == (1015 * rate).quantize(Decimal("0.00000001"))
    r = scene.portfolio.days[scene.portfolio.day].r
    assert r == pytest.approx(-1030 / 1015, abs=1e-8)


def test_fees_are_charged_on_both_sides_and_lower_r() -> None:
    """A fee of 0.0001 per unit and side: net 0.0011 - 0.0002 on a risk of 0.00113."""
    instrument = eurusd()
    costly = msgspec.structs.replace(instrument, fee_per_unit=Decimal("0.0001"))
    scene = Scene([costly], [Scripts("EURUSD", "hand", {0: LONG})])
    scene.run({"EURUSD": [quiet(0), quiet(1), one(2, 1.1, 1.1015, 1.1, 1.1014)]})
    assert scene.portfolio.days[scene.portfolio.day].r == pytest.approx(90 / 113, abs=1e-12)
    assert scene.portfolio.cash == Decimal("100000.0009")


def test_partial_fills_add_up_and_count_once() -> None:
    """Half of 10 lots at the first open, the rest at the next; one trade, risk of both."""
    scene = single(
        LONG, [quiet(0), quiet(1), quiet(2), quiet(3)],
        quantity="10", faults=PaperFaults(partial_fraction=0.5),
    )  # fmt: skip
    assert [x.lots for x in scene.fills("entry")] == [5, 5]
    position = next(iter(scene.portfolio.positions.values()))
    assert position.lots == 10 and position.initial_risk == Decimal("0.0113")
    assert scene.portfolio.orders == {} and len(scene.portfolio.counted) == 1


def test_latency_moves_a_market_order_to_the_next_open_after_it() -> None:
    """With 60 s to the market an order of 08:05 misses the 08:05 open and takes 08:10."""
    scene = single(LONG, [quiet(0), quiet(1), quiet(2)], faults=PaperFaults(latency_s=60.0))
    assert [utc_text(x.filled_ns) for x in scene.fills()] == ["2017-01-02T08:10:00Z"]


def test_rejects_on_request_stop_counting() -> None:
    """``reject_every = 1`` rejects every entry; pacing forgets it."""
    scene = single(LONG, [quiet(0), quiet(1)], faults=PaperFaults(reject_every=1))
    assert scene.fills() == [] and scene.portfolio.counted == []
    assert scene.portfolio.orders == {}


def test_exit_wish_closes_at_the_next_open_and_passes_every_gate() -> None:
    """A strategy's Exit at bar 1 sells at the open of bar 2 with its tag as reason."""
    script: dict[int, Action] = {0: LONG, 1: Exit("DONE")}
    scene = Scene([eurusd()], [Scripts("EURUSD", "hand", script)])
    scene.run({"EURUSD": [quiet(0), quiet(1), quiet(2, 1.1003)]})
    leave = scene.exits()[0]
    assert (leave.reason, scene.price(leave)) == ("DONE", 1.10017)


def test_strategy_cancels_its_working_entry() -> None:
    """CancelEntry takes a stop-entry off the book; a later touch does nothing."""
    script: dict[int, Action] = {
        0: Signal(1, trigger=1.1005, stop=1.099),
        1: CancelEntry(),
    }
    scene = Scene([eurusd()], [Scripts("EURUSD", "hand", script)])
    scene.run({"EURUSD": [quiet(0), quiet(1), one(2, 1.1, 1.102, 1.1, 1.1)]})
    assert scene.fills() == [] and scene.cancels() == ["STRATEGY_CANCEL"]


def test_second_signal_while_in_position_or_order_is_denied() -> None:
    """One per engine: with a working order ORDER_WORKING, with a position POSITION_OPEN."""
    script = {0: Signal(1, trigger=1.1005, stop=1.099), 1: LONG, 3: LONG}
    scene = Scene([eurusd()], [Scripts("EURUSD", "hand", script)])
    scene.run({"EURUSD": [quiet(0), quiet(1), one(2, 1.1, 1.1006, 1.1, 1.1), quiet(3)]})
    outcomes = [decision.outcome for decision in scene.decisions()]
    assert outcomes == ["ACCEPTED", "ORDER_WORKING", "POSITION_OPEN"]


def test_window_over_the_spring_change_in_new_york_and_london() -> None:
    """08:00-09:00 in New York is 13:00Z on Friday 2017-03-10 and 12:00Z on Monday 2017-03-13.

    The same in London is 08:00Z on 2017-03-24 and 07:00Z on 2017-03-27.
    """
    for zone, days, utc in (
        ("America/New_York", (17_235, 17_238), (13, 12)),
        ("Europe/London", (17_249, 17_252), (8, 7)),
    ):
        schedule = Schedule([WindowSpec(8 * 3600, 9 * 3600, zone, WORKDAYS, None)])
        for day, hour in zip(days, utc, strict=True):
            start = day * DAY_NS + hour * HOUR_NS
            script = Scripts("EURUSD", "hand", {0: LONG, 2: LONG, 4: LONG}, schedule)
            opens = [start - 2 * M5, start - M5, start, start + M5, start + HOUR_NS - M5]
            bars = [bar(at, 1.1, 1.1, 1.1, 1.1) for at in opens]
            scene = Scene([eurusd()], [script]).run({"EURUSD": bars})
            # Bars opening 10 min before the start, at the start, and closing at the end.
            outcomes = [decision.outcome for decision in scene.decisions()]
            assert outcomes == ["OUTSIDE_WINDOW", "ACCEPTED", "OUTSIDE_WINDOW"], (zone, day)
