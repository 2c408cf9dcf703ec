"""The runner of the daemon: tasks around one portfolio at work, on a paced feed of recorded bars.

One event loop, one group of named tasks: feed, router, one per engine, desk, broker, one per
supervisor, kill watcher, status, pulse, follower, end of day, control socket. Nothing here decides:
it feeds, paces, hears the operator and ends in order.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from secrets import SystemRandom
from typing import Any, Final, TextIO

from adapters.clock import SteadyClock
from adapters.feeds.backoff import Chance
from adapters.kill_file import SWITCH_S, KillFile, Order
from adapters.ports import Clock
from adapters.systemd import Service
from config.settings import Settings
from daemon.beside import Beside
from daemon.control import Answer, ControlServer, Request
from daemon.core.status import FILES, Alert
from daemon.core.status_board import StatusBoard
from daemon.core.status_inputs import StatusInputs
from daemon.feeding import FileFeed, LiveFeed, Make
from daemon.live_line import LiveLine, open_line
from daemon.operator import Operator
from daemon.runtime.closing import Wanted
from daemon.runtime.found import found_lines
from daemon.runtime.home import check_home, repair_lines
from daemon.runtime.recovery import BLOCKED_CODE, KILL_CODE
from daemon.runtime.run_folder import DATABASE, Manifest, write_atomically, write_manifest
from daemon.runtime.run_log import RunLog
from daemon.runtime.tasks.alarms import alarm_task
from daemon.runtime.tasks.broker import BrokerTask
from daemon.runtime.tasks.clocks import LockstepClock, PacedClock, RunClock, WallClock
from daemon.runtime.tasks.disk import Disk
from daemon.runtime.tasks.engines import EngineTasks
from daemon.runtime.tasks.pulse import Pulse
from daemon.runtime.tasks.serial import SerialTask
from daemon.runtime.tasks.service import service_task
from daemon.runtime.tasks.session import SessionWatch, session_watch
from daemon.runtime.tasks.status import StatusTeller
from daemon.runtime.tasks.supervisors import supervisor_alarms
from daemon.runtime.version import VERSION
from daemon.trading import END_OF_HISTORY, MODE, SESSION_OVER, STOPPED, Hooks, Trading
from daemon.wiring import run_facts
from state.errors import ExitCode, FoliodError
from state.lock import PortfolioLock, this_process
from state.orders import Intent
from state.units import NEVER_NS, utc_text

CONFIG: Final = "config.toml"
_KILL_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class LiveOptions:
    """What the command line adds to the settings.

    ``speed`` is simulated seconds per second, None: as fast as it goes. ``say`` gets lines for the
    operator, ``log`` the process's own log. ``control`` is the folder of the kill file. ``wanted``
    is what the end of a day does, where reports are on. ``chance`` draws the pauses between tries
    to connect. ``one_day``: end when the next trading day
    is over.
    """

    speed: float | None
    control: Path
    config_text: str
    log: TextIO
    say: Callable[[str], None]
    strategies_folder: Path = field(default_factory=Path)
    wanted: Wanted = field(default_factory=Wanted)
    chance: Chance = field(default_factory=SystemRandom)
    one_day: bool = False


class Live:
    """One daemon, from taking the portfolio's lock to giving it back."""

    def __init__(self, settings: Settings, options: LiveOptions, clock: Clock) -> None:
        """Bind; nothing is opened yet."""
        self._settings = settings
        self._options = options
        self._clock = clock
        self.home = settings.portfolio.data_dir / settings.portfolio.id
        self._stop = asyncio.Event()
        self._is_stopping = False
        self._wal = self.home / f"{DATABASE}-wal"
        self.session = SessionWatch()
        self._started = ""
        self._log = RunLog(options.log, clock, self._scope)
        self._service = Service(os.environ, os.getpid())
        self._trading: Trading | None = None
        self._line: LiveLine | None = None

    def _scope(self) -> dict[str, str | int]:
        trading = self._trading
        return {
            "portfolio_id": self._settings.portfolio.id,
            "run_id": trading.run_id if trading else "",
            "seq": trading.core.portfolio.seq if trading else 0,
        }

    # Life ---------------------------------------------------------------------------------------

    async def run(self) -> str:
        """Come up, work until the bars end or a signal comes, and end in order; return the reason.

        Raises:
            FoliodError: another process holds the portfolio, it cannot be brought up, or the
                journal cannot be written.
        """
        loop = asyncio.get_running_loop()
        is_new = not (self.home / DATABASE).exists()
        if is_new:
            self._options.control.mkdir(parents=True, exist_ok=True)
        self._kill = KillFile(self._options.control)
        heard: dict[signal.Signals, Callable[[], object]] = {
            signal.SIGINT: self._hear_end,
            signal.SIGTERM: self._hear_end,
            signal.SIGHUP: self._hear_reopen,
            signal.SIGUSR1: partial(self._hear_kill, "halt"),
            signal.SIGUSR2: partial(self._hear_kill, "flatten"),
        }
        for name, hear in heard.items():
            loop.add_signal_handler(name, hear)
        try:
            with PortfolioLock(self.home, this_process("foliod run", self._clock.now_ns())):
                return await self._held()
        finally:
            self._kill.close()
            for name in heard:
                loop.remove_signal_handler(name)

    def _hear_end(self) -> None:
        """End in order; asked again, end at once."""
        if self._is_stopping:
            os._exit(ExitCode.INTERRUPTED)
        self._is_stopping = True
        self._service.stopping("a signal asked for the end")
        self._log.info("stopping", reason="signal")
        self._stop.set()

    def _hear_reopen(self) -> None:
        """Open the files anew, for whoever rotates them; settings are not read again."""
        if self._trading is not None and self._trading.has_begun:
            self._status.close()
            self._beside.reopen()
            self._log.info("files are opened anew", reason="SIGHUP")

    def _hear_kill(self, level: str) -> None:
        """Close the gate at once; the desk latches it between two instants."""
        self._kill.order(Order(level, "a signal ordered it"))

    async def _held(self) -> str:
        sys.setswitchinterval(SWITCH_S)
        self._disk = Disk()
        self._beside = Beside(
            self._settings, self.home, self._options.wanted, self._log, self._clock
        )
        reason = ""
        try:
            await asyncio.to_thread(check_home, self.home)
            if self._settings.feed.is_live:
                self._line = await open_line(
                    self._settings, self.home, self._clock, self._options.chance, self._options.say
                )
            # A start may decide a long tail again: signals are heard meanwhile.
            await asyncio.to_thread(self._bring_up)
            reason = await self._work()
        except FoliodError as error:
            self._log.error("failed", problem=str(error))
            self._beside.failed(str(error))
            self._manifest("failed", str(error))
            raise
        finally:
            await self._beside.close(reason)
            if self._trading is not None:
                await asyncio.to_thread(self._trading.close)
                self._status.close()
            if self._line is not None:
                self._line.close()
        return reason

    def _bring_up(self) -> None:
        """Recover, wire what tells the status, and say what was found."""
        options, settings = self._options, self._settings
        for line in repair_lines(self.home):
            options.say(line)
        hooks = Hooks(
            self._refuse, self._tell, self._disk.blocked, self._disk.unblocked, self._beside.take
        )
        live = self._line
        trading = Trading(
            settings,
            self.home,
            options.strategies_folder,
            hooks,
            source=live.bars if live else None,
            begin_ns=live.begin_ns if live else None,
        )
        self._trading = self._at_work = trading
        core = trading.core
        facts = run_facts(
            settings, mode=MODE, source=live.source if live else FILES, since_ns=trading.now_ns
        )
        open_pnl = core.desk.valuation.open_pnl
        self._status = StatusTeller(
            self.home / "logs",
            StatusBoard(facts, core.engine_facts, core.market, open_pnl, core.pace),
            core.portfolio,
            trading.writer,
            self._disk,
            self._log,
            paced=options.speed is not None,
            look=self._look,
            alerts=self._alerts,
        )
        self._found = [f"a new portfolio in {self.home}"]
        if trading.found:
            self._found = found_lines(core.portfolio, dict(core.grids), trading.now_ns)
        for line in self._found:
            options.say(line)
        if options.one_day:
            schedules = [one.schedule for one in core.engines]
            coming = None if live else trading.coming()
            first_ns = live.begin_ns if live else None
            first_ns = min(bar.open_ns for _, bar in coming.bars) if coming else first_ns
            zone = settings.portfolio.zone
            self.session = session_watch(schedules, zone, trading.now_ns, first_ns)
            options.say(self.session.text())

    async def _begin(self) -> None:
        """Record that this process goes on, and make the tasks' parts."""
        trading = self._at_work
        write_atomically(self.home / CONFIG, self._options.config_text.encode())
        if self._line is not None:
            trading.writer.inputs = self._line.sync
        await trading.begin_run(self._disk.durable)
        self._manifest("running", "")
        self._run_clock = self._clock_of_run()
        self._desk = SerialTask()
        self._broker = BrokerTask(trading.stepper.dispatch.venue)
        trading.stepper.dispatch.venue = self._broker
        self._engines = EngineTasks(trading.core.engines)
        self._pulse = Pulse(SteadyClock())
        self._feed: FileFeed | LiveFeed = self._make_feed()
        self._beside.begin(trading.core, lambda: not self._disk.problem)
        self._operator = Operator(
            trading, self._kill, self._options.control, self._log, self._run_clock.now_ns
        )
        gc.freeze()  # what is wired lives as long as the process: no search for cycles in it
        self._log.info("started", at=utc_text(trading.now_ns), version=VERSION)
        self._service.ready(self._status.said())
        self._beside.started(self._found)

    def _clock_of_run(self) -> RunClock:
        speed, start_ns = self._options.speed, self._at_work.open_ns
        if self._line is not None:
            grace_ns = self._settings.feed.bar_grace_ms * 10**6
            coming = self._at_work.coming()  # recorded, and not stepped before the end
            ceiling_ns = coming.now_ns if coming else NEVER_NS
            return WallClock(self._clock, grace_ns, start_ns, ceiling_ns)
        if speed is None:
            return LockstepClock(start_ns)
        return PacedClock(SteadyClock(), max(start_ns, self.session.anchor_ns), speed)

    def _make_feed(self) -> FileFeed | LiveFeed:
        trading, clock = self._at_work, self._run_clock
        if self._line is not None:
            return self._line.feed(
                trading, clock, self._clock, self._route, self._command, self._desk.ask, self._log
            )
        return FileFeed(
            trading,
            clock,
            self._route,
            lambda: self._is_stopping or self.session.over.is_set(),
            paced=self._options.speed is not None,
        )

    def _manifest(self, state: str, reason: str) -> None:
        trading = self._trading
        if trading is None or not trading.run_id:
            return
        now = utc_text(self._clock.now_ns())
        self._started = self._started or now
        manifest = Manifest(
            trading.run_id,
            self._settings.portfolio.id,
            MODE,
            VERSION,
            trading.config_hash,
            state,
            self._started,
            [],
            ended="" if state == "running" else now,
            last=utc_text(trading.now_ns),
            reason=reason,
        )
        write_manifest(self.home, manifest)

    # Tasks --------------------------------------------------------------------------------------

    async def _work(self) -> str:
        """Run the tasks until the bars end, a signal comes or one of them fails."""
        await self._begin()
        try:
            async with asyncio.TaskGroup() as group:
                inner = [
                    group.create_task(self._desk.run(), name="desk"),
                    group.create_task(self._broker.work.run(), name="broker"),
                    *self._engines.start(group),
                ]
                router = group.create_task(self._feed.run(), name="router")
                stop = group.create_task(self._stop.wait(), name="stop")
                follower = group.create_task(self._beside.follower.run(), name="follower")
                over = group.create_task(self.session.over.wait(), name="day over")
                outer = [router, stop, over, *self._outer_tasks(group)]
                ends = {router, stop, over, inner[0]}
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
                self._is_stopping = True
                is_over = router.done() and not router.cancelled() and router.exception() is None
                reason = END_OF_HISTORY if is_over else STOPPED
                reason = SESSION_OVER if self.session.over.is_set() else reason
                await _cancel(outer)
                await self._desk.ask(lambda: self._end(reason))
                self._beside.follower.end()
                await follower
                await _cancel(inner)
        except BaseExceptionGroup as errors:
            raise _first(errors) from None
        self._manifest("complete", reason)
        if reason != STOPPED:
            self._is_stopping = self._stop.is_set()  # a signal now ends the reports
            await self._beside.end_of_day.last(self._stop)
        self._log.info("ended", reason=reason)
        return reason

    @property
    def last_ns(self) -> int:
        """The close of the last bar that was stepped."""
        return self._at_work.now_ns

    def trouble(self) -> list[str]:
        """Return what went wrong and did not end the run, one sentence each."""
        stopped = self._at_work.core.portfolio.quarantined
        found = [f"{key} is quarantined: {error}" for key, error in stopped.items()]
        return [*found, *(one.what for one in self._beside.alerts())]

    def _outer_tasks(self, group: asyncio.TaskGroup) -> list[asyncio.Task[None]]:
        """Start the tasks that give the desk work besides the feed."""
        trading, clock = self._at_work, self._run_clock
        core = trading.core
        alarms = supervisor_alarms(trading.stepper, core.timers, core.pace, clock.now_ns)
        alarms["status"] = self._status.due_ns
        alarms["session"] = lambda: self.session.next_ns(clock.now_ns())
        control = ControlServer(self.home, self._answer)
        closing = [] if self._options.speed is None else [self._beside.end_of_day.run()]
        return [
            group.create_task(self._feed.read(), name="feed"),
            *(
                group.create_task(alarm_task(name, next_ns, clock, self._tick), name=name)
                for name, next_ns in alarms.items()
            ),
            group.create_task(self._kill_task(), name="kill watcher"),
            group.create_task(control.serve(), name="control socket"),
            group.create_task(self._pulse.run(), name="pulse"),
            group.create_task(self._disk_task(), name="disk"),
            group.create_task(self._disk.failure(), name="disk's failure"),
            group.create_task(
                service_task(
                    self._service,
                    SteadyClock(),
                    self._desk,
                    trading.writer,
                    self._log,
                    self._status.said,
                ),
                name="service",
            ),
            *(group.create_task(one, name="end of day") for one in closing),
        ]

    def _route(self, make: Make) -> Awaitable[None]:
        """Bring an instant before the desk; its bars go to the engines' tasks from there."""
        return self._desk.ask_now(lambda: self._step(make))

    async def _command(self, name: str, argument: str, reason: str) -> None:
        """Let the desk give the core a command of the feed."""
        await self._desk.ask(lambda: self._operator.give(name, argument, reason))

    async def _tick(self) -> None:
        """Let time pass at the desk where no bar comes: alarms ring, status is told."""
        await self._desk.ask(self._pass_time)

    async def _kill_task(self) -> None:
        """Let the desk latch what the kill file orders, also while no bar comes."""
        while True:
            await asyncio.sleep(_KILL_S)
            if not self._operator.is_heard():
                await self._desk.ask(self._operator.attend)

    async def _disk_task(self) -> None:
        """Say when the disk takes nothing, and let the desk halt entries."""
        while True:
            await self._disk.change()
            problem = self._disk.problem
            if problem:
                self._log.error("exits only", problem=problem)
                await self._desk.ask(self._trip)
            else:
                self._log.warning("the journal is written again")

    async def _answer(self, request: Request) -> Answer:
        """Let the desk do what the operator wants, and say what it did."""
        return await self._desk.ask(lambda: self._operator.obey(request))

    # The desk's jobs ----------------------------------------------------------------------------

    async def _step(self, make: Make) -> None:
        await self._operator.attend()
        if self._is_stopping or self.session.over.is_set():
            return
        portfolio = self._at_work.core.portfolio
        before = portfolio.seq
        await self._at_work.step(make(), self._engines.ask)
        if portfolio.seq != before:
            self._run_clock.changed()  # else every alarm is what it was, or later
        await self._operator.attend()
        self.session.look(self._run_clock.now_ns(), portfolio)

    async def _pass_time(self) -> None:
        await self._operator.attend()
        await self._at_work.stepper.advance(self._run_clock.now_ns(), tell=True)
        self._run_clock.changed()
        self.session.look(self._run_clock.now_ns(), self._at_work.core.portfolio)

    async def _end(self, reason: str) -> None:
        await self._feed.tell_refused()
        if reason == END_OF_HISTORY:
            await self._at_work.end_history()
        else:
            await self._at_work.end_run(reason)

    async def _trip(self) -> None:
        """Halt entries because the disk takes nothing; the operator lifts it (R5)."""
        if "journal" not in self._at_work.core.portfolio.halts:
            await self._operator.give("breaker", "journal", "the disk takes no entry")

    def _refuse(self, _: Intent) -> str | None:
        if self._kill.is_closed():
            return KILL_CODE
        return BLOCKED_CODE if self._disk.problem else None

    def _tell(self, now_ns: int) -> int:
        return self._status.tell(now_ns)

    def _alerts(self) -> list[Alert]:
        return [*self._beside.alerts(), *self._feed.alerts()]

    def _look(self, inputs: StatusInputs) -> None:
        """Fill in what the status says beside the portfolio."""
        trading = self._at_work
        has_bar = bool(trading.bars) or trading.found
        inputs.last_bar_ns, inputs.bars = trading.now_ns if has_bar else 0, trading.bars
        inputs.loop_lag_ms_p99 = self._pulse.lag_ms_p99
        inputs.queue_max = max(one.most for one in (self._desk, self._broker.work))
        if self._line is not None:
            line = self._line.session.status()
            inputs.ws_connected, inputs.ws_errors = line.connected, line.errors
            inputs.refused = sum(line.refused.values())
        with contextlib.suppress(OSError):
            inputs.wal_bytes = os.stat(self._wal).st_size


async def _cancel(tasks: Sequence[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first failure of a group, however deep it is."""
    found: BaseException = errors
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found
