"""A stateful machine over the core: random bars, wishes, news, commands, days, kills and restarts.

After every step the whole journal is held to RELIABILITY by the history checker, which shares no
code with the program (ORD, FIL, S4, CASH, RSK, KIL, SLT, SES, DET), and the live portfolio to what
the journal makes of it from bytes (REC-1). Here stands only what the checker cannot see: what rests
at the broker, and that what is decided again after a kill is what was decided before (REC-5).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from adapters.brokers.paper import Guard, PaperFaults
from daemon.core.calendar import CivilClock, Schedule, WindowSpec
from daemon.core.commands import Command
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
from state.entries import Decided, Filled, InstrumentSet, RunStarted
from state.executions import Execution, OrderNews
from state.ledger import apply
from state.orders import OrderState
from state.portfolio import Portfolio, engine_key
from state.signals import Action, CancelEntry, Exit, Signal
from state.units import DAY_NS, EPOCH_ORDINAL, NEVER_NS
from tests.builders import bar, eurusd
from tests.history.checker import Walk
from tests.history.journal import Violation
from tests.reviving import FailingSink, Killed, folded, keep, revive
from tests.stepping import M5, Scene, Scripts

MONDAY_NS = (738_893 - EPOCH_ORDINAL) * DAY_NS
"""2024-01-08 00:00 UTC, a Monday."""
TICK = 0.00001
R_STOP = -1.5
SPACING_S = 300
ENGINES = (("EURUSD", "a"), ("EURUSD", "b"), ("GBPUSD", "c"))
HALF_DAY = Schedule([WindowSpec(0, 12 * 3600, "UTC", frozenset(range(7)), 11 * 3600)])
WINDOWS = (HALF_DAY, Schedule.always(), HALF_DAY)
WINDOW = {
    "start": "00:00", "end": "12:00", "last_entry": "11:00", "zone": "UTC",
    "weekdays": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"],
}  # fmt: skip
LIMITS: dict[str, Any] = {
    "spacing_s": SPACING_S, "symbol_spacing_s": 600, "per_hour": 3, "per_day": 12,
    "cooldown_win_m": 5, "cooldown_loss_m": 10, "cooldown_stop_m": 15, "loss_streak": 3,
    "loss_streak_cooldown_m": 20, "adaptive": True,
}  # fmt: skip
RISK = {
    "daily_r_stop": R_STOP,
    "strategy": {"trades_per_day": 4},
    "caps": {"max_positions": 2, "max_positions_per_symbol": 1},
}
NIGHT = Overnight(Decimal("0.0005"), Decimal(3), Decimal("0.002"), Decimal(2))
NIGHT_TERMS: dict[str, Any] = {
    "overnight_widen": True, "overnight_widen_fraction": 0.0005, "overnight_widen_pips": 3,
    "overnight_widen_max_fraction": 0.002, "max_overnight_r": 2,
}  # fmt: skip
DAY_S = 24 * 3600
PATIENCE = 6
"""Steps after which the venue's cancel of an order that we hold for ended takes effect there."""


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
    st.sampled_from([*["market"] * 4, "trigger", "trigger", "limit", "exit", "cancel"]),
    st.sampled_from([1, -1]),
    st.integers(0, 40),
    st.integers(30, 150),
    st.booleans(),
    st.sampled_from([None, 1.0, 3.0]),
    st.sampled_from([None, None, 10, 40]),
)
_BARS = st.fixed_dictionaries(
    {
        "gap": st.sampled_from([0] * 12 + [1, 2, 13, 200, 600]),
        "moves": st.tuples(_MOVES, _MOVES),
        "wishes": st.tuples(*[st.none() | _WISHES for _ in ENGINES]),
        "missing": st.sampled_from([None] * 6 + ["GBPUSD"]),
    }
)
_RISKY = ["halt", "kill", "kill_flatten", "flatten", "breaker journal"]
_CALM = [
    "resume",
    "reset_kill",
    "deposit",
    "withdraw",
    "reset late_fill",
    "reset broker",
    "reset r_stop",
    "reset journal",
]
_COMMANDS = st.sampled_from([*_RISKY, *_CALM * 2, *["resume", "reset_kill"] * 3])
_LATER = st.sampled_from([0, 30, 150])
_PLACE = st.integers(0, 63)


class Broken(AssertionError):
    """Invariants that do not hold; ``invariants`` are their ids."""

    def __init__(self, found: Sequence[Violation]) -> None:
        """Take what was found."""
        super().__init__("\n".join(str(one) for one in found))
        self.invariants = {one.invariant for one in found}


def _instrument(symbol: str) -> Any:  # noqa: ANN401 - msgspec's replace is untyped
    fees = Decimal("0.00002")
    return msgspec.structs.replace(eurusd(), symbol=symbol, fee_fraction=fees)


class PortfolioMachine(RuleBasedStateMachine):
    """Steps a desk of scripted engines, kills it, brings it back, and audits what it records."""

    left_out = ""
    """Name of a gate that a planted bug leaves out."""

    @initialize(
        partial=st.sampled_from([0.0, 0.4]),
        latency=st.sampled_from([0.0, 0.0, 30.0, 400.0]),
        rejects=st.sampled_from([0, 3]),
        flatten=st.booleans(),
        worst_case=st.sampled_from([False, False, True]),
        at_end=st.sampled_from(["close", "hold", "reduce"]),
        paced=st.booleans(),
        nights=st.booleans(),
    )
    def open(
        self, partial: float, latency: float, rejects: int, flatten: bool, worst_case: bool,
        at_end: str, paced: bool, nights: bool,
    ) -> None:  # fmt: skip
        """Wire a scene with every policy on, and open it."""
        self.faults = PaperFaults(rejects, partial, latency)
        self.switches: dict[str, Any] = {"worst_case": worst_case, "flatten_on_r_stop": flatten}
        self.at_end, self.limits = at_end, PaceLimits(**LIMITS) if paced else None
        self.night = NIGHT if nights else None
        self.scripts: list[dict[int, Action]] = [{} for _ in ENGINES]
        self.counts = [0] * len(ENGINES)
        self.now_ns = self.stepped_ns = MONDAY_NS
        self.close = {"EURUSD": 110_000, "GBPUSD": 130_000}
        self.seen = self.runs = self.strays = 0
        self.resting_since: dict[str, int] = {}
        self.steps = 0
        self.shadow = Portfolio()
        self.walk = Walk(self._config(paced=paced))
        self.sink = FailingSink()
        self.scene = self._wired()
        given = [InstrumentSet(MONDAY_NS, _instrument(symbol)) for symbol in self.close]
        self.scene.begin(MONDAY_NS, given)
        self._start_run()

    def _config(self, *, paced: bool) -> dict[str, Any]:
        own = {"at_end": self.at_end} | ({} if self.night is None else NIGHT_TERMS)
        strategies = [
            {"name": name} | own | ({} if window.is_always else {"windows": [WINDOW]})
            for (_, name), window in zip(ENGINES, WINDOWS, strict=True)
        ]
        pacing = LIMITS if paced else {"enabled": False}
        return {"risk": RISK, "pacing": pacing, "strategies": strategies}

    def _wired(self) -> Scene:
        """Wire everything anew, as a process does that starts."""
        self.drawdown = DrawdownWatch(0.001, 60, auto_rearm=True)
        made = zip(ENGINES, self.scripts, WINDOWS, strict=True)
        return Scene(
            [_instrument("EURUSD"), _instrument("GBPUSD")],
            [
                Scripts(symbol, name, script, window, at_end=self.at_end, overnight=self.night)
                for (symbol, name), script, window in made
            ],
            gates=self._gates(),
            watches=[RStopWatch(R_STOP, open_r=True), StrategyDayWatch(-1.2, None), self.drawdown],
            quantity="90000",
            faults=self.faults,
            sink=self.sink,
            end_of_day=EndOfDayAlarm(CivilClock("UTC"), DAY_S - 300),
            **self.switches,
        )

    def _gates(self) -> list[Gate]:
        gates: list[Gate] = [
            KillSwitch(),
            Halts(),
            RStop(R_STOP, open_r=True, worst_case=self.switches["worst_case"]),
            StrategyDay(4, -1.2, None),
            DrawdownLock(0.001),
            GrossExposureCap(Decimal(300_000)),
            PositionsCap(2),
            SymbolPositionsCap(1),
            *Pace(self.limits).gates,
        ]
        return [gate for gate in gates if gate.name != self.left_out]

    def _start_run(self) -> None:
        self.runs += 1
        started = RunStarted(self.now_ns, f"r{self.runs}", "0.1.0", "paper", "cafe")
        at_once(self.scene.stepper.record(started))
        self._audit()

    # Bars ---------------------------------------------------------------------------------------

    @rule(given=st.lists(_BARS, min_size=1, max_size=5))
    def bars(self, given: list[dict[str, Any]]) -> None:
        """Step some bars of each symbol, engines answering with these wishes."""
        for one in given:
            self.scene.step(self._prepared(**one))
            self.stepped_ns = self.now_ns
            self._settle()

    def _prepared(
        self, gap: int, moves: tuple[Move, Move], wishes: tuple[Wish | None, ...],
        missing: str | None,
    ) -> dict[str, list[Bar]]:  # fmt: skip
        """Make the bars, and write the wishes into the scripts."""
        start = -(-self.now_ns // M5) * M5 + gap * M5
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
        return bars

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

    # The operator, the clock, the days ----------------------------------------------------------

    @rule(word=_COMMANDS, later=_LATER)
    def command(self, word: str, later: int) -> None:
        """Let the operator act now, or some seconds into the next bar."""
        name, _, argument = word.partition(" ")
        argument = "500" if name in ("deposit", "withdraw") else argument
        self.now_ns += later * 10**9
        self.scene.stepper.give(Command(self.now_ns, name, argument, "by hand"))
        at_once(self.scene.stepper.advance(self.now_ns))
        self._settle()

    @rule()
    def roll(self) -> None:
        """Let time pass into the next trading day, without a bar."""
        self.now_ns = self.scene.stepper.day_end_ns + 1
        at_once(self.scene.stepper.advance(self.now_ns))
        self._settle()

    @precondition(lambda self: self.counts[0] > 0)
    @rule(back_s=st.sampled_from([1, 3600, 86_400, 200_000]), place=_PLACE)
    def clock_back(self, back_s: int, place: int) -> None:
        """Ask for an entry at an instant before now: the trading day stays what it is (RSK-2)."""
        key = "/".join(ENGINES[place % len(ENGINES)])
        engine, live = self.scene.desk.engines[key], self.scene.portfolio
        if engine.quarantined or not self.scene.market.by_key[engine.symbol, M5].count:
            return
        now_ns = self.now_ns - back_s * 10**9
        price = self.close[engine.symbol] * TICK
        signal = Signal(1, stop_distance=100 * TICK)
        batch = self.scene.desk.decide(
            engine, bar(now_ns - M5, price, price, price, price), signal, now_ns
        )
        decided = batch.entries[0]
        assert isinstance(decided, Decided)
        self._must(decided.day >= live.day, "RSK-2", f"a wish of {decided.day} on {live.day}")
        denied, latched = decided.outcome != "ACCEPTED", live.halts.get("r_stop")
        self._must(denied or live.kill == "none", "KIL-1", "let in while the kill switch is on")
        over = latched is None or latched.day < live.day
        self._must(denied or over, "RSK-2", "let in by a clock that went back")

    # The venue ----------------------------------------------------------------------------------

    @rule(event=st.sampled_from(["LOSE", "LOSE", "REJECT", "CANCEL"]), place=_PLACE)
    def news(self, event: str, place: int) -> None:
        """Let the venue lose an order, or say that it ended although it lives on there."""
        states = {
            "LOSE": (OrderState.SUBMITTED, OrderState.WORKING, OrderState.PARTIAL),
            "REJECT": (OrderState.WORKING, OrderState.UNKNOWN),
            "CANCEL": (OrderState.WORKING, OrderState.PARTIAL, OrderState.UNKNOWN),
        }
        orders = [
            one.intent.intent_id
            for one in self.scene.portfolio.orders.values()
            if one.state in states[event] and (event == "LOSE" or one.intent.purpose == "entry")
        ]
        if orders:
            name = orders[place % len(orders)]
            self._hear(OrderNews(name, event, "VENUE"))
            if event == "LOSE":
                order = self.scene.portfolio.orders.get(name)
                unknown = order is not None and order.state is OrderState.UNKNOWN
                self._must(unknown, "ORD-3", f"silence of {name} is not taken for UNKNOWN")
            self._settle()

    @rule(place=_PLACE)
    def duplicate(self, place: int) -> None:
        """Tell an execution again: nothing follows (FIL-1)."""
        fills = [one for one in self.sink.entries if isinstance(one, Filled)]
        if fills:
            of = fills[place % len(fills)]
            before = codec.encode_snapshot(self.scene.portfolio)
            self._hear(
                Execution(
                    of.execution_id, of.intent_id, of.trade_id, of.symbol, of.leg, of.side, of.lots,
                    float(of.price), of.fill_ticks, of.filled_ns, of.bar_open_ns, 0.0, 0.0,
                    at_open=True, reason=of.reason,
                )
            )  # fmt: skip
            same = codec.encode_snapshot(self.scene.portfolio) == before
            self._must(same, "FIL-1", f"execution {of.execution_id} told again changed something")

    @rule(place=_PLACE, kind=st.sampled_from(["order", "large", "symbol", "nan"]))
    def stray(self, place: int, kind: str) -> None:
        """Tell an execution that the book cannot take: it is kept, and entries halt (S4)."""
        fills = [one for one in self.sink.entries if isinstance(one, Filled)]
        if not fills:
            return
        of = fills[place % len(fills)]
        wrong: dict[str, dict[str, Any]] = {
            "order": {"intent_id": "fnobody", "leg": "entry"},
            "large": {"leg": "stop", "trade_id": "fnobody"},
            "symbol": {"symbol": "XAUUSD", "leg": "entry"},
            "nan": {"price": float("nan")},
        }
        told = Execution(
            f"stray-{self.steps}", of.intent_id, of.trade_id, of.symbol, of.leg, of.side, of.lots,
            of.fill_ticks * TICK, of.fill_ticks, of.filled_ns, of.bar_open_ns, 0.0, 0.0,
            at_open=True, reason=of.reason,
        )  # fmt: skip
        seen, self.strays = self.sink.seq, self.strays + 1
        held = dict(self.scene.portfolio.positions)
        for _ in range(2):
            self._hear(msgspec.structs.replace(told, **wrong[kind]))
        kinds = [type(one).__name__ for one in self.sink.entries[seen:]]
        kept = kinds.count("FillSuspended") == 1 and "broker" in self.scene.portfolio.halts
        self._must(kept, "S4", f"of an execution that cannot be, {kinds} is kept")
        self._must(held == self.scene.portfolio.positions, "S4", "it moved a position")
        self._settle()

    def _hear(self, event: Execution | OrderNews) -> None:
        stepper = self.scene.stepper
        at_once(stepper.commit(self.scene.desk.on_event(event, self.now_ns), self.now_ns))
        at_once(stepper.advance(self.now_ns))

    # Kills and restarts -------------------------------------------------------------------------

    @rule()
    def restart(self) -> None:
        """Stop between two instants and come up again from the journal alone (REC-1)."""
        kept = keep(self.scene, self.drawdown, self.stepped_ns)
        portfolio = folded(self.sink.recorded)
        dead = codec.encode_snapshot(self.scene.portfolio)
        self._must(codec.encode_snapshot(portfolio) == dead, "REC-1", "the fold is another state")
        self.scene = self._wired()
        revive(self.scene, self.drawdown, kept, portfolio)
        self._start_run()

    @rule(given=_BARS, left=st.integers(0, 6), dies_after=st.booleans())
    def crash(self, given: dict[str, Any], left: int, dies_after: bool) -> None:
        """Die within an instant, after some batches; decide it again, and the same (REC-5)."""
        bars = self._prepared(**given)
        self._killed(lambda: self.scene.step(bars), left, dies_after=dies_after)
        self.stepped_ns = self.now_ns

    @rule(word=_COMMANDS, left=st.integers(0, 3), dies_after=st.booleans())
    def crash_in_command(self, word: str, left: int, dies_after: bool) -> None:
        """Die while a command is carried out; a command is an input and is given again."""
        name, _, argument = word.partition(" ")
        argument = "500" if name in ("deposit", "withdraw") else argument
        command = Command(self.now_ns, name, argument, "by hand")

        def act() -> None:
            self.scene.stepper.give(command)
            at_once(self.scene.stepper.advance(command.at_ns))

        self._killed(act, left, dies_after=dies_after)

    def _killed(self, act: Callable[[], object], left: int, *, dies_after: bool) -> None:
        seq, kept = self.sink.seq, keep(self.scene, self.drawdown, self.stepped_ns)
        self.sink.left, self.sink.dies_after = left, dies_after
        try:
            act()
        except Killed:
            self.scene = self._wired()
            revive(self.scene, self.drawdown, kept, folded(self.sink.recorded[:seq]))
            self.sink.rewind(seq)
            act()
            self._must(not self.sink.tail, "REC-5", "what was recorded is not decided again")
        self.sink.left = None
        self._settle()

    # What must hold -----------------------------------------------------------------------------

    def _settle(self) -> None:
        """Let a cancel that the venue confirmed long ago take effect there, then audit."""
        self.steps += 1
        ended = self.scene.portfolio.ended
        for (symbol, _), lane in self.scene.stepper.lanes.items():
            for strategy, slot in list(lane.book.slots.items()):
                intent = slot.entry
                if intent is None or intent.intent_id not in ended:
                    continue
                since = self.resting_since.setdefault(intent.intent_id, self.steps)
                if self.steps - since >= PATIENCE:
                    lane.book.cancel(strategy, intent.intent_id, "VENUE", NEVER_NS)
                assert symbol == intent.symbol
        self._audit()

    def _audit(self) -> None:
        for payload in self.sink.recorded[self.seen :]:
            self.seen += 1
            apply(self.shadow, self.seen, codec.decode(payload))
            row = {**json.loads(payload), "seq": self.seen}
            self.walk.take(row)
            self.strays -= row["type"] == "FillSuspended"
            self._must(self.strays >= 0, "S4", "the broker told what the book cannot take")
        if self.walk.report.found:
            raise Broken(self.walk.report.found)
        live = self.scene.portfolio
        same = codec.encode_snapshot(self.shadow) == codec.encode_snapshot(live)
        self._must(same, "REC-1", "the journal's bytes make another state")
        by_hand = self.walk.book.cash
        self._must(live.cash == by_hand, "CASH-1", f"cash {live.cash}, by hand {by_hand}")
        self._protected(live)

    def _must(self, holds: bool, invariant: str, text: str) -> None:
        if not holds:
            raise Broken([Violation(invariant, self.sink.seq, text)])

    def _protected(self, live: Portfolio) -> None:
        """Check that the broker holds a stop for each position, and each order in flight."""
        guards: dict[str, Guard] = {}
        resting = set()
        for (symbol, _), lane in self.scene.stepper.lanes.items():
            for strategy, slot in lane.book.slots.items():
                if slot.guard is not None:
                    guards[engine_key(symbol, strategy)] = slot.guard
                resting |= {one.intent_id for one in (slot.entry, *slot.exits) if one is not None}
        known = set(live.orders) <= resting <= set(live.orders) | set(live.ended)
        self._must(known, "ORD-1", f"at the broker {resting}, in flight {set(live.orders)}")
        held = {key: (one.trade_id, one.side, one.lots, one.stop_ticks, one.target_ticks)
                for key, one in live.positions.items()}  # fmt: skip
        kept = {key: (one.trade_id, one.side, one.lots, one.stop_ticks, one.target_ticks)
                for key, one in guards.items()}  # fmt: skip
        self._must(held == kept, "SLT-1", f"open {held}, protected {kept}")
