"""Suspense: what a broker tells that the book cannot take (S4).

A broker may tell anything: twice, late, too much, in the wrong order, of nobody's order, or no
number at all. A fill is money, so it never vanishes: what fits is booked, what does not is
journalled as it was told, and entries halt under the name ``broker`` until somebody has compared
the account. It never ends the process, and nothing is invented or closed because of it: exits and
the protection of what is booked go on. Nothing here changes anything.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

from daemon.core import late_fills
from daemon.core.latches import BROKER
from daemon.core.market import Market
from daemon.core.plain import plain
from state.entries import Entry, FillSuspended, HaltSet, OrderChanged
from state.executions import Execution, OrderNews, identity, told
from state.instruments import Grid
from state.orders import TRANSITIONS, OrderEvent, OrderState
from state.portfolio import Portfolio, engine_key
from state.units import DAY_NS, side_name

_LEGS: Final = ("entry", "stop", "target", "exit")
_NAMES: Final = ("execution_id", "intent_id", "trade_id", "symbol", "leg", "venue", "account")
_LONGEST: Final = 64
"""Characters of a name that a broker may use, and of what is shown of a longer one."""
_MOST: Final = 1 << 45
"""Lots and ticks, with room to spare below int64 for their product with a tick or a lot."""
_OLDEST_NS: Final = 3660 * DAY_NS
_MOST_WORTH: Final = 1e15
"""Quote currency: what is worth more has more digits than amounts are reckoned with."""
_ENDING: Final = ("FILL_NOTHING_OPEN", "FILL_OTHER_SIDE")
_TOLD: Final = {
    event.value: event for event in OrderEvent if event not in (OrderEvent.PART, OrderEvent.FILL)
}


class Fit(NamedTuple):
    """What the book takes of an execution, and what it does not; both None: it is known."""

    booked: Execution | None
    suspended: FillSuspended | None


class _Room(NamedTuple):
    """How many lots of an execution the book takes; none: for this reason."""

    lots: int
    code: str
    reason: str


def fit(portfolio: Portfolio, market: Market, execution: Execution, now_ns: int) -> Fit:
    """Split an execution into what the book takes and what it does not."""
    problem = _unreadable(market, execution, now_ns)
    if problem is not None:
        one = _suspended(execution, execution.lots, "FILL_UNREADABLE", problem, now_ns)
        return Fit(None, None if _is_known(portfolio, identity(one), one.told) else one)
    name, said = identity(execution), told(execution)
    if _is_known(portfolio, name, said):
        return Fit(None, None)
    if name in portfolio.executions:
        reason = f"told before as {portfolio.executions[name]}, now as {said}"
        lots = execution.lots
        return Fit(None, _suspended(execution, lots, "FILL_TOLD_DIFFERENTLY", reason, now_ns))
    room = _room(portfolio, execution)
    rest = execution.lots - room.lots
    if rest <= 0:
        return Fit(execution, None)
    booked = msgspec.structs.replace(execution, lots=room.lots) if room.lots else None
    return Fit(booked, _suspended(execution, rest, room.code, room.reason, now_ns))


def _is_known(portfolio: Portfolio, name: str, said: str) -> bool:
    """Say whether this very execution was booked or suspended before."""
    return portfolio.executions.get(name) == said or f"{name} {said}" in portfolio.executions


def _unreadable(market: Market, one: Execution, now_ns: int) -> str | None:
    """Say what of an execution cannot be, whatever the book holds."""
    for name in _NAMES:
        text = getattr(one, name)
        if not isinstance(text, str) or len(text) > _LONGEST or plain(text) != text:
            return f"{name} {_shown(text)} is no name"
    if not _is_text(one.reason):  # of an exit that a strategy asked for, its own words
        return f"reason {_shown(one.reason)} is no text"
    if not one.execution_id:
        return "it has no execution id"
    if one.leg not in _LEGS or type(one.side) is not int or one.side not in (1, -1):
        return f"leg {_shown(one.leg)} to side {_shown(one.side)}"
    if type(one.lots) is not int or not 0 < one.lots <= _MOST:
        return f"{_shown(one.lots)} lots"
    if not all(_is_amount(value) for value in (one.price, one.spread, one.slippage)):
        return f"price {_shown(one.price)}, costs {_shown(one.spread)}, {_shown(one.slippage)}"
    if type(one.fill_ticks) is not int or abs(one.fill_ticks) > _MOST or one.price <= 0:
        return f"price {_shown(one.price)}, after costs {_shown(one.fill_ticks)} ticks"
    stamps = (one.filled_ns, one.bar_open_ns)
    oldest, newest = now_ns - _OLDEST_NS, now_ns + DAY_NS
    if not all(type(stamp) is int and oldest <= stamp <= newest for stamp in stamps):
        return f"stamped {_shown(one.filled_ns)}, in a bar of {_shown(one.bar_open_ns)}"
    series = market.by_symbol.get(one.symbol)
    return None if series is None else _mispriced(series[0].grid, one)


def _is_text(value: object) -> bool:
    """Say whether a value is a text that the journal can hold."""
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeError:
        return False
    return True


def _is_amount(value: object) -> bool:
    """Say whether a value is a number that can be reckoned with: NaN is in no range."""
    return type(value) in (int, float) and -_MOST <= value <= _MOST  # type: ignore[operator]


def _mispriced(grid: Grid, one: Execution) -> str | None:
    """Say when costs do not lead from price to fill, or what is told is worth what none has."""
    fill, costs = grid.price(one.fill_ticks), one.spread + one.slippage
    apart = abs(one.side * (fill - one.price) - costs)
    if apart > 2 * grid.tick or min(one.spread, one.slippage) < -grid.tick:
        return f"price {one.price} is {fill} after costs of {one.spread} and {one.slippage}"
    worth = float(grid.quantity(one.lots) * grid.instrument.multiplier) * (one.price + costs)
    return f"worth {worth:.3g}" if worth > _MOST_WORTH else None


def _room(portfolio: Portfolio, one: Execution) -> _Room:
    """Say how many lots the book takes, and what speaks against the others."""
    room, of = one.lots, "what is open"
    if one.leg in ("entry", "exit"):
        order = late_fills.order_of(portfolio, one)
        if order is None:
            return _Room(
                0,
                "FILL_UNKNOWN_ORDER",
                f"order {one.intent_id} is not among the open ones nor the last that ended",
            )
        intent = order.intent
        if (one.symbol, one.leg, one.side, one.trade_id) != (
            intent.symbol, intent.purpose, intent.side, intent.trade_id,
        ):  # fmt: skip
            return _Room(
                0,
                "FILL_NOT_OF_ORDER",
                f"{one.leg} {side_name(one.side)} {one.symbol}; order {one.intent_id} is"
                f" {intent.purpose} {side_name(intent.side)} {intent.symbol} of trade"
                f" {intent.trade_id}",
            )
        room, of = intent.lots - order.filled, f"order {one.intent_id}"
        if one.leg == "entry":
            held = portfolio.positions.get(engine_key(intent.symbol, intent.strategy))
            if held is not None and held.side != one.side:
                return _Room(
                    0,
                    "FILL_OTHER_SIDE",
                    f"{side_name(one.side)} while {side_name(held.side)} trade {held.trade_id} is"
                    f" open for {engine_key(intent.symbol, intent.strategy)}",
                )
    if one.leg != "entry":
        position = late_fills.position_of(portfolio, one)
        if position is None:
            return _Room(0, "FILL_NOTHING_OPEN", f"trade {one.trade_id} is not open")
        if (one.symbol, one.side) != (position.symbol, -position.side):
            return _Room(
                0,
                "FILL_NOT_OF_ORDER",
                f"{side_name(one.side)} {one.symbol} closes nothing of {one.trade_id}, which is"
                f" {side_name(position.side)} {position.symbol}",
            )
        room = min(room, position.lots)
    room = max(0, min(room, one.lots))
    return _Room(room, "FILL_TOO_LARGE", f"{one.lots} lots, {room} of them are left of {of}")


def _suspended(one: Execution, lots: object, code: str, reason: str, now_ns: int) -> FillSuspended:
    """Write down what the book does not take, as it was told: texts, since it may be anything."""
    return FillSuspended(
        at_ns=now_ns,
        code=code,
        reason=reason,
        execution_id=_shown(one.execution_id),
        intent_id=_shown(one.intent_id),
        trade_id=_shown(one.trade_id),
        symbol=_shown(one.symbol),
        leg=_shown(one.leg),
        side=_shown(one.side),
        lots=_shown(lots),
        price=_shown(one.price),
        filled=_shown(one.filled_ns),
        venue=_shown(one.venue),
        account=_shown(one.account),
        told=(
            f"{_shown(one.intent_id)} {_shown(one.side)} x {_shown(one.lots)}"
            f" at {_shown(one.fill_ticks)}"
        ),
    )


def _shown(value: object) -> str:
    """Return anything as one short line that can be written down."""
    try:
        return plain(str(value)[:_LONGEST])
    except ValueError:  # a number of thousands of digits
        return f"a {type(value).__name__}"


def entries(portfolio: Portfolio, told_us: Execution, one: FillSuspended) -> list[Entry]:
    """Return what is recorded of a suspended fill: it, and the halt that it sets off.

    Before them the end of its order, when the broker has filled all that was left of that, and the
    book could take none of it: waiting for it would never end.
    """
    halt = _halt(
        one.at_ns,
        f"the broker tells of execution {one.execution_id} ({one.symbol}), and the book cannot"
        f" take it: {one.reason}",
        f"{one.lots} lots at {one.price}",
    )
    order = portfolio.orders.get(told_us.intent_id)
    if order is None or one.code not in _ENDING or told_us.lots < order.intent.lots - order.filled:
        return [one, halt]
    return [OrderChanged(one.at_ns, one.intent_id, OrderEvent.CANCEL.value, one.code), one, halt]


def _halt(now_ns: int, reason: str, observed: str) -> HaltSet:
    return HaltSet(
        at_ns=now_ns,
        name=BROKER,
        code="BROKER_DIFFERS",
        reason=reason,
        observed=observed,
        limit="what the book can take",
    )


def news(portfolio: Portfolio, one: OrderNews, now_ns: int) -> list[Entry]:
    """Return what follows from news of an order; nothing from news of one that ended.

    What says again what is known changes nothing. A refusal of an order that has filled in part
    ends its rest, and halts entries like news of a kind that nobody knows.
    """
    order = portfolio.orders.get(one.intent_id)
    if order is None:
        return []
    name, event = order.intent.intent_id, _TOLD.get(one.event)
    if event is None:
        reason = f"the broker tells {_shown(one.event)} of order {name}: no news of an order"
        return [_halt(now_ns, reason, _shown(one.code))]
    if (order.state, event) in TRANSITIONS:
        return [OrderChanged(now_ns, name, event.value, _shown(one.code))]
    if (order.state, event) != (OrderState.PARTIAL, OrderEvent.REJECT):
        return []
    reason = f"the broker tells that order {name} is rejected, of which {order.filled} lots filled"
    ended = OrderChanged(now_ns, name, OrderEvent.CANCEL.value, _shown(one.code))
    return [ended, _halt(now_ns, reason, _shown(one.code))]
