"""Waiting for something to happen in a folder: Linux's inotify, through the C library.

It says that something happened, never what: whoever waits looks for himself. Events may be lost (a
full queue, a folder on the network), so it can only make a look earlier, never replace one.
"""

from __future__ import annotations

import ctypes
import os
import select
from pathlib import Path
from typing import Final

_MODIFY: Final = 0x2
_CLOSE_WRITE: Final = 0x8
_MOVED_TO: Final = 0x80
_CREATE: Final = 0x100
_DELETE_SELF: Final = 0x400
_MOVE_SELF: Final = 0x800
_MASK: Final = _MODIFY | _CLOSE_WRITE | _MOVED_TO | _CREATE | _DELETE_SELF | _MOVE_SELF
_FLAGS: Final = os.O_NONBLOCK | os.O_CLOEXEC
_BYTES: Final = 65_536


class Watch:
    """Watches one folder from construction to ``close``; waited on by one thread."""

    def __init__(self, folder: Path) -> None:
        """Begin to watch.

        Raises:
            OSError: the folder cannot be watched, or this system has no inotify.
        """
        library = ctypes.CDLL(None, use_errno=True)
        try:
            begin, add = library.inotify_init1, library.inotify_add_watch
        except AttributeError:
            raise OSError("the C library has no inotify") from None
        self._descriptor: int = begin(_FLAGS)
        if self._descriptor < 0:
            raise _failure(folder)
        self._alarm = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        if add(self._descriptor, os.fsencode(folder), _MASK) < 0:
            failure = _failure(folder)
            self.close()
            raise failure
        self._poll = select.poll()
        self._poll.register(self._descriptor, select.POLLIN)
        self._poll.register(self._alarm, select.POLLIN)

    def wait(self, timeout_s: float) -> bool:
        """Wait until something happens in the folder, or to it; False when the time is over.

        All that has happened up to now is one answer.

        Raises:
            OSError: the watch is closed or broken.
        """
        if not self._poll.poll(timeout_s * 1_000):
            return False
        try:
            while os.read(self._descriptor, _BYTES):
                pass
        except BlockingIOError:
            pass
        return True

    def wake(self) -> None:
        """End the wait of the thread that waits, as if something had happened; for good."""
        os.eventfd_write(self._alarm, 1)

    def close(self) -> None:
        """End the watch."""
        os.close(self._alarm)
        os.close(self._descriptor)


def _failure(folder: Path) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number), str(folder))
