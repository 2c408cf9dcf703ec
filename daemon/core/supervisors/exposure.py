"""The portfolio's caps (R3), each a gate of its own: value, gross exposure, numbers of positions.

Orders in flight and of unknown outcome are already counted at their worst in what is asked. A
missing limit or price refuses.
"""

from __future__ import annotations

from decimal import Decimal

from daemon.core.supervision import Question
from daemon.core.wording import money_text
from state.verdicts import Verdict


def _capped(
    gate: str, value: Decimal | None, limit: Decimal | None, code: str, unit: str
) -> Verdict:
    """Compare an amount of base currency with its cap, which is inclusive."""
    if limit is None or not limit.is_finite():
        return Verdict(gate, False, "LIMIT_MISSING", "no cap configured", "a cap")
    if value is None or not value.is_finite():
        return Verdict(gate, False, "PRICE_MISSING", "no price or rate", money_text(limit, unit))
    allowed = value <= limit
    return Verdict(
        gate,
        allowed,
        "CAP_WITHIN" if allowed else code,
        money_text(value, unit),
        money_text(limit, unit),
    )


def _counted(gate: str, others: int, limit: int | None, code: str) -> Verdict:
    """Compare the number of positions, this one included, with its cap, which is inclusive."""
    if limit is None:
        return Verdict(gate, False, "LIMIT_MISSING", "no cap configured", "a cap")
    allowed = others < limit
    return Verdict(
        gate, allowed, "CAP_WITHIN" if allowed else code, f"{others} + 1", f"{limit} positions"
    )


class OrderValueCap:
    """Deny an order worth more than the cap, in base currency."""

    name = "order_value"

    def __init__(self, limit: Decimal | None) -> None:
        """Take the cap (base currency, inclusive); None refuses every order."""
        self._limit = limit

    def ask(self, question: Question) -> Verdict:
        """Answer ``MAX_ORDER_VALUE``, ``LIMIT_MISSING``, ``PRICE_MISSING`` or ``CAP_WITHIN``."""
        unit = question.portfolio.base_currency
        return _capped(self.name, question.order_value, self._limit, "MAX_ORDER_VALUE", unit)


class GrossExposureCap:
    """Deny an order that would lift gross exposure above the cap, in base currency."""

    name = "gross_exposure"

    def __init__(self, limit: Decimal | None) -> None:
        """Take the cap (base currency, inclusive); None refuses every order."""
        self._limit = limit

    def ask(self, question: Question) -> Verdict:
        """Answer ``MAX_GROSS_EXPOSURE``, ``LIMIT_MISSING``, ``PRICE_MISSING`` or ``CAP_WITHIN``."""
        gross, order = question.gross_exposure, question.order_value
        after = None if gross is None or order is None else gross + order
        unit = question.portfolio.base_currency
        return _capped(self.name, after, self._limit, "MAX_GROSS_EXPOSURE", unit)


class PositionsCap:
    """Deny one position too many in the portfolio."""

    name = "positions"

    def __init__(self, limit: int | None) -> None:
        """Take the cap (positions and entry orders in flight); None refuses every order."""
        self._limit = limit

    def ask(self, question: Question) -> Verdict:
        """Answer ``MAX_POSITIONS``, ``LIMIT_MISSING`` or ``CAP_WITHIN``."""
        return _counted(self.name, question.positions, self._limit, "MAX_POSITIONS")


class SymbolPositionsCap:
    """Deny one position too many in one symbol, whatever the strategy."""

    name = "positions_symbol"

    def __init__(self, limit: int | None) -> None:
        """Take the cap (positions and entry orders in flight); None refuses every order."""
        self._limit = limit

    def ask(self, question: Question) -> Verdict:
        """Answer ``MAX_POSITIONS_SYMBOL``, ``LIMIT_MISSING`` or ``CAP_WITHIN``."""
        return _counted(self.name, question.positions_symbol, self._limit, "MAX_POSITIONS_SYMBOL")
