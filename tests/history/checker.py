"""The checker: one walk over a journal, every part shown every entry, then the book."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.history.audit import Audit, Config
from tests.history.bars import History, Prices, can_read
from tests.history.book import Book
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
    book, report = Book(), Report(entries=len(rows))
    parts = _parts(book, report, config, _market(report, config, bars, rows))
    protection = next(part for part in parts if isinstance(part, Protection))
    kept = Snapshots(book, report.found, snapshots)
    report.proved.add("REC-1")
    for part in parts:
        report.proved.update(part.proves)
    for row in rows:
        for part in parts:
            part.look(row)
        book.fold(row)
        kept.after(row)
        if len(report.found) > MOST:
            report.left_out.append(f"entries after {row['seq']}: too much is wrong before them")
            return report
    protection.end()
    return report


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


def _market(
    report: Report, config: Config | None, folder: Path | None, rows: Sequence[Row]
) -> tuple[History, Prices] | None:
    if config is None or folder is None:
        report.left_out.append("prices of fills, digests of bars: no bar files given")
        return None
    if not can_read(config, folder):
        report.left_out.append("prices of fills, digests of bars: files absent or in a dialect")
        return None
    named = [row["instrument"] for row in rows if row["type"] == "InstrumentSet"]
    instruments = {one["symbol"]: one for one in named}
    seen = [row for row in rows if row["type"] == "BarsConsumed"]
    seen += [row["intent"] for row in rows if row["type"] == "IntentRecorded"]
    intervals: dict[str, int] = {}
    for row in seen:
        symbol, interval = row["symbol"], row["interval_ns"]
        intervals[symbol] = min(interval, intervals.get(symbol, interval))
    history = History(config, folder, instruments)
    base = rows[0]["base_currency"]
    return history, Prices(history, config, base, instruments, intervals)
