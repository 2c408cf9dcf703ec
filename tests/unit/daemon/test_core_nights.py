"""Windows and bars over midnight, worked out by hand; costs as in ``test_core_corners``."""

from __future__ import annotations

from typing import Any

import pytest

from daemon.core.calendar import Schedule, WindowSpec
from daemon.core.supervisors.rstop import RStopWatch
from state.entries import DayRolled, HaltSet
from state.signals import Signal
from state.units import DAY_NS, HOUR_NS, MINUTE_NS, utc_text
from tests.builders import bar, eurusd
from tests.stepping import M5, Scene, Scripts

EIGHT = 17_168 * DAY_NS + 8 * HOUR_NS
"""2017-01-02 08:00 UTC, a Monday."""
WORKDAYS = frozenset(range(5))
LONG = Signal(1, stop=1.099)


def hand(script: dict[int, Any], name: str = "hand", **more: Any) -> Scripts:  # noqa: ANN401
    """Make an engine on EURUSD."""
    return Scripts("EURUSD", name, script, **more)


def halts(scene: Scene) -> list[tuple[str, str]]:
    """Return name and instant of every halt."""
    found = [x for x in scene.sink.entries if isinstance(x, HaltSet)]
    return [(x.name, utc_text(x.at_ns)[11:16]) for x in found]


def test_a_window_over_midnight_closes_on_the_next_date() -> None:
    """22:00-02:00 UTC: bought at 23:55, the day rolls, sold at 02:00 of Tuesday."""
    night = Schedule([WindowSpec(22 * 3600, 2 * 3600, "UTC", WORKDAYS)])
    start = (EIGHT // DAY_NS) * DAY_NS + 23 * HOUR_NS + 50 * MINUTE_NS
    bars = [bar(start + n * M5, 1.1, 1.1, 1.1, 1.1) for n in range(28)]
    scene = Scene([eurusd()], [hand({0: LONG}, schedule=night)]).run({"EURUSD": bars})
    assert [(x.reason, utc_text(x.filled_ns)) for x in scene.exits()] == [
        ("TIME", "2017-01-03T02:00:00Z")
    ]
    assert scene.exits()[0].day - scene.fills("entry")[0].day == 1


def test_an_hour_over_a_half_hour_midnight_belongs_to_the_day_it_opened() -> None:
    """Asia/Kolkata rolls at 18:30 UTC, inside the bar 18:00-19:00 whose stop is hit.

    "Stop fills belong to the trading day in which the bar opened": R counts for 2 January although
    3 January began at 18:30, and the R-stop of -1 R does not latch 3 January.
    """
    hour = [
        bar((EIGHT // DAY_NS) * DAY_NS + n * HOUR_NS, 1.1, 1.1, low, 1.1, minutes=60)
        for n, low in ((16, 1.1), (17, 1.1), (18, 1.098), (19, 1.1))
    ]
    scene = Scene(
        [eurusd()],
        [hand({0: LONG}, interval_ns=HOUR_NS)],
        watches=[RStopWatch(-1.0, open_r=True)],
        zone="Asia/Kolkata",
    ).run({"EURUSD": hour})
    rolled = next(x for x in scene.sink.entries if isinstance(x, DayRolled))
    leave = scene.exits()[0]
    assert utc_text(rolled.at_ns)[11:16] == "18:30"
    assert (leave.reason, leave.day, rolled.next_day) == ("SL", rolled.day, leave.day + 1)
    assert scene.portfolio.days[rolled.day].r == pytest.approx(-126 / 113, abs=1e-12)
    assert halts(scene) == []
