"""The checker's own fold of a journal: orders, trades, money, counters, latches.

It folds whatever it is given and judges nothing: what cannot be folded is left out, so that one
wrong entry does not make the entries after it look wrong.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from typing import NamedTuple
from zoneinfo import ZoneInfo

from tests.history.journal import Row

S = 1_000_000_000
NEVER = (1 << 63) - 1
ENDED = ("FILLED", "CANCELLED", "REJECTED")

NEXT = {
    "RECORDED": {
        "SUBMIT": "SUBMITTED", "ACCEPT": "WORKING", "CANCEL": "CANCELLED", "REJECT": "REJECTED",
        "LOSE": "UNKNOWN",
    },
    "SUBMITTED": {
        "ACCEPT": "WORKING", "CANCEL": "CANCELLED", "REJECT": "REJECTED", "LOSE": "UNKNOWN",
    },
    "WORKING": {"CANCEL": "CANCELLED", "REJECT": "REJECTED", "LOSE": "UNKNOWN"},
    "PARTIAL": {"CANCEL": "CANCELLED", "LOSE": "UNKNOWN"},
    "UNKNOWN": {"ACCEPT": "WORKING", "CANCEL": "CANCELLED", "REJECT": "REJECTED"},
}  # fmt: skip
"""What may happen to an order beside fills: state, event, next state. The rest may not."""


@dataclass
class Order:
    """An order: its intent, its state, how much of it is filled, which news came."""

    intent: Row
    state: str = "RECORDED"
    filled: int = 0
    news: list[str] = field(default_factory=list)

    @property
    def is_open(self) -> bool:
        """Whether it has not ended."""
        return self.state not in ENDED


@dataclass
class Trade:
    """A trade as its fills tell it; ``lots`` is what is open, ``cost`` ticks x lots of entries."""

    intent: Row
    bar_open_ns: int
    lots: int = 0
    entry_lots: int = 0
    cost: int = 0
    pnl: Decimal = Decimal(0)
    fees: Decimal = Decimal(0)
    entries: list[Row] = field(default_factory=list)
    exits: list[Row] = field(default_factory=list)
    plans: list[Row] = field(default_factory=list)
    risk: Decimal = Decimal(0)

    @property
    def side(self) -> int:
        """+1 or -1."""
        return int(self.intent["side"])

    @property
    def key(self) -> str:
        """The engine's."""
        return engine(self.intent)

    def gained(self, row: Row) -> Fraction:
        """Return ticks x lots that an exit gains against the mean entry."""
        mean = Fraction(self.cost, self.entry_lots)
        moved: Fraction = self.side * (row["fill_ticks"] - mean) * row["lots"]
        return moved


class Counted(NamedTuple):
    """An accepted entry that counts for pacing."""

    at_ns: int
    day: int
    symbol: str
    strategy: str
    intent_id: str


class Exit(NamedTuple):
    """A closed trade as cooldowns see it; ``run`` losses in a row, ``factor`` adaptive."""

    at_ns: int
    symbol: str
    outcome: str
    run: int
    factor: float


class Days(NamedTuple):
    """What closed on a trading day."""

    gross: Decimal = Decimal(0)
    fees: Decimal = Decimal(0)
    trades: int = 0


class Book:
    """All that entries so far have made true."""

    def __init__(self) -> None:
        """Begin before the first entry."""
        self.portfolio_id = ""
        self.zone = self.base = "UTC"
        self.cash = Decimal(0)
        self.end_equity = Decimal(0)
        self.day = 0
        self.now_ns = 0
        self.instruments: dict[str, Row] = {}
        self.orders: dict[str, Order] = {}
        self.trades: dict[str, Trade] = {}
        self.open: dict[str, str] = {}
        """Engine: trade."""
        self.accepted: dict[str, Row] = {}
        self.counted: list[Counted] = []
        self.entered_ns = 0
        self.exits: list[Exit] = []
        self.recent: list[bool] = []
        self.run = 0
        self.cleared: dict[str, int] = {}
        self.executions: set[tuple[str, str, str, str]] = set()
        self.halts: dict[str, Row] = {}
        self.halted: dict[str, int] = {}
        """Halt: since when."""
        self.latched: dict[str, int] = {}
        """Latch of a day: the last day it was set for, cleared or not."""
        self.kill = "none"
        self.killed_ns = 0
        self.days: dict[int, Days] = defaultdict(Days)
        self.day_r: dict[tuple[int, str], float] = defaultdict(float)
        """R of what closed: (day, strategy), and (day, "") for all."""
        self.flat_r: dict[int, float] = {}
        """R of a day after an instant of that day at which a level closed the last position."""
        self._flat: tuple[int, int, float] = (0, 0, 0.0)
        """Instant and day of the newest of these, and the R before it."""
        self.commands: list[Row] = []
        self.last: Row = {"type": "", "seq": 0}

    def fold(self, row: Row) -> None:
        """Take one entry."""
        step = getattr(self, "_" + row["type"].lower(), None)
        if step is not None:
            step(row)
        self.now_ns = max(row["at_ns"], self.now_ns)
        self.last = row

    def in_flight(self) -> set[str]:
        """Return the engines with a position or an entry order that has not ended."""
        waiting = {
            engine(order.intent)
            for order in self.orders.values()
            if order.is_open and order.intent["purpose"] == "entry"
        }
        return waiting | set(self.open)

    def trade_of(self, row: Row) -> Trade | None:
        """Return the trade that an entry names, None when nobody knows it."""
        return self.trades.get(row["trade_id"])

    def civil(self, at_ns: int) -> int:
        """Return the date in the portfolio's zone, as an ordinal."""
        return datetime.fromtimestamp(at_ns // S, ZoneInfo(self.zone)).date().toordinal()

    def unit(self, symbol: str) -> Decimal:
        """Return quote currency per tick and lot."""
        one = self.instruments[symbol]
        return Decimal(one["tick"]) * Decimal(one["lot"]) * Decimal(one["multiplier"])

    # One kind each ------------------------------------------------------------------------------

    def _portfolioopened(self, row: Row) -> None:
        self.portfolio_id, self.base, self.zone = (
            row["portfolio_id"], row["base_currency"], row["zone"],
        )  # fmt: skip
        self.cash = self.end_equity = Decimal(row["cash"])
        self.day = row["day"]

    def _instrumentset(self, row: Row) -> None:
        self.instruments[row["instrument"]["symbol"]] = row["instrument"]

    def _decided(self, row: Row) -> None:
        if row["outcome"] == "ACCEPTED" and row["action"]["type"] == "enter":
            self.accepted[row["intent_id"]] = row

    def _intentrecorded(self, row: Row) -> None:
        intent = row["intent"]
        name = intent["intent_id"]
        if name in self.orders:
            return
        self.orders[name] = Order(intent)
        if intent["purpose"] != "entry":
            return
        self.entered_ns = row["at_ns"]
        decided = self.accepted.pop(name, None)
        self.trades[name] = Trade(intent, decided["bar_open_ns"] if decided else 0)
        self.counted.append(
            Counted(intent["decided_ns"], intent["day"], intent["symbol"], intent["strategy"], name)
        )

    def _orderchanged(self, row: Row) -> None:
        order = self.orders.get(row["intent_id"])
        if order is None:
            return
        order.news.append(row["event"])
        order.state = NEXT.get(order.state, {}).get(row["event"], order.state)
        if order.state in ("CANCELLED", "REJECTED") and not order.filled:
            self.counted = [one for one in self.counted if one.intent_id != row["intent_id"]]

    def _filled(self, row: Row) -> None:
        execution, trade = identity(row), self.trade_of(row)
        closes = row["leg"] != "entry"
        if execution in self.executions or (closes and trade is not None and not trade.lots):
            return
        self.executions.add(execution)
        self.cash += Decimal(row["pnl"]) - Decimal(row["fee"])
        if row["leg"] in ("entry", "exit"):
            self._fill_order(row)
        order = self.orders.get(row["intent_id"])
        if trade is None and not closes and order is not None:
            # The rest of an order whose trade has closed: a trade of its own.
            trade = self.trades[row["trade_id"]] = Trade(order.intent, 0)
        if trade is None:
            return
        trade.fees += Decimal(row["fee"])
        if closes:
            self._exited(row, trade)
            return
        at_ns, day, before = self._flat
        if at_ns == row["at_ns"]:  # flat only between two fills of one instant, which nobody sees
            self.flat_r[day] = before
        trade.entries.append(row)
        trade.lots += row["lots"]
        trade.entry_lots += row["lots"]
        trade.cost += row["fill_ticks"] * row["lots"]
        self.open[trade.key] = row["trade_id"]

    def _exited(self, row: Row, trade: Trade) -> None:
        trade.exits.append(row)
        trade.pnl += Decimal(row["pnl"])
        trade.lots = max(trade.lots - row["lots"], 0)
        if not trade.lots and self.open.get(trade.key) == row["trade_id"]:
            del self.open[trade.key]
            self._closed(row, trade)

    def _fill_order(self, row: Row) -> None:
        order = self.orders.get(row["intent_id"])
        if order is None:
            return
        late = order.state in ("CANCELLED", "REJECTED")
        if late and not order.filled and order.intent["purpose"] == "entry":
            intent = order.intent
            self.counted.append(
                Counted(
                    intent["decided_ns"], intent["day"], intent["symbol"], intent["strategy"],
                    intent["intent_id"],
                )
            )  # fmt: skip
            self.counted.sort(key=lambda one: one.at_ns)
        order.filled += row["lots"]
        if not late:
            order.state = "FILLED" if order.filled >= order.intent["lots"] else "PARTIAL"

    def _closed(self, row: Row, trade: Trade) -> None:
        net, day = trade.pnl - trade.fees, row["day"]
        before = self.days[day]
        self.days[day] = Days(before.gross + trade.pnl, before.fees + trade.fees, before.trades + 1)
        r = float(net / trade.risk) if trade.risk else 0.0
        for name in ("", row["strategy"]):
            self.day_r[day, name] += r
        if not self.open and row["leg"] in ("stop", "target") and self.civil(row["at_ns"]) == day:
            self._flat = (row["at_ns"], day, self.flat_r.get(day, 0.0))
            self.flat_r[day] = self.day_r[day, ""]
        won = net > 0
        self.run = 0 if won else self.run + 1
        self.recent = [*self.recent[-9:], won]
        outcome = "win" if won else "stop" if row["leg"] == "stop" else "loss"
        factor = min(2.0, max(0.5, 2.0 * self.recent.count(False) / len(self.recent)))
        self.exits.append(Exit(row["filled_ns"], row["symbol"], outcome, self.run, factor))

    def _planset(self, row: Row) -> None:
        trade = self.trade_of(row)
        if trade is not None:
            trade.plans.append(row)
            if row["reason"] == "ENTRY":
                trade.risk = Decimal(row["initial_risk"])

    def _haltset(self, row: Row) -> None:
        if row["name"] not in self.halts:
            self.halted[row["name"]] = row["at_ns"]
        self.halts[row["name"]] = row
        if row["day"]:
            self.latched[row["name"]] = max(row["day"], self.latched.get(row["name"], 0))

    def _haltcleared(self, row: Row) -> None:
        self.halts.pop(row["name"], None)

    def _killchanged(self, row: Row) -> None:
        if self.kill == "none":
            self.killed_ns = row["at_ns"]
        self.kill = row["level"]

    def _commandtaken(self, row: Row) -> None:
        self.commands.append(row)

    def _cooldowncleared(self, row: Row) -> None:
        self.cleared[row["name"]] = row["at_ns"]

    def _cashmoved(self, row: Row) -> None:
        self.cash += Decimal(row["amount"])

    def _dayrolled(self, row: Row) -> None:
        self.day = max(self.day, row["next_day"])
        self.end_equity = Decimal(row["end_equity"])
        self.halts = {
            name: halt
            for name, halt in self.halts.items()
            if not halt["day"] or halt["day"] >= row["next_day"]
        }


def engine(row: Row) -> str:
    """Return the engine's key: ``SYMBOL/strategy``."""
    return f"{row['symbol']}/{row['strategy']}"


def identity(row: Row) -> tuple[str, str, str, str]:
    """Return what an execution is known by."""
    return row["venue"], row["account"], row["symbol"], row["execution_id"]


def cents(amount: Fraction | Decimal) -> Decimal:
    """Round half-even to 8 places, exactly."""
    exact = Fraction(amount) * 10**8
    below, rest = divmod(exact.numerator, exact.denominator)
    twice = 2 * rest - exact.denominator
    up = twice > 0 or (twice == 0 and below % 2 == 1)
    return (Decimal(below + up) / 10**8).quantize(Decimal("0.00000001"), ROUND_HALF_EVEN)
