"""``foliod aggregate``: what it prints, writes and returns."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from daemon.cli.main import run
from state.errors import ExitCode


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a folder with two sessions and a broken file in ``logs``."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "logs").mkdir()
    for name, last in (("a", "101"), ("b\x1b[31m", "99")):
        text = f"timestamp,equity\n2024-01-01,100\n2024-01-02,90\n2024-01-03,{last}\n"
        (tmp_path / "logs" / f"equity_{name}.csv").write_text(text, encoding="utf-8")
    (tmp_path / "logs" / "equity_c.csv").write_text("", encoding="utf-8")
    return tmp_path


def test_without_arguments_it_reads_logs_and_writes_two_reports(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A1: the defaults; 200 to 180 to 200, a tenth down; the bad file is named on stderr."""
    assert run(["aggregate"]) == ExitCode.OK
    out, err = capsys.readouterr()

    assert out.startswith("2 sessions, 2d 00:00:00 long, times UTC\n")
    assert "largest drawdown      10.00 %\n" in out
    assert "P&L                   0.00\n" in out
    assert "b\\x1b[31m" in out
    assert "\x1b" not in out + err
    assert max(map(len, out.splitlines())) <= 80
    assert err == "warning: skipped equity_c.csv: is empty\n"
    assert json.loads((folder / "aggregation.json").read_bytes())["num_sessions"] == 2
    assert (folder / "aggregation_report.html").is_file()


@pytest.mark.parametrize(
    ("options", "status", "words"),
    [
        (["--max-drawdown", "10.5"], ExitCode.OK, ""),
        (["--max-drawdown", "9"], ExitCode.NO, "fail: drawdown 10.0000 % is above 9 %\n"),
        (["--min-sharpe", "-9"], ExitCode.NO, "2 returns, it needs 20; the least is -9\n"),
        (["--min-sharpe", "nan"], ExitCode.USAGE, "give one such as 1.5.\n"),
        (["--max-drawdown", "-1"], ExitCode.USAGE, "give one such as 1.5, 0 or more.\n"),
        (["--min-sharpe", "high"], ExitCode.USAGE, "give one such as 1.5.\n"),
        (["--pattern", "../*"], ExitCode.DATA, "as equity_*.csv\n"),
    ],
)
def test_its_exit_status_is_the_gates(
    folder: Path,
    options: list[str],
    status: ExitCode,
    words: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A4: 0 kept, 1 not kept or not to be told, 2 and 65 for mistakes; both reports either way."""
    assert run(["-q", "aggregate", "logs", *options]) == status
    assert capsys.readouterr().err.endswith(words)
    assert (folder / "aggregation.json").exists() == (status in (ExitCode.OK, ExitCode.NO))


def test_json_says_whether_it_passed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """U2: one object on stdout, the report with the verdict in front; files where asked."""
    options = ["--json", "--max-drawdown", "9", "--out-json", "o/a.json", "--out-html", "o/a.html"]
    assert run(["aggregate", "logs", *options]) == ExitCode.NO
    found = json.loads(capsys.readouterr().out)

    assert found["passed"] is False
    assert found["failures"] == ["drawdown 10.0000 % is above 9 %"]
    assert found["skipped"] == [{"file": "equity_c.csv", "reason": "is empty"}]
    assert (folder / "o" / "a.json").is_file()
    assert (folder / "o" / "a.html").is_file()
    assert not (folder / "aggregation.json").exists()


def test_what_cannot_be_done_is_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No such folder is 65, a report that cannot be written 74; neither is a traceback."""
    assert run(["aggregate", "nowhere"]) == ExitCode.DATA
    assert "nowhere: there is no such folder" in capsys.readouterr().err
    assert run(["-q", "aggregate", "logs", "--out-json", "logs/equity_c.csv/x"]) == ExitCode.JOURNAL
    assert "equity_c.csv" in capsys.readouterr().err
    assert (folder / "logs" / "equity_c.csv").read_bytes() == b""


def test_an_empty_folder_is_no_fault(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A2: nothing to add up is a report of nothing."""
    (folder / "none").mkdir()
    assert run(["aggregate", "none"]) == ExitCode.OK
    assert capsys.readouterr().out.startswith("0 sessions, ")


def test_many_sessions_are_cut_short_on_the_terminal(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Forty lines and a word about the rest; long names are cut."""
    text = "timestamp,equity\n2024-01-01,100\n2024-01-02,90\n"
    for number in range(50):
        name = f"equity_{number:02d}{'x' * 90}.csv"
        (folder / "logs" / name).write_text(text, encoding="utf-8")
    assert run(["-q", "aggregate"]) == ExitCode.OK
    out = capsys.readouterr().out
    assert "... and 12 more, in the reports\n" in out
    assert max(map(len, out.splitlines())) <= 80
