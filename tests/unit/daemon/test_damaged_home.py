"""A damaged database is refused with the way back, or healed; never taken for an empty one."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from itertools import islice
from pathlib import Path

import pytest

from adapters.feeds.events import FILLED, LIVE, REPLAYED, BarClosed
from adapters.feeds.recorder import Recorder
from daemon.runtime import surroundings
from daemon.runtime.home import check_home, repair_lines
from state import verify_fold
from state.backup import backup
from state.bars import Bar
from state.errors import DamagedError, ExitCode, JournalError
from state.journal import last_seq
from state.units import MINUTE_NS
from state.writer import Writer
from tests.homes import write_home
from tests.integration.journal_process import endless

DATABASE = "foliod.db"
ENTRIES = list(islice(endless(), 400))
CHECKPOINTED = 380
DAY = 738_915


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a daemon that was killed."""
    return write_home(tmp_path_factory.mktemp("kept") / "main", ENTRIES, checkpointed=CHECKPOINTED)


@pytest.fixture
def home(kept: Path, tmp_path: Path) -> Path:
    """Return a copy of it to damage."""
    return Path(shutil.copytree(kept, tmp_path / "main"))


def come_up(home: Path) -> int:
    """Come up as a daemon does, as far as the store is concerned; return the last entry."""
    check_home(home)
    with Writer(home / DATABASE, "FULL") as writer:
        return writer.seq


def _change(home: Path, *statements: str) -> None:
    """Change the database from outside, as nobody should."""
    with closing(sqlite3.connect(home / DATABASE, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


def _checkpoint(home: Path) -> None:
    """Move everything into the database file."""
    _change(home, "PRAGMA wal_checkpoint(TRUNCATE)")


def _flip_payload(home: Path) -> None:
    """Change one byte of one entry in the file itself."""
    _checkpoint(home)
    path = home / DATABASE
    content = path.read_bytes()
    with closing(sqlite3.connect(path)) as connection:
        (payload,) = connection.execute("SELECT payload FROM journal WHERE seq = 395").fetchone()
    where = content.index(bytes(payload)) + bytes(payload).index(b'"at_ns":') + 9
    changed = bytes([content[where] ^ 1])
    path.write_bytes(content[:where] + changed + content[where + 1 :])


def _zero_first_page(home: Path) -> None:
    _checkpoint(home)
    with (home / DATABASE).open("r+b") as file:
        file.write(bytes(4096))


def _garbage(home: Path) -> None:
    (home / DATABASE).write_bytes(b"not ours " * 12_000)


def _halve(home: Path) -> None:
    _checkpoint(home)
    os.truncate(home / DATABASE, (home / DATABASE).stat().st_size // 8192 * 4096)


def _older_copy(home: Path) -> None:
    for path in home.glob(f"{DATABASE}*"):
        path.unlink()
    with Writer(home / DATABASE, "FULL") as writer:
        writer.submit(ENTRIES[:100])


def _without_tables(home: Path) -> None:
    """Leave what the first moment of a database leaves when its log is removed: an empty page."""
    for path in home.glob(f"{DATABASE}*"):
        path.unlink()
    _change(home, "PRAGMA journal_mode=WAL")


def _overwrite_middle(home: Path) -> None:
    _checkpoint(home)
    with (home / DATABASE).open("r+b") as file:
        file.seek((home / DATABASE).stat().st_size // 8192 * 4096)
        file.write(b"\xff" * 32_768)


def _cut_without_logs(home: Path) -> None:
    shutil.rmtree(home / "logs")
    _change(home, "DELETE FROM journal WHERE seq > 397")


REFUSED: list[tuple[str, Callable[[Path], object], str]] = [
    ("garbage instead of a database", _garbage, "is damaged"),
    (
        "first page zeroed",
        _zero_first_page,
        "not a database",
    ),
    ("cut in half", _halve, "malformed"),
    (
        "pages in the middle overwritten",
        _overwrite_middle,
        "is damaged",
    ),
    ("database removed", lambda home: (home / DATABASE).unlink(), "it is missing, while run.json"),
    ("database emptied", lambda home: os.truncate(home / DATABASE, 0), "it is empty, while"),
    ("database without tables", _without_tables, "no such table"),
    ("log removed", lambda home: (home / f"{DATABASE}-wal").unlink(), "ends at entry 380"),
    (
        "log overwritten",
        lambda home: (home / f"{DATABASE}-wal").write_bytes(b"not ours " * 6_000),
        "ends at entry 380",
    ),
    (
        "log cut",
        lambda home: os.truncate(home / f"{DATABASE}-wal", 5_000),
        "ends at entry 380",
    ),
    ("an older copy in its place", _older_copy, "ends at entry 100"),
    ("byte flipped in an entry", _flip_payload, "entry 395 or its link"),
    (
        "entry rewritten",
        lambda home: _change(
            home, "UPDATE journal SET payload = replace(payload, 'e', 'f') WHERE seq = 390"
        ),
        "entry 390 or its link",
    ),
    (
        "link rewritten",
        lambda home: _change(home, "UPDATE journal SET chain = 'nonsense' WHERE seq = 385"),
        "entry 385 or its link",
    ),
    (
        "entry removed",
        lambda home: _change(home, "DELETE FROM journal WHERE seq = 391"),
        "entry 391 is missing",
    ),
    (
        "last entries removed",
        lambda home: _change(home, "DELETE FROM journal WHERE seq > 397"),
        "ends at entry 397",
    ),
    (
        "last entries removed, nothing else tells of them",
        _cut_without_logs,
        "snapshot after entry 400",
    ),
    ("journal dropped", lambda home: _change(home, "DROP TABLE journal"), "no such table"),
]


@pytest.mark.parametrize(
    ("damage", "found"), [(d, f) for _, d, f in REFUSED], ids=[name for name, _, _ in REFUSED]
)
def test_damage_is_refused_with_the_way_back(
    home: Path, damage: Callable[[Path], object], found: str
) -> None:
    """Exit status 65, what is damaged, where the backup is, and the commands that restore it."""
    fresh = Path(shutil.copytree(home, home.with_name("fresh")))
    backup(fresh / DATABASE, home / "backups", DAY)
    damage(home)

    with pytest.raises(DamagedError) as caught:
        come_up(home)

    text = str(caught.value)
    assert found in text
    assert caught.value.exit_code == ExitCode.DATA
    assert f"foliod verify {home}" in text
    assert "the newest 2024-01-30.db" in text
    assert "docs/operating/recovery.md" in text
    (commands,) = [line for line in text.splitlines() if line.startswith("  cd ")]
    assert os.system(commands) == 0
    assert come_up(home) == len(ENTRIES)
    assert verify_fold.check(home / DATABASE) == []


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("PRAGMA application_id = 7", "another program"),
        ("PRAGMA user_version = 99", "schema 99"),
        ("PRAGMA user_version = 0", "migration 1 failed and was undone"),
    ],
)
def test_another_programs_or_versions_database_is_refused(
    home: Path, statement: str, found: str
) -> None:
    """What is not this version's is no damage to repair: exit status 74, and it is left alone."""
    _change(home, statement)

    with pytest.raises(JournalError, match=found) as caught:
        come_up(home)

    assert caught.value.exit_code == ExitCode.JOURNAL


def _torn_log(home: Path) -> None:
    """Append what a power cut may leave: the beginning of a commit that nobody acknowledged."""
    with (home / f"{DATABASE}-wal").open("ab") as file:
        file.write(b"not ours " * 700)


HEALED: list[tuple[str, Callable[[Path], object]]] = [
    ("killed", lambda home: None),
    ("index of the log removed", lambda home: (home / f"{DATABASE}-shm").unlink()),
    (
        "index of the log overwritten",
        lambda home: (home / f"{DATABASE}-shm").write_bytes(b"not ours" * 4_096),
    ),
    ("log with a torn end", _torn_log),
    (
        "snapshot damaged",
        lambda home: _change(home, "UPDATE snapshots SET payload = 'nonsense'"),
    ),
    (
        "saved fold damaged",
        lambda home: _change(
            home, "UPDATE meta SET value = replace(value, '1', '2') WHERE key = 'projector'"
        ),
    ),
    (
        "saved fold no text",
        lambda home: _change(home, "UPDATE meta SET value = CAST(x'ff00fe' AS TEXT)"),
    ),
]


@pytest.mark.parametrize("damage", [d for _, d in HEALED], ids=[name for name, _ in HEALED])
def test_damage_to_what_is_derived_is_healed(home: Path, damage: Callable[[Path], object]) -> None:
    """Caches and the unacknowledged are no reason to refuse: every entry is there."""
    damage(home)

    assert come_up(home) == len(ENTRIES)
    findings = verify_fold.check(home / DATABASE)
    assert [one for one in findings if one.check != "snapshot"] == []


def test_a_new_portfolio_is_let_pass(tmp_path: Path) -> None:
    """Nothing there, nothing to lose: the first start."""
    check_home(tmp_path)
    (tmp_path / "lock").touch()
    check_home(tmp_path)


def test_a_first_page_that_was_torn_is_begun_again(tmp_path: Path) -> None:
    """The power went while SQLite wrote the very first page: its own journal takes that back."""
    head = bytes.fromhex("d9d505f920a163d7 00000000 e359718f 00000000 00000200 00001000")
    (tmp_path / f"{DATABASE}-journal").write_bytes(head.ljust(512, b"\0"))
    (tmp_path / DATABASE).write_bytes(bytes(512) + b"\x01" * 3_584)

    assert come_up(tmp_path) == 0


def test_a_start_that_ended_while_it_made_the_database_is_begun_again(tmp_path: Path) -> None:
    """The power went before the first transaction: no entry can be missing."""
    home = tmp_path / "main"
    home.mkdir()
    _without_tables(home)

    assert surroundings.database(home / DATABASE).level == "ok"
    assert come_up(home) == 0


@pytest.mark.parametrize("provenance", [FILLED, REPLAYED])
def test_a_start_that_ended_in_its_warm_up_is_begun_again(tmp_path: Path, provenance: str) -> None:
    """Nothing was decided from bars of the history, whole or torn: no entry can be missing."""
    _record(tmp_path / "recorded", provenance, provenance)

    check_home(tmp_path)
    with open(next((tmp_path / "recorded").iterdir()), "ab") as file:
        file.write(b'{"t":"bar"')
    check_home(tmp_path)


@pytest.mark.parametrize("damage", [False, True])
def test_a_recording_of_live_bars_is_no_new_portfolio(tmp_path: Path, *, damage: bool) -> None:
    """Control: one bar that came over a line is enough; so is a recording that cannot be read."""
    _record(tmp_path / "recorded", FILLED, FILLED if damage else LIVE)
    if damage:
        path = next((tmp_path / "recorded").iterdir())
        path.write_bytes(path.read_bytes().replace(b"1.1", b"1.2"))

    with pytest.raises(DamagedError, match="it is missing, while recorded tell"):
        check_home(tmp_path)


def _record(folder: Path, *provenances: str) -> None:
    with Recorder(folder, is_durable=False) as recorder:
        for number, provenance in enumerate(provenances):
            at_ns = number * MINUTE_NS
            bar = Bar(at_ns, at_ns + MINUTE_NS, 1.1, 1.1, 1.1, 1.1)
            recorder.add(BarClosed("EURUSD", MINUTE_NS, bar, provenance, bar.close_ns))


@pytest.mark.parametrize("trace", ["run.json", "logs", "recorded/bars-2024-01-30.jsonl"])
def test_a_database_without_tables_is_no_new_one_where_a_trace_is(
    tmp_path: Path, trace: str
) -> None:
    """Control: whatever a portfolio at work leaves tells that entries were there."""
    home = tmp_path / "main"
    (home / trace).mkdir(parents=True)
    _without_tables(home)

    with pytest.raises(DamagedError, match=trace.partition("/")[0]):
        come_up(home)


def test_without_a_backup_the_text_says_so(home: Path) -> None:
    """No command is shown that could not work."""
    (home / DATABASE).unlink()

    with pytest.raises(DamagedError, match="there is no backup in"):
        check_home(home)


def test_nothing_is_changed_by_refusing(home: Path) -> None:
    """What can be saved from a damaged database must not be made worse."""
    _flip_payload(home)
    before = (home / DATABASE).read_bytes()

    with pytest.raises(DamagedError):
        come_up(home)

    assert (home / DATABASE).read_bytes() == before
    assert last_seq(home / DATABASE) == len(ENTRIES)


def test_torn_lines_are_cut_at_the_start_and_told(home: Path) -> None:
    """DUR-2: the newest file of each kind, before anybody appends to it or to a newer one."""
    (status,) = (home / "logs").glob("portfolio_live_*")
    whole = status.read_bytes()
    status.write_bytes(whole + b'{"schema":1,')
    events = home / "logs" / "events-20170105.jsonl"
    events.write_bytes(b'{"seq":1}\n{"s')

    assert repair_lines(home) == [
        f"{status.name}: cut 12 bytes of a torn last line",
        "events-20170105.jsonl: cut 3 bytes of a torn last line",
    ]
    assert (status.read_bytes(), events.read_bytes()) == (whole, b'{"seq":1}\n')
    assert repair_lines(home) == []


def test_a_power_cut_tears_the_days_before_too(tmp_path: Path) -> None:
    """DUR-2: what was written shortly before midnight need not be on the disk when it is over."""
    logs = tmp_path / "logs"
    logs.mkdir()
    before, after = logs / "events-20240115.jsonl", logs / "events-20240116.jsonl"
    before.write_bytes(b'{"seq":1}\n{"seq":')
    after.write_bytes(b'{"seq":7}\n')

    assert repair_lines(tmp_path) == [f"{before.name}: cut 7 bytes of a torn last line"]
    assert before.read_bytes() == b'{"seq":1}\n'
