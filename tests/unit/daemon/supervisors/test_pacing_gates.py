"""Pacing by number and distance (P1): day, rolling hour, spacing, symbol spacing."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from daemon.core.supervisors.pacing import DailyCap, HourlyCap, Spacing, SymbolSpacing
from state.portfolio import CountedEntry
from state.units import HOUR_NS, SECOND_NS, utc_ns
from tests.gate_builders import DAY, NOW_NS, counted, portfolio, question


def _ago(*seconds: float, symbol: str = "EURUSD") -> list[CountedEntry]:
    return [counted(NOW_NS - round(ago * SECOND_NS), symbol) for ago in seconds]


def test_daily_cap_denies_the_entry_after_the_last() -> None:
    """P1: with 3 a day the fourth is denied, and the roll of the day frees it."""
    book = portfolio(counted=_ago(900, 600, 300))
    gate = DailyCap(3)
    verdict = gate.ask(question(book))
    assert (verdict.code, verdict.observed, verdict.limit) == ("DAILY_CAP", "3 entries", "3 a day")
    assert gate.ask(question(book, day=DAY + 1)).code == "PACE_WITHIN"
    assert DailyCap(4).ask(question(book)).code == "PACE_WITHIN"


def test_daily_cap_counts_days_of_the_portfolios_zone() -> None:
    """S3: in Sydney the day rolls at 13:00 UTC in January, in the middle of a UTC day."""
    zone = ZoneInfo("Australia/Sydney")
    before = datetime(2024, 1, 10, 12, 59, tzinfo=UTC)
    after = datetime(2024, 1, 10, 13, 0, tzinfo=UTC)
    tenth, eleventh = (moment.astimezone(zone).date().toordinal() for moment in (before, after))
    assert eleventh == tenth + 1
    book = portfolio(counted=[counted(utc_ns(before), day=tenth)])
    gate = DailyCap(1)
    assert gate.ask(question(book, now_ns=utc_ns(before) + 1, day=tenth)).code == "DAILY_CAP"
    assert gate.ask(question(book, now_ns=utc_ns(after), day=eleventh)).code == "PACE_WITHIN"


@pytest.mark.parametrize(
    ("oldest_s", "code"),
    [
        (3599.999999999, "HOURLY_CAP"),
        (3600, "PACE_WITHIN"),  # (T - 3600 s, T] leaves out exactly 3600 s ago
        (3601, "PACE_WITHIN"),
    ],
)
def test_rolling_hour_is_open_at_its_start(oldest_s: float, code: str) -> None:
    """Pacing: the rolling hour is (T - 3600 s, T]."""
    assert HourlyCap(2).ask(question(portfolio(counted=_ago(oldest_s, 10)))).code == code


def test_rolling_hour_includes_t() -> None:
    """Pacing: an entry decided at T by an engine asked before counts already."""
    assert HourlyCap(1).ask(question(portfolio(counted=_ago(0)))).code == "HOURLY_CAP"


def test_hourly_cap_is_free_when_its_oldest_entry_leaves_the_hour() -> None:
    """P1: with 2 an hour and entries 50, 40 and 10 min ago, two of them leave before one fits."""
    book = portfolio(counted=_ago(3000, 2400, 600))
    gate = HourlyCap(2)
    free_ns = gate.free_ns(book)
    assert free_ns == NOW_NS - 2400 * SECOND_NS + HOUR_NS
    assert not gate.ask(question(book, now_ns=free_ns - 1)).allowed
    assert gate.ask(question(book, now_ns=free_ns)).allowed
    assert HourlyCap(4).free_ns(book) == 0


@pytest.mark.parametrize(
    ("spacing_s", "ago_s", "allowed"),
    [(180, 179.999, False), (180, 180, True), (180, 0, False), (0, 0, True)],
)
def test_spacing_is_between_any_two_entries(spacing_s: int, ago_s: float, allowed: bool) -> None:
    """P1: at exactly the distance it is allowed; zero switches it off (P2)."""
    gate = Spacing(spacing_s)
    book = portfolio(counted=_ago(ago_s, symbol="GBPUSD"))
    verdict = gate.ask(question(book))
    assert verdict.code == ("PACE_WITHIN" if allowed else "SPACING")
    free_ns = NOW_NS + round((spacing_s - ago_s) * SECOND_NS)
    assert gate.free_ns(book) == (free_ns if spacing_s else 0)


def test_spacing_shows_the_time_since() -> None:
    """R7: observed and limit in seconds."""
    verdict = Spacing(180).ask(question(portfolio(counted=_ago(60))))
    assert (verdict.observed, verdict.limit) == ("60 s ago", "180 s")
    assert Spacing(180).ask(question()).observed == "no entry yet"


@pytest.mark.parametrize(
    ("spacing_s", "ago_s", "allowed"),
    [(900, 899, False), (900, 900, True), (0, 0, True), (86_400, 86_399, False)],
)
def test_symbol_spacing_looks_past_other_symbols(
    spacing_s: int, ago_s: float, allowed: bool
) -> None:
    """P1: entries of other symbols after it neither hide nor make a distance."""
    entries = sorted([*_ago(ago_s), *_ago(5, 0, symbol="GBPUSD")], key=lambda entry: entry.at_ns)
    verdict = SymbolSpacing(spacing_s).ask(question(portfolio(counted=entries)))
    assert verdict.code == ("PACE_WITHIN" if allowed else "SYMBOL_SPACING")


@pytest.mark.parametrize("gate", [DailyCap, HourlyCap])
def test_counts_start_at_one(gate: type[DailyCap] | type[HourlyCap]) -> None:
    """P2: a count of 0 is refused when the gate is made; None switches it off."""
    with pytest.raises(ValueError, match="from 1 on, found 0"):
        gate(0)
    assert gate(None).ask(question(portfolio(counted=_ago(3, 2, 1)))).allowed
