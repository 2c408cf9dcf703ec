"""Trailing stops, worked out by hand (S5).

The long below is filled at 1.10013 with its stop at 1.099 and follows the closes 0.001 behind. The
stop that a close makes rests from the next bar on, and it never goes back.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from daemon.core.market import Costs
from daemon.core.overnight import Overnight
from state.entries import EngineQuarantined
from state.signals import Signal
from state.units import DAY_NS, HOUR_NS, utc_text
from tests.builders import bar, eurusd
from tests.stepping import M5, Scene, Scripts
from tests.unit.daemon.test_nights_by_hand import daily

EIGHT = 17_168 * DAY_NS + 8 * HOUR_NS
LONG = Signal(1, stop=1.099, trail_distance=0.001)
SHORT = Signal(-1, stop=1.101, trail_distance=0.001)


def run(signal: Signal, *rows: tuple[float, float, float, float], **script: object) -> Scene:
    """Run one engine that signals at a flat bar at 1.1, over these bars after it."""
    bars = [(1.1, 1.1, 1.1, 1.1), *rows]
    one = Scripts("EURUSD", "hand", {0: signal}, **script)  # type: ignore[arg-type]
    made = [bar(EIGHT + number * M5, *row) for number, row in enumerate(bars)]
    return Scene([eurusd()], [one]).run({"EURUSD": made})


def stops(scene: Scene) -> list[tuple[str, str, int]]:
    """Return instant, reason and stop of every plan."""
    return [(utc_text(one.at_ns)[11:16], one.reason, one.stop_ticks) for one in scene.plans()]


def test_a_long_follows_the_closes_and_is_stopped_in_profit() -> None:
    """Closes 1.1005, 1.102, 1.1012: stops 1.0995, 1.101, and 1.101 stays; sold at 1.10087.

    That is 0.00074 over the entry: a stop, and a win.
    """
    scene = run(
        LONG,
        (1.1, 1.1006, 1.0998, 1.1005),
        (1.1005, 1.1021, 1.1004, 1.102),
        (1.102, 1.102, 1.1011, 1.1012),
        (1.1012, 1.1013, 1.1005, 1.1006),
    )
    assert stops(scene) == [
        ("08:10", "ENTRY", 109_900),
        ("08:10", "TRAIL", 109_950),
        ("08:15", "TRAIL", 110_100),
    ]
    (leave,) = scene.exits()
    assert (leave.reason, scene.price(leave)) == ("SL", 1.10087)
    assert scene.portfolio.exits[-1].outcome == "win"


def test_a_short_follows_downwards() -> None:
    """Filled at 1.09987; closes 1.0995 and 1.098: stops 1.1005 and 1.099, bought at 1.09913."""
    scene = run(
        SHORT,
        (1.1, 1.1002, 1.0994, 1.0995),
        (1.0995, 1.0996, 1.0979, 1.098),
        (1.098, 1.0991, 1.098, 1.099),
    )
    assert [one[2] for one in stops(scene)] == [110_100, 110_050, 109_900]
    assert [scene.price(one) for one in scene.exits()] == [1.09913]


def test_the_entry_bar_never_meets_the_stop_that_its_close_made() -> None:
    """The entry bar falls to 1.0991 and closes at 1.1005: the stop of 1.0995 is for later bars."""
    scene = run(LONG, (1.1, 1.1006, 1.0991, 1.1005), (1.1005, 1.1006, 1.0996, 1.1))
    assert scene.exits() == []
    assert scene.portfolio.positions["EURUSD/hand"].stop_ticks == 109_950


def test_the_strategys_setting_is_in_initial_stop_distances() -> None:
    """0.5 x |1.10013 - 1.099| = 0.000565: 1.1005 - 0.000565 = 1.099935: 1.09994, the even tick."""
    scene = run(Signal(1, stop=1.099), (1.1, 1.1006, 1.1, 1.1005), trail_r=0.5)
    assert stops(scene)[-1] == ("08:10", "TRAIL", 109_994)


def test_a_signal_overrules_the_setting() -> None:
    """Its own 0.001 counts, not half of the stop distance."""
    scene = run(LONG, (1.1, 1.1006, 1.1, 1.1005), trail_r=0.5)
    assert stops(scene)[-1] == ("08:10", "TRAIL", 109_950)


def test_the_close_at_which_a_trade_is_filled_is_not_after_it() -> None:
    """``fill = "close"``: in at 1.10063 at the close of 1.1005; only the next close moves it."""
    rows = [(1.1, 1.1006, 1.1, 1.1005), (1.1005, 1.1011, 1.1004, 1.101)]
    one = Scripts("EURUSD", "hand", {0: Signal(1, stop=1.095, trail_distance=0.001)})
    made = [bar(EIGHT + number * M5, *row) for number, row in enumerate(rows)]
    scene = Scene([eurusd()], [one], costs=Costs(fill_at_close=True)).run({"EURUSD": made})
    assert stops(scene) == [("08:05", "ENTRY", 109_500), ("08:10", "TRAIL", 110_000)]


def test_bars_of_other_symbols_move_nothing() -> None:
    """GBPUSD closes at 08:20 where EURUSD has no bar: the stop stays where 08:15 put it."""

    pound = msgspec.structs.replace(eurusd(), symbol="GBPUSD")
    scripts = [Scripts("EURUSD", "hand", {0: LONG})]
    mine = [bar(EIGHT + n * M5, *(price,) * 4) for n, price in enumerate((1.1, 1.1005, 1.102))]
    theirs = [bar(EIGHT + n * M5, 1.3, 1.3, 1.3, 1.3) for n in range(4)]
    scene = Scene([eurusd(), pound], scripts).run({"EURUSD": mine, "GBPUSD": theirs})
    assert [one[0] for one in stops(scene)] == ["08:10", "08:10", "08:15"]


def test_a_widened_trail_rests_over_the_gap_and_then_follows_again() -> None:
    """Window end 08:15, closes at 1.1005: the stop of 1.0995 is widened by 0.0110013 to 1.08850.

    The next bar, at 08:15, falls to 1.0987 and does not exit; its close of 1.1002 takes the stop to
    1.0992, below the 1.0995 of before: a night's room is not a step back of the trail.
    """
    scene = run(
        LONG,
        (1.1, 1.1006, 1.0998, 1.1005),
        (1.1005, 1.1005, 1.1005, 1.1005),
        (1.1005, 1.1005, 1.0987, 1.1002),
        schedule=daily(8 * 3600, 8 * 3600 + 15 * 60),
        at_end="hold",
        overnight=Overnight(max_r=Decimal(99)),
    )
    assert stops(scene)[1:] == [
        ("08:10", "TRAIL", 109_950),
        ("08:15", "WIDENED", 108_850),
        ("08:20", "TRAIL", 109_920),
    ]
    assert scene.exits() == []


@pytest.mark.parametrize("distance", [0.0, -0.001, float("nan"), float("inf")])
def test_a_distance_that_is_none_quarantines_the_strategy(distance: float) -> None:
    """A trail must be a positive, finite price difference."""
    scene = run(Signal(1, stop=1.099, trail_distance=distance), (1.1, 1.1, 1.1, 1.1))
    (found,) = [one for one in scene.sink.entries if isinstance(one, EngineQuarantined)]
    assert "trail_distance must be finite and > 0" in found.error
