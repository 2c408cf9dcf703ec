"""DUR-1 with real processes: killed at any moment, or out of disk, nothing acknowledged is lost."""

from __future__ import annotations

import shutil
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest

from state.journal import last_seq, read
from state.verify_fold import check
from tests.builders import ROOT
from tests.integration.journal_process import endless

_WRITE = [sys.executable, "-m", "tests.integration.journal_process"]
_DEADLINE_S = 60


def _killed_after(path: Path, acknowledgements: int, *arguments: str) -> int:
    """Kill -9 a writing process after so many acknowledgements; return the last one it gave."""
    with subprocess.Popen(
        [*_WRITE, str(path), *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(acknowledgements)]
        process.kill()
        # It went on writing until the signal came: what is left in the pipe counts as well.
        lines += process.stdout.read().splitlines()
    return max(int(line.removeprefix("ack ")) for line in lines)


@pytest.mark.parametrize("synchronous", ["FULL", "NORMAL"])
@pytest.mark.parametrize("size", ["1", "8", "21"])
def test_kill_9_loses_nothing_that_was_acknowledged(
    tmp_path: Path, size: str, synchronous: str
) -> None:
    """After each kill the journal is a whole beginning of what was to be written.

    No number is missing or used twice, the chain is whole, the tables equal the fold, and the next
    process goes on from there.
    """
    path = tmp_path / "journal.db"
    for acknowledgements in (1, 17, 40):
        acknowledged = _killed_after(path, acknowledgements, size, synchronous)

        found = list(read(path))

        assert len(found) >= acknowledged
        assert found == list(enumerate(islice(endless(), len(found)), start=1))
        assert check(path) == []


def _acknowledged(output: str) -> int:
    return max(int(line[4:]) for line in output.splitlines() if line.startswith("ack "))


def _assert_told_and_sound(output: str, path: Path) -> None:
    """Every waiting caller was told, nothing more was taken, what was acknowledged is there."""
    answers = [line.split()[0] for line in output.splitlines()]
    assert "told" not in answers or "ack" not in answers[answers.index("told") :]
    assert answers[-2:] == ["refused", "closed"]
    assert last_seq(path) >= _acknowledged(output)
    assert check(path) == []


def test_a_write_error_is_told_to_every_caller(tmp_path: Path) -> None:
    """A file that may not grow is an IO error: stop, say so, keep what was acknowledged."""
    path = tmp_path / "journal.db"

    output = subprocess.run(
        [*_WRITE, str(path), "8", "FULL", str(1 << 20)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=_DEADLINE_S,
    ).stdout

    assert "Check the disk" in output
    _assert_told_and_sound(output, path)


def test_a_full_disk_is_told_to_every_caller(tmp_path: Path) -> None:
    """On a real file system without space: nothing is acknowledged that is not in the file."""
    disk, kept = tmp_path / "disk", tmp_path / "kept"
    disk.mkdir()
    # A private mount namespace needs no clean-up: the file system goes with the process.
    script = (
        'mount -t tmpfs -o size=2m tmpfs "$1" && "$2" -m tests.integration.journal_process'
        ' "$1/journal.db" 8 FULL; cp -r "$1" "$3"'
    )
    command = ["unshare", "-Urm", "sh", "-c", script, "sh", str(disk), sys.executable, str(kept)]
    if shutil.which("unshare") is None:
        pytest.skip("unshare is not installed, no small disk can be made")

    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=_DEADLINE_S
    )

    if "ack " not in done.stdout:
        pytest.skip(f"no small disk can be mounted here: {done.stderr.strip()[:80]}")
    assert "Free space on the disk" in done.stdout
    _assert_told_and_sound(done.stdout, kept / "journal.db")
