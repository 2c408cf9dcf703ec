"""The last boundary of a journal: a moment at which everything beside the portfolio is known.

A boundary is the end of the first instant of a trading day, right after its bars were journalled as
consumed: where snapshots are taken. The portfolio is the fold of the entries up to there. What else
later decisions depend on is derived from the same entries, and only where they leave no doubt; a
moment of which they say too little is no boundary, and an older one is. What is doubtful:

- a fill, or money that moved, between the roll of the day and the boundary that the watches may not
  have looked at;
- a market entry from before the instant, still in flight: whether somebody withdrew it in between,
  in vain so far, is in no entry;
- the drawdown's mark, if it may have risen since it was last recorded;
- the end-of-day alarm, if the configuration changed since it last rang.

Reads no file, no clock and no bar.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, Final, NamedTuple

import msgspec

from daemon.core.latches import DRAWDOWN
from state import codec
from state.entries import (
    AlarmRung,
    BarsConsumed,
    CashMoved,
    CommandTaken,
    DayRolled,
    EquityMarked,
    Filled,
    HaltCleared,
    InstrumentSet,
    IntentRecorded,
    PortfolioOpened,
    RunStarted,
)
from state.instruments import Instrument
from state.ledger import apply
from state.orders import OrderState
from state.portfolio import OpenOrder, Portfolio
from state.units import HOUR_NS

_NOTHING: Final = Decimal(0)
_AT_THE_BROKER: Final = frozenset({OrderState.WORKING, OrderState.PARTIAL})

Marked = tuple[Decimal, Decimal, Decimal]
"""Cash, open P&L and high-water mark, as recorded."""


class Group(NamedTuple):
    """What was journalled as consumed at one instant, by (symbol, interval in ns)."""

    at_ns: int
    bars: dict[tuple[str, int], BarsConsumed]


class Boundary(msgspec.Struct, frozen=True):
    """What the journal says up to and with entry ``seq``, between two instants.

    ``portfolio`` is encoded as a snapshot. ``opened_ns`` is where the portfolio began, ``groups``
    are all that was journalled as consumed, the last one at ``at_ns``; ``rolled`` began the present
    day. ``end_of_day_ns`` is when the end-of-day alarm was last due (before the first: the
    beginning), ``rearmed_ns`` the last cool-off's end. ``is_marked``: equity was marked at least
    once.
    """

    seq: int
    at_ns: int
    portfolio: bytes
    opened_ns: int
    groups: list[Group]
    rolled: DayRolled
    marked: Marked
    is_marked: bool
    end_of_day_ns: int
    rearmed_ns: int
    instruments: dict[str, Instrument]


def last_boundary(rows: Iterator[tuple[int, bytes]], config_hash: str) -> Boundary | None:
    """Fold a journal from its beginning; return its last boundary, None when it has none.

    A boundary under another configuration than ``config_hash`` is none: what was wired differently
    may know something else.

    Raises:
        JournalError: an entry cannot be read.
        LedgerError: an entry contradicts what is already true.
    """
    portfolio, notes, found = Portfolio(), _Notes(), None
    decode, noted = codec.decode, _NOTED.get
    for seq, payload in rows:
        entry = decode(payload)
        kind = type(entry)
        if notes.is_consuming and (kind is not BarsConsumed or entry.at_ns != portfolio.now_ns):
            if portfolio.made_by[0] == config_hash and notes.leave_no_doubt(portfolio):
                found = notes.boundary(portfolio)
            notes.rolled, notes.is_consuming = None, False
        apply(portfolio, seq, entry)
        note = noted(kind)
        if note is not None:
            note(notes, entry)
    return found


class _Notes:
    """What entries say that the portfolio does not keep."""

    def __init__(self) -> None:
        self.opened_ns = 0
        self.config_hash = ""
        self.instruments: dict[str, Instrument] = {}
        self.groups: list[Group] = []
        self.is_consuming = False
        self.rolled: DayRolled | None = None
        self.has_moved = False
        self.marked: Marked = (_NOTHING, _NOTHING, _NOTHING)
        self.is_marked = self.has_intents = self.is_mark_old = False
        self.hour_ns = self.command_ns = self.alarm_ns = self.intent_ns = self.late_ns = -1
        self.end_of_day_ns = self.rearmed_ns = -1
        self.is_end_of_day_doubtful = False

    def boundary(self, portfolio: Portfolio) -> Boundary:
        assert self.rolled is not None
        return Boundary(
            seq=portfolio.seq,
            at_ns=portfolio.now_ns,
            portfolio=codec.encode_snapshot(portfolio),
            opened_ns=self.opened_ns,
            groups=self.groups[:],
            rolled=self.rolled,
            marked=self.marked,
            is_marked=self.is_marked,
            end_of_day_ns=self.end_of_day_ns,
            rearmed_ns=self.rearmed_ns,
            instruments=dict(self.instruments),
        )

    def leave_no_doubt(self, portfolio: Portfolio) -> bool:
        """Say whether all that the portfolio does not hold is known at its instant."""
        if self.rolled is None or self.has_moved or self.is_end_of_day_doubtful:
            return False
        if self.late_ns == portfolio.now_ns:
            return False
        orders = portfolio.orders.values()
        return self._is_mark_known(portfolio) and all(
            _is_order_known(order, portfolio) for order in orders
        )

    def _is_mark_known(self, portfolio: Portfolio) -> bool:
        """Say whether the drawdown's mark is the one last recorded.

        It rises only while something is open, and where a new hour begins it is marked last.
        """
        if not self.is_marked:
            return not self.has_intents and self.rearmed_ns < 0  # nobody has looked yet
        if portfolio.positions:
            return portfolio.now_ns % HOUR_NS == 0 or self.hour_ns == portfolio.now_ns
        return not self.is_mark_old


def _is_order_known(order: OpenOrder, portfolio: Portfolio) -> bool:
    intent = order.intent
    if order.state not in _AT_THE_BROKER:
        return False
    if intent.purpose == "exit":
        held = portfolio.positions.values()
        return any(position.trade_id == intent.trade_id for position in held)
    return intent.is_resting or intent.decided_ns == portfolio.now_ns


def _opened(notes: _Notes, entry: PortfolioOpened) -> None:
    notes.opened_ns = notes.end_of_day_ns = entry.at_ns
    notes.marked = (entry.cash, _NOTHING, entry.cash)


def _instrument(notes: _Notes, entry: InstrumentSet) -> None:
    notes.instruments[entry.instrument.symbol] = entry.instrument


def _started(notes: _Notes, entry: RunStarted) -> None:
    if notes.config_hash not in ("", entry.config_hash):
        notes.is_end_of_day_doubtful = True
    notes.config_hash = entry.config_hash


def _consumed(notes: _Notes, entry: BarsConsumed) -> None:
    if not notes.is_consuming:
        notes.is_consuming = True
        notes.groups.append(Group(entry.at_ns, {}))
    notes.groups[-1].bars[(entry.symbol, entry.interval_ns)] = entry


def _intent(notes: _Notes, entry: IntentRecorded) -> None:
    notes.has_intents = True
    notes.intent_ns = entry.at_ns


def _filled(notes: _Notes, entry: Filled) -> None:
    notes.is_mark_old = True
    if entry.at_ns in (notes.intent_ns, notes.alarm_ns):  # not by a bar: after the watches looked
        notes.late_ns = entry.at_ns


def _rung(notes: _Notes, entry: AlarmRung) -> None:
    notes.alarm_ns = entry.at_ns
    if entry.name == "end_of_day":
        notes.end_of_day_ns = entry.due_ns
        notes.is_end_of_day_doubtful = False
    elif entry.name.startswith("rearm/"):
        notes.rearmed_ns = entry.due_ns


def _unhalted(notes: _Notes, entry: HaltCleared) -> None:
    notes.is_mark_old = notes.is_mark_old or entry.name == DRAWDOWN


def _commanded(notes: _Notes, entry: CommandTaken) -> None:
    notes.command_ns = entry.at_ns


def _marked(notes: _Notes, entry: EquityMarked) -> None:
    notes.marked = (entry.cash, entry.open_pnl, entry.high_water)
    notes.is_marked, notes.is_mark_old = True, False
    if entry.at_ns not in (notes.command_ns, notes.alarm_ns):
        notes.hour_ns = entry.at_ns


def _moved(notes: _Notes, _: CashMoved) -> None:
    notes.has_moved = True


def _rolled(notes: _Notes, entry: DayRolled) -> None:
    notes.rolled, notes.has_moved = entry, False


_NOTED: Final[dict[type, Callable[[_Notes, Any], None]]] = {
    PortfolioOpened: _opened,
    InstrumentSet: _instrument,
    RunStarted: _started,
    BarsConsumed: _consumed,
    IntentRecorded: _intent,
    Filled: _filled,
    AlarmRung: _rung,
    HaltCleared: _unhalted,
    CommandTaken: _commanded,
    EquityMarked: _marked,
    CashMoved: _moved,
    DayRolled: _rolled,
}
