"""The day of one strategy: trades, R-stop, win-lock (R2)."""

from __future__ import annotations

import pytest

from daemon.core.supervisors.strategy_day import StrategyDay, StrategyDayWatch
from state.entries import HaltSet
from state.portfolio import DayStats, Portfolio
from state.units import HOUR_NS
from tests.gate_builders import DAY, NOW_NS, counted, halt, marks, portfolio, question


def _with_r(r: float, *, trades: int = 1) -> Portfolio:
    return portfolio(days={DAY: DayStats(DAY, r=r, trades=trades, strategy_r={"lsg": r})})


def test_trades_count_the_strategy_and_the_day_over_all_symbols() -> None:
    """R2: three entries of lsg today, one yesterday and one of orb; the fourth is denied."""
    entries = [
        counted(NOW_NS - 10 * HOUR_NS, day=DAY - 1),
        counted(NOW_NS - 3 * HOUR_NS),
        counted(NOW_NS - 2 * HOUR_NS, "GBPUSD"),
        counted(NOW_NS - HOUR_NS, strategy="orb"),
    ]
    gate = StrategyDay(3, -2.0, None)
    verdict = gate.ask(question(portfolio(counted=entries)))
    assert (verdict.code, verdict.observed) == ("STRATEGY_WITHIN", "2 trades, 0.000 R")
    full = portfolio(counted=[*entries, counted(NOW_NS, "USDJPY")])
    verdict = gate.ask(question(full))
    assert (verdict.code, verdict.observed, verdict.limit) == (
        "STRATEGY_TRADES",
        "3 trades",
        "3 trades",
    )
    assert gate.ask(question(full, strategy="orb")).allowed
    assert gate.ask(question(full, day=DAY + 1)).allowed


@pytest.mark.parametrize(
    ("r", "code"),
    [
        (-1.99, "STRATEGY_WITHIN"),
        (-2.0, "STRATEGY_R_STOP"),
        (2.99, "STRATEGY_WITHIN"),
        (3.0, "STRATEGY_WIN_LOCK"),
        (sum([-0.1] * 20), "STRATEGY_R_STOP"),  # -2.0000000000000004 or so, by luck
        (sum([0.1] * 30), "STRATEGY_WIN_LOCK"),  # 2.9999999999999996
    ],
)
def test_gate_and_watch_agree_on_realised_r(r: float, code: str) -> None:
    """R2: realised R <= -2 stops, >= 3 locks; the watch latches exactly what the gate denies."""
    book = _with_r(r)
    assert StrategyDay(3, -2.0, 3.0).ask(question(book)).code == code
    found = StrategyDayWatch(-2.0, 3.0).look(marks(book))
    assert [entry.code for entry in found if isinstance(entry, HaltSet)] == (
        [] if code == "STRATEGY_WITHIN" else [code]
    )


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("strategy_r_stop/lsg", "STRATEGY_R_STOP"),
        ("strategy_win_lock/lsg", "STRATEGY_WIN_LOCK"),
    ],
)
def test_latch_denies_its_strategy_for_its_day(name: str, code: str) -> None:
    """RSK-2: a latched strategy stays out, even when the limit is off since or R moved back."""
    book = portfolio(halts={name: halt(name, day=DAY)})
    for gate in (StrategyDay(3, -2.0, 3.0), StrategyDay(None, None, None)):
        assert gate.ask(question(book)).code == code
        assert gate.ask(question(book, strategy="orb")).allowed
        assert gate.ask(question(book, day=DAY + 1)).allowed


def test_switched_off_limits_allow() -> None:
    """R2: each limit may be off."""
    book = _with_r(-9.0)
    book.counted = [counted(NOW_NS - n) for n in range(9, 0, -1)]
    assert StrategyDay(None, None, None).ask(question(book)).allowed
    assert not StrategyDayWatch(None, None).look(marks(book))


def test_watch_latches_each_strategy_once_a_day() -> None:
    """R2: names carry the strategy; a trade that closes later latches nothing twice."""
    book, watch = _with_r(-2.5), StrategyDayWatch(-2.0, None)
    book.days[DAY].strategy_r["arls"] = -2.0
    found = watch.look(marks(book))
    names = [entry.name for entry in found if isinstance(entry, HaltSet)]
    assert names == ["strategy_r_stop/arls", "strategy_r_stop/lsg"]
    for entry in found:
        assert isinstance(entry, HaltSet)
        assert entry.day == DAY
        book.halts[entry.name] = entry
    book.days[DAY].trades += 1
    assert not watch.look(marks(book))
    # The gate and a restarted watch know it from the journal alone.
    assert not StrategyDayWatch(-2.0, None).look(marks(book))


def test_watch_sees_a_trade_that_closes_after_quiet_looks() -> None:
    """A look with nothing new costs nothing, and a new trade is looked at."""
    book, watch = _with_r(-1.0), StrategyDayWatch(-2.0, None)
    assert not watch.look(marks(book))
    book.days[DAY].trades, book.days[DAY].strategy_r["lsg"] = 2, -2.0
    assert len(watch.look(marks(book))) == 1
    # The first trade of a new day brings the same count of 1: the day tells them apart.
    book.days[DAY + 1] = DayStats(DAY + 1, trades=2, strategy_r={"lsg": -3.0})
    assert len(watch.look(marks(book, day=DAY + 1))) == 1
