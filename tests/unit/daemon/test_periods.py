"""Weekly, monthly reports and the one since inception, from two days written by hand."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from daemon.reports.comparison import read_baseline
from daemon.reports.periods import Kind, last_day, name_of, write_periods
from state.entries import CashMoved, DayRolled, Entry, EquityMarked
from state.errors import JournalError
from state.units import DAY_NS, HOUR_NS
from tests.run_folders import DAY_ONE, T0, beginning, two_days, write_run

NOW = T0 + 2 * DAY_NS


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Return the run folder of the two days: Thursday and Friday of week 1 of 2017."""
    return write_run(tmp_path / "run", two_days())


def read(path: Path) -> dict[str, Any]:
    """Return the JSON twin of a page."""
    found: dict[str, Any] = json.loads(path.with_suffix(".json").read_text())
    return found


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        (Kind.WEEK, "reports/weekly/2017-W01"),
        (Kind.MONTH, "reports/monthly/2017-01"),
        (Kind.INCEPTION, "reports/inception"),
    ],
)
async def test_a_period_adds_up(run: Path, kind: Kind, path: str) -> None:
    """T2: by hand: 0.90 - 0.55 = 0.35, two denials, 100 to 100.50, one open; not over yet."""
    (page,) = await write_periods(run, kind, NOW)
    found = read(page)

    assert page == run / f"{path}.html"
    assert page.with_suffix(".md").exists()
    assert (found["trades"]["trades"], found["trades"]["pnl"]) == (2, "0.35")
    assert found["denials"] == {"spacing": {"SPACING": 1}, "window": {"OUTSIDE_WINDOW": 1}}
    assert (found["start_equity"], found["end_equity"]) == ("100", "100.50")
    assert found["change"] == pytest.approx(0.005, abs=1e-6)
    assert found["drawdown"] == pytest.approx(0.40 / 100.90, abs=1e-8)
    assert (found["final"], found["open_positions"]) == (False, 1)
    assert [one["name"] for one in found["by_version"]] == ["0.1.0"]


async def test_a_second_run_writes_nothing(run: Path) -> None:
    """T2: idempotent; a lost or torn file is written again."""
    (page,) = await write_periods(run, Kind.WEEK, NOW)
    before = page.read_bytes()
    assert await write_periods(run, Kind.WEEK, NOW + HOUR_NS) == []
    page.unlink()
    page.with_suffix(".json").write_text("{")
    assert await write_periods(run, Kind.WEEK, NOW) == [page]
    assert page.read_bytes() == before


async def test_the_operators_notes_are_kept(run: Path) -> None:
    """T2: NAME.notes.md is the operator's: included, never written."""
    await write_periods(run, Kind.MONTH, NOW)
    notes = run / "reports/monthly/2017-01.notes.md"
    notes.write_text("two good days\nthen none\n")
    (page,) = await write_periods(run, Kind.MONTH, NOW)

    assert "two good days" in page.read_text()
    assert "## Notes\n\ntwo good days" in page.with_suffix(".md").read_text()
    assert notes.read_text() == "two good days\nthen none\n"
    assert await write_periods(run, Kind.MONTH, NOW) == []


async def test_a_week_is_final_when_its_sunday_has_rolled(tmp_path: Path) -> None:
    """T2: provisional on Sunday, final once Monday has begun; weeks apart, months too."""
    entries: list[Entry] = beginning()
    for day in range(DAY_ONE, DAY_ONE + 30):
        at = T0 + (day - DAY_ONE + 1) * DAY_NS
        entries.append(
            DayRolled(
                at, day, day + 1, Decimal(100), Decimal(100), Decimal(0), Decimal(0), 0, 0.0, 0
            )
        )
        if day + 1 == date(2017, 1, 8).toordinal():
            run = write_run(tmp_path / "sunday", entries)
            (page,) = await write_periods(run, Kind.WEEK, NOW)
            assert read(page)["final"] is False
    run = write_run(tmp_path / "run", entries)
    weeks = [read(one) for one in await write_periods(run, Kind.WEEK, NOW)]
    months = [read(one) for one in await write_periods(run, Kind.MONTH, NOW)]

    assert [(one["name"], one["final"], one["days"]) for one in weeks] == [
        ("2017-W01", True, 4),
        ("2017-W02", True, 7),
        ("2017-W03", True, 7),
        ("2017-W04", True, 7),
        ("2017-W05", False, 6),
    ]
    assert [(one["name"], one["final"]) for one in months] == [
        ("2017-01", True),
        ("2017-02", False),
    ]


async def test_a_deposit_is_no_return(tmp_path: Path) -> None:
    """R4, T2: 100 becomes 150 by a deposit of 50: return and drawdown are 0."""
    entries: list[Entry] = [
        *beginning(),
        CashMoved(T0 + HOUR_NS, Decimal(50), "more"),
        EquityMarked(T0 + 2 * HOUR_NS, Decimal(150), Decimal(0), Decimal(150)),
    ]
    run = write_run(tmp_path / "run", entries)
    (page,) = await write_periods(run, Kind.INCEPTION, NOW)

    assert (read(page)["change"], read(page)["drawdown"]) == (0.0, 0.0)


async def test_a_baseline_is_compared_over_the_same_days_and_kept(
    tmp_path: Path, run: Path
) -> None:
    """T2: a baseline with day one alone; a later call without it keeps the comparison."""
    base = await read_baseline(write_run(tmp_path / "base", two_days()[:12]))
    (page,) = await write_periods(run, Kind.WEEK, NOW, baseline=base)
    rows = {one["measure"]: one for one in read(page)["baseline"]["rows"]}

    assert (rows["trades"]["here"], rows["trades"]["baseline"]) == (2.0, 1.0)
    assert rows["pnl"]["difference"] == pytest.approx(-0.55)
    assert await write_periods(run, Kind.WEEK, NOW) == []


async def test_a_run_without_entries_is_said(tmp_path: Path) -> None:
    """Nothing recorded: a sentence, no file."""
    run = write_run(tmp_path / "run", [])
    with pytest.raises(JournalError, match="nothing to report"):
        await write_periods(run, Kind.WEEK, NOW)
    assert not (run / "reports").exists()


def test_weeks_are_iso_weeks() -> None:
    """2017-01-01 is a Sunday and belongs to week 52 of 2016."""
    sunday = date(2017, 1, 1).toordinal()

    assert name_of(Kind.WEEK, sunday) == "2016-W52"
    assert last_day(Kind.WEEK, sunday) == sunday
    assert last_day(Kind.WEEK, sunday + 1) == sunday + 7
    assert last_day(Kind.MONTH, date(2016, 2, 10).toordinal()) == date(2016, 2, 29).toordinal()
    assert last_day(Kind.INCEPTION, sunday) is None
