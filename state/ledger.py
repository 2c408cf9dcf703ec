"""The ledger: the one way in which a portfolio changes.

``apply`` folds one entry. It never rounds (entries carry rounded amounts), never reads a clock and
never decides. A fold that cannot be right raises ``LedgerError`` and leaves the process to stop.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable
from decimal import Decimal
from operator import attrgetter
from typing import Any, Final

from state.entries import (
    AlarmRung,
    BarsConsumed,
    BarsRefused,
    CashMoved,
    CommandTaken,
    CooldownCleared,
    DayRolled,
    Decided,
    EngineQuarantined,
    Entry,
    EquityMarked,
    Filled,
    FillSuspended,
    HaltCleared,
    HaltSet,
    HealthJudged,
    InstrumentSet,
    IntentRecorded,
    KillChanged,
    OrderChanged,
    PlanSet,
    PortfolioOpened,
    RunEnded,
    RunStarted,
    WideningRefused,
)
from state.errors import LedgerError
from state.executions import identity, told
from state.orders import ENDED_KEPT, TERMINAL, TRANSITIONS, Intent, OrderEvent, OrderState
from state.portfolio import (
    ClosedDay,
    CountedEntry,
    DayStats,
    ExitFact,
    OpenOrder,
    Portfolio,
    Position,
    engine_key,
)
from state.units import HOUR_NS

_LOOK_BACK_NS: Final = 72 * HOUR_NS
_DAYS_KEPT: Final = 3
_EXECUTIONS_KEPT: Final = 1024
CLOSED_DAYS_KEPT: Final = 366
HEALTH: Final = "health"
"""The halt of the health gate."""
_RECENT_KEPT: Final = 10
_at_ns: Final = attrgetter("at_ns")
_NEWS: Final = {
    event.value: event
    for event in OrderEvent
    if event not in (OrderEvent.PART, OrderEvent.FILL)  # only a fill fills
}


def apply(portfolio: Portfolio, seq: int, entry: Entry) -> None:
    """Fold entry number ``seq`` into the portfolio.

    Raises:
        LedgerError: the sequence has a hole, or the entry contradicts what is already true.
    """
    if seq != portfolio.seq + 1:
        raise LedgerError(
            f"journal entry {seq} cannot follow entry {portfolio.seq}: the sequence has a hole"
        )
    _FOLDS[type(entry)](portfolio, entry)
    portfolio.seq = seq
    portfolio.now_ns = entry.at_ns


def adaptive_factor(recent: list[bool]) -> float:
    """Return the adaptive scale of cooldowns from recent results (True: a win), newest last.

    Twice the share of losses among the last ten, between 0.5 and 2: even results keep a cooldown
    as it is, ten losses double it, ten wins halve it.
    """
    if not recent:
        return 1.0
    return min(2.0, max(0.5, 2.0 * recent.count(False) / len(recent)))


def _opened(portfolio: Portfolio, entry: PortfolioOpened) -> None:
    portfolio.portfolio_id = entry.portfolio_id
    portfolio.base_currency = entry.base_currency
    portfolio.zone = entry.zone
    portfolio.day = entry.day
    portfolio.cash = portfolio.start_cash = entry.cash
    portfolio.day_start_equity = portfolio.marked_equity = portfolio.high_water = entry.cash
    portfolio.days[entry.day] = DayStats(entry.day)


def _run_started(portfolio: Portfolio, entry: RunStarted) -> None:
    portfolio.run_id = entry.run_id
    made_by = (entry.config_hash, entry.version)
    if made_by != portfolio.made_by:
        # What raised may have been mended. A mere restart tries nothing again.
        portfolio.quarantined.clear()
    portfolio.made_by = made_by


def _nothing(portfolio: Portfolio, entry: Entry) -> None:
    """Fold an entry that is a fact for the audit trail only."""


def _decided(portfolio: Portfolio, entry: Decided) -> None:
    if entry.outcome == "ACCEPTED":
        portfolio.allowed += 1
        return
    portfolio.denied += 1
    portfolio.by_reason[entry.outcome] = portfolio.by_reason.get(entry.outcome, 0) + 1


def _intent(portfolio: Portfolio, entry: IntentRecorded) -> None:
    intent = entry.intent
    if intent.intent_id in portfolio.orders:
        raise LedgerError(f"intent {intent.intent_id} is recorded twice")
    portfolio.orders[intent.intent_id] = OpenOrder(intent, OrderState.RECORDED)
    if intent.purpose == "entry":
        oldest = entry.at_ns - _LOOK_BACK_NS
        counted = portfolio.counted
        while counted and counted[0].at_ns < oldest:
            del counted[0]
        _count(portfolio, intent)


def _count(portfolio: Portfolio, intent: Intent) -> None:
    """Let an entry count from its instant on; entries stay in the order of their instants."""
    one = CountedEntry(
        intent.decided_ns, intent.day, intent.symbol, intent.strategy, intent.intent_id
    )
    insort(portfolio.counted, one, key=_at_ns)


def _order_changed(portfolio: Portfolio, entry: OrderChanged) -> None:
    order = portfolio.orders.get(entry.intent_id)
    if order is None:
        raise LedgerError(f"{entry.event} for order {entry.intent_id}, which is not open")
    event = _NEWS.get(entry.event)
    if event is None:
        raise LedgerError(
            f"unknown event {entry.event!r} for order {entry.intent_id}; known: {', '.join(_NEWS)}"
        )
    _move(portfolio, order, event)
    if order.state not in TERMINAL:
        return
    if order.intent.purpose == "exit":
        for position in portfolio.positions.values():
            position.failed_exits += position.trade_id == order.intent.trade_id
    elif order.filled == 0:
        portfolio.counted = [c for c in portfolio.counted if c.intent_id != entry.intent_id]


def _move(portfolio: Portfolio, order: OpenOrder, event: OrderEvent) -> None:
    after = TRANSITIONS.get((order.state, event))
    if after is None:
        raise LedgerError(f"order {order.intent.intent_id} in state {order.state} cannot {event}")
    order.state = after
    if after in TERMINAL:
        name = order.intent.intent_id
        del portfolio.orders[name]
        if after is not OrderState.FILLED:
            portfolio.ended[name] = order
            if len(portfolio.ended) > ENDED_KEPT:
                del portfolio.ended[next(iter(portfolio.ended))]


def _filled(portfolio: Portfolio, entry: Filled) -> None:
    name = identity(entry)
    if name in portfolio.executions:
        raise LedgerError(f"execution {name} is recorded twice")
    _remember(portfolio, name, told(entry))
    signal_ns = entry.filled_ns
    if entry.leg in ("entry", "exit"):
        signal_ns = _fill_order(portfolio, entry)
    portfolio.cash += entry.pnl - entry.fee
    if entry.leg == "entry":
        _grow(portfolio, entry, signal_ns)
    else:
        _shrink(portfolio, entry)


def _suspended(portfolio: Portfolio, entry: FillSuspended) -> None:
    """Remember what was told, so that it is known when it is told again."""
    name = identity(entry)
    if name in portfolio.executions:  # booked in part, or told in another way before
        name = f"{name} {entry.told}"
    _remember(portfolio, name, entry.told)


def _remember(portfolio: Portfolio, name: str, said: str) -> None:
    portfolio.executions[name] = said
    if len(portfolio.executions) > _EXECUTIONS_KEPT:
        del portfolio.executions[next(iter(portfolio.executions))]


def _fill_order(portfolio: Portfolio, entry: Filled) -> int:
    """Fill an order and return the instant it was decided."""
    order = portfolio.orders.get(entry.intent_id)
    if order is None:
        order = portfolio.ended.get(entry.intent_id)
        if order is None:
            raise LedgerError(f"fill {entry.execution_id} is of order {entry.intent_id}, not open")
        if order.filled == 0 and order.intent.purpose == "entry":
            _count(portfolio, order.intent)  # it did fill, and so it counts again
    order.filled += entry.lots
    if order.filled > order.intent.lots:
        raise LedgerError(
            f"order {entry.intent_id} of {order.intent.lots} lots has {order.filled} filled"
        )
    if order.state not in TERMINAL:  # a terminal state absorbs: a late fill changes it no more
        whole = order.filled == order.intent.lots
        _move(portfolio, order, OrderEvent.FILL if whole else OrderEvent.PART)
    return order.intent.decided_ns


def _grow(portfolio: Portfolio, entry: Filled, signal_ns: int) -> None:
    key = engine_key(entry.symbol, entry.strategy)
    position = portfolio.positions.get(key)
    if position is None:
        position = portfolio.positions[key] = Position(
            trade_id=entry.trade_id,
            symbol=entry.symbol,
            strategy=entry.strategy,
            side=entry.side,
            lots=0,
            entry_lots=0,
            entry_cost_ticks=0,
            entry_price=entry.price,
            entry_ns=entry.filled_ns,
            signal_ns=signal_ns,
            entry_bar_ns=entry.bar_open_ns,
            day=entry.day,
            entry_rate=entry.rate,
        )
    elif position.trade_id != entry.trade_id:
        raise LedgerError(f"{key} already holds trade {position.trade_id}, not {entry.trade_id}")
    position.lots += entry.lots
    position.entry_lots += entry.lots
    position.entry_cost_ticks += entry.fill_ticks * entry.lots
    position.entry_fee += entry.fee
    _charge(position, entry)


def _charge(position: Position, entry: Filled) -> None:
    position.fees += entry.fee
    position.slippage += entry.slippage
    position.spread += entry.spread
    position.realised += entry.pnl


def _shrink(portfolio: Portfolio, entry: Filled) -> None:
    key = engine_key(entry.symbol, entry.strategy)
    position = portfolio.positions.get(key)
    if position is None or position.trade_id != entry.trade_id:
        raise LedgerError(f"exit {entry.execution_id} of trade {entry.trade_id}, not open in {key}")
    if entry.side != -position.side or entry.lots > position.lots:
        raise LedgerError(
            f"exit {entry.execution_id} of {entry.lots} lots would flip {key} of {position.lots}"
        )
    position.lots -= entry.lots
    _charge(position, entry)
    if position.lots == 0:
        del portfolio.positions[key]
        _close(portfolio, position, entry)


def trade_r(position: Position) -> float:
    """Return the R of what the trade realised, after fees (0 where no risk was fixed)."""
    if not position.initial_risk:
        return 0.0
    return float((position.realised - position.fees) / position.initial_risk)


def _close(portfolio: Portfolio, position: Position, entry: Filled) -> None:
    net = position.realised - position.fees
    r = trade_r(position)
    day = portfolio.days.setdefault(entry.day, DayStats(entry.day))
    name = position.strategy
    day.r += r
    day.pnl += net
    day.gross += position.realised
    day.fees += position.fees
    day.trades += 1
    day.strategy_r[name] = day.strategy_r.get(name, 0.0) + r
    day.strategy_trades[name] = day.strategy_trades.get(name, 0) + 1
    day.strategy_pnl[name] = day.strategy_pnl.get(name, Decimal(0)) + net
    portfolio.trades += 1
    won = net > 0
    portfolio.loss_run = 0 if won else portfolio.loss_run + 1
    portfolio.recent = [*portfolio.recent[-(_RECENT_KEPT - 1) :], won]
    outcome = "win" if won else "stop" if entry.leg == "stop" else "loss"
    exits = portfolio.exits
    oldest = entry.filled_ns - _LOOK_BACK_NS
    while exits and exits[0].at_ns < oldest:
        del exits[0]
    exits.append(
        ExitFact(
            entry.filled_ns,
            position.symbol,
            outcome,
            portfolio.loss_run,
            adaptive_factor(portfolio.recent),
        )
    )


def _open_trade(portfolio: Portfolio, trade_id: str, what: str) -> Position:
    for position in portfolio.positions.values():
        if position.trade_id == trade_id:
            return position
    raise LedgerError(f"{what} for trade {trade_id}, which is not open")


def _plan(portfolio: Portfolio, entry: PlanSet) -> None:
    position = _open_trade(portfolio, entry.trade_id, "a plan")
    if isinstance(entry.widened_day, int):
        _asked_to_widen(position, entry.widened_day)
    if position.initial_stop_ticks is None:
        position.initial_stop_ticks = entry.stop_ticks
    if entry.reason == "ENTRY":
        position.initial_risk = entry.initial_risk
    position.stop_ticks = entry.stop_ticks
    position.target_ticks = entry.target_ticks
    position.time_stop_ns = entry.time_stop_ns
    distance = entry.trail_distance
    position.trail_distance = distance if isinstance(distance, float) else None


def _widening_refused(portfolio: Portfolio, entry: WideningRefused) -> None:
    _asked_to_widen(_open_trade(portfolio, entry.trade_id, "a refused widening"), entry.day)


def _asked_to_widen(position: Position, day: int) -> None:
    if day <= position.widened_day:
        raise LedgerError(
            f"trade {position.trade_id} is widened for trading day {day} after day"
            f" {position.widened_day}: once per trading day"
        )
    position.widened_day = day


def _halt(portfolio: Portfolio, entry: HaltSet) -> None:
    portfolio.halts[entry.name] = entry


def _unhalt(portfolio: Portfolio, entry: HaltCleared) -> None:
    portfolio.halts.pop(entry.name, None)
    if entry.name == HEALTH:
        # Whoever resets it has judged these days: what comes is judged without them.
        portfolio.closed_days = []


def _kill(portfolio: Portfolio, entry: KillChanged) -> None:
    portfolio.kill = entry.level
    portfolio.kill_reason = entry.reason


def _cooldown_cleared(portfolio: Portfolio, entry: CooldownCleared) -> None:
    portfolio.cleared[entry.name] = entry.at_ns


def _quarantined(portfolio: Portfolio, entry: EngineQuarantined) -> None:
    portfolio.quarantined[engine_key(entry.symbol, entry.strategy)] = entry.error


def _marked(portfolio: Portfolio, entry: EquityMarked) -> None:
    portfolio.marked_equity = entry.cash + entry.open_pnl
    portfolio.high_water = entry.high_water


def _cash_moved(portfolio: Portfolio, entry: CashMoved) -> None:
    portfolio.cash += entry.amount
    portfolio.deposits += entry.amount
    portfolio.high_water += entry.amount
    portfolio.marked_equity += entry.amount


def _day_rolled(portfolio: Portfolio, entry: DayRolled) -> None:
    if entry.next_day <= portfolio.day:
        raise LedgerError(f"the trading day cannot go from {portfolio.day} to {entry.next_day}")
    moved = portfolio.deposits - portfolio.day_start_deposits
    closed = ClosedDay(entry.day, entry.start_equity, entry.end_equity, moved)
    portfolio.closed_days = [*portfolio.closed_days[-(CLOSED_DAYS_KEPT - 1) :], closed]
    portfolio.day_start_deposits = portfolio.deposits
    portfolio.day = entry.next_day
    portfolio.day_start_equity = portfolio.marked_equity = entry.end_equity
    portfolio.days.setdefault(entry.next_day, DayStats(entry.next_day))
    for old in sorted(portfolio.days)[:-_DAYS_KEPT]:
        del portfolio.days[old]
    portfolio.halts = {
        name: halt
        for name, halt in portfolio.halts.items()
        if not halt.day or halt.day >= entry.next_day
    }


_FOLDS: Final[dict[type, Callable[[Portfolio, Any], None]]] = {
    PortfolioOpened: _opened,
    InstrumentSet: _nothing,
    RunStarted: _run_started,
    RunEnded: _nothing,
    BarsConsumed: _nothing,
    BarsRefused: _nothing,
    Decided: _decided,
    IntentRecorded: _intent,
    OrderChanged: _order_changed,
    Filled: _filled,
    FillSuspended: _suspended,
    PlanSet: _plan,
    WideningRefused: _widening_refused,
    AlarmRung: _nothing,
    HaltSet: _halt,
    HaltCleared: _unhalt,
    KillChanged: _kill,
    CommandTaken: _nothing,
    CooldownCleared: _cooldown_cleared,
    EngineQuarantined: _quarantined,
    EquityMarked: _marked,
    CashMoved: _cash_moved,
    DayRolled: _day_rolled,
    HealthJudged: _nothing,
}
