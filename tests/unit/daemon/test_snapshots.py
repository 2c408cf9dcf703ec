"""A snapshot carries what later decisions depend on (law 9, S2; REC-5 in miniature)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from adapters.feeds.demo import write_demo
from adapters.feeds.merge import merge
from config.load import load
from config.settings import Settings
from daemon.core.engine import Engine
from daemon.core.market import Market, Series
from daemon.core.strategies.registry import BUILT_IN
from daemon.core.supervisors.drawdown import DrawdownWatch
from daemon.runtime.at_once import at_once
from daemon.runtime.bar_files import BarFiles
from daemon.runtime.instants import instants
from daemon.runtime.lane import Lane
from daemon.runtime.snapshots import snapshot_of
from daemon.runtime.stepper import Stepper
from daemon.wiring import Core, build, intervals_of
from state.bars import Bar
from state.codec import decode_snapshot, encode, encode_snapshot
from state.entries import DayRolled, Decided, Entry
from state.errors import StrategyError
from state.instruments import Grid
from state.journal import BufferedSink
from state.portfolio import Portfolio
from state.units import DAY_NS, HOUR_NS
from tests.builders import ROOT, eurusd
from tests.stepping import M5, Scene, Scripts

Instant = tuple[int, list[tuple[Lane, Bar]]]
DAYS = 18
"""Of the demo; enough for trades, denials, a locked day and setups half done."""


class Run:
    """The demo's core, stepped, with all it recorded."""

    def __init__(self, settings: Settings) -> None:
        """Wire it, before its first instant."""
        self.files = BarFiles(settings, intervals_of(settings))
        self.core: Core = build(settings, self.files.keys(), Path())
        self.sink = BufferedSink()
        self.stepper = self._stepper(settings)
        self.lanes = [self.stepper.lanes[one.key] for one in self.core.market.series]

    def _stepper(self, settings: Settings) -> Stepper:
        core, portfolio = self.core, settings.portfolio
        return Resumable(
            core.desk, core.timers, core.broker, self.sink, commands=core.commands,
            start_cash=portfolio.equity, zone=portfolio.zone, portfolio_id=portfolio.id,
            high_water=core.drawdown.mark_at,
        )  # fmt: skip

    def instants(self) -> Iterator[Instant]:
        """Yield the history, instant by instant."""
        for part in merge(self.files.feeds(), 16_384):
            starts, closes, pairs = instants(part, self.lanes)
            for number, now_ns in enumerate(closes):
                yield now_ns, pairs[starts[number] : starts[number + 1]]

    def snapshot(self) -> bytes:
        """Take a snapshot as a runner does."""
        core = self.core
        return encode_snapshot(
            snapshot_of(core.portfolio, core.engines, core.market, core.drawdown)
        )


class Resumable(Stepper):
    """A stepper that can begin in the middle, flat and just after a roll of the day."""

    def go_on_at(self, now_ns: int) -> None:
        """Go on after ``now_ns`` with what the portfolio holds."""
        portfolio = self.portfolio
        self._timers.start(now_ns)
        self._hour_ns = now_ns // HOUR_NS * HOUR_NS + HOUR_NS
        self._set_day(portfolio.day)
        self._day_peak = float(portfolio.cash)
        open_pnl = portfolio.marked_equity - portfolio.cash
        self._marked = (portfolio.cash, open_pnl, portfolio.high_water)
        self._watched_cash = portfolio.cash
        while self._commands and self._commands[0].at_ns <= now_ns:
            self._commands.popleft()
        self._settle()


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Return the demo's settings beside its bars."""
    folder = tmp_path_factory.mktemp("demo")
    write_demo(folder / "bars")
    path = folder / "foliod.toml"
    path.write_text((ROOT / "config" / "examples" / "demo.toml").read_text())
    return load([path], {})


def unbroken(demo: Settings, cut_day: int) -> tuple[int, bytes, list[Entry]]:
    """Step the demo; return where it was cut, the snapshot there and what was recorded after.

    The cut is the first instant at or after a roll of the day, from ``cut_day`` on, with no trade
    and no order: what rests at a broker is the broker's to tell after a restart.
    """
    run = Run(demo)
    cut_ns, snapshot = 0, b""
    begin_ns = rolled_ns = 0
    for now_ns, bars in run.instants():
        if not begin_ns:
            begin_ns = bars[0][1].open_ns
            at_once(run.stepper.start(begin_ns, []))
        day = run.core.portfolio.day
        run.stepper.step(now_ns, bars)
        rolled_ns = now_ns if run.core.portfolio.day != day else rolled_ns
        flat = not run.core.portfolio.positions and not run.core.portfolio.orders
        due = now_ns >= begin_ns + cut_day * DAY_NS and rolled_ns == now_ns
        if not cut_ns and due and flat:
            cut_ns, snapshot = now_ns, run.snapshot()
            run.sink.drain()
        if now_ns >= begin_ns + DAYS * DAY_NS:
            break
    assert cut_ns
    return cut_ns, snapshot, run.sink.drain()


def resumed(demo: Settings, cut_ns: int, snapshot: bytes, until_ns: int) -> list[Entry]:
    """Restore a fresh core from the snapshot, go on, and return what it recorded."""
    run, kept = Run(demo), decode_snapshot(snapshot)
    core = run.core
    for name in Portfolio.__struct_fields__:
        setattr(core.portfolio, name, getattr(kept.portfolio, name))
    run.sink.seq = kept.portfolio.seq
    for engine in core.engines:
        engine.restore(kept.engines[engine.key])
    for series in core.market.series:
        series.restore(kept.series[f"{series.symbol}/{series.interval_ns}"])
    core.drawdown.restore(kept.drawdown)
    stepper = run.stepper
    assert isinstance(stepper, Resumable)
    stepper.go_on_at(cut_ns)
    for now_ns, bars in run.instants():
        if cut_ns < now_ns <= until_ns:
            stepper.step(now_ns, bars)
    return run.sink.drain()


@pytest.mark.parametrize("cut_day", [5, 8, 12])
def test_restored_engines_decide_as_if_never_stopped(demo: Settings, cut_day: int) -> None:
    """Every later entry is equal, byte for byte: decisions, sizes, fills, marks, alarms."""
    cut_ns, snapshot, after = unbroken(demo, cut_day)
    again = resumed(demo, cut_ns, snapshot, after[-1].at_ns)
    assert [encode(one) for one in again] == [encode(one) for one in after]
    assert sum(isinstance(one, Decided) for one in after) >= 10
    assert sum(isinstance(one, DayRolled) for one in after) >= 3


def test_engines_that_start_cold_decide_otherwise(demo: Settings) -> None:
    """Control: without the engines' states the comparison fails."""
    cut_ns, snapshot, after = unbroken(demo, 8)
    kept = decode_snapshot(snapshot)
    cold = build(demo, BarFiles(demo, intervals_of(demo)).keys(), Path())
    kept.engines = {one.key: one.state() for one in cold.engines}
    again = resumed(demo, cut_ns, encode_snapshot(kept), after[-1].at_ns)
    assert [encode(one) for one in again] != [encode(one) for one in after]


def test_every_built_in_gives_its_state_as_json(demo: Settings) -> None:
    """Fresh and warmed up alike: nothing is left out of the demo's snapshot."""
    run = Run(demo)
    assert {type(one.strategy) for one in run.core.engines} == set(BUILT_IN.values())
    for step, (now_ns, bars) in enumerate(run.instants()):
        if step % 997 == 0:
            kept = decode_snapshot(run.snapshot())
            assert kept.engines == {one.key: one.state() for one in run.core.engines}
        if not step:
            at_once(run.stepper.start(bars[0][1].open_ns, []))
        run.stepper.step(now_ns, bars)
        if step == 3000:
            break


@pytest.mark.parametrize(
    "state",
    [
        {"value": float("nan")},
        {"value": float("inf")},
        {"value": {1, 2}},
        {"pair": (1, 2)},
        {1: "number as a key"},
        StrategyError("it raises"),
        SystemExit(3),
    ],
)
def test_a_state_that_is_no_json_is_left_out(state: Any) -> None:  # noqa: ANN401 - what authors do
    """A snapshot must not come back as something else; the run goes on without it."""
    scene = Scene([eurusd()], [Scripts("EURUSD", "hand", {}), Scripts("EURUSD", "odd", {})])
    engines = list(scene.desk.engines.values())
    odd = next(one for one in engines if one.name == "odd")

    def give() -> Any:  # noqa: ANN401
        if isinstance(state, BaseException):
            raise state
        return state

    odd.strategy.state = give  # type: ignore[method-assign]
    kept = decode_snapshot(encode_snapshot(_taken(engines, [Series(Grid(eurusd()), M5)])))
    assert kept.engines == {"EURUSD/hand": {"strategy": {"count": 0}}}


def test_snapshots_of_older_versions_hold_the_portfolio_alone() -> None:
    """What is absent is empty, so that a restart shows those engines their bars again."""
    old = msgspec.json.encode({"portfolio": Portfolio()})
    kept = decode_snapshot(old)
    assert (kept.engines, kept.series, kept.drawdown) == ({}, {}, {})


def _taken(engines: list[Engine], series: list[Series]) -> Any:  # noqa: ANN401
    watch = DrawdownWatch(0.05, 120, auto_rearm=True)
    return snapshot_of(Portfolio(), engines, Market("USD", series), watch)
