"""Reads of the database: typed rows, filters, and clear words for a file that is none of ours."""

from __future__ import annotations

import os
import sqlite3
import threading
from decimal import Decimal
from pathlib import Path

import pytest

from state.errors import JournalError
from state.queries import open_book
from state.units import DAY_NS, HOUR_NS
from tests.run_folders import DAY_ONE, DAY_TWO, T0, two_days, write_run


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Return the database of the two days."""
    return write_run(tmp_path / "run", two_days()) / "foliod.db"


async def test_closed_trades_come_in_the_order_they_closed(database: Path) -> None:
    """T1: typed, with the amounts exact."""
    async with open_book(database) as book:
        first, second = await book.trades()
        assert (first.trade_id, first.pnl, first.r) == ("t1", Decimal("0.90"), 0.9)
        assert (second.strategy, second.trading_day) == ("lsg", DAY_TWO)
        assert [one.trade_id async for one in book.closed_trades()] == ["t1", "t2"]
        assert [one.trade_id async for one in book.closed_trades(since_day=DAY_TWO)] == ["t2"]


async def test_filters_ignore_letter_case_and_limits_keep_the_newest(database: Path) -> None:
    """UX: --strategy LSG finds lsg; --since is inclusive."""
    async with open_book(database) as book:
        assert [one.trade_id for one in await book.trades(strategy="LSG", symbol="eurusd")] == [
            "t2"
        ]
        assert [one.trade_id for one in await book.trades(limit=1)] == ["t2"]
        at = T0 + DAY_NS + 9 * HOUR_NS
        assert [one.trade_id for one in await book.trades(since_ns=at)] == ["t2"]
        assert await book.trades(since_ns=at + 1) == []
        assert await book.trades(symbol="' OR 1=1 --") == []


async def test_open_positions_orders_equity_days(database: Path) -> None:
    """One row type per table."""
    async with open_book(database) as book:
        assert [one.trade_id for one in await book.positions()] == ["t3"]
        orders = await book.orders()
        assert [(one.intent_id, one.state) for one in orders] == [
            ("t1", "FILLED"),
            ("t2", "FILLED"),
            ("t3", "FILLED"),
        ]
        assert await book.orders(open_only=True) == []
        assert [one.equity for one in await book.equity()] == [Decimal("100.90"), Decimal("100.50")]
        assert len([one async for one in book.marks()]) == 2
        (day,) = await book.days()
        assert (day.day, day.net, day.trades) == (DAY_ONE, Decimal("0.90"), 1)
        assert await book.present_day() == DAY_TWO


async def test_decisions_and_denials_come_newest_first(database: Path) -> None:
    """R7: the last decision of an engine, at or before an instant."""
    async with open_book(database) as book:
        (last,) = await book.decisions(strategy="LSG", symbol="eurusd")
        assert last[1].outcome == "SPACING"
        (earlier,) = await book.decisions(
            strategy="lsg", symbol="EURUSD", until_ns=T0 + DAY_NS + 8 * HOUR_NS
        )
        assert earlier[1].outcome == "ACCEPTED"
        assert await book.decisions(strategy="none") == []
        denials = await book.last_denials(9)
        assert [(one.gate, one.code) for one in denials] == [
            ("spacing", "SPACING"),
            ("window", "OUTSIDE_WINDOW"),
        ]


async def test_the_journal_is_read_from_both_ends(database: Path) -> None:
    """Streaming forwards by kind, the tail backwards, first and last entries."""
    async with open_book(database) as book:
        kinds = [line.kind for line in await book.journal_tail(2)]
        assert kinds == ["BarsRefused", "RunEnded"]
        refused = [line.seq async for line in book.entries_after(0, kinds=("BarsRefused",))]
        assert refused == [len(two_days()) - 1]
        assert await book.last_seq() == len(two_days())
        run, opened = await book.last_run(), await book.opened()
        assert run is not None and opened is not None
        assert (run.run_id, opened.base_currency) == ("rabc", "USD")
        assert await book.snapshot() is None
        assert isinstance(await book.meta(), dict)


async def test_an_empty_journal_reads_as_nothing(tmp_path: Path) -> None:
    """A run that died before its first entry."""
    path = write_run(tmp_path / "run", []) / "foliod.db"
    async with open_book(path) as book:
        assert await book.trades() == []
        assert await book.opened() is None
        assert await book.last_run() is None
        assert await book.present_day() == 0
        assert await book.last_denials(3) == []


async def test_reading_leaves_no_file_behind(database: Path) -> None:
    """A finished run is one clean file, also after somebody looked."""
    async with open_book(database) as book:
        await book.trades()
    assert [one.name for one in database.parent.glob("foliod.db*")] == ["foliod.db"]


async def test_the_connection_is_closed_when_the_block_fails(database: Path) -> None:
    """UX: an open connection would keep the process from ending."""
    before = set(threading.enumerate())
    with pytest.raises(RuntimeError, match="mine"):
        async with open_book(database):
            raise RuntimeError("mine")
    for thread in set(threading.enumerate()) - before:
        thread.join(timeout=10)  # it answers the close first and ends a moment later
        assert not thread.is_alive()


async def test_a_database_that_is_not_there_is_said(tmp_path: Path) -> None:
    """Never a new empty file where a run was expected."""
    with pytest.raises(JournalError, match="no database"):
        async with open_book(tmp_path / "foliod.db"):
            pass
    assert os.listdir(tmp_path) == []


async def test_another_programs_database_is_refused(tmp_path: Path) -> None:
    """Nothing is guessed from tables that look alike."""
    path = tmp_path / "foliod.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE trades (x)")
    connection.close()
    with pytest.raises(JournalError, match="no database of foliod"):
        async with open_book(path):
            pass


async def test_a_newer_database_is_refused(database: Path) -> None:
    """An old program never reads what it cannot know."""
    connection = sqlite3.connect(database)
    connection.execute("PRAGMA user_version=99")
    connection.close()
    with pytest.raises(JournalError, match=r"schema 99.*newer"):
        async with open_book(database):
            pass


@pytest.mark.parametrize("content", [b"", b"this is no database, it is a text" * 100])
async def test_a_damaged_file_is_a_sentence_and_no_traceback(
    tmp_path: Path, content: bytes
) -> None:
    """A user's broken file is a JournalError that names it."""
    path = tmp_path / "foliod.db"
    path.write_bytes(content)
    with pytest.raises(JournalError, match=r"foliod\.db"):
        async with open_book(path):
            pass
