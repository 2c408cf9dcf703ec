"""The stepper: one instant through the whole portfolio, in the order that the rules give.

Within an instant T: commands given up to T; then the bars closing at T (fills of resting orders,
exits), the roll of the trading day, the watches once, the engines' wishes in (symbol, strategy)
order, the alarms due at T. Every change is decided by the desk, recorded in the sink, applied to
the ledger, and only then carried out.

Whatever may have to wait (for the disk, for a broker) is awaited. The stepped lane has nothing to
wait for and calls ``step``; a daemon awaits ``begin`` and ``conclude`` around the answers of its
engines' tasks. Both are the same code in the same order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from decimal import Decimal

import msgspec

from adapters.brokers.paper import PaperBroker
from daemon.core.commands import Command, take
from daemon.core.desk import Desk
from daemon.core.effects import Batch, Cancel
from daemon.core.engine import Engine
from daemon.core.latches import DRAWDOWN
from daemon.core.supervision import Marks
from daemon.core.timers import Timers
from daemon.runtime.at_once import at_once
from daemon.runtime.dispatch import Dispatch
from daemon.runtime.lane import Lane, lanes_of
from daemon.runtime.stepper_state import StepperState, deepened
from daemon.runtime.traceback_text import RAISED, portable_traceback, said
from state import failpoints
from state.bars import Bar
from state.entries import (
    DayRolled,
    EngineQuarantined,
    Entry,
    EquityMarked,
    PortfolioOpened,
)
from state.executions import BrokerEvent
from state.journal import Sink
from state.ledger import apply
from state.orders import Intent
from state.signals import Action
from state.units import HOUR_NS, NEVER_NS, money

_NOTHING = Decimal(0)

Wish = tuple[Engine, Bar, "Action | BaseException"]
"""What an engine answered to a bar: what its strategy wishes, or what it raised."""


class Stepper:
    """Steps one portfolio through its bars."""

    def __init__(
        self,
        desk: Desk,
        timers: Timers,
        broker: PaperBroker,
        sink: Sink,
        *,
        commands: Sequence[Command] = (),
        start_cash: Decimal,
        zone: str,
        portfolio_id: str,
        high_water: Callable[[Marks], float] | None = None,
        observers: Sequence[Callable[[int, Entry], None]] = (),
        on_change: Callable[[int], int] | None = None,
        on_mark: Callable[[int], None] | None = None,
        refuse: Callable[[Intent], str | None] | None = None,
    ) -> None:
        """Bind the parts.

        ``high_water`` gives the drawdown's mark (default: the equity itself). ``observers`` are
        told every entry after it is applied. ``on_change`` is told the end of an instant in which
        something was recorded, and answers from which instant on it wants to be told without a
        change. ``on_mark`` is told when equity was marked anew. ``refuse`` is asked right before an
        entry order goes out and answers with a reason code when it must not, else None.
        """
        self.desk = desk
        self.portfolio = desk.portfolio
        self._timers = timers
        self._sink = sink
        self._commands = deque(sorted(commands, key=lambda command: command.at_ns))
        self._opening = (portfolio_id, zone, start_cash)
        self._high_water = high_water
        self._observers = tuple(observers)
        self._on_change = on_change
        self._on_mark = on_mark
        self._tell_ns = 0
        self.lanes = lanes_of(desk, broker)
        self.dispatch = Dispatch(desk, self.lanes, sink, self._hear, refuse)
        self._exposed = self._looks = False
        self._dirty = False
        self._moved = True
        self._alarm_ns = NEVER_NS
        self._wake_ns = self._tick_ns = NEVER_NS
        self._hour_ns = 0
        self.day_end_ns = NEVER_NS
        self._day_peak = 0.0
        self._day_fall = 0.0
        self._marked = (_NOTHING, _NOTHING, _NOTHING)
        self._watched_cash = _NOTHING

    # Life ---------------------------------------------------------------------------------------

    async def start(self, now_ns: int, entries: Sequence[Entry]) -> None:
        """Open the portfolio just before its first instant and record what the run begins with.

        Commands given before it are taken at it: nothing is recorded before the portfolio opens.
        """
        portfolio_id, zone, cash = self._opening
        day = self.desk.clock.day(now_ns)
        base = self.desk.market.base_currency
        await self.record(PortfolioOpened(now_ns, day, portfolio_id, base, zone, cash))
        for entry in entries:
            await self.record(entry)
        self._timers.start(now_ns)
        self._hour_ns = now_ns // HOUR_NS * HOUR_NS + HOUR_NS
        self._set_day(day)
        self._day_peak = float(cash)
        self._marked = (cash, _NOTHING, cash)
        self._watched_cash = cash
        self._commands = deque(
            msgspec.structs.replace(one, at_ns=max(one.at_ns, now_ns)) for one in self._commands
        )
        self._settle()

    def state(self, now_ns: int) -> StepperState:
        """Return what later steps depend on beside the portfolio, after instant ``now_ns``."""
        return StepperState(
            now_ns, self._day_peak, self._day_fall, self._marked, self._watched_cash
        )

    def resume(self, state: StepperState) -> None:
        """Go on after the instant of ``state``, the portfolio and the books being as they were."""
        for lane in self.lanes.values():
            lane.engines = [one for one in lane.engines if not one.quarantined]
        self._hour_ns = state.now_ns // HOUR_NS * HOUR_NS + HOUR_NS
        self._day_peak, self._day_fall = state.day_peak, state.day_fall
        self._marked, self._watched_cash = state.marked, state.watched_cash
        self._set_day(self.portfolio.day)
        self._moved = True
        self._settle()

    async def record(self, entry: Entry) -> None:
        """Record one entry, apply it, and tell the observers."""
        await self._record((entry,))

    async def _record(self, entries: Sequence[Entry], *, follows: bool = True) -> None:
        """Record entries together, then apply them one by one and tell the observers.

        What nothing follows from yet is applied before it is on the disk: ``settle`` waits for it
        before an order leaves on it, and before anybody is told of the instant.
        """
        failpoints.hit("batch.decided")
        seq = await self._sink.extend(entries, follows=follows) - len(entries)
        failpoints.hit("batch.taken")
        for entry in entries:
            seq += 1
            self.adopt(seq, entry)

    def adopt(self, seq: int, entry: Entry) -> None:
        """Apply an entry that is recorded already, and tell the observers."""
        apply(self.portfolio, seq, entry)
        for observe in self._observers:
            observe(seq, entry)

    async def commit(self, batch: Batch, now_ns: int) -> None:
        """Record and apply a batch, then carry out its effects."""
        await self._take(batch)
        await self._send(now_ns)

    async def _take(self, batch: Batch) -> None:
        """Record and apply a batch; its effects leave with the next ``_send``."""
        if batch.entries:
            await self._record(batch.entries, follows=False)
            failpoints.hit("batch.applied")
        self.dispatch.take(batch.effects)
        self._moved = True

    async def _send(self, now_ns: int) -> None:
        """Carry out the effects of all batches taken, in order."""
        await self.dispatch.send(now_ns)
        failpoints.hit("batch.carried_out")

    def _settle(self) -> None:
        """Look again at what the fast path may skip, if the portfolio changed."""
        if not self._moved:
            return
        self._moved = False
        self._dirty = True
        portfolio = self.portfolio
        # What an alarm or a fill at the close realised is not looked at yet.
        unseen = portfolio.cash != self._watched_cash
        self._exposed = bool(portfolio.positions or portfolio.orders) or unseen
        self._alarm_ns = self._timers.next_ns()
        self._set_wake()

    def _set_wake(self) -> None:
        command_ns = self._commands[0].at_ns if self._commands else NEVER_NS
        self._wake_ns = min(command_ns, self._alarm_ns + 1, self.day_end_ns + 1)
        self._tick_ns = min(self._hour_ns, self._alarm_ns, self.day_end_ns, self._tell_ns)

    # One instant --------------------------------------------------------------------------------

    def step(self, now_ns: int, bars: Sequence[tuple[Lane, Bar]]) -> None:
        """Take all bars closing at ``now_ns``, in order of (symbol, interval), without a loop.

        An instant in which nothing but indicators move awaits nothing and costs no coroutine.
        """
        if self._exposed or now_ns >= self._wake_ns:
            at_once(self.begin(now_ns, bars))
        wishes = self.ask(bars)
        if self._looks or wishes or now_ns >= self._tick_ns or self._moved or self._dirty:
            at_once(self.conclude(now_ns, wishes))

    async def begin(self, now_ns: int, bars: Sequence[tuple[Lane, Bar]]) -> None:
        """Do what comes before the engines' wishes: what was due earlier, then the bars' fills."""
        if now_ns >= self._wake_ns:
            await self._before(now_ns)
        self._looks = self._exposed
        if self._looks:
            for lane, bar in bars:
                if lane.slots:
                    slippage = self.desk.costs.slippage(lane.series.grid, lane.series.atr)
                    async for event in self.dispatch.venue.fills(lane, bar, slippage):
                        await self._hear(event, now_ns)

    @staticmethod
    def ask(bars: Sequence[tuple[Lane, Bar]]) -> list[Wish]:
        """Show every bar to its series and engines and collect the wishes.

        Strategies see bars only, so asking them before the watches look changes nothing.
        """
        wishes: list[Wish] = []
        for lane, bar in bars:
            lane.update(bar)
            for engine in lane.engines:
                try:
                    # Engine.on_bar without the call: this line runs for every bar and engine.
                    if bar.open_ns >= engine.edge_ns:
                        engine.turn(bar.open_ns)
                    action = engine.answer(bar, engine.in_window)
                except RAISED as error:
                    wishes.append((engine, bar, error))
                else:
                    if action is not None:
                        wishes.append((engine, bar, action))
        return wishes

    async def conclude(self, now_ns: int, wishes: list[Wish]) -> None:
        """Do what an instant needs beyond showing its bars: roll, watch, decide, ring, tell.

        Every series has its bar, every engine was asked; the order of ``wishes`` does not matter.
        """
        if len(wishes) > 1:
            wishes.sort(key=_engine_order)
        for engine, _, answer in wishes:
            if isinstance(answer, BaseException):
                await self._quarantine(engine, answer, now_ns)
        if now_ns >= self.day_end_ns:
            await self._roll(now_ns)
        if self._looks:
            self._looks = False
            await self._watch(now_ns)
        if wishes:
            await self._decide(wishes, now_ns)
        self._settle()
        if now_ns >= self._alarm_ns:
            await self._ring_due(now_ns)
        if now_ns >= self._hour_ns:
            self._hour_ns = now_ns // HOUR_NS * HOUR_NS + HOUR_NS
            await self.mark(now_ns)
            self._set_wake()
        await self._sink.settle()
        if self._dirty or now_ns >= self._tell_ns:
            self._tell(now_ns)

    def _tell(self, now_ns: int) -> None:
        self._dirty = False
        self._tell_ns = NEVER_NS if self._on_change is None else self._on_change(now_ns)
        self._set_wake()

    async def warm(self, bars: Sequence[tuple[Lane, Bar]]) -> None:
        """Show bars from before the start: indicators and strategies see them, wishes are void.

        A strategy that raises here is quarantined from the start on.
        """
        for engine, _, answer in self.ask(bars):
            if isinstance(answer, BaseException):
                await self._quarantine(engine, answer, self.portfolio.now_ns)

    def give(self, command: Command) -> None:
        """Let a command be taken at its instant, after those given before for the same one."""
        self._commands = deque(sorted([*self._commands, command], key=lambda one: one.at_ns))
        self._set_wake()

    async def advance(self, now_ns: int, *, tell: bool = False) -> None:
        """Do what is due before ``now_ns`` without waiting for a bar: commands, rolls, alarms.

        A command of that very instant is taken too; an alarm is not, it rings after the bars. No
        bar that closes before it may come later. ``tell``: say how things are in any case.
        """
        self._dirty = self._dirty or tell
        if now_ns >= self._wake_ns:
            await self._before(now_ns)
        self._settle()
        await self._sink.settle()
        if self._dirty or now_ns >= self._tell_ns:
            self._tell(now_ns)

    async def _before(self, now_ns: int) -> None:
        """Do what was due before these bars, in order: commands, rolls, alarms."""
        while True:
            command_ns = self._commands[0].at_ns if self._commands else NEVER_NS
            first = min(command_ns, self.day_end_ns, self._alarm_ns)
            if command_ns == first and first <= now_ns:
                await self._command(self._commands.popleft())
            elif first >= now_ns:
                break
            elif self.day_end_ns == first:
                await self._roll(first)
            else:
                await self._ring_due(first)
        self._set_wake()

    async def _command(self, command: Command) -> None:
        """Take one command; what moves the drawdown's mark moves it at this very instant."""
        portfolio, at_ns = self.portfolio, command.at_ns
        before = self.desk.marks(at_ns).equity
        deposits, locked = portfolio.deposits, DRAWDOWN in portfolio.halts
        await self.commit(take(self.desk, command), at_ns)
        moved = float(portfolio.deposits - deposits)
        if moved and before > 0 and before + moved > 0:
            self._day_peak *= 1 + moved / before
        if moved or (locked and DRAWDOWN not in portfolio.halts):
            await self.mark(at_ns, anew=True)
        self._settle()

    async def _hear(self, event: BrokerEvent, now_ns: int) -> None:
        batch = self.desk.on_event(event, now_ns)
        if batch.entries or batch.effects:
            await self.commit(batch, now_ns)

    async def _watch(self, now_ns: int) -> None:
        marks = self.desk.marks(now_ns)
        cash = self.portfolio.cash
        if cash != self._watched_cash:
            self._watched_cash = cash
            self._moved = True
        self._day_peak, self._day_fall = deepened(self._day_peak, self._day_fall, marks.equity)
        batch = self.desk.look(marks)
        if batch is not None:
            await self.commit(batch, now_ns)

    async def _decide(self, wishes: Sequence[Wish], now_ns: int) -> None:
        for engine, bar, answer in wishes:
            if isinstance(answer, BaseException):
                continue
            try:
                batch = self.desk.decide(engine, bar, answer, now_ns)
            except Exception as error:
                await self._quarantine(engine, error, now_ns)
                continue
            await self._take(batch)
        await self._send(now_ns)

    async def _quarantine(self, engine: Engine, error: BaseException, now_ns: int) -> None:
        """Stop asking this engine; its position stays protected, the others live on."""
        engine.quarantined = True
        lane = self.lanes[(engine.symbol, engine.interval_ns)]
        lane.engines = [one for one in lane.engines if one is not engine]
        batch = Batch(
            [
                EngineQuarantined(
                    now_ns,
                    engine.symbol,
                    engine.name,
                    f"{type(error).__name__}: {said(error)}",
                    portable_traceback(error),
                )
            ]
        )
        order = self.desk.working_entry(engine.key)
        if order is not None:
            batch.effects.append(Cancel(order.intent, "ENGINE_QUARANTINED"))
        await self.commit(batch, now_ns)

    async def _ring_due(self, now_ns: int) -> None:
        """Ring what is due until nothing is: an alarm's consequence may be due at once."""
        while group := self._timers.next_due(now_ns):
            marks = False
            for due in group:
                await self._take(self._timers.ring(due, now_ns))
                marks = due.kind in ("end_of_day", "rearm")
            await self._send(now_ns)
            if marks:
                await self.mark(now_ns, anew=group[0].kind == "rearm")
        self._settle()

    # Days and hours -----------------------------------------------------------------------------

    def _set_day(self, day: int) -> None:
        self.day_end_ns = self.desk.clock.day_start_ns(day + 1)
        self._set_wake()

    async def _roll(self, now_ns: int) -> None:
        """Roll the trading day at its end; days without bars roll one by one."""
        portfolio, desk = self.portfolio, self.desk
        stats = portfolio.days.get(portfolio.day)
        next_day = portfolio.day + 1
        equity = portfolio.cash + money(repr(desk.valuation.total_open_pnl(now_ns)))
        await self.record(
            DayRolled(
                at_ns=now_ns,
                day=portfolio.day,
                next_day=next_day,
                start_equity=portfolio.day_start_equity,
                end_equity=equity,
                gross=stats.gross if stats else Decimal(0),
                fees=stats.fees if stats else Decimal(0),
                trades=stats.trades if stats else 0,
                drawdown=round(self._day_fall, 12),
                open_positions=len(portfolio.positions),
                positions=desk.plans.at_day_end(now_ns),
            )
        )
        self._day_peak, self._day_fall = float(equity), 0.0
        self._moved = True
        self._set_day(next_day)
        self._settle()

    async def mark(self, now_ns: int, *, anew: bool = False) -> None:
        """Record equity at the marks when it differs from the last mark.

        ``anew``: the drawdown's mark may have moved too, which is looked at even when flat.
        """
        cash = self.portfolio.cash
        if not (anew or self.portfolio.positions) and self._marked[:2] == (cash, _NOTHING):
            return
        marks = self.desk.marks(now_ns)
        open_pnl = money(repr(round(marks.equity - float(cash), 8)))
        high = cash + open_pnl
        if self._high_water is not None:
            high = money(repr(round(self._high_water(marks), 8)))
        if (cash, open_pnl, high) != self._marked:
            self._marked = (cash, open_pnl, high)
            await self.record(EquityMarked(now_ns, cash, open_pnl, high))
            self._dirty = True
            if self._on_mark is not None:
                self._on_mark(now_ns)

    async def finish(self, now_ns: int, *, close_at_end: bool) -> None:
        """End the history: exits already due fill at the last close; others stay open.

        With ``close_at_end`` every position is closed at its last close, reason END.
        """
        if close_at_end:
            await self._end_entries(now_ns)
            await self.commit(self.desk.close_all("END", now_ns), now_ns)
        for order in list(self.portfolio.orders.values()):
            if order.intent.purpose == "exit":
                await self.commit(self.desk.no_bar(order), now_ns)
        await self.mark(now_ns)
        self._tell(now_ns)

    async def _end_entries(self, now_ns: int) -> None:
        """Cancel all entries in flight: no bar comes any more that one could have met."""
        for effect in self.desk.cancel_entries("END").effects:
            if isinstance(effect, Cancel):
                await self.dispatch.cancel_now(effect, now_ns)


def _engine_order(wish: Wish) -> tuple[str, str]:
    return wish[0].symbol, wish[0].name
