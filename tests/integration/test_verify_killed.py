"""A run in the middle of its work, then killed: who may touch it, what is left (V1, S7)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from state.journal import last_seq
from tests.builders import ROOT
from tests.fakes.pausing import FIFO
from tests.small_runs import call, make_home, said


@pytest.fixture
def paused(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Start a replay below ``tmp_path`` and yield it as it stands still in its second week."""
    home, fifo = make_home(tmp_path / "home"), tmp_path / "fifo"
    os.mkfifo(fifo)
    command = [sys.executable, "-m", "daemon.cli.main", "-q", "-c", str(home / "foliod.toml")]
    command += ["replay", "--run-dir", str(home / "var" / "runs" / "one")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), FIFO: str(fifo)}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE) as process:
        # Opening waits until the run has come so far.
        assert fifo.read_text() == "here\n"
        yield process
        process.kill()


def test_a_run_in_the_middle_and_then_killed(
    tmp_path: Path, paused: subprocess.Popen[bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    """Alone while it runs, provable at any moment, interrupted once killed, never whole."""
    home = tmp_path / "home"
    run, config = home / "var" / "runs" / "one", home / "foliod.toml"

    # A second process on the same folder: 73, and it is said who holds it.
    assert call("-q", "-c", config, "replay", "--run-dir", run) == 73
    assert f"process {paused.pid} on " in capsys.readouterr().err
    # Proven while it runs, up to the last commit; check says that it runs.
    assert call("-q", "verify", run) == 0
    assert "note the run still goes on" in said(capsys)
    assert call("-c", config, "check") == 0
    assert f"one is held by process {paused.pid}" in said(capsys)

    paused.kill()
    paused.wait()

    assert call("--json", "--data-dir", home / "var", "status", "one") == 0
    assert json.loads(capsys.readouterr().out)["manifest"]["state"] == "interrupted"
    assert call("-q", "verify", run) == 0
    text = said(capsys)
    assert (
        f"note the run is interrupted: its journal ends at entry {last_seq(run / 'foliod.db')}"
        in text
    )
    assert "entries re-decided byte for byte" in text
    assert call("-c", config, "check") == 0
    assert "one: interrupted," in said(capsys)
    # What it left is no ground for another run.
    assert call("-q", "-c", config, "replay", "--run-dir", run) == 74
