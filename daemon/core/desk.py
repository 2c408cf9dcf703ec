"""The desk: turns wishes, broker events, alarms and commands into entries and effects.

Synchronous and pure but for reading what it was given: every method returns a ``Batch`` whose
entries must be recorded and applied before its effects are carried out, and before the desk is
asked again. It never changes the portfolio itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

import msgspec

from daemon.core import late_fills, suspense
from daemon.core.calendar import CivilClock
from daemon.core.effects import Batch, Cancel, FillNow, Protect, Submit
from daemon.core.engine import Engine, check_signal, checked
from daemon.core.intents import entry_intent, intent_id
from daemon.core.latches import R_STOP, cancels_entries, is_of
from daemon.core.market import ATR_BARS, Costs, Market, Series
from daemon.core.plans import Plans, restated
from daemon.core.sizing import Sizer
from daemon.core.supervision import Alarm, Gate, Marks, Question, Watch
from daemon.core.valuation import Valuation
from state.bars import Bar
from state.entries import (
    Decided,
    Entry,
    Filled,
    HaltSet,
    IntentRecorded,
    PlanSet,
)
from state.executions import BrokerEvent, Execution, OrderNews
from state.instruments import Grid
from state.levels import protection, trail_of
from state.orders import Intent
from state.portfolio import OpenOrder, Portfolio, Position, engine_key
from state.signals import Action, CancelEntry, Exit, Signal
from state.units import NEVER_NS, money, part_of

_ZERO: Final = Decimal(0)


class Desk:
    """The decision core of one portfolio."""

    def __init__(
        self,
        portfolio: Portfolio,
        market: Market,
        engines: Sequence[Engine],
        *,
        clock: CivilClock,
        gates: Sequence[Gate],
        watches: Sequence[Watch],
        sizer: Sizer,
        costs: Costs,
        worst_case: bool = False,
        flatten_on_r_stop: bool = False,
        end_of_day: Alarm | None = None,
    ) -> None:
        """Bind the parts. ``gates`` are asked in the order given; ``clock`` is the portfolio's.

        ``end_of_day`` is when plans of strategies that are always open are widened.
        """
        self.portfolio = portfolio
        self.market = market
        self.engines = {engine.key: engine for engine in engines}
        self.clock = clock
        self.costs = costs
        intervals = {engine.key: engine.interval_ns for engine in engines}
        self.valuation = Valuation(portfolio, market, costs, intervals, worst_case=worst_case)
        self.plans = Plans(portfolio, market, self.valuation, self.engines, clock, end_of_day)
        self._gates = tuple(gates)
        self._watches = tuple(watches)
        self._sizer = sizer
        self._worst_case = worst_case
        self._flatten_on_r_stop = flatten_on_r_stop

    def day(self, now_ns: int) -> int:
        """Return the trading day at an instant: once begun it is not left for an earlier one.

        A clock that steps back over midnight brings no day back, nor its counts and limits.
        """
        return max(self.clock.day(now_ns), self.portfolio.day)

    # Wishes -------------------------------------------------------------------------------------

    def decide(self, engine: Engine, bar: Bar, action: Action, now_ns: int) -> Batch:
        """Answer a strategy's wish at the close instant T of its bar.

        Raises:
            StrategyError: the wish means nothing; the caller quarantines the engine.
        """
        action = checked(action)
        if isinstance(action, Signal):
            return self._enter(engine, bar, action, now_ns)
        if isinstance(action, Exit):
            return self._leave(engine, bar, action, now_ns)
        return self._withdraw(engine, bar, action, now_ns)

    def _enter(self, engine: Engine, bar: Bar, signal: Signal, now_ns: int) -> Batch:
        check_signal(signal)
        portfolio = self.portfolio
        series = self.market.by_key[(engine.symbol, engine.interval_ns)]
        intent, question = self._question(engine, series, bar, signal, now_ns)
        verdicts = tuple([gate.ask(question) for gate in self._gates])
        denied = next((verdict.code for verdict in verdicts if not verdict.allowed), None)
        accepted = denied is None
        batch = Batch(
            [
                Decided(
                    now_ns,
                    engine.symbol,
                    engine.name,
                    bar.open_ns,
                    question.day,
                    signal,
                    verdicts,
                    denied or "ACCEPTED",
                    intent.intent_id if accepted else "",
                )
            ]
        )
        if accepted and intent.intent_id not in portfolio.orders:
            batch.entries.append(IntentRecorded(now_ns, intent))
            batch.effects.append(Submit(intent))
        self.valuation.decided(intent if batch.effects else None, len(batch.entries))
        return batch

    def _question(
        self, engine: Engine, series: Series, bar: Bar, signal: Signal, now_ns: int
    ) -> tuple[Intent, Question]:
        """Prepare what gates look at, and the intent that would follow."""
        portfolio, market, valuation, grid = (
            self.portfolio, self.market, self.valuation, series.grid,
        )  # fmt: skip
        slippage = self.costs.slippage(grid, series.atr)
        given = grid.instrument.min_stop
        min_stop = 2 * (grid.half_spread + slippage) if given is None else float(given)
        day = self.day(now_ns)
        rate, rate_age = market.rate(grid.instrument.quote_currency, now_ns)
        intent = entry_intent(
            portfolio.portfolio_id, engine, signal, grid, now_ns=now_ns, day=day, close=bar.close,
            lots=0, slippage=slippage, min_stop=min_stop,
        )  # fmt: skip
        distance = signal.stop_distance
        if intent.stop_ticks is not None:
            room = intent.reference - grid.price(intent.stop_ticks)
            distance = room * signal.side
        sizing = self._sizer.size(
            grid, distance=distance or 0.0, min_stop=min_stop, tested=signal.stop is None,
            rate=rate, equity=portfolio.cash,
        )  # fmt: skip
        intent = msgspec.structs.replace(intent, lots=sizing.lots)
        stats = portfolio.days.get(day)
        standing = valuation.standing(now_ns)
        question = Question(
            now_ns=now_ns,
            day=day,
            symbol=engine.symbol,
            strategy=engine.name,
            key=engine.key,
            interval_ns=engine.interval_ns,
            bar=bar,
            bar_in_window=engine.in_window,
            signal=signal,
            portfolio=portfolio,
            sizing=sizing,
            order_value=valuation.order_value(engine.symbol, sizing.lots, intent.reference, now_ns),
            gross_exposure=None if standing.gross is None else money(repr(standing.gross)),
            positions=standing.count,
            positions_symbol=standing.by_symbol.get(engine.symbol, 0),
            has_rate=rate is not None,
            true_range=series.true_range,
            atr_before=series.atr_before if series.count > ATR_BARS else 0.0,
            bar_age_ns=now_ns - series.last_ns,
            rate_age_ns=rate_age,
            realised_r=stats.r if stats else 0.0,
            open_r=standing.open_r,
            worst_r=standing.worst_r,
            this_worst_r=valuation.intent_worst_r(intent) if self._worst_case else 0.0,
        )
        return intent, question

    def _leave(self, engine: Engine, bar: Bar, action: Exit, now_ns: int) -> Batch:
        position = self.portfolio.positions.get(engine.key)
        outcome = "ACCEPTED" if position is not None else "NO_POSITION"
        batch = Batch([self._note(engine, bar, action, now_ns, outcome)])
        if position is not None:
            self._close(batch, position, position.lots, action.tag, now_ns)
        return batch

    def _withdraw(self, engine: Engine, bar: Bar, action: CancelEntry, now_ns: int) -> Batch:
        order = self.working_entry(engine.key)
        outcome = "ACCEPTED" if order is not None else "NO_ORDER"
        batch = Batch([self._note(engine, bar, action, now_ns, outcome)])
        if order is not None:
            batch.effects.append(Cancel(order.intent, "STRATEGY_CANCEL"))
        return batch

    def _note(self, engine: Engine, bar: Bar, action: Action, now_ns: int, outcome: str) -> Decided:
        day = self.day(now_ns)
        return Decided(now_ns, engine.symbol, engine.name, bar.open_ns, day, action, (), outcome)

    def working_entry(self, key: str) -> OpenOrder | None:
        """Return the entry order of an engine that is in flight, or None."""
        for order in self.portfolio.orders.values():
            intent = order.intent
            if intent.purpose == "entry" and engine_key(intent.symbol, intent.strategy) == key:
                return order
        return None

    # Closing ------------------------------------------------------------------------------------

    def _close(self, batch: Batch, position: Position, lots: int, reason: str, at_ns: int) -> None:
        """Add a market exit of ``lots`` to the batch, less what exits in flight close already.

        What is still working of the trade's own entry is cancelled, so that it ends flat.
        """
        lots = min(lots, position.lots - self.portfolio.leaving(position.trade_id))
        if lots <= 0:
            return
        key = engine_key(position.symbol, position.strategy)
        rest = self.working_entry(key)
        if rest is not None:
            batch.effects.append(Cancel(rest.intent, "TRADE_CLOSED"))
        interval_ns = self.engines[key].interval_ns
        series = self.market.by_key[(position.symbol, interval_ns)]
        intent = Intent(
            intent_id=intent_id(
                self.portfolio.portfolio_id, key, reason, at_ns, position.failed_exits
            ),
            purpose="exit",
            trade_id=position.trade_id,
            symbol=position.symbol,
            strategy=position.strategy,
            interval_ns=interval_ns,
            side=-position.side,
            lots=lots,
            decided_ns=at_ns,
            day=self.day(at_ns),
            reference=series.close,
            slippage=self.costs.slippage(series.grid, series.atr),
            reason=reason,
        )
        batch.entries.append(IntentRecorded(at_ns, intent))
        batch.effects.append(Submit(intent))

    def close(self, position: Position, reason: str, at_ns: int) -> Batch:
        """Close all of a position at market. Exits pass every gate."""
        batch = Batch()
        self._close(batch, position, position.lots, reason, at_ns)
        return batch

    def close_all(self, reason: str, at_ns: int) -> Batch:
        """Close every position at market, in order of key."""
        batch = Batch()
        for key in sorted(self.portfolio.positions):
            position = self.portfolio.positions[key]
            self._close(batch, position, position.lots, reason, at_ns)
        return batch

    def cancel_entries(self, code: str) -> Batch:
        """Cancel every entry order in flight, in order of engine."""
        orders = [o.intent for o in self.portfolio.orders.values() if o.intent.purpose == "entry"]
        orders.sort(key=lambda intent: (intent.symbol, intent.strategy))
        return Batch([], [Cancel(intent, code) for intent in orders])

    def end_of_window(self, engine: Engine, position: Position, at_ns: int) -> Batch:
        """Carry out the engine's policy at its time-stop: close, or reduce and hold the rest."""
        batch = Batch()
        if engine.at_end == "reduce":
            part = part_of(position.lots, engine.reduce_fraction)
            if part < position.lots:
                self._close(batch, position, part, "REDUCE", at_ns)
                held = restated(position, at_ns, "HELD")
                batch.entries.append(msgspec.structs.replace(held, time_stop_ns=NEVER_NS))
                return batch
        self._close(batch, position, position.lots, "TIME", at_ns)
        return batch

    # Broker events ------------------------------------------------------------------------------

    def on_event(self, event: BrokerEvent, now_ns: int) -> Batch:
        """Turn what the broker tells into entries, whatever it is; what is known changes nothing.

        What the book cannot take is suspended, and halts entries (``daemon.core.suspense``).
        """
        if isinstance(event, OrderNews):
            return self.halted(suspense.news(self.portfolio, event, now_ns))
        booked, suspended = suspense.fit(self.portfolio, self.market, event, now_ns)
        batch, halts = Batch(), list[Entry]()
        if booked is not None:
            on_leg = self._on_entry if booked.leg == "entry" else self._on_exit
            batch = on_leg(booked, now_ns)
            late = late_fills.alarm(self.portfolio, booked, now_ns)
            halts = [] if late is None else [late]
        if suspended is not None:
            halts += suspense.entries(self.portfolio, event, suspended)
        halted = self.halted(halts)
        return Batch([*batch.entries, *halted.entries], [*batch.effects, *halted.effects])

    def _on_entry(self, execution: Execution, now_ns: int) -> Batch:
        order = late_fills.order_of(self.portfolio, execution)
        assert order is not None  # or it would not be booked
        intent = order.intent
        trade_id = late_fills.trade_id_of(self.portfolio, order, execution)
        if trade_id != execution.trade_id:
            execution = msgspec.structs.replace(execution, trade_id=trade_id)
        grid = self.market.by_symbol[intent.symbol][0].grid
        rate = self._rate(grid, now_ns, None)
        filled = self._money(execution, intent.symbol, intent.strategy, grid, rate, _ZERO, now_ns)
        key = engine_key(intent.symbol, intent.strategy)
        position = self.portfolio.positions.get(key)
        stop, target = protection(grid, intent, execution.fill_ticks)
        trail = trail_of(grid, intent, execution.fill_ticks, stop)
        lots, before, until_ns = execution.lots, _ZERO, intent.time_stop_ns
        if position is not None and position.stop_ticks is not None:
            stop, target = position.stop_ticks, position.target_ticks
            trail, until_ns = position.trail_distance, position.time_stop_ns
            lots, before = lots + position.lots, position.initial_risk
        risk = abs(execution.fill_ticks - stop) * execution.lots
        plan = PlanSet(
            now_ns, trade_id, stop, target, until_ns,
            before + money(grid.cash(risk) * rate),
            trail_distance=msgspec.UNSET if trail is None else trail,
        )  # fmt: skip
        protect = Protect(
            intent.symbol, intent.interval_ns, intent.strategy, trade_id, intent.side,
            lots, stop, target,
        )  # fmt: skip
        return Batch([filled, plan], [protect])

    def _on_exit(self, execution: Execution, now_ns: int) -> Batch:
        position = late_fills.position_of(self.portfolio, execution)
        assert position is not None  # or it would not be booked
        grid = self.market.by_symbol[position.symbol][0].grid
        rate = self._rate(grid, now_ns, position)
        gained = position.side * (
            execution.fill_ticks * execution.lots
            - Decimal(position.entry_cost_ticks * execution.lots) / position.entry_lots
        )
        pnl = money(grid.cash(1) * gained * rate)
        filled = self._money(execution, position.symbol, position.strategy, grid, rate, pnl, now_ns)
        batch = Batch([filled])
        if execution.lots == position.lots:
            for order in self.portfolio.orders.values():
                intent = order.intent
                left = intent.lots - order.filled
                if execution.leg == "exit" and intent.intent_id == execution.intent_id:
                    left -= execution.lots
                if intent.trade_id == position.trade_id and left > 0:
                    batch.effects.append(Cancel(intent, "TRADE_CLOSED"))
        return batch

    def _rate(self, grid: Grid, now_ns: int, position: Position | None) -> Decimal:
        """Return quote to base now; an exit without a rate takes its entry's."""
        rate, _ = self.market.rate(grid.instrument.quote_currency, now_ns)
        if rate is not None:
            return rate
        return position.entry_rate if position is not None else Decimal(1)

    def _money(
        self,
        execution: Execution,
        symbol: str,
        strategy: str,
        grid: Grid,
        rate: Decimal,
        pnl: Decimal,
        now_ns: int,
    ) -> Filled:
        """Turn an execution into an entry, every amount rounded here and nowhere else."""
        instrument = grid.instrument
        per_price = grid.quantity(execution.lots) * instrument.multiplier * rate
        fee = _ZERO
        if instrument.fee_per_unit or instrument.fee_fraction:
            value = per_price * grid.decimal(execution.fill_ticks)
            fee = money(
                grid.quantity(execution.lots) * instrument.fee_per_unit
                + value * instrument.fee_fraction
            )
        stamp = execution.filled_ns if execution.at_open else execution.bar_open_ns
        return Filled(
            at_ns=now_ns,
            execution_id=execution.execution_id,
            intent_id=execution.intent_id,
            trade_id=execution.trade_id,
            leg=execution.leg,
            symbol=symbol,
            strategy=strategy,
            side=execution.side,
            lots=execution.lots,
            price=Decimal(repr(round(execution.price, 10))),
            fill_ticks=execution.fill_ticks,
            filled_ns=execution.filled_ns,
            bar_open_ns=execution.bar_open_ns,
            day=self.clock.day(stamp),
            spread=money(Decimal(repr(round(execution.spread, 12))) * per_price),
            slippage=money(Decimal(repr(round(execution.slippage, 12))) * per_price),
            fee=fee,
            pnl=pnl,
            rate=rate,
            reason=execution.reason,
            venue=execution.venue,
            account=execution.account,
        )

    # Marks --------------------------------------------------------------------------------------

    def marks(self, now_ns: int) -> Marks:
        """Look at the portfolio at the last prices."""
        day = self.day(now_ns)
        stats = self.portfolio.days.get(day)
        open_pnl, open_r = self.valuation.marked(now_ns)
        return Marks(
            now_ns=now_ns,
            day=day,
            portfolio=self.portfolio,
            equity=float(self.portfolio.cash) + open_pnl,
            realised_r=stats.r if stats else 0.0,
            open_r=open_r,
        )

    def look(self, marks: Marks) -> Batch | None:
        """Let stops follow, ask every watch once, close what must be flat, widen what waited.

        None when nothing follows. What must be flat, or was halted right now, is not widened.
        """
        now_ns, is_holding = marks.now_ns, bool(self.portfolio.positions)
        batch = followed = self.plans.follow(now_ns) if is_holding else None
        entries: list[Entry] = []
        for watch in self._watches:
            entries.extend(watch.look(marks))
        must_be_flat = is_holding and self._must_be_flat(entries)
        if entries:
            batch = _joined(batch, self.halted(entries))
        if must_be_flat:
            batch = _joined(batch, self.close_all("FLATTEN", now_ns))
        elif is_holding and not entries:
            batch = _joined(batch, self.plans.overdue(now_ns, followed))
        return batch if batch and batch.entries else None

    def _must_be_flat(self, entries: list[Entry]) -> bool:
        """Say whether nothing may stay open, what fills late (it met its open before) included."""
        if self.portfolio.kill == "flatten":
            return True
        return self._flatten_on_r_stop and (
            R_STOP in self.portfolio.halts
            or any(isinstance(entry, HaltSet) and entry.name == R_STOP for entry in entries)
        )

    def halted(self, entries: list[Entry]) -> Batch:
        """Add to halts what follows from them: working entries are cancelled."""
        names = [one.name for one in entries if isinstance(one, HaltSet)]
        names = [name for name in names if cancels_entries(name)]
        cancels = self.cancel_entries("HALT").effects if names else []
        return Batch(
            entries,
            [
                one
                for one in cancels
                if isinstance(one, Cancel) and any(is_of(name, one.intent.symbol) for name in names)
            ],
        )

    def no_bar(self, order: OpenOrder) -> Batch:
        """End the wait of a market order for a bar that did not come."""
        intent = order.intent
        if intent.purpose == "entry":
            return Batch([], [Cancel(intent, "NO_BAR")])
        series = self.market.by_key[(intent.symbol, intent.interval_ns)]
        # A bar that closed at the very instant of a command counts: it closed at or before it.
        price = series.close if series.last_ns == intent.decided_ns else intent.reference
        return Batch([], [FillNow(intent, price, intent.decided_ns)])


def _joined(one: Batch | None, other: Batch | None) -> Batch | None:
    """Return one batch after the other."""
    if one is None or other is None:
        return one or other
    return Batch([*one.entries, *other.entries], [*one.effects, *other.effects])
