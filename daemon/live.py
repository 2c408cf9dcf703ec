"""The runner of the daemon: tasks around one portfolio at work, on a paced feed of recorded bars.

One event loop, one group of named tasks. The desk's steps run on a thread of their own, because
each waits for the disk; the loop never does. Nothing here decides: it feeds, paces, hears the
operator and ends in order.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TextIO

from adapters.clock import SteadyClock
from adapters.kill_file import FILE, SWITCH_S, KillFile, Order
from adapters.ports import Clock
from config.settings import Settings
from daemon.control import Answer, ControlServer, Request
from daemon.core.commands import Command
from daemon.core.status_board import StatusBoard
from daemon.core.status_inputs import StatusInputs
from daemon.runtime.found import found_lines
from daemon.runtime.recovery import KILL_CODE
from daemon.runtime.run_folder import DATABASE, Manifest, write_atomically, write_manifest
from daemon.runtime.run_log import RunLog
from daemon.runtime.status_file import StatusFile
from daemon.runtime.version import VERSION
from daemon.runtime.wanted import next_step, open_lines, wanted
from daemon.trading import END_OF_HISTORY, MODE, STOPPED, Hooks, Instant, Trading
from daemon.wiring import run_facts
from state.errors import ExitCode, FoliodError
from state.lock import PortfolioLock, this_process
from state.orders import Intent
from state.units import HOUR_NS, SECOND_NS, utc_text

STATUS_NS: Final = 5 * SECOND_NS
"""The longest silence of the status, by the run's clock; an hour where bars come unpaced."""

CONFIG: Final = "config.toml"
_KILL_S: Final = 0.05
_STRETCH: Final = 64
"""Instants handed to the desk at a time while nothing paces them."""


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
        self._steady = SteadyClock()
        self.home = settings.portfolio.data_dir / settings.portfolio.id
        self._stop = asyncio.Event()
        self._is_stopping = False
        self._latched: Order | None = None
        self._jobs: asyncio.Queue[Callable[[], None] | None] = asyncio.Queue()
        self._anchor = (0, 0)
        self._next_close_ns = 0
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
        loop = asyncio.get_running_loop()
        sys.setswitchinterval(SWITCH_S)
        self._kill = KillFile(self._options.control)
        try:
            with ThreadPoolExecutor(1, "desk") as desk:
                self._desk_thread = desk
                try:
                    await loop.run_in_executor(desk, self._bring_up)
                    return await self._work()
                except FoliodError as error:
                    self._log.error("failed", problem=str(error))
                    self._manifest("failed", str(error))
                    raise
                finally:
                    if self._trading is not None:
                        await loop.run_in_executor(desk, self._trading.close)
                        self._status.close()
        finally:
            self._kill.close()

    def _bring_up(self) -> None:
        """Recover, say what was found, and record that this process goes on (desk's thread)."""
        options, settings = self._options, self._settings
        hooks = Hooks(self._refuse, self._tell)
        trading = Trading(settings, self.home, options.strategies_folder, hooks)
        self._trading = self._at_work = trading
        core = trading.core
        self._every_ns = HOUR_NS if options.speed is None else STATUS_NS
        self._status = StatusFile(self.home / "logs", self._every_ns)
        facts = run_facts(settings, mode=MODE, source="files", since_ns=trading.now_ns)
        open_pnl = core.desk.valuation.open_pnl
        self._board = StatusBoard(facts, core.engine_facts, core.market, open_pnl, core.pace)
        self._inputs = StatusInputs(trading.now_ns)
        if trading.found:
            for line in found_lines(core.portfolio, dict(core.grids), trading.now_ns):
                options.say(line)
        else:
            options.say(f"a new portfolio in {self.home}")
        write_atomically(self.home / CONFIG, options.config_text.encode())
        trading.begin_run()
        self._manifest("running", "")
        self._anchor = (trading.now_ns, self._steady.now_ns())
        self._next_close_ns = trading.now_ns
        self._log.info("started", at=utc_text(trading.now_ns), version=VERSION)

    def _manifest(self, state: str, reason: str) -> None:
        trading = self._trading
        if trading is None or not trading.run_id:
            return
        now = utc_text(self._clock.now_ns())
        if state == "running":
            self._started = now
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

    async def _work(self) -> str:
        """Run the tasks until the bars end, a signal comes or one of them fails."""
        try:
            async with asyncio.TaskGroup() as group:
                desk = group.create_task(self._desk_task(), name="desk")
                feed = group.create_task(self._feed_task(), name="feed")
                status = group.create_task(self._status_task(), name="status")
                kill = group.create_task(self._kill_task(), name="kill watcher")
                control = group.create_task(
                    ControlServer(self.home, self._answer).serve(), name="control socket"
                )
                stop = group.create_task(self._stop.wait(), name="stop")
                await asyncio.wait({feed, stop, desk}, return_when=asyncio.FIRST_COMPLETED)
                self._is_stopping = True
                is_over = feed.done() and not feed.cancelled() and feed.exception() is None
                others = {feed, status, kill, control, stop}
                for task in others:
                    task.cancel()
                await asyncio.wait(others)
                reason = END_OF_HISTORY if is_over else STOPPED
                self._jobs.put_nowait(lambda: self._end(reason))
                self._jobs.put_nowait(None)
        except BaseExceptionGroup as errors:
            raise _first(errors) from None
        self._manifest("complete", reason)
        self._log.info("ended", reason=reason)
        return reason

    def _end(self, reason: str) -> None:
        trading = self._at_work
        if reason == END_OF_HISTORY:
            trading.end_history()
        else:
            trading.end_run(reason)

    # Tasks --------------------------------------------------------------------------------------

    async def _desk_task(self) -> None:
        """Carry out jobs one by one on the desk's thread: the only writer of entries."""
        loop = asyncio.get_running_loop()
        while (job := await self._jobs.get()) is not None:
            await loop.run_in_executor(self._desk_thread, job)

    async def _feed_task(self) -> None:
        """Hand the desk instant after instant, each when its time has come, until the bars end."""
        stretch = await asyncio.to_thread(self._next_stretch)
        while stretch:
            self._next_close_ns = stretch[0].now_ns
            await self._wait_until(stretch[0].now_ns)
            done = self._put(lambda part=stretch: self._step(part))  # type: ignore[misc]
            following = await asyncio.to_thread(self._next_stretch)
            await done
            stretch = following

    def _next_stretch(self) -> list[Instant]:
        trading, found = self._at_work, list[Instant]()
        count = 1 if self._options.speed is not None else _STRETCH
        while len(found) < count and trading.coming() is not None:
            found.append(trading.take())
        return found

    async def _wait_until(self, close_ns: int) -> None:
        """Wait until the run's clock says that these bars have closed."""
        speed = self._options.speed
        if speed is None:
            return
        start_ns, steady_ns = self._anchor
        due_ns = steady_ns + round((close_ns - start_ns) / speed)
        if (left_ns := due_ns - self._steady.now_ns()) > 0:
            await asyncio.sleep(left_ns / SECOND_NS)

    async def _status_task(self) -> None:
        """Let time pass at the desk where no bar comes: alarms ring, status is told."""
        speed = self._options.speed
        if speed is None:
            await asyncio.Event().wait()
            return
        while True:
            await asyncio.sleep(STATUS_NS / SECOND_NS / speed)
            await self._put(self._tick)

    async def _kill_task(self) -> None:
        """Let the desk latch what the kill file orders, also while no bar comes."""
        while True:
            await asyncio.sleep(_KILL_S)
            seen = self._kill.seen()
            if seen is None:
                self._latched = None
            elif seen != self._latched:
                await self._put(self._attend)

    async def _answer(self, request: Request) -> Answer:
        """Let the desk do what the operator wants, and say what it did."""
        answers: list[Answer] = []
        await self._put(lambda: answers.append(self._obey(request)))
        return answers[0]

    def _put(self, job: Callable[[], None]) -> asyncio.Future[None]:
        """Queue a job for the desk; the future is done when the job is."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()

        def carry_out() -> None:
            job()
            loop.call_soon_threadsafe(_set, done)

        self._jobs.put_nowait(carry_out)
        return done

    # On the desk's thread -----------------------------------------------------------------------

    def _step(self, stretch: list[Instant]) -> None:
        for instant in stretch:
            self._attend()
            if self._is_stopping:
                return
            self._next_close_ns = instant.now_ns
            self._at_work.step(instant)
        self._attend()

    def _tick(self) -> None:
        self._attend()
        self._at_work.stepper.advance(self._now_ns())

    def _now_ns(self) -> int:
        """Return the run's instant: never beyond the close of a bar that is yet to be stepped."""
        trading, speed = self._at_work, self._options.speed
        if speed is None:
            return trading.now_ns
        start_ns, steady_ns = self._anchor
        passed_ns = round((self._steady.now_ns() - steady_ns) * speed)
        return max(trading.now_ns, min(start_ns + passed_ns, self._next_close_ns))

    def _attend(self) -> None:
        """Take what the operator ordered, between two instants."""
        order = self._kill.seen()
        if order is None:
            self._latched = None
        else:
            kill = self._at_work.core.portfolio.kill
            if kill == "none" or (kill == "halt" and order.level == "flatten"):
                name = "kill" if order.level == "halt" else "kill_flatten"
                self._give(name, "", order.reason)
                self._log.warning("kill switch", order=order.level, reason=order.reason)
            self._latched = order
            self._kill.acknowledge(order)

    def _obey(self, request: Request) -> Answer:
        core = self._at_work.core
        portfolio, now_ns = core.portfolio, self._now_ns()
        there = str(self._options.control / FILE) if self._kill.is_there() else ""
        self._attend()  # what was seen is latched, and forgotten where the file is gone
        cooldowns = core.pace.cooldowns(portfolio, now_ns)
        wish = wanted(request.name, request.argument, portfolio, cooldowns, there)
        if not wish.command:
            return Answer(False, [wish.why_not])
        if request.dry_run:
            return Answer(True, ["nothing was done", *open_lines(portfolio, core.grids)])
        reason = request.reason or f"foliod {request.name}"
        self._give(wish.command, wish.argument, reason)
        self._log.info("command", command=wish.command, argument=wish.argument, reason=reason)
        return Answer(True, [*open_lines(portfolio, core.grids), next_step(request.name)])

    def _give(self, name: str, argument: str, reason: str) -> None:
        at_ns = max(self._at_work.now_ns + 1, self._now_ns())
        self._at_work.give(Command(at_ns, name, argument, reason))

    def _refuse(self, _: Intent) -> str | None:
        return KILL_CODE if self._kill.is_closed() else None

    def _tell(self, now_ns: int) -> int:
        """Write a status line; everything that it says is durable."""
        trading, inputs = self._at_work, self._inputs
        inputs.now_ns, inputs.last_bar_ns, inputs.bars = now_ns, trading.now_ns, trading.bars
        portfolio = trading.core.portfolio
        try:
            self._status.write(now_ns, self._board.line(portfolio, inputs))
            self._status.flush()
        except OSError as problem:
            self._log.error("status cannot be written", problem=str(problem))
        return min(self._status.due_ns, self._board.edge_ns)


def _set(done: asyncio.Future[None]) -> None:
    if not done.done():
        done.set_result(None)


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first failure of a group, however deep it is."""
    found: BaseException = errors
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found
