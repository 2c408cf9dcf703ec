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


class Standing:
    """All that is open or in flight at an instant, after entry ``seq``, for the gates to look at.

    ``gross`` is the value of all positions at the last prices and of all entry orders at their
    references, base currency, None where a price or rate is missing. ``count`` is how many engines
    have a position or an entry order in flight, ``by_symbol`` the same of each symbol. ``open_r``
    sums P&L at mark / initial risk over positions. ``worst_r`` sums min(0, R at the stop after
    costs) over positions and unfilled entry orders, these from their trigger or deciding close
    after costs; fees are left out. It is 0 where nobody asks for the worst case.

    An accepted order is added to it: five hundred wishes of one instant look at what is open once.
    """

    __slots__ = ("_keys", "by_symbol", "count", "gross", "now_ns", "open_r", "seq", "worst_r")

    def __init__(self, now_ns: int, seq: int) -> None:
        """Begin with nothing open."""
        self.now_ns = now_ns
        self.seq = seq
        self.gross: float | None = 0.0
        self.count = 0
        self.by_symbol: dict[str, int] = {}
        self.open_r = self.worst_r = 0.0
        self._keys: set[str] = set()

    def add(self, key: str, symbol: str, value: float | None) -> None:
        """Add a position or an order of an engine and its value."""
        if value is None or self.gross is None:
            self.gross = None
        else:
            self.gross += value
        if key not in self._keys:
            self._keys.add(key)
            self.count += 1
            self.by_symbol[symbol] = self.by_symbol.get(symbol, 0) + 1


class Valuation:
    """Values one portfolio on one market."""

    def __init__(
        self,
        portfolio: Portfolio,
        market: Market,
        costs: Costs,
        intervals: Mapping[str, int],
        *,
        worst_case: bool = False,
    ) -> None:
        """Look at these; nothing is copied. ``intervals`` (ns) are those of the engines, by key.

        ``worst_case``: what stands is looked at for its worst R too.
        """
        self._portfolio = portfolio
        self._intervals = intervals
        self._market = market
        self._costs = costs
        self._worst_case = worst_case
        self._standing = Standing(-1, -1)

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

    def standing(self, now_ns: int) -> Standing:
        """Return what stands at this instant: as it was kept up, or looked at anew."""
        standing, portfolio = self._standing, self._portfolio
        if standing.now_ns != now_ns or standing.seq != portfolio.seq:
            self._standing = standing = Standing(now_ns, portfolio.seq)
            for key, position in portfolio.positions.items():
                last = self._market.last(position.symbol)
                value = self._value(position.symbol, position.lots, last and last[0], now_ns)
                standing.add(key, position.symbol, value)
                if self._worst_case:
                    standing.worst_r += min(0.0, self._position_worst_r(position, now_ns))
            for order in portfolio.orders.values():
                if order.intent.purpose == "entry":
                    self._add(standing, order.intent, order.filled)
            standing.open_r = self.marked(now_ns)[1]
        return standing

    def decided(self, intent: Intent | None, entries: int) -> None:
        """Keep up what stands: so many entries follow next, which add this order or none."""
        standing = self._standing
        standing.seq += entries
        if intent is not None:
            self._add(standing, intent, 0)

    def _add(self, standing: Standing, intent: Intent, filled: int) -> None:
        """Add an entry order: what it may still fill counts at its reference, its risk at worst."""
        lots = intent.lots - filled
        value = self._value(intent.symbol, lots, intent.reference, standing.now_ns)
        standing.add(engine_key(intent.symbol, intent.strategy), intent.symbol, value)
        if self._worst_case and not filled:
            standing.worst_r += min(0.0, self.intent_worst_r(intent))

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
