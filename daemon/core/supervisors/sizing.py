"""The size of an entry as a gate (E6): it hands on what the sizing said, in the last place.

It computes no size; the desk did, and the arithmetic travels in the verdict.
"""

from __future__ import annotations

from daemon.core.supervision import Question
from state.verdicts import Verdict


class SizingGate:
    """Deny an entry that has no legal size."""

    name = "sizing"

    def ask(self, question: Question) -> Verdict:
        """Answer with the sizing's code (``SIZED`` allows) and its arithmetic."""
        sizing = question.sizing
        allowed = sizing.lots > 0
        code = sizing.code or ("SIZED" if allowed else "SIZE_BELOW_MINIMUM")
        if not allowed and code == "SIZED":
            code = "SIZE_BELOW_MINIMUM"
        observed = sizing.observed or f"{sizing.lots} lots"
        return Verdict(self.name, allowed, code, observed, sizing.limit or "1 lot or more")
