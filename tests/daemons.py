"""The daemon as a process of its own, for tests that stop it, kill it and start it again."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from state.journal import last_seq
from tests.builders import ROOT

PATIENCE_S = 60.0


def spawn(
    folder: Path, *arguments: str, config: str = "foliod.toml", **variables: str
) -> subprocess.Popen[str]:
    """Start a verb of the program in ``folder``, with more environment ``variables``."""
    command = [sys.executable, "-P", "-m", "daemon.cli.main", "-c", config, *arguments]
    return subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Wait for the end of a process; return its status, stdout and stderr."""
    out, err = process.communicate(timeout=PATIENCE_S)
    return process.returncode, out, err


def wait_until(holds: Callable[[], bool]) -> None:
    """Wait until something holds, at most ``PATIENCE_S``."""
    for _ in range(round(PATIENCE_S / 0.01)):
        if holds():
            return
        time.sleep(0.01)
    raise AssertionError("it never came to hold")


def has_entries(home: Path, count: int) -> bool:
    """Whether the journal in ``home`` has so many entries."""
    path = home / "foliod.db"
    return path.exists() and path.stat().st_size > 0 and _last(path) >= count


def _last(path: Path) -> int:
    from state.errors import JournalError

    try:
        return last_seq(path)
    except JournalError:
        return 0
