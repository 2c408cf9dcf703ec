"""The feed and the order of things: FEED-3, and DET-1 where an instant has a fixed order."""

from __future__ import annotations

import hashlib

from tests.history.audit import Audit
from tests.history.bars import History
from tests.history.book import Book, engine
from tests.history.journal import LIFE, Row, Violation


class Feed(Audit):
    """Bars strictly increase and are those of the files; entries are in the order of instants."""

    proves = ("FEED-3", "DET-1")

    def __init__(self, book: Book, found: list[Violation], history: History | None) -> None:
        """Take the bar files where they are known."""
        super().__init__(book, found)
        self._history = history
        self._last: dict[tuple[str, int], int] = {}
        self._link: dict[tuple[str, int], bytes] = {}
        self._place: dict[tuple[str, int], int] = {}
        self._decided: dict[str, int] = {}

    def look(self, row: Row) -> None:
        """Judge an entry; none is of an instant before the one before it, but what starts runs."""
        back = row["at_ns"] < self.book.now_ns and row["type"] not in (*LIFE, "InstrumentSet")
        self.must(not back, "DET-1", row, f"at {row['at_ns']}, after one at {self.book.now_ns}")
        super().look(row)

    def on_decided(self, row: Row) -> None:
        """Check that an engine decides on a bar once, and in order."""
        key, bar = engine(row), row["bar_open_ns"]
        text = f"{key} decides on the bar of {bar} after the one of {self._decided.get(key)}"
        self.must(bar > self._decided.get(key, -1), "FEED-3", row, text)
        self._decided[key] = max(bar, self._decided.get(key, -1))

    def on_barsconsumed(self, row: Row) -> None:
        """Check that bars go on where they ended, and are the bars of the file."""
        key = (row["symbol"], row["interval_ns"])
        before = self._last.get(key, -1)
        rises = row["last_ns"] > before and row["count"] > 0
        self.must(rises, "FEED-3", row, f"{key} up to {row['last_ns']} after {before}")
        known = row["last_ns"] + row["interval_ns"] <= row["at_ns"]
        self.must(known, "FEED-3", row, "a bar that had not closed")
        self._last[key] = max(row["last_ns"], before)
        if self._history is not None:
            self._same(row, key, self._history)

    def _same(self, row: Row, key: tuple[str, int], history: History) -> None:
        bars = history.bars(*key)
        last = bars.at.get(row["last_ns"])
        if last is None:
            self.must(False, "FEED-3", row, f"no bar of {key} opens at {row['last_ns']}")
            return
        first = self._place.get(key, last + 1 - row["count"])
        self.must(last + 1 - first == row["count"], "FEED-3", row, f"{row['count']} bars, by the"
                  f" file {last + 1 - first}")  # fmt: skip
        packed = self._link.get(key, b"") + bars.packed(first, last + 1)
        link = hashlib.blake2b(packed, digest_size=16).digest()
        self.must(link.hex() == row["digest"], "FEED-3", row, f"other bars of {key} than the file")
        self._link[key], self._place[key] = bytes.fromhex(row["digest"]), last + 1
