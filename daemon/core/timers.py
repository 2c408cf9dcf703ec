"""The core's alarms: time-stops, last entries, waits for a bar, nights, end of day, re-arming.

All but the end of day are derived from the portfolio, so a restart forgets none of them. An alarm
due at T rings after the bars closing at T, in (instant, name) order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from itertools import takewhile
from typing import Final, NamedTuple

from daemon.core.desk import Desk
from daemon.core.effects import Batch, Cancel
from daemon.core.supervision import Alarm, Watch
from state.entries import AlarmRung
from state.orders import OrderState
from state.portfolio import OpenOrder, Position, engine_key
from state.units import NEVER_NS

_TRADE: Final = "trade/"
"""Before the id of a trade, which is that of its entry order."""
_DEAD: Final = frozenset({OrderState.CANCELLED, OrderState.REJECTED, OrderState.FILLED})

_NONE: Final[Set[str]] = frozenset()


class Due(NamedTuple):
    """An alarm: when, its name, what kind it is and what it is about (a key or an intent id)."""

    due_ns: int
    name: str
    kind: str
    about: str


class Timers:
    """Names the next alarm and rings what is due."""

    def __init__(
        self,
        desk: Desk,
        end_of_day: Alarm,
        *,
        latency_ns: int = 0,
        judges: Sequence[Watch] = (),
    ) -> None:
        """Watch the desk's portfolio; ``latency_ns`` is how long an order takes to the market.

        ``judges`` look when the end of the day rings, and only then.
        """
        self._desk = desk
        self._judges = tuple(judges)
        self._end_of_day = end_of_day
        self._latency_ns = latency_ns
        self._end_of_day_ns = NEVER_NS
        self._rearmed_ns = -1
        # When a plan's widening rang and had to wait for a bar, by engine. A cache: asked again
        # after a restart, it waits again.
        self._asked: dict[str, int] = {}
        # When an alarm rang that its order or trade outlived: nobody answered yet, or the answer
        # was no. It rings again an interval later. A cache too: after a restart, at once.
        self._rung: dict[str, int] = {}

    def start(self, now_ns: int) -> None:
        """Begin at this instant."""
        self._end_of_day_ns = self._end_of_day.next_due_ns(now_ns)

    def state(self) -> tuple[int, int]:
        """Return what later alarms depend on beside the portfolio."""
        return self._end_of_day_ns, self._rearmed_ns

    def restore(self, state: tuple[int, int]) -> None:
        """Take back what ``state`` returned."""
        self._end_of_day_ns, self._rearmed_ns = state

    def next_ns(self) -> int:
        """Return the instant of the next alarm, NEVER_NS when there is none."""
        portfolio = self._desk.portfolio
        first, leaving = self._end_of_day_ns, self._leaving()
        for key, position in portfolio.positions.items():
            if position.time_stop_ns < first and position.trade_id not in leaving:
                first = min(first, self._time_stop_ns(key, position))
            first = min(first, self._widening_ns(key, position))
        for order in portfolio.orders.values():
            first = min(first, self._order_due_ns(order))
        for halt in portfolio.halts.values():
            if self._rearmed_ns < halt.until_ns < first:
                first = halt.until_ns
        return first

    def next_of(self, is_of: Callable[[str], bool]) -> int:
        """Return the instant of the next alarm of some kinds, NEVER_NS when there is none."""
        return min((one.due_ns for one in self._all() if is_of(one.kind)), default=NEVER_NS)

    def due(self, now_ns: int) -> list[Due]:
        """Return the alarms due at or before this instant, in (instant, name) order."""
        return sorted(one for one in self._all() if one.due_ns <= now_ns)

    def next_due(self, now_ns: int) -> list[Due]:
        """Return what rings next: the first alarm due, and all time-stops with it if it is one.

        Time-stops of one instant follow each other, and ringing one changes nothing for the next.
        """
        due = self.due(now_ns)
        if not due or due[0].kind != "time_stop":
            return due[:1]
        return list(takewhile(lambda one: one[0::2] == due[0][0::2], due))

    def _leaving(self) -> Set[str]:
        """Return the trades whose exit is in flight."""
        orders = self._desk.portfolio.orders
        if not orders:
            return _NONE
        return {one.intent.trade_id for one in orders.values() if one.intent.purpose == "exit"}

    def _all(self) -> list[Due]:
        desk, found = self._desk, [Due(self._end_of_day_ns, "end_of_day", "end_of_day", "")]
        leaving = self._leaving()
        for key, position in desk.portfolio.positions.items():
            if position.time_stop_ns < NEVER_NS and position.trade_id not in leaving:
                due_ns = self._time_stop_ns(key, position)
                found.append(Due(due_ns, f"time_stop/{key}", "time_stop", key))
            found.append(Due(self._widening_ns(key, position), f"widen/{key}", "widen", key))
        for order in desk.portfolio.orders.values():
            due = self._order_due(order)
            if due is not None:
                found.append(due)
        for name, halt in desk.portfolio.halts.items():
            if self._rearmed_ns < halt.until_ns < NEVER_NS:
                found.append(Due(halt.until_ns, f"rearm/{name}", "rearm", name))
        return found

    def _widening_ns(self, key: str, position: Position) -> int:
        due_ns = self._desk.plans.widening_ns(key, position)
        return NEVER_NS if self._asked.get(key) == due_ns else due_ns

    def _order_due(self, order: OpenOrder) -> Due | None:
        intent = order.intent
        due_ns = self._order_due_ns(order)
        if due_ns == NEVER_NS:
            return None
        kind = "last_entry" if intent.is_resting else "no_bar"
        key = engine_key(intent.symbol, intent.strategy)
        return Due(due_ns, f"{kind}/{key}", kind, intent.intent_id)

    def _order_due_ns(self, order: OpenOrder) -> int:
        """Return when an order's wait ends: its last-entry time, or no bar came for it."""
        intent = order.intent
        if intent.is_resting:
            due_ns = intent.until_ns
        else:
            due_ns = intent.decided_ns + self._latency_ns + 2 * intent.interval_ns
        return self._again_ns(intent.intent_id, due_ns, intent.interval_ns)

    def _time_stop_ns(self, key: str, position: Position) -> int:
        interval_ns = self._desk.engines[key].interval_ns
        return self._again_ns(_TRADE + position.trade_id, position.time_stop_ns, interval_ns)

    def _again_ns(self, about: str, due_ns: int, interval_ns: int) -> int:
        """Return when an alarm is due that may have rung before in vain."""
        rung_ns = self._rung.get(about) if self._rung else None
        return due_ns if rung_ns is None else max(due_ns, rung_ns + interval_ns)

    def _note(self, due: Due, now_ns: int) -> None:
        """Note that an alarm of an order or trade rang, and forget those of what is no more."""
        portfolio = self._desk.portfolio
        about = due.about
        if due.kind == "time_stop":
            about = _TRADE + portfolio.positions[about].trade_id
        elif due.kind not in ("last_entry", "no_bar"):
            return
        known = {_TRADE + one.trade_id for one in portfolio.positions.values()}
        known |= set(portfolio.orders)
        self._rung = {name: at for name, at in self._rung.items() if name in known}
        self._rung[about] = now_ns

    def ring(self, due: Due, now_ns: int) -> Batch:
        """Ring one alarm: its entry, and what follows from it.

        A plan that cannot be widened yet is left to the watch on the next bar, without an entry.
        """
        batch = Batch([AlarmRung(now_ns, due.due_ns, due.name)])
        self._note(due, now_ns)
        after = self._after(due, now_ns)
        if due.kind == "widen" and after is None:
            self._asked[due.about] = due.due_ns
            return Batch()
        if after is not None:
            batch.entries.extend(after.entries)
            batch.effects.extend(after.effects)
        return batch

    def _judge(self, now_ns: int) -> Batch | None:
        """Ask the judges; None when none has anything to say."""
        if not self._judges:
            return None
        marks = self._desk.marks(now_ns)
        entries = [entry for judge in self._judges for entry in judge.look(marks)]
        return self._desk.halted(entries) if entries else None

    def _after(self, due: Due, now_ns: int) -> Batch | None:
        desk = self._desk
        portfolio = desk.portfolio
        if due.kind == "end_of_day":
            self._end_of_day_ns = self._end_of_day.next_due_ns(due.due_ns)
            return self._judge(now_ns)
        if due.kind == "rearm":
            self._rearmed_ns = due.due_ns
            return desk.look(desk.marks(now_ns))
        if due.kind == "time_stop":
            position = portfolio.positions[due.about]
            return desk.end_of_window(desk.engines[due.about], position, due.due_ns)
        if due.kind == "widen":
            return desk.plans.widen(due.about, portfolio.positions[due.about], now_ns)
        order = portfolio.orders.get(due.about)
        if order is None or order.state in _DEAD:
            return None
        if due.kind == "last_entry":
            return Batch([], [Cancel(order.intent, "LAST_ENTRY")])
        return desk.no_bar(order)
