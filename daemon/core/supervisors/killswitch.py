"""The kill switch as a gate (R6): while it is set, nothing may add risk.

It reads the level that the ledger latched; watching the file and latching are not its work.
"""

from __future__ import annotations

from typing import Final

from daemon.core.supervision import Question
from state.verdicts import Verdict

_RESET: Final = "none"
_CLEAR: Final = Verdict("kill", True, "KILL_CLEAR", _RESET, _RESET)


class KillSwitch:
    """Deny every entry at any level but ``none``, one that nobody knows included."""

    name = "kill"

    def ask(self, question: Question) -> Verdict:
        """Answer ``KILL_SWITCH`` with the level and its reason, or ``KILL_CLEAR``."""
        portfolio = question.portfolio
        if portfolio.kill == _RESET:
            return _CLEAR
        level = portfolio.kill or "unknown level"
        observed = f"{level}: {portfolio.kill_reason}" if portfolio.kill_reason else level
        return Verdict(self.name, False, "KILL_SWITCH", observed, _RESET)
