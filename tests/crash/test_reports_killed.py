"""Killed with -9 while the day's reports are written: one final report each, notes kept (T2)."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

import pytest

from daemon.reports.daily import DayReport, read_report
from tests.daemons import ended, spawn, wait_until
from tests.small_runs import make_home, replayed

KILLS = 6
NOTES = "# Mine\n\nThe feed was late.\n"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run of six weeks, its reports not yet written."""
    home = make_home(tmp_path_factory.mktemp("killed"))
    path = home / "foliod.toml"
    path.write_text(path.read_text() + "\n[end_of_day]\nreports = false\n")
    return replayed(home, "one")


def _days(folder: Path, kind: str) -> list[str]:
    return sorted(path.name for path in folder.glob(f"????-??-??.{kind}"))


def _wait_for_some(folder: Path, process: subprocess.Popen[str]) -> None:
    """Wait until a few more pages are there than reports, or the process has nothing to do."""
    done = len(_days(folder, "json"))
    wait_until(lambda: len(_days(folder, "html")) > done + 2 or process.poll() is not None)


def test_killed_again_and_again(run: Path) -> None:
    """Each kill falls where another report appears; the last call finishes what is missing."""
    folder = run / "reports" / "daily"
    folder.mkdir(parents=True)
    notes = folder / "2024-01-17.notes.md"
    notes.write_text(NOTES)
    kept: dict[str, bytes] = {}
    cut = 0
    for _ in range(KILLS):
        process = spawn(run, "report", "day", "--", str(run), config="config.toml")
        _wait_for_some(folder, process)
        process.send_signal(signal.SIGKILL)
        cut += ended(process)[0] == -signal.SIGKILL
        for name, content in kept.items():
            assert (folder / name).read_bytes() == content, "a final report is not written again"
        for name in _days(folder, "json"):
            report = read_report(folder / name)
            assert report is not None, "a torn report"
            if report.final:
                kept[name] = (folder / name).read_bytes()
    assert cut, "no kill fell while reports were written"

    status, out, err = ended(spawn(run, "report", "day", "--", str(run), config="config.toml"))

    assert (status, err) == (0, "") or "nothing new" in err, out
    names = [_days(folder, kind) for kind in ("json", "md", "html")]
    assert len(names[0]) > 30
    assert [[name.partition(".")[0] for name in one] for one in names[1:]] == [
        [name.partition(".")[0] for name in names[0]]
    ] * 2
    reports = [read_report(folder / name) for name in names[0]]
    assert [one.final for one in reports if isinstance(one, DayReport)] == [True] * (
        len(reports) - 1
    ) + [False]
    assert notes.read_text() == NOTES
    assert "The feed was late." in (folder / "2024-01-17.html").read_text()
    assert json.loads((folder / "2024-01-17.json").read_bytes())["notes"] == NOTES
    assert list(folder.glob(".*.part")) == []
