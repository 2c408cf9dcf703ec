"""Pacing of entries by number and distance (P1): four gates over the entries that count.

Counted entries stand in the order of their instants, and neither instants nor trading days go back,
so the newest are last. An entry that ended without a fill has been taken out by the ledger.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from operator import attrgetter

from daemon.core.supervision import Question
from daemon.core.wording import seconds_text
from state.portfolio import Portfolio
from state.units import HOUR_NS, SECOND_NS
from state.verdicts import Verdict

_at_ns = attrgetter("at_ns")
_day = attrgetter("day")


def _at_least_one(name: str, limit: int | None) -> int | None:
    if limit is not None and limit < 1:
        raise ValueError(f"{name} takes a number of entries from 1 on, found {limit}")
    return limit


class DailyCap:
    """Deny the entry after the last that the trading day may have, over the whole portfolio."""

    name = "per_day"

    def __init__(self, limit: int | None) -> None:
        """Take the number of entries a trading day may have; None: off.

        Raises:
            ValueError: the number is below 1.
        """
        self._limit = _at_least_one(self.name, limit)
        self._text = "off" if limit is None else f"{limit} a day"

    def ask(self, question: Question) -> Verdict:
        """Answer ``DAILY_CAP`` or ``PACE_WITHIN``, with the day's entries so far."""
        count = self.count(question.portfolio, question.day)
        allowed = self._limit is None or count < self._limit
        code = "PACE_WITHIN" if allowed else "DAILY_CAP"
        return Verdict(self.name, allowed, code, f"{count} entries", self._text)

    def count(self, portfolio: Portfolio, day: int) -> int:
        """Return how many entries of the trading day count."""
        counted = portfolio.counted
        return len(counted) - bisect_left(counted, day, key=_day)

    def is_spent(self, portfolio: Portfolio, day: int) -> bool:
        """Say whether the trading day may have no further entry."""
        return self._limit is not None and self.count(portfolio, day) >= self._limit


class HourlyCap:
    """Deny the entry after the last that a rolling hour (T - 3600 s, T] may have."""

    name = "per_hour"

    def __init__(self, limit: int | None) -> None:
        """Take the number of entries an hour may have; None: off.

        Raises:
            ValueError: the number is below 1.
        """
        self._limit = _at_least_one(self.name, limit)
        self._text = "off" if limit is None else f"{limit} an hour"

    def ask(self, question: Question) -> Verdict:
        """Answer ``HOURLY_CAP`` or ``PACE_WITHIN``, with the entries of the last hour."""
        count = self.count(question.portfolio, question.now_ns)
        allowed = self._limit is None or count < self._limit
        code = "PACE_WITHIN" if allowed else "HOURLY_CAP"
        return Verdict(self.name, allowed, code, f"{count} entries", self._text)

    def count(self, portfolio: Portfolio, now_ns: int) -> int:
        """Return how many entries of (now - 3600 s, now] count.

        An entry stamped later than now, by a clock that stepped back, counts too.
        """
        counted = portfolio.counted
        return len(counted) - bisect_right(counted, now_ns - HOUR_NS, key=_at_ns)

    def free_ns(self, portfolio: Portfolio) -> int:
        """Return the first instant that this cap allows, 0 when it always did."""
        counted = portfolio.counted
        if self._limit is None or len(counted) < self._limit:
            return 0
        return counted[-self._limit].at_ns + HOUR_NS


class Spacing:
    """Deny an entry too soon after the last one of any engine."""

    name = "spacing"

    def __init__(self, spacing_s: int) -> None:
        """Take the least distance between two entries in seconds; 0: off."""
        self._spacing_ns = spacing_s * SECOND_NS
        self._text = f"{spacing_s} s" if spacing_s else "off"

    def ask(self, question: Question) -> Verdict:
        """Answer ``SPACING`` or ``PACE_WITHIN``, with the time since the last entry."""
        counted = question.portfolio.counted
        if not counted:
            return Verdict(self.name, True, "PACE_WITHIN", "no entry yet", self._text)
        since = question.now_ns - counted[-1].at_ns
        allowed = not self._spacing_ns or since >= self._spacing_ns
        code = "PACE_WITHIN" if allowed else "SPACING"
        return Verdict(self.name, allowed, code, f"{seconds_text(since)} ago", self._text)

    def free_ns(self, portfolio: Portfolio) -> int:
        """Return the first instant that this spacing allows, 0 when it always did."""
        counted = portfolio.counted
        return counted[-1].at_ns + self._spacing_ns if counted and self._spacing_ns else 0


class SymbolSpacing:
    """Deny an entry too soon after the last one in its symbol."""

    name = "symbol_spacing"

    def __init__(self, spacing_s: int) -> None:
        """Take the least distance between two entries of a symbol in seconds; 0: off."""
        self._spacing_ns = spacing_s * SECOND_NS
        self._text = f"{spacing_s} s" if spacing_s else "off"
        self._far = f"none within {spacing_s} s" if spacing_s else "off"
        self._within = Verdict(self.name, True, "PACE_WITHIN", self._far, self._text)

    def ask(self, question: Question) -> Verdict:
        """Answer ``SYMBOL_SPACING`` with the time since the symbol's last entry, or allow."""
        symbol, far_ns = question.symbol, question.now_ns - self._spacing_ns
        for entry in reversed(question.portfolio.counted):
            if entry.at_ns <= far_ns:
                break
            if entry.symbol == symbol and self._spacing_ns:
                since = f"{seconds_text(question.now_ns - entry.at_ns)} ago"
                return Verdict(self.name, False, "SYMBOL_SPACING", since, self._text)
        return self._within
