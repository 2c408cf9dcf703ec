"""A stateful machine over the whole desk: random bars, wishes, commands and days, then invariants.

Every entry is folded a second time, by books of the test's own and by the ledger from decoded
bytes. RSK-1: counted positions within the caps. RSK-2: nothing after the R-stop's latch. KIL-1: no
entry while killed. FIL-1, FIL-2, CASH-1: fills, sizes, cash. SLT-1: a stop in the plan and at the
broker for each position. SLT-2: no flip. ORD-4: an order's end is its end. S5: a trailing stop
never moves back; plans are widened at most once per trading day, within the cap, under no halt.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine

from adapters.brokers.paper import Guard, PaperFaults
from daemon.core.calendar import CivilClock, Schedule, WindowSpec
from daemon.core.commands import Command, take
from daemon.core.overnight import Overnight
from daemon.core.pace import Pace, PaceLimits
from daemon.core.supervision import Gate
from daemon.core.supervisors.drawdown import DrawdownLock, DrawdownWatch
from daemon.core.supervisors.endofday import EndOfDayAlarm
from daemon.core.supervisors.exposure import GrossExposureCap, PositionsCap, SymbolPositionsCap
from daemon.core.supervisors.halts import Halts
from daemon.core.supervisors.killswitch import KillSwitch
from daemon.core.supervisors.rstop import RStop, RStopWatch
from daemon.core.supervisors.strategy_day import StrategyDay, StrategyDayWatch
from daemon.runtime.at_once import at_once
from state import codec
from state.bars import Bar
from state.entries import (
    CashMoved,
    DayRolled,
    Decided,
    Entry,
    Filled,
    HaltCleared,
    HaltSet,
    IntentRecorded,
    KillChanged,
    OrderChanged,
    PlanSet,
)
from state.instruments import Grid
from state.ledger import apply
from state.portfolio import Portfolio, engine_key
from state.signals import Action, CancelEntry, Exit, Signal
from state.units import DAY_NS, EPOCH_ORDINAL
from tests.builders import bar, eurusd
from tests.stepping import M5, Scene, Scripts

MONDAY_NS = (738_893 - EPOCH_ORDINAL) * DAY_NS
"""2024-01-08 00:00 UTC, a Monday."""
TICK = 0.00001
MAX_POSITIONS, MAX_PER_SYMBOL = 2, 1
R_STOP = -1.5
CANCELLING = ("operator", "r_stop", "drawdown")
"""Halts after whose instant no entry may fill."""
HALF_DAY = Schedule([WindowSpec(0, 12 * 3600, "UTC", frozenset(range(7)), 11 * 3600)])
NIGHT = Overnight(Decimal("0.0005"), Decimal(3), Decimal("0.002"), Decimal(2))
ENGINES = (("EURUSD", "a"), ("EURUSD", "b"), ("GBPUSD", "c"))


class Move(NamedTuple):
    """A bar in ticks: gap from the last close, body, and wicks beyond both ends (>= 0)."""

    gap: int
    body: int
    up: int
    down: int


class Wish(NamedTuple):
    """A wish in ticks; ``kind`` is market, trigger, limit, exit or cancel."""

    kind: str
    side: int
    level: int
    stop: int
    by_distance: bool
    target_r: float | None
    trail: int | None


_MOVES = st.builds(
    Move,
    st.sampled_from([0, 0, 0, 5, -5, 60, -60, 250, -250]),
    st.integers(-80, 80),
    st.integers(0, 60),
    st.integers(0, 60),
)
_WISHES = st.builds(
    Wish,
    st.sampled_from(["market", "market", "market", "trigger", "limit", "exit", "cancel"]),
    st.sampled_from([1, -1]),
    st.integers(0, 40),
    st.integers(20, 150),
    st.booleans(),
    st.sampled_from([None, 1.0, 3.0]),
    st.sampled_from([None, None, 10, 40]),
)
_GAPS = st.sampled_from([0] * 12 + [1, 2, 13, 200, 600])
_RISKY = ["halt", "kill", "kill_flatten", "flatten"]
_COMMANDS = st.sampled_from([*_RISKY, *["resume", "reset_kill", "deposit", "withdraw"] * 3])


def _instrument(symbol: str) -> Any:  # noqa: ANN401 - msgspec's replace is untyped
    fees = Decimal("0.00002")
    return msgspec.structs.replace(eurusd(), symbol=symbol, fee_fraction=fees)


class PortfolioMachine(RuleBasedStateMachine):
    """Steps a desk of scripted engines and audits every entry it records."""

    left_out = ""
    """Name of a gate that a planted bug leaves out."""

    @initialize(
        partial=st.sampled_from([0.0, 0.4]),
        latency=st.sampled_from([0.0, 0.0, 30.0, 400.0]),
        rejects=st.sampled_from([0, 3]),
        flatten=st.booleans(),
        worst_case=st.booleans(),
        at_end=st.sampled_from(["close", "hold", "reduce"]),
        paced=st.booleans(),
        nights=st.booleans(),
    )
    def open(
        self, partial: float, latency: float, rejects: int, flatten: bool, worst_case: bool,
        at_end: str, paced: bool, nights: bool,
    ) -> None:  # fmt: skip
        """Wire a scene with every policy on."""
        limits = PaceLimits(
            spacing_s=300, symbol_spacing_s=600, per_hour=3, per_day=12, cooldown_win_m=5,
            cooldown_loss_m=10, cooldown_stop_m=15, loss_streak=3, loss_streak_cooldown_m=20,
            adaptive=True,
        )  # fmt: skip
        self.scripts: list[dict[int, Action]] = [{} for _ in ENGINES]
        windows = (HALF_DAY, Schedule.always(), HALF_DAY)
        made = zip(ENGINES, self.scripts, windows, strict=True)
        self.drawdown = DrawdownWatch(0.001, 60, auto_rearm=True)
        self.scene = Scene(
            [_instrument("EURUSD"), _instrument("GBPUSD")],
            [
                Scripts(
                    symbol, name, script, window, at_end=at_end, overnight=NIGHT if nights else None
                )
                for (symbol, name), script, window in made
            ],
            gates=self._gates(limits if paced else None, worst_case=worst_case),
            watches=[RStopWatch(R_STOP, open_r=True), StrategyDayWatch(-1.2, None), self.drawdown],
            quantity="90000",
            faults=PaperFaults(rejects, partial, latency),
            worst_case=worst_case,
            flatten_on_r_stop=flatten,
            end_of_day=EndOfDayAlarm(CivilClock("UTC"), 24 * 3600 - 300),
        )
        self.counts = [0] * len(ENGINES)
        self.now_ns = MONDAY_NS
        self.close = {"EURUSD": 110_000, "GBPUSD": 130_000}
        self.seen = 0
        self.books = Books(Decimal(100_000))
        self.shadow = Portfolio()

    def _gates(self, limits: PaceLimits | None, *, worst_case: bool) -> list[Gate]:
        gates: list[Gate] = [
            KillSwitch(),
            Halts(),
            RStop(R_STOP, open_r=True, worst_case=worst_case),
            StrategyDay(4, -1.2, None),
            DrawdownLock(0.001),
            GrossExposureCap(Decimal(300_000)),
            PositionsCap(MAX_POSITIONS),
            SymbolPositionsCap(MAX_PER_SYMBOL),
            *Pace(limits).gates,
        ]
        return [gate for gate in gates if gate.name != self.left_out]

    # Rules --------------------------------------------------------------------------------------

    @rule(
        gap=_GAPS,
        moves=st.tuples(_MOVES, _MOVES),
        wishes=st.tuples(*[st.none() | _WISHES for _ in ENGINES]),
        missing=st.sampled_from([None] * 6 + ["GBPUSD"]),
    )
    def bars(
        self, gap: int, moves: tuple[Move, Move], wishes: tuple[Wish | None, ...],
        missing: str | None,
    ) -> None:  # fmt: skip
        """Step one bar of each symbol, engines answering with these wishes."""
        start = self.now_ns + gap * M5
        self.now_ns = start + M5
        bars = {}
        for symbol, move in zip(self.close, moves, strict=True):
            if symbol != missing:
                bars[symbol] = [self._bar(symbol, move, start)]
        for index, (symbol, _) in enumerate(ENGINES):
            wish = wishes[index]
            if symbol != missing:
                if wish is not None:
                    self.scripts[index][self.counts[index]] = self._action(symbol, wish)
                self.counts[index] += 1
        self.scene.step(bars)
        self._audit()

    def _bar(self, symbol: str, move: Move, start: int) -> Bar:
        open_ = max(self.close[symbol] + move.gap, 50_000)
        close = max(open_ + move.body, 50_000)
        self.close[symbol] = close
        high, low = max(open_, close) + move.up, min(open_, close) - move.down
        prices = (ticks * 1 / 100_000 for ticks in (open_, high, low, close))
        return bar(start, *prices)

    def _action(self, symbol: str, wish: Wish) -> Action:
        if wish.kind == "exit":
            return Exit()
        if wish.kind == "cancel":
            return CancelEntry()
        side, close = wish.side, self.close[symbol]
        away = {"trigger": side * wish.level, "limit": -side * wish.level}.get(wish.kind, 0)
        level = (close + away) * TICK
        return Signal(
            side,
            trigger=level if wish.kind == "trigger" else None,
            limit=level if wish.kind == "limit" else None,
            stop=None if wish.by_distance else level - side * wish.stop * TICK,
            stop_distance=wish.stop * TICK if wish.by_distance else None,
            target_r=wish.target_r,
            trail_distance=None if wish.trail is None else wish.trail * TICK,
        )

    @precondition(lambda self: self.counts[0] > 0)
    @rule(name=_COMMANDS, later=st.sampled_from([0, 30, 150]))
    def command(self, name: str, later: int) -> None:
        """Let the operator act now, or some seconds into the next bar."""
        argument = "500" if name in ("deposit", "withdraw") else ""
        at_ns = self.now_ns + later * 10**9
        stepper = self.scene.stepper
        batch = take(self.scene.desk, Command(at_ns, name, argument, "by hand"))
        at_once(stepper.commit(batch, at_ns))
        self._audit()

    # Invariants ---------------------------------------------------------------------------------

    def _audit(self) -> None:
        entries = self.scene.sink.entries
        for seq, entry in enumerate(entries[self.seen :], start=self.seen + 1):
            self.books.take(entry)
            apply(self.shadow, seq, codec.decode(codec.encode(entry)))
        self.seen = len(entries)
        live = self.scene.portfolio
        assert codec.encode_snapshot(self.shadow) == codec.encode_snapshot(live)
        assert live.cash == self.books.cash
        held = {key: one.side * one.lots for key, one in live.positions.items()}
        assert held == {key: lots for key, lots in self.books.signed.items() if lots}
        self._counted(live)
        self._protected(live)

    def _counted(self, live: Portfolio) -> None:
        waiting = [o.intent for o in live.orders.values() if o.intent.purpose == "entry"]
        keys = set(live.positions) | {engine_key(one.symbol, one.strategy) for one in waiting}
        assert len(keys) <= MAX_POSITIONS
        for symbol in self.close:
            assert sum(key.startswith(symbol) for key in keys) <= MAX_PER_SYMBOL

    def _protected(self, live: Portfolio) -> None:
        guards: dict[str, Guard] = {}
        resting = set()
        for (symbol, _), lane in self.scene.stepper.lanes.items():
            for strategy, slot in lane.book.slots.items():
                if slot.guard is not None:
                    guards[engine_key(symbol, strategy)] = slot.guard
                resting |= {one.intent_id for one in (slot.entry, *slot.exits) if one is not None}
        assert resting == set(live.orders)
        assert set(guards) == set(live.positions)
        for key, position in live.positions.items():
            guard = guards[key]
            assert position.stop_ticks is not None
            assert (guard.trade_id, guard.side, guard.lots) == (
                position.trade_id,
                position.side,
                position.lots,
            )
            plan = (position.stop_ticks, position.target_ticks)
            assert (guard.stop_ticks, guard.target_ticks) == plan


class Books:
    """The test's own books: money, lots, ends of orders, latches."""

    def __init__(self, cash: Decimal) -> None:
        """Begin flat."""
        self.cash = cash
        self.signed: dict[str, int] = {}
        self.orders: dict[str, tuple[str, int, int]] = {}
        """Order: (purpose, lots, filled)."""
        self.ended: set[str] = set()
        self.executions: set[str] = set()
        self.killed_ns: int | None = None
        self.halted_ns: dict[str, tuple[int, int]] = {}
        """Halt: (since, until), the latter exclusive."""
        self.latched: set[int] = set()
        self.day = 0
        self._steps: dict[type, Callable[[Any], None]] = {
            Decided: self._decided,
            IntentRecorded: self._intent,
            OrderChanged: self._changed,
            Filled: self._filled,
            HaltSet: self._halt,
            HaltCleared: self._cleared,
            KillChanged: self._kill,
            CashMoved: self._moved,
            DayRolled: self._rolled,
            PlanSet: self._plan,
        }
        self.plans: dict[str, tuple[PlanSet, PlanSet]] = {}
        """Trade: (first plan, last plan)."""
        self.sides: dict[str, tuple[int, int]] = {}
        """Trade: (side, ticks of its first fill)."""
        self.widened: dict[str, int] = {}

    def take(self, entry: Entry) -> None:
        """Check and book one entry."""
        step = self._steps.get(type(entry))
        if step is not None:
            step(entry)

    def _decided(self, entry: Decided) -> None:
        if entry.outcome == "ACCEPTED" and isinstance(entry.action, Signal):
            assert all(verdict.allowed for verdict in entry.verdicts)
            assert self.killed_ns is None
            for since, until in self.halted_ns.values():
                assert not since <= entry.at_ns < until, "let in under a halt"
            assert entry.day not in self.latched

    def _intent(self, entry: IntentRecorded) -> None:
        intent = entry.intent
        assert intent.intent_id not in self.orders
        assert intent.intent_id not in self.ended
        assert intent.lots > 0
        if intent.purpose == "entry":
            assert self.killed_ns is None
            assert intent.day not in self.latched
        else:
            held = self.signed[engine_key(intent.symbol, intent.strategy)]
            assert intent.side * held < 0
            assert intent.lots <= abs(held)
        self.orders[intent.intent_id] = (intent.purpose, intent.lots, 0)

    def _changed(self, entry: OrderChanged) -> None:
        assert entry.intent_id in self.orders, f"{entry} of an order that ended"
        if entry.event in ("CANCEL", "REJECT"):
            del self.orders[entry.intent_id]
            self.ended.add(entry.intent_id)

    def _filled(self, entry: Filled) -> None:
        assert entry.execution_id not in self.executions
        self.executions.add(entry.execution_id)
        self.cash += entry.pnl - entry.fee
        key = engine_key(entry.symbol, entry.strategy)
        before = self.signed.get(key, 0)
        after = before + entry.side * entry.lots
        if entry.leg == "entry":
            self.sides.setdefault(entry.trade_id, (entry.side, entry.fill_ticks))
            assert before * entry.side >= 0
            assert self.killed_ns is None or entry.filled_ns <= self.killed_ns
            for since, until in self.halted_ns.values():
                assert not since < entry.filled_ns < until, "filled under a halt"
        else:
            assert before * entry.side < 0
            assert before * after >= 0, "an exit flipped the position"
        self.signed[key] = after
        if entry.leg in ("entry", "exit"):
            purpose, lots, filled = self.orders[entry.intent_id]
            assert filled + entry.lots <= lots
            self.orders[entry.intent_id] = (purpose, lots, filled + entry.lots)
            if filled + entry.lots == lots:
                del self.orders[entry.intent_id]
                self.ended.add(entry.intent_id)

    def _plan(self, entry: PlanSet) -> None:
        first, last = self.plans.get(entry.trade_id, (entry, entry))
        self.plans[entry.trade_id] = (first, entry)
        side, fill = self.sides[entry.trade_id]
        nearer = side * (entry.stop_ticks - last.stop_ticks)
        if entry.reason == "TRAIL":
            assert nearer > 0, "a trailing stop moved back"
            assert isinstance(entry.trail_distance, float)
        elif entry.reason == "WIDENED":
            assert nearer < 0
            assert isinstance(entry.widened_day, int)
            assert entry.widened_day > self.widened.get(entry.trade_id, 0), "widened twice a day"
            self.widened[entry.trade_id] = entry.widened_day
            # The mean fill may differ from the first by the costs of a later part: 1 tick a pip.
            assert side * (first.stop_ticks - entry.stop_ticks) <= 0.002 * fill * 1.01 + 1
            assert self.killed_ns is None and entry.widened_day not in self.latched
        else:
            assert nearer == 0
        if first is not last and entry.reason != "WIDENED":
            assert entry.target_ticks == last.target_ticks

    def _halt(self, entry: HaltSet) -> None:
        if entry.name in CANCELLING:
            self.halted_ns.setdefault(entry.name, (entry.at_ns, entry.until_ns))
        if entry.name == "r_stop":
            self.latched.add(entry.day)

    def _cleared(self, entry: HaltCleared) -> None:
        self.halted_ns.pop(entry.name, None)

    def _kill(self, entry: KillChanged) -> None:
        self.killed_ns = None if entry.level == "none" else self.killed_ns or entry.at_ns

    def _moved(self, entry: CashMoved) -> None:
        self.cash += entry.amount

    def _rolled(self, entry: DayRolled) -> None:
        assert entry.next_day == entry.day + 1
        assert entry.day >= self.day
        self.day = entry.next_day
        self.halted_ns.pop("r_stop", None)


def test_a_trail_that_goes_back_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: a stop that follows the close both ways breaks an invariant."""

    def both_ways(grid: Grid, side: int, stop: int, close: float, distance: float) -> int:
        return grid.nearest(close - side * distance)

    monkeypatch.setattr("daemon.core.plans.trailed", both_ways)
    quick = settings(_settings(300), phases=[Phase.generate], derandomize=True)

    with pytest.raises((AssertionError, ExceptionGroup)):
        run_machine(PortfolioMachine, settings=quick)


def _settings(examples: int) -> settings:
    checks = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
    return settings(
        max_examples=examples, stateful_step_count=40, deadline=None, suppress_health_check=checks
    )


def test_invariants_hold_whatever_happens() -> None:
    """A hundred random histories of up to forty bars and commands each."""
    run_machine(PortfolioMachine, settings=_settings(100))


@pytest.mark.parametrize("gate", ["kill", "halts", "r_stop", "drawdown", "positions_symbol"])
def test_a_gate_left_out_is_noticed(gate: str) -> None:
    """Control: without one of the gates some invariant breaks."""
    broken = type("Broken", (PortfolioMachine,), {"left_out": gate})
    quick = settings(_settings(300), phases=[Phase.generate], derandomize=True)

    with pytest.raises((AssertionError, ExceptionGroup)):
        run_machine(broken, settings=quick)


@pytest.mark.long
def test_invariants_hold_over_many_more_histories() -> None:
    """The same, three thousand times."""
    run_machine(PortfolioMachine, settings=_settings(3000))
