"""What the operator wants, brought before the desk: kill file, signals, words from the socket.

It turns orders into commands that the core journals; what they do is the core's. Called by the desk
between two instants, never beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from adapters.kill_file import FILE, KillFile, Order
from daemon.control import Answer, Request
from daemon.core.commands import Command
from daemon.runtime.run_log import RunLog
from daemon.runtime.wanted import next_step, open_lines, wanted
from daemon.trading import Trading
from state import failpoints


class Operator:
    """The operator's voice at one portfolio's desk."""

    def __init__(
        self,
        trading: Trading,
        kill: KillFile,
        control: Path,
        log: RunLog,
        now_ns: Callable[[], int],
    ) -> None:
        """Bind; ``control`` is the folder of the kill file, ``now_ns`` the run's clock."""
        self._trading = trading
        self._kill = kill
        self._control = control
        self._log = log
        self._now_ns = now_ns
        self._latched: Order | None = None

    def is_heard(self) -> bool:
        """Whether all that the kill file orders is latched already; forgets what is gone."""
        seen = self._kill.seen()
        if seen is None:
            self._latched = None
        return seen == self._latched

    async def attend(self) -> None:
        """Latch what the kill file orders, between two instants."""
        order = self._kill.seen()
        if order is None:
            self._latched = None
            return
        kill = self._trading.core.portfolio.kill
        if kill == "none" or (kill == "halt" and order.level == "flatten"):
            name = "kill" if order.level == "halt" else "kill_flatten"
            await self.give(name, "", order.reason)
            self._log.warning("kill switch", order=order.level, reason=order.reason)
        failpoints.hit("kill.latched")
        self._latched = order
        self._kill.acknowledge(order)

    async def obey(self, request: Request) -> Answer:
        """Do what was asked for, if it means something now, and say what is open."""
        core = self._trading.core
        portfolio = core.portfolio
        there = str(self._control / FILE) if self._kill.is_there() else ""
        await self.attend()  # what was seen is latched, and forgotten where the file is gone
        cooldowns = core.pace.cooldowns(portfolio, self._now_ns())
        wish = wanted(request.name, request.argument, portfolio, cooldowns, there)
        if not wish.command:
            return Answer(False, [wish.why_not])
        if request.dry_run:
            return Answer(True, ["nothing was done", *open_lines(portfolio, core.grids)])
        reason = request.reason or f"foliod {request.name}"
        await self.give(wish.command, wish.argument, reason)
        self._log.info("command", command=wish.command, argument=wish.argument, reason=reason)
        return Answer(True, [*open_lines(portfolio, core.grids), next_step(request.name)])

    async def give(self, name: str, argument: str, reason: str) -> None:
        """Give the core a command at this very instant of the run."""
        trading = self._trading
        at_ns = max(trading.now_ns + 1, trading.at_ns, self._now_ns())
        await trading.give(Command(at_ns, name, argument, reason))
