"""The trading day: it never goes back, and what is latched for it is latched until it rolls."""

from __future__ import annotations

from daemon.core.commands import Command, take
from daemon.core.supervisors.rstop import RStop, RStopWatch
from daemon.runtime.wanted import wanted
from state.entries import Decided, HaltCleared
from state.signals import Signal
from state.units import DAY_NS, EPOCH_ORDINAL, HOUR_NS
from tests.builders import bar, eurusd
from tests.stepping import M5, Scene, Scripts

EIGHT = 17_168 * DAY_NS + 8 * HOUR_NS
"""2017-01-02 08:00 UTC, a Monday."""
DAY = 17_168 + EPOCH_ORDINAL
LONG = Signal(1, stop=1.099)


def _stopped_out() -> Scene:
    """Lose one R by 08:10 under an R-stop of -1."""
    stop = -1.0
    scene = Scene(
        [eurusd()],
        [Scripts("EURUSD", "hand", {0: LONG, 2: LONG})],
        gates=[RStop(stop, open_r=True, worst_case=False)],
        watches=[RStopWatch(stop, open_r=True)],
    )
    bars = [bar(EIGHT, 1.1, 1.1, 1.1, 1.1), bar(EIGHT + M5, 1.1, 1.1, 1.098, 1.1)]
    scene.step({"EURUSD": bars})
    assert "r_stop" in scene.portfolio.halts
    return scene


def test_a_clock_that_steps_back_decides_on_the_day_that_began() -> None:
    """RSK-2: a wish at an instant of yesterday is one of today, and meets today's latch."""
    scene = _stopped_out()
    engine = scene.desk.engines["EURUSD/hand"]
    yesterday = EIGHT - DAY_NS
    assert scene.portfolio.day == DAY

    late = bar(yesterday, 1.1, 1.1, 1.1, 1.1)
    batch = scene.desk.decide(engine, late, LONG, yesterday + M5)

    (decided,) = batch.entries
    assert isinstance(decided, Decided)
    assert (decided.day, decided.outcome) == (DAY, "R_STOP_REACHED")
    assert scene.desk.marks(yesterday).day == DAY


def test_an_r_stop_is_not_reset_by_name() -> None:
    """RSK-2: once journalled it admits no further risk that day, whoever asks."""
    scene = _stopped_out()
    now_ns = scene.portfolio.now_ns

    batch = take(scene.desk, Command(now_ns, "reset", "r_stop", "it was bad luck"))
    answer = wanted("reset", "r_stop", scene.portfolio, (), "")

    assert not any(isinstance(one, HaltCleared) for one in batch.entries)
    assert answer.command == ""
    assert "until the trading day rolls" in answer.why_not


def test_a_latch_ends_with_its_day() -> None:
    """The roll ends it: control of the rule above."""
    scene = _stopped_out()
    tomorrow = bar(EIGHT + DAY_NS, 1.1, 1.1, 1.1, 1.1)

    scene.step({"EURUSD": [tomorrow]})

    assert scene.portfolio.halts == {}
    assert scene.decisions()[-1].outcome == "ACCEPTED"
