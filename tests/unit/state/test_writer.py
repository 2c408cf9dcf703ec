from __future__ import annotations

import asyncio
import math
import sqlite3
from concurrent.futures import Future
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from state import codec
from state.entries import CashMoved, CooldownCleared, DayRolled, EquityMarked
from state.errors import JournalError, LedgerError
from state.journal import BufferedSink, journal_bytes_digest, last_seq, read
from state.migrate import open_for_reading
from state.verify_fold import check
from state.writer import SNAPSHOTS_KEPT, Writer
from tests.journals import fold, intent, journal, opening


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the journal will be."""
    return tmp_path / "journal.db"


def _one(path: Path, sql: str) -> tuple[object, ...]:
    with closing(open_for_reading(path)) as connection:
        row: tuple[object, ...] = connection.execute(sql).fetchone()
        return row


def test_what_is_acknowledged_can_be_read(path: Path) -> None:
    """The future holds the number of the batch's last entry, and that entry is in the file."""
    entries = journal()

    with Writer(path, "FULL") as writer:
        assert writer.submit(entries[:5]).result() == 5
        assert [seq for seq, _ in read(path)] == [1, 2, 3, 4, 5]
        assert writer.submit(entries[5:]).result() == len(entries)
        assert writer.seq == len(entries)

    assert list(read(path)) == list(enumerate(entries, start=1))
    assert list(read(path, after_seq=7)) == list(enumerate(entries, start=1))[7:]
    assert last_seq(path) == len(entries)
    assert check(path) == []


def test_one_batch_or_many_make_the_same_bytes(tmp_path: Path) -> None:
    """The journal does not depend on how entries were grouped (DET-1)."""
    entries = journal()
    digests = set()
    for size in (1, 3, 1000):
        path = tmp_path / f"{size}.db"
        with Writer(path, "NORMAL") as writer:
            for first in range(0, len(entries), size):
                writer.submit(entries[first : first + size])
        digests.add(journal_bytes_digest(path))

    assert len(digests) == 1
    assert {_one(path, "SELECT hex(chain) FROM journal ORDER BY seq DESC")[0]} == {
        digest.upper() for digest in digests
    }


def test_batches_that_arrive_together_are_committed_in_order(path: Path) -> None:
    """Futures answer each with its own number, in the order of submission."""
    with Writer(path, "NORMAL") as writer:
        futures = [writer.submit([CooldownCleared(n, "EURUSD")]) for n in range(500)]
        barrier = writer.submit([])

        assert [future.result() for future in futures] == list(range(1, 501))
        assert barrier.result() == 500

    assert [entry.at_ns for _, entry in read(path)] == list(range(500))


def test_a_restart_goes_on_where_the_journal_ends(path: Path) -> None:
    """Numbers, chain and projection continue, with a saved fold or without one."""
    entries = journal()
    for number, entry in enumerate(entries, start=1):
        with Writer(path, "NORMAL") as writer:
            assert writer.submit([entry]).result() == number
        if number % 2:
            with closing(sqlite3.connect(path)) as connection:
                connection.execute("DELETE FROM meta")
                connection.commit()

    assert check(path) == []
    assert list(read(path)) == list(enumerate(entries, start=1))


def test_a_saved_fold_of_another_version_is_passed_over(path: Path) -> None:
    """The saved fold is a cache: unreadable, the journal is folded from its beginning."""
    entries = journal()
    with Writer(path, "NORMAL") as writer:
        writer.submit(entries[:20])
    with closing(sqlite3.connect(path)) as connection:
        connection.execute('UPDATE meta SET value = \'{"seq":"?"}\'')
        connection.commit()

    with Writer(path, "NORMAL") as writer:
        writer.submit(entries[20:])

    assert check(path) == []


def test_snapshots_are_kept_up_to_a_bound(path: Path) -> None:
    """The newest snapshots stay, each with its digest; one of the future is refused."""
    entries = journal()
    writer = Writer(path, "NORMAL")
    for number in range(1, 11):
        writer.submit([entries[number - 1]])
        payload = codec.encode_snapshot(fold(entries[:number]))
        assert writer.snapshot(number, number, payload).result() == number
    writer.meta("made_by", "0.1.0").result()
    with pytest.raises(JournalError, match="store's own"):
        writer.meta("projector", "{}")

    early = writer.snapshot(99, 0, b"")

    with pytest.raises(JournalError, match="after entry 99"):
        early.result()
    with pytest.raises(JournalError):
        writer.close()
    assert _one(path, "SELECT count(*), max(seq) FROM snapshots") == (SNAPSHOTS_KEPT, 10)
    assert _one(path, "SELECT value FROM meta WHERE key = 'made_by'") == ("0.1.0",)
    assert check(path) == []


@pytest.mark.parametrize(
    ("entry", "error"),
    [
        (EquityMarked(1, Decimal("NaN"), Decimal(0), Decimal(0)), JournalError),
        (
            DayRolled(1, 1, 2, Decimal(0), Decimal(0), Decimal(0), Decimal(0), 0, math.nan, 0),
            JournalError,
        ),
        (CooldownCleared(1 << 70, "instant beyond 64 bits"), JournalError),
        (intent("T0", 1), JournalError),
        (intent("OPEN", 1), LedgerError),
        (CashMoved(1, Decimal("Infinity"), ""), JournalError),
    ],
)
def test_one_bad_entry_takes_its_whole_transaction_with_it(
    path: Path, entry: EquityMarked, error: type[Exception]
) -> None:
    """Nothing of a failed transaction stays, its callers hear why, nothing more is taken."""
    entries = journal()
    writer = Writer(path, "NORMAL")
    writer.submit(entries).result()

    failed = writer.submit([entries[0], entry])

    with pytest.raises(error, match=f"Entries up to {len(entries)} are safe"):
        failed.result()
    with pytest.raises(error):
        writer.submit([])
    with pytest.raises(error):
        writer.close()
    assert last_seq(path) == len(entries)
    assert check(path) == []


def test_a_contradiction_stays_a_ledger_error(path: Path) -> None:
    """The class of an error decides the temperament, so it is kept."""
    with pytest.raises(LedgerError, match="no InstrumentSet"), Writer(path, "NORMAL") as writer:
        writer.submit([intent("A", 1)]).result()


async def test_a_cancelled_waiter_undoes_nothing(path: Path) -> None:
    """A caller that is cancelled knows nothing of its write; it re-reads and finds it whole."""
    with Writer(path, "FULL") as writer:
        for number in range(50):
            future = writer.submit([CooldownCleared(number, "A"), CooldownCleared(number, "B")])
            waiter = asyncio.ensure_future(asyncio.wrap_future(future))
            await asyncio.sleep(0)
            waiter.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiter
        # Somebody else's commit brings nothing half done with it.
        assert await asyncio.wrap_future(writer.submit([CooldownCleared(50, "C")])) == 101

    assert [entry.at_ns for _, entry in read(path)] == sorted([*range(50), *range(50), 50])
    assert check(path) == []


def test_a_closed_writer_takes_nothing(path: Path) -> None:
    """Close writes what waits, may be said twice, and leaves one file."""
    writer = Writer(path, "NORMAL")
    future = writer.submit(opening())
    writer.close()
    writer.close()

    assert future.result() == 3
    with pytest.raises(JournalError, match="closed"):
        writer.submit([])
    assert [file.name for file in path.parent.iterdir()] == ["journal.db"]


def test_a_full_inbox_makes_the_caller_wait_and_then_says_so(path: Path) -> None:
    """A disk that does not answer is an error of bounded patience, for submit and for close."""
    writer = Writer(path, "NORMAL", inbox_entries=2, patience_s=0.05)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        # Another connection that holds the write lock is a disk that does not answer.
        other.execute("BEGIN IMMEDIATE")
        futures: list[Future[int]] = []
        with pytest.raises(JournalError, match="have waited for the disk"):
            for number in range(5):
                futures.append(writer.submit([CooldownCleared(number, "A")] * 2))
        with pytest.raises(JournalError, match="has not answered"):
            writer.close()
        other.execute("ROLLBACK")

    assert [future.result() for future in futures] == [2 * n for n in range(1, len(futures) + 1)]


def test_the_log_stays_bounded(path: Path) -> None:
    """Thousands of commits leave a write-ahead log of a few megabytes (RES-1)."""
    with Writer(path, "NORMAL") as writer:
        for number in range(4000):
            writer.submit([CooldownCleared(number, "x" * 1000)])
            if number % 8 == 0:
                writer.submit([]).result()
        writer.submit([]).result()
        size = path.with_name("journal.db-wal").stat().st_size

    assert size < 20 * 1024 * 1024


def test_a_hole_in_the_journal_is_an_error_to_readers(path: Path) -> None:
    """Reading never skips an entry silently; a missing journal is said."""
    with Writer(path, "NORMAL") as writer:
        writer.submit(opening())
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DELETE FROM journal WHERE seq = 2")
        connection.commit()

    with pytest.raises(JournalError, match="entry 2 is missing"):
        list(read(path))
    with pytest.raises(JournalError, match="no journal"):
        list(read(path.with_name("none.db")))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TABLE journal")
    with pytest.raises(JournalError, match="cannot be read"):
        last_seq(path)
    with pytest.raises(JournalError, match="cannot be read"):
        list(read(path))
    with pytest.raises(JournalError, match="cannot be read"):
        Writer(path, "NORMAL")


async def test_the_sink_numbers_entries_as_the_writer_will(path: Path) -> None:
    """Extend returns the sequence number, drain gives everything once and in order."""
    sink = BufferedSink()
    entries = journal()

    assert [await sink.extend([entry]) for entry in entries] == list(range(1, len(entries) + 1))
    drained = sink.drain()

    assert drained == entries
    assert sink.drain() == []
    assert await BufferedSink(seq=41).extend(entries[:1]) == 42
    with Writer(path, "NORMAL") as writer:
        assert writer.submit(drained).result() == sink.seq


def test_only_what_a_disk_can_get_over_is_tried_again(path: Path) -> None:
    """With retry a bad entry is still the end at once: it would fail for ever."""
    writer = Writer(path, "NORMAL", retry=True)
    writer.submit(opening()).result()

    failed = writer.submit([EquityMarked(1, Decimal("NaN"), Decimal(0), Decimal(0))])

    with pytest.raises(JournalError, match="Entries up to 3 are safe"):
        failed.result()
    with pytest.raises(JournalError):
        writer.close()
    assert writer.blocked is None


def test_steps_are_counted_and_idleness_is_known(path: Path) -> None:
    """What a watchdog looks at: another count for each transaction, idle when all is written."""
    with Writer(path, "NORMAL") as writer:
        assert (writer.steps, writer.is_idle) == (0, True)
        writer.submit(opening()).result()
        assert (writer.steps, writer.is_idle) == (1, True)
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            future = writer.submit([])
            assert not writer.is_idle
            other.execute("ROLLBACK")
        future.result()


def test_entries_wait_until_what_they_follow_from_is_on_the_disk(path: Path) -> None:
    """DUR-1: ``inputs`` is asked before each attempt; nothing is written before it agrees."""
    said: list[str] = []
    refusals = iter([OSError(28, "No space left"), OSError(28, "still not")])

    def inputs() -> None:
        if (refusal := next(refusals, None)) is not None:
            said.append(f"journal ends at {last_seq(path)}")
            raise refusal

    writer = Writer(
        path, "NORMAL", retry=True, on_blocked=said.append, on_unblocked=lambda: said.append("free")
    )
    writer.inputs = inputs
    seq = writer.submit(opening()).result(timeout=30)
    writer.close()

    first, blocked, second, free = said
    assert first == second == "journal ends at 0"
    assert blocked.startswith(
        f"the bars that entries of {path} were decided from cannot be written"
    )
    assert "Free space on the disk" in blocked and "entries up to 0 are safe" in blocked
    assert free == "free"
    assert last_seq(path) == seq


def test_an_end_while_something_else_is_not_on_the_disk_is_told(path: Path) -> None:
    """The last attempt fails, and what was not written is said, with why."""

    def never() -> None:
        raise OSError(28, "No space left")

    writer = Writer(path, "NORMAL", retry=True)
    writer.inputs = never
    written = writer.submit(opening())

    with pytest.raises(
        JournalError, match=r"decided from cannot be written.*ENOSPC.*Entries up to 0"
    ):
        writer.close()
    with pytest.raises(JournalError):
        written.result(timeout=30)
    assert last_seq(path) == 0
