from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from decimal import Decimal
from typing import Any

import pytest

from state.entries import Entry, InstrumentSet, OrderChanged, PlanSet
from state.errors import JournalError, LedgerError
from state.projected import TABLES
from state.projector import Projector, rebuild, write
from state.units import NEVER_NS
from tests.builders import eurusd
from tests.journals import DAY, fill, intent, journal, opening, trade

NS = 1_000


def _rows(entries: Sequence[Entry], sql: str) -> list[dict[str, Any]]:
    with closing(rebuild(enumerate(entries, start=1))) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(sql)]


def _part(row: dict[str, Any], names: str) -> dict[str, Any]:
    return {name: row[name] for name in names.split()}


def test_a_trade_is_matched_and_costed() -> None:
    """Entry and exit make one row; R is net of fees over the initial risk.

    By hand: gross 50, fees 1 + 1, net 48, risk 50, R 0.96; spread 1 + 1, slippage 2 + 2.
    """
    (row,) = _rows([*opening(), *trade("T", NS, won=True)], "SELECT * FROM trades")

    assert row == {
        "trade_id": "T",
        "seq": 10,
        "portfolio_id": "book",
        "run_id": "run1",
        "version": "0.1.0",
        "symbol": "EURUSD",
        "strategy": "ORB",
        "side": "long",
        "quantity": "100000",
        "trading_day": DAY,
        "signal_ns": NS,
        "entry_ns": NS,
        "entry_price": "1.1",
        "entry_fill": "1.10000",
        "stop": "1.09950",
        "target": "1.10050",
        "exit_ns": NS + 60_000_000_000,
        "exit_price": "1.1",
        "exit_fill": "1.10050",
        "exit_reason": "TARGET",
        "fees": "2",
        "slippage": "4",
        "spread": "2",
        "gross": "50",
        "pnl": "48",
        "risk": "50",
        "r": 0.96,
    }


def _scaled() -> list[Entry]:
    """Return a trade entered in two fills and left in three, over midnight.

    Entry: 60,000 at 1.10000 and 40,000 at 1.10010, mean (66,000 + 44,004) / 100,000 = 1.10004.
    Exit: 30,000 at 1.09900, 30,000 at 1.10100, 40,000 at 1.10101:
    (32,970 + 33,030 + 44,040.4) / 100,000 = 1.100404.
    """
    return [
        *opening(),
        intent("S", NS, stop=109_800),
        fill("S-1", "S", "S", "entry", 2 * NS, 110_000, lots=60_000, price="1.0999"),
        PlanSet(2 * NS, "S", 109_800, 110_300, NEVER_NS, Decimal(120)),
        fill("S-2", "S", "S", "entry", 3 * NS, 110_010, lots=40_000, price="1.1", fee="3"),
        PlanSet(3 * NS, "S", 109_800, 110_300, NEVER_NS, Decimal(204)),
        PlanSet(4 * NS, "S", 109_900, None, NEVER_NS, Decimal(104), reason="TRAIL"),
        fill("S-3", "S", "S", "stop", 5 * NS, 109_900, side=-1, lots=30_000, pnl="-31.2"),
        intent("S-X", 6 * NS, side=-1, lots=70_000, trade="S"),
        fill("S-4", "S-X", "S", "exit", 7 * NS, 110_100, side=-1, lots=30_000, pnl="28.8"),
        fill(
            "S-5",
            "S-X",
            "S",
            "exit",
            8 * NS,
            110_101,
            side=-1,
            lots=40_000,
            pnl="38.8",
            reason="TIME",
            day=DAY + 1,
        ),
    ]


def test_partial_fills_are_weighted_by_quantity() -> None:
    """Several fills make one price, the last plan of the entry the risk; the exit sets the day.

    By hand: gross -31.2 + 28.8 + 38.8 = 36.4, fees 3, net 33.4, R 33.4 / 204.
    """
    (row,) = _rows(_scaled(), "SELECT * FROM trades")

    assert _part(row, "quantity entry_price entry_fill stop target exit_fill risk") == {
        "quantity": "100000",
        "entry_price": "1.09994",
        "entry_fill": "1.10004",
        "stop": "1.09800",
        "target": "1.10300",
        "exit_fill": "1.100404",
        "risk": "204",
    }
    assert _part(row, "gross fees pnl spread slippage r trading_day exit_reason signal_ns") == {
        "gross": "36.4",
        "fees": "3",
        "pnl": "33.4",
        "spread": "5",
        "slippage": "10",
        "r": 33.4 / 204,
        "trading_day": DAY + 1,
        "exit_reason": "TIME",
        "signal_ns": NS,
    }


def test_a_mean_that_does_not_end_is_rounded_beyond_the_tick() -> None:
    """A third is kept to four decimals beyond the tick: (1.10000 + 2 x 1.10001) / 3."""
    entries = [
        *opening(),
        intent("S", NS, lots=3),
        fill("S-1", "S", "S", "entry", NS, 110_000, lots=1),
        fill("S-2", "S", "S", "entry", NS, 110_001, lots=2),
    ]

    (row,) = _rows(entries, "SELECT * FROM trades")

    assert row["entry_fill"] == "1.100006667"


def test_an_open_trade_has_no_exit_yet() -> None:
    """While open the exit's columns and R are empty; what was left already counts."""
    (row,) = _rows(_scaled()[:-1], "SELECT * FROM trades")

    assert _part(row, "seq exit_ns exit_price exit_fill exit_reason r trading_day gross pnl") == {
        "seq": 0,
        "exit_ns": None,
        "exit_price": None,
        "exit_fill": None,
        "exit_reason": None,
        "r": None,
        "trading_day": DAY,
        "gross": "-2.4",
        "pnl": "-5.4",
    }


def test_an_order_shows_its_state_and_how_much_is_filled() -> None:
    """The row follows the table of transitions, and the code of the last change."""
    sql = "SELECT intent_id, type, side, quantity, filled, state, code, changed_ns FROM orders"
    entries: list[Entry] = [
        *_scaled()[:-1],
        intent("C", 9 * NS),
        OrderChanged(9 * NS, "C", "LOSE", "TIMEOUT"),
    ]

    rows = [tuple(row.values()) for row in _rows(entries, f"{sql} ORDER BY seq")]

    assert rows == [
        ("S", "market", "long", "100000", "100000", "FILLED", "", 3 * NS),
        ("S-X", "market", "short", "70000", "30000", "PARTIAL", "", 7 * NS),
        ("C", "market", "long", "100000", "0", "UNKNOWN", "TIMEOUT", 9 * NS),
    ]


def test_equity_and_days_are_rows_as_well() -> None:
    """A day's net is its gross less fees."""
    entries = journal(trades=1)

    (equity,) = _rows(entries, "SELECT * FROM equity")
    (day,) = _rows(entries, "SELECT * FROM portfolio_days")

    assert _part(equity, "seq cash equity") == {"seq": 11, "cash": "100000", "equity": "100000"}
    assert _part(day, "day end_equity gross net fees trades") == {
        "day": DAY,
        "end_equity": "100488",
        "gross": "0",
        "net": "-12",
        "fees": "12",
        "trades": 1,
    }


def test_an_instrument_set_anew_changes_no_past_price() -> None:
    """A trade that is open while the tick changes keeps its prices."""
    finer = eurusd()
    tenth = type(finer)("EURUSD", "USD", finer.pip, Decimal("0.000001"), finer.lot, finer.lot)
    entries = [
        *opening(),
        intent("S", NS),
        fill("S-1", "S", "S", "entry", NS, 110_000),
        InstrumentSet(2 * NS, tenth),
        fill("S-2", "S", "S", "stop", 3 * NS, 1_100_500, side=-1, pnl="50"),
    ]

    (row,) = _rows(entries, "SELECT * FROM trades")

    assert (row["entry_fill"], row["exit_fill"]) == ("1.10000", "1.100500")


def test_grouping_and_restarts_change_no_row() -> None:
    """However entries are grouped, and wherever the fold is saved, the tables are the same."""
    entries = [*journal(), *_scaled()[3:]]
    with closing(rebuild(enumerate(entries, start=1))) as expected:
        for size in (1, 2, 3, 7, 1000):
            with closing(rebuild([])) as found:
                projector = Projector()
                for first in range(0, len(entries), size):
                    for seq, entry in enumerate(entries[first : first + size], start=first + 1):
                        projector.fold(seq, entry)
                    write(found, projector.take())
                    projector = Projector(projector.state())
                for table, key in TABLES.items():
                    sql = f"SELECT * FROM {table} ORDER BY {key}"
                    assert found.execute(sql).fetchall() == expected.execute(sql).fetchall()


@pytest.mark.parametrize(
    "entry",
    [
        intent("S", NS),
        OrderChanged(NS, "NOBODY", "ACCEPT"),
        OrderChanged(NS, "S", "SING"),
        OrderChanged(NS, "S", "SUBMIT"),
        fill("S-9", "NOBODY", "S", "entry", NS, 110_000),
        fill("S-9", "S", "NOBODY", "stop", NS, 110_000, side=-1),
        fill("S-9", "S", "S", "stop", NS, 110_000, side=-1, lots=100_001),
        PlanSet(NS, "NOBODY", 1, None, NEVER_NS, Decimal(1)),
    ],
)
def test_an_entry_that_contradicts_the_journal_is_refused(entry: Entry) -> None:
    """The projector refuses before the entry is durable, so that a restart does not meet it."""
    before = [
        *opening(),
        intent("S", NS, lots=200_000),
        fill("S-1", "S", "S", "entry", NS, 110_000),
    ]

    with pytest.raises(LedgerError):
        rebuild(enumerate([*before, entry], start=1))


def test_a_symbol_without_an_instrument_is_refused() -> None:
    """Ticks mean nothing before the instrument is set."""
    with pytest.raises(LedgerError, match="EURUSD"):
        rebuild(enumerate([opening()[0], intent("S", NS)], start=1))


@pytest.mark.parametrize("gap", [0, 2000])
def test_an_id_is_used_once(gap: int) -> None:
    """An execution or a trade id that comes back stops the transaction (FIL-1), however late."""
    fillers = [opening()[2]] * gap
    first, again = trade("T", NS, won=True), trade("T", 2 * NS, won=True)

    with pytest.raises((JournalError, LedgerError)):
        rebuild(enumerate([*opening(), *first, *fillers, *again], start=1))


def test_a_state_of_another_kind_is_refused() -> None:
    """A saved fold that cannot be read is said, not guessed at."""
    with pytest.raises(JournalError, match="projector"):
        Projector(b'{"seq":"many"}')
