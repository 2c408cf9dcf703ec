"""What the daemon tells a service manager, and what signals do (U5, R6, LIV-1)."""

from __future__ import annotations

import itertools
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from state.entries import KillChanged
from state.errors import ExitCode
from tests.daemons import ended, has_entries, spawn, wait_until
from tests.trading import demo_settings, journal_of

STUCK = '''
import threading

from foliod import Strategy


class Stuck(Strategy):
    """Holds up everything for two seconds, once."""

    def on_bar(self, bar, in_window):
        """Wait on the fifth bar."""
        self.count = getattr(self, "count", 0) + 1
        if self.count == 5:
            threading.Event().wait(2.0)
        return None

    def state(self):
        """Return what was counted."""
        return {"count": getattr(self, "count", 0)}

    def restore(self, state):
        """Take it back."""
        self.count = state["count"]
'''
CONFIG = """
[[strategies]]
name = "stuck"
kind = "stuck.py:Stuck"
symbols = ["EURUSD"]
interval = "1m"
"""


class Manager:
    """A service manager's end of the line."""

    def __init__(self, path: Path) -> None:
        """Listen."""
        self._line = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._line.bind(str(path))
        self._line.settimeout(0.01)
        self.path = str(path)
        self.heard: list[tuple[float, str]] = []

    def listen(self) -> bool:
        """Take what has come; always True, to be called while waiting."""
        while True:
            try:
                words = self._line.recv(4096).decode()
            except TimeoutError:
                return True
            self.heard.append((time.monotonic(), words))

    def count(self, word: str) -> int:
        """Return how often a word was heard."""
        self.listen()
        return sum(word in words for _, words in self.heard)

    def close(self) -> None:
        """Hang up."""
        self._line.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    """Return a manager that listens."""
    found = Manager(tmp_path / "notify")
    yield found
    found.close()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a fresh folder for the daemon, its configuration beside it."""
    demo_settings(tmp_path)
    text = (tmp_path / "foliod.toml").read_text()
    (tmp_path / "foliod.toml").write_text(text.replace('data_dir = ".."', 'data_dir = "."'))
    return tmp_path / "demo"


def test_ready_comes_after_recovery_then_signs_of_life_then_stopping(
    home: Path, manager: Manager
) -> None:
    """READY when the start is on the disk, WATCHDOG and STATUS while it works, STOPPING at last."""
    process = spawn(
        home.parent, "run", "--speed", "60", NOTIFY_SOCKET=manager.path, WATCHDOG_USEC="300000"
    )
    wait_until(lambda: manager.count("READY=1") == 1)
    assert manager.heard[0][1].startswith("READY=1\nSTATUS=working")
    assert has_entries(home, 6)
    wait_until(lambda: manager.count("WATCHDOG=1") >= 5)
    process.send_signal(signal.SIGTERM)

    assert ended(process)[0] == ExitCode.OK
    assert manager.count("STOPPING=1") == 1


def test_a_stuck_loop_gives_no_sign_of_life(home: Path, manager: Manager) -> None:
    """While a strategy holds up the loop no WATCHDOG comes; afterwards they come again (LIV-2)."""
    (home.parent / "stuck.py").write_text(STUCK)
    path = home.parent / "foliod.toml"
    path.write_text(path.read_text() + CONFIG)
    process = spawn(
        home.parent, "run", "--speed", "60", NOTIFY_SOCKET=manager.path, WATCHDOG_USEC="300000"
    )
    wait_until(lambda: manager.count("READY=1") == 1)

    def gap_s() -> float:
        manager.listen()
        signs = [at for at, words in manager.heard if "WATCHDOG=1" in words]
        return max((b - a for a, b in itertools.pairwise(signs)), default=0.0)

    wait_until(lambda: gap_s() > 1.5)
    before = manager.count("WATCHDOG=1")
    wait_until(lambda: manager.count("WATCHDOG=1") > before + 3)
    process.send_signal(signal.SIGTERM)
    assert ended(process)[0] == ExitCode.OK


@pytest.mark.parametrize(("name", "level"), [("SIGUSR1", "halt"), ("SIGUSR2", "flatten")])
def test_a_signal_is_a_kill_switch(home: Path, name: str, level: str) -> None:
    """SIGUSR1 halts and SIGUSR2 flattens, latched in the journal; SIGHUP opens the log anew."""
    process = spawn(home.parent, "run", "--speed", "60")
    wait_until(lambda: (home / "control.sock").exists() and any(home.glob("logs/*.jsonl")))
    log = next(home.glob("logs/*.jsonl"))
    log.rename(log.with_suffix(".old"))
    process.send_signal(signal.SIGHUP)
    process.send_signal(getattr(signal, name))
    wait_until(lambda: any(isinstance(one, KillChanged) for one in journal_of(home)))
    wait_until(log.exists)
    process.send_signal(signal.SIGTERM)

    status, _, err = ended(process)
    assert status == ExitCode.OK
    assert "SIGHUP" in err
    assert [one.level for one in journal_of(home) if isinstance(one, KillChanged)] == [level]
