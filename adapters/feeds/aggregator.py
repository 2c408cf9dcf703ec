"""Aggregation: ticks and quotes into bars, finer bars into coarser ones, one at a time.

Time is an argument: only ``close_due`` closes a bar, when the clock has passed the end of its
interval by a grace, never because a later price came. A bar that was closed is never touched again:
a tick for it is counted and dropped. An interval without a tick has no bar. Buckets are counted
from 00:00 UTC. It judges no bars; that is ``adapters.feeds.bar_policy``.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

from adapters.feeds.wire import Quote, Tick
from state.bars import Bar
from state.units import NEVER_NS

SIDES: Final = ("mid", "bid", "ask")


class MadeBar(NamedTuple):
    """A bar whose interval is over; ``is_whole`` False: some of its ticks were never heard."""

    symbol: str
    bar: Bar
    is_whole: bool


class _Forming:
    """One bar that still forms; open and close follow the stamps, not the order of arrival."""

    __slots__ = ("close", "end_ns", "first_ns", "high", "is_whole", "last_ns", "low", "open",
                 "open_ns", "volume")  # fmt: skip

    def __init__(self, open_ns: int, end_ns: int, at_ns: int, price: float, size: float) -> None:
        self.open_ns = open_ns
        self.end_ns = end_ns
        self.first_ns = self.last_ns = at_ns
        self.open = self.high = self.low = self.close = price
        self.volume = size
        self.is_whole = False

    def add(self, at_ns: int, price: float, size: float) -> None:
        if price > self.high:
            self.high = price
        elif price < self.low:
            self.low = price
        if at_ns >= self.last_ns:
            self.last_ns = at_ns
            self.close = price
        elif at_ns < self.first_ns:
            self.first_ns = at_ns
            self.open = price
        self.volume += size

    def bar(self) -> Bar:
        volume = self.volume if self.volume > 0 else math.nan
        return Bar(
            self.open_ns, self.end_ns, self.open, self.high, self.low, self.close, volume
        )  # fmt: skip


class _Lane:
    """The bars of one symbol that still form: the newest, and older ones within their grace."""

    __slots__ = ("newest", "older", "whole_from_ns")

    def __init__(self) -> None:
        self.newest: _Forming | None = None
        self.older: list[_Forming] = []
        self.whole_from_ns = 0

    def is_whole(self, forming: _Forming) -> bool:
        """Whether every tick of a bar was heard."""
        return forming.is_whole or forming.open_ns >= self.whole_from_ns


class Aggregator:
    """Makes bars of ``interval_ns`` from the prices of any number of symbols.

    ``grace_ns`` is how long after the end of an interval its bar stays open for ticks that were on
    their way. ``side`` is the price of a quote that counts. ``late`` counts, by symbol, ticks of
    intervals that were closed already; ``bad``, by reason code, prices that are none.
    """

    def __init__(self, interval_ns: int, grace_ns: int, side: str = "mid") -> None:
        """Begin without symbols.

        Raises:
            ValueError: says which argument is not possible.
        """
        if interval_ns <= 0 or grace_ns < 0:
            raise ValueError(
                f"interval {interval_ns} ns and grace {grace_ns} ns: expected more than 0, and "
                "0 or more"
            )
        if side not in SIDES:
            raise ValueError(f"side {side!r}, expected one of {', '.join(SIDES)}")
        self.interval_ns = interval_ns
        self.grace_ns = grace_ns
        self.side = side
        self.late: dict[str, int] = {}
        self.bad: dict[str, int] = {}
        self._lanes: dict[str, _Lane] = {}
        self._due_ns = NEVER_NS
        self._closed_ns = 0

    def add_quote(self, quote: Quote) -> str | None:
        """Take a quote; return why it did not count, or None when it did.

        Codes: ``CROSSED`` (bid above ask), ``NOT_TRADEABLE``, and those of ``add``.
        """
        bid, ask = quote.bid, quote.ask
        if not quote.tradeable:
            return self._count("NOT_TRADEABLE")
        if bid > ask:
            return self._count("CROSSED")
        # A side that is no price must not hide behind the other: their sum decides for both.
        price = (bid + ask) / 2
        if bid > 0 and price < math.inf:
            price = price if self.side == "mid" else bid if self.side == "bid" else ask
        elif bid <= 0:
            price = bid
        return self.add(quote.symbol, quote.at_ns, price)

    def add_tick(self, tick: Tick) -> str | None:
        """Take a tick; return why it did not count, or None when it did."""
        return self.add(tick.symbol, tick.at_ns, tick.price, tick.size)

    def add(self, symbol: str, at_ns: int, price: float, size: float = 0.0) -> str | None:
        """Take a price of ``at_ns``; return why it did not count, or None when it did.

        Codes: ``NOT_FINITE``, ``NOT_POSITIVE``, ``LATE_TICK``. A size that is no quantity counts
        as unknown.
        """
        if not 0.0 < price < math.inf:
            return self._count("NOT_POSITIVE" if price <= 0 else "NOT_FINITE")
        if not 0.0 <= size < math.inf:
            size = 0.0
        lane = self._lanes.get(symbol)
        if lane is None:
            lane = self._lanes[symbol] = _Lane()
        forming = lane.newest
        if forming is not None and forming.open_ns <= at_ns < forming.end_ns:
            forming.add(at_ns, price, size)
            return None
        return self._add_elsewhere(symbol, lane, at_ns, price, size)

    def close_due(self, now_ns: int) -> list[MadeBar]:
        """Close the intervals that are over, with their grace; return the bars of those that had
        prices, by (close time, symbol). A clock that was set back opens none of them again.
        """
        limit_ns = self._closed_ns = max(self._closed_ns, now_ns - self.grace_ns)
        if limit_ns + self.grace_ns < self._due_ns:
            return []
        made: list[MadeBar] = []
        self._due_ns = NEVER_NS
        for symbol, lane in self._lanes.items():
            for forming in [*lane.older, lane.newest]:
                if forming is None:
                    continue
                if forming.end_ns <= limit_ns:
                    made.append(MadeBar(symbol, forming.bar(), lane.is_whole(forming)))
                else:
                    self._due_ns = min(self._due_ns, forming.end_ns + self.grace_ns)
            lane.older = [one for one in lane.older if one.end_ns > limit_ns]
            if lane.newest is not None and lane.newest.end_ns <= limit_ns:
                lane.newest = None
        made.sort(key=lambda one: (one.bar.close_ns, one.symbol))
        return made

    def next_due_ns(self) -> int:
        """Return the instant from which ``close_due`` has something to close, NEVER_NS for none."""
        return self._due_ns

    def listen(self, symbol: str, from_ns: int) -> None:
        """Say that every tick of a symbol from ``from_ns`` on is heard, and none before."""
        self._lanes.setdefault(symbol, _Lane()).whole_from_ns = from_ns

    def interrupt(self, at_ns: int) -> None:
        """Say that from ``at_ns`` on no tick is heard, until ``listen`` says so.

        Bars whose interval is not over by then are not whole.
        """
        for lane in self._lanes.values():
            for forming in [*lane.older, lane.newest]:
                if forming is not None and forming.end_ns <= at_ns:
                    forming.is_whole = lane.is_whole(forming)
            lane.whole_from_ns = NEVER_NS

    def _add_elsewhere(
        self, symbol: str, lane: _Lane, at_ns: int, price: float, size: float
    ) -> str | None:
        """Take a price that is not of the newest bar: of an older one, or the first of its own."""
        open_ns = at_ns - at_ns % self.interval_ns
        if open_ns + self.interval_ns <= self._closed_ns:
            self.late[symbol] = self.late.get(symbol, 0) + 1
            return self._count("LATE_TICK")
        for forming in lane.older:
            if forming.open_ns == open_ns:
                forming.add(at_ns, price, size)
                return None
        begun = _Forming(open_ns, open_ns + self.interval_ns, at_ns, price, size)
        self._due_ns = min(self._due_ns, begun.end_ns + self.grace_ns)
        if lane.newest is None or open_ns > lane.newest.open_ns:
            if lane.newest is not None:
                lane.older.append(lane.newest)
            lane.newest = begun
        else:
            lane.older.append(begun)
            lane.older.sort(key=lambda one: one.open_ns)
        return None

    def _count(self, code: str) -> str:
        self.bad[code] = self.bad.get(code, 0) + 1
        return code


class Coarser:
    """Makes one series of coarser bars out of the accepted bars of a finer one.

    The same bars as ``adapters.feeds.resample`` makes of the whole: a coarser bar is made of the
    finer bars opening in its bucket, complete or not. It closes when its last finer bar is in, when
    one of a later bucket comes, or by the clock after a grace.
    """

    __slots__ = ("_bar", "_bucket_ns", "_volume", "closed_ns", "grace_ns", "interval_ns")

    def __init__(self, interval_ns: int, grace_ns: int) -> None:
        """Begin without a bar; ``interval_ns`` is that of the coarser bars."""
        self.interval_ns = interval_ns
        self.grace_ns = grace_ns
        self.closed_ns = 0
        self._bucket_ns = -1
        self._bar: list[float] = []
        self._volume = math.nan

    def add(self, bar: Bar) -> list[Bar]:
        """Take the next finer bar; return the coarser bars that are closed by it, oldest first.

        A bar of a bucket that was closed by the clock already changes nothing.
        """
        bucket_ns = bar.open_ns - bar.open_ns % self.interval_ns
        if bucket_ns < self.closed_ns:
            return []
        closed = self._close() if bucket_ns != self._bucket_ns else []
        if not self._bar:
            self._bucket_ns = bucket_ns
            self._bar = [bar.open, bar.high, bar.low, bar.close]
            self._volume = bar.volume
        else:
            mine = self._bar
            mine[1] = max(mine[1], bar.high)
            mine[2] = min(mine[2], bar.low)
            mine[3] = bar.close
            if not math.isnan(bar.volume):
                known = not math.isnan(self._volume)
                self._volume = self._volume + bar.volume if known else bar.volume
        if bar.close_ns >= bucket_ns + self.interval_ns:
            closed += self._close()
        return closed

    def close_due(self, now_ns: int) -> list[Bar]:
        """Close the bar whose bucket and grace are over, if there is one."""
        return self._close() if now_ns >= self.next_due_ns() else []

    def next_due_ns(self) -> int:
        """Return the instant from which ``close_due`` has something to close, NEVER_NS for none."""
        return self._bucket_ns + self.interval_ns + self.grace_ns if self._bar else NEVER_NS

    def _close(self) -> list[Bar]:
        if not self._bar:
            return []
        open_, high, low, close = self._bar
        self.closed_ns = self._bucket_ns + self.interval_ns
        self._bar = []
        return [Bar(self._bucket_ns, self.closed_ns, open_, high, low, close, self._volume)]
