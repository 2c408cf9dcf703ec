"""A disk that takes nothing for a while, and a writer that waits it out (DUR-1)."""

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

_PROCESS = [sys.executable, "-m", "tests.integration.blocked_process"]
_DEADLINE_S = 60


def _run(command: list[str]) -> list[str]:
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=_DEADLINE_S
    )
    if not done.stdout and "mount" in done.stderr:
        pytest.skip(f"no small disk can be mounted here: {done.stderr.strip()[:80]}")
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def _assert_waited_out(lines: list[str], path: Path, remedy: str) -> None:
    """Told once, nothing acknowledged meanwhile, all of it written in order afterwards."""
    blocked, pending, unblocked, acknowledged, now = lines
    assert blocked.startswith("blocked ")
    assert remedy in blocked
    assert pending.split()[:2] == ["pending", "6"]
    assert unblocked == "unblocked"
    last = int(acknowledged.removeprefix("ack "))
    assert now == "now None True"
    assert list(read(path)) == list(enumerate(islice(endless(), last), start=1))
    assert check(path) == []


def test_an_io_error_is_waited_out(tmp_path: Path) -> None:
    """Nothing may grow for a while: the same entries are tried again until they are written."""
    path = tmp_path / "journal.db"

    lines = _run([*_PROCESS, str(path), "limit"])

    _assert_waited_out(lines, path, "Check the disk")


def test_a_full_disk_is_waited_out(tmp_path: Path) -> None:
    """On a real file system without space, until somebody makes room."""
    disk, kept = tmp_path / "disk", tmp_path / "kept"
    disk.mkdir()
    if shutil.which("unshare") is None:
        pytest.skip("unshare is not installed, no small disk can be made")
    # A private mount namespace needs no clean-up: the file system goes with the process.
    script = (
        'mount -t tmpfs -o size=8m tmpfs "$1" && dd if=/dev/zero of="$1/ballast" bs=1M count=6'
        ' 2>/dev/null && "$2" -m tests.integration.blocked_process "$1/journal.db" "$1/ballast"'
        ' && cp -r "$1" "$3"'
    )

    lines = _run(
        ["unshare", "-Urm", "sh", "-c", script, "sh", str(disk), sys.executable, str(kept)]
    )

    _assert_waited_out(lines, kept / "journal.db", "Free space on the disk")


def test_an_end_while_the_disk_takes_nothing_is_told(tmp_path: Path) -> None:
    """Close tries once more and then says what is not written; every caller hears of it."""
    path = tmp_path / "journal.db"

    blocked, pending, closed, failed = _run([*_PROCESS, str(path), "close"])

    safe = last_seq(path)
    assert f"entries up to {safe} are safe" in blocked
    assert f"Entries up to {safe} are safe" in closed
    assert pending.split()[1] == failed.split()[1] == "6"
    assert check(path) == []
