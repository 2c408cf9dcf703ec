"""The end of the trading day, in a daemon that is killed in the middle of it (T2, C2)."""

from __future__ import annotations

import json
import signal
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from state.entries import AlarmRung, DayRolled
from state.errors import ExitCode
from tests.daemons import ended, has_entries, spawn, wait_until
from tests.night import write_night
from tests.trading import journal_of

DAY = "2024-01-31"
"""A Wednesday that ends a month."""
FIRST = datetime(2024, 1, 31, 23, 53, tzinfo=UTC)


def _report(home: Path, name: str = DAY) -> dict[str, Any]:
    path = home / "reports" / "daily" / f"{name}.json"
    found: dict[str, Any] = json.loads(path.read_bytes()) if path.exists() else {}
    return found


def _has(home: Path, kind: type) -> bool:
    return has_entries(home, 1) and any(isinstance(one, kind) for one in journal_of(home))


def test_killed_in_the_end_of_day_window_there_is_one_final_report(tmp_path: Path) -> None:
    """Killed after the alarm and after the roll: provisional, then final, the notes kept."""
    home = write_night(tmp_path, FIRST, 20)
    notes = home / "reports" / "daily" / f"{DAY}.notes.md"
    notes.parent.mkdir(parents=True)
    notes.write_text("The central bank spoke at noon.\n")

    process = spawn(tmp_path, "run", "--speed", "60")
    wait_until(lambda: _has(home, AlarmRung))
    process.kill()
    ended(process)
    process = spawn(tmp_path, "run", "--speed", "60")
    wait_until(lambda: _report(home).get("final") is False)
    wait_until(lambda: _has(home, DayRolled))
    process.kill()
    ended(process)
    assert not (home / "reports" / "end-of-day.json").exists()
    process = spawn(tmp_path, "run", "--speed", "60")
    wait_until(lambda: (home / "reports" / "end-of-day.json").exists())
    process.send_signal(signal.SIGTERM)
    status, _, err = ended(process)

    assert status == ExitCode.OK, err
    report = _report(home)
    assert (report["final"], report["notes"]) == (True, notes.read_text())
    assert notes.read_text() == "The central bank spoke at noon.\n"
    assert "central bank" in notes.with_name(f"{DAY}.html").read_text()
    daily = sorted(one.name for one in notes.parent.iterdir() if not one.name.startswith("."))
    finals = [f"{DAY}.html", f"{DAY}.json", f"{DAY}.md", f"{DAY}.notes.md"]
    assert [one for one in daily if one.startswith(DAY) and "parity" not in one] == finals
    assert (home / "reports" / "monthly" / "2024-01.json").exists()
    closed = json.loads((home / "reports" / "end-of-day.json").read_bytes())
    assert closed == {"closed": DAY}


def test_without_reports_none_are_written(tmp_path: Path) -> None:
    """`reports = false`: the day closes, nothing is written for it (T2)."""
    home = write_night(tmp_path, FIRST, 20)
    path = tmp_path / "foliod.toml"
    path.write_text(path.read_text().replace("at = 23:55:00", "reports = false"))

    status, _, err = ended(spawn(tmp_path, "run", "--speed", "max"))

    assert status == ExitCode.OK, err
    assert _has(home, DayRolled)
    assert [one.name for one in (home / "reports").iterdir()] == ["end-of-day.json"]


def test_what_fails_is_said_and_keeps_nothing_else_back(tmp_path: Path) -> None:
    """A folder stands where the daily page belongs: the others are written, the day stays open."""
    home = write_night(tmp_path, FIRST, 20)
    (home / "reports" / "daily" / f"{DAY}.html").mkdir(parents=True)

    status, _, err = ended(spawn(tmp_path, "run", "--speed", "max"))

    assert status == ExitCode.OK, err
    problems = [one for one in map(json.loads, err.splitlines()) if one["level"] == "error"]
    assert [one["step"] for one in problems] == ["daily report"]
    assert f"{DAY}.html" in problems[0]["problem"]
    assert (home / "reports" / "monthly" / "2024-01.json").exists()
    assert not (home / "reports" / "end-of-day.json").exists()
