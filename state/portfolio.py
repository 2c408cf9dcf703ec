"""The portfolio: the state that entries fold into.

Every field is a function of the journal. Nothing but ``state.ledger.apply`` may change it.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from state.entries import HaltSet
from state.orders import Intent, OrderState


class OpenOrder(msgspec.Struct):
    """An order that is not terminal, and how much of it is filled (lots)."""

    intent: Intent
    state: OrderState
    filled: int = 0


class Position(msgspec.Struct):
    """An open trade of one engine.

    ``lots`` is what is open now (> 0), ``entry_lots`` what was bought or sold in all;
    ``entry_cost_ticks`` is the sum of fill ticks x lots of the entry fills and ``entry_price`` the
    price before costs of the first one; ``stop_ticks`` None until the plan is set. The stop follows
    the closes at ``trail_distance`` (price units; None: it does not). ``widened_day`` is the last
    trading day on which widening the plan was done or refused (0: none). ``failed_exits`` counts
    the exit orders that were rejected or cancelled, so that another try has an id of its own.
    Amounts are base currency; ``realised`` before fees.
    """

    trade_id: str
    symbol: str
    strategy: str
    side: int
    lots: int
    entry_lots: int
    entry_cost_ticks: int
    entry_price: Decimal
    entry_ns: int
    signal_ns: int
    entry_bar_ns: int
    day: int
    entry_rate: Decimal
    initial_risk: Decimal = Decimal(0)
    stop_ticks: int | None = None
    initial_stop_ticks: int | None = None
    target_ticks: int | None = None
    time_stop_ns: int = (1 << 63) - 1
    realised: Decimal = Decimal(0)
    fees: Decimal = Decimal(0)
    entry_fee: Decimal = Decimal(0)
    slippage: Decimal = Decimal(0)
    spread: Decimal = Decimal(0)
    trail_distance: float | None = None
    widened_day: int = 0
    failed_exits: int = 0

    def entry_ticks(self) -> float:
        """Return the mean entry fill in ticks (a view)."""
        return self.entry_cost_ticks / self.entry_lots


class DayStats(msgspec.Struct):
    """What closed on one trading day: R and counts per strategy, P&L in base currency."""

    day: int
    r: float = 0.0
    pnl: Decimal = Decimal(0)
    gross: Decimal = Decimal(0)
    fees: Decimal = Decimal(0)
    trades: int = 0
    strategy_r: dict[str, float] = msgspec.field(default_factory=dict)
    strategy_trades: dict[str, int] = msgspec.field(default_factory=dict)
    strategy_pnl: dict[str, Decimal] = msgspec.field(default_factory=dict)


class ClosedDay(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A portfolio day that rolled: equity at mark at both ends, and money that moved in."""

    day: int
    start: Decimal
    end: Decimal
    moved: Decimal


class CountedEntry(msgspec.Struct, frozen=True, gc=False):
    """An accepted entry that counts for pacing and for the strategy's day, from ``at_ns`` on."""

    at_ns: int
    day: int
    symbol: str
    strategy: str
    intent_id: str


class ExitFact(msgspec.Struct, frozen=True, gc=False):
    """A closed trade, as cooldowns see it.

    ``outcome`` is ``win``, ``loss`` or ``stop`` (a losing stop); ``run`` the number of losses in a
    row that this exit makes (0 for a win); ``factor`` the adaptive scale at that moment, from the
    recent results.
    """

    at_ns: int
    symbol: str
    outcome: str
    run: int
    factor: float


class Portfolio(msgspec.Struct):
    """All that is true of one portfolio after entry number ``seq``.

    ``positions`` is keyed by (symbol, strategy) written ``SYMBOL/strategy``; ``orders`` by intent
    id and holds open orders only; ``ended`` remembers the last 32 that were cancelled or rejected,
    oldest first, because one may fill all the same. ``days`` keeps the trading days that may still
    matter (the last three). ``counted`` and ``exits`` are pruned after 72 hours, longer than any
    limit looks back.
    ``made_by`` is the configuration's hash and the version of the last run.
    ``closed_days`` keeps the last 366 days that rolled, since the health gate was last reset;
    ``day_start_deposits`` is what ``deposits`` was when the present day began.
    ``executions`` remembers the last 1024 executions by what they are known by
    (``state.executions.identity``), with what each said, so that a repeated fill is known as one.
    """

    portfolio_id: str = ""
    base_currency: str = ""
    zone: str = "UTC"
    run_id: str = ""
    seq: int = 0
    now_ns: int = 0
    day: int = 0
    cash: Decimal = Decimal(0)
    deposits: Decimal = Decimal(0)
    start_cash: Decimal = Decimal(0)
    day_start_equity: Decimal = Decimal(0)
    marked_equity: Decimal = Decimal(0)
    high_water: Decimal = Decimal(0)
    positions: dict[str, Position] = msgspec.field(default_factory=dict)
    orders: dict[str, OpenOrder] = msgspec.field(default_factory=dict)
    days: dict[int, DayStats] = msgspec.field(default_factory=dict)
    counted: list[CountedEntry] = msgspec.field(default_factory=list)
    exits: list[ExitFact] = msgspec.field(default_factory=list)
    recent: list[bool] = msgspec.field(default_factory=list)
    loss_run: int = 0
    cleared: dict[str, int] = msgspec.field(default_factory=dict)
    halts: dict[str, HaltSet] = msgspec.field(default_factory=dict)
    kill: str = "none"
    kill_reason: str = ""
    quarantined: dict[str, str] = msgspec.field(default_factory=dict)
    allowed: int = 0
    denied: int = 0
    by_reason: dict[str, int] = msgspec.field(default_factory=dict)
    trades: int = 0
    executions: dict[str, str] = msgspec.field(default_factory=dict)
    made_by: tuple[str, str] = ("", "")
    closed_days: list[ClosedDay] = msgspec.field(default_factory=list)
    day_start_deposits: Decimal = Decimal(0)
    ended: dict[str, OpenOrder] = msgspec.field(default_factory=dict)

    def leaving(self, trade_id: str) -> int:
        """Return how many lots of a trade its exit orders in flight will close (a view)."""
        return sum(
            order.intent.lots - order.filled
            for order in self.orders.values()
            if order.intent.purpose == "exit" and order.intent.trade_id == trade_id
        )


def engine_key(symbol: str, strategy: str) -> str:
    """Return the name of an engine: ``SYMBOL/strategy``."""
    return f"{symbol}/{strategy}"
