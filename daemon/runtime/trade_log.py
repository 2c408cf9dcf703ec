"""``trades.csv``: one row for each closed trade, entry and exit matched (T1).

A readable copy of the table ``trades``; nothing reads it back. RFC 4180: comma, CRLF, quotes where
needed, UTF-8. A text that a spreadsheet would take for a formula gets a leading apostrophe.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Final

from daemon.core.plain import plain
from daemon.runtime.dated_lines import cut_torn_line
from state.entries import (
    Entry,
    Filled,
    InstrumentSet,
    IntentRecorded,
    OrderChanged,
    PlanSet,
    PortfolioOpened,
    RunStarted,
)
from state.projector import Projector
from state.table_rows import Trade, typed
from state.units import day_text, utc_text

COLUMNS: Final = (
    "trade_id",
    "portfolio_id",
    "run_id",
    "version",
    "symbol",
    "strategy",
    "side",
    "quantity",
    "trading_day",
    "signal_at",
    "entry_at",
    "entry_price",
    "entry_fill",
    "stop",
    "target",
    "exit_at",
    "exit_price",
    "exit_fill",
    "exit_reason",
    "fees",
    "slippage",
    "pnl",
    "r",
)
"""The columns, in order. *price* is before costs, *fill* after; instants are UTC ISO 8601."""

NAME: Final = "trades.csv"
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
_NEEDED: Final = frozenset(
    {PortfolioOpened, RunStarted, InstrumentSet, IntentRecorded, OrderChanged, Filled, PlanSet}
)


def safe_text(text: str) -> str:
    """Return a text in one line that no spreadsheet takes for a formula (' before = + - @)."""
    return "'" + plain(text) if text.startswith(_FORMULA) else plain(text)


def cells(row: Trade) -> list[str]:
    """Return the cells of one closed trade, in the order of ``COLUMNS``."""
    return [
        safe_text(row.trade_id),
        safe_text(row.portfolio_id),
        safe_text(row.run_id),
        safe_text(row.version),
        safe_text(row.symbol),
        safe_text(row.strategy),
        row.side,
        _number(row.quantity),
        day_text(row.trading_day),
        utc_text(row.signal_ns),
        utc_text(row.entry_ns),
        _number(row.entry_price),
        _number(row.entry_fill),
        _number(row.stop),
        _number(row.target),
        "" if row.exit_ns is None else utc_text(row.exit_ns),
        _number(row.exit_price),
        _number(row.exit_fill),
        safe_text(row.exit_reason or ""),
        _number(row.fees),
        _number(row.slippage),
        _number(row.pnl),
        "" if row.r is None else f"{row.r:.10g}",
    ]


def lines(rows: Iterable[Sequence[str]]) -> bytes:
    """Return rows as they stand in the file: none has a line end inside."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def _number(value: Decimal | None) -> str:
    return "" if value is None else format(value, "f")


class ClosedTrades:
    """Finds closed trades in the journal's entries, by the projector's own fold."""

    def __init__(self) -> None:
        """Begin at the first entry of a portfolio."""
        self._projector = Projector()
        self._closed = False

    def take(self, seq: int, entry: Entry) -> None:
        """Fold entry number ``seq``."""
        if type(entry) in _NEEDED:
            self._projector.fold(seq, entry)
            if type(entry) is Filled and entry.leg != "entry":
                self._closed = True

    def closed(self) -> list[Trade]:
        """Return the trades that closed since the last call, in the order they closed."""
        if not self._closed:
            return []
        self._closed = False
        found = [
            typed(row, Trade)
            for statement, rows in self._projector.take()
            if " trades " in statement
            for row in rows
            if row[1]
        ]
        found.sort(key=lambda one: one.seq)
        return found


class TradeLog:
    """Appends closed trades to a CSV file, in one write for all rows of a flush.

    ``repaired`` says what was cut from a torn last line.
    """

    def __init__(self, path: Path) -> None:
        """Open the file, cut a torn last row, and write the header of a new one.

        Raises:
            OSError: the file cannot be written.
        """
        torn = cut_torn_line(path)
        self.repaired = [f"{path.name}: cut {torn} bytes of a torn last row"] if torn else []
        self._descriptor: int | None = os.open(
            path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644
        )
        self._rows: list[list[str]] = []
        if os.fstat(self._descriptor).st_size == 0:
            self._write([list(COLUMNS)])

    def add(self, trades: Iterable[Trade]) -> None:
        """Take closed trades, to be written by the next flush."""
        self._rows += [cells(one) for one in trades]

    def flush(self) -> None:
        """Append all rows taken since the last flush.

        Raises:
            OSError: they cannot be written; they are kept, and the next flush tries again.
        """
        if self._rows:
            self._write(self._rows)
            self._rows = []

    def close(self) -> None:
        """Flush and close; a second call does nothing."""
        if self._descriptor is None:
            return
        try:
            self.flush()
        finally:
            descriptor, self._descriptor = self._descriptor, None
            os.close(descriptor)

    def _write(self, rows: list[list[str]]) -> None:
        """Append rows whole: a write that the disk cut short is taken back."""
        if self._descriptor is None:
            raise OSError("the trade log is closed")
        content = lines(rows)
        before = os.fstat(self._descriptor).st_size
        if os.write(self._descriptor, content) < len(content):
            os.ftruncate(self._descriptor, before)
            raise OSError("the disk took only part of a row; it was taken back")
