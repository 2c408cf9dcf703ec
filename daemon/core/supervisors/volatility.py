"""Abnormal volatility as a gate (R5): no entry on a bar that is far larger than those before it.

Its memory of a range is the market's ATR(14) up to the bar before; it keeps none of its own.
"""

from __future__ import annotations

from daemon.core.supervision import Question
from state.verdicts import Verdict


class VolatilityGate:
    """Deny when the deciding bar's true range is above ``most`` times the ATR before it."""

    name = "volatility"

    def __init__(self, most: float) -> None:
        """Take the limit in ATRs."""
        self._most = most
        self._limit = f"{most:g} x ATR(14)"

    def ask(self, question: Question) -> Verdict:
        """Answer ``ABNORMAL_VOLATILITY`` or ``VOLATILITY_WITHIN``; an unknown ATR denies."""
        true_range, atr = question.true_range, question.atr_before
        if not atr > 0:
            observed = "no ATR yet: fewer than 14 bars, or none that moved"
            return Verdict(self.name, False, "ABNORMAL_VOLATILITY", observed, self._limit)
        observed = f"{true_range / atr:.3g} x ATR(14)"
        if true_range <= self._most * atr:
            return Verdict(self.name, True, "VOLATILITY_WITHIN", observed, self._limit)
        return Verdict(self.name, False, "ABNORMAL_VOLATILITY", observed, self._limit)
