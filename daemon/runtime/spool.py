"""Messages that wait to be sent, one file each: they survive a restart, and are bounded.

What waits is known in memory, by one thread; ``sync`` alone touches the disk, on whatever thread,
one call at a time. A message that cannot be written waits in memory.
"""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import Final

import msgspec

from adapters.ports import Message

SUFFIX: Final = ".json"
_DIGITS: Final = 12
_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final = msgspec.json.Decoder(Message)


class Spool:
    """The messages for one endpoint, critical ones first, else in the order they came."""

    def __init__(self, folder: Path, most: int) -> None:
        """Read what an earlier process left; ``most`` messages are kept.

        A folder that cannot be read counts as an empty one, and ``problem`` says why.
        """
        self._folder = folder
        self._most = most
        self._waiting: dict[int, Message] = {}
        self._due: deque[tuple[int, Message | None]] = deque()
        """What the disk must learn: a message to be written, or None for one to be deleted."""
        self.dropped = 0
        """Messages given up: there were too many, or a file was no message."""
        self.problem = ""
        """Why the disk was of no use the last time, empty when it was."""
        self._next = 1
        self._load()

    def __len__(self) -> int:
        """Return how many messages wait."""
        return len(self._waiting)

    def first(self) -> tuple[int, Message] | None:
        """Return the message to be sent next, with its number; None when none waits."""
        first = None
        for number, message in self._waiting.items():
            if message.level == "critical":
                return number, message
            first = first or (number, message)
        return first

    def add(self, message: Message) -> None:
        """Keep a message; where there are too many, drop the oldest that is not critical."""
        number = self._next
        self._next += 1
        self._waiting[number] = message
        self._due.append((number, message))
        while len(self._waiting) > self._most:
            self._drop()

    def remove(self, number: int) -> None:
        """Forget a message that was sent, or never will be."""
        if self._waiting.pop(number, None) is not None:
            self._due.append((number, None))

    def sync(self) -> None:
        """Let the disk know what changed; where it fails, say why and go on in memory."""
        while self._due:
            number, message = self._due.popleft()
            try:
                if message is None:
                    self._path(number).unlink(missing_ok=True)
                else:
                    self._write(number, message)
                self.problem = ""
            except OSError as problem:
                self.problem = f"{self._folder}: {problem.strerror or problem}"

    def _drop(self) -> None:
        plain = (n for n, message in self._waiting.items() if message.level != "critical")
        self.remove(next(plain, next(iter(self._waiting))))
        self.dropped += 1

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:0{_DIGITS}d}{SUFFIX}"

    def _write(self, number: int, message: Message) -> None:
        path = self._path(number)
        draft = path.with_suffix(".part")
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Not fsynced: it would make the journal wait for the same disk. What the kernel has
        # survives the process; a power cut may cost the last messages, and nothing else.
        draft.write_bytes(_ENCODER.encode(message))
        draft.replace(path)

    def _load(self) -> None:
        found: list[Path] = []
        try:
            if self._folder.exists():
                found = sorted(self._folder.iterdir())
        except OSError as problem:
            self.problem = f"{self._folder}: {problem.strerror}"
        for path in found:
            name = path.name.removesuffix(SUFFIX)
            if not (name.isascii() and name.isdigit() and path.name.endswith(SUFFIX)):
                continue  # a draft: the next one of its number replaces it
            number = int(name)
            self._next = max(self._next, number + 1)
            try:
                self._waiting[number] = _DECODER.decode(path.read_bytes())
            except (OSError, msgspec.MsgspecError):
                self.dropped += 1
                self._due.append((number, None))
        while len(self._waiting) > self._most:
            self._drop()
