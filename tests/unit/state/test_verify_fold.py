from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from state import codec
from state.errors import JournalError
from state.verify_fold import Finding, check
from state.writer import Writer
from tests.journals import fold, journal


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Write a whole journal with a snapshot in its middle and return where it is."""
    entries = journal()
    path = tmp_path / "journal.db"
    with Writer(path, "NORMAL") as writer:
        writer.submit(entries)
        writer.snapshot(30, 0, codec.encode_snapshot(fold(entries[:30])))
    return path


def _change(path: Path, *statements: str) -> list[Finding]:
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()
    return check(path)


def test_a_sound_journal_has_no_finding(path: Path) -> None:
    """What the writer wrote is proven equal to the fold."""
    assert check(path) == []


@pytest.mark.parametrize(
    ("statement", "name", "text"),
    [
        (
            "UPDATE journal SET payload = replace(payload, 'lunch', 'tea') WHERE kind = 'HaltSet'",
            "chain",
            "broken at entry 55",
        ),
        ("UPDATE journal SET chain = zeroblob(16) WHERE seq = 9", "chain", "broken at entry 9:"),
        ("DELETE FROM journal WHERE seq = 9", "chain", "entry 9 is missing, the next one is 10"),
        ("UPDATE journal SET payload = '{' WHERE seq = 9", "journal", "entry 9: "),
        ("UPDATE journal SET kind = 'Filled' WHERE seq = 9", "journal", "entry 9: its columns"),
        (
            "UPDATE trades SET r = 2.5 WHERE trade_id = 'T0'",
            "tables",
            "trades T0, r: found 2.5, the journal says 0.96",
        ),
        ("DELETE FROM orders WHERE intent_id = 'T1'", "tables", "orders T1 is missing"),
        (
            "UPDATE fills SET execution_id = 'X' WHERE execution_id = 'T0-1'",
            "tables",
            "fills paper/paper/EURUSD/X is there",
        ),
        ("DELETE FROM portfolio_days", "tables", "portfolio_days 737060 is missing"),
        ("UPDATE equity SET cash = '1' WHERE seq = 11", "tables", "equity 11, cash: found '1'"),
        ("UPDATE snapshots SET digest = 'x'", "snapshot", "do not have the digest"),
        ("UPDATE snapshots SET seq = 99", "snapshot", "the journal ends at"),
        ("PRAGMA user_version = 99", "schema", "found schema 99"),
    ],
)
def test_damage_is_found_and_named(path: Path, statement: str, name: str, text: str) -> None:
    """Every kind of damage gives a finding that says where it is."""
    findings = _change(path, statement)

    assert any(name == finding.check and text in finding.text for finding in findings), findings


def test_a_snapshot_that_differs_names_the_first_field(path: Path) -> None:
    """The finding says which field, and both values."""
    portfolio = fold(journal()[:30])
    portfolio.days[737_060].trades += 1
    payload = codec.encode_snapshot(portfolio)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(
            "UPDATE snapshots SET payload = ?, digest = ?", (payload, codec.digest(payload))
        )
        connection.commit()

    (finding,) = check(path)

    assert finding.check == "snapshot"
    assert "portfolio.days.737060.trades is 4 in the snapshot, 3 in the fold" in finding.text


def test_many_differences_are_counted_not_listed(path: Path) -> None:
    """A ruined table gives a few lines and a count."""
    findings = _change(path, "UPDATE fills SET fee = '7'")

    assert len(findings) == 6
    assert "more rows differ" in findings[-1].text


def test_a_file_damaged_on_disk_is_found(path: Path) -> None:
    """SQLite's own check comes first; nothing crashes on garbage."""
    content = bytearray(path.read_bytes())
    content[4096 * 3 : 4096 * 5] = bytes(8192)
    path.write_bytes(content)

    assert {finding.check for finding in check(path)} == {"database"}


def test_there_must_be_a_journal(tmp_path: Path) -> None:
    """A wrong path is not a clean bill of health."""
    with pytest.raises(JournalError, match="no journal"):
        check(tmp_path / "none.db")
