"""The paper broker: the reference for how orders meet bars.

Sans-IO and without a clock: it is handed bars and answers with events. One ``Book`` holds what
rests on one series, a slot per strategy. Source of every rule: MISSION, "Fills, costs and
indicators, exactly".
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from state.bars import Bar
from state.executions import BrokerEvent, Execution, OrderNews
from state.instruments import Grid
from state.levels import crossed, protection
from state.orders import Intent
from state.units import SECOND_NS, part_of


class PaperFaults(msgspec.Struct, frozen=True):
    """Imperfections on request; all zero: a perfect broker.

    ``reject_every`` n rejects about every n-th entry (decided by its id, so replays agree);
    ``partial_fraction`` f fills that part of an entry first and the rest at the next bar's open;
    ``latency_s`` seconds pass before a new order is at the market.
    """

    reject_every: int = 0
    partial_fraction: float = 0.0
    latency_s: float = 0.0


class Guard(msgspec.Struct):
    """Protection resting for one open trade: a stop, perhaps a target, for ``lots``."""

    trade_id: str
    side: int
    lots: int
    stop_ticks: int
    target_ticks: int | None


class _Slot(msgspec.Struct):
    """What one strategy has resting on one series; ``entered_ns`` is its entry bar's open.

    ``cancel`` (from when, why) is a wish that came after a market order was sent: whether it came
    in time shows when the next bar says at which instant the order met the market. ``exits`` are in
    the order in which they were sent; together they are never more than what is open.
    """

    entry: Intent | None = None
    filled: int = 0
    cancel: tuple[int, str] | None = None
    exits: tuple[Intent, ...] = ()
    guard: Guard | None = None
    entered_ns: int = -1

    def end_entry(self) -> None:
        """Take the entry order off the slot, and all that was said of it."""
        self.entry, self.filled, self.cancel = None, 0, None

    def take_exit(self, intent_id: str) -> Intent | None:
        """Take an exit order off the slot, None when it rests no more."""
        for intent in self.exits:
            if intent.intent_id == intent_id:
                self.exits = tuple(one for one in self.exits if one is not intent)
                return intent
        return None


class Book:
    """What rests on one series. ``slots`` is empty most of the time: look before asking."""

    __slots__ = ("_faults", "_grid", "_half", "_latency_ns", "slots")

    def __init__(self, grid: Grid, faults: PaperFaults) -> None:
        """Begin with nothing resting."""
        self._grid = grid
        self._half = grid.half_spread
        self._faults = faults
        self._latency_ns = round(faults.latency_s * SECOND_NS)
        self.slots: dict[str, _Slot] = {}

    def state(self) -> bytes:
        """Return all that rests here, as JSON."""
        return msgspec.json.encode(self.slots)

    def restore(self, state: bytes) -> None:
        """Take back what ``state`` returned."""
        self.slots.clear()
        self.slots.update(msgspec.json.decode(state, type=dict[str, _Slot]))

    def rest(
        self,
        strategy: str,
        *,
        entry: Intent | None,
        filled: int,
        exits: tuple[Intent, ...],
        guard: Guard | None,
        entered_ns: int,
    ) -> None:
        """Let rest what is known to have rested before; nobody waits to cancel the entry.

        ``filled`` lots of ``entry`` are; ``exits`` are in the order sent; ``entered_ns`` opens the
        bar in which the open trade was entered, -1 when there is none.
        """
        self.slots[strategy] = _Slot(entry, filled, None, exits, guard, entered_ns)

    def submit(self, intent: Intent) -> OrderNews:
        """Take an order; it rests from the next bar on."""
        every = self._faults.reject_every
        if every and intent.purpose == "entry" and int(intent.intent_id[-6:], 16) % every == 0:
            return OrderNews(intent.intent_id, "REJECT", "PAPER_REJECT")
        slot = self.slots.setdefault(intent.strategy, _Slot())
        if intent.purpose == "entry":
            slot.entry, slot.filled, slot.cancel = intent, 0, None
        else:
            slot.exits = (*slot.exits, intent)
        return OrderNews(intent.intent_id, "ACCEPT")

    def cancel(self, strategy: str, intent_id: str, code: str, at_ns: int) -> OrderNews | None:
        """Cancel a resting order from ``at_ns`` on; None when it rests no more, or not yet known.

        A market order sent earlier fills all the same when the next bar opened before ``at_ns``.
        """
        slot = self.slots.get(strategy)
        if slot is None:
            return None
        if slot.entry is not None and slot.entry.intent_id == intent_id:
            if self._is_on_its_way(slot, slot.entry, at_ns):
                slot.cancel = slot.cancel or (at_ns, code)
                return None
            code = slot.cancel[1] if slot.cancel else code
            slot.end_entry()
        elif slot.take_exit(intent_id) is None:
            return None
        self._sweep(strategy, slot)
        return OrderNews(intent_id, "CANCEL", code)

    def _is_on_its_way(self, slot: _Slot, intent: Intent, at_ns: int) -> bool:
        """Say whether a market order may already have met an open that is not yet known."""
        if intent.is_resting or slot.filled:
            return False
        sent = intent.decided_ns + self._latency_ns
        return sent < at_ns < sent + 2 * intent.interval_ns

    def protect(self, strategy: str, guard: Guard) -> None:
        """Let protection rest (or replace it) for an open trade."""
        self.slots.setdefault(strategy, _Slot()).guard = guard

    def fill_now(self, intent: Intent, price: float, at_ns: int) -> Iterator[BrokerEvent]:
        """Fill a resting market order at ``price``, stamped ``at_ns``.

        Used for exits that met no next bar, and for ``fill = "close"``.
        """
        slot = self.slots.get(intent.strategy)
        if slot is None:
            return
        if intent in slot.exits:
            yield self._exit(slot, intent, price, at_ns, at_ns)
        elif slot.entry is not None and slot.entry.intent_id == intent.intent_id:
            yield self._entry(slot, intent, price, at_ns, at_ns, cost=intent.slippage, at_open=True)
            slot.entered_ns = -1  # a fill at a close has no entry bar
        self._sweep(intent.strategy, slot)

    def on_bar(self, bar: Bar, slippage: float) -> Iterator[BrokerEvent]:
        """Yield what this bar does to the resting orders, strategies in order of name.

        The caller carries out each event (an entry fill makes it call ``protect``) before it asks
        for the next one. ``slippage`` is that of stops on this bar, price units.
        """
        for strategy in sorted(self.slots):
            slot = self.slots.get(strategy)
            if slot is None:  # an event of this bar took away all that rested here
                continue
            for intent in slot.exits:
                if intent in slot.exits and bar.open_ns >= intent.decided_ns + self._latency_ns:
                    yield self._market_exit(slot, intent, bar)
            if slot.entry is not None:
                event = self._enter(slot, slot.entry, bar)
                if event is not None:
                    yield event
            if slot.guard is not None:
                event = self._guarded(slot, slot.guard, bar, slippage)
                if event is not None:
                    yield event
            self._sweep(strategy, slot)

    def _sweep(self, strategy: str, slot: _Slot) -> None:
        if slot.entry is None and not slot.exits and slot.guard is None:
            self.slots.pop(strategy, None)

    # Market exits -------------------------------------------------------------------------------

    def _market_exit(self, slot: _Slot, intent: Intent, bar: Bar) -> BrokerEvent:
        start = intent.decided_ns + self._latency_ns
        if bar.open_ns - start <= intent.interval_ns:
            return self._exit(slot, intent, bar.open, bar.open_ns, bar.open_ns)
        return self._exit(slot, intent, intent.reference, intent.decided_ns, intent.decided_ns)

    def _exit(
        self, slot: _Slot, intent: Intent, price: float, at_ns: int, bar_open_ns: int
    ) -> Execution:
        slot.take_exit(intent.intent_id)
        self._release(slot, intent.lots)
        fill = self._grid.against(price + intent.side * (self._half + intent.slippage), intent.side)
        return self._execution(
            intent, "exit", intent.lots, price, fill, at_ns, bar_open_ns, at_open=True
        )

    @staticmethod
    def _release(slot: _Slot, lots: int) -> None:
        guard = slot.guard
        if guard is not None:
            guard.lots -= lots
            if guard.lots <= 0:
                slot.guard = None

    # Entries ------------------------------------------------------------------------------------

    def _enter(self, slot: _Slot, intent: Intent, bar: Bar) -> BrokerEvent | None:
        start = intent.decided_ns + self._latency_ns
        if bar.open_ns < start:
            return None
        if slot.filled or not intent.is_resting:
            return self._enter_at_open(slot, intent, bar, start)
        return self._enter_at_level(slot, intent, bar)

    def _enter_at_open(
        self, slot: _Slot, intent: Intent, bar: Bar, start: int
    ) -> BrokerEvent | None:
        if not slot.filled and bar.open_ns - start > intent.interval_ns:
            return self._drop(slot, intent, "NO_BAR")
        if slot.cancel is not None and bar.open_ns >= slot.cancel[0]:
            return self._drop(slot, intent, slot.cancel[1])
        return self._entry(
            slot, intent, bar.open, bar.open_ns, bar.open_ns, cost=intent.slippage, at_open=True
        )

    def _enter_at_level(self, slot: _Slot, intent: Intent, bar: Bar) -> BrokerEvent | None:
        grid, tie = self._grid, self._grid.tie
        buying = intent.side > 0
        if intent.trigger_ticks is not None:
            level, cost = grid.price(intent.trigger_ticks), intent.slippage
            reached = bar.high - level > -tie if buying else level - bar.low > -tie
            price = max(level, bar.open) if buying else min(level, bar.open)
        else:
            assert intent.limit_ticks is not None
            level, cost = grid.price(intent.limit_ticks), 0.0
            reached = level - bar.low > -tie if buying else bar.high - level > -tie
            price = min(level, bar.open) if buying else max(level, bar.open)
        if not reached:
            return None
        return self._entry(slot, intent, price, bar.close_ns, bar.open_ns, cost=cost, at_open=False)

    def _entry(
        self,
        slot: _Slot,
        intent: Intent,
        price: float,
        at_ns: int,
        bar_open_ns: int,
        *,
        cost: float,
        at_open: bool,
    ) -> BrokerEvent:
        """Fill an entry at ``price`` unless its time is over or its levels are crossed."""
        if bar_open_ns >= intent.until_ns:
            # A level touched by a bar that opened before the last-entry time was touched in time.
            return self._drop(slot, intent, "LAST_ENTRY")
        fill = self._grid.against(price + intent.side * (self._half + cost), intent.side)
        stop, target = protection(self._grid, intent, fill)
        if slot.filled and slot.guard is not None:  # the rest joins a trade that has its levels
            stop, target = slot.guard.stop_ticks, slot.guard.target_ticks
        code = crossed(self._grid, intent, price, fill, stop, target)
        if code is not None:
            return self._drop(slot, intent, code)
        lots = intent.lots - slot.filled
        fraction = self._faults.partial_fraction
        if fraction and not slot.filled:
            lots = min(lots, part_of(lots, fraction))
        if not slot.filled:
            slot.entered_ns = bar_open_ns
        slot.filled = part = slot.filled + lots
        if part == intent.lots:
            slot.end_entry()
        return self._execution(
            intent, "entry", lots, price, fill, at_ns, bar_open_ns, at_open=at_open, cost=cost,
            part=part,
        )  # fmt: skip

    @staticmethod
    def _drop(slot: _Slot, intent: Intent, code: str) -> OrderNews:
        slot.end_entry()
        return OrderNews(intent.intent_id, "CANCEL", code)

    # Protection ---------------------------------------------------------------------------------

    def _guarded(self, slot: _Slot, guard: Guard, bar: Bar, slippage: float) -> Execution | None:
        """Exit at the stop, else at the target; both in one bar: the stop."""
        grid, tie, side = self._grid, self._grid.tie, guard.side
        on_entry_bar = slot.entered_ns == bar.open_ns
        worst, best = (bar.low, bar.high) if side > 0 else (bar.high, bar.low)
        stop = grid.price(guard.stop_ticks)
        if side * (stop - worst) > -tie:
            gapped = not on_entry_bar and side * (stop - bar.open) > 0
            price = bar.open if gapped else stop
            return self._guard_exit(slot, guard, bar, "stop", price, slippage)
        if guard.target_ticks is None:
            return None
        target = grid.price(guard.target_ticks)
        if side * (best - target) > -tie:
            gapped = not on_entry_bar and side * (bar.open - target) > 0
            price = bar.open if gapped else target
            return self._guard_exit(slot, guard, bar, "target", price, 0.0)
        return None

    def _guard_exit(
        self, slot: _Slot, guard: Guard, bar: Bar, leg: str, price: float, slippage: float
    ) -> Execution:
        slot.guard = None
        side = -guard.side
        fill = self._grid.against(price + side * (self._half + slippage), side)
        spread, slipped = self._paid(price, fill, side, slippage)
        return Execution(
            execution_id=f"{guard.trade_id}-{'SL' if leg == 'stop' else 'TP'}",
            intent_id=guard.trade_id,
            trade_id=guard.trade_id,
            symbol=self._grid.symbol,
            leg=leg,
            side=side,
            lots=guard.lots,
            price=price,
            fill_ticks=fill,
            filled_ns=bar.close_ns,
            bar_open_ns=bar.open_ns,
            spread=spread,
            slippage=slipped,
            at_open=False,
            reason="SL" if leg == "stop" else "TP",
        )

    # Money --------------------------------------------------------------------------------------

    def _paid(self, price: float, fill: int, side: int, cost: float) -> tuple[float, float]:
        """Split what a fill cost (price units) into spread and slippage; rounding follows cost."""
        paid = side * (self._grid.price(fill) - price)
        return (self._half, paid - self._half) if cost else (paid, 0.0)

    def _execution(
        self,
        intent: Intent,
        leg: str,
        lots: int,
        price: float,
        fill: int,
        at_ns: int,
        bar_open_ns: int,
        *,
        at_open: bool,
        cost: float = 1.0,
        part: int = 0,
    ) -> Execution:
        spread, slipped = self._paid(price, fill, intent.side, cost)
        suffix = f"-{part}" if part and part != intent.lots else ""
        return Execution(
            execution_id=f"{intent.intent_id}{suffix}",
            intent_id=intent.intent_id,
            trade_id=intent.trade_id,
            symbol=intent.symbol,
            leg=leg,
            side=intent.side,
            lots=lots,
            price=price,
            fill_ticks=fill,
            filled_ns=at_ns,
            bar_open_ns=bar_open_ns,
            spread=spread,
            slippage=slipped,
            at_open=at_open,
            reason=intent.reason or "ENTRY",
        )


class PaperBroker:
    """All books of one portfolio, one for each series."""

    def __init__(self, faults: PaperFaults | None = None) -> None:
        """Begin with no books."""
        self._faults = faults or PaperFaults()
        self.books: dict[tuple[str, int], Book] = {}

    @property
    def latency_ns(self) -> int:
        """How long a new order takes to reach the market."""
        return round(self._faults.latency_s * SECOND_NS)

    def book(self, grid: Grid, interval_ns: int) -> Book:
        """Return the book of a series, made on first use."""
        key = (grid.symbol, interval_ns)
        if key not in self.books:
            self.books[key] = Book(grid, self._faults)
        return self.books[key]
