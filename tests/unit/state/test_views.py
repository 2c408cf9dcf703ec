"""The SQL views, and the page that documents them: every query on it runs (T1)."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.builders import ROOT
from tests.run_folders import two_days, write_run

PAGE = (ROOT / "docs/reference/sql.md").read_text(encoding="utf-8")
QUERIES = re.findall(r"^```sql\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """Return the database of the two days written by hand, opened as the page says."""
    path = write_run(tmp_path / "run", two_days()) / "foliod.db"
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        yield connection


def views(connection: sqlite3.Connection) -> list[str]:
    """Return the names of all views."""
    rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'view' ORDER BY name")
    return [name for (name,) in rows]


@pytest.mark.parametrize("query", QUERIES, ids=lambda text: text.split("FROM ")[1].split()[0])
def test_every_query_of_the_page_runs(database: sqlite3.Connection, query: str) -> None:
    """T1: the documented queries are tried, not only written."""
    assert database.execute(query).description


def test_every_view_is_documented_with_a_query(database: sqlite3.Connection) -> None:
    """T1: no view without its row on the page and its columns named, none asked by no query."""
    rows = dict(re.findall(r"^\| `(\w+)` \|(.*)$", PAGE, re.MULTILINE))
    asked = set(re.findall(r"FROM (\w+)", " ".join(QUERIES)))

    assert sorted(rows) == views(database)
    assert set(views(database)) - {"results_by_day"} <= asked
    for name in ("open_trades", "days", "nights", "equity_curve", "denials"):
        columns = [one[0] for one in database.execute(f"SELECT * FROM {name}").description]
        assert [
            one for one in columns if one != "trading_day" and f"`{one}`" not in rows[name]
        ] == []


def test_attribution_adds_up_trade_by_trade(database: sqlite3.Connection) -> None:
    """T1: by hand: gross 1.00 + spread 2 x 0.03 + slippage 2 x 0.02 = 1.10; less 0.20 is 0.90."""
    found = database.execute(
        "SELECT trading_day, edge, spread, slippage, fees, pnl, held_m, exit_at FROM closed_trades"
        " ORDER BY exit_at"
    ).fetchall()

    assert found[0][:7] == pytest.approx(("2017-01-05", 1.10, 0.06, 0.04, 0.10, 0.90, 60.0))
    assert found[0][7] == "2017-01-05T09:00:00Z"
    for _, edge, spread, slippage, fees, pnl, *_ in found:
        assert edge - spread - slippage - fees == pytest.approx(pnl)


def test_the_binding_denial_is_the_one_told(database: sqlite3.Connection) -> None:
    """R7: gate and code of the first gate that said no, with observed and limit."""
    found = database.execute(
        'SELECT strategy, gate, code, observed, "limit" FROM denials'
    ).fetchall()

    assert found == [
        ("orb", "window", "OUTSIDE_WINDOW", "1", "2"),
        ("lsg", "spacing", "SPACING", "1", "2"),
    ]


def test_sums_by_engine_day_and_month_agree(database: sqlite3.Connection) -> None:
    """T1: 0.90 - 0.55 = 0.35 whichever way it is added up; one trade is open."""
    for view in ("results_by_engine", "results_by_day", "results_by_month"):
        row = database.execute(f"SELECT sum(trades), sum(wins), sum(pnl), sum(r) FROM {view}")
        assert row.fetchone() == pytest.approx((2, 1, 0.35, 0.35))
    assert database.execute("SELECT strategy, entry_fill FROM open_trades").fetchall() == [
        ("orb", 1.052)
    ]


def test_the_underwater_curve_is_below_the_highest_mark(database: sqlite3.Connection) -> None:
    """By hand: 100.90, then 100.50: 0.40 / 100.90 below."""
    found = database.execute("SELECT underwater FROM equity_curve ORDER BY at").fetchall()

    assert [one for (one,) in found] == pytest.approx([0.0, 0.40 / 100.90])
