"""What the portfolio is worth at the marks, and what it risks at its worst. Views only: floats.

Nothing here changes anything; amounts are base currency.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from daemon.core.market import Costs, Market
from state.orders import Intent
from state.portfolio import Portfolio, Position, engine_key
from state.units import money


class Valuation:
    """Values one portfolio on one market."""

    def __init__(
        self, portfolio: Portfolio, market: Market, costs: Costs, intervals: Mapping[str, int]
    ) -> None:
        """Look at these; nothing is copied. ``intervals`` (ns) are those of the engines, by key."""
        self._portfolio = portfolio
        self._intervals = intervals
        self._market = market
        self._costs = costs

    def _rate(self, symbol: str, now_ns: int, otherwise: Decimal) -> float:
        currency = self._market.by_symbol[symbol][0].grid.instrument.quote_currency
        rate, _ = self._market.rate(currency, now_ns)
        return float(otherwise if rate is None else rate)

    def open_pnl(self, position: Position, now_ns: int) -> float:
        """Return the P&L of what is still open at the last close, before exit costs."""
        last = self._market.last(position.symbol)
        if last is None:
            return 0.0
        grid = self._market.by_symbol[position.symbol][0].grid
        entry = position.entry_ticks() * grid.tick
        rate = self._rate(position.symbol, now_ns, position.entry_rate)
        return (last[0] - entry) * position.side * position.lots * grid.unit * rate

    def open_r(self, now_ns: int) -> float:
        """Return the sum over open positions of P&L at mark / initial risk, without exit costs."""
        return self.marked(now_ns)[1]

    def total_open_pnl(self, now_ns: int) -> float:
        """Return the P&L at mark of all open positions."""
        return self.marked(now_ns)[0]

    def marked(self, now_ns: int) -> tuple[float, float]:
        """Return P&L and R at mark of all open positions, in one pass."""
        total = total_r = 0.0
        for position in self._portfolio.positions.values():
            pnl = self.open_pnl(position, now_ns)
            total += pnl
            if position.initial_risk:
                total_r += pnl / float(position.initial_risk)
        return total, total_r

    def gross_exposure(self, now_ns: int) -> Decimal | None:
        """Value all positions and entry orders in flight; None where a price or rate is missing.

        What is open counts at the last price; what an order may still fill counts at its reference.
        """
        total = 0.0
        for position in self._portfolio.positions.values():
            last = self._market.last(position.symbol)
            value = self._value(position.symbol, position.lots, last and last[0], now_ns)
            if value is None:
                return None
            total += value
        for order in self._portfolio.orders.values():
            intent = order.intent
            if intent.purpose != "entry":
                continue
            lots = intent.lots - order.filled
            value = self._value(intent.symbol, lots, intent.reference, now_ns)
            if value is None:
                return None
            total += value
        return money(repr(total))

    def order_value(self, symbol: str, lots: int, price: float, now_ns: int) -> Decimal | None:
        """Value one order; None where the rate is missing."""
        value = self._value(symbol, lots, price, now_ns)
        return None if value is None else money(repr(value))

    def _value(self, symbol: str, lots: int, price: float | None, now_ns: int) -> float | None:
        grid = self._market.by_symbol[symbol][0].grid
        rate, _ = self._market.rate(grid.instrument.quote_currency, now_ns)
        if rate is None or price is None:
            return None
        return lots * grid.unit * price * float(rate)

    def worst_r(self, now_ns: int) -> float:
        """Sum min(0, R at the stop after costs) over open positions and entry orders in flight.

        An unfilled order counts from its trigger or deciding close after costs; fees are left out.
        """
        total = 0.0
        for position in self._portfolio.positions.values():
            total += min(0.0, self._position_worst_r(position, now_ns))
        for order in self._portfolio.orders.values():
            if order.intent.purpose == "entry" and order.filled == 0:
                total += min(0.0, self.intent_worst_r(order.intent))
        return total

    def _position_worst_r(self, position: Position, now_ns: int) -> float:
        if position.stop_ticks is None or not position.initial_risk:
            return 0.0
        key = engine_key(position.symbol, position.strategy)
        series = self._market.by_key[(position.symbol, self._intervals[key])]
        grid = series.grid
        cost = grid.half_spread + self._costs.slippage(grid, series.atr)
        out = grid.price(position.stop_ticks) - position.side * cost
        entry = position.entry_ticks() * grid.tick
        rate = self._rate(position.symbol, now_ns, position.entry_rate)
        pnl = (out - entry) * position.side * position.lots * grid.unit * rate
        return pnl / float(position.initial_risk)

    def intent_worst_r(self, intent: Intent) -> float:
        """Return R at the stop after costs of an order filled at its reference after costs."""
        grid = self._market.by_symbol[intent.symbol][0].grid
        cost = grid.half_spread + (0.0 if intent.limit_ticks is not None else intent.slippage)
        fill = intent.reference + intent.side * cost
        if intent.stop_ticks is not None:
            stop = grid.price(intent.stop_ticks)
        else:
            stop = fill - intent.side * (intent.stop_distance or 0.0)
        risk = abs(fill - stop)
        if risk <= grid.tie:
            return 0.0
        out = stop - intent.side * (grid.half_spread + intent.slippage)
        return (out - fill) * intent.side / risk

    def in_flight(self, symbol: str | None = None) -> int:
        """Count engines with an open position or an entry order in flight (of one symbol)."""
        keys = set(self._portfolio.positions)
        for order in self._portfolio.orders.values():
            if order.intent.purpose == "entry":
                keys.add(engine_key(order.intent.symbol, order.intent.strategy))
        if symbol is None:
            return len(keys)
        return sum(1 for key in keys if key.rpartition("/")[0] == symbol)
