"""One effective writer per portfolio: a kernel lock on a file in its folder (S7).

The kernel releases it when the process dies, however it dies, so there is no stale lock to clean
up. The file's content only says who holds it; never decide by its content.
"""

from __future__ import annotations

import fcntl
import os
import select
import socket
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import msgspec

from state.errors import HeldError, JournalError
from state.units import utc_text

_NAME: Final = "lock"
_READ_BYTES: Final = 4096
_ATTEMPTS: Final = 5
_PAUSE_S: Final = 0.02
"""A look at the lock (``is_held``) holds it for a moment; a start must not be refused for that."""


def this_process(command: str, since_ns: int) -> dict[str, str | int]:
    """Describe this process as a holder: the ``command`` it runs, and since when (UTC ns)."""
    return {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "command": command,
        "since": utc_text(since_ns),
    }


class PortfolioLock:
    """The right to write one portfolio's (or one run's) folder, held from construction to release.

    A second one on the same folder is refused, in this process or another. A forked child keeps
    the lock alive with its parent; a child started with exec does not.
    """

    def __init__(self, folder: Path, owner: dict[str, str | int]) -> None:
        """Take the lock of ``folder`` (created when missing) in the name of ``owner``.

        Raises:
            HeldError: somebody holds it; the text says who.
            JournalError: the folder or the lock file cannot be written.
        """
        self.path = folder / _NAME
        try:
            folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as problem:
            raise JournalError(f"{self.path} cannot be locked: {problem}") from problem
        try:
            self._take(descriptor, owner)
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor: int | None = descriptor

    def _take(self, descriptor: int, owner: dict[str, str | int]) -> None:
        try:
            is_taken = any(_locked(descriptor, attempt) for attempt in range(_ATTEMPTS))
            if not is_taken:
                raise HeldError(
                    f"{self.path.parent} is held by {_holder(descriptor)}: one portfolio has one"
                    " writer. Stop that one first, or use another folder"
                )
        except OSError as problem:
            raise JournalError(f"{self.path} cannot be locked: {problem}") from problem
        try:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, msgspec.json.encode(owner) + b"\n", 0)
        except OSError as problem:
            raise JournalError(f"{self.path} cannot be written: {problem}") from problem

    def release(self) -> None:
        """Give the lock back; a second call does nothing. The file stays, empty."""
        if self._descriptor is None:
            return
        descriptor, self._descriptor = self._descriptor, None
        try:
            os.ftruncate(descriptor, 0)
        finally:
            os.close(descriptor)

    def __enter__(self) -> Self:
        """Return the lock, which is held already."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Release."""
        self.release()


def _locked(descriptor: int, attempt: int) -> bool:
    """Try to take the lock, after a pause unless it is the first attempt."""
    if attempt:
        select.select([], [], [], _PAUSE_S)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def holder(folder: Path) -> str:
    """Say in words who holds the lock of a folder that somebody holds, from its file."""
    try:
        descriptor = os.open(folder / _NAME, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as problem:
        return f"another process ({problem.strerror})"
    try:
        return _holder(descriptor)
    finally:
        os.close(descriptor)


def is_held(folder: Path) -> bool:
    """Whether a process holds the lock of a folder now.

    A shared lock is taken and given back at once, so ask this of a folder whose owner took its lock
    when it made the folder; never before taking the lock oneself.
    """
    try:
        descriptor = os.open(folder / _NAME, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def _holder(descriptor: int) -> str:
    """Say who wrote the file, as far as it can be read."""
    try:
        found: Any = msgspec.json.decode(os.pread(descriptor, _READ_BYTES, 0))
    except (OSError, msgspec.MsgspecError):
        found = None
    if not isinstance(found, dict):
        return "another process (it has not written its name yet)"
    return (
        f"process {found.get('pid', '?')} on {found.get('host', '?')}"
        f" ({found.get('command', '?')}, since {found.get('since', '?')})"
    )
