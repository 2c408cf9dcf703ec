"""Everything that a run writes beside its journal: status, events, trades.csv, equity curves.

The stepper hands over each entry and each change; the runner flushes after each commit, so that
nothing is said in a file that the journal does not know. A file that cannot be written never stops
trading: it is named in ``alerts`` and in every later status line, and tried again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

from daemon.core.status import Alert
from daemon.core.status_board import StatusBoard
from daemon.core.status_inputs import StatusInputs
from daemon.runtime.equity_file import EquityFiles
from daemon.runtime.events_file import EventsFile
from daemon.runtime.status_file import StatusFile
from daemon.runtime.trade_log import NAME, ClosedTrades, TradeLog
from state.entries import BarsRefused, Entry
from state.portfolio import Portfolio
from state.units import HOUR_NS


class RunViews:
    """The files of one run folder.

    ``inputs`` is what the next status line says beside the portfolio; the runner changes its fields
    as they change (phase, broker, database ...). ``alerts`` maps a file that failed to why.
    """

    def __init__(
        self,
        folder: Path,
        board: StatusBoard,
        portfolio: Portfolio,
        engines: Sequence[tuple[str, str]],
        *,
        portfolio_id: str,
        run_id: str,
        every_ns: int = HOUR_NS,
        blocks: BinaryIO | None = None,
        least_bytes: int = 0,
    ) -> None:
        """Begin in an existing ``folder``; ``engines`` are (symbol, strategy).

        ``every_ns`` is the longest silence of the status by the run's clock; ``blocks`` is a stream
        that gets every status object between marker lines. A dated file gives way to the next
        day's once it has ``least_bytes``.

        Raises:
            OSError: ``trades.csv`` cannot be opened.
        """
        self._board = board
        self._portfolio = portfolio
        self._status = StatusFile(folder / "logs", every_ns, blocks, least_bytes)
        self._events = EventsFile(folder / "logs", portfolio_id, run_id, least_bytes)
        self._closed = ClosedTrades()
        self._trades = TradeLog(folder / NAME)
        self._equity = EquityFiles(folder, engines)
        self.inputs = StatusInputs(now_ns=0)
        self._state: tuple[object, ...] = ()
        self.alerts: dict[str, str] = {}

    @property
    def repaired(self) -> list[str]:
        """What was cut from torn files, one sentence each."""
        return [*self._status.repaired, *self._events.repaired, *self._trades.repaired]

    def take(self, seq: int, entry: Entry) -> None:
        """Take entry number ``seq``, already applied (an observer of the stepper)."""
        if type(entry) is BarsRefused:
            self.inputs.refused += entry.count
        self._guard("events", lambda: self._events.take(seq, entry))
        self._closed.take(seq, entry)
        self._equity.take(entry)

    def changed(self, now_ns: int) -> int:
        """Write a status line if the state changed or one is due, and return ``due_ns``.

        Called at the end of an instant in which something was recorded. A fill is no change of
        state: events tell it, and the next line shows it; a busy book would fill the disk.
        """
        self.inputs.now_ns = now_ns
        state = self._board.state(self._portfolio, self.inputs)
        if now_ns < self.due_ns and state == self._state:
            return self.due_ns
        self._state = state
        self.tell(now_ns)
        return self.due_ns

    def tell(self, now_ns: int) -> None:
        """Write a status line now, for instance the last one of a run."""
        self.inputs.now_ns = now_ns
        line = self._board.line(self._portfolio, self.inputs)
        self._guard("status", lambda: self._status.write(now_ns, line))

    @property
    def due_ns(self) -> int:
        """The instant from which on a status line is due without a change: silence, or a window."""
        return min(self._status.due_ns, self._board.edge_ns)

    def flush(self) -> None:
        """Write everything to the files; call it after each commit of the journal."""
        closed = self._closed.closed()
        self._trades.add(closed)
        self._equity.add(closed)
        self._guard("status", self._status.flush)
        self._guard("events", self._events.flush)
        self._guard("trades", self._trades.flush)
        self._guard("equity", self._equity.flush)

    def close(self) -> None:
        """Flush and close every file; a second call does nothing more."""
        self.flush()
        self._guard("status", self._status.close)
        self._guard("events", self._events.close)
        self._guard("trades", self._trades.close)

    def drop(self) -> None:
        """Close every file without what was said since the last flush: it never became durable."""
        self._guard("status", self._status.drop)
        self._guard("events", self._events.drop)
        self._guard("trades", self._trades.close)

    def _guard(self, name: str, write: Callable[[], None]) -> None:
        """Write; a failing file sounds the alarm and stops nothing."""
        try:
            write()
        except OSError as problem:
            self.alerts[name] = str(problem)
        else:
            if name not in self.alerts:
                return
            del self.alerts[name]
        self.inputs.alerts = [
            Alert("FILE_UNWRITABLE", f"{name}: {why}") for name, why in self.alerts.items()
        ]
