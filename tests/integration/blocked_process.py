"""A process whose disk takes nothing for a while, and whose writer waits it out; tests start it.

Arguments: the journal's path, and what stands in the way: ``limit`` (no file may grow beyond a
MiB, until the process lifts that again) or the path of a file that fills the disk, until the
process removes it. Or ``close``: as ``limit``, and it is closed while the disk takes nothing. On
stdout, one line each: ``blocked TEXT``, ``pending N`` entries then, ``unblocked``, ``ack N``.
"""

from __future__ import annotations

import os
import resource
import sys
import threading
from concurrent.futures import Future
from itertools import islice
from pathlib import Path

from state.entries import Entry
from state.errors import JournalError
from state.writer import Writer
from tests.integration.journal_process import endless

_LIMIT = 1 << 20
_BATCH = 8
_MORE = 5


def _say(text: str) -> None:
    os.write(1, f"{text}\n".encode())


def _limit(size: int) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))


def _lift(how: str) -> None:
    if how == "limit":
        _limit(resource.RLIM_INFINITY)
    else:
        Path(how).unlink()


def _close(writer: Writer, futures: list[Future[int]]) -> None:
    """Close while the disk takes nothing."""
    try:
        writer.close()
    except JournalError as problem:
        _say(f"closed {problem}")
    _say(f"failed {sum(one.exception() is not None for one in futures)}")


def main() -> None:
    """Write until the disk takes nothing, wait, make room, and write on."""
    path, how = Path(sys.argv[1]), sys.argv[2]
    is_blocked, is_free = threading.Event(), threading.Event()

    def on_blocked(text: str) -> None:
        _say(f"blocked {text}")
        is_blocked.set()

    def on_unblocked() -> None:
        _say("unblocked")
        is_free.set()

    writer = Writer(path, "FULL", retry=True, on_blocked=on_blocked, on_unblocked=on_unblocked)
    if how in ("limit", "close"):
        _limit(_LIMIT)
    entries = iter(endless())
    futures: list[Future[int]] = []

    def submit() -> None:
        batch: list[Entry] = list(islice(entries, _BATCH))
        futures.append(writer.submit(batch))

    while not is_blocked.is_set():
        submit()
        while not (futures[-1].done() or is_blocked.is_set()):
            is_blocked.wait(0.001)
    for _ in range(_MORE):
        submit()
    while writer.blocked is None or writer.blocked.attempts < 3:
        is_free.wait(0.01)
    _say(f"pending {sum(not one.done() for one in futures)} of {writer.blocked.attempts} attempts")
    if how == "close":
        _close(writer, futures)
        return
    _lift(how)
    _say(f"ack {futures[-1].result(timeout=30)}")
    _say(f"now {writer.blocked} {writer.is_idle}")
    writer.close()


if __name__ == "__main__":
    main()
