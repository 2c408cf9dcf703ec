"""The portfolio's caps (R3): values in base currency, numbers of positions."""

from __future__ import annotations

from decimal import Decimal

import pytest

from daemon.core.supervision import Gate
from daemon.core.supervisors.exposure import (
    GrossExposureCap,
    OrderValueCap,
    PositionsCap,
    SymbolPositionsCap,
)
from tests.gate_builders import question


@pytest.mark.parametrize(
    ("value", "code"), [("5000", "CAP_WITHIN"), ("5000.01", "MAX_ORDER_VALUE")]
)
def test_order_value_may_reach_its_cap(value: str, code: str) -> None:
    """R3: the cap is inclusive."""
    verdict = OrderValueCap(Decimal(5000)).ask(question(order_value=Decimal(value)))
    assert verdict.code == code
    assert verdict.limit == "5000.00 USD"


@pytest.mark.parametrize(
    ("gross", "code"), [("19000", "CAP_WITHIN"), ("19000.01", "MAX_GROSS_EXPOSURE")]
)
def test_gross_exposure_counts_this_order(gross: str, code: str) -> None:
    """R3: 19,000 + 1,000 is 20,000, one cent more is too much."""
    cap = GrossExposureCap(Decimal(20_000))
    verdict = cap.ask(question(gross_exposure=Decimal(gross), order_value=Decimal(1000)))
    assert verdict.code == code


@pytest.mark.parametrize(("others", "code"), [(3, "CAP_WITHIN"), (4, "MAX_POSITIONS")])
def test_positions_count_this_one(others: int, code: str) -> None:
    """R3: with a cap of 4 the fourth passes and the fifth does not."""
    assert PositionsCap(4).ask(question(positions=others)).code == code


def test_positions_of_a_symbol_have_their_own_cap() -> None:
    """R3: one in the symbol already, a cap of 1."""
    cap = SymbolPositionsCap(1)
    assert cap.ask(question(positions=7, positions_symbol=0)).allowed
    verdict = cap.ask(question(positions=7, positions_symbol=1))
    assert (verdict.code, verdict.observed, verdict.limit) == (
        "MAX_POSITIONS_SYMBOL",
        "1 + 1",
        "1 positions",
    )


@pytest.mark.parametrize(
    "gate",
    [
        OrderValueCap(None),
        OrderValueCap(Decimal("NaN")),
        GrossExposureCap(None),
        GrossExposureCap(Decimal("Infinity")),
        PositionsCap(None),
        SymbolPositionsCap(None),
    ],
)
def test_missing_limit_refuses(gate: Gate) -> None:
    """R3: a cap that nobody chose refuses; so does one that is no number."""
    verdict = gate.ask(question())
    assert (verdict.allowed, verdict.code) == (False, "LIMIT_MISSING")


@pytest.mark.parametrize("missing", [None, Decimal("NaN")])
def test_missing_price_refuses(missing: Decimal | None) -> None:
    """R3: a value that cannot be told refuses."""
    assert OrderValueCap(Decimal(1)).ask(question(order_value=missing)).code == "PRICE_MISSING"
    cap = GrossExposureCap(Decimal(1))
    assert cap.ask(question(order_value=missing)).code == "PRICE_MISSING"
    assert cap.ask(question(gross_exposure=missing)).code == "PRICE_MISSING"
