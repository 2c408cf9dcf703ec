"""Positions over nights and kills: held, widened once, re-armed, out once (S1, S5, REC-5, SLT-3).

Five-minute bars of EURUSD from a file, a strategy of the user's own that buys at its first bar. The
numbers are those of tests/unit/daemon/test_nights_by_hand.py: filled at 1.10013, the stop of 1.07
is widened to 1.05900.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.runtime.at_once import at_once
from daemon.trading import Trading
from state import verify_fold
from state.entries import DayRolled, Filled, PlanSet, WideningRefused
from state.units import utc_text
from tests.history.checker import check_folder
from tests.nights import GAP, LATE, ns, portfolio
from tests.trading import decisions, finish, go_on, go_to, journal_of, start


def guard_of(trading: Trading) -> tuple[int, int | None]:
    """Return the stop and target that rest at the broker."""
    (slot,) = [one for book in trading.core.broker.books.values() for one in book.slots.values()]
    assert slot.guard is not None
    return slot.guard.stop_ticks, slot.guard.target_ticks


def test_held_widened_killed_at_night_and_out_once_at_the_open(tmp_path: Path) -> None:
    """Day 1: in at 08:05, widened at 09:00. Night: killed. Day 2: opens at 1.05, out at 1.04987."""
    settings, home = portfolio(tmp_path, GAP), tmp_path / "home"
    trading = start(settings, home)
    go_to(trading, ns("2017-01-02 16:00"))
    assert guard_of(trading) == (105_900, 121_100)
    trading.close()

    trading = start(settings, home)
    assert guard_of(trading) == (105_900, 121_100)
    position = trading.core.portfolio.positions["EURUSD/hand"]
    assert (position.stop_ticks, position.initial_stop_ticks) == (105_900, 107_000)
    finish(trading)

    entries = journal_of(home)
    plans = [one for one in entries if isinstance(one, PlanSet)]
    assert [(one.reason, utc_text(one.at_ns)[:16]) for one in plans] == [
        ("ENTRY", "2017-01-02T08:10"),
        ("WIDENED", "2017-01-02T09:00"),
    ]
    entry, leave = [one for one in entries if isinstance(one, Filled)]
    assert (leave.leg, leave.fill_ticks, leave.lots) == ("stop", 104_987, entry.lots)
    assert leave.bar_open_ns == ns("2017-01-03 07:00")
    (rolled,) = [one for one in entries if isinstance(one, DayRolled)]
    assert [(one.symbol, one.stop_ticks) for one in rolled.positions] == [("EURUSD", 105_900)]
    assert verify_fold.check(home / "foliod.db") == []


@pytest.mark.parametrize("trail", [None, 0.02])
def test_killed_over_and_over_plans_move_as_if_unbroken(
    tmp_path: Path, trail: float | None
) -> None:
    """Three nights, the second waiting for its first bar, killed after every third bar: same bytes.

    Once killed after the second window's end and before the bar that its widening waits for.
    """
    settings = portfolio(tmp_path, LATE, trail=trail, max_r=9)
    unbroken = start(settings, tmp_path / "unbroken")
    closes = []
    while go_on(unbroken, 1):
        closes.append(unbroken.now_ns)
    finish(unbroken)
    kills = 0
    trading = start(settings, tmp_path / "broken")
    for close_ns in closes[1::3]:
        coming = trading.coming()
        if coming is not None and coming.now_ns > ns("2017-01-03 10:00") > trading.now_ns:
            at_once(trading.stepper.advance(ns("2017-01-03 09:30")))
            trading.close()
            trading = start(settings, tmp_path / "broken")
        go_to(trading, close_ns)
        trading.close()
        trading = start(settings, tmp_path / "broken")
        kills += 1
    finish(trading)

    assert kills > 25
    assert decisions(tmp_path / "broken") == decisions(tmp_path / "unbroken")
    report = check_folder(tmp_path / "broken", tmp_path / "foliod.toml")
    assert (report.found, report.left_out) == ([], [])
    nights = [
        utc_text(one.at_ns)[:16]
        for one in journal_of(tmp_path / "broken")
        if isinstance(one, PlanSet) and one.reason == "WIDENED"
    ]
    assert nights == ["2017-01-02T09:00", "2017-01-03T10:05", "2017-01-04T09:00"]


def test_time_told_between_bars_widens_once_and_kills_change_nothing(tmp_path: Path) -> None:
    """Told of each half hour of the nights, as a live clock does, and killed every time."""
    settings = portfolio(tmp_path, LATE, max_r=9)
    finish(start(settings, tmp_path / "unbroken"))
    home = tmp_path / "told"
    trading = start(settings, home)
    while (coming := trading.coming()) is not None:
        for now_ns in range(trading.now_ns + 1, coming.now_ns, 30 * 60 * 10**9):
            at_once(trading.stepper.advance(now_ns))
            if now_ns - trading.now_ns > 3600 * 10**9:
                trading.close()
                trading = start(settings, home)
        at_once(trading.step(trading.take()))
    at_once(trading.end_history())
    trading.close()

    assert decisions(home) == decisions(tmp_path / "unbroken")
    assert check_folder(home, tmp_path / "foliod.toml").found == []


def test_a_refused_widening_is_not_asked_again_after_a_kill(tmp_path: Path) -> None:
    """The second night is refused at 10:05 of its day; killed right after, it stays refused."""
    settings, home = portfolio(tmp_path, LATE), tmp_path / "home"
    trading = start(settings, home)
    go_to(trading, ns("2017-01-03 10:05"))
    trading.close()
    finish(start(settings, home))

    refused = [one for one in journal_of(home) if isinstance(one, WideningRefused)]
    assert [(utc_text(one.at_ns)[:16], one.code) for one in refused] == [
        ("2017-01-03T10:05", "OVERNIGHT_RISK"),
        ("2017-01-04T09:00", "OVERNIGHT_RISK"),
    ]
