"""The one projector: journal entries to the rows of orders, fills, trades, equity, portfolio_days.

It folds what it needs itself: the open orders and open trades, nothing that grows with the journal.
It executes no SQL, except to rebuild the tables for comparison. Rows of one order or trade are
joined: a transaction writes the last of them only, so the tables after a transaction do not depend
on how entries were grouped.

A trade belongs to the run that opened it. While it is open its trading day is the entry's, then
the closing fill's.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec

from state import projected
from state.entries import (
    DayRolled,
    Entry,
    EquityMarked,
    Filled,
    InstrumentSet,
    IntentRecorded,
    OrderChanged,
    PlanSet,
    PortfolioOpened,
    RunStarted,
)
from state.errors import JournalError, LedgerError
from state.instruments import Instrument
from state.migrate import migrations
from state.orders import ENDED_KEPT, TERMINAL, TRANSITIONS, OrderEvent, OrderState
from state.projected import ProjectedOrder, ProjectedTrade, Row

Batch = list[tuple[str, list[Row]]]

_EVENTS: Final = {event.value: event for event in OrderEvent}


class _State(msgspec.Struct):
    """Everything that the projector folds; ``seq`` is the last entry folded."""

    seq: int = 0
    portfolio_id: str = ""
    run_id: str = ""
    version: str = ""
    instruments: dict[str, Instrument] = msgspec.field(default_factory=dict)
    orders: dict[str, ProjectedOrder] = msgspec.field(default_factory=dict)
    trades: dict[str, ProjectedTrade] = msgspec.field(default_factory=dict)
    ended: dict[str, ProjectedOrder] = msgspec.field(default_factory=dict)


class Projector:
    """Folds entries and hands out the rows that they changed.

    ``fold`` every entry of a transaction, then ``take`` its rows once. After an error the fold is
    not to be used any more: the transaction is rolled back and the process stops.
    """

    def __init__(self, state: bytes | None = None) -> None:
        """Begin at the first entry, or go on from what ``state()`` gave.

        Raises:
            JournalError: ``state`` is not what ``state()`` gave.
        """
        try:
            self._state = _State() if state is None else msgspec.json.decode(state, type=_State)
        except msgspec.MsgspecError as problem:
            raise JournalError(f"the projector's state cannot be read: {problem}") from problem
        self._orders: dict[str, ProjectedOrder] = {}
        self._trades: dict[str, ProjectedTrade] = {}
        self._fills: list[Row] = []
        self._equity: list[Row] = []
        self._days: list[Row] = []
        self._day_positions: list[Row] = []

    @property
    def seq(self) -> int:
        """The number of the last entry folded, 0 before the first."""
        return self._state.seq

    def state(self) -> bytes:
        """Return the fold as JSON, to go on from later. Take the rows before."""
        return msgspec.json.encode(self._state)

    def fold(self, seq: int, entry: Entry) -> None:
        """Fold entry number ``seq``.

        Raises:
            LedgerError: the entry contradicts what is already true.
        """
        project = _PROJECTIONS.get(type(entry))
        if project is not None:
            project(self, seq, entry)
        self._state.seq = seq

    def take(self) -> Batch:
        """Return (statement, rows) of what changed since the last call, and forget it."""
        orders, trades = self._orders.values(), self._trades.values()
        batch: Batch = [
            (projected.NEW_ORDER, [projected.order_row(o) for o in orders if o.is_new]),
            (projected.ORDER, [projected.order_row(o) for o in orders if not o.is_new]),
            (projected.FILL, self._fills),
            (projected.NEW_TRADE, [projected.trade_row(t) for t in trades if t.is_new]),
            (projected.TRADE, [projected.trade_row(t) for t in trades if not t.is_new]),
            (projected.EQUITY, self._equity),
            (projected.DAY, self._days),
            (projected.DAY_POSITION, self._day_positions),
        ]
        for order in orders:
            order.is_new = False
        for trade in trades:
            trade.is_new = False
        self._orders, self._trades = {}, {}
        self._fills, self._equity, self._days, self._day_positions = [], [], [], []
        return [(statement, changed) for statement, changed in batch if changed]

    def _opened(self, seq: int, entry: PortfolioOpened) -> None:
        self._state.portfolio_id = entry.portfolio_id

    def _run_started(self, seq: int, entry: RunStarted) -> None:
        self._state.run_id = entry.run_id
        self._state.version = entry.version

    def _instrument_set(self, seq: int, entry: InstrumentSet) -> None:
        self._state.instruments[entry.instrument.symbol] = entry.instrument

    def _intent(self, seq: int, entry: IntentRecorded) -> None:
        intent = entry.intent
        if intent.intent_id in self._state.orders or intent.intent_id in self._orders:
            raise LedgerError(f"intent {intent.intent_id} is recorded twice (entry {seq})")
        instrument = self._instrument(seq, intent.symbol)
        order = ProjectedOrder(seq, intent, instrument.tick, instrument.lot, entry.at_ns)
        self._state.orders[intent.intent_id] = self._orders[intent.intent_id] = order

    def _order_changed(self, seq: int, entry: OrderChanged) -> None:
        order = self._state.orders.get(entry.intent_id)
        if order is None:
            raise LedgerError(f"entry {seq}: {entry.event} for order {entry.intent_id}, not open")
        order.code = entry.code
        self._move(seq, order, entry.event, entry.at_ns)

    def _move(self, seq: int, order: ProjectedOrder, event: str, at_ns: int) -> None:
        known = _EVENTS.get(event)
        after = None if known is None else TRANSITIONS.get((order.state, known))
        name = order.intent.intent_id
        if after is None:
            raise LedgerError(f"entry {seq}: order {name} in state {order.state} cannot {event}")
        order.state = after
        order.changed_ns = at_ns
        self._orders[name] = order
        if after in TERMINAL:
            del self._state.orders[name]
            if after is not OrderState.FILLED:
                ended = self._state.ended
                ended[name] = order
                if len(ended) > ENDED_KEPT:
                    del ended[next(iter(ended))]

    def _filled(self, seq: int, entry: Filled) -> None:
        instrument = self._instrument(seq, entry.symbol)
        fill = instrument.tick * entry.fill_ticks
        quantity = instrument.lot * entry.lots
        self._fills.append(projected.fill_row(seq, entry, quantity, fill))
        signal_ns = entry.filled_ns
        if entry.leg in ("entry", "exit"):
            signal_ns = self._fill_order(seq, entry)
        trade = self._state.trades.get(entry.trade_id)
        if entry.leg == "entry":
            if trade is None:
                trade = self._open(seq, entry, signal_ns)
            trade.entry.add(quantity, entry.price, fill, instrument.tick)
        elif trade is None:
            raise LedgerError(f"entry {seq}: exit of trade {entry.trade_id}, which is not open")
        else:
            trade.exit.add(quantity, entry.price, fill, instrument.tick)
        trade.fees += entry.fee
        trade.slippage += entry.slippage
        trade.spread += entry.spread
        trade.gross += entry.pnl
        self._trades[entry.trade_id] = trade
        if trade.exit.quantity >= trade.entry.quantity:
            self._close(seq, trade, entry)

    def _fill_order(self, seq: int, entry: Filled) -> int:
        """Fill the order and return the instant it was decided."""
        name = entry.intent_id
        order = self._state.orders.get(name) or self._state.ended.get(name)
        if order is None:
            raise LedgerError(f"entry {seq}: fill of order {name}, which is not open")
        order.filled += entry.lots
        if order.state in TERMINAL:  # a late fill: applied, the order stays what it became
            order.changed_ns = entry.at_ns
            self._orders[name] = order
            return order.intent.decided_ns
        whole = order.filled >= order.intent.lots
        self._move(seq, order, OrderEvent.FILL if whole else OrderEvent.PART, entry.at_ns)
        return order.intent.decided_ns

    def _open(self, seq: int, entry: Filled, signal_ns: int) -> ProjectedTrade:
        if entry.trade_id in self._trades:
            raise LedgerError(f"entry {seq}: fill of trade {entry.trade_id}, which is closed")
        state = self._state
        trade = state.trades[entry.trade_id] = ProjectedTrade(
            trade_id=entry.trade_id,
            portfolio_id=state.portfolio_id,
            run_id=state.run_id,
            version=state.version,
            symbol=entry.symbol,
            strategy=entry.strategy,
            side=entry.side,
            signal_ns=signal_ns,
            entry_ns=entry.filled_ns,
            day=entry.day,
        )
        return trade

    def _close(self, seq: int, trade: ProjectedTrade, entry: Filled) -> None:
        if trade.exit.quantity > trade.entry.quantity:
            raise LedgerError(f"entry {seq}: this exit would flip trade {trade.trade_id}")
        trade.seq = seq
        trade.day = entry.day
        trade.exit_ns = entry.filled_ns
        trade.exit_reason = entry.reason or entry.leg.upper()
        del self._state.trades[trade.trade_id]

    def _plan(self, seq: int, entry: PlanSet) -> None:
        trade = self._state.trades.get(entry.trade_id)
        if trade is None:
            raise LedgerError(f"entry {seq}: plan of trade {entry.trade_id}, which is not open")
        if entry.reason != "ENTRY":
            return
        tick = self._instrument(seq, trade.symbol).tick
        if trade.stop is None:  # the rest of an entry joins a plan that may have moved since
            trade.stop = tick * entry.stop_ticks
            trade.target = None if entry.target_ticks is None else tick * entry.target_ticks
        trade.risk = entry.initial_risk
        self._trades[entry.trade_id] = trade

    def _marked(self, seq: int, entry: EquityMarked) -> None:
        self._equity.append(projected.equity_row(seq, entry))

    def _day_rolled(self, seq: int, entry: DayRolled) -> None:
        self._days.append(projected.day_row(seq, entry))
        for one in entry.positions:
            instrument = self._instrument(seq, one.symbol)
            self._day_positions.append(
                projected.day_position_row(seq, entry.day, one, instrument.tick, instrument.lot)
            )

    def _instrument(self, seq: int, symbol: str) -> Instrument:
        instrument = self._state.instruments.get(symbol)
        if instrument is None:
            raise LedgerError(f"entry {seq} names {symbol}, which no InstrumentSet came before")
        return instrument


def rebuild(entries: Iterable[tuple[int, Entry]]) -> sqlite3.Connection:
    """Project every entry into a fresh private database, for comparison; the caller closes it.

    SQLite keeps it in memory and spills to a temporary file when it grows, so that a long journal
    costs no memory.

    Raises:
        LedgerError: an entry contradicts what came before.
        JournalError: a row cannot be inserted (an id used twice).
    """
    connection = sqlite3.connect("", isolation_level=None)
    try:
        for _, sql in migrations():
            connection.executescript(sql)
        connection.execute("BEGIN")
        projector = Projector()
        for count, (seq, entry) in enumerate(entries, start=1):
            projector.fold(seq, entry)
            if count % 1024 == 0:
                write(connection, projector.take())
        write(connection, projector.take())
        connection.execute("COMMIT")
    except sqlite3.Error as problem:
        connection.close()
        raise JournalError(f"the tables cannot be rebuilt: {problem}") from problem
    except BaseException:
        connection.close()
        raise
    return connection


def write(connection: sqlite3.Connection, batch: Batch) -> None:
    """Execute what ``Projector.take`` gave, inside the caller's transaction."""
    for statement, changed in batch:
        connection.executemany(statement, changed)


_PROJECTIONS: Final[dict[type, Callable[[Projector, int, Any], None]]] = {
    PortfolioOpened: Projector._opened,
    RunStarted: Projector._run_started,
    InstrumentSet: Projector._instrument_set,
    IntentRecorded: Projector._intent,
    OrderChanged: Projector._order_changed,
    Filled: Projector._filled,
    PlanSet: Projector._plan,
    EquityMarked: Projector._marked,
    DayRolled: Projector._day_rolled,
}
