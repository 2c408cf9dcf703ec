"""Plans over bars and nights, by hand: a trail never back, widened once a day, within caps (S5)."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

from tests.history.audit import Audit, Config
from tests.history.bars import History
from tests.history.book import NEVER, Book, Trade, cents
from tests.history.journal import Row, Violation

PLANS = ("ENTRY", "HELD", "TRAIL", "WIDENED")
REFUSALS = ("OVERNIGHT_HALTED", "OVERNIGHT_LEVEL", "OVERNIGHT_NO_ROOM", "OVERNIGHT_RISK")
_TERMS: dict[str, Any] = {
    "overnight_widen_fraction": 0.01, "overnight_widen_pips": 0,
    "overnight_widen_max_fraction": 0.05, "max_overnight_r": 1.5,
}  # fmt: skip
_HALF = Fraction(1, 2) + Fraction(1, 10**6)
"""Ticks. A level that is rounded to the nearest one is no further away."""


_OF_PLAN = ("stop_ticks", "target_ticks", "time_stop_ns", "trail_distance", "initial_risk")


class Nights(Audit):
    """What moves a plan, by how much, and that a night's report tells what is open."""

    proves = ("S5", "CASH-1")

    def __init__(
        self, book: Book, found: list[Violation], config: Config | None, history: History | None
    ) -> None:
        """Take the strategies' terms and the bars where they are known."""
        super().__init__(book, found)
        given = config["strategies"] if config else []
        self._terms = None if config is None else {one["name"]: one for one in given}
        self._history = history
        self._asked: dict[str, int] = {}
        """Trade: the last day it was asked for."""

    # Plans --------------------------------------------------------------------------------------

    def on_planset(self, row: Row) -> None:
        """Check a plan against the one before it, by what it says moved it."""
        trade, reason = self.book.trade_of(row), row["reason"]
        self.must(reason in PLANS, "S5", row, f"{reason} moves no plan")
        if trade is None or not trade.plans or reason not in PLANS:
            return
        last = trade.plans[-1]
        same = ["trail_distance"] + (["time_stop_ns"] if reason != "HELD" else [])
        same += ["target_ticks"] if reason != "WIDENED" else []
        same += ["stop_ticks"] if reason in ("ENTRY", "HELD") else []
        for name in same:
            kept = row.get(name) == last.get(name)
            self.must(kept, "S5", row, f"{reason} moves {name} from {last.get(name)}")
        self.must(reason == "WIDENED" or "widened_day" not in row, "S5", row, "no widening")
        nearer = trade.side * (row["stop_ticks"] - last["stop_ticks"])
        if reason == "TRAIL":
            self.must(nearer > 0, "S5", row, f"a trail that goes {nearer} ticks")
            self._followed(row, trade)
        elif reason == "WIDENED":
            self.must(nearer < 0, "S5", row, f"a widening by {-nearer} ticks")
            self._asked_once(row, row["trade_id"], row.get("widened_day", 0))
            halts = list(self._halting(row, trade))
            self.must(not halts, "S5", row, f"widened while {halts} admits no further risk")
            self._within(row, trade, last)

    def _followed(self, row: Row, trade: Trade) -> None:
        """Check that a trail is its distance behind the close of the bar that ends here."""
        distance = row.get("trail_distance")
        if not isinstance(distance, float):
            self.must(False, "S5", row, "a trail without its distance")
            return
        if self._history is None:
            return
        interval = trade.intent["interval_ns"]
        bars = self._history.bars(trade.intent["symbol"], interval)
        index = bars.at.get(row["at_ns"] - interval)
        if index is None:
            self.must(False, "S5", row, "followed a bar that the file has not")
            return
        tick = float(self.book.instruments[trade.intent["symbol"]]["tick"])
        level = (float(bars.rows[index, 3]) - trade.side * distance) / tick
        self.must(abs(row["stop_ticks"] - level) <= _HALF, "S5", row, f"by hand at {level}")

    def _asked_once(self, row: Row, trade_id: str, day: int) -> None:
        self.must(day == self.book.day, "S5", row, f"for {day}, on day {self.book.day}")
        before = self._asked.get(trade_id, 0)
        self.must(day > before, "S5", row, f"asked for day {day} after {before}")
        self._asked[trade_id] = max(day, before)

    def _halting(self, row: Row, trade: Trade) -> Iterator[str]:
        """Yield what admits no further risk for the trade's strategy now."""
        if self.book.kill != "none":
            yield "kill"
        for name, halt in self.book.halts.items():
            over = row["at_ns"] >= halt["until_ns"] or 0 < halt["day"] < self.book.day
            mine = (trade.intent["strategy"], trade.intent["symbol"])
            other = "/" in name and name.partition("/")[2] not in mine
            if not over and not other:
                yield name

    def _within(self, row: Row, trade: Trade, last: Row) -> None:
        """Check how far a plan is widened, and what it may lose then, by the strategy's terms."""
        if self._terms is None:
            return
        given = self._terms.get(trade.intent["strategy"], {})
        held = given.get("at_end", "close") != "close" and row["time_stop_ns"] == NEVER
        wanted = bool(given.get("overnight_widen")) and held
        self.must(wanted, "S5", row, "nothing of the strategy is widened")
        fraction, pips, most, max_r = (
            Fraction(str(given.get(name, value))) for name, value in _TERMS.items()
        )
        one = self.book.instruments[trade.intent["symbol"]]
        tick, mean = Fraction(one["tick"]), Fraction(trade.cost, trade.entry_lots)
        cap = most * mean
        moved = trade.side * (trade.plans[0]["stop_ticks"] - last["stop_ticks"])
        by_hand = min(max(pips * Fraction(one["pip"]) / tick, fraction * mean), cap, cap - moved)
        for name, side in (("stop_ticks", -trade.side), ("target_ticks", trade.side)):
            if last[name] is None:
                continue
            off = abs(side * (row[name] - last[name]) - by_hand)
            self.must(off <= _HALF, "S5", row, f"{name} {row[name]}, by hand {float(by_hand)} off")
        if one["quote_currency"] == self.book.base:
            lots = trade.lots - self._leaving(row["trade_id"])
            away = trade.side * (mean - row["stop_ticks"])
            loss = cents(lots * away * Fraction(self.book.unit(trade.intent["symbol"])))
            fits = loss <= max_r * Fraction(trade.risk)
            self.must(fits, "S5", row, f"{loss} at the stop, {float(max_r)} x {trade.risk}")

    def _leaving(self, trade_id: str) -> int:
        return sum(
            order.intent["lots"] - order.filled
            for order in self.book.orders.values()
            if order.is_open
            and order.intent["purpose"] == "exit"
            and order.intent["trade_id"] == trade_id
        )

    def on_wideningrefused(self, row: Row) -> None:
        """Check that a refusal is of an open trade, once a day, and by a halt if there is one."""
        trade, code = self.book.trade_of(row), row["code"]
        if trade is None or not trade.lots:
            self.must(False, "S5", row, f"{row['trade_id']} is not open")
            return
        self._asked_once(row, row["trade_id"], row["day"])
        self.must(code in REFUSALS, "S5", row, f"{code} refuses no widening")
        halts = list(self._halting(row, trade))
        same = bool(halts) == (code == "OVERNIGHT_HALTED")
        self.must(same, "S5", row, f"{code} while {halts} admits no further risk")

    # Days ---------------------------------------------------------------------------------------

    def on_dayrolled(self, row: Row) -> None:
        """Check what a day says of the positions that it ends with."""
        told = row.get("positions", [])
        held = [self.book.trades[name] for _, name in sorted(self.book.open.items())]
        names = [one.intent["symbol"] + "/" + one.intent["strategy"] for one in held]
        its = [one["symbol"] + "/" + one["strategy"] for one in told]
        self.must(its == names, "S5", row, f"open {its}, by the fills {names}")
        if its != names:
            return
        for one, trade in zip(told, held, strict=True):
            self._position(row, one, trade)
        worth = Decimal(row["end_equity"]) - self.book.cash
        total = sum((Decimal(one["open_pnl"]) for one in told), Decimal(0))
        near = abs(worth - total) <= Decimal("1e-7") * (len(told) + 1)
        self.must(near, "CASH-1", row, f"open P&L {total}, equity beyond cash {worth}")

    def _position(self, row: Row, one: Row, trade: Trade) -> None:
        plan = trade.plans[-1] if trade.plans else {}
        pairs = {
            "trade_id": self.book.open[trade.key], "side": trade.side, "lots": trade.lots,
        } | {name: plan.get(name) for name in _OF_PLAN}  # fmt: skip
        for name, by_hand in pairs.items():
            text = f"{trade.key}: {name} {one[name]}, by hand {by_hand}"
            self.must(one[name] == by_hand, "S5", row, text)
        tick = Fraction(self.book.instruments[one["symbol"]]["tick"])
        mean = Fraction(trade.cost, trade.entry_lots) * tick
        near = abs(Fraction(one["entry"]) - mean) <= tick / 10_000
        self.must(near, "S5", row, f"{trade.key}: entry {one['entry']}, by hand {float(mean)}")
