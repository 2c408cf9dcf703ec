"""What a daemon writes beside its journal is what a replay of the same bars writes (T1, T3)."""

from __future__ import annotations

import asyncio
import csv
import json
from pathlib import Path
from typing import Any

import pytest

from adapters.clock import SystemClock
from daemon.replay import Replay, ReplayOptions
from state.errors import ExitCode
from tests.daemons import ended, has_entries, spawn, wait_until
from tests.trading import demo_settings

CONFIG = "foliod.toml"
LIFE = ("RunStarted", "RunEnded")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the demo's bars, its configuration and a replay in ``replayed``."""
    folder = tmp_path_factory.mktemp("demo")
    settings = demo_settings(folder)
    options = ReplayOptions(run_dir=folder / "replayed")
    asyncio.run(Replay(settings, options, SystemClock()).run())
    return folder


@pytest.fixture
def home(demo: Path, tmp_path: Path) -> Path:
    """Return a fresh folder for the daemon: its configuration, and where it keeps its portfolio."""
    text = (demo / CONFIG).read_text().replace('"bars/', f'"{demo}/bars/')
    text = text.replace('data_dir = ".."', 'data_dir = "."')
    (tmp_path / CONFIG).write_text(text + "\n[end_of_day]\nreports = false\n")
    return tmp_path / "demo"


def _trades(folder: Path) -> list[dict[str, str]]:
    with (folder / "trades.csv").open(newline="") as file:
        return [{**row, "run_id": ""} for row in csv.DictReader(file)]


def _curves(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("equity_*.csv")}


def _events(folder: Path) -> list[dict[str, Any]]:
    lines = [
        json.loads(line)
        for path in sorted((folder / "logs").glob("events-*.jsonl"))
        for line in path.read_text().splitlines()
    ]
    return [{**one, "run_id": "", "seq": 0} for one in lines if one["kind"] not in LIFE]


def _assert_same(home: Path, replayed: Path) -> None:
    assert len(_trades(replayed)) > 10
    assert _trades(home) == _trades(replayed)
    assert _curves(home) == _curves(replayed)
    assert _events(home) == _events(replayed)


def test_killed_again_and_again_it_writes_what_a_replay_writes(demo: Path, home: Path) -> None:
    """No line is lost or doubled, wherever SIGKILL came; `foliod verify` holds the file to it."""
    for count in (3, 700, 1_500):
        process = spawn(home.parent, "run", "--speed", "max")
        wait_until(lambda count=count: has_entries(home, count))  # type: ignore[misc]
        process.kill()
        ended(process)
    status, _, err = ended(spawn(home.parent, "run", "--speed", "max"))

    assert status == ExitCode.OK, err
    _assert_same(home, demo / "replayed")
    assert ended(spawn(home.parent, "verify", str(home)))[0] == ExitCode.OK
    path = home / "trades.csv"
    path.write_bytes(path.read_bytes().replace(b",long,", b",short,", 1))
    status, out, _ = ended(spawn(home.parent, "verify", str(home)))
    assert status == ExitCode.NO
    assert "side is short, the journal says long" in out


def test_a_file_that_cannot_be_written_alarms_and_stops_nothing(demo: Path, home: Path) -> None:
    """T1: a folder stands where trades.csv belongs; all else is whole, status and log name it."""
    (home / "trades.csv").mkdir(parents=True)

    status, _, err = ended(spawn(home.parent, "run", "--speed", "max"))

    assert status == ExitCode.OK, err
    assert _events(home) == _events(demo / "replayed")
    assert _curves(home) == _curves(demo / "replayed")
    problems = [one for one in map(json.loads, err.splitlines()) if one["level"] == "error"]
    assert [one["file"] for one in problems] == ["trades.csv"]
    lines = "".join(path.read_text() for path in (home / "logs").glob("portfolio_live_*"))
    assert '"FILE_UNWRITABLE"' in lines
