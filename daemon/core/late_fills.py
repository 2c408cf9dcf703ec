"""Late fills: executions of orders that had ended (ORD-4).

A broker may confirm a cancel and fill all the same. Such a fill is a fact: it is applied, what it
opens is protected at once, and entries halt until somebody has looked, because the broker and the
books did not agree on what was working. Nothing here changes anything.
"""

from __future__ import annotations

from daemon.core.intents import intent_id
from daemon.core.latches import LATE_FILL
from state.entries import HaltSet
from state.executions import Execution
from state.portfolio import OpenOrder, Portfolio, Position, engine_key


def order_of(portfolio: Portfolio, execution: Execution) -> OpenOrder | None:
    """Return the order that an execution is of, open or ended; None: nobody knows it."""
    name = execution.intent_id
    return portfolio.orders.get(name) or portfolio.ended.get(name)


def position_of(portfolio: Portfolio, execution: Execution) -> Position | None:
    """Return the position that an exit closes, None when its trade is not open."""
    for position in portfolio.positions.values():
        if position.trade_id == execution.trade_id:
            return position
    return None


def trade_id_of(portfolio: Portfolio, order: OpenOrder, execution: Execution) -> str:
    """Return the trade that an entry fill belongs to.

    An engine has one position. What fills late to the side of another trade of the engine joins
    that one and its protection: it is real, and nothing else would guard it. Otherwise the trade is
    the order's own, unless that was filled in part, closed and is no more: what comes after that is
    a trade of its own, or one trade would close twice.
    """
    intent = order.intent
    key = engine_key(intent.symbol, intent.strategy)
    held = portfolio.positions.get(key)
    if held is not None:
        return held.trade_id
    if not order.filled:
        return intent.trade_id
    return intent_id(portfolio.portfolio_id, key, execution.execution_id, intent.decided_ns, 0)


def alarm(portfolio: Portfolio, execution: Execution, now_ns: int) -> HaltSet | None:
    """Return the halt that a late fill sets off, None when its order is open or was none."""
    if execution.leg not in ("entry", "exit") or execution.intent_id in portfolio.orders:
        return None
    order = order_of(portfolio, execution)
    assert order is not None  # what is of nobody's order is not booked
    return HaltSet(
        at_ns=now_ns,
        name=LATE_FILL,
        code="LATE_FILL",
        reason=f"order {execution.intent_id} filled after it had ended ({order.state})",
        observed=f"{execution.execution_id}, {execution.lots} lots",
        limit="no fill of an order that ended",
    )
