"""What the projector keeps of an order and of a trade, and the SQL rows of the query tables.

Pure: amounts and prices become plain decimal text, sides become words. Columns stand in the order
of the migrations.

Means. A trade's price and fill are weighted by quantity over its entry (or exit) fills; one fill
stands as it is, a mean is rounded half-even to four decimals beyond the tick.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

import msgspec

from state.entries import DayPosition, DayRolled, EquityMarked, Filled
from state.orders import Intent, OrderState
from state.units import NEVER_NS, side_name

TABLES: Final[dict[str, str]] = {
    "orders": "intent_id",
    "fills": "venue, account, symbol, execution_id",
    "trades": "trade_id",
    "equity": "seq",
    "portfolio_days": "day",
    "day_positions": "day, trade_id",
}
"""The tables that the projector writes, and the primary key of each."""

Row = tuple[str | int | float | None, ...]

_ZERO: Final = Decimal(0)
_MEAN_PLACES: Final = 4


def _write(verb: str, table: str, columns: int) -> str:
    return f"{verb} INTO {table} VALUES ({','.join('?' * columns)})"


# A new row is inserted, so that an id used twice stops the transaction; a known one is replaced.
NEW_ORDER: Final = _write("INSERT", "orders", 16)
ORDER: Final = _write("REPLACE", "orders", 16)
FILL: Final = _write("INSERT", "fills", 20)
NEW_TRADE: Final = _write("INSERT", "trades", 27)
TRADE: Final = _write("REPLACE", "trades", 27)
EQUITY: Final = _write("INSERT", "equity", 6)
DAY: Final = _write("INSERT", "portfolio_days", 10)
DAY_POSITION: Final = _write("INSERT", "day_positions", 14)


class ProjectedOrder(msgspec.Struct):
    """An order that is not terminal. ``seq`` is the entry that recorded it, ``filled`` lots."""

    seq: int
    intent: Intent
    tick: Decimal
    lot: Decimal
    changed_ns: int
    state: OrderState = OrderState.RECORDED
    filled: int = 0
    code: str = ""
    is_new: bool = True


class Executions(msgspec.Struct):
    """The executions of a trade in one direction; costs are sums of price x quantity."""

    quantity: Decimal = _ZERO
    price_cost: Decimal = _ZERO
    fill_cost: Decimal = _ZERO
    price: Decimal = _ZERO
    fill: Decimal = _ZERO

    def add(self, quantity: Decimal, price: Decimal, fill: Decimal, tick: Decimal) -> None:
        """Add one execution, and keep the means."""
        is_first = not self.quantity
        self.quantity += quantity
        self.price_cost += price * quantity
        self.fill_cost += fill * quantity
        if is_first:
            self.price, self.fill = price, fill
            return
        step = tick.scaleb(-_MEAN_PLACES)
        self.price = _rounded(self.price_cost / self.quantity, step)
        self.fill = _rounded(self.fill_cost / self.quantity, step)


class ProjectedTrade(msgspec.Struct):
    """A trade that is open, in prices and quantities (never ticks, which may be set anew).

    Amounts are base currency; ``gross`` is before fees. ``seq`` is of the closing fill, 0 before.
    """

    trade_id: str
    portfolio_id: str
    run_id: str
    version: str
    symbol: str
    strategy: str
    side: int
    signal_ns: int
    entry_ns: int
    day: int
    entry: Executions = msgspec.field(default_factory=Executions)
    exit: Executions = msgspec.field(default_factory=Executions)
    stop: Decimal | None = None
    target: Decimal | None = None
    risk: Decimal = _ZERO
    gross: Decimal = _ZERO
    fees: Decimal = _ZERO
    slippage: Decimal = _ZERO
    spread: Decimal = _ZERO
    seq: int = 0
    exit_ns: int | None = None
    exit_reason: str | None = None
    is_new: bool = True


def _order_type(intent: Intent) -> str:
    if intent.trigger_ticks is not None:
        return "stop"
    return "market" if intent.limit_ticks is None else "limit"


def order_row(order: ProjectedOrder) -> Row:
    """Return the row of ``orders``."""
    intent = order.intent
    trigger = intent.trigger_ticks if intent.trigger_ticks is not None else intent.limit_ticks
    return (
        intent.intent_id,
        order.seq,
        intent.purpose,
        intent.trade_id,
        intent.symbol,
        intent.strategy,
        side_name(intent.side),
        _order_type(intent),
        _text(order.lot * intent.lots),
        _text(order.lot * order.filled),
        None if trigger is None else _text(order.tick * trigger),
        None if intent.stop_ticks is None else _text(order.tick * intent.stop_ticks),
        order.state.value,
        order.code,
        intent.decided_ns,
        order.changed_ns,
    )


def fill_row(seq: int, entry: Filled, quantity: Decimal, fill: Decimal) -> Row:
    """Return the row of ``fills``: ``quantity`` in units, ``fill`` the price after costs."""
    return (
        entry.venue,
        entry.account,
        entry.execution_id,
        seq,
        entry.intent_id,
        entry.trade_id,
        entry.leg,
        entry.symbol,
        entry.strategy,
        side_name(entry.side),
        _text(quantity),
        _text(entry.price),
        _text(fill),
        entry.filled_ns,
        entry.day,
        _text(entry.spread),
        _text(entry.slippage),
        _text(entry.fee),
        _text(entry.pnl),
        _text(entry.rate),
    )


def trade_row(trade: ProjectedTrade) -> Row:
    """Return the row of ``trades``; the exit's columns are empty until it is closed."""
    net = trade.gross - trade.fees
    is_closed = trade.seq > 0
    r = (float(net / trade.risk) if trade.risk else 0.0) if is_closed else None
    return (
        trade.trade_id,
        trade.seq,
        trade.portfolio_id,
        trade.run_id,
        trade.version,
        trade.symbol,
        trade.strategy,
        side_name(trade.side),
        _text(trade.entry.quantity),
        trade.day,
        trade.signal_ns,
        trade.entry_ns,
        _text(trade.entry.price),
        _text(trade.entry.fill),
        None if trade.stop is None else _text(trade.stop),
        None if trade.target is None else _text(trade.target),
        trade.exit_ns,
        _text(trade.exit.price) if is_closed else None,
        _text(trade.exit.fill) if is_closed else None,
        trade.exit_reason,
        _text(trade.fees),
        _text(trade.slippage),
        _text(trade.spread),
        _text(trade.gross),
        _text(net),
        _text(trade.risk),
        r,
    )


def equity_row(seq: int, entry: EquityMarked) -> Row:
    """Return the row of ``equity``."""
    return (
        seq,
        entry.at_ns,
        _text(entry.cash),
        _text(entry.open_pnl),
        _text(entry.cash + entry.open_pnl),
        _text(entry.high_water),
    )


def day_row(seq: int, entry: DayRolled) -> Row:
    """Return the row of ``portfolio_days``."""
    return (
        entry.day,
        seq,
        _text(entry.start_equity),
        _text(entry.end_equity),
        _text(entry.gross),
        _text(entry.gross - entry.fees),
        _text(entry.fees),
        entry.trades,
        entry.drawdown,
        entry.open_positions,
    )


def day_position_row(seq: int, day: int, one: DayPosition, tick: Decimal, lot: Decimal) -> Row:
    """Return the row of ``day_positions``: prices and quantities, not ticks and lots."""
    return (
        day,
        one.trade_id,
        seq,
        one.symbol,
        one.strategy,
        side_name(one.side),
        _text(lot * one.lots),
        _text(one.entry),
        None if one.stop_ticks is None else _text(tick * one.stop_ticks),
        None if one.target_ticks is None else _text(tick * one.target_ticks),
        one.trail_distance,
        None if one.time_stop_ns >= NEVER_NS else one.time_stop_ns,
        _text(one.open_pnl),
        _text(one.initial_risk),
    )


def _text(value: Decimal) -> str:
    """Write an amount as plain decimal text, without an exponent."""
    return format(value, "f")


def _rounded(value: Decimal, step: Decimal) -> Decimal:
    """Round a mean to ``step`` when it has more decimals, half-even."""
    rounded = value.quantize(step, rounding=ROUND_HALF_EVEN)
    return value if rounded == value else rounded
