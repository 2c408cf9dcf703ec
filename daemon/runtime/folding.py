"""Folding of repeated messages: the first goes at once, its repetitions as one with their count.

Pure: instants are seconds of a clock that is never set, and arguments.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec

from adapters.ports import Message

KEYS_KEPT: Final = 1024
"""Beyond so many keys in their windows a new one is not folded."""


@dataclass(slots=True)
class _Window:
    """What came under one key since its window began; ``newest`` None: nothing but the first."""

    ends_s: float
    count: int = 0
    newest: Message | None = None


class Folding:
    """Folds messages of one key that come within ``fold_s`` of the one that was let through."""

    def __init__(self, fold_s: float) -> None:
        """Take the window's length; 0 folds nothing."""
        self._fold_s = fold_s
        self._windows: dict[str, _Window] = {}
        self.folded = 0
        """How many messages went into another one."""

    def take(self, message: Message, now_s: float) -> Message | None:
        """Return the message when it is to be sent now, None when it was folded."""
        window = self._windows.get(message.key)
        if window is not None and now_s < window.ends_s:
            window.count += message.count
            window.newest = message
            self.folded += 1
            return None
        if self._fold_s > 0 and len(self._windows) < KEYS_KEPT:
            self._windows[message.key] = _Window(now_s + self._fold_s)
        return message

    def due(self, now_s: float) -> list[Message]:
        """Return what the windows that are over stand for; a key that goes on gets a new window."""
        found = []
        for key, window in list(self._windows.items()):
            if now_s < window.ends_s:
                continue
            del self._windows[key]
            if window.newest is not None:
                found.append(_folded(window.newest, window.count, self._fold_s))
                self._windows[key] = _Window(now_s + self._fold_s)
        return found

    def rest(self) -> list[Message]:
        """Return what is still held back, and begin anew: nothing may be lost at an end."""
        found = [
            _folded(window.newest, window.count, self._fold_s)
            for window in self._windows.values()
            if window.newest is not None
        ]
        self._windows.clear()
        return found


def _folded(newest: Message, count: int, fold_s: float) -> Message:
    if count == 1:
        return newest
    title = f"{newest.title} x {count}"
    text = f"{newest.text}\nThe last of {count} within {fold_s:g} s."
    return msgspec.structs.replace(newest, title=title, text=text, count=count)
