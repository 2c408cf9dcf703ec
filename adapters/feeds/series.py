"""One symbol of a live feed: its accepted bars, the coarser ones made of them, gaps and silence.

While history is asked for, later bars wait, so that what is handed over is always in order. Pure:
the clock is an argument; who asks the history is told by ``wanted``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from adapters.feeds.aggregator import Coarser
from adapters.feeds.bar_policy import BarPolicy, Gap, PolicyLimits
from adapters.feeds.events import (
    FILLED,
    LIVE,
    BarClosed,
    BarRefused,
    FeedEvent,
    FillWanted,
    Flowing,
    GapFound,
    GapUnfilled,
    Stale,
)
from adapters.feeds.expected import MarketHours, expected_by_ns, is_open
from state.bars import Bar
from state.units import NEVER_NS

_HELD: Final = 64
"""Bars that wait while history is asked for; one more, and they go on without it."""


class SeriesSpec(msgspec.Struct, frozen=True):
    """One symbol of a feed.

    ``coarser_ns`` are the intervals made of the feed's own, each a multiple of it that divides a
    day. ``shift`` is added to every price, to move it to mid: half the spread for bids, minus that
    for asks. ``recent`` are bars that are known already, oldest first: what a gap is told by.
    """

    symbol: str
    hours: MarketHours
    coarser_ns: tuple[int, ...] = ()
    shift: float = 0.0
    recent: tuple[Bar, ...] = ()


class SeriesRules(msgspec.Struct, frozen=True):
    """What all symbols of a feed share.

    ``interval_ns`` is the feed's own interval; ``limits.grace_ns`` how long after a bar's end it is
    waited for; ``has_history`` whether gaps can be filled; ``fill_bars`` how many bars are asked
    for at most, the latest of a longer gap.
    """

    interval_ns: int
    limits: PolicyLimits = PolicyLimits()
    has_history: bool = False
    fill_bars: int = 1500


class LiveSeries:
    """The bars of one symbol. What methods return is to be handed over, in order.

    ``payload_ns`` is when a price was heard last, ``heard_ns`` the last stamp of one. ``due_ns`` is
    when the next bar must have come; ``stale_since_ns`` the close of the last one when it has not.
    """

    def __init__(self, spec: SeriesSpec, rules: SeriesRules, start_ns: int) -> None:
        """Begin at ``start_ns``, after the bars that are known already."""
        self.spec = spec
        self.symbol = spec.symbol
        self.policy = BarPolicy(spec.symbol, rules.interval_ns, spec.hours, rules.limits, start_ns)
        self.payload_ns = start_ns
        self.heard_ns = 0
        self.stale_since_ns: int | None = None
        self.is_flowing = False
        self.wanted: FillWanted | None = None
        self._rules = rules
        self._interval_ns = rules.interval_ns
        self._grace_ns = rules.limits.grace_ns
        self._coarser = [Coarser(one, rules.limits.grace_ns) for one in sorted(spec.coarser_ns)]
        self._held: list[Bar] = []
        self._asked_ns = 0
        self._no_ask_before_ns = 0
        for bar in spec.recent:
            self.policy.accept(bar)
            for coarser in self._coarser:
                coarser.add(bar)
        self.due_ns = self._expected_by(start_ns)

    def offer(self, bar: Bar, now_ns: int, interval_ns: int = 0) -> list[FeedEvent]:
        """Take a closed bar that came over the line; ``interval_ns`` as its source said."""
        bar = self._moved(bar)
        if self.wanted is not None:
            return self._hold(bar, now_ns, interval_ns)
        answer = self.policy.judge(bar, now_ns, self.symbol, interval_ns)
        if not answer.is_accepted:
            return [BarRefused(self.symbol, self._interval_ns, bar, answer.code, answer.text)]
        if answer.gap is None:
            return self._accept(bar, LIVE, now_ns)
        found: list[FeedEvent] = [GapFound(self.symbol, self._interval_ns, answer.gap)]
        if self._ask_at_once(answer.gap.from_ns, answer.gap.to_ns, now_ns):
            self._held.append(bar)
            return found
        text = "asked already" if self._rules.has_history else "the source has no history"
        return [*found, self._unfilled(answer.gap, text), *self._accept(bar, LIVE, now_ns)]

    def refuse_incomplete(self, bar: Bar, now_ns: int) -> list[FeedEvent]:
        """Take a bar of which some prices were never heard: refused, and asked for."""
        bar = self._moved(bar)
        answer = self.policy.refuse("INCOMPLETE", "the line was not up for the whole interval")
        last = self.policy.last
        self._ask_at_once(bar.open_ns if last is None else last.close_ns, bar.close_ns, now_ns)
        return [BarRefused(self.symbol, self._interval_ns, bar, answer.code, answer.text)]

    def on_time(self, now_ns: int) -> list[FeedEvent]:
        """Say what time alone brings about: silence, and coarser bars that are over."""
        found: list[FeedEvent] = []
        if now_ns >= self.due_ns and self.stale_since_ns is None:
            last = self.policy.last
            self.stale_since_ns = last.close_ns if last else 0
            self.is_flowing = False
            found.append(Stale(self.symbol, self.stale_since_ns, self.due_ns))
            self._ask_until_now(now_ns)
        for coarser in self._coarser:
            if now_ns < coarser.next_due_ns() or self.wanted is not None:
                continue
            # Bars that history still has belong into it: once it is closed they come too late.
            if not self._ask_until_now(now_ns):
                found += self._closed(coarser.interval_ns, coarser.close_due(now_ns), LIVE, now_ns)
        return found

    def next_due_ns(self) -> int:
        """Return the instant from which ``on_time`` has something to say."""
        due_ns = self.due_ns if self.stale_since_ns is None else NEVER_NS
        if self.wanted is None:
            for coarser in self._coarser:
                due_ns = min(due_ns, coarser.next_due_ns())
        return due_ns

    def fill(self, wanted: FillWanted, bars: Iterable[Bar], now_ns: int) -> list[FeedEvent]:
        """Take the history that was ``wanted``; bars outside it are ignored."""
        if wanted is not self.wanted:
            return []
        self.wanted = None
        heard = {one.open_ns for one in self._held}
        taken = [
            self._moved(one)
            for one in bars
            if wanted.from_ns <= one.open_ns < wanted.to_ns and one.open_ns not in heard
        ]
        return self._release(taken, now_ns, may_ask=True)

    def fill_failed(self, wanted: FillWanted, text: str, now_ns: int) -> list[FeedEvent]:
        """Say that the history could not be had; the bars that waited go on."""
        if wanted is not self.wanted:
            return []
        self.wanted = None
        self._asked_ns = 0
        self._no_ask_before_ns = now_ns + self._interval_ns // 2
        gap = Gap(wanted.from_ns, wanted.to_ns)
        failed = GapUnfilled(self.symbol, self._interval_ns, gap, "FILL_FAILED", text)
        return [failed, *self._release([], now_ns, said_to_ns=wanted.to_ns)]

    def state(self, now_ns: int) -> str:
        """Return ``closed`` (the market is), ``stale``, ``flowing`` or ``waiting`` for a bar."""
        if not is_open(self.spec.hours, now_ns):
            return "closed"
        if self.stale_since_ns is not None:
            return "stale"
        return "flowing" if self.is_flowing else "waiting"

    def _hold(self, bar: Bar, now_ns: int, interval_ns: int) -> list[FeedEvent]:
        code, text = self.policy.problem(bar, now_ns, self.symbol, interval_ns)
        if code:
            answer = self.policy.refuse(code, text)
            return [BarRefused(self.symbol, self._interval_ns, bar, answer.code, answer.text)]
        self._held.append(bar)
        if len(self._held) <= _HELD or self.wanted is None:
            return []
        return self.fill_failed(self.wanted, f"more than {_HELD} bars waited for it", now_ns)

    def _release(
        self, filled: list[Bar], now_ns: int, *, may_ask: bool = False, said_to_ns: int = 0
    ) -> list[FeedEvent]:
        """Hand over filled bars and those that waited, by time; ask again for a gap beyond.

        Gaps that end by ``said_to_ns`` were told already.
        """
        rows = [(one, FILLED) for one in filled] + [(one, LIVE) for one in self._held]
        rows.sort(key=lambda row: row[0].open_ns)
        self._held = []
        found: list[FeedEvent] = []
        for number, (bar, provenance) in enumerate(rows):
            answer = self.policy.judge(bar, now_ns)
            if not answer.is_accepted:
                if provenance == LIVE or answer.code != "DUPLICATE":
                    refused = (bar, answer.code, answer.text)
                    found.append(BarRefused(self.symbol, self._interval_ns, *refused))
                continue
            gap = answer.gap
            if gap is not None:
                if may_ask and provenance == LIVE and self._ask(gap.from_ns, gap.to_ns, now_ns):
                    self._held = [one for one, _ in rows[number:]]
                    return [*found, GapFound(self.symbol, self._interval_ns, gap)]
                if gap.to_ns > said_to_ns:
                    found.append(self._unfilled(gap, "the history has no bars there"))
            found += self._accept(bar, provenance, now_ns)
        return found

    def _accept(self, bar: Bar, provenance: str, now_ns: int) -> list[FeedEvent]:
        self.policy.accept(bar)
        found = self._closed(self._interval_ns, [bar], provenance, now_ns)
        for coarser in self._coarser:
            found += self._closed(coarser.interval_ns, coarser.add(bar), provenance, now_ns)
        due_ns = self._expected_by(bar.close_ns)
        # A bar of the history proves no flow, unless prices were heard since it opened.
        is_proof = provenance == LIVE or self.heard_ns >= bar.open_ns
        if self.stale_since_ns is None:
            self.due_ns = max(self.due_ns, due_ns)
        if is_proof and now_ns < due_ns:
            self.due_ns = due_ns
            if not self.is_flowing:
                found.append(Flowing(self.symbol, now_ns))
            self.is_flowing, self.stale_since_ns = True, None
        return found

    def _closed(
        self, interval_ns: int, bars: list[Bar], provenance: str, now_ns: int
    ) -> list[FeedEvent]:
        return [BarClosed(self.symbol, interval_ns, bar, provenance, now_ns) for bar in bars]

    def _ask_until_now(self, now_ns: int) -> bool:
        """Ask for what should have come by now; whether it was asked."""
        last = self.policy.last
        if last is None:
            return False
        ended_ns = now_ns - self._grace_ns
        ended_ns -= ended_ns % self._interval_ns
        if self.policy.gap_before(ended_ns) is None:
            return False
        return self._ask(last.close_ns, ended_ns, now_ns)

    def _ask_at_once(self, from_ns: int, to_ns: int, now_ns: int) -> bool:
        """Ask for what a bar that came has before it, or lacks itself; whether it was asked.

        Prices flow then, and the history may have it in a moment: no silence within a grace of it.
        """
        if not self._ask(from_ns, to_ns, now_ns):
            return False
        self.due_ns = max(self.due_ns, now_ns + self._grace_ns)
        return True

    def _ask(self, from_ns: int, to_ns: int, now_ns: int) -> bool:
        """Ask the history once for bars up to ``to_ns``; whether it was asked."""
        if not self._rules.has_history or self.wanted is not None:
            return False
        if to_ns <= max(from_ns, self._asked_ns) or now_ns < self._no_ask_before_ns:
            return False
        from_ns = max(from_ns, to_ns - self._rules.fill_bars * self._interval_ns)
        self._asked_ns = to_ns
        self.wanted = FillWanted(self.symbol, self._interval_ns, from_ns, to_ns)
        return True

    def _unfilled(self, gap: Gap, text: str) -> GapUnfilled:
        return GapUnfilled(self.symbol, self._interval_ns, gap, "GAP_UNFILLED", text)

    def _expected_by(self, after_ns: int) -> int:
        return expected_by_ns(self.spec.hours, after_ns, self._interval_ns, self._grace_ns)

    def _moved(self, bar: Bar) -> Bar:
        by = self.spec.shift
        if not by:
            return bar
        return Bar(
            bar.open_ns, bar.close_ns, bar.open + by, bar.high + by, bar.low + by,
            bar.close + by, bar.volume,
        )  # fmt: skip
