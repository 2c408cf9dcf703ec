"""What a service manager hears, on a socket like its own (U5)."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.systemd import Service
from daemon.runtime.watchdog import Progress, ping_every_ns
from state.units import SECOND_NS

PID = os.getpid()


class Manager:
    """The listening end of a notify socket."""

    def __init__(self, address: str) -> None:
        """Listen at an address."""
        self._line = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._line.bind("\0" + address[1:] if address.startswith("@") else address)
        self._line.settimeout(5)
        self.address = address

    def heard(self) -> list[str]:
        """Return the words of the next message."""
        return self._line.recv(4096).decode().split("\n")

    def has_heard_nothing(self) -> bool:
        """Whether no message waits; what a process sends itself has arrived when it is sent."""
        self._line.setblocking(False)
        try:
            self._line.recv(4096, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        finally:
            self._line.settimeout(5)
        return False

    def close(self) -> None:
        """End."""
        self._line.close()


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest) -> Iterator[Manager]:
    """Return a manager that listens, by either kind of address."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "notify")
        found = Manager(path if request.param == "path" else f"@foliod-test{path}")
        yield found
        found.close()


def test_every_word_arrives(manager: Manager) -> None:
    """READY, STATUS, WATCHDOG and STOPPING as sd_notify(3) writes them."""
    service = Service({"NOTIFY_SOCKET": manager.address}, PID)

    assert service.ready("trading demo")
    assert manager.heard() == ["READY=1", "STATUS=trading demo"]
    assert service.status("2 open")
    assert manager.heard() == ["STATUS=2 open"]
    assert service.alive()
    assert manager.heard() == ["WATCHDOG=1"]
    assert service.stopping("signal")
    assert manager.heard() == ["STOPPING=1", "STATUS=signal"]


def test_a_status_is_one_line(manager: Manager) -> None:
    """A reason with a line end in it cannot say another word, and no length makes it fail."""
    service = Service({"NOTIFY_SOCKET": manager.address}, PID)

    assert service.status("by hand\nWATCHDOG=trigger\n" + "x" * 100_000)
    (word,) = manager.heard()
    assert word.startswith("STATUS=by hand WATCHDOG=trigger xxx")


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"NOTIFY_SOCKET": ""},
        {"NOTIFY_SOCKET": "vsock:2:1234"},
        {"NOTIFY_SOCKET": "/nowhere/notify"},
        {"NOTIFY_SOCKET": "/" + "x" * 200},
        {"NOTIFY_SOCKET": "@\0\ud800"},
    ],
)
def test_a_word_that_cannot_be_delivered_is_dropped(environ: dict[str, str]) -> None:
    """Nobody listens, or at no address: it says so and never raises."""
    service = Service(environ, PID)

    assert not service.ready("up")
    assert not service.alive()
    assert not service.stopping("\ud800")


def test_a_manager_that_does_not_read_holds_nothing_up(manager: Manager) -> None:
    """With its queue full words are lost, not the daemon's time."""
    service = Service({"NOTIFY_SOCKET": manager.address}, PID)
    delivered = 0
    while service.alive():
        delivered += 1
        assert delivered < 100_000

    assert not service.status("still here")
    assert manager.heard() == ["WATCHDOG=1"]


@pytest.mark.parametrize(
    ("variables", "expected_ns"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 30 * SECOND_NS),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(PID)}, 30 * SECOND_NS),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(PID + 1)}, 0),
        ({"WATCHDOG_USEC": "soon"}, 0),
        ({"WATCHDOG_USEC": "-1"}, 0),
        ({}, 0),
    ],
)
def test_the_watchdogs_time_is_read(variables: dict[str, str], expected_ns: int) -> None:
    """Only what is meant for this process, and only with a manager to tell."""
    assert Service({"NOTIFY_SOCKET": "/run/notify", **variables}, PID).watchdog_ns == expected_ns
    assert Service(variables, PID).watchdog_ns == 0


def test_a_stuck_part_ends_the_signs_of_life(manager: Manager) -> None:
    """The daemon's loop looks and pings; with the desk stuck the manager hears nothing more."""
    service = Service({"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "9000000"}, PID)
    progress = Progress({"loop": 3 * SECOND_NS, "desk": 3 * SECOND_NS}, 0)
    every_ns = ping_every_ns(service.watchdog_ns)
    heard = []

    for now_ns in range(every_ns, 8 * every_ns, every_ns):
        progress.mark("loop", now_ns)
        if now_ns < 3 * every_ns:
            progress.mark("desk", now_ns)
        if progress.may_ping(now_ns):
            service.alive()
        heard.append(not manager.has_heard_nothing() and manager.heard() == ["WATCHDOG=1"])

    assert every_ns == 3 * SECOND_NS
    assert heard == [True, True, True, False, False, False, False]
