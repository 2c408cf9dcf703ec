"""The kill switch as a file: a thread that looks at its folder, and a gate that fails closed (R6).

The thread looks every 20 ms. The gate is open only while a look that found no file is fresh; a
folder that is gone, another one, or cannot be looked into counts as a file that is there. What was
seen once stays seen until whoever journals it says so.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Final, NamedTuple

from adapters.clock import SteadyClock
from state.units import SECOND_NS

FILE: Final = "KILL_SWITCH"
LEVELS: Final = ("halt", "flatten")
PERIOD_S: Final = 0.02
LEASE_NS: Final = SECOND_NS // 4
"""How long a look that found nothing holds; after that the gate looks itself."""

SWITCH_S: Final = 0.001
"""Interpreter's switch interval for a process with such a gate: a look takes the interpreter back
four times, each of which may wait this long for every busy thread."""

_BYTES: Final = 1_024


class Order(NamedTuple):
    """What the file orders: ``level`` is ``halt`` or ``flatten``."""

    level: str
    reason: str


def order_of(text: str) -> Order:
    """Read a kill file: ``halt`` or ``flatten`` as its first word, then the reason.

    An empty one, and one that begins with another word, means ``halt``.

    >>> order_of("flatten the feed is wrong")
    Order(level='flatten', reason='the feed is wrong')
    >>> order_of("")
    Order(level='halt', reason='the kill file is there')
    """
    words = " ".join(text.split())
    first, _, rest = words.partition(" ")
    if first.lower() in LEVELS:
        return Order(first.lower(), rest or "the kill file is there")
    return Order("halt", words or "the kill file is there")


def write_kill_file(folder: Path, level: str, reason: str) -> Path:
    """Write the kill file as a whole, and its folder when that is missing; return its path.

    Raises:
        OSError: it cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / FILE
    temporary = folder / f".{FILE}.{os.getpid()}"
    temporary.write_text(f"{level} {reason}\n", encoding="utf-8")
    os.replace(temporary, path)
    return path


class KillFile:
    """Watches one folder from construction to ``close``."""

    def __init__(self, folder: Path) -> None:
        """Look once and begin to watch; a folder that is missing closes the gate."""
        self._folder = folder
        self._path = folder / FILE
        self._clock = SteadyClock()
        self._identity: tuple[int, int] | None = None
        self._seen: Order | None = None
        self._is_there = True
        self._fresh_until_ns = 0
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self.look()
        self._thread = threading.Thread(target=self._watch, name="kill-file", daemon=True)
        self._thread.start()

    def is_closed(self) -> bool:
        """Whether nothing that adds risk may go out now: a look at memory, most of the time."""
        if self._seen is not None:
            return True
        if self._clock.now_ns() >= self._fresh_until_ns:
            self.look()
        return self._seen is not None

    def seen(self) -> Order | None:
        """Return what was ordered since the last ``acknowledge``, None for nothing."""
        return self._seen

    def order(self, order: Order) -> None:
        """Close the gate now by word of mouth (a signal), as if a file had been seen."""
        with self._lock:
            self._seen = order

    def is_there(self) -> bool:
        """Whether the file is there now, or may be for all that can be told."""
        self.look()
        return self._is_there

    def acknowledge(self, order: Order) -> None:
        """Say that an order is latched in the journal, which denies from now on."""
        with self._lock:
            if self._seen == order and not self._is_there:
                self._seen = None

    def look(self) -> None:
        """Look at the folder once."""
        begun_ns = self._clock.now_ns()
        order = self._found()
        with self._lock:
            self._is_there = order is not None
            if order is not None:
                self._seen = order
            else:
                self._fresh_until_ns = begun_ns + LEASE_NS

    def close(self) -> None:
        """End the thread."""
        self._ending.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ending.wait(PERIOD_S):
            self.look()

    def _found(self) -> Order | None:
        try:
            folder = os.stat(self._folder)
        except OSError as problem:
            return Order("halt", f"{self._folder} cannot be looked into: {problem.strerror}")
        identity = folder.st_dev, folder.st_ino
        if self._identity is None:
            self._identity = identity
        if identity != self._identity:
            return Order("halt", f"{self._folder} is another folder than at the start")
        try:
            with open(self._path, "rb") as file:
                return order_of(file.read(_BYTES).decode("utf-8", "replace"))
        except FileNotFoundError:
            return None
        except OSError as problem:
            return Order("halt", f"{self._path} cannot be read: {problem.strerror}")
