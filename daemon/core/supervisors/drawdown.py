"""The drawdown lock (R4): a watch that trails the high-water mark and a gate that denies.

Money that moves in or out is no profit and no loss: it scales the mark, so that the drawdown as a
fraction is the same before and after. A restart keeps the mark by ``state`` and ``restore``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

from daemon.core.latches import DRAWDOWN, in_force
from daemon.core.supervision import NOTHING, Marks, Question
from daemon.core.wording import left_text, percent_text
from state.entries import Entry, HaltCleared, HaltSet
from state.portfolio import Portfolio
from state.units import MINUTE_NS, MONEY_PLACES, NEVER_NS
from state.verdicts import Verdict

_TIE: Final = 1e-12  # fraction of the floor: equity exactly at it locks, whatever floats say


class DrawdownLock:
    """Deny entries while the lock is in force: until its end, exclusive, or until cleared."""

    name = "drawdown"

    def __init__(self, lock_fraction: float | None) -> None:
        """Take the lock's depth as a fraction of the mark; None: off (a running lock holds)."""
        self._limit = "off" if lock_fraction is None else percent_text(lock_fraction)
        self._within = Verdict(self.name, True, "DRAWDOWN_WITHIN", "not locked", self._limit)

    def ask(self, question: Question) -> Verdict:
        """Answer ``DRAWDOWN_LOCK`` with what locked it and the time left, or allow."""
        halt = question.portfolio.halts.get(DRAWDOWN)
        if halt is None or not in_force(halt, question.now_ns, question.day):
            return self._within
        left = f"{left_text(halt.until_ns - question.now_ns)} left"
        left = "until cleared by name" if halt.until_ns == NEVER_NS else left
        observed = f"{halt.observed}, {left}" if halt.observed else left
        return Verdict(self.name, False, "DRAWDOWN_LOCK", observed, self._limit)


class DrawdownWatch:
    """Trail the mark, lock at the depth, re-arm with the equity of that moment as the new mark.

    It must look whenever a position is open and when a cool-off ends. A fresh watch starts from the
    portfolio's own mark.
    """

    name = "drawdown"

    def __init__(self, lock_fraction: float | None, cool_off_m: int, *, auto_rearm: bool) -> None:
        """Take depth (fraction; None: off), cool-off (minutes) and who re-arms.

        Without ``auto_rearm`` the lock holds until ``HaltCleared`` by name.
        """
        self._fraction = lock_fraction
        self._keep = -math.inf if lock_fraction is None else (1.0 - lock_fraction) * (1.0 + _TIE)
        self._cool_off_ns = cool_off_m * MINUTE_NS
        self._auto = auto_rearm
        self._mark = 0.0
        self._floor = -math.inf
        self._deposits: Decimal | None = None
        self._locked = False

    def look(self, marks: Marks) -> Sequence[Entry]:
        """Return the lock (``HaltSet``) or the re-arming (``HaltCleared``), most often nothing."""
        equity, halts = marks.equity, marks.portfolio.halts
        if marks.portfolio.deposits is not self._deposits:
            self._take_deposits(marks)
        if self._locked or halts:
            halt = halts.get(DRAWDOWN)
            if halt is not None:
                return self._stay(marks, halt)
            if self._locked:  # cleared by name
                self._rearm(equity)
        if equity > self._mark:
            self._set(equity)
        elif not equity > self._floor:  # written so that NaN locks
            return self._lock(marks)
        return NOTHING

    def mark_at(self, marks: Marks) -> float:
        """Return the high-water mark in base currency, these marks taken in; never locks."""
        if marks.portfolio.deposits is not self._deposits:
            self._take_deposits(marks)
        if self._locked and DRAWDOWN not in marks.portfolio.halts:
            self._rearm(marks.equity)  # cleared by name
        if marks.equity > self._mark and not self._locked:
            self._set(marks.equity)
        return self._mark

    def state(self) -> dict[str, Any]:
        """Return what later answers depend on, as JSON values."""
        return {
            "mark": self._mark,
            "deposits": None if self._deposits is None else str(self._deposits),
            "locked": self._locked,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take back what ``state`` returned."""
        self._set(state["mark"])
        self._deposits = None if state["deposits"] is None else Decimal(state["deposits"])
        self._locked = state["locked"]

    def derive(self, portfolio: Portfolio, *, has_looked: bool) -> None:
        """Begin as one that watched the portfolio so far; its mark is the one last recorded.

        ``has_looked``: it was asked at least once.
        """
        if has_looked:
            self._set(float(portfolio.high_water))
            self._deposits = portfolio.deposits
            self._locked = DRAWDOWN in portfolio.halts

    def _take_deposits(self, marks: Marks) -> None:
        """Start from the portfolio's mark, or scale the mark by money that moved since."""
        deposits, equity = marks.portfolio.deposits, marks.equity
        if self._deposits is None:
            self._set(float(marks.portfolio.high_water))
        elif moved := float(deposits - self._deposits):
            before = equity - moved
            whole = before > 0.0 and equity > 0.0
            self._set(self._mark * (equity / before) if whole else self._mark + moved)
        self._deposits = deposits

    def _set(self, mark: float) -> None:
        self._mark = mark = round(mark, MONEY_PLACES)  # what is in force is what is recorded
        self._floor = mark * self._keep if self._fraction is not None else -math.inf

    def _rearm(self, equity: float) -> None:
        self._locked = False
        self._set(equity if math.isfinite(equity) else self._mark)

    def _stay(self, marks: Marks, halt: HaltSet) -> Sequence[Entry]:
        """Keep the lock until its end; then clear it."""
        self._locked = in_force(halt, marks.now_ns, marks.day)
        if self._locked:
            return NOTHING
        self._rearm(marks.equity)
        return (HaltCleared(marks.now_ns, DRAWDOWN, "the cool-off is over"),)

    def _lock(self, marks: Marks) -> Sequence[Entry]:
        if self._fraction is None:
            return NOTHING
        self._locked = True
        fall = 1.0 - marks.equity / self._mark if self._mark > 0.0 else 1.0
        halt = HaltSet(
            at_ns=marks.now_ns,
            name=DRAWDOWN,
            code="DRAWDOWN_LOCK",
            reason="equity fell too far below its high-water mark",
            observed=f"{fall * 100:.3f} % below {self._mark:.2f}",
            limit=percent_text(self._fraction),
            until_ns=marks.now_ns + self._cool_off_ns if self._auto else NEVER_NS,
        )
        return (halt,)
