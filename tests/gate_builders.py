"""Builders for tests of gates and watches: portfolios, questions, marks, one thing changed."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from daemon.core.calendar import Schedule
from daemon.core.pace import Pace, PaceLimits
from daemon.core.supervision import Gate, Marks, Question, Sizing
from daemon.core.supervisors.drawdown import DrawdownLock
from daemon.core.supervisors.exposure import (
    GrossExposureCap,
    OrderValueCap,
    PositionsCap,
    SymbolPositionsCap,
)
from daemon.core.supervisors.freshness import Freshness
from daemon.core.supervisors.halts import Halts
from daemon.core.supervisors.killswitch import KillSwitch
from daemon.core.supervisors.news import NewsGate
from daemon.core.supervisors.position import OnePosition
from daemon.core.supervisors.rstop import RStop
from daemon.core.supervisors.sizing import SizingGate
from daemon.core.supervisors.strategy_day import StrategyDay
from daemon.core.supervisors.volatility import VolatilityGate
from daemon.core.supervisors.window import WindowGate
from state.bars import Bar
from state.entries import HaltSet
from state.orders import Intent, OrderState
from state.portfolio import CountedEntry, DayStats, ExitFact, OpenOrder, Portfolio, Position
from state.signals import Signal
from state.units import EPOCH_ORDINAL, MINUTE_NS, utc_ns

NOW_NS = utc_ns(datetime(2024, 1, 10, 9, 0, tzinfo=UTC))
"""T of every question unless a test says otherwise: Wednesday, 09:00 UTC."""
DAY = EPOCH_ORDINAL + NOW_NS // (24 * 60 * MINUTE_NS)
INTERVAL_NS = 5 * MINUTE_NS


def portfolio(**changed: object) -> Portfolio:
    """Make a flat portfolio of 100,000 USD on trading day ``DAY``."""
    values: dict[str, Any] = {
        "portfolio_id": "test",
        "base_currency": "USD",
        "day": DAY,
        "now_ns": NOW_NS,
        "cash": Decimal(100_000),
        "start_cash": Decimal(100_000),
        "marked_equity": Decimal(100_000),
        "high_water": Decimal(100_000),
        "days": {DAY: DayStats(DAY)},
    }
    return Portfolio(**{**values, **changed})


def question(
    book: Portfolio | None = None,
    *,
    now_ns: int = NOW_NS,
    symbol: str = "EURUSD",
    strategy: str = "lsg",
    **changed: object,
) -> Question:
    """Make a question of ``lsg`` on EURUSD that every gate of ``gates()`` allows."""
    values: dict[str, Any] = {
        "now_ns": now_ns,
        "day": DAY,
        "symbol": symbol,
        "strategy": strategy,
        "key": f"{symbol}/{strategy}",
        "interval_ns": INTERVAL_NS,
        "bar": Bar(now_ns - INTERVAL_NS, now_ns, 1.05, 1.051, 1.049, 1.0505),
        "bar_in_window": True,
        "signal": Signal(side=1, stop=1.049),
        "portfolio": portfolio() if book is None else book,
        "sizing": Sizing(1000, Decimal("1.50"), "SIZED", "1000", "legal"),
        "order_value": Decimal("1050.50"),
        "gross_exposure": Decimal(0),
        "positions": 0,
        "positions_symbol": 0,
        "has_rate": True,
        "true_range": 0.002,
        "atr_before": 0.001,
        "bar_age_ns": 0,
        "rate_age_ns": 0,
        "realised_r": 0.0,
        "open_r": 0.0,
        "worst_r": 0.0,
        "this_worst_r": -1.05,
    }
    return Question(**{**values, **changed})


def marks(book: Portfolio, **changed: object) -> Marks:
    """Make the marks of an instant; equity is the portfolio's cash unless given."""
    values: dict[str, Any] = {
        "now_ns": NOW_NS,
        "day": DAY,
        "portfolio": book,
        "equity": float(book.cash),
        "realised_r": 0.0,
        "open_r": 0.0,
    }
    return Marks(**{**values, **changed})


def counted(
    at_ns: int, symbol: str = "EURUSD", strategy: str = "lsg", *, day: int = DAY
) -> CountedEntry:
    """Make an entry that counts from ``at_ns`` on."""
    return CountedEntry(at_ns, day, symbol, strategy, f"{symbol}{at_ns}")


def closed(
    at_ns: int, outcome: str = "loss", *, symbol: str = "EURUSD", run: int = 1, factor: float = 1.0
) -> ExitFact:
    """Make the closing of a trade."""
    return ExitFact(at_ns, symbol, outcome, 0 if outcome == "win" else run, factor)


def halt(
    name: str, *, day: int = 0, until_ns: int = (1 << 63) - 1, code: str = "HALTED"
) -> HaltSet:
    """Make a halt that was set an hour ago."""
    return HaltSet(NOW_NS - 60 * MINUTE_NS, name, code, "a reason", "seen", "limit", day, until_ns)


def position(symbol: str = "EURUSD", strategy: str = "lsg") -> Position:
    """Make an open long position of 1000 lots."""
    return Position(
        trade_id="t1",
        symbol=symbol,
        strategy=strategy,
        side=1,
        lots=1000,
        entry_lots=1000,
        entry_cost_ticks=105_000_000,
        entry_price=Decimal("1.05"),
        entry_ns=NOW_NS - INTERVAL_NS,
        signal_ns=NOW_NS - INTERVAL_NS,
        entry_bar_ns=NOW_NS - INTERVAL_NS,
        day=DAY,
        entry_rate=Decimal(1),
    )


def order(
    symbol: str = "EURUSD",
    strategy: str = "lsg",
    *,
    purpose: str = "entry",
    state: OrderState = OrderState.WORKING,
) -> OpenOrder:
    """Make an order in flight."""
    intent = Intent("i1", purpose, "t1", symbol, strategy, INTERVAL_NS, 1, 1000, NOW_NS, DAY)
    return OpenOrder(intent, state)


def gates(*, win_lock_r: float | None = None) -> list[Gate]:
    """Make every gate in the order asked, with the defaults of the mission and small caps."""
    return [
        KillSwitch(),
        Halts(),
        WindowGate({"EURUSD/lsg": Schedule.always()}),
        NewsGate((), {"EURUSD": ("EUR", "USD")}, 30, 30, ("high",)),
        Freshness(2, 900),
        VolatilityGate(5.0),
        OnePosition(),
        RStop(-5.0, open_r=True, worst_case=True),
        StrategyDay(3, -2.0, win_lock_r),
        DrawdownLock(0.05),
        OrderValueCap(Decimal(5_000)),
        GrossExposureCap(Decimal(20_000)),
        PositionsCap(4),
        SymbolPositionsCap(2),
        *Pace(PaceLimits()).gates,
        SizingGate(),
    ]
