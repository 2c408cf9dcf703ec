"""The files that a daemon writes beside its journal: events, trades.csv, equity curves (T1, T3).

They are made by following the database, read-only, so that nothing here can delay or change a
decision, and so that catching up after a crash is the same work as on any other day: each file says
itself how far it goes. A file that cannot be written is named in ``alerts`` and tried again; the
others go on.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Final

from daemon.core.status import Alert
from daemon.runtime.derived_lines import DerivedLines
from daemon.runtime.equity_file import HEADER, engine_file, point, portfolio_file, share_of
from daemon.runtime.events_resume import EventsResume
from daemon.runtime.trade_log import COLUMNS, NAME, cells, lines
from state.portfolio import engine_key
from state.queries import Book
from state.table_rows import Trade

CODE: Final = "FILE_UNWRITABLE"
_EVENTS: Final = "events"
_STRIDE: Final = 100
"""Rows between two pauses in which others may work."""

Pause = Callable[[], Awaitable[None]]


class JournalFollower:
    """Follows one portfolio's database; ``follow`` again and again.

    ``alerts`` maps a file that could not be written to why. ``notes`` are sentences about files
    that were found to say something else than the journal, for the log to take.
    """

    def __init__(
        self, home: Path, portfolio_id: str, engines: Sequence[tuple[str, str]], pause: Pause
    ) -> None:
        """Write below ``home``; ``engines`` are (symbol, strategy) of those at work now."""
        self._engines = list(engines)
        self._home = home
        self._pause = pause
        self._events = EventsResume(home / "logs", portfolio_id)
        self._trades = DerivedLines(home / NAME)
        self._marks = DerivedLines(home / portfolio_file())
        self._curves: dict[str, DerivedLines] = {}
        self._equity: dict[str, Decimal] = {}
        self._closed_seq = self._marked_seq = self._looked_seq = 0
        self._is_open = self._has_marks = self._is_stale = False
        self.alerts: dict[str, str] = {}
        self.notes: list[str] = []

    def alert_list(self) -> list[Alert]:
        """Return the alerts as a status line has them."""
        return [Alert(CODE, f"{name}: {why}") for name, why in self.alerts.items()]

    def reopen(self) -> None:
        """Look at every file again with the next ``follow``: some may have been moved away."""
        self._is_stale = True

    def close(self) -> None:
        """Let go of every file; ``follow`` opens them again."""
        self._events.close()
        self._is_open = self._has_marks = self._is_stale = False

    async def follow(self, book: Book) -> None:
        """Bring every file up to what the database has.

        Raises:
            JournalError: the database cannot be read.
        """
        if self._is_stale:
            self.close()
        await self._follow_events(book)
        await self._follow_trades(book)
        await self._follow_marks(book)

    # Events -------------------------------------------------------------------------------------

    async def _follow_events(self, book: Book) -> None:
        events = self._events
        try:
            if not events.is_open:
                await events.open(book)
                self.notes += events.notes
                events.notes.clear()
            count = 0
            async for line in book.entries_after(events.seq):
                events.take(line.seq, line.entry)
                count += 1
                if count % _STRIDE == 0:
                    await self._pause()
            events.flush()
        except OSError as problem:
            events.close()
            self.alerts[_EVENTS] = str(problem)
        else:
            self.alerts.pop(_EVENTS, None)

    # Trades and the curves of engines -----------------------------------------------------------

    async def _follow_trades(self, book: Book) -> None:
        if not self._is_open:
            await self._open_trades(book)
        elif await self._has_fills(book):
            await self._take_trades(book)
        files = [self._trades, *self._curves.values()]
        self._is_open = self._flush(files)

    async def _has_fills(self, book: Book) -> bool:
        """Say whether anything was sold or bought back since the last look: few rows to read."""
        found = False
        async for line in book.entries_after(self._looked_seq, kinds=("Filled",)):
            self._looked_seq, found = line.seq, True
        return found

    async def _open_trades(self, book: Book) -> None:
        """Open the files and give them everything from the first trade on."""
        opened = await book.opened()
        if opened is None:
            return
        engines = list(dict.fromkeys([*self._engines, *await book.engines()]))
        self._curves = {
            engine_key(*one): DerivedLines(self._home / engine_file(*one)) for one in engines
        }
        files = [self._trades, *self._curves.values()]
        self._open(files)
        share = share_of(opened.cash, len(engines))
        first = [HEADER.encode(), point(opened.at_ns, share).encode()]
        while True:
            self._looked_seq, self._closed_seq = await book.last_seq(), 0
            self._trades.give(lines([COLUMNS]))
            for key, curve in self._curves.items():
                self._equity[key] = share
                for line in first:
                    curve.give(line)
            await self._take_trades(book)
            if not self._correct(files):
                return

    async def _take_trades(self, book: Book) -> None:
        count = 0
        async for trade in book.closed_after(self._closed_seq):
            self._take(trade)
            count += 1
            if count % _STRIDE == 0:
                await self._pause()

    def _take(self, trade: Trade) -> None:
        self._closed_seq = trade.seq
        self._trades.give(lines([cells(trade)]))
        key = engine_key(trade.symbol, trade.strategy)
        curve = self._curves.get(key)
        if curve is not None and trade.exit_ns is not None:
            self._equity[key] += trade.pnl
            curve.give(point(trade.exit_ns, self._equity[key]).encode())

    # The portfolio's curve ----------------------------------------------------------------------

    async def _follow_marks(self, book: Book) -> None:
        if not self._has_marks:
            await self._open_marks(book)
        else:
            await self._take_marks(book)
        self._has_marks = self._flush([self._marks])

    async def _open_marks(self, book: Book) -> None:
        """Open the curve and go on at its last point: marks are many, so it gets no more."""
        opened, file = await book.opened(), self._marks
        if opened is None:
            return
        self._open([file])
        before = max(0, file.kept - 3)
        skipped = await book.mark_number(before) if before else None
        while True:
            self._marked_seq = 0
            if skipped is not None:
                file.skip(2 + before)
                self._marked_seq, skipped = skipped.seq, None
            else:
                file.give(HEADER.encode())
                file.give(point(opened.at_ns, opened.cash).encode())
            await self._take_marks(book)
            if not self._correct([file]):
                return

    async def _take_marks(self, book: Book) -> None:
        count = 0
        async for mark in book.marks(self._marked_seq):
            self._marked_seq = mark.seq
            self._marks.give(point(mark.at_ns, mark.equity).encode())
            count += 1
            if count % _STRIDE == 0:
                await self._pause()

    # Files --------------------------------------------------------------------------------------

    def _open(self, files: Iterable[DerivedLines]) -> None:
        for file in files:
            try:
                file.open()
            except OSError as problem:
                self.alerts[file.path.name] = str(problem)

    def _correct(self, files: Iterable[DerivedLines]) -> bool:
        """Have files that say something else made anew; say whether all lines are to be given."""
        files = [one for one in files if one.is_open]
        wrong = [one for one in files if one.is_wrong or one.is_ahead]
        if not wrong:
            return False
        self._open(one for one in files if one not in wrong)
        for file in wrong:
            self.notes.append(f"{file.path.name} did not end as the journal does: written anew")
            file.begin_anew()
        return True

    def _flush(self, files: Iterable[DerivedLines]) -> bool:
        """Write every file; say whether all could be written. Those that could not alarm."""
        all_whole = True
        for file in files:
            name = file.path.name
            if not file.is_open:
                all_whole = False
                continue
            try:
                file.flush()
            except OSError as problem:
                self.alerts[name] = str(problem)
                all_whole = False
            else:
                self.alerts.pop(name, None)
        return all_whole
