"""What is due at the end of a trading day, and what is remembered of it (T2, C2)."""

from __future__ import annotations

import asyncio
import io
import json
from datetime import date
from pathlib import Path

import pytest

from adapters.clock import SystemClock
from daemon.runtime.closing import Due, Wanted, keep_closed, last_closed, look, steps
from daemon.runtime.run_log import RunLog
from daemon.runtime.tasks.end_of_day import EndOfDayTask
from state.queries import open_book
from tests.run_folders import DAY_ONE, DAY_TWO, two_days, write_run


def _day(year: int, month: int, day: int) -> int:
    return date(year, month, day).toordinal()


def _kinds(due: Due, wanted: Wanted | None = None) -> list[str]:
    found = steps(Path("/home"), due, wanted or Wanted())
    assert all(one.arguments[0] == "report" and one.arguments[2] == "/home" for one in found)
    return [" ".join((one.arguments[1], *one.arguments[3:])) for one in found]


@pytest.mark.parametrize(
    ("closed", "present", "expected"),
    [
        ((2024, 1, 16), (2024, 1, 18), ["day"]),
        ((2024, 1, 18), (2024, 1, 22), ["day", "week"]),
        ((2024, 1, 30), (2024, 2, 1), ["day", "month", "inception"]),
        ((2024, 1, 12), (2024, 2, 5), ["day", "week", "month", "inception"]),
    ],
)
def test_weekly_and_monthly_reports_come_at_their_ends(
    closed: tuple[int, int, int], present: tuple[int, int, int], expected: list[str]
) -> None:
    """Every period that ended since the day closed last, also over days missed while down."""
    assert _kinds(Due(_day(*closed), _day(*present), True, 0)) == expected


def test_before_the_roll_only_the_daily_report_is_due() -> None:
    """The alarm's provisional report; no period has ended, no day can be proven whole."""
    assert _kinds(Due(_day(2024, 1, 30), _day(2024, 1, 31), False, 0)) == ["day"]


def test_a_day_with_decisions_is_proven() -> None:
    """Parity is of the last day with decisions, and can be left out."""
    due = Due(_day(2024, 1, 16), _day(2024, 1, 18), True, _day(2024, 1, 17))
    assert _kinds(due) == ["day", "parity --day 2024-01-17"]
    assert _kinds(due, Wanted(parity=False)) == ["day"]
    assert _kinds(due, Wanted(reports=False)) == []
    never = Due(0, _day(2024, 1, 18), True, 0)
    assert _kinds(never) == ["day", "week", "month", "inception"]
    assert _kinds(never, Wanted(analytics=False)) == ["day"]


@pytest.mark.parametrize("content", [b"", b"{}", b'{"closed": "soon"}', b"\xff"])
def test_a_damaged_memory_counts_as_none(tmp_path: Path, content: bytes) -> None:
    """Everything is then done again, which changes nothing."""
    keep_closed(tmp_path, DAY_ONE)
    assert last_closed(tmp_path) == DAY_ONE
    (tmp_path / "reports" / "end-of-day.json").write_bytes(content)
    assert last_closed(tmp_path) == 0


async def test_what_is_due_is_read_from_the_database(tmp_path: Path) -> None:
    """Day one rolled, day two goes on; both have decisions."""
    home = write_run(tmp_path / "home", two_days())
    async with open_book(home / "foliod.db") as book:
        assert await look(book, home, is_over=False) == Due(0, DAY_TWO, True, DAY_ONE)
        assert await look(book, home, is_over=True) == Due(0, DAY_TWO, True, DAY_TWO)
        keep_closed(home, DAY_ONE)
        assert await look(book, home, is_over=False) == Due(DAY_ONE, DAY_TWO, False, 0)


async def test_a_backup_that_fails_alarms_and_leaves_the_day_open(tmp_path: Path) -> None:
    """The day is closed only when its backup is there too."""
    home = write_run(tmp_path / "home", two_days())
    log = io.StringIO()
    problems = [OSError("the disk is full")]
    asked: list[int] = []

    async def backup(day: int) -> None:
        asked.append(day)
        if problems:
            raise problems.pop()

    task = EndOfDayTask(
        home,
        Wanted(reports=False),
        lambda: 0,
        RunLog(log, SystemClock(), dict),
        backup,
    )
    await task.last(asyncio.Event())
    assert [one.code for one in task.alerts()] == ["BACKUP_FAILED"]
    assert json.loads(log.getvalue())["problem"] == "the disk is full"
    assert last_closed(home) == 0
    await task.last(asyncio.Event())
    assert task.alerts() == []
    assert asked == [DAY_ONE, DAY_ONE]
    assert last_closed(home) == DAY_ONE


async def test_a_memory_that_cannot_be_kept_alarms(tmp_path: Path) -> None:
    """A file stands where the reports belong: said, and the daemon goes on."""
    home = write_run(tmp_path / "home", two_days())
    (home / "reports").write_text("")
    log = RunLog(io.StringIO(), SystemClock(), dict)
    task = EndOfDayTask(home, Wanted(reports=False), lambda: 0, log)
    await task.last(asyncio.Event())
    assert [one.code for one in task.alerts()] == ["REPORT_FAILED"]
    (home / "reports").unlink()
    await task.last(asyncio.Event())
    assert task.alerts() == []


async def test_told_to_stop_it_stops(tmp_path: Path) -> None:
    """A signal during the last reports ends them; the next start writes them."""
    home = write_run(tmp_path / "home", two_days())
    log = RunLog(io.StringIO(), SystemClock(), dict)
    stop = asyncio.Event()
    begun = asyncio.Event()

    async def backup(_: int) -> None:
        begun.set()
        await asyncio.Event().wait()

    task = EndOfDayTask(home, Wanted(reports=False), lambda: 0, log, backup)
    last = asyncio.create_task(task.last(stop))
    await begun.wait()
    stop.set()
    await last
    assert last_closed(home) == 0
