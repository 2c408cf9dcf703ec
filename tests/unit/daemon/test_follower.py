"""The files beside a daemon's journal: made by following the database, whatever stood there."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from adapters.clock import SystemClock
from daemon.runtime.derived_lines import DerivedLines
from daemon.runtime.equity_file import EquityFiles, engine_file
from daemon.runtime.events_file import EventsFile
from daemon.runtime.follower import CODE, JournalFollower
from daemon.runtime.run_log import RunLog
from daemon.runtime.tasks.follower import FollowerTask
from daemon.runtime.trade_log import ClosedTrades, TradeLog
from state.entries import Entry, RunEnded, RunStarted
from state.queries import open_book
from state.writer import Writer
from tests.run_folders import T0, beginning, opening, two_days

ENGINES = [("EURUSD", "orb"), ("EURUSD", "lsg")]
ORB = engine_file("EURUSD", "orb")
EVENTS = "logs/events-20170106.jsonl"


class Heard(io.StringIO):
    """A stream that says when something was written to it."""

    def __init__(self) -> None:
        """Begin with nothing written."""
        super().__init__()
        self.heard = asyncio.Event()

    def write(self, text: str) -> int:
        """Write and say so."""
        self.heard.set()
        return super().write(text)


async def _pause() -> None:
    """Let nobody else work: there is nobody."""


def _follower(home: Path, engines: Sequence[tuple[str, str]] = ENGINES) -> JournalFollower:
    return JournalFollower(home, "main", engines, _pause)


async def _follow(home: Path, follower: JournalFollower | None = None) -> JournalFollower:
    mine = follower or _follower(home)
    async with open_book(home / "foliod.db") as book:
        await mine.follow(book)
    if follower is None or mine.alerts:
        mine.close()
    return mine


def _record(home: Path, entries: Sequence[Entry]) -> None:
    home.mkdir(exist_ok=True)
    with Writer(home / "foliod.db", "NORMAL") as writer:
        writer.submit(list(entries)).result()


def _files(home: Path) -> dict[str, bytes]:
    """Return every derived file by its name."""
    found = [*home.glob("*.csv"), *home.glob("logs/events-*.jsonl")]
    return {str(one.relative_to(home)): one.read_bytes() for one in found}


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Return the files that one who writes entry by entry makes of the two days."""
    home = tmp_path_factory.mktemp("expected")
    events, closed = EventsFile(home / "logs", "main", "rabc"), ClosedTrades()
    trades, equity = TradeLog(home / "trades.csv"), EquityFiles(home, ENGINES)
    for seq, entry in enumerate(two_days(), start=1):
        events.take(seq, entry)
        closed.take(seq, entry)
        equity.take(entry)
        found = closed.closed()
        trades.add(found)
        equity.add(found)
        equity.flush()
    events.close()
    trades.close()
    return _files(home)


@pytest.mark.parametrize("count", range(1, len(two_days()) + 1))
async def test_wherever_the_one_before_stopped_nothing_is_lost_or_doubled(
    tmp_path: Path, expected: dict[str, bytes], count: int
) -> None:
    """DUR-2: a second follower goes on where the files of the first one end."""
    home = tmp_path / "home"
    _record(home, two_days()[:count])
    await _follow(home)
    _record(home, two_days()[count:])
    follower = await _follow(home)

    assert _files(home) == expected
    assert follower.alerts == {}
    assert follower.notes == []


async def test_one_follower_takes_what_is_new(tmp_path: Path, expected: dict[str, bytes]) -> None:
    """Entry by entry, by the same follower."""
    home, follower = tmp_path / "home", _follower(tmp_path / "home")
    for entry in two_days():
        _record(home, [entry])
        await _follow(home, follower)
    follower.close()
    assert _files(home) == expected


@pytest.mark.parametrize("name", ["trades.csv", ORB, "equity_portfolio.csv", EVENTS])
@pytest.mark.parametrize("cut", [1, 10])
async def test_a_torn_end_is_made_whole(
    tmp_path: Path, expected: dict[str, bytes], name: str, cut: int
) -> None:
    """DUR-2: what a crash tore is cut and written again."""
    home = tmp_path / "home"
    _record(home, two_days())
    await _follow(home)
    path = home / name
    path.write_bytes(path.read_bytes()[:-cut])
    await _follow(home)
    assert _files(home) == expected


@pytest.mark.parametrize("name", ["trades.csv", ORB, "equity_portfolio.csv"])
@pytest.mark.parametrize("change", ["edited", "longer", "gone"])
async def test_a_file_that_says_something_else_is_written_anew(
    tmp_path: Path, expected: dict[str, bytes], name: str, change: str
) -> None:
    """T1: the file says what the journal says, not what somebody made of it."""
    home = tmp_path / "home"
    _record(home, two_days())
    await _follow(home)
    path = home / name
    content = path.read_bytes()
    lines = content.splitlines(keepends=True)
    if change == "gone":
        path.unlink()
    else:
        path.write_bytes(content.replace(lines[-1], b"x" + lines[-1]))
    if change == "longer":
        path.write_bytes(content + lines[-1])
    follower = await _follow(home)
    assert _files(home) == expected
    assert bool(follower.notes) == (change != "gone")


async def test_events_of_another_journal_are_set_aside(
    tmp_path: Path, expected: dict[str, bytes]
) -> None:
    """A database put back from a backup: its events are written anew, the others kept."""
    home = tmp_path / "home"
    _record(home, two_days())
    (home / "logs").mkdir()
    line = {"ts": "2017-01-07T00:00:00Z", "seq": 900, "kind": "Decided"}
    other = json.dumps(line).encode() + b"\n"
    (home / "logs" / "events-20170107.jsonl").write_bytes(other)
    follower = await _follow(home)
    assert _files(home) == expected
    assert (home / "logs" / "events-20170107.jsonl.aside").read_bytes() == other
    assert "set aside" in follower.notes[0]


@pytest.mark.parametrize("name", ["trades.csv", ORB, "equity_portfolio.csv", EVENTS])
async def test_a_file_that_cannot_be_written_alarms_and_the_rest_goes_on(
    tmp_path: Path, expected: dict[str, bytes], name: str
) -> None:
    """T1: one of them fails, the others are whole; and it is whole when it can be written again."""
    home = tmp_path / "home"
    _record(home, two_days())
    (home / name).mkdir(parents=True)
    follower = await _follow(home)

    others = {one: content for one, content in expected.items() if one != name}
    found = _files_but(home, name)
    if name == EVENTS:
        others = {one: content for one, content in others.items() if "logs" not in one}
        found = {one: content for one, content in found.items() if "logs" not in one}
    assert found == others
    assert [one.code for one in follower.alert_list()] == [CODE]

    (home / name).rmdir()
    await _follow(home, follower)
    follower.close()
    assert _files(home) == expected
    assert follower.alert_list() == []


def _files_but(home: Path, name: str) -> dict[str, bytes]:
    found = [*home.glob("*.csv"), *home.glob("logs/events-*.jsonl")]
    names = {str(one.relative_to(home)): one for one in found}
    return {one: path.read_bytes() for one, path in names.items() if one != name}


async def test_reopened_it_writes_where_the_file_was_moved_from(tmp_path: Path) -> None:
    """Rotation by hand: the events that follow go to a file of that name, not to the moved one."""
    home, follower = tmp_path / "home", _follower(tmp_path / "home")
    entries = two_days()
    _record(home, entries[:-1])
    await _follow(home, follower)
    follower.reopen()
    (home / EVENTS).rename(home / "moved")
    (home / "trades.csv").rename(home / "moved too")
    _record(home, entries[-1:])
    await _follow(home, follower)
    follower.close()
    assert b"RunEnded" in (home / EVENTS).read_bytes()
    assert (home / "trades.csv").read_bytes() == (home / "moved too").read_bytes()


async def test_lines_bear_the_run_that_they_are_of(tmp_path: Path) -> None:
    """U4: after a restart that was itself killed, each event still has its own run's id."""
    home = tmp_path / "home"
    later = T0 + 1
    _record(home, [*beginning(), RunEnded(T0, "rabc", "STOPPED")])
    await _follow(home)
    _record(home, [RunStarted(later, "rdef", "0.1.0", "paper", "cafe")])
    await _follow(home)
    _record(home, opening("t1", later, "orb", 1, 105_000))
    await _follow(home)
    text = (home / "logs/events-20170105.jsonl").read_text()
    lines = [json.loads(one) for one in text.splitlines()]
    assert [(one["kind"], one["run_id"]) for one in lines[:4]] == [
        ("RunStarted", "rabc"),
        ("RunEnded", "rabc"),
        ("RunStarted", "rdef"),
        ("Decided", "rdef"),
    ]


async def test_a_plan_names_its_symbol_after_a_restart(tmp_path: Path) -> None:
    """What the dead one knew of instruments and trades is read from the database."""
    home, entries = tmp_path / "home", [*beginning(), *opening("t1", T0, "orb", 1, 105_000)]
    _record(home, entries[:-1])
    await _follow(home)
    _record(home, entries[-1:])
    await _follow(home)
    last: dict[str, Any] = json.loads(
        (home / "logs/events-20170105.jsonl").read_text().splitlines()[-1]
    )
    assert (last["kind"], last["symbol"], last["stop"]) == ("PlanSet", "EURUSD", "1.04900")


async def test_the_curves_of_another_set_of_engines_still_add_up(tmp_path: Path) -> None:
    """An engine that left keeps its curve when it traded; shares are of all curves there are."""
    home = tmp_path / "home"
    _record(home, two_days())
    await _follow(home)
    follower = _follower(home, [("EURUSD", "new"), ("EURUSD", "orb")])
    await _follow(home, follower)
    follower.close()
    last = {
        path.stem: path.read_text().splitlines()[-1].split(",")[1]
        for path in home.glob("equity_EURUSD_*.csv")
    }
    assert {name.rpartition("_")[2]: value for name, value in last.items()} == {
        "new": "33.33333333",
        "orb": "34.23333333",  # + 0.90
        "lsg": "32.78333333",  # - 0.55
    }


async def test_the_task_follows_until_its_end_and_says_each_problem_once(
    tmp_path: Path, expected: dict[str, bytes]
) -> None:
    """What was recorded right before the end is in the files; a problem is logged when it comes."""
    home, text = tmp_path / "home", Heard()
    _record(home, two_days()[:-1])
    (home / "trades.csv").mkdir()
    seq = len(two_days()) - 1
    log = RunLog(text, SystemClock(), dict)
    task = FollowerTask(home, "main", ENGINES, lambda: seq, log)
    running = asyncio.create_task(task.run())
    async with asyncio.timeout(30):
        await text.heard.wait()
    assert [one.code for one in task.alerts()] == [CODE]
    (home / "trades.csv").rmdir()
    _record(home, two_days()[-1:])
    task.end()
    await running
    assert _files(home) == expected
    assert task.alerts() == []
    said = [json.loads(line) for line in text.getvalue().splitlines()]
    assert [(one["level"], one["file"]) for one in said] == [
        ("error", "trades.csv"),
        ("info", "trades.csv"),
    ]


async def test_a_database_that_cannot_be_read_stops_nothing(tmp_path: Path) -> None:
    """The task says so and ends when it is told to."""
    text = Heard()
    log = RunLog(text, SystemClock(), dict)
    task = FollowerTask(tmp_path, "main", ENGINES, lambda: 1, log)
    running = asyncio.create_task(task.run())
    async with asyncio.timeout(30):
        await text.heard.wait()
    task.end()
    await running
    said = [json.loads(line) for line in text.getvalue().splitlines()]
    assert [one["file"] for one in said] == ["foliod.db"]


def test_a_file_that_somebody_changes_meanwhile_is_not_written_to(tmp_path: Path) -> None:
    """Lines go after the line that was compared, never after somebody else's."""
    path = tmp_path / "x"
    lines = DerivedLines(path)
    lines.open()
    lines.give(b"1\n")
    lines.flush()
    path.write_bytes(b"other\n")
    lines.give(b"2\n")
    with pytest.raises(OSError, match="changed by somebody else"):
        lines.flush()
    assert not lines.is_open
    assert path.read_bytes() == b"other\n"
