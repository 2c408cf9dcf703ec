"""From a codec's events to accepted bars, for all symbols of one feed.

The whole of a feed but its socket: pure, the clock is an argument, so that a day of it can be
tested in a second. The session asks ``next_due_ns`` when to come again with nothing but the time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from adapters.feeds.aggregator import Aggregator
from adapters.feeds.events import BarRefused, FeedEvent, FillWanted
from adapters.feeds.expected import is_open, silence_ends_ns
from adapters.feeds.series import LiveSeries, SeriesRules, SeriesSpec
from adapters.feeds.wire import BarUpdate, Event, Quote, Subscribed, Tick, VenueStatus
from state.bars import Bar
from state.units import DAY_NS, NEVER_NS

_PRICES: Final = (Tick, Quote)


class Intake:
    """Takes what the codec decoded and the passing of time; returns what is to be handed over.

    ``series`` are the symbols by name. ``payloads`` counts the prices and bars of them that came,
    impossible prices left out: the proof that the line delivers.
    """

    def __init__(
        self, specs: Sequence[SeriesSpec], rules: SeriesRules, start_ns: int, side: str = "mid"
    ) -> None:
        """Begin at ``start_ns``; ``side`` is the price of a quote that makes bars.

        Raises:
            ValueError: no symbol, one twice, or a coarser interval that cannot be made.
        """
        names = [one.symbol for one in specs]
        if not names or len(set(names)) < len(names):
            raise ValueError(f"symbols {names}: expected at least one, and each once")
        for one in specs:
            for wide_ns in one.coarser_ns:
                if wide_ns % rules.interval_ns or DAY_NS % wide_ns or wide_ns <= rules.interval_ns:
                    raise ValueError(
                        f"{one.symbol}: bars of {wide_ns} ns cannot be made of bars of "
                        f"{rules.interval_ns} ns: expected a multiple that divides a day"
                    )
        self.series = {one.symbol: LiveSeries(one, rules, start_ns) for one in specs}
        self.payloads = 0
        self._rules = rules
        self._aggregator = Aggregator(rules.interval_ns, rules.limits.grace_ns, side)
        self._counts: dict[str, int] = {}
        self._tradeable: dict[str, bool] = {}
        self._unheard = set(self.series)
        for symbol in self.series:
            self._aggregator.listen(symbol, NEVER_NS)
        # Prices from before the start are late, however old a source says that they are.
        self._aggregator.close_due(start_ns)

    def take(self, events: Iterable[Event], now_ns: int) -> list[FeedEvent]:
        """Take what one frame said."""
        found: list[FeedEvent] = []
        for event in events:
            if isinstance(event, BarUpdate):
                found += self._bar(event, now_ns)
            elif isinstance(event, _PRICES):
                found += self._price(event, now_ns)
            elif isinstance(event, Subscribed):
                self._listen(event.symbols or tuple(self._unheard), now_ns)
            elif isinstance(event, VenueStatus):
                found.append(event)
        return found

    def on_time(self, now_ns: int) -> list[FeedEvent]:
        """Close the bars that are over and tell silence."""
        found: list[FeedEvent] = []
        for made in self._aggregator.close_due(now_ns):
            series = self.series[made.symbol]
            if made.is_whole:
                found += series.offer(made.bar, now_ns)
            else:
                found += series.refuse_incomplete(made.bar, now_ns)
        for series in self.series.values():
            found += series.on_time(now_ns)
        return found

    def next_due_ns(self) -> int:
        """Return the instant from which ``on_time`` has something to say."""
        due_ns = self._aggregator.next_due_ns()
        for series in self.series.values():
            due_ns = min(due_ns, series.next_due_ns())
        return due_ns

    def opened(self, now_ns: int) -> None:
        """Say that a line was opened: its patience with silence begins."""
        for series in self.series.values():
            series.payload_ns = max(series.payload_ns, now_ns)

    def lost(self, now_ns: int) -> None:
        """Say that the line is gone: what was said since is unknown."""
        self._unheard = set(self.series)
        self._aggregator.interrupt(now_ns)

    def silent_by_ns(self, patience_ns: int, now_ns: int) -> int:
        """Return when the line is as good as dead: each open symbol silent for so long."""
        every, some = 0, NEVER_NS
        for series in self.series.values():
            ends_ns = silence_ends_ns(series.spec.hours, series.payload_ns, patience_ns)
            if is_open(series.spec.hours, now_ns):
                every = max(every, ends_ns)
            some = min(some, ends_ns)
        return every or some

    def wanted(self) -> list[FillWanted]:
        """Return the history that is asked for and not yet given, by symbol."""
        return [one.wanted for one in self.series.values() if one.wanted is not None]

    def fill(self, wanted: FillWanted, bars: Iterable[Bar], now_ns: int) -> list[FeedEvent]:
        """Take history that was asked for."""
        return self.series[wanted.symbol].fill(wanted, bars, now_ns)

    def fill_failed(self, wanted: FillWanted, text: str, now_ns: int) -> list[FeedEvent]:
        """Say that history could not be had."""
        return self.series[wanted.symbol].fill_failed(wanted, text, now_ns)

    def counts(self) -> dict[str, int]:
        """Return how many prices and bars were refused, by reason code."""
        total = dict(self._counts)
        for part in (self._aggregator.bad, *(one.policy.refused for one in self.series.values())):
            for code, count in part.items():
                total[code] = total.get(code, 0) + count
        return total

    def late_ticks(self, symbol: str) -> int:
        """Return how many prices of a symbol came after their interval was closed."""
        return self._aggregator.late.get(symbol, 0)

    def _price(self, event: Tick | Quote, now_ns: int) -> list[FeedEvent]:
        series = self.series.get(event.symbol)
        if series is None:
            self._count("WRONG_SYMBOL")
            return []
        if event.at_ns > now_ns + self._rules.limits.skew_ns:
            self._count("FROM_FUTURE")
            return []
        if self._unheard:
            self._listen(tuple(self._unheard), now_ns)
        add = self._aggregator
        code = add.add_tick(event) if isinstance(event, Tick) else add.add_quote(event)
        if code is None:
            self.payloads += 1
            series.payload_ns, series.heard_ns = now_ns, event.at_ns
        elif code == "NOT_TRADEABLE":
            self.payloads += 1
        return self._state(event) if isinstance(event, Quote) else []

    def _state(self, event: Quote) -> list[FeedEvent]:
        """Say whether a symbol is traded at its venue: the first time, and when it changes."""
        if self._tradeable.get(event.symbol) == event.tradeable:
            return []
        self._tradeable[event.symbol] = event.tradeable
        text = "the venue takes orders" if event.tradeable else "the venue takes no orders"
        return [VenueStatus(event.tradeable, text, event.symbol)]

    def _bar(self, event: BarUpdate, now_ns: int) -> list[FeedEvent]:
        series = self.series.get(event.symbol)
        if series is None:
            self._count("WRONG_SYMBOL")
            text = f"nobody asked for {event.symbol[:40]!r}"
            return [BarRefused("", event.interval_ns, event.bar, "WRONG_SYMBOL", text)]
        self.payloads += 1
        series.payload_ns, series.heard_ns = now_ns, event.bar.open_ns
        if not event.closed:
            return []
        return series.offer(event.bar, now_ns, event.interval_ns)

    def _listen(self, symbols: Iterable[str], from_ns: int) -> None:
        """Begin to hear symbols that were not heard since the line was opened."""
        for symbol in symbols:
            if symbol in self._unheard:
                self._unheard.discard(symbol)
                self._aggregator.listen(symbol, from_ns)

    def _count(self, code: str) -> None:
        self._counts[code] = self._counts.get(code, 0) + 1
