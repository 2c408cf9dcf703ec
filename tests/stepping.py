"""A portfolio of scripted strategies on hand-made bars, for expectations worked out by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import msgspec

from adapters.brokers.paper import PaperBroker, PaperFaults
from daemon.core.calendar import CivilClock, Schedule
from daemon.core.commands import Command
from daemon.core.desk import Desk
from daemon.core.engine import Engine
from daemon.core.market import Costs, Market, Series
from daemon.core.overnight import Overnight
from daemon.core.sizing import Sizer
from daemon.core.strategy import Context, NoParams, Strategy
from daemon.core.supervision import Alarm, Gate, Marks, Watch
from daemon.core.supervisors.position import OnePosition
from daemon.core.supervisors.sizing import SizingGate
from daemon.core.supervisors.window import WindowGate
from daemon.core.timers import Timers
from daemon.runtime.at_once import at_once
from daemon.runtime.stepper import Stepper
from state.bars import Bar
from state.entries import Decided, Entry, Filled, OrderChanged, PlanSet
from state.instruments import Grid, Instrument
from state.portfolio import Portfolio
from state.signals import Action
from state.units import MINUTE_NS, NEVER_NS

M5 = 5 * MINUTE_NS


class Scripted(Strategy):
    """Answers with given actions at given bars, counted from 0."""

    def __init__(
        self, context: Context, params: msgspec.Struct, script: Mapping[int, Action]
    ) -> None:
        """Take the script."""
        super().__init__(context, params)
        self._script = script
        self._count = 0

    def on_bar(self, bar: Bar, in_window: bool) -> Action | None:
        """Answer from the script."""
        self._count += 1
        return self._script.get(self._count - 1)

    def state(self) -> dict[str, Any]:
        """Return how many bars were seen."""
        return {"count": self._count}

    def restore(self, state: dict[str, Any]) -> None:
        """Take it back."""
        self._count = state["count"]


class ListSink:
    """Keeps every entry."""

    def __init__(self) -> None:
        """Begin empty."""
        self.entries: list[Entry] = []

    async def extend(self, entries: Sequence[Entry], *, follows: bool = True) -> int:
        """Take entries."""
        self.entries += entries
        return len(self.entries)

    async def settle(self) -> None:
        """Return at once."""


class NoAlarm:
    """An end of day that never comes."""

    name = "end_of_day"

    def next_due_ns(self, now_ns: int) -> int:
        """Return never."""
        return NEVER_NS


@dataclass
class Scripts:
    """What one engine of the scripted portfolio is."""

    symbol: str
    name: str
    script: Mapping[int, Action]
    schedule: Schedule = field(default_factory=Schedule.always)
    at_end: str = "close"
    flatten_before_s: int = 0
    reduce_fraction: float = 0.5
    interval_ns: int = M5
    overnight: Overnight | None = None
    trail_r: float | None = None


class Scene:
    """A stepper over scripted engines, its entries, and views on them."""

    def __init__(
        self,
        instruments: Sequence[Instrument],
        scripts: Sequence[Scripts],
        *,
        gates: Sequence[Gate] = (),
        watches: Sequence[Watch] = (),
        base_currency: str = "USD",
        conversion: Mapping[str, tuple[str, str, str]] | None = None,
        zone: str = "UTC",
        costs: Costs | None = None,
        quantity: str = "1",
        faults: PaperFaults | None = None,
        commands: Sequence[Command] = (),
        worst_case: bool = False,
        flatten_on_r_stop: bool = False,
        cash: str = "100000",
        high_water: Callable[[Marks], float] | None = None,
        end_of_day: Alarm | None = None,
        sink: ListSink | None = None,
    ) -> None:
        """Wire it. ``gates`` stand between the window and the sizing gate."""
        alarm = end_of_day or NoAlarm()
        self.grids = {one.symbol: Grid(one) for one in instruments}
        keys = {(symbol, M5) for symbol in self.grids}
        keys |= {(one.symbol, one.interval_ns) for one in scripts}
        series = [Series(self.grids[symbol], interval_ns) for symbol, interval_ns in sorted(keys)]
        engines = [self._engine(one) for one in scripts]
        self.portfolio = Portfolio()
        self.costs = costs or Costs()
        self.market = Market(base_currency, series, conversion)
        self.desk = Desk(
            self.portfolio,
            self.market,
            engines,
            clock=CivilClock(zone),
            gates=[
                WindowGate({one.key: one.schedule for one in engines}),
                OnePosition(),
                *gates,
                SizingGate(),
            ],
            watches=watches,
            sizer=Sizer(quantity=Decimal(quantity)),
            costs=self.costs,
            worst_case=worst_case,
            flatten_on_r_stop=flatten_on_r_stop,
            end_of_day=alarm,
        )
        self.sink = sink or ListSink()
        self.broker = PaperBroker(faults)
        self.timers = Timers(self.desk, alarm, latency_ns=self.broker.latency_ns)
        self.stepper = Stepper(
            self.desk,
            self.timers,
            self.broker,
            self.sink,
            commands=commands,
            start_cash=Decimal(cash),
            zone=zone,
            portfolio_id="hand",
            high_water=high_water,
        )
        self.has_begun = False

    def _engine(self, one: Scripts) -> Engine:
        grid = self.grids[one.symbol]
        context = Context(one.symbol, one.interval_ns, grid.pip, grid.tick, grid.tie, one.schedule)
        return Engine(
            Scripted(context, NoParams(), one.script),
            one.name,
            at_end=one.at_end,
            flatten_before_s=one.flatten_before_s,
            reduce_fraction=one.reduce_fraction,
            overnight=one.overnight,
            trail_r=one.trail_r,
        )

    def run(self, bars: Mapping[str, Sequence[Bar]], *, close_at_end: bool = False) -> Scene:
        """Step through all bars and end the history."""
        self.step(bars)
        last = max(bar.close_ns for column in bars.values() for bar in column)
        at_once(self.stepper.finish(last, close_at_end=close_at_end))
        return self

    def begin(self, now_ns: int, entries: Sequence[Entry] = ()) -> None:
        """Open the portfolio, with what its run begins with."""
        self.has_begun = True
        at_once(self.stepper.start(now_ns, entries))

    def step(self, bars: Mapping[str, Sequence[Bar]]) -> Scene:
        """Step through bars, instant by instant, by symbol and then interval."""
        instants: dict[int, list[tuple[str, Bar]]] = {}
        for symbol in sorted(bars):
            for bar in sorted(bars[symbol], key=lambda one: one.close_ns - one.open_ns):
                instants.setdefault(bar.close_ns, []).append((symbol, bar))
        for now_ns in sorted(instants):
            if not self.has_begun:
                self.begin(instants[now_ns][0][1].open_ns)
            lanes = self.stepper.lanes
            pairs = [(lanes[(name, b.close_ns - b.open_ns)], b) for name, b in instants[now_ns]]
            self.stepper.step(now_ns, pairs)
        return self

    def fills(self, leg: str | None = None) -> list[Filled]:
        """Return the executions, of one leg or all."""
        found = [one for one in self.sink.entries if isinstance(one, Filled)]
        return [one for one in found if leg is None or one.leg == leg]

    def exits(self) -> list[Filled]:
        """Return the executions that are not entries."""
        return [one for one in self.fills() if one.leg != "entry"]

    def decisions(self) -> list[Decided]:
        """Return what the desk answered, in order."""
        return [one for one in self.sink.entries if isinstance(one, Decided)]

    def cancels(self) -> list[str]:
        """Return the codes of cancelled orders, in order."""
        changes = [one for one in self.sink.entries if isinstance(one, OrderChanged)]
        return [one.code for one in changes if one.event == "CANCEL"]

    def plans(self) -> list[PlanSet]:
        """Return the plans, in order."""
        return [one for one in self.sink.entries if isinstance(one, PlanSet)]

    def price(self, fill: Filled) -> float:
        """Return the price of an execution after costs."""
        return self.grids[fill.symbol].price(fill.fill_ticks)
