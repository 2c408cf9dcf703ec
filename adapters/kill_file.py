"""The kill switch as a file: a thread that looks at its folder, and a gate that fails closed (R6).

The thread looks whenever something happens in the folder (inotify), and every 20 ms whatever
happens. The gate is open only while a look that found no file is fresh; a folder that is gone,
another one, or cannot be looked into counts as a file that is there. What was seen once stays seen
until whoever journals it says so.
"""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from adapters.clock import SteadyClock
from state.units import SECOND_NS

if TYPE_CHECKING:
    from adapters.inotify import Watch

FILE: Final = "KILL_SWITCH"
LEVELS: Final = ("halt", "flatten")
PERIOD_S: Final = 0.02
LEASE_NS: Final = SECOND_NS // 4
"""How long a look that found nothing holds; after that the gate looks itself."""

SWITCH_S: Final = 0.001
"""Interpreter's switch interval for a process with such a gate: a look takes the interpreter back
four times, each of which may wait this long for every busy thread."""

_BYTES: Final = 1_024
_LEAST_S: Final = 0.001
"""Between two looks, however much happens in the folder."""


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

    On a disk that takes no byte more an empty file may still be made, which orders a halt.

    Raises:
        OSError: it cannot be written, or not with what it was to say.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / FILE
    temporary = folder / f".{FILE}.{os.getpid()}"
    try:
        temporary.write_text(f"{level} {reason}\n", encoding="utf-8")
        # Whatever the mask of whoever writes it: a daemon of another user must read the level.
        temporary.chmod(0o664)
        os.replace(temporary, path)
    except OSError as problem:
        path.touch()
        with suppress(OSError):
            temporary.unlink()
        said = f"{problem.strerror}; an empty one is there now, which orders a halt"
        if level != "halt":
            raise OSError(problem.errno, said, str(path)) from problem
    return path


class KillFile:
    """Watches one folder from construction to ``close``.

    ``is_notified`` says whether the system tells of changes; without it the looks are periodic.
    """

    def __init__(self, folder: Path, *, period_s: float = PERIOD_S, notify: bool = True) -> None:
        """Look once and begin to watch; a folder that is missing closes the gate.

        ``period_s`` is the longest time between two looks, ``notify`` whether to ask the system to
        tell of changes in between.
        """
        self._period_s = period_s
        self._folder = folder
        self._path = folder / FILE
        self._clock = SteadyClock()
        self._identity: tuple[int, int] | None = None
        self._seen: Order | None = None
        self._is_there = True
        self._fresh_until_ns = 0
        self._turn, self._lock = threading.Lock(), threading.Lock()
        self._ending = threading.Event()
        self._watch = _watch(folder) if notify else None
        self.is_notified = self._watch is not None
        self.look()  # after the watch has begun, so that nothing falls in between
        self._thread = threading.Thread(target=self._run, name="kill-file", daemon=True)
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
        return self.look() is not None

    def acknowledge(self, order: Order) -> None:
        """Say that an order is latched in the journal, which denies from now on."""
        with self._lock:
            if self._seen == order and not self._is_there:
                self._seen = None

    def look(self) -> Order | None:
        """Look at the folder once; return what is ordered there now."""
        # One look at a time: what an earlier one saw must not come after a later one's answer.
        with self._turn:
            begun_ns = self._clock.now_ns()
            order = self._found()
            with self._lock:
                if order is None:
                    self._is_there, self._fresh_until_ns = False, begun_ns + LEASE_NS
                    return None
                self._is_there = True
                # What was ordered stays ordered: a later halt does not take a flatten back.
                if self._seen is None or self._seen.level != "flatten" or order.level == "flatten":
                    self._seen = order
                return order

    def close(self) -> None:
        """End the thread."""
        self._ending.set()
        if (watch := self._watch) is not None:
            watch.wake()
        self._thread.join()
        if self._watch is not None:
            self._watch.close()
            self._watch = None

    def _run(self) -> None:
        while not self._wait():
            self.look()

    def _wait(self) -> bool:
        """Wait until the next look is due; return whether there is to be none."""
        if self._watch is None:
            return self._ending.wait(self._period_s)
        try:
            self._watch.wait(self._period_s)
        except OSError:
            # Its handles are left open: to close them here could close somebody else's.
            self._watch, self.is_notified = None, False
        return self._ending.wait(_LEAST_S)

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
            os.lstat(self._path)
        except FileNotFoundError:
            return None
        except OSError as problem:
            return Order("halt", f"{self._path} cannot be looked at: {problem.strerror}")
        try:
            return order_of(_content(self._path))
        except OSError as problem:
            return Order("halt", f"{self._path} cannot be read: {problem.strerror}")


def _content(path: Path) -> str:
    """Read the beginning of a file, whatever kind of file it is, and never wait for it.

    Raises:
        OSError: it cannot be read now.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        return os.read(descriptor, _BYTES).decode("utf-8", "replace")
    finally:
        os.close(descriptor)


def _watch(folder: Path) -> Watch | None:
    """Return a watch on the folder, None where there can be none: then time alone makes looks."""
    try:
        from adapters.inotify import Watch

        return Watch(folder)
    except (ImportError, MemoryError, OSError):
        return None
