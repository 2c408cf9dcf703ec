"""One portfolio at work: its database, its core and its stepper, brought up by recovery.

Start-up is recovery, after a clean stop and after ``kill -9`` alike. Every entry is on the disk
before it is applied and before anything follows from it. It knows no task, no pace and no socket: a
runner hands it instants in order, one call at a time, and says how to wait for the disk.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from config.fingerprint import fingerprint
from config.settings import Settings
from daemon.core.commands import Command
from daemon.core.engine import Engine
from daemon.runtime.at_once import at_once
from daemon.runtime.bar_files import BarFiles
from daemon.runtime.consumed import Consumed
from daemon.runtime.folded import Kept, fold
from daemon.runtime.instants import BarSource, Instant
from daemon.runtime.lane import Lane
from daemon.runtime.past import Past, Recorder
from daemon.runtime.recovery import DurableSink, Parts, Wait, Work
from daemon.runtime.run_folder import DATABASE
from daemon.runtime.stepper import Stepper, Wish
from daemon.runtime.traceback_text import RAISED, said
from daemon.runtime.version import VERSION
from daemon.wiring import build, intervals_of
from state import codec, failpoints
from state.bars import Bar
from state.codec import Snapshot
from state.entries import BarsRefused, Entry, InstrumentSet, RunEnded, RunStarted
from state.errors import ConfigError, FeedError, StrategyError
from state.journal import read_chained, read_payloads, read_snapshots
from state.orders import Intent
from state.portfolio import Portfolio
from state.units import NEVER_NS
from state.writer import Writer

MODE: Final = "paper"
END_OF_HISTORY: Final = "END_OF_HISTORY"
STOPPED: Final = "STOPPED"
SESSION_OVER: Final = "SESSION_OVER"
_RUN_ID_BYTES: Final = 6

Ask = Callable[[Sequence[tuple[Lane, Bar]]], Awaitable[list[Wish]]]
"""Shows an instant's bars to their series and engines and returns what the engines wish."""


@dataclass(frozen=True, slots=True)
class Hooks:
    """What a runner adds.

    ``refuse`` answers right before an entry order goes out: a reason code, or None. ``tell`` is
    told the end of an instant in which something changed and answers from when on it wants to be
    told without a change. ``on_blocked`` is told by the writer's thread why the disk takes nothing,
    ``on_unblocked`` when it does again. ``observe`` is told every entry after it was applied.
    """

    refuse: Callable[[Intent], str | None] = lambda _: None
    tell: Callable[[int], int] = lambda _: NEVER_NS
    on_blocked: Callable[[str], None] = lambda _: None
    on_unblocked: Callable[[], None] = lambda: None
    observe: Callable[[int, Entry], None] | None = None


class Trading:
    """One portfolio at work. ``now_ns`` is the last instant stepped, ``bars`` counts since start.

    ``found`` says whether there was a journal to come up from; ``has_begun`` whether this process
    has recorded its start.
    """

    def __init__(
        self,
        settings: Settings,
        home: Path,
        strategies: Path,
        hooks: Hooks,
        *,
        past: Past | None = None,
        source: BarSource | None = None,
        begin_ns: int | None = None,
    ) -> None:
        """Open the bars and the database in ``home`` (whose lock the caller holds) and wire.

        ``strategies`` is where relative strategy files are looked for. ``past``: a part of the
        journal that is only decided once more; nothing is written then. ``source`` has the bars so
        far, None: the configured files. A new portfolio begins at ``begin_ns``, bars up to it only
        warm up; None: at the open of the first bar.

        Raises:
            FoliodError: settings, files, strategies or the database cannot be used.
        """
        self.settings = settings
        self.home = home
        self.config_hash = fingerprint(settings)
        self._source = source or BarFiles(settings, intervals_of(settings))
        self.core = core = build(settings, self._source.keys(), strategies)
        self._parts = Parts.of(core.desk, core.timers, core.broker, core.drawdown)
        self._hooks = hooks
        self._begin_ns = begin_ns
        self.run_id = ""
        self.now_ns = self.bars = 0
        self.has_begun = self._has_ended = False
        self._work: Work | None = None
        self._coming: deque[Instant] = deque()
        self._consumed = Consumed([series.key for series in core.market.series])
        self._consumed_ns = self._day_end_ns = 0
        self._place = {series.key: i for i, series in enumerate(core.market.series)}
        self._past = past
        self.writer: Recorder = (
            past.writer
            if past
            else Writer(
                home / DATABASE,
                "FULL",
                on_blocked=hooks.on_blocked,
                on_unblocked=hooks.on_unblocked,
            )
        )
        try:
            self.found = self.writer.seq > 0
            at_once(self._bring_up(strategies))
        except BaseException:
            self.writer.close()
            raise

    # Coming up ----------------------------------------------------------------------------------

    async def _bring_up(self, strategies: Path) -> None:
        """Take back the newest snapshot, or begin, and decide the tail once more."""
        core, settings = self.core, self.settings
        failpoints.hit("recovery.opened")
        kept = self._snapshot() or self._folded(strategies)
        seq = kept[0] if kept else 0
        tail = self._tail(seq) if self.found else ()
        self._sink = DurableSink(self.writer, tail, self._adopt, seq)
        self._work = kept[2] if kept else None
        self._check_tail()
        self.stepper = Stepper(
            core.desk,
            core.timers,
            core.broker,
            self._sink,
            start_cash=settings.portfolio.equity,
            zone=settings.portfolio.zone,
            portfolio_id=settings.portfolio.id,
            high_water=core.drawdown.mark_at,
            on_change=self._tell,
            refuse=self._refuse,
            observers=[] if self._hooks.observe is None else [self._hooks.observe],
        )
        self._lanes = [self.stepper.lanes[series.key] for series in core.market.series]
        for command in self._sink.commands():
            self.stepper.give(command)
        if kept is None:
            await self._begin()
        else:
            self._resume(*kept[1:])
        failpoints.hit("recovery.restored")
        await self._catch_up()
        failpoints.hit("recovery.caught_up")
        if self.found and self.coming() is None:
            payloads = [payload for _, payload in self._tail(self._sink.seq - 1)]
            last = codec.decode(payloads[-1]) if payloads else None
            ended = isinstance(last, RunEnded) and last.reason == END_OF_HISTORY
            self._has_ended = self._has_ended or ended

    def _tail(self, after: int) -> Iterator[tuple[int, bytes]]:
        past = self._past
        return past.tail(after) if past else read_payloads(self.home / DATABASE, after)

    def _snapshots(self) -> list[tuple[int, Snapshot]]:
        return self._past.snapshots() if self._past else read_snapshots(self.home / DATABASE)

    def _snapshot(self) -> Kept | None:
        if not self.found:
            return None
        for seq, snapshot in self._snapshots():
            try:
                return seq, snapshot, msgspec.json.decode(snapshot.work, type=Work)
            except msgspec.MsgspecError:
                continue  # of another version: an older one, or the whole journal, has it all
        return None

    def _folded(self, strategies: Path) -> Kept | None:
        """Return what folding the journal makes of it; a part of the past is decided, all of it."""
        if not self.found or self._past:
            return None
        rows, source = read_chained(self.home / DATABASE), self._source

        def parts() -> Parts:
            core = build(self.settings, source.keys(), strategies)
            return Parts.of(core.desk, core.timers, core.broker, core.drawdown)

        return fold(rows, source, self.core.grids, self.config_hash, parts)

    def _check_tail(self) -> None:
        """Refuse to decide the tail under another configuration than it was decided under."""
        known = self._work.config_hash if self._work else ""
        for _, payload in self._sink.tail:
            kind = codec.head(payload).type
            if kind == RunStarted.__name__:
                started = codec.decode(payload)
                known = started.config_hash if isinstance(started, RunStarted) else known
            elif kind != RunEnded.__name__ and known not in ("", self.config_hash):
                raise ConfigError(
                    f"{self.home}: the last run was killed, and what it recorded after its last"
                    f" snapshot was decided under another configuration ({known[:12]}, now"
                    f" {self.config_hash[:12]}). Go on once with the one it had:"
                    f" `foliod -c {self.home / 'config.toml'} run`, stop it in order (SIGTERM or"
                    " Ctrl-C), then start with the new one"
                )

    async def _begin(self) -> None:
        """Open the portfolio: where the journal did, or where it is to, or at the first bar."""
        self._instants = self._source.instants(self._lanes, -1)
        begin_ns = self._begin_ns
        if self._sink.tail and begin_ns is not None:
            begin_ns = codec.head(self._sink.tail[0][1]).at_ns
        if begin_ns is None:
            coming = self.coming()
            if coming is None:
                raise FeedError("the bar files hold no bar; nothing to trade on")
            begin_ns = coming.bars[0][1].open_ns
        self.now_ns = self._consumed_ns = begin_ns
        opening = [
            InstrumentSet(self.now_ns, self.core.grids[symbol].instrument)
            for symbol in sorted(self.core.grids)
        ]
        await self.stepper.start(self.now_ns, opening)
        self._day_end_ns = self.stepper.day_end_ns
        while (coming := self.coming()) is not None and coming.now_ns <= begin_ns:
            await self.stepper.warm(self.take().bars)

    def _resume(self, kept: Snapshot, work: Work) -> None:
        """Go on where the snapshot was taken; show bars before it to whom it does not know."""
        self._check_open(kept.portfolio, work)
        changed = (work.config_hash, work.version) != (self.config_hash, VERSION)
        lacking, fresh = self._parts.restore(kept, work, release=changed)
        engines = [one for one in self.core.engines if one.key in lacking]
        self._consumed.restore(work.consumed)
        self._consumed_ns, self._day_end_ns = work.consumed_ns, work.day_end_ns
        self.now_ns = work.stepper.now_ns
        since_ns = -1 if lacking or fresh else min(self._consumed_ns, self.now_ns)
        self._instants = self._source.instants(self._lanes, since_ns)
        for instant in self._instants:
            if instant.now_ns > self.now_ns:
                self._coming.append(instant)
                break
            for lane, bar in instant.bars:
                key = lane.series.key
                if instant.now_ns > self._consumed_ns:
                    self._consumed.take(self._place[key], bar)
                if key in fresh:
                    lane.series.update(bar)
                for engine in engines:
                    if (engine.symbol, engine.interval_ns) == key:
                        _show(engine, bar)
        self.stepper.resume(work.stepper)

    def _check_open(self, portfolio: Portfolio, work: Work) -> None:
        """Refuse a configuration that could not look after what is open."""
        keys = {engine.key for engine in self.core.engines}
        problems = []
        for key, position in portfolio.positions.items():
            if key not in keys:
                problems.append(f"{key} holds a position")
            grid = self.core.grids.get(position.symbol)
            kept = work.instruments.get(position.symbol)
            if grid is not None and kept is not None and grid.instrument != kept:
                problems.append(f"{position.symbol} has an open position, its instrument changed")
        for order in portfolio.orders.values():
            key = f"{order.intent.symbol}/{order.intent.strategy}"
            if key not in keys:
                problems.append(f"{key} has an order in flight")
        if problems:
            raise ConfigError(
                [
                    f"{one}: the configuration must keep it until that is closed. Start with the"
                    f" one before ({self.home / 'config.toml'}), close it, then change"
                    for one in problems
                ]
            )

    async def _catch_up(self) -> None:
        """Step until everything that the journal has is decided again."""
        while (at_ns := self._sink.next_ns()) is not None:
            coming = self.coming()
            if coming is None:
                await self._catch_up_after_bars(at_ns)
            elif at_ns >= coming.now_ns:
                await self.step(self.take())
            else:
                before = self._sink.seq
                await self.stepper.advance(min(at_ns + 1, coming.now_ns))
                if self._sink.seq == before:
                    await self.step(self.take())

    async def _catch_up_after_bars(self, at_ns: int) -> None:
        """Decide again what followed the last bar: a command at ``at_ns``, or the end."""
        before, had_ended = self._sink.seq, self._has_ended
        await self.stepper.advance(at_ns)
        if self._sink.seq > before:
            return
        await self._end_history()
        if had_ended:
            raise FeedError(
                f"{self.home}: the journal goes on after the bars end; a bar file lacks rows that"
                " it had"
            )

    async def begin_run(self, wait: Wait | None = None) -> None:
        """Record that this process goes on, after a snapshot of what it found.

        ``wait`` waits for the disk from now on, and the writer waits a full disk out; None: this
        thread waits, and a full disk is a failure.
        """
        if wait is not None:
            self._sink.wait = wait
            self.writer.retry = True
        failpoints.hit("run.beginning")
        if self.found:
            await self.snapshot()
        content = "\0".join([VERSION, self.config_hash, self.settings.portfolio.id])
        number = str(self._sink.seq)
        digest = hashlib.blake2b(f"{content}\0{number}".encode(), digest_size=_RUN_ID_BYTES)
        self.run_id = "r" + digest.hexdigest()
        known = self._work.instruments if self._work else None
        for symbol in sorted(self.core.grids):
            instrument = self.core.grids[symbol].instrument
            if known is not None and known.get(symbol) != instrument:
                await self.stepper.record(InstrumentSet(self.at_ns, instrument))
        await self.stepper.record(
            RunStarted(self.at_ns, self.run_id, VERSION, MODE, self.config_hash)
        )
        failpoints.hit("run.begun")
        self.has_begun = True
        if not self.found:
            await self.snapshot()

    @property
    def at_ns(self) -> int:
        """The latest instant of the portfolio: its last bar's, or what was recorded after it."""
        return max(self.now_ns, self.core.portfolio.now_ns)

    @property
    def open_ns(self) -> int:
        """The first instant that is still open: after all that is recorded, before bars to come."""
        coming = self.coming()
        return self.at_ns + 1 if coming is None else min(self.at_ns + 1, coming.now_ns)

    # Bars ---------------------------------------------------------------------------------------

    def coming(self) -> Instant | None:
        """Return the next instant without taking it, None at the end of the history."""
        if not self._coming:
            following = next(self._instants, None)
            if following is None:
                return None
            self._coming.append(following)
        return self._coming[0]

    def take(self) -> Instant:
        """Take the next instant, which ``coming`` has shown."""
        return self._coming.popleft()

    def rest(self) -> Iterator[Instant]:
        """Take all instants that are left."""
        while self.coming() is not None:
            yield self.take()

    # Working ------------------------------------------------------------------------------------

    async def step(self, instant: Instant, ask: Ask | None = None) -> None:
        """Step one instant, and at the end of a trading day journal its bars and snapshot.

        ``ask`` shows the bars to series and engines; None: directly.
        """
        now_ns, bars = instant
        for lane, bar in bars:
            self._consumed.take(self._place[lane.series.key], bar)
        self.bars += len(bars)
        self.now_ns = now_ns
        await self.stepper.begin(now_ns, bars)
        failpoints.hit("instant.filled")
        wishes = self.stepper.ask(bars) if ask is None else await ask(bars)
        failpoints.hit("instant.asked")
        await self.stepper.conclude(now_ns, wishes)
        failpoints.hit("instant.concluded")
        if self.stepper.day_end_ns != self._day_end_ns:
            self._day_end_ns = self.stepper.day_end_ns
            await self._record_consumed()
            failpoints.hit("day.consumed")
            if self.has_begun:
                await self.snapshot()

    async def give(self, command: Command) -> None:
        """Take an operator's command now, at its own instant."""
        self.stepper.give(command)
        await self.stepper.advance(command.at_ns)

    async def snapshot(self) -> None:
        """Keep the state of this moment, between two instants; durable when it returns."""
        await self._sink.settle()
        payload, portfolio = codec.encode_snapshot(self.state()), self.core.portfolio
        failpoints.hit("snapshot.encoded")
        await self._sink.wait(self.writer.snapshot(portfolio.seq, portfolio.now_ns, payload))
        failpoints.hit("snapshot.durable")

    def state(self) -> Snapshot:
        """Return the state of this moment, between two instants, as a snapshot holds it."""
        parts = self._parts
        work = Work(
            config_hash=self.config_hash,
            version=VERSION,
            stepper=self.stepper.state(self.now_ns),
            timers=parts.timers.state(),
            made_of=dict(parts.made_of),
            books=parts.books(),
            consumed=self._consumed.state(),
            consumed_ns=self._consumed_ns,
            day_end_ns=self._day_end_ns,
            instruments={one: grid.instrument for one, grid in self.core.grids.items()},
        )
        return parts.snapshot(work)

    async def end_history(self) -> None:
        """End at the end of the history: exits already due fill at the last close."""
        await self._end_history()
        await self.end_run(END_OF_HISTORY)

    async def _end_history(self) -> None:
        if self._has_ended:
            return
        self._has_ended = True
        await self.stepper.finish(self.at_ns, close_at_end=False)
        for symbol, refused in self._source.refused():
            await self.stepper.record(
                BarsRefused(self.at_ns, symbol, refused.reason, refused.count, refused.first)
            )
        await self._record_consumed()

    async def end_run(self, reason: str) -> None:
        """Snapshot, and record that this process ended in order."""
        await self.snapshot()
        failpoints.hit("run.ending")
        await self.stepper.record(RunEnded(self.at_ns, self.run_id, reason))
        failpoints.hit("run.ended")

    def close(self) -> None:
        """Close the database. Raises JournalError when the disk does not answer."""
        self.writer.close()

    async def _record_consumed(self) -> None:
        for entry in self._consumed.entries(self.at_ns):
            await self.stepper.record(entry)
        self._consumed_ns = self.now_ns

    def _adopt(self, seq: int, entry: Entry) -> None:
        self.stepper.adopt(seq, entry)

    def _refuse(self, intent: Intent) -> str | None:
        if self._sink.tail:
            return self._sink.refusal(intent)
        return self._hooks.refuse(intent)

    def _tell(self, now_ns: int) -> int:
        return self._hooks.tell(now_ns) if self.has_begun else NEVER_NS


def _show(engine: Engine, bar: Bar) -> None:
    """Show an engine a bar from before, so that it knows what an older one would."""
    try:
        engine.on_bar(bar)
    except RAISED as error:
        raise StrategyError(
            f"{engine.key} raised {type(error).__name__} on the bars so far: {said(error)};"
            " mend it, or set `enabled = false`"
        ) from error
