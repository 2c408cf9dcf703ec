"""The power goes anywhere: what was acknowledged is there, the next process comes up (DUR-1).

A process of its own, because it forks. It needs ``strace`` to see what is written and synced.
"""

from __future__ import annotations

import subprocess
import sys
from random import Random  # noqa: TID251 - seeded here

import pytest

from tests.builders import ROOT
from tests.crash.disk_log import Call, Disk
from tests.crash.power import HERE, NO_STRACE

PATIENCE_S = 300
LONG_S = 7_200
SEEDS = 200


def _cut(*arguments: str, patience_s: int = PATIENCE_S) -> tuple[int, str]:
    command = [sys.executable, "-P", "-m", "tests.crash.power", *arguments]
    done = subprocess.run(
        command, cwd=ROOT, env=HERE, capture_output=True, text=True, timeout=patience_s
    )
    if done.returncode == NO_STRACE:
        pytest.skip(done.stdout.strip())
    return done.returncode, done.stdout + done.stderr


def test_no_power_cut_loses_what_was_acknowledged() -> None:
    """The journal's writer, the recorder, and whole daemons that then decide as if unbroken."""
    status, text = _cut()

    assert status == 0, text
    assert text.count("| 0 |") == 5, text


def test_an_acknowledgement_without_a_sync_is_caught() -> None:
    """Control: ``synchronous=NORMAL``, and lines that are said to be on the disk and are not."""
    status, text = _cut("--plants", "--cuts", "30")

    assert status == 0, text
    assert text.count("DUR-1") > 2, text


@pytest.mark.long
def test_thousands_of_power_cuts_lose_nothing() -> None:
    """Many more places, and disks."""
    status, text = _cut("--cuts", "3000", "--daemons", "300", patience_s=LONG_S)

    assert status == 0, text


def _contents(*calls: Call) -> set[bytes | None]:
    """Return what may be in the file a after these calls, None: no such file."""
    disk = Disk()
    for call in calls:
        disk.take(call)
    return {disk.cut(Random(seed)).get("/d/a") for seed in range(SEEDS)}


def test_the_disk_keeps_what_was_synced_and_any_part_of_the_rest() -> None:
    """The model itself: sectors of one write, beginnings of lines, names after their folder."""
    made = Call("create", "/d/a"), Call("sync", "/d")
    one, two = Call("write", "/d/a", 0, b"1" * 512), Call("write", "/d/a", 512, b"2" * 512)
    file = Call("sync", "/d/a")

    assert _contents(Call("create", "/d/a")) == {None, b""}
    assert _contents(*made, one, file) == {one.more}
    assert _contents(*made, one, two) == {
        b"", one.more, one.more + two.more, bytes(512) + two.more,
    }  # fmt: skip
    assert _contents(*made, one, file, two) == {one.more, one.more + two.more}
    assert _contents(*made, Call("write", "/d/a", None, b"xy")) == {b"", b"x", b"xy"}
    assert _contents(*made, one, file, Call("unlink", "/d/a")) == {None, one.more}
    moved = Call("create", "/d/b"), Call("write", "/d/b", 0, b"new"), Call("sync", "/d/b")
    rename = Call("rename", "/d/b", more=b"/d/a")
    assert _contents(*made, one, file, *moved, rename) == {one.more, b"new"}
    assert _contents(*made, one, file, *moved, rename, Call("sync", "/d")) == {b"new"}
