"""What one journal entry costs: encode, chain, project, insert, commit.

Prints a table: rows a second (waiting for every batch, as the replay does) and CPU microseconds an
entry, for batches of 1, 20 and 1000 entries. Run from the repository's root:
``python -m benchmarks.writer [ENTRIES]``.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import get_args

from state import codec
from state.entries import (
    BarsConsumed,
    Decided,
    Entry,
    EquityMarked,
    Filled,
    InstrumentSet,
    IntentRecorded,
    PlanSet,
    PortfolioOpened,
)
from state.instruments import Instrument
from state.migrate import Synchronous
from state.orders import Intent
from state.projector import Projector
from state.signals import Signal
from state.units import MINUTE_NS
from state.verdicts import Verdict
from state.writer import Writer

_GATES = ("kill", "halts", "window", "news", "freshness", "position", "r_stop", "caps", "sizing")


def journal(count: int) -> list[Entry]:
    """Make ``count`` entries as a busy replay writes them: eight to a trade."""
    instrument = Instrument(
        "EURUSD", "USD", Decimal("0.0001"), Decimal("0.00001"), Decimal(1), Decimal(1)
    )
    entries: list[Entry] = [
        PortfolioOpened(0, 1, "bench", "USD", "UTC", Decimal(100_000)),
        InstrumentSet(0, instrument),
    ]
    number = 0
    while len(entries) < count:
        number += 1
        entries.extend(_trade(number))
    return entries[:count]


def _trade(number: int) -> Iterator[Entry]:
    at_ns = number * 5 * MINUTE_NS
    name = codec.digest(str(number).encode())[:20]
    verdicts = tuple(Verdict(gate, True, f"{gate.upper()}_OK", "0", "1") for gate in _GATES)
    signal = Signal(1, stop=1.0843, target_r=1.0)
    yield BarsConsumed(at_ns, "EURUSD", 5 * MINUTE_NS, 1, at_ns, "0" * 32)
    yield Decided(at_ns, "EURUSD", "ORB", at_ns, 1, signal, verdicts, "ACCEPTED", name)
    yield IntentRecorded(
        at_ns,
        Intent(name, "entry", name, "EURUSD", "ORB", 5 * MINUTE_NS, 1, 83_000, at_ns, 1, 1.0849),
    )
    yield _fill(f"{name}e", name, "entry", 1, at_ns, "0")
    yield PlanSet(at_ns, name, 108_430, 108_550, at_ns, Decimal("49.8"))
    yield _fill(f"{name}x", name, "target", -1, at_ns, "49.8")
    yield EquityMarked(at_ns, Decimal("100049.8"), Decimal(0), Decimal("100049.8"))
    yield BarsConsumed(at_ns, "EURUSD", 5 * MINUTE_NS, 1, at_ns, "0" * 32)


def _fill(execution: str, trade: str, leg: str, side: int, at_ns: int, pnl: str) -> Filled:
    cost = Decimal("2.49000000")
    return Filled(
        at_ns,
        execution,
        trade,
        trade,
        leg,
        "EURUSD",
        "ORB",
        side,
        83_000,
        Decimal("1.0849"),
        108_490,
        at_ns,
        at_ns,
        1,
        cost,
        cost,
        cost,
        Decimal(pnl),
        Decimal(1),
    )


def _measure(entries: list[Entry], batch: int, synchronous: Synchronous) -> tuple[float, float]:
    """Return (rows a second, CPU microseconds an entry)."""
    with tempfile.TemporaryDirectory() as folder:
        writer = Writer(Path(folder) / "journal.db", synchronous)
        began, cpu = time.perf_counter(), time.process_time()
        for first in range(0, len(entries), batch):
            writer.submit(entries[first : first + batch]).result()
        cpu = time.process_time() - cpu
        wall = time.perf_counter() - began
        writer.close()
    return len(entries) / wall, cpu * 1e6 / len(entries)


def _parts(entries: list[Entry]) -> None:
    began = time.process_time()
    payloads = [codec.encode(entry) for entry in entries]
    encoded = time.process_time()
    link = codec.GENESIS
    for payload in payloads:
        link = codec.chain(link, payload)
    chained = time.process_time()
    projector = Projector()
    for seq, entry in enumerate(entries, start=1):
        projector.fold(seq, entry)
    projector.take()
    projected = time.process_time()
    for payload in payloads:
        codec.decode(payload)
    decoded = time.process_time()
    names = ("encode", "chain", "project", "decode")
    marks = (began, encoded, chained, projected, decoded)
    for name, start, end in zip(names, marks, marks[1:], strict=False):
        print(f"  {name:<8} {(end - start) * 1e6 / len(entries):6.2f} us CPU an entry")
    print(f"  payload  {sum(map(len, payloads)) / len(payloads):6.0f} bytes an entry")


def main() -> None:
    """Print the table."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    entries = journal(count)
    print(f"{count} entries")
    _parts(entries)
    print(f"  {'sync':<8} {'batch':>6} {'rows/s':>10} {'us CPU/entry':>13}")
    for synchronous in get_args(Synchronous):
        for batch in (1, 20, 1000):
            sample = entries if batch > 1 else entries[: max(1, count // 20)]
            rows, cpu = _measure(sample, batch, synchronous)
            print(f"  {synchronous:<8} {batch:>6} {rows:>10,.0f} {cpu:>13.1f}")


if __name__ == "__main__":
    main()
