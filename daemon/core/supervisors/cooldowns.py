"""The cooldown of a symbol after a trade in it closed (P1, P3).

It is a function of the exits that the ledger keeps, so a restart refills nothing; what is kept here
is only not computed twice. A later exit never shortens a cooldown that runs: the latest end counts.
"""

from __future__ import annotations

from daemon.core.exits import Cooldown, Exits
from daemon.core.supervision import Question
from daemon.core.wording import left_text
from state.portfolio import ExitFact, Portfolio
from state.units import MINUTE_NS, SECOND_NS, utc_text
from state.verdicts import Verdict


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
        self._exits = Exits()
        self._latest: dict[str, tuple[int, ExitFact]] = {}
        self._text = f"win {win_m} min, loss {loss_m} min, stop {stop_m} min"
        if adaptive:
            self._text += ", adaptive"
        self._none = Verdict(self.name, True, "NO_COOLDOWN", "none", self._text)

    def ask(self, question: Question) -> Verdict:
        """Answer ``SYMBOL_COOLDOWN`` with outcome and time left, or ``NO_COOLDOWN``."""
        found = self._ends(question.portfolio).get(question.symbol)
        if found is None or found[0] <= question.now_ns:
            return self._none
        left, fact = left_text(found[0] - question.now_ns), found[1]
        observed = f"{left} left, {fact.outcome} at {utc_text(fact.at_ns)}"
        return Verdict(self.name, False, "SYMBOL_COOLDOWN", observed, self._text)

    def running(self, portfolio: Portfolio, now_ns: int) -> list[Cooldown]:
        """Return the cooldowns that run, by symbol."""
        return [
            Cooldown(symbol, fact.outcome, until_ns, (until_ns - now_ns) / SECOND_NS)
            for symbol, (until_ns, fact) in sorted(self._ends(portfolio).items())
            if until_ns > now_ns
        ]

    def _ends(self, portfolio: Portfolio) -> dict[str, tuple[int, ExitFact]]:
        """Return the latest end of each symbol's cooldowns, with the exit that made it."""
        if self._exits.have_changed(portfolio):
            self._latest = {}
            for fact in portfolio.exits:
                if portfolio.cleared.get(fact.symbol, -1) < fact.at_ns:
                    until_ns, best = (
                        fact.at_ns + self._length_ns(fact),
                        self._latest.get(fact.symbol),
                    )
                    if best is None or until_ns > best[0]:
                        self._latest[fact.symbol] = (until_ns, fact)
        return self._latest

    def _length_ns(self, fact: ExitFact) -> int:
        length_ns = self._lengths_ns.get(fact.outcome, self._longest_ns)
        return round(length_ns * fact.factor) if self._adaptive else length_ns
