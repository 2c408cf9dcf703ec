"""One position per engine, as a gate: a second signal is denied while the first one lives."""

from __future__ import annotations

from typing import Final

from daemon.core.supervision import Question
from state.units import side_name
from state.verdicts import Verdict

_LIMIT: Final = "no position, no entry order"
_FLAT: Final = Verdict("position", True, "ENGINE_FLAT", _LIMIT, _LIMIT)


class OnePosition:
    """Deny an entry while its engine has an open position or an entry order in flight."""

    name = "position"

    def ask(self, question: Question) -> Verdict:
        """Answer ``POSITION_OPEN``, ``ORDER_WORKING`` or ``ENGINE_FLAT``."""
        portfolio = question.portfolio
        position = portfolio.positions.get(question.key)
        if position is not None:
            observed = f"{side_name(position.side)} {position.lots} lots"
            return Verdict(self.name, False, "POSITION_OPEN", observed, _LIMIT)
        for order in portfolio.orders.values():
            intent = order.intent
            if (
                intent.symbol == question.symbol
                and intent.strategy == question.strategy
                and intent.purpose == "entry"
            ):
                observed = f"{side_name(intent.side)} {intent.lots} lots, {order.state}"
                return Verdict(self.name, False, "ORDER_WORKING", observed, _LIMIT)
        return _FLAT
