"""Cooldowns after closed trades (P1, P3): the loss streak and the symbol's cooldown.

Both are functions of the exits that the ledger keeps; nothing is remembered here, so a restart
refills nothing. A later exit never shortens a cooldown that runs: the latest end counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from daemon.core.supervision import Question
from daemon.core.wording import left_text
from state.portfolio import ExitFact, Portfolio
from state.units import DAY_NS, MINUTE_NS, SECOND_NS, utc_text
from state.verdicts import Verdict

LOSS_STREAK: Final = "loss_streak"
"""The name under which the portfolio's streak cooldown is listed and cleared."""

_DISORDER_NS: Final = DAY_NS
"""Exits stand in journal order. A market exit is stamped with its bar's open, so a stamp may lag
behind its place by one bar, at most a day."""


class Cooldown(msgspec.Struct, frozen=True):
    """A cooldown that runs.

    ``name`` is what clears it: a symbol, or ``loss_streak``. ``kind`` is ``win``, ``loss``,
    ``stop`` or ``streak``; ``until_ns`` its end, exclusive; ``left_s`` the time left in seconds.
    """

    name: str
    kind: str
    until_ns: int
    left_s: float


def _recent(portfolio: Portfolio, since_ns: int) -> Iterator[ExitFact]:
    """Yield, newest first, every exit stamped after ``since_ns`` (and possibly some older)."""
    since_ns -= _DISORDER_NS
    for fact in reversed(portfolio.exits):
        if fact.at_ns <= since_ns:
            return
        yield fact


class LossStreakGate:
    """Deny every entry for a while after a run of losses over the whole portfolio."""

    name = "loss_streak"

    def __init__(self, losses: int, cooldown_m: int) -> None:
        """Take the run that starts the cooldown and its length in minutes; 0: off."""
        self._losses = losses
        self._length_ns = cooldown_m * MINUTE_NS
        self._text = f"{losses} losses: {cooldown_m} min" if cooldown_m else "off"
        self._none = Verdict(self.name, True, "NO_STREAK", "none", self._text)

    def ask(self, question: Question) -> Verdict:
        """Answer ``LOSS_STREAK`` with the run and the time left, or ``NO_STREAK``."""
        left_ns = self.until_ns(question.portfolio, question.now_ns) - question.now_ns
        if left_ns <= 0:
            return self._none
        observed = f"{left_text(left_ns)} left"
        return Verdict(self.name, False, "LOSS_STREAK", observed, self._text)

    def until_ns(self, portfolio: Portfolio, now_ns: int) -> int:
        """Return the end of the streak cooldown (exclusive), 0 when none runs at ``now_ns``."""
        if not self._length_ns or not portfolio.exits:
            return 0
        since_ns = now_ns - self._length_ns
        cleared_ns = portfolio.cleared.get(LOSS_STREAK, -1)
        last_ns = -1
        for fact in _recent(portfolio, since_ns):
            if fact.run >= self._losses and fact.at_ns > cleared_ns and fact.at_ns > last_ns:
                last_ns = fact.at_ns
        return last_ns + self._length_ns if last_ns > since_ns else 0

    def running(self, portfolio: Portfolio, now_ns: int) -> list[Cooldown]:
        """Return the streak cooldown if it runs, else an empty list."""
        until_ns = self.until_ns(portfolio, now_ns)
        if until_ns <= now_ns:
            return []
        return [Cooldown(LOSS_STREAK, "streak", until_ns, (until_ns - now_ns) / SECOND_NS)]


class SymbolCooldownGate:
    """Deny entries in a symbol for a while after a trade in it closed, by its outcome.

    A losing stop takes the stop's length only. ``adaptive`` multiplies a length by the factor that
    the ledger fixed when the trade closed.
    """

    name = "symbol_cooldown"

    def __init__(self, win_m: int, loss_m: int, stop_m: int, *, adaptive: bool) -> None:
        """Take the lengths in minutes; 0 switches one off."""
        minutes = {"win": win_m, "loss": loss_m, "stop": stop_m}
        self._lengths_ns = {outcome: length * MINUTE_NS for outcome, length in minutes.items()}
        self._longest_ns = max(self._lengths_ns.values())
        self._adaptive = adaptive
        self._text = f"win {win_m} min, loss {loss_m} min, stop {stop_m} min"
        if adaptive:
            self._text += ", adaptive"
        self._none = Verdict(self.name, True, "NO_COOLDOWN", "none", self._text)

    def ask(self, question: Question) -> Verdict:
        """Answer ``SYMBOL_COOLDOWN`` with outcome and time left, or ``NO_COOLDOWN``."""
        portfolio, now_ns = question.portfolio, question.now_ns
        if not portfolio.exits:
            return self._none
        found = self._latest(portfolio, now_ns, question.symbol)
        if not found:
            return self._none
        until_ns, fact = found[question.symbol]
        observed = f"{left_text(until_ns - now_ns)} left, {fact.outcome} at {utc_text(fact.at_ns)}"
        return Verdict(self.name, False, "SYMBOL_COOLDOWN", observed, self._text)

    def running(self, portfolio: Portfolio, now_ns: int) -> list[Cooldown]:
        """Return the cooldowns that run, by symbol."""
        return [
            Cooldown(symbol, fact.outcome, until_ns, (until_ns - now_ns) / SECOND_NS)
            for symbol, (until_ns, fact) in sorted(self._latest(portfolio, now_ns).items())
        ]

    def _latest(
        self, portfolio: Portfolio, now_ns: int, symbol: str | None = None
    ) -> dict[str, tuple[int, ExitFact]]:
        """Return the latest end after ``now_ns`` per symbol, with the exit that made it."""
        latest: dict[str, tuple[int, ExitFact]] = {}
        # The ledger's factor is 2 at most.
        reach_ns = self._longest_ns * 2 if self._adaptive else self._longest_ns
        for fact in _recent(portfolio, now_ns - reach_ns):
            if symbol is not None and fact.symbol != symbol:
                continue
            if portfolio.cleared.get(fact.symbol, -1) >= fact.at_ns:
                continue
            until_ns = fact.at_ns + self._length_ns(fact)
            best = latest.get(fact.symbol)
            if until_ns > now_ns and (best is None or until_ns > best[0]):
                latest[fact.symbol] = (until_ns, fact)
        return latest

    def _length_ns(self, fact: ExitFact) -> int:
        length_ns = self._lengths_ns.get(fact.outcome, self._longest_ns)
        return round(length_ns * fact.factor) if self._adaptive else length_ns
