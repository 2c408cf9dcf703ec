"""The plans of open trades over bars and nights: trailing stops, overnight widening (S5).

Pure but for reading what it was given, like the desk it belongs to: it answers with batches, whose
entries must be recorded and applied before their effects are carried out. What it remembers is a
cache: everything it decides follows from the portfolio, the market and the instant.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

import msgspec

from daemon.core.civil import CivilClock
from daemon.core.effects import Batch, Protect
from daemon.core.engine import Engine
from daemon.core.market import Market
from daemon.core.overnight import Refusal, halted, widen
from daemon.core.supervision import Alarm
from daemon.core.valuation import Valuation
from state.entries import DayPosition, PlanSet, WideningRefused
from state.levels import trailed
from state.portfolio import Portfolio, Position
from state.units import NEVER_NS, SECOND_NS, money

_MEAN_PLACES: Final = Decimal("0.0001")


def restated(position: Position, at_ns: int, reason: str) -> PlanSet:
    """Return the plan of a position as it is, for a reason; the caller replaces what changes."""
    assert position.stop_ticks is not None
    trail = position.trail_distance
    return PlanSet(
        at_ns, position.trade_id, position.stop_ticks, position.target_ticks,
        position.time_stop_ns, position.initial_risk, reason,
        msgspec.UNSET if trail is None else trail,
    )  # fmt: skip


def _stops(batch: Batch | None) -> dict[str, int]:
    """Return where a batch takes stops, by trade."""
    plans = [entry for entry in batch.entries if isinstance(entry, PlanSet)] if batch else []
    return {plan.trade_id: plan.stop_ticks for plan in plans}


class Plans:
    """Moves the plans of one portfolio's open trades."""

    def __init__(
        self,
        portfolio: Portfolio,
        market: Market,
        valuation: Valuation,
        engines: Mapping[str, Engine],
        clock: CivilClock,
        end_of_day: Alarm | None,
    ) -> None:
        """Look at these; ``clock`` is the portfolio's, ``end_of_day`` its alarm (None: never)."""
        self._portfolio = portfolio
        self._market = market
        self._valuation = valuation
        self._engines = engines
        self._clock = clock
        self._end_of_day = end_of_day
        self._widens = any(engine.overnight is not None for engine in engines.values())
        self._followed_ns = -1
        self._due: dict[str, tuple[int, int]] = {}

    # Trail --------------------------------------------------------------------------------------

    def follow(self, now_ns: int) -> Batch | None:
        """Let trailing stops follow the bars that closed at ``now_ns``; None when none moves."""
        if now_ns == self._followed_ns:
            return None  # a plan that was widened since is not pulled back by the same bar
        batch = None
        for key, position in self._portfolio.positions.items():
            if position.trail_distance is not None:
                self._followed_ns = now_ns
                moved = self._trailed(key, position, position.trail_distance, now_ns)
                if moved is not None:
                    batch = batch or Batch()
                    self._move(batch, key, position, moved)
        return batch

    def _trailed(
        self, key: str, position: Position, distance: float, now_ns: int
    ) -> PlanSet | None:
        engine = self._engines[key]
        series = self._market.by_key[(engine.symbol, engine.interval_ns)]
        stop = position.stop_ticks
        # A bar that closed as the trade was filled (`fill = "close"`) is not after its entry.
        if stop is None or series.last_ns != now_ns or series.last_ns <= position.entry_bar_ns:
            return None
        ticks = trailed(series.grid, position.side, stop, series.close, distance)
        if ticks == stop:
            return None
        return msgspec.structs.replace(restated(position, now_ns, "TRAIL"), stop_ticks=ticks)

    def _move(self, batch: Batch, key: str, position: Position, plan: PlanSet) -> None:
        """Add a plan and what lets it rest at the broker."""
        batch.entries.append(plan)
        batch.effects.append(
            Protect(
                position.symbol, self._engines[key].interval_ns, position.strategy,
                position.trade_id, position.side, position.lots, plan.stop_ticks,
                plan.target_ticks,
            )
        )  # fmt: skip

    # Nights -------------------------------------------------------------------------------------

    def widening_ns(self, key: str, position: Position) -> int:
        """Return the instant at which a position is next to be widened, NEVER_NS for none.

        The first end of a window of its strategy (always open: the first end-of-day alarm) that
        comes after the entry, on the present trading day or a later one that was not asked yet.
        """
        engine = self._engines[key]
        if engine.overnight is None or engine.at_end == "close":
            return NEVER_NS
        if position.time_stop_ns < NEVER_NS or position.stop_ticks is None:
            return NEVER_NS
        day = max(self._portfolio.day, position.widened_day + 1)
        after_ns = max(self._clock.day_start_ns(day) - 1, position.entry_ns)
        known = self._due.get(key)
        if known is None or known[0] != after_ns:
            known = self._due[key] = (after_ns, self._end_after(engine, after_ns))
        return known[1]

    def _end_after(self, engine: Engine, after_ns: int) -> int:
        schedule = engine.schedule
        if schedule.is_always:
            alarm = self._end_of_day
            return NEVER_NS if alarm is None else alarm.next_due_ns(after_ns)
        window = schedule.at(after_ns) or schedule.next_after(after_ns)
        while window is not None:
            end_ns = window.end_ns - engine.flatten_before_s * SECOND_NS
            if end_ns > after_ns:
                return end_ns
            window = schedule.next_after(window.start_ns)
        return NEVER_NS

    def is_gap_checked(self, key: str, position: Position) -> bool:
        """Say whether the resting stop has met a bar of the present trading day.

        A position opened today rests since a bar of today.
        """
        day = self._portfolio.day
        if position.day == day:
            return True
        engine = self._engines[key]
        series = self._market.by_key[(engine.symbol, engine.interval_ns)]
        return series.last_ns - series.interval_ns >= self._clock.day_start_ns(day)

    def widen(self, key: str, position: Position, now_ns: int) -> Batch | None:
        """Widen a plan for the night, or refuse; None while today's gap is not checked yet."""
        lots = position.lots - self._portfolio.leaving(position.trade_id)
        if not self.is_gap_checked(key, position) or lots <= 0:
            return None
        engine, day = self._engines[key], self._portfolio.day
        assert engine.overnight is not None
        grid = self._market.by_symbol[position.symbol][0].grid
        answer = halted(self._portfolio, now_ns, position) or widen(
            grid, position, engine.overnight, lots=lots, rate=self._rate(position, now_ns)
        )
        batch = Batch()
        if isinstance(answer, Refusal):
            batch.entries.append(
                WideningRefused(
                    now_ns, position.trade_id, position.symbol, position.strategy, day, *answer
                )
            )
            return batch
        plan = msgspec.structs.replace(
            restated(position, now_ns, "WIDENED"),
            stop_ticks=answer.stop_ticks,
            target_ticks=answer.target_ticks,
            widened_day=day,
        )
        self._move(batch, key, position, plan)
        return batch

    def overdue(self, now_ns: int, followed: Batch | None) -> Batch | None:
        """Widen what had to wait for the first bar of the day; None when nothing did.

        ``followed`` moved stops at this very instant and is not applied yet: they are widened from
        where it takes them.
        """
        if not self._widens:
            return None
        moved = _stops(followed)
        batch = None
        for key, position in self._portfolio.positions.items():
            if self.widening_ns(key, position) < now_ns:
                stop = moved.get(position.trade_id, position.stop_ticks)
                there = msgspec.structs.replace(position, stop_ticks=stop)
                done = self.widen(key, there, now_ns)
                if done is not None:
                    batch = batch or Batch()
                    batch.entries.extend(done.entries)
                    batch.effects.extend(done.effects)
        return batch

    def _rate(self, position: Position, now_ns: int) -> Decimal:
        grid = self._market.by_symbol[position.symbol][0].grid
        rate, _ = self._market.rate(grid.instrument.quote_currency, now_ns)
        return position.entry_rate if rate is None else rate

    # Days ---------------------------------------------------------------------------------------

    def at_day_end(self, now_ns: int) -> tuple[DayPosition, ...]:
        """Return what is open and what protects it, in order of engine."""
        positions = self._portfolio.positions
        return tuple([self._day_position(positions[key], now_ns) for key in sorted(positions)])

    def _day_position(self, position: Position, now_ns: int) -> DayPosition:
        grid = self._market.by_symbol[position.symbol][0].grid
        tick = grid.instrument.tick
        ticks, rest = divmod(position.entry_cost_ticks, position.entry_lots)
        entry = tick * ticks
        if rest:
            mean = tick * position.entry_cost_ticks / position.entry_lots
            entry = mean.quantize(tick * _MEAN_PLACES)
        return DayPosition(
            symbol=position.symbol,
            strategy=position.strategy,
            trade_id=position.trade_id,
            side=position.side,
            lots=position.lots,
            entry=entry,
            stop_ticks=position.stop_ticks,
            target_ticks=position.target_ticks,
            trail_distance=position.trail_distance,
            time_stop_ns=position.time_stop_ns,
            open_pnl=money(repr(round(self._valuation.open_pnl(position, now_ns), 8))),
            initial_risk=position.initial_risk,
        )
