"""Kill switch, halts, freshness, one position per engine, sizing: the gates that only look."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from daemon.core.supervision import Sizing
from daemon.core.supervisors.freshness import Freshness
from daemon.core.supervisors.halts import Halts
from daemon.core.supervisors.killswitch import KillSwitch
from daemon.core.supervisors.position import OnePosition
from daemon.core.supervisors.sizing import SizingGate
from state.orders import OrderState
from state.units import SECOND_NS
from tests.gate_builders import (
    DAY,
    INTERVAL_NS,
    NOW_NS,
    halt,
    order,
    portfolio,
    position,
    question,
)


@pytest.mark.parametrize("level", ["halt", "flatten", "", "nonsense"])
def test_kill_switch_denies_at_every_level_but_none(level: str) -> None:
    """KIL-2: a level that nobody knows counts as set (R6)."""
    verdict = KillSwitch().ask(question(portfolio(kill=level, kill_reason="looks wrong")))
    assert (verdict.allowed, verdict.code) == (False, "KILL_SWITCH")
    assert "looks wrong" in verdict.observed


def test_kill_switch_allows_when_it_is_reset() -> None:
    """R6: ``none`` is the only level that allows, and allowing has a code too (R7)."""
    assert KillSwitch().ask(question()).code == "KILL_CLEAR"


def test_halts_names_every_halt_by_hand_or_breaker() -> None:
    """R7: a denial shows name and code of each halt, in an order that no dict decides."""
    book = portfolio(halts={"operator": halt("operator"), "breaker/x": halt("breaker/x", code="B")})
    verdict = Halts().ask(question(book))
    assert (verdict.allowed, verdict.code) == (False, "HALTED")
    assert verdict.observed == "breaker/x B: a reason; operator HALTED: a reason"


@pytest.mark.parametrize(
    "name", ["r_stop", "drawdown", "strategy_r_stop/lsg", "strategy_win_lock/lsg"]
)
def test_halts_leaves_latches_to_their_own_gates(name: str) -> None:
    """Gates: R1, R2 and R4 answer in their own place."""
    assert Halts().ask(question(portfolio(halts={name: halt(name)}))).code == "HALTS_CLEAR"


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("stale/EURUSD", False),
        ("stale/GBPUSD", True),
        ("venue/EURUSD", False),
        ("venue/GBPUSD", True),
        ("venue", False),
    ],
)
def test_a_halt_for_one_symbol_leaves_the_others_alone(name: str, allowed: bool) -> None:
    """R5: what follows the slash is the one symbol; without one, all are meant."""
    asked = question(portfolio(halts={name: halt(name)}), symbol="EURUSD")
    assert Halts().ask(asked).allowed is allowed


@pytest.mark.parametrize(
    ("day", "until_ns", "allowed"),
    [
        (DAY, (1 << 63) - 1, False),
        (DAY + 1, (1 << 63) - 1, False),  # the clock stepped back: still halted
        (DAY - 1, (1 << 63) - 1, True),
        (0, NOW_NS + 1, False),
        (0, NOW_NS, True),  # the end is exclusive
    ],
)
def test_halts_end_with_their_day_or_instant(day: int, until_ns: int, allowed: bool) -> None:
    """A halt denies on its day, or before its end, exclusive."""
    book = portfolio(halts={"operator": halt("operator", day=day, until_ns=until_ns)})
    assert Halts().ask(question(book)).allowed is allowed


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({}, "FRESH"),
        ({"bar_age_ns": 2 * INTERVAL_NS}, "FRESH"),  # as old as its limit is not older
        ({"bar_age_ns": 2 * INTERVAL_NS + 1}, "STALE_BAR"),
        ({"has_rate": False}, "NO_RATE"),
        ({"rate_age_ns": 900 * SECOND_NS}, "FRESH"),
        ({"rate_age_ns": 900 * SECOND_NS + 1}, "STALE_RATE"),
        ({"bar_age_ns": 3 * INTERVAL_NS, "has_rate": False}, "STALE_BAR"),
    ],
)
def test_freshness_denies_what_is_older_than_its_limit(changed: dict[str, Any], code: str) -> None:
    """FEED-1, I2: two 5m bars are 600 s, a rate may be 900 s old."""
    verdict = Freshness(2, 900).ask(question(**changed))
    assert (verdict.code, verdict.allowed) == (code, code == "FRESH")


def test_freshness_shows_age_and_limit_with_units() -> None:
    """R7: 3 x 300 s against 2 x 300 s."""
    verdict = Freshness(2, 900).ask(question(bar_age_ns=3 * INTERVAL_NS))
    assert (verdict.observed, verdict.limit) == ("900 s", "2 intervals, 600 s")


def test_position_denies_a_second_signal_of_the_same_engine() -> None:
    """Gates: one position per engine; another engine's position is no obstacle."""
    book = portfolio(positions={"EURUSD/lsg": position()})
    assert OnePosition().ask(question(book)).code == "POSITION_OPEN"
    assert OnePosition().ask(question(book, strategy="orb")).code == "ENGINE_FLAT"
    assert OnePosition().ask(question(book, symbol="GBPUSD")).code == "ENGINE_FLAT"


@pytest.mark.parametrize("state", [OrderState.RECORDED, OrderState.WORKING, OrderState.UNKNOWN])
def test_position_denies_while_an_entry_order_is_in_flight(state: OrderState) -> None:
    """ORD-3: an order of unknown outcome still counts."""
    book = portfolio(orders={"i1": order(state=state)})
    verdict = OnePosition().ask(question(book))
    assert (verdict.code, verdict.observed) == ("ORDER_WORKING", f"long 1000 lots, {state}")


def test_position_ignores_exits_and_other_engines() -> None:
    """Only an entry order of the same engine denies."""
    book = portfolio(orders={"i1": order(purpose="exit"), "i2": order("GBPUSD")})
    assert OnePosition().ask(question(book)).allowed


@pytest.mark.parametrize(
    ("sizing", "code", "allowed"),
    [
        (Sizing(10, Decimal(1), "SIZED", "10", "legal"), "SIZED", True),
        (Sizing(10, Decimal(1), "", "", ""), "SIZED", True),
        (Sizing(0, Decimal(0), "STOP_TOO_CLOSE", "0.1", ">= 0.2"), "STOP_TOO_CLOSE", False),
        (Sizing(0, Decimal(0), "", "", ""), "SIZE_BELOW_MINIMUM", False),
        (Sizing(0, Decimal(0), "SIZED", "", ""), "SIZE_BELOW_MINIMUM", False),
        (Sizing(-5, Decimal(0), "SIZED", "", ""), "SIZE_BELOW_MINIMUM", False),
    ],
)
def test_sizing_hands_on_the_code_and_never_lets_nothing_pass(
    sizing: Sizing, code: str, allowed: bool
) -> None:
    """E6: no lots, no entry, whatever the code beside them says."""
    verdict = SizingGate().ask(question(sizing=sizing))
    assert (verdict.code, verdict.allowed) == (code, allowed)
    assert verdict.observed and verdict.limit
