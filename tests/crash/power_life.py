"""What is traced before the power goes; started as a process, it runs to its end.

Arguments: what it is and its folder. ``journal FULL`` or ``journal NORMAL``: the writer alone, a
few batches in flight. ``lines synced`` or ``lines unsynced``: a recorder, whose lines are synced
after every few, or only said to be. ``daemon SCENARIO``: a scenario of the crash sweep, whose
configuration lies beside the folder in ``given``. On stdout, one line each: ``ack N`` after the
first N entries or bars were acknowledged.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from itertools import islice
from pathlib import Path

from adapters.feeds.events import LIVE, BarClosed
from adapters.feeds.recorder import Recorder
from config.load import load
from state.migrate import Synchronous
from state.units import MINUTE_NS
from state.writer import Writer
from tests.crash.scenarios import SCENARIOS
from tests.crash.stage import Stage, never_look_by_itself
from tests.fakes.bar_socket import BEGIN_NS, bar_of
from tests.integration.journal_process import endless

ENTRIES = 2_400
BARS = 2_000
_BATCH = 8
_IN_FLIGHT = 4
_LINES = 7


def bars() -> Iterator[BarClosed]:
    """Yield the bars that every recorder records: two days, and a bit of the third."""
    for number in range(BARS):
        bar = bar_of("EURUSD", number * 2)
        yield BarClosed("EURUSD", MINUTE_NS, bar, LIVE, BEGIN_NS + (number * 2 + 1) * MINUTE_NS)


def _say(count: int) -> None:
    os.write(1, f"ack {count}\n".encode())


def _journal(folder: Path, synchronous: Synchronous) -> None:
    flying: deque[Future[int]] = deque()
    entries = islice(endless(), ENTRIES)
    with Writer(folder / "foliod.db", synchronous) as writer:
        while batch := list(islice(entries, _BATCH)):
            flying.append(writer.submit(batch))
            if len(flying) > _IN_FLIGHT:
                _say(flying.popleft().result())
        for future in flying:
            _say(future.result())


def _lines(folder: Path, *, is_synced: bool) -> None:
    with Recorder(folder, is_durable=False) as recorder:
        for number, bar in enumerate(bars(), start=1):
            recorder.add(bar)
            if number % _LINES == 0:
                if is_synced:
                    recorder.sync()
                _say(number)


def main() -> None:
    """Do what the arguments say."""
    what, how, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    if what == "journal":
        _journal(folder, "FULL" if how == "FULL" else "NORMAL")
    elif what == "lines":
        _lines(folder, is_synced=how == "synced")
    else:
        never_look_by_itself()
        settings = load([folder.with_name("given") / "foliod.toml"], {})
        acts = next(one.acts for one in SCENARIOS if one.name == how)
        asyncio.run(Stage(settings, folder, acts).run())


if __name__ == "__main__":
    main()
