"""Age of the prices as a gate (I2, FEED-1): no entry on a bar or a conversion rate too old.

It judges the ages it is told; raising STALE while no bar comes is the feed's work.
"""

from __future__ import annotations

from daemon.core.supervision import Question
from daemon.core.wording import seconds_text
from state.units import SECOND_NS
from state.verdicts import Verdict


class Freshness:
    """Deny an entry when its bar or its conversion rate is older than its limit."""

    name = "freshness"

    def __init__(self, bar_after_intervals: float, rate_after_s: float) -> None:
        """Take the limits: bar age in intervals of its series, rate age in seconds (inclusive)."""
        self._intervals = bar_after_intervals
        self._rate_after_ns = round(rate_after_s * SECOND_NS)
        self._rate_limit = seconds_text(self._rate_after_ns)
        self._limit = f"bar {bar_after_intervals:g} intervals, rate {self._rate_limit}"
        self._new = Verdict(self.name, True, "FRESH", "bar 0 s, rate 0 s", self._limit)

    def ask(self, question: Question) -> Verdict:
        """Answer ``STALE_BAR``, ``NO_RATE``, ``STALE_RATE`` or ``FRESH``, with the ages."""
        bar_age, rate_age = question.bar_age_ns, question.rate_age_ns
        limit_ns = round(self._intervals * question.interval_ns)
        if bar_age > limit_ns:
            limit = f"{self._intervals:g} intervals, {seconds_text(limit_ns)}"
            return Verdict(self.name, False, "STALE_BAR", seconds_text(bar_age), limit)
        if not question.has_rate:
            return Verdict(self.name, False, "NO_RATE", "no rate", self._rate_limit)
        if rate_age > self._rate_after_ns:
            return Verdict(self.name, False, "STALE_RATE", seconds_text(rate_age), self._rate_limit)
        if bar_age == 0 and rate_age == 0:
            return self._new
        observed = f"bar {seconds_text(bar_age)}, rate {seconds_text(rate_age)}"
        return Verdict(self.name, True, "FRESH", observed, self._limit)
