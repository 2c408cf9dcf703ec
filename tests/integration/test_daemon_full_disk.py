"""A disk that takes nothing: exits only, all in order later, nothing lost (S2, R5, DUR-1)."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from state import verify_fold
from state.entries import CommandTaken, HaltSet, IntentRecorded, OrderChanged, RunEnded
from tests.trading import demo_settings, journal_of


def test_a_full_disk_leaves_exits_only_and_loses_nothing(tmp_path: Path) -> None:
    """Filled in the middle of the work and freed later: no entry order went out unrecorded.

    The halt is in the journal at the instant at which the disk was full, no entry follows it, and
    what happened meanwhile was written in order when there was room: the books prove it.
    """
    if shutil.which("unshare") is None:
        pytest.skip("unshare is not installed, no small disk can be made")
    disk, kept = tmp_path / "disk", tmp_path / "kept"
    disk.mkdir()
    demo_settings(tmp_path)
    text = (tmp_path / "foliod.toml").read_text().replace('"bars/', f'"{tmp_path}/bars/')
    (tmp_path / "foliod.toml").write_text(text.replace('data_dir = ".."', 'data_dir = "."'))
    script = (
        'mount -t tmpfs -o size=64m tmpfs "$1" && cp "$2" "$1"'
        ' && exec "$3" -m tests.integration.full_disk_daemon "$1" "$4"'
    )
    config = str(tmp_path / "foliod.toml")
    done = subprocess.run(
        ["unshare", "-Urm", "sh", "-c", script, "sh", disk, config, sys.executable, kept],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    if not done.stdout and "mount" in done.stderr:
        pytest.skip(f"no small disk can be mounted here: {done.stderr.strip()[:80]}")

    assert done.returncode == 0, done.stderr
    said = [json.loads(line)["event"] for line in done.stdout.splitlines()]
    assert said.index("exits only") < said.index("the journal is written again")
    entries = journal_of(kept)
    assert isinstance(entries[-1], RunEnded)
    halts = [one for one in entries if isinstance(one, HaltSet) and one.name == "journal"]
    assert [one.code for one in halts] == ["JOURNAL_BLOCKED"]
    taken = [one for one in entries if isinstance(one, CommandTaken)]
    assert [(one.name, one.argument) for one in taken] == [("breaker", "journal")]
    after = entries[entries.index(halts[0]) :]
    assert not any(
        isinstance(one, IntentRecorded) and one.intent.purpose == "entry" for one in after
    )
    kept_back = [one for one in entries if isinstance(one, OrderChanged) and one.event == "REJECT"]
    assert {one.code for one in kept_back} <= {"JOURNAL_BLOCKED"}
    assert verify_fold.check(kept / "foliod.db") == []
