"""Halts by hand and by circuit breakers as a gate (R5).

Halts of R1, R2 and R4 answer in the gates of their own policies and are not repeated here.
"""

from __future__ import annotations

from typing import Final

from daemon.core.latches import answers_elsewhere, in_force, is_of
from daemon.core.supervision import Question
from state.entries import HaltSet
from state.verdicts import Verdict

_LIMIT: Final = "no halt"
_CLEAR: Final = Verdict("halts", True, "HALTS_CLEAR", _LIMIT, _LIMIT)


class Halts:
    """Deny entries while a halt is in force that no other gate answers for."""

    name = "halts"

    def ask(self, question: Question) -> Verdict:
        """Answer ``HALTED`` with name, code and reason of each halt, or ``HALTS_CLEAR``."""
        halts = question.portfolio.halts
        if not halts:
            return _CLEAR
        now_ns, day = question.now_ns, question.day
        found = [
            _text(name, halts[name])
            for name in sorted(halts)
            if not answers_elsewhere(name)
            and is_of(name, question.symbol)
            and in_force(halts[name], now_ns, day)
        ]
        if not found:
            return _CLEAR
        return Verdict(self.name, False, "HALTED", "; ".join(found), _LIMIT)


def _text(name: str, halt: HaltSet) -> str:
    return f"{name} {halt.code}: {halt.reason}" if halt.reason else f"{name} {halt.code}"
