"""Protection and exits: SLT-1, SLT-2, SLT-3 as far as a journal alone tells them."""

from __future__ import annotations

from tests.history.audit import Audit
from tests.history.book import identity
from tests.history.journal import Row


class Protection(Audit):
    """A stop from the first fill on, an exit that never flips, a stop that exits once."""

    proves = ("SLT-1", "SLT-2", "SLT-3")
    _bare: Row | None = None

    def look(self, row: Row) -> None:
        """Judge an entry, and whether it protects what was filled right before it."""
        if self._bare is not None:
            guards = row["type"] == "PlanSet" and row["trade_id"] == self._bare["trade_id"]
            self.must(guards, "SLT-1", self._bare, "an entry fill without a stop right after it")
            self._bare = None
        super().look(row)

    def end(self) -> None:
        """Judge what the journal ends with."""
        if self._bare is not None:
            self.must(False, "SLT-1", self._bare, "an entry fill without a stop right after it")

    def on_planset(self, row: Row) -> None:
        """Check that a plan is of an open trade, and a first stop on the side where it protects."""
        trade = self.book.trade_of(row)
        if trade is None or not trade.entries:
            return
        self.must(trade.lots > 0, "SLT-1", row, f"a plan for {row['trade_id']}, which is closed")
        if not trade.plans:
            room = trade.side * (trade.entries[0]["fill_ticks"] - row["stop_ticks"])
            self.must(room > 0, "SLT-1", row, "the stop is on the wrong side of the fill")

    def on_filled(self, row: Row) -> None:
        """Check an exit against what is open."""
        if identity(row) in self.book.executions:
            return
        if row["leg"] == "entry":
            self._bare = row
            return
        trade = self.book.trade_of(row)
        if trade is None:
            return
        if not trade.lots and row["leg"] in ("stop", "target"):
            self.must(False, "SLT-3", row, f"a {row['leg']} of {row['trade_id']}, exited before")
            return
        fits = row["side"] == -trade.side and row["lots"] <= trade.lots
        self.must(fits, "SLT-2", row, f"{row['lots']} lots would flip the {trade.lots} open")
        if row["leg"] in ("stop", "target"):
            whole = row["lots"] >= trade.lots
            self.must(whole, "SLT-3", row, f"{row['lots']} of {trade.lots} lots left at a level")
