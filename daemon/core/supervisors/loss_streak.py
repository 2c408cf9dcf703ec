"""The cooldown after a run of losses (P1, P3), over the whole portfolio.

It is a function of the exits that the ledger keeps, so a restart refills nothing; what is kept here
is only not computed twice.
"""

from __future__ import annotations

from daemon.core.exits import LOSS_STREAK, Cooldown, Exits
from daemon.core.supervision import Question
from daemon.core.wording import left_text
from state.portfolio import Portfolio
from state.units import MINUTE_NS, SECOND_NS
from state.verdicts import Verdict


class LossStreakGate:
    """Deny every entry for a while after a run of losses over the whole portfolio.

    Its length is fixed: the adaptive factor scales the cooldowns of symbols only.
    """

    name = "loss_streak"

    def __init__(self, losses: int, cooldown_m: int) -> None:
        """Take the run that starts the cooldown and its length in minutes; 0: off."""
        self._losses = losses
        self._length_ns = cooldown_m * MINUTE_NS
        self._exits = Exits()
        self._until_ns = 0
        self._text = f"{losses} losses: {cooldown_m} min" if cooldown_m else "off"
        self._none = Verdict(self.name, True, "NO_STREAK", "none", self._text)

    def ask(self, question: Question) -> Verdict:
        """Answer ``LOSS_STREAK`` with the time left, or ``NO_STREAK``."""
        left_ns = self.until_ns(question.portfolio) - question.now_ns
        if left_ns <= 0:
            return self._none
        observed = f"{left_text(left_ns)} left"
        return Verdict(self.name, False, "LOSS_STREAK", observed, self._text)

    def until_ns(self, portfolio: Portfolio) -> int:
        """Return the end of the latest streak cooldown (exclusive), 0 when there is none."""
        if self._exits.have_changed(portfolio):
            cleared_ns = portfolio.cleared.get(LOSS_STREAK, -1)
            starts = [
                fact.at_ns
                for fact in portfolio.exits
                if fact.run >= self._losses and fact.at_ns > cleared_ns
            ]
            self._until_ns = max(starts) + self._length_ns if starts and self._length_ns else 0
        return self._until_ns

    def running(self, portfolio: Portfolio, now_ns: int) -> list[Cooldown]:
        """Return the streak cooldown if it runs, else an empty list."""
        until_ns = self.until_ns(portfolio)
        if until_ns <= now_ns:
            return []
        return [Cooldown(LOSS_STREAK, "streak", until_ns, (until_ns - now_ns) / SECOND_NS)]
