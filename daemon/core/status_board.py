"""Building the status line, cheaply: what never changes is encoded once.

The board keeps each engine's JSON and rebuilds it only at the edges of its windows, so that a
hundred engines cost a copy and not a hundred encodings. It reads the portfolio and what the runner
tells it; it changes nothing, reads no clock and decides nothing.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Final

import msgspec

from daemon.core.calendar import CivilClock
from daemon.core.latches import DRAWDOWN, in_force
from daemon.core.market import Market
from daemon.core.pace import Pace
from daemon.core.status import (
    SCHEMA,
    Alert,
    BrokerStatus,
    CooldownStatus,
    CostsStatus,
    DbStatus,
    DrawdownStatus,
    EquityStatus,
    FeedStatus,
    GatesStatus,
    HaltStatus,
    KillStatus,
    LoopStatus,
    NewsStatus,
    PaceCount,
    PacingStatus,
    PositionStatus,
    RiskStatus,
    SocketStatus,
    Status,
    StatusHead,
    StrategyToday,
    Today,
    WindowStatus,
    instant_or_none,
    instant_text,
)
from daemon.core.status_inputs import EngineFacts, RunFacts, StatusInputs
from state.entries import HaltSet
from state.instruments import Grid
from state.orders import OrderState
from state.portfolio import DayStats, OpenOrder, Portfolio, Position, engine_key
from state.units import HOUR_NS, NEVER_NS, SECOND_NS, day_text, side_name

OpenPnl = Callable[[Position, int], float]
"""P&L at the last close of what is open of a position at an instant, base currency."""

RawStatus = Status[msgspec.Raw, msgspec.Raw, msgspec.Raw]

_at_ns = attrgetter("at_ns")
_day = attrgetter("day")
_PAST_NS: Final = -1
_ENCODER: Final = msgspec.json.Encoder()


class _Engine:
    """One engine's JSON: the unchanging head, and the tail of the present window."""

    __slots__ = ("closes_ns", "edge_ns", "head", "key", "line", "opens_ns", "schedule")

    def __init__(self, facts: EngineFacts, spread_pips: float) -> None:
        self.key = engine_key(facts.symbol, facts.strategy)
        self.schedule = facts.schedule
        fixed = {
            "symbol": facts.symbol,
            "strategy": facts.strategy,
            "kind": facts.kind,
            "interval": facts.interval,
            "params_set": facts.params_set,
            "params": facts.params,
            "windows": [one.text() for one in facts.schedule.specs] or ["always"],
            "spread_pips": spread_pips,
        }
        self.head = _ENCODER.encode(fixed)[:-1] + b","
        self.line = b""
        self.edge_ns = _PAST_NS
        self.opens_ns = self.closes_ns = NEVER_NS

    def refresh(self, now_ns: int, *, quarantined: bool) -> None:
        """Look at the windows at this instant and rebuild the line."""
        present = self.schedule.at(now_ns)
        coming = self.schedule.next_after(now_ns)
        self.edge_ns = self.schedule.edge_after(now_ns)
        self.opens_ns = coming.start_ns if coming else NEVER_NS
        self.closes_ns = present.end_ns if present else 0
        tail = {
            "active": present is not None and not quarantined,
            "next_open": instant_or_none(self.opens_ns),
            "next_close": instant_or_none(self.closes_ns),
            "quarantined": quarantined,
        }
        self.line = self.head + _ENCODER.encode(tail)[1:]


class StatusBoard:
    """Builds status lines of one run.

    ``edge_ns`` is the next instant at which a window opens or closes: a status line is due then.
    """

    def __init__(
        self,
        facts: RunFacts,
        engines: Sequence[EngineFacts],
        market: Market,
        open_pnl: OpenPnl,
        pace: Pace,
    ) -> None:
        """Encode what never changes; ``open_pnl`` values a position (``Valuation.open_pnl``)."""
        self._pace = pace
        self._facts = facts
        self._grids = grids = {one.symbol: one.grid for one in market.series}
        self._open_pnl = open_pnl
        spreads = {symbol: float(grids[symbol].instrument.spread_pips) for symbol in sorted(grids)}
        self._engines = [_Engine(one, spreads[one.symbol]) for one in engines]
        self._symbols = msgspec.Raw(_ENCODER.encode(sorted({one.symbol for one in engines})))
        self._costs = msgspec.Raw(_ENCODER.encode(CostsStatus(spreads, facts.slippage_model)))
        self._since = instant_text(facts.since_ns)
        self._quarantined: set[str] = set()
        self._lines = msgspec.Raw(b"[]")
        self._window = WindowStatus(False, None, None)
        self._seen_ns = _PAST_NS
        self._clock = CivilClock(facts.zone)
        self._kept, self._kept_seq = b"", _PAST_NS
        self._kept_others: tuple[object, ...] = ()
        self.edge_ns = _PAST_NS

    def line(self, portfolio: Portfolio, inputs: StatusInputs) -> bytes:
        """Build one status line, without its line end.

        While nothing happens and nothing runs out, all but the head of the line stays as it was:
        it is kept, so that a quiet hour costs a copy.
        """
        others = _others(inputs)
        now_ns = inputs.now_ns
        if (
            portfolio.seq == self._kept_seq
            and others == self._kept_others
            and self._seen_ns <= now_ns < self.edge_ns
        ):
            self._seen_ns = now_ns
            return _head(inputs) + self._kept
        status = self.build(portfolio, inputs)
        line, head = _ENCODER.encode(status), _head(inputs)
        self._kept_seq = portfolio.seq if _is_still(status) else _PAST_NS
        self._kept_others, self._kept = others, line[len(head) :]
        return line

    def state(self, portfolio: Portfolio, inputs: StatusInputs) -> tuple[object, ...]:
        """Return what a change of state is measured by: state, reason, halts, quarantine, alerts.

        Cheap: a runner asks after every instant in which something was recorded.
        """
        halts = portfolio.halts
        wide = [
            halt
            for halt in halts.values()
            if "/" not in halt.name and in_force(halt, inputs.now_ns, portfolio.day)
        ]
        said = self._state(portfolio, inputs, wide)
        return (*said, tuple(halts), len(portfolio.quarantined), tuple(inputs.alerts))

    def build(self, portfolio: Portfolio, inputs: StatusInputs) -> RawStatus:
        """Build the status object of this instant."""
        now_ns = inputs.now_ns
        self._refresh(now_ns, portfolio)
        facts = self._facts
        halts = [h for h in portfolio.halts.values() if in_force(h, now_ns, portfolio.day)]
        wide = [h for h in halts if "/" not in h.name]
        unknown = [o for o in portfolio.orders.values() if o.state is OrderState.UNKNOWN]
        alerts = self._alerts(portfolio, inputs, unknown)
        killed = portfolio.kill != "none"
        state, reason = self._state(portfolio, inputs, wide)
        day = portfolio.days.get(portfolio.day)
        positions, open_pnl, open_r = self._positions(portfolio, now_ns)
        cash = float(portfolio.cash)
        equity = cash + open_pnl
        # Not RawStatus(...): calling a parametrised class costs more than the whole line.
        return Status(
            schema=SCHEMA,
            now=instant_text(now_ns),
            feed=_feed(inputs),
            ok=not (alerts or wide or killed) and inputs.db_ok and inputs.broker_ok,
            state=state,
            reason=reason,
            mode=facts.mode,
            source=facts.source,
            interval=facts.interval,
            since=self._since,
            portfolio_id=portfolio.portfolio_id,
            run_id=portfolio.run_id,
            seq=portfolio.seq if inputs.durable_seq is None else inputs.durable_seq,
            symbols=self._symbols,
            engines=self._lines,
            positions=positions,
            today=_today(portfolio.day, day, open_r),
            risk=self._risk(portfolio, open_r, halts, bool(wide) or killed),
            costs=self._costs,
            equity=EquityStatus(portfolio.base_currency, cash, open_pnl, equity),
            window=self._window,
            pacing=self._pacing(portfolio, now_ns),
            dd_lock=self._drawdown(portfolio, equity, now_ns),
            news_guard=NewsStatus(
                facts.news_enabled,
                inputs.news_until_ns > now_ns,
                instant_or_none(inputs.news_until_ns),
                inputs.news_title,
            ),
            gates=GatesStatus(portfolio.allowed, portfolio.denied, portfolio.by_reason),
            kill=KillStatus(killed, portfolio.kill, portfolio.kill_reason),
            broker=BrokerStatus(
                facts.broker, inputs.broker_ok, len(portfolio.orders) - len(unknown), len(unknown)
            ),
            ws=SocketStatus(inputs.ws_connected, inputs.ws_errors),
            loop=LoopStatus(inputs.loop_lag_ms_p99, inputs.queue_max),
            db=DbStatus(inputs.db_ok, inputs.wal_bytes),
            alerts=alerts,
        )

    def _refresh(self, now_ns: int, portfolio: Portfolio) -> None:
        """Rebuild the engines whose window changed, and what is said of all windows."""
        moved = portfolio.quarantined.keys() != self._quarantined or now_ns < self._seen_ns
        self._seen_ns = now_ns
        if not moved and now_ns < self.edge_ns:
            return
        self._quarantined = set(portfolio.quarantined)
        for engine in self._engines:
            if moved or now_ns >= engine.edge_ns:
                engine.refresh(now_ns, quarantined=engine.key in self._quarantined)
        self._lines = msgspec.Raw(b"[" + b",".join([one.line for one in self._engines]) + b"]")
        closes = [one.closes_ns for one in self._engines if one.closes_ns]
        self._window = WindowStatus(
            bool(closes),
            instant_or_none(min((one.opens_ns for one in self._engines), default=NEVER_NS)),
            instant_or_none(min(closes, default=NEVER_NS)),
        )
        self.edge_ns = min((one.edge_ns for one in self._engines), default=NEVER_NS)

    def _state(
        self, portfolio: Portfolio, inputs: StatusInputs, halts: Sequence[HaltSet]
    ) -> tuple[str, str]:
        """Return the state and the reason, the gravest first."""
        if inputs.phase == "stopping":
            return "stopping", inputs.phase_reason
        if portfolio.kill != "none":
            return "killed", portfolio.kill_reason or "the kill switch is set"
        if halts:
            first = halts[0]
            return "halted", f"{first.name}: {first.code} {first.observed} / {first.limit}"
        if inputs.phase != "running":
            return inputs.phase, inputs.phase_reason
        if self._window.active:
            return "trading", "a window is open"
        if portfolio.positions:
            return "trading", "no window is open; positions are held"
        return "idle", "no window is open"

    def _positions(
        self, portfolio: Portfolio, now_ns: int
    ) -> tuple[list[PositionStatus], float, float]:
        """Return the positions, and the sums of their open P&L and open R."""
        found, total_pnl, total_r = [], 0.0, 0.0
        for position in portfolio.positions.values():
            pnl = self._open_pnl(position, now_ns)
            risk = float(position.initial_risk)
            r = pnl / risk if risk else None
            total_pnl += pnl
            total_r += r or 0.0
            found.append(_position(position, self._grids[position.symbol], r))
        return found, round(total_pnl, 8), total_r

    def _risk(
        self, portfolio: Portfolio, open_r: float, halts: Sequence[HaltSet], halted: bool
    ) -> RiskStatus:
        facts = self._facts
        day = portfolio.days.get(portfolio.day)
        realised = day.r if day else 0.0
        return RiskStatus(
            halted=halted,
            global_daily_stop_r=facts.global_daily_stop_r,
            r_counted=round(realised + (open_r if facts.open_r_counts else 0.0), 6),
            halts=[
                HaltStatus(
                    one.name,
                    one.code,
                    one.reason,
                    one.observed,
                    one.limit,
                    instant_text(one.at_ns),
                    instant_or_none(one.until_ns),
                )
                for one in halts
            ],
            open_positions=len(portfolio.positions),
            working_orders=len(portfolio.orders),
            max_positions=facts.max_positions,
            max_positions_per_symbol=facts.max_positions_per_symbol,
            max_order_value=facts.max_order_value,
            max_gross_exposure=facts.max_gross_exposure,
        )

    def _drawdown(self, portfolio: Portfolio, equity: float, now_ns: int) -> DrawdownStatus:
        mark = float(portfolio.high_water)
        lock = portfolio.halts.get(DRAWDOWN)
        locked = lock is not None and in_force(lock, now_ns, portfolio.day)
        return DrawdownStatus(
            locked=locked,
            drawdown=round(max(0.0, 1.0 - equity / mark), 8) if mark > 0 else 0.0,
            limit=self._facts.drawdown_limit,
            high_water=mark,
            until=instant_or_none(lock.until_ns) if lock is not None and locked else None,
        )

    def _pacing(self, portfolio: Portfolio, now_ns: int) -> PacingStatus:
        counted, facts = portfolio.counted, self._facts
        free_ns = self._pace.next_allowed_ns(portfolio, now_ns, self._clock.next_day_ns(now_ns))
        hour = len(counted) - bisect_right(counted, now_ns - HOUR_NS, key=_at_ns)
        today = len(counted) - bisect_left(counted, portfolio.day, key=_day)
        return PacingStatus(
            instant_text(free_ns) if now_ns < free_ns < NEVER_NS else None,
            PaceCount(hour, facts.entries_per_hour),
            PaceCount(today, facts.entries_per_day),
            [
                CooldownStatus(one.name, one.kind, instant_text(one.until_ns))
                for one in self._pace.cooldowns(portfolio, now_ns)
            ],
        )

    def _alerts(
        self, portfolio: Portfolio, inputs: StatusInputs, unknown: Sequence[OpenOrder]
    ) -> list[Alert]:
        """Return what needs a person, the most dangerous first."""
        found = [
            Alert("UNPROTECTED", key)
            for key, one in portfolio.positions.items()
            if one.stop_ticks is None
        ]
        found += [
            Alert("UNKNOWN_ORDER", f"{o.intent.symbol}/{o.intent.strategy} {o.intent.intent_id}")
            for o in unknown
        ]
        found += [
            Alert("QUARANTINED", f"{key}: {error}") for key, error in portfolio.quarantined.items()
        ]
        found += inputs.alerts
        return found


def mean_entry(position: Position, grid: Grid) -> float:
    """Return the mean entry fill as a price."""
    ticks, rest = divmod(position.entry_cost_ticks, position.entry_lots)
    if not rest:
        return grid.price(ticks)
    return round(position.entry_ticks() * grid.tick, 10)


def _position(position: Position, grid: Grid, r: float | None) -> PositionStatus:
    stop, target = position.stop_ticks, position.target_ticks
    return PositionStatus(
        symbol=position.symbol,
        strategy=position.strategy,
        side=side_name(position.side),
        entry=mean_entry(position, grid),
        sl=None if stop is None else grid.price(stop),
        tp=None if target is None else grid.price(target),
        r=None if r is None else round(r, 6),
        quantity=float(grid.quantity(position.lots)),
        since=instant_text(position.entry_ns),
        time_stop=instant_or_none(position.time_stop_ns),
        protected=stop is not None,
        trade_id=position.trade_id,
    )


def _today(day: int, stats: DayStats | None, r_open: float) -> Today:
    date = day_text(day) if day > 0 else ""
    if stats is None:
        return Today(date, 0.0, 0.0, round(r_open, 6), 0, [])
    return Today(
        date=date,
        r_total=round(stats.r, 6),
        pnl_total=float(stats.pnl),
        r_open=round(r_open, 6),
        trades=stats.trades,
        by_strategy=[
            StrategyToday(
                name, round(r, 6), stats.strategy_trades[name], float(stats.strategy_pnl[name])
            )
            for name, r in stats.strategy_r.items()
        ],
    )


def _head(inputs: StatusInputs) -> bytes:
    """Return the beginning of a line, up to the comma after its feed."""
    head = StatusHead(SCHEMA, instant_text(inputs.now_ns), _feed(inputs))
    return _ENCODER.encode(head)[:-1] + b","


def _others(inputs: StatusInputs) -> tuple[object, ...]:
    """Return the inputs that are not in the head."""
    return (
        inputs.phase,
        inputs.phase_reason,
        inputs.news_until_ns,
        inputs.ws_connected,
        inputs.ws_errors,
        inputs.broker_ok,
        inputs.db_ok,
        inputs.durable_seq,
        inputs.wal_bytes,
        inputs.loop_lag_ms_p99,
        inputs.queue_max,
        tuple(inputs.alerts),
    )


def _is_still(status: RawStatus) -> bool:
    """Say whether no field but the head's changes with the clock alone."""
    pacing = status.pacing
    return (
        not status.positions
        and not status.risk.halts
        and status.dd_lock.until is None
        and status.news_guard.until is None
        and pacing.next_allowed is None
        and not pacing.hour.used
        and not pacing.cooldowns
    )


def _feed(inputs: StatusInputs) -> FeedStatus:
    last_ns = inputs.last_bar_ns
    if not last_ns:
        return FeedStatus(None, None, inputs.bars, inputs.refused)
    age_s = round((inputs.now_ns - last_ns) / SECOND_NS, 3)
    return FeedStatus(instant_text(last_ns), age_s, inputs.bars, inputs.refused)
