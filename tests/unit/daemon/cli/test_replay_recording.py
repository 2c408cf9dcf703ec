"""``foliod replay RUN``: what it refuses to take for a recording (F6)."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.cli.main import run
from state.errors import ExitCode
from tests.trading import demo_settings, go_on, start


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return the folder of a daemon that trades on files."""
    trading = start(demo_settings(tmp_path), tmp_path / "home")
    go_on(trading, 3)
    trading.close()
    return tmp_path / "home"


def test_a_daemon_on_files_has_no_recording(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is sent to ``foliod verify``, which has its bars."""
    assert run(["replay", str(home)]) == ExitCode.CONFIG
    assert f"foliod verify {home}" in capsys.readouterr().err


def test_options_of_bar_files_are_refused(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A recording is replayed whole; no option is taken and ignored."""
    (home / "recorded").mkdir()

    assert run(["replay", str(home), "--from", "2024-01-01", "--zone", "UTC"]) == ExitCode.USAGE
    assert "--from, --zone" in capsys.readouterr().err


def test_a_recording_of_another_configuration_is_refused(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is decided again under rules that were not in force; no run is made."""
    (home / "recorded").mkdir()
    text = (tmp_path / "foliod.toml").read_text().replace('"bars/', f'"{tmp_path}/bars/')
    (home / "config.toml").write_text(text + "\n[costs]\nslippage_min_pips = 1.5\n")

    assert run(["replay", str(home), "--run-dir", str(tmp_path / "run")]) == ExitCode.CONFIG
    assert "foliod report parity --day DATE" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
