"""All reads of a portfolio's database: read-only, typed, in short queries (aiosqlite).

One connection per ``open_book``, closed however the block ends (an open one would keep the process
from ending). Never writes, never holds a read transaction open across a yield of rows.
"""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import aiosqlite
import msgspec

from state import codec
from state.entries import (
    DayRolled,
    Decided,
    Entry,
    PortfolioOpened,
    RunStarted,
    WideningRefused,
)
from state.errors import JournalError
from state.migrate import APPLICATION_ID, migrations, reading_uri
from state.portfolio import Portfolio
from state.table_rows import (
    DayPositionRow,
    EquityPoint,
    OrderRow,
    PortfolioDay,
    RowType,
    Trade,
    typed,
)

DATABASE: Final = "foliod.db"
"""The name of the database in a run's or a portfolio's folder."""

_PAGE_ROWS: Final = 1000
_DAY_POSITIONS_SINCE: Final = 3
"""The migration that made the table of what was open as a day ended."""
_SORTED_ROWS: Final = 10_000
"""Rows of a page for which the whole table is sorted."""
_LOOK_BACK_ROWS: Final = 200_000
"""How far back in the journal a search for the last decision or denial goes."""


class Denial(msgspec.Struct, frozen=True):
    """A denied wish to enter; gate, code, observed and limit are of the binding (first) denial."""

    seq: int
    at_ns: int
    symbol: str
    strategy: str
    gate: str
    code: str
    observed: str
    limit: str


class JournalLine(msgspec.Struct, frozen=True):
    """One journal entry with its number."""

    seq: int
    at_ns: int
    kind: str
    entry: Entry


class Book:
    """The reads of one open database. Made by ``open_book``.

    ``since_ns`` is inclusive; ``strategy`` and ``symbol`` match in any letter case; ``limit``
    keeps the newest rows. Lists are oldest first unless a method says otherwise.
    """

    def __init__(self, connection: aiosqlite.Connection, path: Path) -> None:
        """Read over an open connection."""
        self._connection = connection
        self.path = path

    async def trades(
        self,
        *,
        since_ns: int | None = None,
        since_day: int | None = None,
        strategy: str | None = None,
        symbol: str | None = None,
        limit: int | None = None,
    ) -> list[Trade]:
        """Return closed trades in the order they closed; ``since_ns`` compares with the exit."""
        wanted = _Where("exit_ns IS NOT NULL").engine(strategy, symbol)
        wanted.least("exit_ns", since_ns).least("trading_day", since_day)
        return await self._newest("trades", wanted, "seq", limit, Trade)

    async def closed_trades(self, *, since_day: int = 0) -> AsyncIterator[Trade]:
        """Yield the trades closed on or after a trading day, by exit, streaming."""
        after = (-1, "")
        while True:
            rows = await self._rows(
                "SELECT * FROM trades WHERE (exit_ns, trade_id) > (?, ?) AND trading_day >= ?"
                " ORDER BY exit_ns, trade_id LIMIT ?",
                (*after, since_day, _PAGE_ROWS),
            )
            for row in rows:
                yield typed(tuple(row), Trade)
            if len(rows) < _PAGE_ROWS:
                return
            after = (rows[-1]["exit_ns"], rows[-1]["trade_id"])

    async def closed_after(self, seq: int) -> AsyncIterator[Trade]:
        """Yield the trades closed by entries after number ``seq``, in the order they closed."""
        while True:
            rows = await self._rows(
                "SELECT * FROM trades WHERE exit_ns IS NOT NULL AND seq > ? ORDER BY seq LIMIT ?",
                (seq, _SORTED_ROWS),
            )
            for row in rows:
                yield typed(tuple(row), Trade)
            if len(rows) < _SORTED_ROWS:
                return
            seq = rows[-1]["seq"]

    async def engines(self) -> list[tuple[str, str]]:
        """Return (symbol, strategy) of every engine that ever closed a trade, sorted."""
        rows = await self._rows(
            "SELECT DISTINCT symbol, strategy FROM trades WHERE exit_ns IS NOT NULL"
            " ORDER BY symbol, strategy",
            (),
        )
        return [(str(symbol), str(strategy)) for symbol, strategy in rows]

    async def positions(
        self, *, strategy: str | None = None, symbol: str | None = None
    ) -> list[Trade]:
        """Return open trades by entry."""
        wanted = _Where("exit_ns IS NULL").engine(strategy, symbol)
        return await self._newest("trades", wanted, "entry_ns", None, Trade)

    async def orders(
        self,
        *,
        since_ns: int | None = None,
        strategy: str | None = None,
        symbol: str | None = None,
        limit: int | None = None,
        open_only: bool = False,
    ) -> list[OrderRow]:
        """Return orders in the order recorded; ``since_ns`` compares with their last change."""
        wanted = _Where().engine(strategy, symbol).least("changed_ns", since_ns)
        if open_only:
            wanted.terms.append("state NOT IN ('FILLED', 'CANCELLED', 'REJECTED')")
        return await self._newest("orders", wanted, "seq", limit, OrderRow)

    async def equity(
        self,
        *,
        since_ns: int | None = None,
        after_seq: int | None = None,
        limit: int | None = None,
    ) -> list[EquityPoint]:
        """Return the marks of equity, of entries after number ``after_seq``."""
        first = None if after_seq is None else after_seq + 1
        wanted = _Where().least("at_ns", since_ns).least("seq", first)
        return await self._newest("equity", wanted, "seq", limit, EquityPoint)

    async def marks(self, after: int = 0) -> AsyncIterator[EquityPoint]:
        """Yield the marks of equity of entries after number ``after``, oldest first, streaming."""
        while True:
            rows = await self._rows(
                "SELECT * FROM equity WHERE seq > ? ORDER BY seq LIMIT ?", (after, _PAGE_ROWS)
            )
            for row in rows:
                yield typed(tuple(row), EquityPoint)
            if len(rows) < _PAGE_ROWS:
                return
            after = rows[-1]["seq"]

    async def mark_number(self, number: int) -> EquityPoint | None:
        """Return the mark of equity with this number, from 1; None when there are fewer."""
        rows = await self._rows("SELECT * FROM equity ORDER BY seq LIMIT 1 OFFSET ?", (number - 1,))
        return typed(tuple(rows[0]), EquityPoint) if rows else None

    async def days(
        self, *, since_day: int | None = None, limit: int | None = None
    ) -> list[PortfolioDay]:
        """Return the portfolio days that have rolled."""
        wanted = _Where().least("day", since_day)
        return await self._newest("portfolio_days", wanted, "day", limit, PortfolioDay)

    async def day_positions(
        self,
        *,
        since_day: int | None = None,
        strategy: str | None = None,
        symbol: str | None = None,
    ) -> list[DayPositionRow]:
        """Return what was open as portfolio days ended, by day and engine.

        Nothing where an older foliod wrote the database and kept no such thing.
        """
        if await _pragma(self._connection, "user_version") < _DAY_POSITIONS_SINCE:
            return []
        wanted = _Where().engine(strategy, symbol).least("day", since_day)
        order = "day DESC, symbol DESC, strategy"
        return await self._newest("day_positions", wanted, order, None, DayPositionRow)

    async def decisions(
        self,
        *,
        strategy: str | None = None,
        symbol: str | None = None,
        until_ns: int | None = None,
        limit: int = 1,
        denied_only: bool = False,
    ) -> list[tuple[int, Decided]]:
        """Return the last decisions with their numbers, newest first, at or before ``until_ns``."""
        found: list[tuple[int, Decided]] = []
        async for seq, decided in self._decided_backwards(until_ns):
            if strategy is not None and decided.strategy.casefold() != strategy.casefold():
                continue
            if symbol is not None and decided.symbol.casefold() != symbol.casefold():
                continue
            if denied_only and decided.outcome == "ACCEPTED":
                continue
            found.append((seq, decided))
            if len(found) >= limit:
                break
        return found

    async def last_denials(self, limit: int) -> list[Denial]:
        """Return the last denials, newest first."""
        found = await self.decisions(limit=limit, denied_only=True)
        return [denial(seq, decided) for seq, decided in found]

    async def decided_after(self, seq: int) -> AsyncIterator[tuple[int, Decided]]:
        """Yield every decision after entry number ``seq`` with its number, streaming."""
        async for line in self.entries_after(seq, kinds=("Decided",)):
            if isinstance(line.entry, Decided):
                yield line.seq, line.entry

    async def entries_after(
        self, seq: int, *, kinds: Sequence[str] = ()
    ) -> AsyncIterator[JournalLine]:
        """Yield journal entries after number ``seq``, streaming, of some kinds or of all."""
        marks = ",".join("?" * len(kinds))
        only = f" AND kind IN ({marks})" if kinds else ""
        while True:
            rows = await self._rows(
                "SELECT seq, at_ns, kind, payload FROM journal"
                f" WHERE seq > ?{only} ORDER BY seq LIMIT ?",
                (seq, *kinds, _PAGE_ROWS),
            )
            for row in rows:
                yield JournalLine(row[0], row[1], row[2], codec.decode(row[3]))
            if len(rows) < _PAGE_ROWS:
                return
            seq = rows[-1][0]

    async def journal_tail(self, limit: int) -> list[JournalLine]:
        """Return the last journal entries, oldest first."""
        rows = await self._rows(
            "SELECT seq, at_ns, kind, payload FROM journal ORDER BY seq DESC LIMIT ?", (limit,)
        )
        return [JournalLine(r[0], r[1], r[2], codec.decode(r[3])) for r in reversed(rows)]

    async def last_entry(self, kind: str, until_seq: int = (1 << 63) - 1) -> Entry | None:
        """Return the last entry of a kind up to number ``until_seq``, None when there is none."""
        rows = await self._rows(
            "SELECT payload FROM journal WHERE kind = ? AND seq <= ? ORDER BY seq DESC LIMIT 1",
            (kind, until_seq),
        )
        return codec.decode(rows[0][0]) if rows else None

    async def last_refused_widening(
        self, strategy: str, symbol: str, *, after: int
    ) -> WideningRefused | None:
        """Return the last refusal to widen an engine's plan after entry ``after``, None: none."""
        last = None
        async for line in self.entries_after(after, kinds=("WideningRefused",)):
            one = line.entry
            if isinstance(one, WideningRefused) and (one.strategy, one.symbol) == (
                strategy,
                symbol,
            ):
                last = one
        return last

    async def last_run(self) -> RunStarted | None:
        """Return how the last run began."""
        found = await self.last_entry("RunStarted")
        return found if isinstance(found, RunStarted) else None

    async def opened(self) -> PortfolioOpened | None:
        """Return how the portfolio began."""
        rows = await self._rows("SELECT payload FROM journal ORDER BY seq LIMIT 1", ())
        found = codec.decode(rows[0][0]) if rows else None
        return found if isinstance(found, PortfolioOpened) else None

    async def present_day(self) -> int:
        """Return the trading day that has not rolled yet, 0 for an empty journal."""
        rolled = await self.last_entry("DayRolled")
        if isinstance(rolled, DayRolled):
            return rolled.next_day
        opened = await self.opened()
        return opened.day if opened else 0

    async def last_seq(self) -> int:
        """Return the number of the last entry, 0 for an empty journal."""
        return int((await self._rows("SELECT ifnull(max(seq), 0) FROM journal", ()))[0][0])

    async def meta(self) -> dict[str, str]:
        """Return the words about the database itself."""
        return {str(k): str(v) for k, v in await self._rows("SELECT key, value FROM meta", ())}

    async def snapshot(self) -> tuple[int, Portfolio] | None:
        """Return the newest snapshot of the portfolio with its number, None without one."""
        rows = await self._rows("SELECT seq, payload FROM snapshots ORDER BY seq DESC LIMIT 1", ())
        return (rows[0][0], codec.decode_snapshot(rows[0][1]).portfolio) if rows else None

    async def _decided_backwards(self, until_ns: int | None) -> AsyncIterator[tuple[int, Decided]]:
        last_seq = await self.last_seq()
        oldest = last_seq - _LOOK_BACK_ROWS
        until = until_ns if until_ns is not None else (1 << 63) - 1
        before = last_seq + 1
        while before > oldest:
            rows = await self._rows(
                "SELECT seq, payload FROM journal WHERE seq < ? AND seq > ? AND at_ns <= ?"
                " AND kind = 'Decided' ORDER BY seq DESC LIMIT ?",
                (before, oldest, until, _PAGE_ROWS),
            )
            for seq, payload in rows:
                entry = codec.decode(payload)
                if isinstance(entry, Decided):
                    yield seq, entry
            if len(rows) < _PAGE_ROWS:
                return
            before = rows[-1][0]

    async def _newest(
        self,
        table: str,
        wanted: _Where,
        order: str,
        limit: int | None,
        kind: type[RowType],
    ) -> list[RowType]:
        """Return the newest ``limit`` rows of a table, oldest first."""
        rows = await self._rows(
            f"SELECT * FROM {table} {wanted.sql()} ORDER BY {order} DESC LIMIT ?",
            (*wanted.values, -1 if limit is None else limit),
        )
        return [typed(tuple(row), kind) for row in reversed(rows)]

    async def _rows(self, sql: str, values: Iterable[Any]) -> list[Any]:
        try:
            async with self._connection.execute(sql, tuple(values)) as cursor:
                return list(await cursor.fetchall())
        except sqlite3.Error as problem:
            raise JournalError(
                f"{self.path} cannot be read: {problem}; run `foliod verify` to see what is left"
            ) from problem


@asynccontextmanager
async def open_book(path: Path) -> AsyncIterator[Book]:
    """Open the database at ``path`` for reading, and close it when the block ends.

    Raises:
        JournalError: it does not exist, cannot be read, is not foliod's, or a newer foliod's.
    """
    uri = _uri(path)
    try:
        async with aiosqlite.connect(uri, uri=True) as connection:
            connection.row_factory = sqlite3.Row
            await _check(connection, path)
            yield Book(connection, path)
    except sqlite3.Error as problem:
        raise JournalError(f"{path} cannot be read: {problem}") from problem


def denial(seq: int, decided: Decided) -> Denial:
    """Return the binding denial of a decision that was not accepted."""
    for one in decided.verdicts:
        if not one.allowed:
            return Denial(
                seq,
                decided.at_ns,
                decided.symbol,
                decided.strategy,
                one.gate,
                one.code,
                one.observed,
                one.limit,
            )
    return Denial(
        seq, decided.at_ns, decided.symbol, decided.strategy, "desk", decided.outcome, "", ""
    )


def _uri(path: Path) -> str:
    """Return the read-only address of a database that exists."""
    if not path.is_file():
        raise JournalError(f"there is no database at {path}; has the run started?")
    return reading_uri(path)


async def _check(connection: aiosqlite.Connection, path: Path) -> None:
    found = await _pragma(connection, "application_id")
    if found != APPLICATION_ID:
        raise JournalError(
            f"{path} is no database of foliod (application id {found:#x}, expected"
            f" {APPLICATION_ID:#x}); name the folder of a run"
        )
    have, known = await _pragma(connection, "user_version"), len(migrations())
    if have > known:
        raise JournalError(
            f"{path} has schema {have}, this foliod knows {known}: a newer foliod wrote it; use"
            " that version to read it"
        )


async def _pragma(connection: aiosqlite.Connection, name: str) -> int:
    async with connection.execute(f"PRAGMA {name}") as cursor:
        row = await cursor.fetchone()
    return int(row[0]) if row else 0


class _Where:
    """The conditions of a query, collected."""

    def __init__(self, *terms: str) -> None:
        self.terms = list(terms)
        self.values: list[str | int] = []

    def engine(self, strategy: str | None, symbol: str | None) -> _Where:
        """Keep the rows of a strategy, a symbol, both or all."""
        for column, value in (("strategy", strategy), ("symbol", symbol)):
            if value is not None:
                self.terms.append(f"{column} = ? COLLATE NOCASE")
                self.values.append(value)
        return self

    def least(self, column: str, value: int | None) -> _Where:
        """Keep the rows with at least this value."""
        if value is not None:
            self.terms.append(f"{column} >= ?")
            self.values.append(value)
        return self

    def sql(self) -> str:
        """Return the WHERE clause, empty without conditions."""
        return f"WHERE {' AND '.join(self.terms)}" if self.terms else ""
