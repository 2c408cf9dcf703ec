"""The plans in force: what protects each open position, read from the journal."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from state.entries import InstrumentSet, PlanSet
from state.queries import Book


class OpenPlan(msgspec.Struct, frozen=True):
    """The plan of one open trade; a position without one is unprotected (``stop`` None).

    ``risk`` is the initial risk in base currency, ``since_ns`` the entry.
    """

    symbol: str
    strategy: str
    side: str
    stop: Decimal | None
    target: Decimal | None
    time_stop_ns: int
    risk: Decimal
    since_ns: int
    trade_id: str


async def open_plans(book: Book, strategy: str | None, symbol: str | None) -> list[OpenPlan]:
    """Return the last plan of every open trade.

    Raises:
        JournalError: the database cannot be read.
    """
    trades = {one.trade_id: one for one in await book.positions(strategy=strategy, symbol=symbol)}
    ticks: dict[str, Decimal] = {}
    plans: dict[str, PlanSet] = {}
    if trades:
        async for line in book.entries_after(0, kinds=("InstrumentSet", "PlanSet")):
            if isinstance(line.entry, InstrumentSet):
                ticks[line.entry.instrument.symbol] = line.entry.instrument.tick
            elif isinstance(line.entry, PlanSet) and line.entry.trade_id in trades:
                plans[line.entry.trade_id] = line.entry
    found = []
    for trade_id, trade in trades.items():
        plan, tick = plans.get(trade_id), ticks.get(trade.symbol, Decimal(0))
        target = plan.target_ticks if plan else None
        found.append(
            OpenPlan(
                symbol=trade.symbol,
                strategy=trade.strategy,
                side=trade.side,
                stop=tick * plan.stop_ticks if plan else None,
                target=None if target is None else tick * target,
                time_stop_ns=plan.time_stop_ns if plan else (1 << 63) - 1,
                risk=trade.risk,
                since_ns=trade.entry_ns,
                trade_id=trade_id,
            )
        )
    return found
