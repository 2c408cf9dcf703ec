"""Recovery: what a database keeps beside its journal is the fold of the journal (REC-1)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

from tests.history.book import Book, S, engine
from tests.history.journal import Row, Snapshot, Violation


class Snapshots:
    """Holds kept states to the book, as soon as the book has come as far as they."""

    def __init__(self, book: Book, found: list[Violation], kept: Iterable[Snapshot]) -> None:
        """Take the snapshots."""
        self._book = book
        self._found = found
        self._kept = {one.seq: one.portfolio for one in kept}

    def after(self, row: Row) -> None:
        """Compare what was kept after this entry, if anything was."""
        kept = self._kept.get(row["seq"])
        if kept is None:
            return
        for name, its, by_hand in _differences(kept, self._book):
            text = f"snapshot: {name} {its}, by hand {by_hand}"
            self._found.append(Violation("REC-1", row["seq"], text))


def _differences(kept: Row, book: Book) -> Iterator[tuple[str, Any, Any]]:
    pairs: list[tuple[str, Any, Any]] = [
        ("cash", Decimal(kept["cash"]), book.cash),
        ("day", kept["day"], book.day),
        ("kill", kept["kill"], book.kill),
        ("halts", sorted(kept["halts"]), sorted(book.halts)),
        ("loss run", kept["loss_run"], book.run),
        ("positions", _held(kept), _held_by(book)),
        ("orders", _orders(kept), _orders_by(book)),
        ("counted", *_counted(kept, book)),
    ]
    return (one for one in pairs if one[1] != one[2])


def _held(kept: Row) -> dict[str, Any]:
    return {
        key: (one["trade_id"], one["side"] * one["lots"], one["stop_ticks"])
        for key, one in kept["positions"].items()
    }


def _held_by(book: Book) -> dict[str, Any]:
    held = {}
    for key, name in book.open.items():
        trade = book.trades[name]
        stop = trade.plans[-1]["stop_ticks"] if trade.plans else None
        held[key] = (name, trade.side * trade.lots, stop)
    return held


def _orders(kept: Row) -> dict[str, Any]:
    return {
        name: (engine(one["intent"]), one["state"], one["filled"])
        for name, one in kept["orders"].items()
    }


def _orders_by(book: Book) -> dict[str, Any]:
    return {
        name: (engine(one.intent), one.state, one.filled)
        for name, one in book.orders.items()
        if one.is_open
    }


def _counted(kept: Row, book: Book) -> tuple[list[str], list[str]]:
    """Return the ids of counted entries: theirs, and those not forgotten at the last entry."""
    oldest = book.entered_ns - 72 * 3600 * S
    mine = [one.intent_id for one in book.counted if one.at_ns >= oldest]
    return [one["intent_id"] for one in kept["counted"]], mine
