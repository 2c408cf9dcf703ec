"""What the bars say after a run: how far trades went, what each denied entry would have made.

Reads the run's database and its bar files again and changes nothing. Each denied entry is put alone
through the paper broker's own book, with the run's windows, spread and slippage; nothing here
decides what a fill, a stop or a target is.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from adapters.brokers.paper import Book, Guard, PaperFaults
from adapters.feeds.merge import Slice, merge
from config.load import load
from daemon.core.engine import Engine
from daemon.core.intents import entry_intent
from daemon.core.market import Costs, Series
from daemon.reports.hindsight import NOTE, Denied, Excursion, Hindsight, by_gate, excursions
from daemon.runtime.bar_files import BarFiles
from daemon.runtime.run_folder import Manifest
from daemon.runtime.run_index import manifest_of
from daemon.wiring import Core, build, intervals_of
from state.bars import Bar
from state.entries import Decided
from state.errors import FeedError, StrategyError
from state.executions import BrokerEvent, OrderNews
from state.instruments import Grid
from state.levels import protection, trail_of, trailed
from state.orders import Intent
from state.portfolio import engine_key
from state.queries import DATABASE, denial, open_book
from state.signals import CancelEntry, Exit, Signal
from state.table_rows import Trade
from state.units import NEVER_NS

_ROWS: Final = 16_384


class Wish(msgspec.Struct, frozen=True):
    """Something that a strategy asked for: ``gate`` and ``code`` of the denial of an entry."""

    decided: Decided
    gate: str
    code: str


class Outcome(msgspec.Struct):
    """What became of one entry put through alone: fills in ticks, instants UTC ns.

    ``fee_fraction`` is a fraction of the price, ``fee_ticks`` a fee per unit in ticks, per side.
    ``reason`` is the exit's, or why it never filled; ``OPEN``: still open at the end of the bars.
    """

    wish: Wish
    reason: str = "OPEN"
    side: int = 0
    entry_ticks: int | None = None
    stop_ticks: int = 0
    exit_ticks: int | None = None
    entry_ns: int = 0
    exit_ns: int = 0
    fee_fraction: float = 0.0
    fee_ticks: float = 0.0

    @property
    def r(self) -> float | None:
        """Result over initial risk, after all costs; None without both fills."""
        if self.entry_ticks is None or self.exit_ticks is None:
            return None
        risk = abs(self.entry_ticks - self.stop_ticks)
        fees = self.fee_fraction * (self.entry_ticks + self.exit_ticks) + 2 * self.fee_ticks
        gain = self.side * (self.exit_ticks - self.entry_ticks) - fees
        return gain / risk if risk else None


async def look_back(run_folder: Path) -> Hindsight:
    """Read a run's bars again and say what became of denied entries, and how far trades went.

    Raises:
        FeedError: a bar file is missing or no longer what the run read.
        FoliodError: the run's settings, strategies or database cannot be used.
    """
    trades, wishes = await _recorded(run_folder)
    denied = {id(one) for one in wishes if one.code and isinstance(one.decided.action, Signal)}
    run = Aftermath(run_folder)
    outcomes = run.follow(wishes, denied)
    found = [
        Denied(one.wish.decided.day, one.wish.gate, one.wish.code, one.reason, one.r)
        for one in outcomes
    ]
    pairs = [(excursion, trade.pnl > 0) for trade, excursion in run.excursions(trades)]
    return Hindsight(NOTE, by_gate(found), excursions(pairs), [one for one, _ in pairs])


async def _recorded(run_folder: Path) -> tuple[list[Trade], list[Wish]]:
    """Return the closed trades, and every wish of a strategy."""
    wishes = []
    async with open_book(run_folder / DATABASE) as book:
        trades = await book.trades()
        async for seq, decided in book.decided_after(0):
            if decided.outcome == "ACCEPTED" or not isinstance(decided.action, Signal):
                wishes.append(Wish(decided, "", ""))
            else:
                binding = denial(seq, decided)
                wishes.append(Wish(decided, binding.gate, binding.code))
    return trades, wishes


class _Shadow:
    """One entry alone in a book of its own."""

    def __init__(self, outcome: Outcome, intent: Intent, grid: Grid, latency_s: float) -> None:
        self.outcome = outcome
        self.intent = intent
        self.is_over = False
        self._grid = grid
        self._book = Book(grid, PaperFaults(latency_s=latency_s))
        self._open = False
        self._leaving = False
        self._guard: Guard | None = None
        self._trail: float | None = None
        self._book.submit(intent)

    def fill_at_close(self) -> None:
        """Fill a market order at its deciding close (``fill = "close"``)."""
        intent = self.intent
        if not intent.is_resting:
            self._hear(self._book.fill_now(intent, intent.reference, intent.decided_ns))

    def step(self, bar: Bar, slippage: float) -> None:
        """Take the next bar; ``slippage`` is that of stops on it."""
        self._hear(self._book.on_bar(bar, slippage))
        guard = self._guard
        if guard is not None and self._trail is not None and not self.is_over:
            guard.stop_ticks = trailed(
                self._grid, guard.side, guard.stop_ticks, bar.close, self._trail
            )

    def ring(self, now_ns: int, series: Series, slippage: float) -> None:
        """Do what is due at or before ``now_ns``: the last-entry time, the time-stop."""
        if self.is_over:
            return
        intent = self.intent
        if self._open:
            if intent.time_stop_ns <= now_ns:
                self.leave("TIME", intent.time_stop_ns, series, slippage)
        elif intent.is_resting and intent.until_ns <= now_ns:
            self.cancel("LAST_ENTRY", intent.until_ns)

    def leave(self, reason: str, at_ns: int, series: Series, slippage: float) -> None:
        """Send a market exit, once."""
        if not self._open or self._leaving:
            return
        self._leaving = True
        wish = msgspec.structs.replace(
            self.intent, intent_id=f"{self.intent.intent_id}x", purpose="exit", reason=reason,
            side=-self.intent.side, decided_ns=at_ns, reference=series.close, slippage=slippage,
            trigger_ticks=None, limit_ticks=None,
        )  # fmt: skip
        self._book.submit(wish)
        self._exit = wish

    def cancel(self, code: str, at_ns: int) -> None:
        """Withdraw the entry while it waits."""
        if self._open or self.is_over:
            return
        news = self._book.cancel(self.intent.strategy, self.intent.intent_id, code, at_ns)
        if news is not None:
            self._hear(iter((news,)))

    def end(self) -> None:
        """End with the bars: an exit already sent fills at its last close."""
        if self._leaving and not self.is_over:
            wish = self._exit
            self._hear(self._book.fill_now(wish, wish.reference, wish.decided_ns))

    def _hear(self, events: Iterator[BrokerEvent]) -> None:
        outcome = self.outcome
        for event in events:
            if isinstance(event, OrderNews):
                if event.event == "CANCEL" and not self._open:
                    outcome.reason, self.is_over = event.code, True
            elif event.leg == "entry":
                stop, target = protection(self._grid, self.intent, event.fill_ticks)
                outcome.entry_ticks, outcome.stop_ticks = event.fill_ticks, stop
                outcome.entry_ns, self._open = event.filled_ns, True
                guard = Guard(event.trade_id, self.intent.side, event.lots, stop, target)
                self._book.protect(self.intent.strategy, guard)
                self._guard = guard
                self._trail = trail_of(self._grid, self.intent, event.fill_ticks, stop)
            else:
                outcome.exit_ticks, outcome.exit_ns = event.fill_ticks, event.filled_ns
                outcome.reason, self.is_over = event.reason, True


class _Lane:
    """One series: its bars so far, the wishes still to come on it, the entries alive on it."""

    def __init__(self, series: Series, first_ns: int) -> None:
        self.series = series
        self.first_ns = first_ns
        self.wishes: dict[int, list[Wish]] = {}
        self.shadows: list[_Shadow] = []
        self.columns: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []


class Aftermath:
    """The bars of one run, read a second time."""

    def __init__(self, run_folder: Path) -> None:
        """Open the run's files as they were, and wire its windows, instruments and costs.

        Raises:
            FeedError: a bar file is missing or no longer what the run read.
            FoliodError: the run's settings or strategies cannot be used.
        """
        manifest = manifest_of(run_folder)
        settings = load([run_folder / "config.toml"], {})
        self._files = BarFiles(settings, intervals_of(settings))
        _refuse_changed(manifest, self._files)
        self._core: Core = build(settings, self._files.keys(), run_folder)
        self._latency_s = float(settings.paper.latency_s)
        self._from_ns = int(manifest.options.get("from_ns", 0))
        self._to_ns = int(manifest.options.get("to_ns", NEVER_NS))
        self._lanes = [_Lane(series, 0) for series in self._core.market.series]
        self._of_engine = {engine.key: engine for engine in self._core.engines}

    @property
    def _costs(self) -> Costs:
        return self._core.desk.costs

    def follow(self, wishes: list[Wish], followed: set[int]) -> list[Outcome]:
        """Put each entry of ``followed`` (ids of wishes) through alone, in the wishes' order.

        Exits and cancellations that its strategy asked for count for it too.
        """
        lanes = {lane.series.key: lane for lane in self._lanes}
        outcomes: list[Outcome] = []
        self._outcomes = {}
        for wish in wishes:
            engine = self._of_engine.get(engine_key(wish.decided.symbol, wish.decided.strategy))
            if engine is None:
                continue
            if isinstance(wish.decided.action, Signal):
                if id(wish) not in followed:
                    continue
                outcomes.append(self._outcome(wish, wish.decided.action.side))
                self._outcomes[id(wish)] = outcomes[-1]
            lane = lanes[(engine.symbol, engine.interval_ns)]
            lane.wishes.setdefault(wish.decided.at_ns, []).append(wish)
        for part in merge(self._files.feeds(), _ROWS):
            self._take(part)
        for lane in self._lanes:
            for shadow in lane.shadows:
                shadow.end()
        return outcomes

    def _outcome(self, wish: Wish, side: int) -> Outcome:
        """Begin an outcome with its instrument's fees.

        A fee per unit is base currency: it has a place in R where prices are base currency too.
        """
        market = self._core.market
        instrument = self._core.grids[wish.decided.symbol].instrument
        per_unit = 0.0
        if instrument.quote_currency == market.base_currency:
            per_unit = float(instrument.fee_per_unit / instrument.multiplier / instrument.tick)
        return Outcome(
            wish, side=side, fee_fraction=float(instrument.fee_fraction), fee_ticks=per_unit
        )

    def _take(self, part: Slice) -> None:
        for index, lane in enumerate(self._lanes):
            mine = (part.series == index) & (part.close_ns <= self._to_ns)
            if mine.any():
                lane.columns.append((part.close_ns[mine], part.high[mine], part.low[mine]))
                rows = (
                    part.open_ns, part.close_ns, part.open, part.high, part.low, part.close,
                    part.volume,
                )  # fmt: skip
                for bar in map(Bar, *(column[mine].tolist() for column in rows)):
                    self._step(lane, bar)

    def _step(self, lane: _Lane, bar: Bar) -> None:
        """Take one bar, in the stepper's order: due alarms, fills, the series, wishes, alarms."""
        series, costs = lane.series, self._costs
        if lane.shadows:
            slippage = costs.slippage(series.grid, series.atr)
            for shadow in lane.shadows:
                shadow.ring(bar.close_ns - 1, series, slippage)
                shadow.step(bar, slippage)
        series.update(bar)
        wishes = lane.wishes.get(bar.close_ns) if lane.wishes else None
        if wishes:
            for wish in wishes:
                self._hear(lane, wish, bar)
        if lane.shadows:
            slippage = costs.slippage(series.grid, series.atr)
            for shadow in lane.shadows:
                shadow.ring(bar.close_ns, series, slippage)
            lane.shadows = [one for one in lane.shadows if not one.is_over]

    def _hear(self, lane: _Lane, wish: Wish, bar: Bar) -> None:
        decided, series = wish.decided, lane.series
        slippage = self._costs.slippage(series.grid, series.atr)
        if isinstance(decided.action, Signal):
            self._enter(lane, wish, decided.action, bar, slippage)
            return
        for shadow in lane.shadows:
            if shadow.intent.strategy == decided.strategy:
                if isinstance(decided.action, Exit):
                    shadow.leave(decided.action.tag, decided.at_ns, series, slippage)
                elif isinstance(decided.action, CancelEntry):
                    shadow.cancel("STRATEGY_CANCEL", decided.at_ns)

    def _enter(self, lane: _Lane, wish: Wish, signal: Signal, bar: Bar, slippage: float) -> None:
        outcome, decided, grid = self._outcomes[id(wish)], wish.decided, lane.series.grid
        engine = self._of_engine[engine_key(decided.symbol, decided.strategy)]
        refusal = _unanswerable(engine, decided)
        if refusal:
            outcome.reason = refusal
            return
        given = grid.instrument.min_stop
        min_stop = 2 * (grid.half_spread + slippage) if given is None else float(given)
        try:
            intent = entry_intent(
                "", engine, signal, grid, now_ns=decided.at_ns, day=decided.day, close=bar.close,
                lots=1, slippage=slippage, min_stop=min_stop,
            )  # fmt: skip
        except StrategyError:
            outcome.reason = "LEVEL_BEYOND_PRICES"
            return
        shadow = _Shadow(outcome, intent, grid, self._latency_s)
        if self._costs.fill_at_close:
            shadow.fill_at_close()
        lane.shadows.append(shadow)

    def excursions(self, trades: list[Trade]) -> Iterator[tuple[Trade, Excursion]]:
        """Yield the excursion of every trade whose bars were read; ``follow`` has read them.

        The bars are those of the trade's engine that close after its signal, not before its entry
        and not after its exit.
        """
        whole = {}
        for lane in self._lanes:
            if lane.columns:
                columns = zip(*lane.columns, strict=True)
                whole[lane.series.key] = tuple(np.concatenate(one) for one in columns)
        for trade in trades:
            engine = self._of_engine.get(engine_key(trade.symbol, trade.strategy))
            found = whole.get((engine.symbol, engine.interval_ns)) if engine else None
            excursion = None if found is None else _excursion(trade, *found)
            if excursion is not None:
                yield trade, excursion


def _refuse_changed(manifest: Manifest, files: BarFiles) -> None:
    """Refuse bar files that are not those of the run."""
    then = {(one.symbol, one.digest) for one in manifest.bars}
    now = {(one.symbol, one.digest) for one in files.files}
    if then != now:
        names = ", ".join(sorted({symbol for symbol, _ in then ^ now})) or "they"
        raise FeedError(f"the bar files of {names} are not those of the run")


def _unanswerable(engine: Engine, decided: Decided) -> str:
    """Say why nothing can be said of an entry, empty when something can."""
    if engine.schedule.at(decided.at_ns) is None:
        return "NO_WINDOW"
    if engine.overnight is not None:
        return "OVERNIGHT"
    return "REDUCE" if engine.at_end == "reduce" else ""


def _excursion(
    trade: Trade, close_ns: np.ndarray, high: np.ndarray, low: np.ndarray
) -> Excursion | None:
    if trade.exit_ns is None or trade.stop is None:
        return None
    entry, stop = float(trade.entry_fill), float(trade.stop)
    first = int(np.searchsorted(close_ns, max(trade.signal_ns + 1, trade.entry_ns)))
    last = int(np.searchsorted(close_ns, trade.exit_ns, side="right"))
    risk = abs(entry - stop)
    if risk <= 0:
        return None
    reached = [float(trade.exit_fill or trade.entry_fill)]
    if last > first:
        reached += [float(high[first:last].max()), float(low[first:last].min())]
    side = 1 if trade.side == "long" else -1
    gains = [side * (one - entry) / risk for one in reached]
    return Excursion(trade.trade_id, round(min(0.0, *gains), 6), round(max(0.0, *gains), 6))
