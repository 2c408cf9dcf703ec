"""Pacing: RSK-3. Every counter anew from the journal, whatever restarts lie between (P1, P3, R2).

Without a configuration the counts that the gates say they saw are still held to those by hand.
"""

from __future__ import annotations

from typing import Any

from tests.history.audit import Audit, Config
from tests.history.book import Book, S
from tests.history.journal import Row, Violation

_DEFAULTS = {
    "enabled": True, "spacing_s": 180, "symbol_spacing_s": 900, "per_hour": 5, "per_day": 120,
    "cooldown_win_m": 10, "cooldown_loss_m": 60, "cooldown_stop_m": 120, "loss_streak": 3,
    "loss_streak_cooldown_m": 60, "adaptive": False,
}  # fmt: skip


class Pacing(Audit):
    """Entries no denser than the limits, counters that a restart does not refill."""

    proves = ("RSK-3",)

    def __init__(self, book: Book, found: list[Violation], config: Config | None) -> None:
        """Take the limits where they are known."""
        super().__init__(book, found)
        given = {**_DEFAULTS, **config.get("pacing", {})} if config else {"enabled": False}
        self._limits: dict[str, Any] | None = given if given["enabled"] else None
        per_day = config["risk"].get("strategy", {}).get("trades_per_day", 3) if config else False
        self._per_day = None if per_day is False else per_day

    def on_decided(self, row: Row) -> None:
        """Check what the gates counted, and what they let in."""
        if row["action"]["type"] != "enter":
            return
        now, day, counted = row["at_ns"], row["day"], self.book.counted
        hour = sum(1 for one in counted if one.at_ns > now - 3600 * S)
        today = [one for one in counted if one.day >= day]
        own = [one for one in today if one.strategy == row["strategy"] and one.day == day]
        counts = {"per_hour": hour, "per_day": len(today), "strategy_day": len(own)}
        for gate, _, _, observed, _ in row["verdicts"]:
            word = observed.split(" ")[0]
            if gate in counts and word.isdigit():
                by_hand = counts[gate]
                self.must(int(word) == by_hand, "RSK-3", row, f"{gate} {word}, by hand {by_hand}")
        if row["outcome"] != "ACCEPTED":
            return
        if self._per_day is not None:
            text = f"{len(own)} entries of the strategy that day before it"
            self.must(len(own) < self._per_day, "RSK-3", row, text)
        if self._limits is not None:
            self._paced(row, self._limits, hour, len(today))
            self._cooled(row, self._limits)

    def _paced(self, row: Row, limits: dict[str, Any], hour: int, today: int) -> None:
        now, counted = row["at_ns"], self.book.counted
        self.must(hour < limits["per_hour"], "RSK-3", row, f"{hour} entries in the hour before it")
        self.must(today < limits["per_day"], "RSK-3", row, f"{today} entries that day before it")
        last = max((one.at_ns for one in counted), default=-(10**19))
        mine = max((one.at_ns for one in counted if one.symbol == row["symbol"]), default=-(10**19))
        far = now - last >= limits["spacing_s"] * S
        self.must(far, "RSK-3", row, f"{(now - last) / S:g} s after the last entry")
        far = now - mine >= limits["symbol_spacing_s"] * S
        self.must(far, "RSK-3", row, f"{(now - mine) / S:g} s after the symbol's last entry")

    def _cooled(self, row: Row, limits: dict[str, Any]) -> None:
        now, cleared = row["at_ns"], self.book.cleared
        for one in self.book.exits:
            if one.symbol == row["symbol"] and one.at_ns > cleared.get(one.symbol, -1):
                length = limits[f"cooldown_{one.outcome}_m"] * 60 * S
                if limits["adaptive"]:
                    length = round(length * one.factor)
                over = now >= one.at_ns + length
                self.must(over, "RSK-3", row, f"in the cooldown after a {one.outcome}")
            if one.run >= limits["loss_streak"] and one.at_ns > cleared.get("loss_streak", -1):
                over = now >= one.at_ns + limits["loss_streak_cooldown_m"] * 60 * S
                self.must(over, "RSK-3", row, f"in the cooldown after {one.run} losses")
