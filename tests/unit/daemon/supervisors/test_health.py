"""The health gate: what the last days say, halted by setting, reset by name, over restarts (A4)."""

from __future__ import annotations

import math
import statistics
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest

from config.load import load
from config.settings import Settings
from daemon.core.commands import Command
from daemon.core.supervisors.health import HealthJudge
from daemon.runtime.at_once import at_once
from state.entries import (
    AlarmRung,
    CashMoved,
    DayRolled,
    Decided,
    Entry,
    HaltCleared,
    HaltSet,
    HealthJudged,
    PortfolioOpened,
)
from state.ledger import CLOSED_DAYS_KEPT, apply
from state.portfolio import ClosedDay, Portfolio
from state.units import DAY_NS, SECOND_NS
from tests.gate_builders import DAY, marks, portfolio
from tests.trading import decisions, demo_settings, finish, go_on, journal_of, start


def book(ends: list[int], *, moved: dict[int, int] | None = None) -> Portfolio:
    """Make a portfolio that began with 1000 and ended its days so; the present one is DAY."""
    starts = [1000, *ends][: len(ends)]
    first = DAY - len(ends)
    days = [
        ClosedDay(first + n, Decimal(a), Decimal(b), Decimal((moved or {}).get(n, 0)))
        for n, (a, b) in enumerate(zip(starts, ends, strict=True))
    ]
    return portfolio(closed_days=days, day_start_equity=Decimal(ends[-1] if ends else 1000))


def judged(
    ends: list[int],
    equity: float,
    *,
    sharpe: float | None = None,
    drawdown: float | None = None,
    days: int = 60,
    halts: bool = True,
    moved: dict[int, int] | None = None,
) -> list[Entry]:
    """Judge these days and a present one that is at ``equity``; two days are enough."""
    judge = HealthJudge(sharpe, drawdown, min_days=2, days=days, halts=halts)
    return list(judge.look(marks(book(ends, moved=moved), equity=equity)))


def test_a_drawdown_by_hand() -> None:
    """1000, 1100, 990, now 880: 20 % below 1100. A limit of 20 % is kept, one of 19.9 % is not."""
    (kept,) = judged([1100, 990], 880.0, drawdown=0.2)
    assert isinstance(kept, HealthJudged)
    assert (kept.days, kept.problems, kept.action) == (3, (), "halt")
    assert kept.drawdown == pytest.approx(0.2)
    verdict, halt = judged([1100, 990], 880.0, drawdown=0.199)
    assert isinstance(verdict, HealthJudged)
    assert verdict.problems == ("drawdown 20.000 % of 3 days is above 19.9 %",)
    assert isinstance(halt, HaltSet)
    assert (halt.name, halt.code, halt.day) == ("health", "HEALTH_BELOW", 0)
    assert (halt.observed, halt.limit) == ("drawdown 20.000 %", "at most 19.9 %")


def test_a_sharpe_by_hand() -> None:
    """Mean over sample deviation of the days' returns, times the root of 365.25 days a year."""
    ends, equity = [1010, 1005, 1020], 1018.0
    curve = [1000.0, *map(float, ends), equity]
    returns = [b / a - 1 for a, b in pairwise(curve)]
    expected = statistics.mean(returns) / statistics.stdev(returns) * math.sqrt(365.25)
    (verdict,) = judged(ends, equity, sharpe=expected - 0.01)
    assert isinstance(verdict, HealthJudged)
    assert verdict.sharpe == pytest.approx(expected)
    verdict, halt = judged(ends, equity, sharpe=expected + 0.01)
    assert isinstance(halt, HaltSet)
    assert halt.limit == f"at least {expected + 0.01:g}"


def test_deposits_are_no_profit() -> None:
    """A withdrawal of 500 from 1000, and a loss of 5 of it: half a percent, no drawdown of half."""
    (verdict,) = judged([495], 495.0, drawdown=0.01, moved={0: -500})
    assert isinstance(verdict, HealthJudged)
    assert verdict.drawdown == pytest.approx(0.005)


def test_only_so_many_days_back() -> None:
    """With three days an old fall is forgotten; with too few of them nothing is said."""
    ends = [500, 510, 520, 530]
    assert len(judged(ends, 540.0, drawdown=0.1)) == 2
    assert len(judged(ends, 540.0, drawdown=0.1, days=3)) == 1
    assert judged([], 1.0, drawdown=0.1) == []


def test_alert_does_not_halt() -> None:
    """The judgement is journalled with its problems, and nothing else follows."""
    (verdict,) = judged([1000], 800.0, drawdown=0.1, halts=False)
    assert isinstance(verdict, HealthJudged)
    assert (verdict.action, len(verdict.problems)) == ("alert", 1)


@pytest.mark.parametrize("equity", [math.nan, math.inf, -math.inf, 0.0, -5.0])
def test_what_cannot_be_told_says_no(equity: float) -> None:
    """An equity that is no number, or gone, is a loss of everything; never raised."""
    verdict, halt = judged([1000, 1001], equity, drawdown=0.9, sharpe=0.0)
    assert isinstance(verdict, HealthJudged)
    assert isinstance(halt, HaltSet)
    assert verdict.drawdown == 1.0


def test_flat_equity_passes() -> None:
    """A Sharpe ratio that is not defined is no reason to halt who did not trade."""
    (verdict,) = judged([1000, 1000], 1000.0, sharpe=1.0, drawdown=0.1)
    assert isinstance(verdict, HealthJudged)
    assert (verdict.sharpe, verdict.problems) == (None, ())


def test_halted_once() -> None:
    """While the halt is in force the judgement goes on and the halt is not set again."""
    judge = HealthJudge(None, 0.1, min_days=2, days=60, halts=True)
    held = book([1000])
    verdict, halt = judge.look(marks(held, equity=800.0))
    assert isinstance(halt, HaltSet)
    held.halts["health"] = halt
    assert list(judge.look(marks(held, equity=800.0))) == [verdict]


# The ledger ---------------------------------------------------------------------------------------


def rolled(day: int, start: int, end: int) -> DayRolled:
    """Return the end of a day."""
    zero = Decimal(0)
    return DayRolled(
        day * DAY_NS, day, day + 1, Decimal(start), Decimal(end), zero, zero, 0, 0.0, 0
    )


def test_the_ledger_keeps_the_days() -> None:
    """Money that moved on a day is kept with it, the oldest of 367 goes, a reset begins anew."""
    held = Portfolio()
    opened = PortfolioOpened(DAY_NS, 1, "main", "USD", "UTC", Decimal(1000))
    entries: list[Entry] = [
        opened,
        CashMoved(DAY_NS, Decimal(50), "in"),
        rolled(1, 1000, 1060),
        rolled(2, 1060, 1070),
    ]
    for seq, entry in enumerate(entries, start=1):
        apply(held, seq, entry)
    assert [(one.day, one.moved) for one in held.closed_days] == [(1, Decimal(50)), (2, Decimal(0))]
    for day in range(3, CLOSED_DAYS_KEPT + 3):
        apply(held, held.seq + 1, rolled(day, 1000, 1000))
    assert len(held.closed_days) == CLOSED_DAYS_KEPT
    assert held.closed_days[0].day == 3
    apply(held, held.seq + 1, HaltCleared(400 * DAY_NS, "operator", "no matter"))
    assert len(held.closed_days) == CLOSED_DAYS_KEPT
    apply(held, held.seq + 1, HaltCleared(400 * DAY_NS, "health", "looked at"))
    assert held.closed_days == []


# At work ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Return the demo's settings with a gate that its second losing week does not pass."""
    folder = tmp_path_factory.mktemp("health")
    demo_settings(folder)
    path = folder / "foliod.toml"
    text = path.read_text()
    text += '\n[risk.health]\nmax_drawdown = 0.02\nmin_days = 5\naction = "halt"\n'
    path.write_text(text)
    return load([path], {})


@pytest.fixture(scope="module")
def unbroken(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the home of a run that nothing stopped."""
    home = tmp_path_factory.mktemp("unbroken")
    finish(start(settings, home))
    return home


def test_it_halts_a_portfolio(settings: Settings, unbroken: Path) -> None:
    """Judged at each end of day from the fifth on; from the first no on every entry is denied."""
    entries = journal_of(unbroken)
    rung = [one.at_ns for one in entries if isinstance(one, AlarmRung) and one.name == "end_of_day"]
    found = [one for one in entries if isinstance(one, HealthJudged)]
    assert [one.at_ns for one in found] == rung[4:]
    assert [one.days for one in found[:3]] == [5, 6, 7]
    (halt,) = [one for one in entries if isinstance(one, HaltSet) and one.name == "health"]
    first = next(one for one in found if one.problems)
    assert first.at_ns == halt.at_ns
    after = [one for one in entries if isinstance(one, Decided) and one.at_ns > halt.at_ns]
    assert len(after) > 20
    assert all(
        one.outcome != "ACCEPTED" for one in after if one.action.__class__.__name__ == "Signal"
    )
    halted = [one for one in after if one.outcome == "HALTED"]
    verdict = next(one for one in halted[0].verdicts if not one.allowed)
    assert verdict.observed.startswith("health HEALTH_BELOW: drawdown")


def test_restarts_change_no_judgement(settings: Settings, unbroken: Path, tmp_path: Path) -> None:
    """Killed again and again, in the middle of days: the same journal."""
    for count in (700, 900, 1, 1500, 333, 2000):
        trading = start(settings, tmp_path)
        go_on(trading, count)
        trading.close()
    finish(start(settings, tmp_path))
    assert decisions(tmp_path) == decisions(unbroken)


def test_a_reset_begins_anew(settings: Settings, tmp_path: Path) -> None:
    """Reset by name: entries pass again, and the next judgement is five days later."""
    trading = start(settings, tmp_path)
    held = trading.core.portfolio
    while "health" not in held.halts and go_on(trading, 1):
        pass
    at_ns = trading.now_ns + SECOND_NS
    at_once(trading.give(Command(at_ns, "reset", "health", "looked at")))
    assert "health" not in held.halts
    finish(trading)
    later = [one for one in journal_of(tmp_path) if one.at_ns > at_ns]
    following = [one for one in later if isinstance(one, HealthJudged)]
    rung = [one for one in later if isinstance(one, AlarmRung) and one.name == "end_of_day"]
    assert following[0].days == 5
    assert following[0].at_ns == rung[3].at_ns, "the day of the reset is the first of the five"
    assert any(isinstance(one, Decided) and one.outcome == "ACCEPTED" for one in later)


def test_without_a_threshold_nothing_is_judged(tmp_path: Path) -> None:
    """Off by default: no entry of it in the journal, and the same hash as before there was one."""
    settings = demo_settings(tmp_path)
    assert not settings.risk.health.is_on
    home = tmp_path / "home"
    trading = start(settings, home)
    go_on(trading, 2000)
    trading.close()
    assert not [one for one in journal_of(home) if isinstance(one, HealthJudged)]
