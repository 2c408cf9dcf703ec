"""The contract of a gate, over every gate: it always answers, and only answers.

A gate that raised would be a guard that cannot answer; one that changed what it is given would
decide for the gates after it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal

import msgspec
import pytest

from daemon.core.supervision import Gate, Question, Sizing
from state.bars import Bar
from state.orders import OrderState
from state.portfolio import DayStats, Portfolio
from state.reasons import REASONS
from state.units import NEVER_NS
from tests.gate_builders import (
    DAY,
    NOW_NS,
    closed,
    counted,
    gates,
    halt,
    order,
    portfolio,
    position,
    question,
)

ORDER = [
    "kill",
    "halts",
    "window",
    "news",
    "freshness",
    "volatility",
    "position",
    "r_stop",
    "strategy_day",
    "drawdown",
    "order_value",
    "gross_exposure",
    "positions",
    "positions_symbol",
    "loss_streak",
    "per_day",
    "per_hour",
    "spacing",
    "symbol_cooldown",
    "symbol_spacing",
    "sizing",
]


def _everything_wrong() -> Question:
    halts = ["operator", "r_stop", "drawdown", "strategy_r_stop/lsg", "strategy_win_lock/lsg"]
    book = portfolio(
        kill="flatten",
        halts={name: halt(name) for name in halts},
        positions={"EURUSD/lsg": position()},
        orders={"i1": order(state=OrderState.UNKNOWN)},
        days={DAY: DayStats(DAY, r=-9.0, trades=9, strategy_r={"lsg": -9.0})},
        counted=[counted(NOW_NS)] * 200,
        exits=[closed(NOW_NS, "stop", run=9, factor=2.0)],
    )
    return question(
        book,
        order_value=None,
        gross_exposure=None,
        positions=99,
        positions_symbol=99,
        has_rate=False,
        true_range=0.0051,
        bar_age_ns=NEVER_NS,
        realised_r=-9.0,
        sizing=Sizing(0, Decimal(0), "NO_RISK_DISTANCE", "", ""),
    )


def _no_numbers() -> Question:
    nan = math.nan
    return question(
        portfolio(days={DAY: DayStats(DAY, strategy_r={"lsg": nan})}),
        bar=Bar(NOW_NS, NOW_NS, nan, nan, nan, nan),
        order_value=Decimal("NaN"),
        gross_exposure=Decimal("Infinity"),
        realised_r=nan,
        true_range=nan,
        atr_before=nan,
        open_r=nan,
        worst_r=nan,
        this_worst_r=math.inf,
        sizing=Sizing(-1, Decimal("NaN"), "", "", ""),
    )


DEGENERATE: dict[str, Callable[[], Question]] = {
    "usual": question,
    "nothing known": lambda: question(Portfolio(), symbol="", strategy="", bar_in_window=False),
    "before the epoch": lambda: question(now_ns=-1, day=0, bar_age_ns=-1),
    "the end of time": lambda: question(portfolio(exits=[closed(0)]), now_ns=NEVER_NS),
    "a clock that stepped back": lambda: question(
        portfolio(counted=[counted(NOW_NS + 10**12)], exits=[closed(NOW_NS + 10**12)])
    ),
    "everything wrong": _everything_wrong,
    "no numbers": _no_numbers,
}


@pytest.mark.parametrize("make", DEGENERATE.values(), ids=DEGENERATE.keys())
@pytest.mark.parametrize("gate", gates(), ids=lambda gate: gate.name)
def test_gate_answers_and_only_answers(gate: Gate, make: Callable[[], Question]) -> None:
    """R7: under its own name, with a known code of the right kind and two texts; twice the same."""
    asked = make()
    before = msgspec.msgpack.encode(asked)
    verdict = gate.ask(asked)
    assert msgspec.msgpack.encode(asked) == before
    assert gate.ask(asked) == verdict
    assert verdict.gate == gate.name
    reason = REASONS[verdict.code]
    assert reason.allows is verdict.allowed
    assert gate.name in reason.gate.split(", ")
    assert verdict.observed
    assert verdict.limit


def test_gates_stand_in_the_order_of_the_mission() -> None:
    """Gates: this order, so that the first denial is the same for everybody."""
    assert [gate.name for gate in gates()] == ORDER
    assert all(gate.ask(question()).allowed for gate in gates())


def test_every_gate_can_deny() -> None:
    """A gate that never denies guards nothing."""
    asked = _everything_wrong()
    quiet = [gate.name for gate in gates() if gate.ask(asked).allowed]
    assert quiet == ["window", "news"]


def test_every_code_of_a_gate_belongs_to_a_gate() -> None:
    """The table of reasons names no gate that does not exist."""
    for reason in REASONS.values():
        if reason.kind == "gate":
            assert set(reason.gate.split(", ")) <= {*ORDER, "order"}, reason.code
