"""Backups beside a working writer: whole, checked, bounded in number (S2, DUR-1)."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import date
from itertools import islice
from pathlib import Path

import pytest

from state.backup import backup
from state.errors import DamagedError, JournalError
from state.journal import last_seq, read
from state.verify_fold import check
from state.writer import Writer
from tests.integration.journal_process import endless
from tests.journals import journal

DAY = date(2024, 1, 30).toordinal()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a database with a journal."""
    found = tmp_path / "foliod.db"
    with Writer(found, "FULL") as writer:
        writer.submit(journal())
    return found


def test_a_backup_is_the_database_of_that_moment(path: Path) -> None:
    """One file with the day's name, the same journal, and books that add up."""
    made = backup(path, path.parent / "backups", DAY)

    assert made == path.parent / "backups" / "2024-01-30.db"
    assert list(read(made)) == list(read(path))
    assert check(made) == []
    assert [one.name for one in made.parent.iterdir()] == ["2024-01-30.db"]


def test_a_backup_while_the_writer_writes_is_whole(tmp_path: Path) -> None:
    """The writer is not disturbed, and the copy is a whole beginning of its journal."""
    path = tmp_path / "foliod.db"
    entries = list(islice(endless(), 4_000))
    with Writer(path, "NORMAL") as writer:
        sizes = []
        for first in range(0, len(entries), 100):
            writer.submit(entries[first : first + 100])
            if first % 1_000 == 0:
                made = backup(path, tmp_path / "backups", DAY)
                assert check(made) == []
                sizes.append(last_seq(made))
                assert list(read(made)) == list(enumerate(entries[: sizes[-1]], start=1))
        assert writer.submit([]).result() == len(entries)

    assert sizes == sorted(sizes)
    assert check(path) == []


def test_a_backup_can_be_gone_on_with(path: Path) -> None:
    """Restored, it is a database like any other."""
    made = backup(path, path.parent / "backups", DAY)
    entries = journal()
    restored = path.with_name("restored.db")
    restored.write_bytes(made.read_bytes())

    with Writer(restored, "FULL") as writer:
        assert writer.seq == len(entries)


def test_the_newest_are_kept(path: Path) -> None:
    """Fourteen days stay; the same day is replaced; files of others are left alone."""
    folder = path.parent / "backups"
    folder.mkdir()
    (folder / "before-the-move.db").touch()
    for day in [*range(DAY - 20, DAY + 1), DAY]:
        backup(path, folder, day)

    names = sorted(one.name for one in folder.iterdir())
    assert names[0] == "2024-01-17.db"
    assert names[-2:] == ["2024-01-30.db", "before-the-move.db"]
    assert len(names) == 14 + 1

    backup(path, folder, DAY + 1, keep=1)
    assert sorted(one.name for one in folder.iterdir()) == ["2024-01-31.db", "before-the-move.db"]


def test_a_damaged_database_makes_no_backup(path: Path) -> None:
    """The copy is checked before it takes a name: the good one of yesterday stays."""
    folder = path.parent / "backups"
    backup(path, folder, DAY)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE journal SET payload = replace(payload, '1', '2') WHERE seq = 9")
        connection.commit()

    with pytest.raises(DamagedError, match="entry 9"):
        backup(path, folder, DAY + 1)

    assert [one.name for one in folder.iterdir()] == ["2024-01-30.db"]


def test_a_folder_that_cannot_be_made_is_said(path: Path) -> None:
    """A failure has the name of what was to be copied and where."""
    (path.parent / "backups").touch()

    with pytest.raises(JournalError, match=r"no backup of .*foliod\.db"):
        backup(path, path.parent / "backups", DAY)
    with pytest.raises(JournalError, match="no backup"):
        backup(path.with_name("none.db"), path.parent / "more", DAY)


def test_leftovers_of_a_killed_backup_are_no_backup(path: Path) -> None:
    """What a crash left half done is overwritten by the next and never counted."""
    folder = path.parent / "backups"
    folder.mkdir()
    (folder / ".2024-01-30.db.tmp").write_bytes(b"half")

    backup(path, folder, DAY, keep=1)

    assert [one.name for one in folder.iterdir()] == ["2024-01-30.db"]
