"""``foliod report`` and the tear sheet at the end of ``foliod replay``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.run_folders import two_days, write_run
from tests.small_runs import call, make_home, replayed


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Return the run folder of two days written by hand."""
    return write_run(tmp_path / "var" / "runs" / "20170110T000000Z-rabc", two_days())


@pytest.mark.parametrize(
    ("kind", "first"),
    [
        ("day", "reports/daily/2017-01-05.html"),
        ("week", "reports/weekly/2017-W01.html"),
        ("month", "reports/monthly/2017-01.html"),
        ("inception", "reports/inception.html"),
        ("tearsheet", "tearsheet.html"),
    ],
)
def test_a_report_prints_the_path_of_what_it_wrote(
    run: Path, kind: str, first: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """U2: results on stdout, one path a line."""
    assert call("report", kind, run) == 0
    paths = capsys.readouterr().out.splitlines()

    assert paths[0] == str(run / first)
    assert all(Path(one).is_file() for one in paths)


def test_nothing_new_is_said_on_stderr(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """T2: idempotent, and not silent about it."""
    assert call("report", "week", run) == 0
    capsys.readouterr()
    assert call("report", "week", run) == 0
    said = capsys.readouterr()

    assert said.out == ""
    assert "nothing new" in said.err


def test_json_is_one_object(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """U2: the tear sheet's twin itself; of the others what was written."""
    assert call("report", "tearsheet", run, "--json") == 0
    sheet = json.loads(capsys.readouterr().out)
    assert call("--json", "report", "month", run) == 0
    month = json.loads(capsys.readouterr().out)

    assert sheet == json.loads((run / "tearsheet.json").read_text())
    assert month["written"] == [str(run / "reports/monthly/2017-01.html")]


def test_a_baseline_is_named_like_a_run(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """T2: ``--baseline RUN``; an unknown one is refused with what there is."""
    assert call("report", "day", run, "--baseline", run) == 0
    found = json.loads((run / "reports/daily/2017-01-05.json").read_text())
    assert found["baseline"]["rows"][0]["difference"] == 0.0
    capsys.readouterr()
    assert call("report", "day", run, "--baseline", "./none") == 2
    assert "no run './none'" in capsys.readouterr().err


def test_a_folder_without_a_database_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A user's mistake is a sentence."""
    (tmp_path / "run.json").write_text("{}")
    assert call("report", "tearsheet", tmp_path) != 0
    assert "no database" in capsys.readouterr().err


def test_a_replay_ends_with_its_tear_sheet(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """UX: the path of the tear sheet is printed; ``--no-tearsheet`` leaves it out."""
    home = make_home(tmp_path)
    run = replayed(home, "one", "--to", "2024-01-18")
    assert f"Tear sheet: {run / 'tearsheet.html'}" in capsys.readouterr().out.replace("\n", "")
    again = replayed(home, "two", "--to", "2024-01-18", "--no-tearsheet")
    assert "Tear sheet" not in capsys.readouterr().out

    assert (run / "tearsheet.json").is_file()
    assert not (again / "tearsheet.html").exists()


def test_the_tear_sheet_of_a_replay_and_of_the_command_agree(tmp_path: Path) -> None:
    """V1: the command writes what the replay wrote, byte for byte."""
    run = replayed(make_home(tmp_path), "one", "--to", "2024-01-18")
    before = (run / "tearsheet.html").read_bytes()
    assert call("report", "tearsheet", run, "--no-bars") == 0
    assert (run / "tearsheet.html").read_bytes() == before


def test_with_its_bars_a_tear_sheet_says_more(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """T1, T2: excursions and denied entries with the bars of then; without them a note."""
    home = make_home(tmp_path)
    run = replayed(home, "one", "--to", "2024-01-18")
    assert call("report", "tearsheet", run) == 0
    found = json.loads((run / "tearsheet.json").read_text())["hindsight"]
    assert found["note"].startswith("Counterfactual.")
    assert "Counterfactual." in (run / "tearsheet.html").read_text()
    with (home / "bars" / "EURUSD_1m.csv").open("a") as file:
        file.write("\n")
    capsys.readouterr()
    assert call("report", "tearsheet", run) == 0

    assert "are not those of the run" in capsys.readouterr().err
    assert json.loads((run / "tearsheet.json").read_text())["hindsight"] is None
