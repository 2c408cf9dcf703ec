"""The news gate: no entries around announcements that move a symbol's currencies.

It knows a list of events and the currencies of each symbol; where they come from is the wiring's
business.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Mapping

from daemon.core.supervision import Question
from state.news import NewsEvent
from state.units import MINUTE_NS, utc_text
from state.verdicts import Verdict


class NewsGate:
    """Denies within [event - before, event + after], both edges included."""

    name = "news"

    def __init__(
        self,
        events: Iterable[NewsEvent],
        currencies: Mapping[str, Collection[str]],
        before_m: int,
        after_m: int,
        impact: Collection[str],
    ) -> None:
        """Index the guarded events of every symbol.

        ``currencies`` names those of each symbol, base and quote; ``before_m`` and ``after_m`` are
        minutes; ``impact`` holds the guarded impacts.
        """
        self._before_ns = before_m * MINUTE_NS
        self._after_ns = after_m * MINUTE_NS
        self._limit = f"{before_m} min before to {after_m} min after"
        guarded = sorted((e for e in events if e.impact in impact), key=lambda e: e.at_ns)
        self._events = {
            symbol: [event for event in guarded if not event.currencies.isdisjoint(affected)]
            for symbol, affected in currencies.items()
        }
        self._instants = {
            symbol: [event.at_ns for event in events] for symbol, events in self._events.items()
        }

    def ask(self, question: Question) -> Verdict:
        """Deny near an event; ``observed`` names the nearest one, its distance and currencies.

        A symbol whose currencies are unknown is denied.
        """
        now_ns, symbol = question.now_ns, question.symbol
        instants = self._instants.get(symbol)
        if instants is None:
            return Verdict(
                self.name, False, "NEWS_GUARD", f"currencies of {symbol} unknown", self._limit
            )
        first = bisect_left(instants, now_ns - self._after_ns)
        if first == len(instants) or instants[first] > now_ns + self._before_ns:
            return Verdict(self.name, True, "NO_NEWS", utc_text(now_ns), self._limit)
        event = self._events[symbol][self._nearest(instants, first, now_ns)]
        return Verdict(self.name, False, "NEWS_GUARD", _event_text(event, now_ns), self._limit)

    def _nearest(self, instants: list[int], first: int, now_ns: int) -> int:
        """Return the index of the event nearest to now, the earlier one on ties."""
        after = bisect_left(instants, now_ns, first)
        if after == len(instants) or instants[after] > now_ns + self._before_ns:
            return after - 1
        if after > first and now_ns - instants[after - 1] <= instants[after] - now_ns:
            return after - 1
        return after


def _event_text(event: NewsEvent, now_ns: int) -> str:
    """Write ``FOMC Statement (USD, high) in 12 min, at 2017-03-15T18:00:00Z``."""
    ahead_ns = event.at_ns - now_ns
    minutes = f"{abs(ahead_ns) / MINUTE_NS:.1f}".removesuffix(".0")
    when = f"in {minutes} min" if ahead_ns >= 0 else f"{minutes} min ago"
    words = ", ".join([*sorted(event.currencies), event.impact])
    return f"{event.title} ({words}) {when}, at {utc_text(event.at_ns)}"
