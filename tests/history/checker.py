"""The checker: one walk over a journal, every part shown every entry, then the book."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.history.audit import Audit, Config
from tests.history.bars import History, Prices, can_read
from tests.history.book import Book
from tests.history.breakers import Breakers
from tests.history.feed import Feed
from tests.history.fills import Fills, can_check
from tests.history.journal import (
    Row,
    Snapshot,
    Violation,
    chain_problems,
    rows_of,
    snapshots_of,
)
from tests.history.money import Money
from tests.history.nights import Nights
from tests.history.orders import Orders
from tests.history.pacing import Pacing
from tests.history.protection import Protection
from tests.history.recovery import Snapshots
from tests.history.risk import Caps, Latches
from tests.history.sessions import Sessions

DATABASE = "foliod.db"
MOST = 100
"""Violations after which a walk ends: the rest follow from them."""


@dataclass
class Report:
    """What was found, and what could not be looked at, and why."""

    found: list[Violation] = field(default_factory=list)
    entries: int = 0
    proved: set[str] = field(default_factory=set)
    left_out: list[str] = field(default_factory=list)

    @property
    def broken(self) -> set[str]:
        """The invariants that do not hold."""
        return {one.invariant for one in self.found}


def check_folder(folder: Path, config: Path | None = None) -> Report:
    """Check a portfolio's or a run's folder.

    ``config`` is the configuration it ran under; without one the folder's own ``config.toml``.
    """
    database = folder / DATABASE
    path = config or folder / "config.toml"
    given = tomllib.loads(path.read_text()) if path.is_file() else None
    report = check_rows(
        rows_of(database), given, bars=path.parent, snapshots=snapshots_of(database)
    )
    report.found[:0] = chain_problems(database)
    report.proved.add("DUR-1")
    return report


def check_rows(
    rows: Sequence[Row],
    config: Config | None = None,
    *,
    bars: Path | None = None,
    snapshots: Iterable[Snapshot] = (),
) -> Report:
    """Check numbered entries, against a configuration and its bar files where they are given.

    ``bars`` is the folder that the configuration's paths are relative to, None: without bars.
    """
    named = {row["instrument"]["symbol"]: row["instrument"] for row in rows if _sets(row)}
    left_out: list[str] = []
    market = _market(left_out, config, bars, rows, named)
    walk = Walk(config, market, snapshots)
    walk.report.left_out[:0] = left_out
    for row in rows:
        walk.take(row)
        if len(walk.report.found) > MOST:
            text = f"entries after {row['seq']}: too much is wrong before them"
            walk.report.left_out.append(text)
            return walk.report
    walk.end()
    return walk.report


class Walk:
    """A walk that may go on as the journal grows: ``take`` each numbered entry, then ``end``."""

    def __init__(
        self, config: Config | None = None, market: tuple[History, Prices] | None = None,
        snapshots: Iterable[Snapshot] = (),
    ) -> None:  # fmt: skip
        """Begin before the first entry, with what is known beside the journal."""
        self.book, self.report = Book(), Report()
        self._kept = Snapshots(self.book, self.report.found, snapshots)
        self._parts = _parts(self.book, self.report, config, market)
        self.report.proved.add("REC-1")
        for part in self._parts:
            self.report.proved.update(part.proves)

    def take(self, row: Row) -> None:
        """Judge one entry by those before it, then fold it."""
        for part in self._parts:
            part.look(row)
        self.book.fold(row)
        self._kept.after(row)
        self.report.entries += 1

    def end(self) -> None:
        """Judge what the journal ends with."""
        for part in self._parts:
            part.end()


def _parts(
    book: Book, report: Report, config: Config | None, market: tuple[History, Prices] | None
) -> list[Audit]:
    found = report.found
    history, prices = market or (None, None)
    parts: list[Audit] = [
        Orders(book, found),
        Money(book, found),
        Protection(book, found),
        Latches(book, found, config),
        Pacing(book, found, config),
        Feed(book, found, history),
        Nights(book, found, config, history),
        Breakers(book, found, config),
    ]
    if config is None:
        report.left_out.append("RSK-1, SES-1, limits of RSK-3: no configuration (config.toml)")
        return parts
    parts += [Caps(book, found, config, prices), Sessions(book, found, config)]
    if history is not None and prices is not None:
        if can_check(config):
            parts.append(Fills(book, found, config, history, prices))
        else:
            report.left_out.append("prices of fills: the broker is not the perfect one")
    return parts


def _sets(row: Row) -> bool:
    return bool(row["type"] == "InstrumentSet")


def _market(
    left_out: list[str], config: Config | None, folder: Path | None, rows: Sequence[Row],
    instruments: Mapping[str, Row],
) -> tuple[History, Prices] | None:  # fmt: skip
    if config is None or folder is None:
        left_out.append("prices of fills, digests of bars: no bar files given")
        return None
    if not can_read(config, folder):
        left_out.append("prices of fills, digests of bars: files absent or in a dialect")
        return None
    seen = [row for row in rows if row["type"] == "BarsConsumed"]
    seen += [row["intent"] for row in rows if row["type"] == "IntentRecorded"]
    intervals: dict[str, int] = {}
    for row in seen:
        symbol, interval = row["symbol"], row["interval_ns"]
        intervals[symbol] = min(interval, intervals.get(symbol, interval))
    history = History(config, folder, instruments)
    base = rows[0]["base_currency"]
    return history, Prices(history, config, base, instruments, intervals)
