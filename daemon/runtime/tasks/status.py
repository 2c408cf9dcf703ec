"""Telling how things are: the status lines of a daemon, and one line for the service manager.

What it tells is durable, or says of itself that it is not: while the disk takes nothing, a line
carries the number of the last entry that is on it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from daemon.core.status import Alert
from daemon.core.status_board import StatusBoard
from daemon.core.status_inputs import StatusInputs
from daemon.runtime.past import Recorder
from daemon.runtime.run_log import RunLog
from daemon.runtime.status_file import StatusFile
from daemon.runtime.tasks.disk import Disk
from state.portfolio import Portfolio
from state.units import HOUR_NS, SECOND_NS, day_text

STATUS_NS: Final = 5 * SECOND_NS
"""The longest silence of the status, by the run's clock; an hour where bars come unpaced."""


class StatusTeller:
    """Writes the status lines of one daemon.

    ``look`` fills in what is not the portfolio's (bars, queues, lag, socket); ``alerts`` gives what
    needs a person. ``paced`` False: bars come as fast as it goes, and only a change of state is
    told, because each fill would fill the disk.
    """

    def __init__(
        self,
        logs: Path,
        board: StatusBoard,
        portfolio: Portfolio,
        writer: Recorder,
        disk: Disk,
        log: RunLog,
        *,
        paced: bool,
        look: Callable[[StatusInputs], None],
        alerts: Callable[[], Sequence[Alert]],
    ) -> None:
        """Begin; the first line is due at once."""
        self._file = StatusFile(logs, STATUS_NS if paced else HOUR_NS)
        self._board = board
        self._portfolio = portfolio
        self._writer = writer
        self._disk = disk
        self._log = log
        self._paced = paced
        self._look = look
        self._alerts = alerts
        self._inputs = StatusInputs(0)
        self._state: tuple[object, ...] = ()
        self._unwritten = ""

    def due_ns(self) -> int:
        """Return the instant from which on a line is due without a change."""
        return min(self._file.due_ns, self._board.edge_ns)

    def tell(self, now_ns: int) -> int:
        """Write a line if one is due or something changed; return when the next is due."""
        inputs, problem = self._inputs, self._disk.problem
        inputs.now_ns = now_ns
        self._look(inputs)
        inputs.db_ok = not problem
        inputs.durable_seq = self._writer.seq if problem else None
        blocked = [Alert("JOURNAL_BLOCKED", problem)] if problem else []
        inputs.alerts = [*blocked, *self._alerts()]
        state = self._board.state(self._portfolio, inputs)
        if not self._paced and now_ns < self.due_ns() and state == self._state:
            return self.due_ns()
        self._state = state
        try:
            self._file.write(now_ns, self._board.line(self._portfolio, inputs))
            self._file.flush()
        except OSError as error:
            if str(error) != self._unwritten:  # said once, not with every line
                self._log.error("status cannot be written", problem=str(error))
            self._unwritten = str(error)
        else:
            self._unwritten = ""
        return self.due_ns()

    def said(self) -> str:
        """Return one line on what the daemon does."""
        portfolio, problem = self._portfolio, self._disk.problem
        open_ = f"{len(portfolio.positions)} open, day {day_text(portfolio.day)}"
        if problem:
            return f"exits only, {open_}: {problem}"
        if portfolio.kill != "none":
            return f"killed, {open_}: {portfolio.kill_reason}"
        halts = ", ".join(sorted(portfolio.halts))
        return f"halted ({halts}), {open_}" if halts else f"working, {open_}"

    def close(self) -> None:
        """Close the file; the next line opens it anew."""
        self._file.close()
