"""Killed at every failpoint and started again, a daemon decides as if it had never stopped (REC-5).

The sweep is a process of its own: a fork server must not have a test runner's threads.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

from state import failpoints
from tests.builders import ROOT

PATIENCE_S = 300
LONG_S = 7_200


def _swept(*arguments: str, patience_s: int = PATIENCE_S) -> tuple[int, str]:
    command = [sys.executable, "-P", "-m", "tests.crash.sweep", *arguments]
    done = subprocess.run(
        command, cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
        timeout=patience_s,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def test_no_kill_at_any_failpoint_changes_a_decision() -> None:
    """One kill at every point of every scenario, a second one while the next life comes up."""
    status, text = _swept()

    assert status == 0, text
    assert all(f"`{point}`" in text for point in failpoints.POINTS)


def test_planted_bugs_are_caught_and_the_same_kills_without_them_find_nothing() -> None:
    """The sweep can fail: sending first, an R-stop in memory, the host's day, and others."""
    status, text = _swept("--plants")

    assert status == 0, text
    assert "MISSED" not in text
    assert "control:" not in text


@pytest.mark.long
def test_no_two_kills_change_a_decision() -> None:
    """First, middle and last hit of every point, and every point again in the second life."""
    status, text = _swept("--depth", "2", "--all", patience_s=LONG_S)

    assert status == 0, text
