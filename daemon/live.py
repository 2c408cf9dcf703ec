"""The runner of the daemon: tasks around one portfolio at work, on a paced feed of recorded bars.

One event loop, one group of named tasks: feed, router, one per engine, desk, broker, one per
supervisor, kill watcher, status, pulse, control socket. Nothing here decides: it feeds, paces,
hears the operator and ends in order.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final, TextIO

from adapters.clock import SteadyClock
from adapters.kill_file import SWITCH_S, KillFile
from adapters.ports import Clock
from config.settings import Settings
from daemon.control import Answer, ControlServer, Request
from daemon.core.status_board import StatusBoard
from daemon.core.status_inputs import StatusInputs
from daemon.operator import Operator
from daemon.runtime.found import found_lines
from daemon.runtime.recovery import KILL_CODE
from daemon.runtime.run_folder import DATABASE, Manifest, write_atomically, write_manifest
from daemon.runtime.run_log import RunLog
from daemon.runtime.status_file import StatusFile
from daemon.runtime.tasks.alarms import alarm_task
from daemon.runtime.tasks.broker import BrokerTask
from daemon.runtime.tasks.clocks import LockstepClock, PacedClock, RunClock
from daemon.runtime.tasks.engines import EngineTasks
from daemon.runtime.tasks.pulse import Pulse
from daemon.runtime.tasks.serial import SerialTask
from daemon.runtime.tasks.supervisors import supervisor_alarms
from daemon.runtime.version import VERSION
from daemon.trading import END_OF_HISTORY, MODE, STOPPED, Hooks, Instant, Trading
from daemon.wiring import run_facts
from state.errors import ExitCode, FoliodError
from state.lock import PortfolioLock, this_process
from state.orders import Intent
from state.units import HOUR_NS, SECOND_NS, utc_text
from state.writer import Written

STATUS_NS: Final = 5 * SECOND_NS
"""The longest silence of the status, by the run's clock; an hour where bars come unpaced."""

CONFIG: Final = "config.toml"
_KILL_S: Final = 0.05
_STRETCH: Final = 64
"""Instants made ready at a time while nothing paces them."""


@dataclass(frozen=True, slots=True)
class LiveOptions:
    """What the command line adds to the settings.

    ``speed`` is simulated seconds per second, None: as fast as it goes. ``say`` gets lines for the
    operator, ``log`` the process's own log. ``control`` is the folder of the kill file.
    """

    speed: float | None
    control: Path
    config_text: str
    log: TextIO
    say: Callable[[str], None]
    strategies_folder: Path = field(default_factory=Path)


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
        self._started = ""
        self._log = RunLog(options.log, clock, self._scope)
        self._trading: Trading | None = None

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
        for name in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(name, self._hear_signal)
        is_new = not (self.home / DATABASE).exists()
        try:
            with PortfolioLock(self.home, this_process("foliod run", self._clock.now_ns())):
                if is_new:
                    self._options.control.mkdir(parents=True, exist_ok=True)
                return await self._held()
        finally:
            for name in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(name)

    def _hear_signal(self) -> None:
        if self._is_stopping:
            os._exit(ExitCode.INTERRUPTED)
        self._is_stopping = True
        self._log.info("stopping", reason="signal")
        self._stop.set()

    async def _held(self) -> str:
        sys.setswitchinterval(SWITCH_S)
        self._kill = KillFile(self._options.control)
        try:
            try:
                # A start may decide a long tail again: signals are heard meanwhile.
                await asyncio.to_thread(self._bring_up)
                return await self._work()
            except FoliodError as error:
                self._log.error("failed", problem=str(error))
                self._manifest("failed", str(error))
                raise
            finally:
                if self._trading is not None:
                    await asyncio.to_thread(self._trading.close)
                    self._status.close()
        finally:
            self._kill.close()

    def _bring_up(self) -> None:
        """Recover, wire what tells the status, and say what was found."""
        options, settings = self._options, self._settings
        hooks = Hooks(self._refuse, self._tell)
        trading = Trading(settings, self.home, options.strategies_folder, hooks)
        self._trading = self._at_work = trading
        core = trading.core
        self._status = StatusFile(
            self.home / "logs", HOUR_NS if options.speed is None else STATUS_NS
        )
        facts = run_facts(settings, mode=MODE, source="files", since_ns=trading.now_ns)
        open_pnl = core.desk.valuation.open_pnl
        self._board = StatusBoard(facts, core.engine_facts, core.market, open_pnl, core.pace)
        self._inputs = StatusInputs(trading.now_ns)
        if trading.found:
            for line in found_lines(core.portfolio, dict(core.grids), trading.now_ns):
                options.say(line)
        else:
            options.say(f"a new portfolio in {self.home}")

    async def _begin(self) -> None:
        """Record that this process goes on, and make the tasks' parts."""
        trading, speed = self._at_work, self._options.speed
        write_atomically(self.home / CONFIG, self._options.config_text.encode())
        await trading.begin_run(_durable)
        self._manifest("running", "")
        self._run_clock: RunClock = (
            LockstepClock(trading.open_ns)
            if speed is None
            else PacedClock(SteadyClock(), trading.open_ns, speed)
        )
        self._desk, self._router = SerialTask(), SerialTask()
        self._broker = BrokerTask(trading.stepper.venue)
        trading.stepper.venue = self._broker
        self._engines = EngineTasks(trading.core.engines)
        self._pulse = Pulse(SteadyClock())
        self._operator = Operator(
            trading, self._kill, self._options.control, self._log, self._run_clock.now_ns
        )
        self._log.info("started", at=utc_text(trading.now_ns), version=VERSION)

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
                feed = group.create_task(self._feed_task(), name="feed")
                stop = group.create_task(self._stop.wait(), name="stop")
                outer = [feed, stop, *self._outer_tasks(group)]
                await asyncio.wait({feed, stop, inner[0]}, return_when=asyncio.FIRST_COMPLETED)
                self._is_stopping = True
                is_over = feed.done() and not feed.cancelled() and feed.exception() is None
                reason = END_OF_HISTORY if is_over else STOPPED
                await _cancel(outer)
                await self._desk.ask(lambda: self._end(reason))
                await _cancel(inner)
        except BaseExceptionGroup as errors:
            raise _first(errors) from None
        self._manifest("complete", reason)
        self._log.info("ended", reason=reason)
        return reason

    def _outer_tasks(self, group: asyncio.TaskGroup) -> list[asyncio.Task[None]]:
        """Start the tasks that give the desk work besides the feed."""
        trading, clock = self._at_work, self._run_clock
        core = trading.core
        alarms = supervisor_alarms(trading.stepper, core.timers, core.pace, clock.now_ns)
        alarms["status"] = lambda: min(self._status.due_ns, self._board.edge_ns)
        control = ControlServer(self.home, self._answer)
        return [
            group.create_task(self._router.run(), name="router"),
            *(
                group.create_task(alarm_task(name, next_ns, clock, self._tick), name=name)
                for name, next_ns in alarms.items()
            ),
            group.create_task(self._kill_task(), name="kill watcher"),
            group.create_task(control.serve(), name="control socket"),
            group.create_task(self._pulse.run(), name="pulse"),
        ]

    async def _feed_task(self) -> None:
        """Hand the router instant after instant, each when its time has come, until they end."""
        trading, clock = self._at_work, self._run_clock
        stretch = await asyncio.to_thread(self._next_stretch)
        while stretch:
            ahead = asyncio.create_task(asyncio.to_thread(self._next_stretch))
            try:
                for instant in stretch:
                    if self._is_stopping:  # its bars are stepped no more: they let no time pass
                        await asyncio.Event().wait()
                    clock.stepped(trading.now_ns, instant.now_ns)
                    await clock.reach(instant.now_ns)
                    await self._router.ask(partial(self._route, instant))
                stretch = await ahead
            finally:
                ahead.cancel()

    def _next_stretch(self) -> list[Instant]:
        trading, found = self._at_work, list[Instant]()
        count = 1 if self._options.speed is not None else _STRETCH
        while len(found) < count and trading.coming() is not None:
            found.append(trading.take())
        return found

    async def _route(self, instant: Instant) -> None:
        """Bring an instant before the desk; its bars go to the engines' tasks from there."""
        await self._desk.ask(lambda: self._step(instant))

    async def _tick(self) -> None:
        """Let time pass at the desk where no bar comes: alarms ring, status is told."""
        await self._desk.ask(self._pass_time)

    async def _kill_task(self) -> None:
        """Let the desk latch what the kill file orders, also while no bar comes."""
        while True:
            await asyncio.sleep(_KILL_S)
            if not self._operator.is_heard():
                await self._desk.ask(self._operator.attend)

    async def _answer(self, request: Request) -> Answer:
        """Let the desk do what the operator wants, and say what it did."""
        return await self._desk.ask(lambda: self._operator.obey(request))

    # The desk's jobs ----------------------------------------------------------------------------

    async def _step(self, instant: Instant) -> None:
        await self._operator.attend()
        if self._is_stopping:
            return
        await self._at_work.step(instant, self._engines.ask)
        self._run_clock.changed()
        await self._operator.attend()

    async def _pass_time(self) -> None:
        await self._operator.attend()
        await self._at_work.stepper.advance(self._run_clock.now_ns(), tell=True)
        self._run_clock.changed()

    async def _end(self, reason: str) -> None:
        if reason == END_OF_HISTORY:
            await self._at_work.end_history()
        else:
            await self._at_work.end_run(reason)

    def _refuse(self, _: Intent) -> str | None:
        return KILL_CODE if self._kill.is_closed() else None

    def _tell(self, now_ns: int) -> int:
        """Write a status line; everything that it says is durable."""
        trading, inputs = self._at_work, self._inputs
        inputs.now_ns, inputs.last_bar_ns, inputs.bars = now_ns, trading.now_ns, trading.bars
        inputs.loop_lag_ms_p99 = self._pulse.lag_ms_p99
        inputs.queue_max = max(one.most for one in (self._desk, self._router, self._broker.work))
        try:
            self._status.write(now_ns, self._board.line(trading.core.portfolio, inputs))
            self._status.flush()
        except OSError as problem:
            self._log.error("status cannot be written", problem=str(problem))
        return min(self._status.due_ns, self._board.edge_ns)


async def _durable(written: Written) -> None:
    """Wait for the disk without holding up the loop."""
    await asyncio.wrap_future(written)


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
