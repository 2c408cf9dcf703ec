"""What a trader sees of plans and nights: show, why, the events, verify (S3, S5)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.nights import GAP, LATE, portfolio
from tests.small_runs import call, said


def run(folder: Path, *, gap: bool = False, max_r: float = 1.5) -> Path:
    """Replay the held position below ``folder`` and return the run's folder."""
    portfolio(folder, GAP if gap else LATE, trail=0.05, max_r=max_r)
    made = folder / "run"
    given = ("-q", "-c", folder / "foliod.toml", "--data-dir", folder / "var", "replay")
    assert call(*given, "--run-dir", made, "--no-tearsheet") == 0
    return made


def rows(capsys: pytest.CaptureFixture[str], table: str, made: Path) -> list[dict[str, Any]]:
    """Return the rows of a table."""
    capsys.readouterr()
    assert call("show", table, made, "--json") == 0
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return found


def test_nights_and_days_tell_what_was_open(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """1000 at 1.10013: at 1.1 it is -0.13, a day later at 1.11 it is 9.87; 30.13 are at risk."""
    made = run(tmp_path)

    nights = rows(capsys, "nights", made)
    assert [(one["day"], one["open_pnl"], one["stop"]) for one in nights] == [
        ("2017-01-02", "-0.13000000", "1.05900"),
        ("2017-01-03", "9.87000000", "1.06000"),
    ]
    first = nights[0]
    assert (first["symbol"], first["strategy"], first["side"]) == ("EURUSD", "hand", "long")
    assert (first["entry"], first["target"], first["trail"]) == ("1.10013", "1.21100", 0.05)
    assert (first["quantity"], first["risk"], first["time_stop"]) == ("1000", "30.13000000", None)
    days = rows(capsys, "days", made)
    assert [(one["open_positions"], one["open_pnl"]) for one in days] == [
        (1, "-0.13000000"),
        (1, "9.87000000"),
    ]


def test_plans_tell_what_set_them_and_what_became_of_the_night(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Widened on Wednesday at 09:00; the close of 09:05 took it back to 1.12 - 0.05 = 1.07."""
    (plan,) = rows(capsys, "plans", run(tmp_path))

    assert (plan["stop"], plan["trail"], plan["set_by"]) == ("1.07000", 0.05, "TRAIL")
    assert plan["night"] == "2017-01-04"


def test_why_ends_with_a_refused_night(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A limit of 1.2 R: 1.10013 - 1.05900 is 41.13 of 1.2 x 30.13 = 36.156."""
    made = run(tmp_path, max_r=1.2)
    capsys.readouterr()

    assert call("why", "hand", "EURUSD", made) == 0
    text = said(capsys)
    assert "night of 2017-01-04: not widened, OVERNIGHT_RISK: 41.13 at stop 1.059," in text
    assert "limit 36.156 (1.2 x 30.13)" in text
    assert call("why", "hand", "EURUSD", made, "--json") == 0
    found = json.loads(capsys.readouterr().out)["widening_refused"]
    assert (found["code"], found["limit"]) == ("OVERNIGHT_RISK", "36.156 (1.2 x 30.13)")


def test_events_tell_of_moved_plans_refusals_and_days(tmp_path: Path) -> None:
    """Prices as text, the trading day as a date."""
    made = run(tmp_path, max_r=1.2)
    lines = [
        json.loads(line)
        for path in sorted((made / "logs").glob("events-*.jsonl"))
        for line in path.read_text().splitlines()
    ]
    refused = [one for one in lines if one["kind"] == "WideningRefused"]
    plans = [one for one in lines if one["kind"] == "PlanSet"]
    rolls = [one for one in lines if one["kind"] == "DayRolled"]

    assert {one["day"] for one in refused} == {"2017-01-02", "2017-01-03", "2017-01-04"}
    assert refused[0]["code"] == "OVERNIGHT_RISK" and refused[0]["strategy"] == "hand"
    assert plans[0]["trail_distance"] == 0.05
    assert rolls[0]["positions"][0]["stop"] == "1.07000"


@pytest.mark.parametrize("gap", [False, True])
def test_such_a_run_verifies(tmp_path: Path, gap: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """S2: tables, fold and decisions of a run with trails, nights and a gap are proved again."""
    made = run(tmp_path, gap=gap)
    capsys.readouterr()

    assert call("verify", made) == 0, said(capsys)


def test_a_changed_night_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Control: a row of the new table that the journal does not have is no proof."""
    import sqlite3

    made = run(tmp_path)
    with sqlite3.connect(made / "foliod.db") as connection:
        connection.execute("UPDATE day_positions SET stop = '1.05000' WHERE day = 736331")
    connection.close()
    capsys.readouterr()

    assert call("verify", made) == 1
    assert "day_positions 736331" in said(capsys)


def test_a_database_from_before_has_no_nights(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run of an older foliod still shows its days; of its nights nothing was kept."""
    import sqlite3

    made = run(tmp_path)
    with sqlite3.connect(made / "foliod.db") as connection:
        connection.execute("DROP VIEW nights")
        connection.execute("DROP TABLE day_positions")
        connection.execute("PRAGMA user_version = 2")
    connection.close()

    assert rows(capsys, "nights", made) == []
    assert [one["open_pnl"] for one in rows(capsys, "days", made)] == ["0", "0"]
