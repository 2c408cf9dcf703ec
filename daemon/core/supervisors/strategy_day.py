"""The day of one strategy (R2): its trade count, its R-stop and its win-lock.

The day's R is realised R only, over all symbols of the strategy; the count is of accepted entries.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import islice
from operator import attrgetter

from daemon.core.latches import R_TIE, STRATEGY_R_STOP, STRATEGY_WIN_LOCK, in_force
from daemon.core.supervision import NOTHING, Marks, Question
from daemon.core.wording import r_text
from state.entries import Entry, HaltSet
from state.portfolio import CountedEntry, Portfolio
from state.verdicts import Verdict


def _is_latched(question: Question, prefix: str) -> bool:
    halts = question.portfolio.halts
    if not halts:
        return False
    halt = halts.get(prefix + question.strategy)
    return halt is not None and in_force(halt, question.now_ns, question.day)


_day = attrgetter("day")


class _Counts:
    """How many entries of a trading day count, by strategy: looked at once, then kept up.

    What the ledger counts only grows at its end; where an entry was taken out, all is counted anew.
    """

    def __init__(self) -> None:
        self._day = self._seen = -1
        self._last: CountedEntry | None = None
        self._counts: dict[str, int] = {}

    def of(self, portfolio: Portfolio, strategy: str, day: int) -> int:
        counted, seen = portfolio.counted, self._seen
        is_longer = 0 < seen <= len(counted) and counted[seen - 1] is self._last
        if day != self._day or not is_longer:
            self._day, self._counts = day, {}
            seen = bisect_left(counted, day, key=_day)
        for entry in islice(counted, seen, None):
            if entry.day == day:
                self._counts[entry.strategy] = self._counts.get(entry.strategy, 0) + 1
        self._seen = len(counted)
        self._last = counted[-1] if counted else None
        return self._counts.get(strategy, 0)


class StrategyDay:
    """Deny a strategy's entries once it has used its trading day up."""

    name = "strategy_day"

    def __init__(
        self, trades_per_day: int | None, r_stop: float | None, win_lock_r: float | None
    ) -> None:
        """Take the limits: a count, R (negative), R (positive); None switches one off."""
        self._trades = trades_per_day
        self._r_stop = r_stop
        self._win_lock = win_lock_r
        self._counts = _Counts()
        self._trades_limit = "off" if trades_per_day is None else f"{trades_per_day} trades"
        self._r_limit = "off" if r_stop is None else r_text(r_stop)
        self._lock_limit = "off" if win_lock_r is None else r_text(win_lock_r)
        self._limit = f"{self._trades_limit}, R-stop {self._r_limit}, win-lock {self._lock_limit}"

    def ask(self, question: Question) -> Verdict:
        """Answer ``STRATEGY_TRADES``, ``_R_STOP``, ``_WIN_LOCK`` or ``STRATEGY_WITHIN``."""
        portfolio = question.portfolio
        trades = self._counts.of(portfolio, question.strategy, question.day)
        if self._trades is not None and trades >= self._trades:
            return self._denied("STRATEGY_TRADES", f"{trades} trades", self._trades_limit)
        stats = portfolio.days.get(question.day)
        r = stats.strategy_r.get(question.strategy, 0.0) if stats is not None else 0.0
        if (self._r_stop is not None and not r > self._r_stop + R_TIE) or _is_latched(
            question, STRATEGY_R_STOP
        ):
            return self._denied("STRATEGY_R_STOP", r_text(r), self._r_limit)
        if (self._win_lock is not None and not r < self._win_lock - R_TIE) or _is_latched(
            question, STRATEGY_WIN_LOCK
        ):
            return self._denied("STRATEGY_WIN_LOCK", r_text(r), self._lock_limit)
        observed = f"{trades} trades, {r:.3f} R"
        return Verdict(self.name, True, "STRATEGY_WITHIN", observed, self._limit)

    def _denied(self, code: str, observed: str, limit: str) -> Verdict:
        return Verdict(self.name, False, code, observed, limit)


class StrategyDayWatch:
    """Latch a strategy's trading day when its realised R reaches the stop or the win-lock."""

    name = "strategy_day"

    def __init__(self, r_stop: float | None, win_lock_r: float | None) -> None:
        """Take the limits in R (negative, positive); None switches one off."""
        self._r_stop = r_stop
        self._win_lock = win_lock_r
        # A strategy's R changes only when a trade closes: what was seen last is not seen again.
        self._day = -1
        self._closed = -1

    def look(self, marks: Marks) -> Sequence[Entry]:
        """Return a ``HaltSet`` for each strategy that reached a limit and is not yet latched."""
        stats = marks.portfolio.days.get(marks.day)
        if stats is None or (stats.trades == self._closed and marks.day == self._day):
            return NOTHING
        self._day, self._closed = marks.day, stats.trades
        found: list[Entry] = []
        for strategy, r in sorted(stats.strategy_r.items()):
            if self._r_stop is not None and not r > self._r_stop + R_TIE:
                _latch(found, marks, STRATEGY_R_STOP + strategy, r, self._r_stop)
            if self._win_lock is not None and not r < self._win_lock - R_TIE:
                _latch(found, marks, STRATEGY_WIN_LOCK + strategy, r, self._win_lock)
        return found or NOTHING


def _latch(found: list[Entry], marks: Marks, name: str, r: float, limit: float) -> None:
    halt = marks.portfolio.halts.get(name)
    if halt is not None and in_force(halt, marks.now_ns, marks.day):
        return
    lost = name.startswith(STRATEGY_R_STOP)
    found.append(
        HaltSet(
            at_ns=marks.now_ns,
            name=name,
            code="STRATEGY_R_STOP" if lost else "STRATEGY_WIN_LOCK",
            reason=f"the strategy's realised R of the day reached its {'stop' if lost else 'lock'}",
            observed=r_text(r),
            limit=r_text(limit),
            day=marks.day,
        )
    )
