"""Pacing as a whole: the order of its gates, what cools down, when the next entry may come."""

from __future__ import annotations

from daemon.core.pace import Pace, PaceLimits
from state.units import HOUR_NS, MINUTE_NS, SECOND_NS
from tests.gate_builders import DAY, NOW_NS, closed, counted, portfolio, question


def test_gates_stand_in_the_order_of_p1() -> None:
    """P1: streak, day, hour, spacing, then per symbol cooldown and spacing."""
    assert [gate.name for gate in Pace(PaceLimits()).gates] == [
        "loss_streak",
        "per_day",
        "per_hour",
        "spacing",
        "symbol_cooldown",
        "symbol_spacing",
    ]


def test_every_gate_answers_and_the_first_denial_binds() -> None:
    """Gates: all deny here, in their order; the first is the binding one."""
    book = portfolio(counted=[counted(NOW_NS - SECOND_NS)], exits=[closed(NOW_NS - 1, "stop")])
    limits = PaceLimits(per_hour=1, per_day=1, loss_streak=1)
    codes = [gate.ask(question(book)).code for gate in Pace(limits).gates]
    assert codes == [
        "LOSS_STREAK",
        "DAILY_CAP",
        "HOURLY_CAP",
        "SPACING",
        "SYMBOL_COOLDOWN",
        "SYMBOL_SPACING",
    ]


def test_without_limits_every_gate_allows() -> None:
    """Pacing switched off: the gates are there and answer."""
    entries = [counted(NOW_NS)] * 500
    book = portfolio(counted=entries, exits=[closed(NOW_NS, "stop", run=9)])
    pace = Pace(None)
    assert all(gate.ask(question(book)).allowed for gate in pace.gates)
    assert pace.cooldowns(book, NOW_NS) == []
    assert pace.next_allowed_ns(book, NOW_NS) == NOW_NS


def test_defaults_are_those_of_p2() -> None:
    """P2: 180 s, 900 s, 5, 120, win 10, loss 60, stop 120 min, 3 losses -> 60 min."""
    limits = PaceLimits()
    assert (limits.spacing_s, limits.symbol_spacing_s) == (180, 900)
    assert (limits.per_hour, limits.per_day) == (5, 120)
    assert (limits.cooldown_win_m, limits.cooldown_loss_m, limits.cooldown_stop_m) == (10, 60, 120)
    assert (limits.loss_streak, limits.loss_streak_cooldown_m) == (3, 60)
    assert limits.adaptive is False


def test_cooldowns_list_the_streak_first_then_symbols_by_name() -> None:
    """P3: what runs can be listed with its time left."""
    exits = [
        closed(NOW_NS - 30 * MINUTE_NS, "stop", symbol="GBPUSD", run=3),
        closed(NOW_NS - 5 * MINUTE_NS, "win", symbol="EURUSD"),
        closed(NOW_NS - 11 * MINUTE_NS, "win", symbol="USDJPY"),
    ]
    found = Pace(PaceLimits()).cooldowns(portfolio(exits=exits), NOW_NS)
    assert [(one.name, one.kind, one.left_s) for one in found] == [
        ("loss_streak", "streak", 1800.0),
        ("EURUSD", "win", 300.0),
        ("GBPUSD", "stop", 5400.0),
    ]


def test_next_allowed_is_the_last_of_the_portfolios_limits() -> None:
    """Spacing ends at +120 s, the hour of five at +10 min, the streak at +30 min."""
    pace = Pace(PaceLimits())
    book = portfolio(counted=[counted(NOW_NS - 60 * SECOND_NS)])
    assert pace.next_allowed_ns(book, NOW_NS) == NOW_NS + 120 * SECOND_NS
    book.counted = [counted(NOW_NS - (50 - n) * MINUTE_NS) for n in range(5)]
    assert pace.next_allowed_ns(book, NOW_NS) == NOW_NS + 10 * MINUTE_NS
    book.exits = [closed(NOW_NS - 30 * MINUTE_NS, run=3)]
    assert pace.next_allowed_ns(book, NOW_NS) == NOW_NS + 30 * MINUTE_NS


def test_next_allowed_after_a_spent_day_is_the_next_day() -> None:
    """P1: only the roll of the trading day ends the daily cap."""
    pace = Pace(PaceLimits(per_day=1))
    book = portfolio(counted=[counted(NOW_NS - 2 * HOUR_NS, day=DAY)])
    assert pace.next_allowed_ns(book, NOW_NS, NOW_NS + 15 * HOUR_NS) == NOW_NS + 15 * HOUR_NS


def test_used_counts_hour_and_day() -> None:
    """Status shows how much of the two caps is used."""
    entries = [
        counted(NOW_NS - 20 * HOUR_NS, day=DAY - 1),
        counted(NOW_NS - 2 * HOUR_NS),
        counted(NOW_NS - 1),
    ]
    assert Pace(PaceLimits()).used(portfolio(counted=entries), NOW_NS) == (1, 2)
