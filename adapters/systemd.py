"""Words to a service manager: ready, alive, what it does, stopping (``sd_notify``).

Without ``NOTIFY_SOCKET`` it does nothing. A word that cannot be delivered is dropped and never
raises: who only reports must not stop the work. When to say which word is the runner's business.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Final

_PATIENCE_S: Final = 0.1
"""A service manager that does not read for so long loses the word; the next one follows soon."""
_TEXT_CHARS: Final = 400
_NS_PER_US: Final = 1_000


class Service:
    """This process as a service manager knows it.

    ``watchdog_ns`` is how long the manager waits for a sign of life before it kills the process;
    0: it asks for none. Say ``alive`` twice in that time.
    """

    def __init__(self, environ: Mapping[str, str], pid: int) -> None:
        """Read the manager's address and its watchdog from the variables of process ``pid``."""
        self._address = _address(environ.get("NOTIFY_SOCKET", ""))
        self.watchdog_ns = _watchdog_ns(environ, pid) if self._address else 0

    def ready(self, text: str) -> bool:
        """Say that the start is done, and what it came to; return whether it was delivered."""
        return self._send(f"READY=1\n{_status(text)}")

    def status(self, text: str) -> bool:
        """Say in one line what it does now; return whether it was delivered."""
        return self._send(_status(text))

    def alive(self) -> bool:
        """Give the watchdog its sign of life; return whether it was delivered."""
        return self._send("WATCHDOG=1")

    def stopping(self, text: str) -> bool:
        """Say that the end has begun, and why; return whether it was delivered."""
        return self._send(f"STOPPING=1\n{_status(text)}")

    def _send(self, words: str) -> bool:
        if not self._address:
            return False
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as line:
                line.settimeout(_PATIENCE_S)
                line.sendto(words.encode("utf-8", "replace"), self._address)
        except (OSError, ValueError):
            return False
        return True


def _address(text: str) -> str:
    """Return the address of a datagram socket: a path, or an abstract name that begins with @."""
    if text.startswith("@"):
        return "\0" + text[1:]
    return text if text.startswith("/") else ""


def _watchdog_ns(environ: Mapping[str, str], pid: int) -> int:
    """Return the watchdog's time, 0 when there is none or it is meant for another process."""
    if environ.get("WATCHDOG_PID", str(pid)) != str(pid):
        return 0
    text = environ.get("WATCHDOG_USEC", "")
    return int(text) * _NS_PER_US if text.isascii() and text.isdigit() else 0


def _status(text: str) -> str:
    """Write a status as one line: a line end would begin another word to the manager."""
    return f"STATUS={' '.join(text.split())[:_TEXT_CHARS]}"
