"""A process that writes a journal until it is killed or its disk fails; tests start it.

It writes ``endless()``, from the entry on at which the journal ends. Arguments: the journal's path,
entries a batch, FULL or NORMAL, and optionally the largest file (bytes) that it may write. On
stdout, one line each: ``ack N`` after entry N was acknowledged, ``failed TEXT`` when the writer
failed, ``told`` for each caller that heard of it while it waited.
"""

from __future__ import annotations

import os
import resource
import sys
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from itertools import count, islice
from pathlib import Path

from state.entries import Entry
from state.errors import JournalError
from state.migrate import Synchronous
from state.writer import Writer
from tests.journals import opening, trade

_IN_FLIGHT = 4


def _say(text: str) -> None:
    os.write(1, f"{text}\n".encode())


def endless() -> Iterator[Entry]:
    """Yield the one journal that every such process writes: an opening, then trades for ever."""
    yield from opening()
    for number in count(1):
        yield from trade(f"T{number}", number * 1000, won=number % 3 == 0)


def main() -> None:
    """Write for ever, a few batches in flight."""
    path, size = Path(sys.argv[1]), int(sys.argv[2])
    synchronous: Synchronous = "FULL" if sys.argv[3] == "FULL" else "NORMAL"
    if len(sys.argv) > 4:
        limit = int(sys.argv[4])
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    writer = Writer(path, synchronous)
    flying: deque[Future[int]] = deque()
    entries = islice(endless(), writer.seq, None)
    try:
        while batch := list(islice(entries, size)):
            flying.append(writer.submit(batch))
            if len(flying) > _IN_FLIGHT:
                _say(f"ack {flying.popleft().result()}")
    except JournalError as problem:
        _say(f"failed {problem}")
    for future in flying:
        told = isinstance(future.exception(timeout=10), JournalError)
        _say("told" if told else f"ack {future.result()}")
    try:
        writer.submit([])
    except JournalError:
        _say("refused")
    try:
        writer.close()
    except JournalError:
        _say("closed")


if __name__ == "__main__":
    main()
