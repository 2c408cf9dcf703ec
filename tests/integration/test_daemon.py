"""The daemon as a process: its journal, its restarts, its lock, its kill file (S1, S7, R6, V1)."""

from __future__ import annotations

import asyncio
import json
import signal
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from adapters.clock import SystemClock
from adapters.kill_file import FILE
from config.load import load
from daemon.replay import Replay, ReplayOptions
from state import verify_fold
from state.entries import CommandTaken, IntentRecorded, KillChanged, RunEnded, RunStarted
from state.errors import ExitCode
from tests.daemons import ended, has_entries, spawn, wait_until
from tests.trading import decisions, demo_settings, journal_of

CONFIG = "foliod.toml"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the demo's bars and its configuration without commands."""
    folder = tmp_path_factory.mktemp("demo")
    demo_settings(folder)
    return folder


@pytest.fixture(scope="module")
def replayed(demo: Path) -> list[bytes]:
    """Return the decisions of the full-speed replay of the same configuration."""
    settings = load([demo / CONFIG], {})
    options = ReplayOptions(run_dir=demo / "replayed")
    asyncio.run(Replay(settings, options, SystemClock()).run())
    return decisions(demo / "replayed")


@pytest.fixture
def home(demo: Path, tmp_path: Path) -> Path:
    """Return a fresh folder for the daemon: its configuration, and where it keeps its portfolio."""
    text = (demo / CONFIG).read_text().replace('"bars/', f'"{demo}/bars/')
    text = text.replace('data_dir = ".."', 'data_dir = "."')
    (tmp_path / CONFIG).write_text(text + "\n[end_of_day]\nreports = false\n")
    return tmp_path / "demo"


def _run(home: Path, speed: str, *more: str) -> subprocess.Popen[str]:
    return spawn(home.parent, "run", "--speed", speed, *more)


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_the_daemon_decides_what_the_replay_decides(
    home: Path, replayed: list[bytes], loop: str
) -> None:
    """Task by task or at full speed, entry for entry the same journal, under either loop."""
    status, out, err = ended(_run(home, "max", "--loop", loop))

    assert status == ExitCode.OK, err
    assert "END_OF_HISTORY" in out
    assert decisions(home) == replayed
    assert verify_fold.check(home / "foliod.db") == []
    assert ended(spawn(home.parent, "verify", str(home)))[0] == ExitCode.OK
    for line in err.splitlines():
        assert {"portfolio_id", "run_id", "seq", "event"} <= set(json.loads(line))


def test_another_cost_makes_another_journal(home: Path, replayed: list[bytes]) -> None:
    """Control: the comparison fails when a hundredth of a pip differs."""
    path = home.parent / CONFIG
    path.write_text(path.read_text() + "\n[costs]\nslippage_min_pips = 1.01\n")

    assert ended(_run(home, "max"))[0] == ExitCode.OK
    assert decisions(home) != replayed


def test_sigkill_again_and_again_changes_no_decision(home: Path, replayed: list[bytes]) -> None:
    """Killed with SIGKILL wherever it happens to be, and started again until the bars end."""
    for count in (3, 150, 151, 400, 800, 1_300, 1_900):
        process = _run(home, "max")
        wait_until(lambda count=count: has_entries(home, count))  # type: ignore[misc]
        process.kill()
        ended(process)
    status, out, err = ended(_run(home, "max"))

    assert status == ExitCode.OK, err
    assert "goes on after" in out
    assert decisions(home) == replayed
    assert verify_fold.check(home / "foliod.db") == []


def test_sigterm_ends_in_order_and_a_start_goes_on(home: Path, replayed: list[bytes]) -> None:
    """SIGTERM journals the end; the next start goes on without a difference."""
    process = _run(home, "max")
    wait_until(lambda: has_entries(home, 300))
    process.send_signal(signal.SIGTERM)
    status, out, err = ended(process)

    assert status == ExitCode.OK, err
    last = journal_of(home)[-1]
    assert isinstance(last, RunEnded)
    if last.reason == "STOPPED":  # it may have been at its end already
        assert "ended in order: STOPPED" in out
        assert ended(_run(home, "max"))[0] == ExitCode.OK
    assert decisions(home) == replayed


def test_a_second_daemon_is_refused_and_told_who_holds_the_portfolio(home: Path) -> None:
    """One portfolio, one writer: exit status 73 and the name of the first (S7, OWN-1)."""
    first = _run(home, "1")
    wait_until(lambda: has_entries(home, 6))

    status, _, err = ended(_run(home, "1"))

    first.send_signal(signal.SIGTERM)
    assert ended(first)[0] == ExitCode.OK
    assert status == ExitCode.HELD
    assert f"process {first.pid}" in err


def test_the_kill_file_latches_across_restarts(home: Path) -> None:
    """`foliod panic` halts a running daemon and one that starts later; no entry follows (R6)."""
    process = _run(home, "60")
    wait_until(lambda: has_entries(home, 6))
    status, out, _ = ended(spawn(home.parent, "panic", "--reason", "the feed is wrong"))
    assert status == ExitCode.OK
    assert str(home.parent / "control" / FILE) in out
    wait_until(lambda: any(isinstance(one, KillChanged) for one in journal_of(home)))
    process.send_signal(signal.SIGTERM)
    assert ended(process)[0] == ExitCode.OK

    (home.parent / "control" / FILE).unlink()
    status, out, err = ended(_run(home, "max"))

    assert status == ExitCode.OK, err
    assert "kill switch: halt, the feed is wrong" in out
    entries = journal_of(home)
    changes = [one for one in entries if isinstance(one, KillChanged)]
    assert [one.level for one in changes] == ["halt"]
    assert not any(isinstance(one, IntentRecorded) for one in entries)
    assert sum(isinstance(one, RunStarted) for one in entries) == 2


def test_a_control_folder_that_is_gone_counts_as_the_file(home: Path) -> None:
    """A portfolio that has lived, whose control folder vanished: the daemon latches a halt."""
    process = _run(home, "max")
    wait_until(lambda: has_entries(home, 100))
    process.kill()
    ended(process)
    (home.parent / "control").rmdir()

    assert ended(_run(home, "max"))[0] == ExitCode.OK

    changes = [one for one in journal_of(home) if isinstance(one, KillChanged)]
    assert [one.level for one in changes] == ["halt"]
    assert "cannot be looked into" in changes[0].reason


def _say(home: Path, *words: str) -> tuple[int, str, str]:
    return ended(spawn(home.parent, *words))


def test_the_operators_words_reach_a_running_daemon(home: Path) -> None:
    """Each word is journalled and answered, and refused where it means nothing (U3)."""
    process = _run(home, "60")
    wait_until(lambda: (home / "control.sock").exists())
    assert (home / "control.sock").stat().st_mode & 0o777 == 0o600

    assert _say(home, "resume")[0] == ExitCode.NO
    status, out, _ = _say(home, "halt", "--reason", "noon")
    assert status == ExitCode.OK
    assert "open: nothing" in out
    assert "foliod resume" in out
    status, out, _ = _say(home, "flatten", "--dry-run")
    assert (status, "nothing was done" in out) == (ExitCode.OK, True)
    status, out, err = _say(home, "status")
    assert status == ExitCode.OK, err
    assert "HALTED operator" in out
    assert _say(home, "resume")[0] == ExitCode.OK
    status, _, err = _say(home, "reset", "EURUSD")
    assert status == ExitCode.NO
    assert "nothing is latched" in err

    process.send_signal(signal.SIGTERM)
    assert ended(process)[0] == ExitCode.OK
    taken = [one for one in journal_of(home) if isinstance(one, CommandTaken)]
    assert [(one.name, one.reason) for one in taken] == [
        ("halt", "noon"),
        ("resume", "foliod resume"),
    ]
    status, _, err = _say(home, "halt")
    assert status == ExitCode.TRY_AGAIN
    assert "foliod panic" in err


def test_the_kill_switch_is_reset_by_name_when_the_file_is_gone(home: Path) -> None:
    """Not while the file lies there; and a restarted daemon carries the same commands again."""
    process = _run(home, "60")
    wait_until(lambda: (home / "control.sock").exists())
    assert _say(home, "panic", "--flatten")[0] == ExitCode.OK
    wait_until(lambda: any(isinstance(one, KillChanged) for one in journal_of(home)))

    status, _, err = _say(home, "reset", "kill")
    assert status == ExitCode.NO
    assert "remove it first" in err
    (home.parent / "control" / FILE).unlink()
    assert _say(home, "reset", "kill", "--reason", "checked")[0] == ExitCode.OK

    process.kill()
    ended(process)
    status, _, err = ended(_run(home, "max"))
    assert status == ExitCode.OK, err
    levels = [one.level for one in journal_of(home) if isinstance(one, KillChanged)]
    assert levels == ["flatten", "none"]
    assert any(isinstance(one, IntentRecorded) for one in journal_of(home))


def test_a_damaged_journal_is_refused_with_the_way_back(home: Path) -> None:
    """One changed letter in what a kill left behind: exit status 65, words and no traceback."""
    process = _run(home, "max")
    wait_until(lambda: has_entries(home, 200))
    process.kill()
    ended(process)
    with closing(sqlite3.connect(home / "foliod.db")) as connection:
        connection.execute(
            "UPDATE journal SET payload = replace(payload, 'at_ns', 'at_nz')"
            " WHERE seq = (SELECT max(seq) FROM journal)"
        )
        connection.commit()

    status, out, err = ended(_run(home, "max"))

    assert status == ExitCode.DATA
    assert "or its link in the chain was changed" in err
    assert "there is no backup" in err
    assert "Traceback" not in out + err
