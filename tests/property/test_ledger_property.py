"""The ledger against a model: random books of orders, fills, halts and days (FIL-1, FIL-2, CASH-1).

The model writes only entries that can be true and keeps its own books in plain integers and
decimals; what cannot be true is planted afterwards and must be refused.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from state import codec
from state.entries import (
    CashMoved,
    CommandTaken,
    CooldownCleared,
    DayRolled,
    Entry,
    EquityMarked,
    Filled,
    HaltCleared,
    HaltSet,
    IntentRecorded,
    KillChanged,
    OrderChanged,
    PlanSet,
    WideningRefused,
)
from state.errors import LedgerError
from state.ledger import apply
from state.units import MINUTE_NS, NEVER_NS
from tests.journals import DAY, fill, fold, intent, journal, opening

START = Decimal(100_000)
ENGINES = ("ORB", "LSG", "EMA")
HALTS = ("operator", "r_stop", "strategy_r_stop/ORB", "drawdown")


@dataclass
class _Order:
    name: str
    trade: str
    engine: str
    side: int
    lots: int
    filled: int = 0


@dataclass
class Model:
    """What the model believes, and the entries it wrote."""

    draw: st.DataObject
    entries: list[Entry] = field(default_factory=opening)
    orders: dict[str, _Order] = field(default_factory=dict)
    positions: dict[str, tuple[str, int, int]] = field(default_factory=dict)
    """Engine -> (trade, side, lots)."""
    cash: Decimal = START
    day: int = DAY
    now_ns: int = 0
    made: int = 0
    halts: dict[str, int] = field(default_factory=dict)
    kill: str = "none"
    closed: int = 0

    def name(self) -> str:
        """Return the next name, never used before."""
        self.made += 1
        return f"n{self.made}"

    def whole(self, low: int, high: int) -> int:
        """Draw a whole number."""
        return self.draw.draw(st.integers(low, high))

    def add(self, entry: Entry) -> None:
        """Write one entry."""
        self.entries.append(entry)

    def step(self) -> None:
        """Let something happen that can happen now."""
        self.now_ns += self.whole(0, 3) * MINUTE_NS
        actions = [self.enter, self.roll, self.halt, self.kill_or_reset, self.move_cash, self.note]
        if self.orders:
            actions += [self.fill_order] * 4 + [self.cancel]
        if self.positions:
            actions += [self.stop_out, self.leave, self.reduce_by_stop]
        self.draw.draw(st.sampled_from(actions))()

    def enter(self) -> None:
        """Record an entry of an engine that is flat and has no order."""
        busy = {order.engine for order in self.orders.values()} | set(self.positions)
        free = [engine for engine in ENGINES if engine not in busy]
        if not free:
            return
        engine = self.draw.draw(st.sampled_from(free))
        order = _Order(self.name(), "", engine, self.draw.draw(st.sampled_from((1, -1))), 0)
        order.trade, order.lots = order.name, self.whole(1, 9)
        self.orders[order.name] = order
        self.record(order, "")

    def record(self, order: _Order, trade: str) -> None:
        """Write the intent and its acceptance."""
        made = intent(order.name, self.now_ns, side=order.side, lots=order.lots, trade=trade)
        replaced = msgspec.structs.replace(made.intent, strategy=order.engine, day=self.day)
        self.add(IntentRecorded(self.now_ns, replaced))
        self.add(OrderChanged(self.now_ns, order.name, "ACCEPT"))

    def leave(self) -> None:
        """Record a market exit of all of a position that has none in flight."""
        going = {order.trade for order in self.orders.values() if order.name != order.trade}
        for engine, (trade, side, lots) in sorted(self.positions.items()):
            if trade not in going and trade not in self.orders:
                order = _Order(self.name(), trade, engine, -side, lots)
                self.orders[order.name] = order
                self.record(order, trade)
                return

    def fill_order(self) -> None:
        """Fill an order, wholly or in part."""
        order = self.draw.draw(st.sampled_from(sorted(self.orders.values(), key=lambda o: o.name)))
        lots = self.whole(1, order.lots - order.filled)
        entering = order.name == order.trade
        order.filled += lots
        if order.filled == order.lots:
            del self.orders[order.name]
        self.execute(order.engine, order.trade, order.name, order.side, lots, entering=entering)

    def execute(
        self, engine: str, trade: str, order: str, side: int, lots: int, *, entering: bool
    ) -> None:
        """Write a fill and keep the books."""
        fee = Decimal(self.whole(0, 500)) / 100
        pnl = Decimal(0) if entering else Decimal(self.whole(-(10**9), 10**9)) / 10**8
        leg = "entry" if entering else "exit" if order != trade else "stop"
        ticks = self.whole(100_000, 120_000)
        made = fill(
            self.name(), order, trade, leg, self.now_ns, ticks,
            side=side, lots=lots, pnl=str(pnl), fee=str(fee), day=self.day,
        )  # fmt: skip
        self.add(msgspec.structs.replace(made, strategy=engine))
        self.cash += pnl - fee
        held = self.positions.get(engine)
        open_lots = (held[2] if held else 0) + (lots if entering else -lots)
        if not open_lots:
            del self.positions[engine]
            self.closed += 1
            self.drop_orders(trade)
        else:
            self.positions[engine] = (trade, side if entering else -side, open_lots)
            if held is None:
                plan = PlanSet(self.now_ns, trade, 99_000, None, NEVER_NS, Decimal(50))
                self.add(plan)

    def drop_orders(self, trade: str) -> None:
        """Cancel what is left of a closed trade's orders."""
        for order in [one for one in self.orders.values() if one.trade == trade]:
            self.add(OrderChanged(self.now_ns, order.name, "CANCEL", "TRADE_CLOSED"))
            del self.orders[order.name]

    def stop_out(self) -> None:
        """Let a stop take a whole position."""
        self._stop(part=False)

    def reduce_by_stop(self) -> None:
        """Let a stop take a part of a position."""
        self._stop(part=True)

    def _stop(self, *, part: bool) -> None:
        engine = self.draw.draw(st.sampled_from(sorted(self.positions)))
        trade, side, lots = self.positions[engine]
        exits = [o for o in self.orders.values() if o.trade == trade and o.name != trade]
        if part and exits:
            return  # the exit in flight would then be larger than the position
        taken = self.whole(1, lots) if part else lots
        self.execute(engine, trade, trade, -side, taken, entering=False)

    def cancel(self) -> None:
        """Cancel an order."""
        name = self.draw.draw(st.sampled_from(sorted(self.orders)))
        self.add(OrderChanged(self.now_ns, name, "CANCEL", "NO_BAR"))
        del self.orders[name]

    def roll(self) -> None:
        """Roll the day; day-tied halts end."""
        zero = Decimal(0)
        self.add(
            DayRolled(
                self.now_ns, self.day, self.day + 1, START, self.cash, zero, zero, 0, 0.0,
                len(self.positions),
            )
        )  # fmt: skip
        self.day += 1
        self.halts = {name: day for name, day in self.halts.items() if not day or day >= self.day}

    def halt(self) -> None:
        """Set a halt, or clear one by name."""
        name = self.draw.draw(st.sampled_from(HALTS))
        if name in self.halts and self.whole(0, 1):
            self.add(HaltCleared(self.now_ns, name, "by hand"))
            del self.halts[name]
            return
        day = self.day if "r_stop" in name else 0
        self.add(HaltSet(self.now_ns, name, "HALTED", "why", "1", "2", day))
        self.halts[name] = day

    def kill_or_reset(self) -> None:
        """Move the kill switch."""
        self.kill = self.draw.draw(st.sampled_from(("none", "halt", "flatten")))
        self.add(KillChanged(self.now_ns, self.kill, "why"))

    def move_cash(self) -> None:
        """Deposit or withdraw."""
        amount = Decimal(self.whole(-1000, 1000))
        self.cash += amount
        self.add(CashMoved(self.now_ns, amount, "deposit"))

    def note(self) -> None:
        """Write something that changes no money."""
        equal = Decimal(1)
        kinds: list[Entry] = [
            EquityMarked(self.now_ns, self.cash, equal, self.cash + equal),
            CooldownCleared(self.now_ns, "EURUSD"),
            CommandTaken(self.now_ns, "halt", "", ""),
        ]
        self.add(self.draw.draw(st.sampled_from(kinds)))


def _model(data: st.DataObject, most: int = 40) -> Model:
    model = Model(data)
    for _ in range(data.draw(st.integers(0, most))):
        model.step()
    return model


@settings(deadline=None)
@given(st.data())
def test_the_fold_is_what_the_model_believes(data: st.DataObject) -> None:
    """Cash, positions, orders, halts and the day are the model's, exactly."""
    model = _model(data)

    portfolio = fold(model.entries)

    assert portfolio.cash == model.cash
    fills = [entry for entry in model.entries if isinstance(entry, Filled)]
    moved = sum((e.amount for e in model.entries if isinstance(e, CashMoved)), Decimal(0))
    assert portfolio.cash == START + moved + sum((one.pnl - one.fee for one in fills), Decimal(0))
    held = {one.strategy: one.side * one.lots for one in portfolio.positions.values()}
    assert held == {engine: side * lots for engine, (_, side, lots) in model.positions.items()}
    for engine in ENGINES:
        signed = sum(one.side * one.lots for one in fills if one.strategy == engine)
        assert signed == held.get(engine, 0)
    open_orders = {
        name: (order.filled, order.intent.lots) for name, order in portfolio.orders.items()
    }
    assert open_orders == {one.name: (one.filled, one.lots) for one in model.orders.values()}
    assert all(0 <= filled < lots for filled, lots in open_orders.values())
    assert set(portfolio.halts) == set(model.halts)
    assert (portfolio.day, portfolio.kill, portfolio.trades) == (
        model.day,
        model.kill,
        model.closed,
    )


@settings(deadline=None)
@given(st.data())
def test_a_snapshot_in_the_middle_changes_nothing(data: st.DataObject) -> None:
    """Folding a prefix, writing and reading it, and folding the rest is folding all (REC-1)."""
    model = _model(data)
    cut = data.draw(st.integers(0, len(model.entries)))

    again = fold(model.entries[:cut])
    assert codec.encode_snapshot(again) == codec.encode_snapshot(fold(model.entries[:cut]))
    resumed = codec.decode_snapshot(codec.encode_snapshot(again)).portfolio
    assert resumed == again
    for seq, entry in enumerate(model.entries[cut:], start=cut + 1):
        apply(resumed, seq, codec.decode(codec.encode(entry)))

    assert codec.encode_snapshot(resumed) == codec.encode_snapshot(fold(model.entries))


@settings(deadline=None)
@given(st.data(), st.integers(-3, 3).filter(lambda step: step != 1))
def test_a_hole_in_the_sequence_is_refused(data: st.DataObject, step: int) -> None:
    """Only the next number is taken; a refused entry leaves the portfolio as it was."""
    model = _model(data, most=15)
    portfolio = fold(model.entries)
    before = codec.encode_snapshot(portfolio)

    with pytest.raises(LedgerError, match="hole"):
        apply(portfolio, portfolio.seq + step, CooldownCleared(model.now_ns, "EURUSD"))
    assert codec.encode_snapshot(portfolio) == before


def test_a_plan_is_widened_once_a_trading_day() -> None:
    """S5: done or refused, the day is spent; an older day or the same one again stops the fold."""
    portfolio = fold(journal())
    position = next(iter(portfolio.positions.values()))
    name = position.trade_id
    refused = WideningRefused(1, name, "EURUSD", "ORB", 9, "OVERNIGHT_RISK", "2", "1")
    apply(portfolio, portfolio.seq + 1, refused)
    stop = position.stop_ticks
    for day in (9, 8):
        again = PlanSet(2, name, 1, None, NEVER_NS, Decimal(20), "WIDENED", widened_day=day)
        with pytest.raises(LedgerError, match="once per trading day"):
            apply(portfolio, portfolio.seq + 1, again)
        assert (position.stop_ticks, position.widened_day) == (stop, 9)
    apply(
        portfolio,
        portfolio.seq + 1,
        PlanSet(3, name, 109_900, None, NEVER_NS, Decimal(20), "WIDENED", widened_day=10),
    )
    assert (position.stop_ticks, position.widened_day) == (109_900, 10)
    assert position.initial_stop_ticks == stop


def _impossible(model: Model) -> list[Entry]:
    """Return entries that contradict what the model believes."""
    now = model.now_ns
    found: list[Entry] = [
        OrderChanged(now, "nobody", "ACCEPT"),
        PlanSet(now, "nobody", 1, None, NEVER_NS, Decimal(1)),
        WideningRefused(now, "nobody", "EURUSD", "ORB", 1, "OVERNIGHT_RISK", "2", "1"),
        fill("new", "nobody", "nobody", "entry", now, 110_000),
        fill("new", "nobody", "nobody", "stop", now, 110_000, side=-1),
        DayRolled(
            now, model.day, model.day, START, START, Decimal(0), Decimal(0), 0, 0.0, 0
        ),
        DayRolled(
            now, model.day, model.day - 1, START, START, Decimal(0), Decimal(0), 0, 0.0, 0
        ),
    ]  # fmt: skip
    found += [entry for entry in model.entries if isinstance(entry, Filled)][-3:]
    for order in model.orders.values():
        again = fill(
            "new", order.name, order.trade, "entry" if order.name == order.trade else "exit", now,
            110_000, side=order.side, lots=order.lots - order.filled + 1,
        )  # fmt: skip
        found.append(msgspec.structs.replace(again, strategy=order.engine))
        found += [e for e in model.entries if isinstance(e, IntentRecorded)
                  and e.intent.intent_id == order.name]  # fmt: skip
    for engine, (trade, side, lots) in model.positions.items():
        flip = fill("new", trade, trade, "stop", now, 110_000, side=-side, lots=lots + 1)
        found.append(msgspec.structs.replace(flip, strategy=engine))
        added = msgspec.structs.replace(flip, side=side, lots=1)
        found.append(msgspec.structs.replace(added, strategy=engine))
    return found


@settings(deadline=None)
@given(st.data())
def test_what_cannot_be_true_is_refused(data: st.DataObject) -> None:
    """Duplicates, overfills, flips, strangers and days going back stop the fold (ORD-4, SLT-2)."""
    model = _model(data)
    entry = data.draw(st.sampled_from(_impossible(model)))
    portfolio = fold(model.entries)
    seq = portfolio.seq

    with pytest.raises(LedgerError):
        apply(portfolio, seq + 1, entry)
    assert portfolio.seq == seq
