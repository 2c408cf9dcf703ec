"""The global daily R-stop (R1): a gate that denies and a watch that latches the trading day.

It flattens nothing and cancels nothing; that is the desk's work when the halt is recorded.
"""

from __future__ import annotations

from collections.abc import Sequence

from daemon.core.latches import R_STOP, R_TIE, in_force
from daemon.core.supervision import NOTHING, Marks, Question
from daemon.core.wording import r_text
from state.entries import Entry, HaltSet
from state.verdicts import Verdict


class RStop:
    """Deny entries on a trading day whose R-stop is latched or reached.

    A latch in the journal denies for its day even when the stop has been switched off since.
    """

    name = "r_stop"

    def __init__(self, limit_r: float | None, *, open_r: bool, worst_case: bool) -> None:
        """Take the limit (R, negative; None: off) and the two switches of R1."""
        self._trip = float("-inf") if limit_r is None else limit_r + R_TIE
        self._floor = float("-inf") if limit_r is None else limit_r - R_TIE
        self._off = limit_r is None
        self._open_r = open_r
        self._worst_case = worst_case
        self._limit = "off" if limit_r is None else r_text(limit_r)

    def ask(self, question: Question) -> Verdict:
        """Answer ``R_STOP_REACHED``, ``R_STOP_WORST_CASE`` or ``R_WITHIN``, with the day's R."""
        halts = question.portfolio.halts
        if halts:
            halt = halts.get(R_STOP)
            if halt is not None and in_force(halt, question.now_ns, question.day):
                observed = f"{halt.observed} (latched)" if halt.observed else "latched"
                return Verdict(self.name, False, "R_STOP_REACHED", observed, self._limit)
        realised = question.realised_r
        total = realised + question.open_r if self._open_r else realised
        if self._off:
            return Verdict(self.name, True, "R_WITHIN", r_text(total), self._limit)
        if not total > self._trip:  # written so that NaN denies
            return Verdict(self.name, False, "R_STOP_REACHED", r_text(total), self._limit)
        if self._worst_case:
            worst = realised + question.worst_r + question.this_worst_r
            if not worst >= self._floor:
                return Verdict(
                    self.name, False, "R_STOP_WORST_CASE", _sum_text(question), self._limit
                )
        return Verdict(self.name, True, "R_WITHIN", r_text(total), self._limit)


def _sum_text(question: Question) -> str:
    return (
        f"{r_text(question.realised_r)} realised, {r_text(question.worst_r)} at risk, "
        f"{r_text(question.this_worst_r)} this trade"
    )


class RStopWatch:
    """Latch the trading day once its realised R (and open R, by switch) is at the limit."""

    name = "r_stop"

    def __init__(self, limit_r: float | None, *, open_r: bool) -> None:
        """Take the limit (R, negative; None: off) and whether open R counts."""
        self._trip = float("-inf") if limit_r is None else limit_r + R_TIE
        self._off = limit_r is None
        self._open_r = open_r
        self._limit = "off" if limit_r is None else r_text(limit_r)

    def look(self, marks: Marks) -> Sequence[Entry]:
        """Return the day's ``HaltSet`` when the stop is reached and not yet latched."""
        total = marks.realised_r + marks.open_r if self._open_r else marks.realised_r
        if total > self._trip or self._off:
            return NOTHING
        halt = marks.portfolio.halts.get(R_STOP)
        if halt is not None and in_force(halt, marks.now_ns, marks.day):
            return NOTHING
        return (
            HaltSet(
                at_ns=marks.now_ns,
                name=R_STOP,
                code="R_STOP_REACHED",
                reason="the trading day's R is at or below the daily R-stop",
                observed=r_text(total),
                limit=self._limit,
                day=marks.day,
            ),
        )
