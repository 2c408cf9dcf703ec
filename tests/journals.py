"""Journals that tests of the store share: small, whole, and accepted by ledger and projector."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from state.entries import (
    BarsConsumed,
    CashMoved,
    DayRolled,
    Decided,
    Entry,
    EquityMarked,
    Filled,
    HaltSet,
    InstrumentSet,
    IntentRecorded,
    OrderChanged,
    PlanSet,
    PortfolioOpened,
    RunEnded,
    RunStarted,
)
from state.ledger import apply
from state.orders import Intent
from state.portfolio import Portfolio
from state.signals import Signal
from state.units import MINUTE_NS, NEVER_NS
from state.verdicts import Verdict
from tests.builders import eurusd

DAY = 737_060
"""2019-01-01."""


def opening() -> list[Entry]:
    """Return the entries that every journal begins with."""
    return [
        PortfolioOpened(0, DAY, "book", "USD", "UTC", Decimal(100_000)),
        InstrumentSet(0, eurusd()),
        RunStarted(0, "run1", "0.1.0", "replay", "c0ffee"),
    ]


def intent(
    name: str, at_ns: int, *, side: int = 1, lots: int = 100_000, trade: str = "", stop: int = 0
) -> IntentRecorded:
    """Record a market entry, or, with ``trade``, the exit of that trade."""
    purpose = "exit" if trade else "entry"
    return IntentRecorded(
        at_ns,
        Intent(
            name,
            purpose,
            trade or name,
            "EURUSD",
            "ORB",
            5 * MINUTE_NS,
            side,
            lots,
            at_ns,
            DAY,
            reference=1.1,
            stop_ticks=stop or None,
        ),
    )


def fill(
    execution: str,
    order: str,
    trade: str,
    leg: str,
    at_ns: int,
    ticks: int,
    *,
    side: int = 1,
    lots: int = 100_000,
    price: str = "1.1",
    pnl: str = "0",
    fee: str = "0",
    reason: str = "",
    day: int = DAY,
) -> Filled:
    """Make a fill that cost 1 of spread and 2 of slippage."""
    return Filled(
        at_ns,
        execution,
        order,
        trade,
        leg,
        "EURUSD",
        "ORB",
        side,
        lots,
        Decimal(price),
        ticks,
        at_ns,
        at_ns,
        day,
        Decimal(1),
        Decimal(2),
        Decimal(fee),
        Decimal(pnl),
        Decimal(1),
        reason,
    )


def trade(name: str, at_ns: int, *, won: bool) -> list[Entry]:
    """Return a whole trade: decided, entered at 1.10000, out 50 ticks above or at the stop below.

    100,000 long: 50 ticks are 50.00 either way, and 50.00 is the risk.
    """
    pnl, leg, ticks = ("50", "target", 110_050) if won else ("-50", "stop", 109_950)
    gates = (Verdict("kill", True, "NO_KILL", "none", "none"),)
    later = at_ns + MINUTE_NS
    return [
        BarsConsumed(at_ns, "EURUSD", 5 * MINUTE_NS, 1, at_ns, "0" * 32),
        Decided(
            at_ns, "EURUSD", "ORB", at_ns, DAY, Signal(1, stop=1.0995), gates, "ACCEPTED", name
        ),
        intent(name, at_ns, stop=109_950),
        OrderChanged(at_ns, name, "SUBMIT"),
        fill(f"{name}-1", name, name, "entry", at_ns, 110_000, fee="1"),
        PlanSet(at_ns, name, 109_950, 110_050, NEVER_NS, Decimal(50)),
        fill(f"{name}-2", name, name, leg, later, ticks, side=-1, pnl=pnl, fee="1"),
        EquityMarked(later, Decimal(100_000), Decimal(0), Decimal(100_000)),
    ]


def journal(trades: int = 6) -> list[Entry]:
    """Return a day: trades won and lost, a cancelled order, a halt, the roll, an open trade."""
    entries = opening()
    for number in range(trades):
        entries += trade(f"T{number}", (number + 1) * 10 * MINUTE_NS, won=number % 2 == 0)
    end_ns = (trades + 1) * 10 * MINUTE_NS
    return [
        *entries,
        intent("C1", end_ns, stop=109_950),
        OrderChanged(end_ns, "C1", "ACCEPT"),
        OrderChanged(end_ns, "C1", "CANCEL", "NO_BAR"),
        HaltSet(end_ns, "operator", "HALTED", "lunch", "halt", "none"),
        CashMoved(end_ns, Decimal(500), "deposit"),
        DayRolled(
            end_ns,
            DAY,
            DAY + 1,
            Decimal(100_000),
            Decimal(100_488),
            Decimal(0),
            Decimal(12),
            trades,
            0.001,
            0,
        ),
        intent("OPEN", end_ns, stop=109_950),
        fill("OPEN-1", "OPEN", "OPEN", "entry", end_ns, 110_000, lots=40_000),
        PlanSet(end_ns, "OPEN", 109_950, None, NEVER_NS, Decimal(20)),
        RunEnded(end_ns, "run1", "END_OF_HISTORY"),
    ]


def fold(entries: Sequence[Entry]) -> Portfolio:
    """Fold a journal from its first entry."""
    portfolio = Portfolio()
    for seq, entry in enumerate(entries, start=1):
        apply(portfolio, seq, entry)
    return portfolio
