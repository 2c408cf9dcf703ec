from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from state import migrate
from state.errors import JournalError
from state.projected import TABLES


def _open(path: Path) -> sqlite3.Connection:
    return migrate.open_for_writing(path, "NORMAL")


def test_a_new_database_gets_every_table_and_opens_again(tmp_path: Path) -> None:
    """Opening twice migrates once."""
    for _ in range(2):
        with closing(_open(tmp_path / "journal.db")) as connection:
            names = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
            assert {"journal", "snapshots", "meta", *TABLES} <= names
            assert len(migrate.migrations()) == migrate.version(connection)
            assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_full_means_full(tmp_path: Path) -> None:
    """The live setting reaches SQLite (2 is FULL, 1 is NORMAL)."""
    with closing(migrate.open_for_writing(tmp_path / "a.db", "FULL")) as connection:
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    with closing(_open(tmp_path / "a.db")) as connection:
        assert connection.execute("PRAGMA synchronous").fetchone() == (1,)


def test_a_newer_database_is_refused_untouched(tmp_path: Path) -> None:
    """A newer foliod's journal is never migrated back."""
    path = tmp_path / "journal.db"
    with closing(_open(path)) as connection:
        connection.execute("PRAGMA user_version=99")
    before = path.read_bytes()

    with pytest.raises(JournalError, match="schema 99"):
        _open(path)

    assert before == path.read_bytes()


def test_a_database_of_another_program_is_refused(tmp_path: Path) -> None:
    """Neither another application id nor unknown tables are written into."""
    path = tmp_path / "photos.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE photo (id INTEGER)")

    with pytest.raises(JournalError, match="another program"):
        _open(path)
    with pytest.raises(JournalError, match="another program"):
        migrate.open_for_reading(path)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    """The text names the file and what SQLite found."""
    path = tmp_path / "notes.txt"
    path.write_text("not a database, by some length\n" * 100)

    with pytest.raises(JournalError, match=r"notes\.txt.*not a database"):
        _open(path)
    with pytest.raises(JournalError, match=r"notes\.txt"):
        migrate.open_for_reading(path)
    with pytest.raises(JournalError, match="no journal"):
        migrate.open_for_reading(tmp_path / "none.db")
    with pytest.raises(JournalError, match="cannot be opened"):
        _open(tmp_path / "no" / "folder.db")


def test_a_migration_that_fails_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A migration is applied whole or not at all."""
    path = tmp_path / "journal.db"
    folder = tmp_path / "migrations"
    folder.mkdir()
    (folder / "0001_begin.sql").write_text("CREATE TABLE one (a INTEGER);")
    monkeypatch.setattr(migrate, "_FOLDER", folder)
    _open(path).close()
    (folder / "0002_more.sql").write_text("CREATE TABLE two (a INTEGER); CREATE TABLE one (b);")

    with pytest.raises(JournalError, match="migration 2 failed and was undone"):
        _open(path)

    (folder / "0002_more.sql").write_text("CREATE TABLE two (a INTEGER);")
    with closing(_open(path)) as connection:
        assert migrate.version(connection) == 2


def test_migrations_have_no_gap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken installation is said, not half applied."""
    (tmp_path / "0002_more.sql").write_text("")
    monkeypatch.setattr(migrate, "_FOLDER", tmp_path)

    with pytest.raises(JournalError, match="gap"):
        migrate.migrations()


def test_a_read_only_connection_cannot_write(tmp_path: Path) -> None:
    """Readers never write, and a path with odd characters opens."""
    path = tmp_path / "odd #?%20 name.db"
    _open(path).close()

    with closing(migrate.open_for_reading(path)) as connection:
        assert connection.execute("SELECT * FROM journal").fetchall() == []
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            connection.execute("INSERT INTO meta VALUES ('a', 'b')")


def test_fills_of_a_database_from_before_are_kept_and_symbols_may_share_a_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S4: executions are numbered for each symbol; what was written before stays as it was."""
    path, folder = tmp_path / "journal.db", tmp_path / "migrations"
    folder.mkdir()
    for source in sorted(migrate._FOLDER.glob("000[123]_*.sql")):
        (folder / source.name).write_bytes(source.read_bytes())
    row = ("kraken", "main", "7", 1, "f1", "f1", "entry", "EURUSD", "orb", "long")
    more = ("10", "1.1", "1.1", 5, 9, "0", "0", "0", "0", "1")
    marks = ",".join("?" * 20)
    with monkeypatch.context() as older:
        older.setattr(migrate, "_FOLDER", folder)
        with closing(_open(path)) as connection:
            connection.execute(f"INSERT INTO fills VALUES ({marks})", row + more)
            with pytest.raises(sqlite3.IntegrityError):  # the control: it was refused before
                other = (*row[:7], "GBPUSD", *row[8:])
                connection.execute(f"INSERT INTO fills VALUES ({marks})", other + more)

    with closing(_open(path)) as connection:
        assert connection.execute("SELECT * FROM fills").fetchall() == [row + more]
        connection.execute(f"INSERT INTO fills VALUES ({marks})", other + more)
        with pytest.raises(sqlite3.IntegrityError):
            connection.execute(f"INSERT INTO fills VALUES ({marks})", other + more)
        assert connection.execute("SELECT count(*) FROM closed_trades").fetchone() == (0,)
