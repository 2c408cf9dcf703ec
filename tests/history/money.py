"""Money: CASH-1. Fees, costs, P&L, risk, cash and days in exact arithmetic."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from tests.history.audit import Audit
from tests.history.book import Trade, cents
from tests.history.journal import Row


class Money(Audit):
    """Every amount is what its fill makes it, and the sums are sums."""

    proves = ("CASH-1",)

    def _same(self, row: Row, name: str, by_hand: Decimal, found: str) -> None:
        same = Decimal(found) == by_hand
        self.must(same, "CASH-1", row, f"{name} {found}, by hand {by_hand}")

    def on_filled(self, row: Row) -> None:
        """Check fee, costs and P&L of one execution."""
        if row["symbol"] not in self.book.instruments:
            return
        one = self.book.instruments[row["symbol"]]
        quantity = row["lots"] * Fraction(one["lot"])
        per_price = quantity * Fraction(one["multiplier"]) * Fraction(row["rate"])
        fill = row["fill_ticks"] * Fraction(one["tick"])
        fee = quantity * Fraction(one["fee_per_unit"]) + per_price * fill * Fraction(
            one["fee_fraction"]
        )
        self._same(row, "fee", cents(fee), row["fee"])
        paid = float((fill - Fraction(row["price"])) * row["side"] * per_price)
        costs = float(Decimal(row["spread"]) + Decimal(row["slippage"]))
        near = abs(costs - paid) <= 1e-9 * float(per_price) + 1e-7
        self.must(near, "CASH-1", row, f"spread and slippage {costs}, by hand {paid}")
        trade = self.book.trade_of(row)
        if trade is not None:
            self._pnl(row, trade)

    def _pnl(self, row: Row, trade: Trade) -> None:
        gained = Fraction(0)
        if row["leg"] != "entry":
            if not trade.entry_lots:
                return
            gained = trade.gained(row) * Fraction(self.book.unit(row["symbol"]))
        self._same(row, "P&L", cents(gained * Fraction(row["rate"])), row["pnl"])

    def on_planset(self, row: Row) -> None:
        """Check the initial risk: fixed by entry fills, moved by nothing else."""
        trade = self.book.trade_of(row)
        if trade is None or not trade.entries:
            return
        if row["reason"] != "ENTRY":
            self._same(row, "initial risk", trade.risk, row["initial_risk"])
            return
        entry = trade.entries[-1]
        away = abs(entry["fill_ticks"] - row["stop_ticks"]) * entry["lots"]
        risk = away * Fraction(self.book.unit(entry["symbol"])) * Fraction(entry["rate"])
        self._same(row, "initial risk", trade.risk + cents(risk), row["initial_risk"])

    def on_equitymarked(self, row: Row) -> None:
        """Check cash."""
        self._same(row, "cash", self.book.cash, row["cash"])
        if not self.book.open:
            self._same(row, "open P&L while flat", Decimal(0), row["open_pnl"])

    def on_dayrolled(self, row: Row) -> None:
        """Check what a day adds up to."""
        day = self.book.days[row["day"]]
        self._same(row, "gross", day.gross, row["gross"])
        self._same(row, "fees", day.fees, row["fees"])
        same = row["trades"] == day.trades
        self.must(same, "CASH-1", row, f"{row['trades']} trades, by hand {day.trades}")
        self._same(row, "start", self.book.end_equity, row["start_equity"])
        if not self.book.open:
            self._same(row, "equity while flat", self.book.cash, row["end_equity"])
