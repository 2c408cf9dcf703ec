"""What halts entries by itself: the health gate's judgements (A4) and the runtime's breakers (R5).

Also that a journal holds nothing that nobody knows: a kind without a rule proves nothing (REC-1).
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from typing import Any, NamedTuple

from tests.history.audit import Audit, Config
from tests.history.book import Book
from tests.history.journal import Row, Violation

KINDS = frozenset(
    {
        "PortfolioOpened", "InstrumentSet", "RunStarted", "RunEnded", "BarsConsumed",
        "BarsRefused", "Decided", "IntentRecorded", "OrderChanged", "Filled", "FillSuspended",
        "PlanSet", "WideningRefused", "AlarmRung", "HaltSet", "HaltCleared", "KillChanged",
        "CommandTaken", "CooldownCleared", "EngineQuarantined", "EquityMarked", "CashMoved",
        "DayRolled", "HealthJudged",
    }
)  # fmt: skip
BREAKERS = {
    "journal": "JOURNAL_BLOCKED",
    "stale": "FEED_STALE",
    "venue": "VENUE_CLOSED",
    "refused": "VENUE_REFUSED",
}
HEALTH = "health"
_DAYS_PER_YEAR = 365.25
_MOST_DAYS = 366


class Closed(NamedTuple):
    """A day that rolled: its equity at both ends and what was paid in (out: negative)."""

    day: int
    start: float
    end: float
    moved: float


class Breakers(Audit):
    """Known kinds, judgements that are those of the days, halts that something tripped."""

    proves = ("A4", "R5", "REC-1")

    def __init__(self, book: Book, found: list[Violation], config: Config | None) -> None:
        """Take the health gate's section where the configuration is known."""
        super().__init__(book, found)
        self._given: Mapping[str, Any] | None = None
        if config is not None:
            self._given = config["risk"].get("health", {})
        self._closed: list[Closed] = []
        self._moved = 0.0
        self._judged: Row | None = None
        self._day = 0

    def look(self, row: Row) -> None:
        """Judge an entry, and whether the judgement before it had its consequence."""
        self.must(row["type"] in KINDS, "REC-1", row, "a kind that nobody knows")
        judged, self._judged = self._judged, None
        tripped = row["type"] == "HaltSet" and row["name"] == HEALTH
        if judged is not None and self._must_halt(judged):
            self.must(tripped, "A4", judged, f"{judged['problems']} and no halt")
        elif tripped:
            self.must(False, "A4", row, "no judgement before it asked for it")
        super().look(row)

    def _must_halt(self, judged: Row) -> bool:
        wanted = judged["action"] == "halt" and bool(judged["problems"])
        return wanted and HEALTH not in self.book.halts

    def on_haltset(self, row: Row) -> None:
        """Check that a breaker tripped by its command, and says so."""
        code = BREAKERS.get(row["name"].partition("/")[0])
        if code is None:
            return
        before = self.book.last
        given = before["type"] == "CommandTaken" and before["name"] == "breaker"
        named = given and before["argument"] == row["name"] and row["code"] == code
        self.must(named, "R5", row, f"{row['name']} tripped as {row['code']} by {before['type']}")

    def on_haltcleared(self, row: Row) -> None:
        """Begin the record of days anew after a reset of the health gate."""
        if row["name"] == HEALTH:
            self._closed = []
        kind = row["name"].partition("/")[0]
        if kind in (HEALTH, *BREAKERS):
            before = self.book.last
            # A feed that is silent and comes back says so itself; a disk or a gate is a person's.
            fed = kind in ("stale", "venue", "refused")
            words = ("reset", "breaker_over") if fed else ("reset",)
            reset = before["type"] == "CommandTaken" and before["name"] in words
            name = "A4" if row["name"] == HEALTH else "R5"
            self.must(reset, name, row, f"{row['name']} lifted by {before['type']}")

    def on_cashmoved(self, row: Row) -> None:
        """Take what was paid in or out."""
        self._moved += float(row["amount"])

    def on_dayrolled(self, row: Row) -> None:
        """Take a day that is over."""
        start, end = float(row["start_equity"]), float(row["end_equity"])
        self._closed = [*self._closed, Closed(row["day"], start, end, self._moved)][-_MOST_DAYS:]
        self._moved = 0.0

    def on_healthjudged(self, row: Row) -> None:
        """Check a judgement against the days that the journal tells of."""
        self._judged = row
        self.must(row["day"] == self.book.day, "A4", row, f"{row['day']} on {self.book.day}")
        self.must(row["day"] > self._day, "A4", row, f"day {row['day']} judged twice")
        self._day = row["day"]
        self.must(row["action"] in ("alert", "halt"), "A4", row, f"{row['action']} is no action")
        count, most = row["days"], len(self._closed) + 1
        if self._given is not None:
            most = min(most, self._given.get("days", 60))
            least = self._given.get("min_days", 20)
            self.must(count >= least, "A4", row, f"{count} days, at least {least}")
            action = self._given.get("action", "alert")
            self.must(row["action"] == action, "A4", row, f"{row['action']}, not {action}")
        self.must(count == most if self._given is not None else count <= most, "A4", row,
                  f"{count} days, by hand {most}")  # fmt: skip
        self._thresholds(row)
        if row["day"] == self.book.day and not self.book.open and count <= len(self._closed) + 1:
            self._measured(row, count)

    def _measured(self, row: Row, count: int) -> None:
        """Work the two measures out again; while flat equity is cash."""
        kept = self._closed[len(self._closed) - (count - 1) :]
        today = Closed(
            row["day"], float(self.book.end_equity), float(self.book.cash), self._moved
        )  # fmt: skip
        days = [*kept, today]
        changes = [
            (one.end - one.start - one.moved) / one.start if one.start > 0 else -1.0
            for one in days
        ]  # fmt: skip
        curve = peak = 1.0
        fall = 0.0
        for change in changes:
            curve *= max(0.0, 1 + change)
            peak = max(peak, curve)
            fall = max(fall, 1 - curve / peak)
        self.must(abs(row["drawdown"] - fall) < 1e-9, "A4", row, f"drawdown by hand {fall}")
        spread = statistics.stdev(changes) if count > 1 else 0.0
        sharpe = row["sharpe"]
        if spread < 1e-15 or sharpe is None:
            self.must(sharpe is None or spread > 0, "A4", row, f"Sharpe {sharpe} of equal days")
            self.must(sharpe is not None or spread < 1e-9, "A4", row, "no Sharpe ratio")
        else:
            a_year = (count - 1) * _DAYS_PER_YEAR / (days[-1].day - days[0].day)
            by_hand = statistics.fmean(changes) / spread * math.sqrt(a_year)
            near = math.isclose(sharpe, by_hand, rel_tol=1e-6, abs_tol=1e-9)
            self.must(near, "A4", row, f"Sharpe {sharpe}, by hand {by_hand}")

    def _thresholds(self, row: Row) -> None:
        """Check that each threshold that is not kept is said, and no other."""
        if self._given is None:
            return
        least, most = (self._given.get(name) for name in ("min_sharpe", "max_drawdown"))
        below = least not in (None, False) and (row["sharpe"] or 0.0) < float(least or 0)
        below = below and row["sharpe"] is not None
        above = most not in (None, False) and row["drawdown"] > float(most or 0) + 1e-12
        said = len(row["problems"])
        self.must(said == below + above, "A4", row, f"{said} problems, by hand {below + above}")
