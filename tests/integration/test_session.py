"""``foliod session``: one trading day as a process, and its exit status (C2, C3)."""

from __future__ import annotations

import json
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from state.entries import Filled, RunEnded
from state.errors import ExitCode
from tests.builders import ROOT
from tests.daemons import ended, spawn, wait_until
from tests.fakes import planted
from tests.night import write_night
from tests.trading import decisions, demo_settings, journal_of

TEN = datetime(2024, 1, 31, 10, 0, tzinfo=UTC)


def _session(folder: Path, *more: str) -> tuple[int, str, str]:
    return ended(spawn(folder, "session", *more))


def _ends(home: Path) -> list[str]:
    return [one.reason for one in journal_of(home) if isinstance(one, RunEnded)]


def _files(folder: Path) -> dict[str, int]:
    return {str(one): one.stat().st_mtime_ns for one in folder.rglob("*")}


def _windows(folder: Path, start: str, end: str) -> None:
    path = folder / "foliod.toml"
    window = f'windows = [{{ start = {start}, end = {end}, zone = "UTC" }}]\n'
    path.write_text(path.read_text() + window)


def test_session_after_session_decides_what_one_long_run_decides(tmp_path: Path) -> None:
    """A new process each day, the nights left out: the journal is that of an unbroken daemon."""
    for one in demo_settings(tmp_path).bars:
        rows = one.path.read_text().splitlines(keepends=True)
        one.path.write_text("".join([rows[0], *(r for r in rows[1:] if r < "2024-01-18")]))
    path = tmp_path / "foliod.toml"
    text = path.read_text() + "\n[end_of_day]\nreports = false\n"
    path.write_text(text.replace('data_dir = ".."', 'data_dir = "."'))
    for day in ("2024-01-15", "2024-01-16"):
        status, out, err = _session(tmp_path, "--speed", "max")
        assert status == ExitCode.OK, err
        assert f"trades one day, {day}" in out
        assert "ended SESSION_OVER" in out
    home = tmp_path / "demo"
    assert _ends(home) == ["SESSION_OVER"] * 2
    assert ended(spawn(tmp_path, "run", "--speed", "max"))[0] == ExitCode.OK

    path.write_text(text.replace('data_dir = ".."', 'data_dir = "unbroken"'))
    assert ended(spawn(tmp_path, "run", "--speed", "max"))[0] == ExitCode.OK

    assert decisions(home) == decisions(tmp_path / "unbroken" / "demo")
    assert any(isinstance(one, Filled) for one in journal_of(home))


def test_a_dry_run_says_the_day_and_changes_nothing(tmp_path: Path) -> None:
    """Windows in both times, engines, limits, what follows; every file is as it was."""
    write_night(tmp_path, TEN, 20)
    _windows(tmp_path, "10:05:00", "10:15:00")
    before = _files(tmp_path)

    status, out, err = _session(tmp_path, "--dry-run", "--no-backtest", "--max-drawdown", "5")

    assert status == ExitCode.OK, err
    assert "Session of night on 2024-01-31" in out
    assert "waits for 2024-01-31T10:05:00Z, trades until 2024-01-31T10:15:00Z" in out
    assert "10:05-10:15 +00:00" in out
    assert "EMA 1m on EURUSD" in out
    assert "daily R-stop -5 R" in out
    assert "gate: drawdown 5 % or less" in out
    assert "parity" not in out
    assert "nothing was done" in out
    assert _files(tmp_path) == before
    status, out, _ = _session(tmp_path, "--dry-run", "--json")
    plan: dict[str, Any] = json.loads(out)
    assert (status, plan["date"]) == (ExitCode.OK, "2024-01-31")
    assert plan["windows"][0]["start_utc"] == "2024-01-31T10:05:00Z"


def test_the_end_of_the_last_window_ends_it_by_time_without_a_bar(tmp_path: Path) -> None:
    """The bars pause from 10:02 to 10:20; at 10:04 the day is over, reported, and proven."""
    home = write_night(tmp_path, TEN, 22)
    _windows(tmp_path, "10:01:00", "10:04:00")
    path = tmp_path / "bars" / "EURUSD.csv"
    rows = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*rows[:3], *rows[21:]]))

    status, out, err = _session(tmp_path, "--speed", "60", "--max-drawdown", "50")

    assert status == ExitCode.OK, err
    assert "2024-01-31: 0 trades" in out
    assert _ends(home) == ["SESSION_OVER"]
    assert (home / "reports" / "daily" / "2024-01-31.html").exists()
    status, out, _ = _session(tmp_path, "--speed", "max", "--no-analytics")
    assert status == ExitCode.TRY_AGAIN
    assert "the bars end before 2024-02-01T10:01:00Z" in out


def test_a_day_broken_off_is_gone_on_with(tmp_path: Path) -> None:
    """SIGTERM in the middle: status 75; called again it trades the rest of the same day."""
    home = write_night(tmp_path, TEN, 20)
    _windows(tmp_path, "10:01:00", "10:15:00")
    process = spawn(tmp_path, "session", "--no-analytics")
    wait_until(lambda: (home / "control.sock").exists())
    process.send_signal(signal.SIGTERM)
    status, out, err = ended(process)
    assert status == ExitCode.TRY_AGAIN, err
    assert "broken off" in out

    status, out, err = _session(tmp_path, "--speed", "max", "--no-analytics", "--json")
    assert status == ExitCode.OK, err
    outcome = json.loads(out)
    assert (outcome["ok"], outcome["date"], outcome["closes"]) == (
        True,
        "2024-01-31",
        "2024-01-31T10:15:00Z",
    )
    assert _ends(home) == ["STOPPED", "SESSION_OVER"]
    names = {one.name for one in (home / "reports" / "daily").iterdir()}
    assert names == {f"2024-01-31.{kind}" for kind in ("json", "md", "html")}


def test_an_engine_that_stopped_and_a_gate_not_kept_are_the_exit_status(tmp_path: Path) -> None:
    """Status 1, each named: a strategy raised, and three returns make no Sharpe."""
    write_night(tmp_path, TEN, 20)
    path = tmp_path / "foliod.toml"
    kind = f"{Path(planted.__file__).resolve()}:Raising"
    path.write_text(path.read_text().replace('kind = "EMA"', f'kind = "{kind}"'))

    status, out, err = _session(tmp_path, "--speed", "max", "--no-analytics", "--min-sharpe", "1")

    assert status == ExitCode.NO, err
    assert "not well: EURUSD/ema is quarantined: ZeroDivisionError" in out
    assert "gate: Sharpe is not defined" in out


def test_the_indian_session(tmp_path: Path) -> None:
    """The shipped example from 09:15 to 15:30 in Kolkata; Holi (2019-03-21) is skipped."""
    (tmp_path / "foliod.toml").write_text((ROOT / "config" / "examples" / "india.toml").read_text())
    (tmp_path / "bars").mkdir()
    for name, base in (("NIFTY50", 11_500.0), ("YESBANK", 250.0)):
        rows = ["ts,open,high,low,close,volume"]
        for day in ("2019-03-21", "2019-03-22"):
            first = datetime.fromisoformat(f"{day}T09:15")
            for number in range(375):
                at, price = first + timedelta(minutes=number), base + 0.05 * (number % 9)
                prices = f"{price:.2f},{price + 0.1:.2f},{price - 0.1:.2f},{price:.2f}"
                rows.append(f"{at:%Y-%m-%dT%H:%M:%S},{prices},10")
        (tmp_path / "bars" / f"{name}-1m.csv").write_text("\n".join(rows) + "\n")

    status, out, err = _session(tmp_path, "--dry-run")
    assert status == ExitCode.OK, err
    assert "Session of india on 2019-03-22 (Asia/Kolkata)" in out
    assert "09:15-15:30 +05:30" in out
    assert "03-22 03:45-10:00" in out
    assert not (tmp_path / "var").exists()
    status, out, err = _session(tmp_path, "--speed", "max", "--no-analytics")
    assert status == ExitCode.OK, err
    assert "2019-03-22T03:45:00Z to 2019-03-22T10:00:00Z" in out
