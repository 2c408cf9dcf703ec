"""What must hold of a journal, entry by entry, told by arithmetic of its own.

It knows entries and nothing of the core: what is allowed, open or protected is counted here anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import msgspec

from state.entries import (
    CashMoved,
    DayRolled,
    Entry,
    Filled,
    HaltCleared,
    HaltSet,
    IntentRecorded,
    KillChanged,
    OrderChanged,
    PlanSet,
    PortfolioOpened,
)
from state.orders import Intent


class _Trade(msgspec.Struct):
    symbol: str
    lots: int = 0
    is_protected: bool = False


class Rules:
    """The invariants of one journal. ``take`` yields what an entry violates."""

    def __init__(self, max_positions: int, max_per_symbol: int) -> None:
        """Begin before the first entry, with the caps of the configuration."""
        self._caps = max_positions, max_per_symbol
        self.seq = self._at_ns = 0
        self.cash = Decimal(0)
        self._day = 0
        self._kill = "none"
        self._halts: dict[str, HaltSet] = {}
        self._intents: dict[str, Intent] = {}
        self._working: dict[str, Intent] = {}
        self._filled: dict[str, int] = {}
        self._executions: set[str] = set()
        self.trades: dict[str, _Trade] = {}

    def take(self, seq: int, entry: Entry) -> Iterator[str]:
        """Take the next entry and yield what it violates."""
        where = f"entry {seq} ({type(entry).__name__})"
        if seq != self.seq + 1:
            yield f"{where} follows entry {self.seq}"
        self.seq = seq
        if entry.at_ns < self._at_ns:
            yield f"{where}: time went back by {(self._at_ns - entry.at_ns) / 1e9:g} s"
        self._at_ns = entry.at_ns
        for one in self._take(entry):
            yield f"{where}: {one}"

    def _take(self, entry: Entry) -> Iterator[str]:
        if isinstance(entry, IntentRecorded):
            yield from self._intent(entry.intent)
        elif isinstance(entry, Filled):
            yield from self._fill(entry)
        elif isinstance(entry, OrderChanged):
            if entry.intent_id not in self._intents:
                yield f"ORD-1: nobody knows order {entry.intent_id}"
            if entry.event in ("CANCEL", "REJECT"):
                self._working.pop(entry.intent_id, None)
        elif isinstance(entry, PlanSet):
            self.trades[entry.trade_id].is_protected = True
        elif isinstance(entry, DayRolled):
            if (entry.day, entry.next_day) != (self._day, self._day + 1):
                yield f"RSK-2: day {self._day} became {entry.next_day}"
            self._day = entry.next_day
        else:
            self._word(entry)

    def _word(self, entry: Entry) -> None:
        """Take what somebody ordered, and the opening."""
        if isinstance(entry, PortfolioOpened):
            self._day, self.cash = entry.day, entry.cash
        elif isinstance(entry, CashMoved):
            self.cash += entry.amount
        elif isinstance(entry, KillChanged):
            self._kill = entry.level
        elif isinstance(entry, HaltSet):
            self._halts[entry.name] = entry
        elif isinstance(entry, HaltCleared):
            self._halts.pop(entry.name, None)

    def _intent(self, intent: Intent) -> Iterator[str]:
        if intent.intent_id in self._intents:
            yield f"ORD-1: intent {intent.intent_id} is there twice"
        self._intents[intent.intent_id] = intent
        if intent.purpose != "entry":
            return
        if self._kill != "none":
            yield "KIL-1: an entry while the kill switch is on"
        if "operator" in self._halts:
            yield "R6: an entry while the operator has halted"
        stop = self._halts.get("r_stop")
        if stop is not None and stop.day >= self._day:
            yield "RSK-2: an entry on the day of an R-stop"
        self._working[intent.intent_id] = intent
        yield from self._exposed(intent.symbol)

    def _exposed(self, symbol: str) -> Iterator[str]:
        open_now = {name: one for name, one in self.trades.items() if one.lots}
        waiting = [one.symbol for name, one in self._working.items() if name not in open_now]
        symbols = [one.symbol for one in open_now.values()] + waiting
        if len(symbols) > self._caps[0]:
            yield f"RSK-1: {len(symbols)} positions and orders, the cap is {self._caps[0]}"
        if symbols.count(symbol) > self._caps[1]:
            yield f"RSK-1: {symbols.count(symbol)} in {symbol}, the cap is {self._caps[1]}"

    def _fill(self, fill: Filled) -> Iterator[str]:
        if fill.execution_id in self._executions:
            yield f"FIL-1: execution {fill.execution_id} is there twice"
        self._executions.add(fill.execution_id)
        self.cash += fill.pnl - fill.fee
        trade = self.trades.setdefault(fill.trade_id, _Trade(fill.symbol))
        if fill.leg == "entry":
            intent = self._intents.get(fill.intent_id)
            if intent is None:
                yield f"ORD-1: a fill of {fill.intent_id}, which nobody knows"
                return
            done = self._filled[fill.intent_id] = self._filled.get(fill.intent_id, 0) + fill.lots
            if done > intent.lots:
                yield f"FIL-2: {done} lots filled of {intent.lots}"
            if done >= intent.lots:
                self._working.pop(fill.intent_id, None)
            trade.lots += fill.lots
        else:
            trade.lots -= fill.lots
        if trade.lots < 0:
            yield f"SLT-2: trade {fill.trade_id} has flipped"

    def settled(self) -> Iterator[str]:
        """Yield what must not be between two instants."""
        for name, trade in self.trades.items():
            if trade.lots and not trade.is_protected:
                yield f"SLT-1: trade {name} has no stop"
