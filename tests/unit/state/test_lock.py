from __future__ import annotations

import fcntl
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from state.errors import ExitCode, HeldError, JournalError
from state.lock import PortfolioLock, is_held, this_process
from tests.builders import ROOT

_HOLD = """
import sys
from pathlib import Path
from state.lock import PortfolioLock, is_held, this_process
lock = PortfolioLock(Path(sys.argv[1]), this_process("foliod live", 0))
print("held", flush=True)
sys.stdin.read()
"""


def _owner(command: str = "foliod replay") -> dict[str, str | int]:
    return this_process(command, 1_546_300_800_000_000_000)


def test_a_second_one_in_the_same_process_is_refused(tmp_path: Path) -> None:
    """OWN-1 holds inside one process too, and the refusal names the holder."""
    with (
        PortfolioLock(tmp_path, _owner()),
        pytest.raises(HeldError, match=f"process {os.getpid()} on .*foliod replay") as refused,
    ):
        PortfolioLock(tmp_path, _owner())

    assert refused.value.exit_code == ExitCode.HELD
    assert "2019-01-01T00:00:00Z" in str(refused.value)


def test_it_can_be_taken_again_after_release(tmp_path: Path) -> None:
    """Release is final and may be said twice."""
    first = PortfolioLock(tmp_path / "new" / "folder", _owner())
    first.release()
    first.release()

    with PortfolioLock(tmp_path / "new" / "folder", _owner()):
        assert b"foliod replay" in (tmp_path / "new" / "folder" / "lock").read_bytes()


def test_kill_9_of_the_holder_releases_it(tmp_path: Path) -> None:
    """There is no stale lock: the kernel lets go when the process dies (S7)."""
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(tmp_path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(HeldError, match=f"process {holder.pid} .*foliod live"):
            PortfolioLock(tmp_path, _owner())
        holder.send_signal(signal.SIGKILL)
        holder.wait()

        PortfolioLock(tmp_path, _owner()).release()


def test_a_holder_that_cannot_be_read_is_still_a_holder(tmp_path: Path) -> None:
    """The kernel decides, never the file's content."""
    with PortfolioLock(tmp_path, _owner()):
        (tmp_path / "lock").write_bytes(b"\x00")
        with pytest.raises(HeldError, match="not written its name"):
            PortfolioLock(tmp_path, _owner())


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    """A file where the folder should be is a JournalError with its path."""
    (tmp_path / "file").touch()

    with pytest.raises(JournalError, match="file"):
        PortfolioLock(tmp_path / "file", _owner())


def test_whether_a_folder_is_held_can_be_asked_without_taking_it(tmp_path: Path) -> None:
    """S7: the kernel's answer; asking neither takes the lock nor makes the file."""
    assert is_held(tmp_path) is False
    assert not (tmp_path / "lock").exists()
    with PortfolioLock(tmp_path, _owner()):
        assert is_held(tmp_path) is True
    assert is_held(tmp_path) is False
    PortfolioLock(tmp_path, _owner()).release()


def test_a_start_is_not_refused_because_somebody_looks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look shares the lock for a moment (health checks do, all day): the start tries again."""
    PortfolioLock(tmp_path, _owner()).release()
    looking = os.open(tmp_path / "lock", os.O_RDONLY | os.O_CLOEXEC)
    fcntl.flock(looking, fcntl.LOCK_SH)
    pauses: list[float] = []

    def end_looking(*arguments: object) -> None:
        pauses.append(0.0)
        os.close(looking)

    monkeypatch.setattr(select, "select", end_looking)

    PortfolioLock(tmp_path, _owner()).release()

    assert len(pauses) == 1
