"""Plans for people: what protects each open position now, or protected it as a day ended."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from state.entries import InstrumentSet, PlanSet, WideningRefused
from state.queries import Book
from state.units import NEVER_NS, day_text


class OpenPlan(msgspec.Struct, frozen=True):
    """The plan of one open trade; a position without one is unprotected (``stop`` None).

    ``trail_distance`` is price units, ``risk`` the initial risk in base currency, ``since_ns`` the
    entry. ``set_by`` is what made the plan (``ENTRY``, ``HELD``, ``TRAIL``, ``WIDENED``), ``night``
    what became of the last widening: its trading day, and the code where it was refused.
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
    trail_distance: float | None = None
    set_by: str | None = None
    night: str | None = None


async def open_plans(book: Book, strategy: str | None, symbol: str | None) -> list[OpenPlan]:
    """Return the last plan of every open trade.

    Raises:
        JournalError: the database cannot be read.
    """
    trades = {one.trade_id: one for one in await book.positions(strategy=strategy, symbol=symbol)}
    ticks: dict[str, Decimal] = {}
    plans: dict[str, PlanSet] = {}
    nights: dict[str, str] = {}
    if trades:
        kinds = ("InstrumentSet", "PlanSet", "WideningRefused")
        async for line in book.entries_after(0, kinds=kinds):
            entry = line.entry
            if isinstance(entry, InstrumentSet):
                ticks[entry.instrument.symbol] = entry.instrument.tick
            elif isinstance(entry, PlanSet) and entry.trade_id in trades:
                plans[entry.trade_id] = entry
                if isinstance(entry.widened_day, int):
                    nights[entry.trade_id] = day_text(entry.widened_day)
            elif isinstance(entry, WideningRefused):
                nights[entry.trade_id] = f"{day_text(entry.day)} {entry.code}"
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
                time_stop_ns=plan.time_stop_ns if plan else NEVER_NS,
                risk=trade.risk,
                since_ns=trade.entry_ns,
                trade_id=trade_id,
                trail_distance=(plan.trail_distance or None) if plan else None,
                set_by=plan.reason if plan else None,
                night=nights.get(trade_id),
            )
        )
    return found
