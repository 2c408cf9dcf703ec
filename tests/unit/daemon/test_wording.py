"""How observed values and limits are written."""

from __future__ import annotations

from decimal import Decimal

import pytest

from daemon.core.wording import left_text, money_text, percent_text, r_text, seconds_text
from state.units import SECOND_NS


def test_amounts_carry_their_units() -> None:
    """R7: numbers never stand alone."""
    assert r_text(-4.9964) == "-4.996 R"
    assert money_text(Decimal("1250.005"), "USD") == "1250.00 USD"
    assert money_text(Decimal(1), "") == "1.00 base currency"
    assert percent_text(0.05) == "5 %"
    assert percent_text(0.125) == "12.5 %"


@pytest.mark.parametrize(
    ("span_ns", "text"),
    [(0, "0 s"), (180 * SECOND_NS, "180 s"), (1_500_000_000, "1.500 s"), (-SECOND_NS, "-1 s")],
)
def test_seconds_show_milliseconds_only_when_there_are_some(span_ns: int, text: str) -> None:
    """A whole second is written as one."""
    assert seconds_text(span_ns) == text


@pytest.mark.parametrize(
    ("span_ns", "text"),
    [
        (1, "1 s"),
        (59 * SECOND_NS, "59 s"),
        (60 * SECOND_NS, "1 min 0 s"),
        (3599 * SECOND_NS + 1, "1 h 0 min 0 s"),
    ],
)
def test_time_left_is_rounded_up(span_ns: int, text: str) -> None:
    """Something that still denies has time left."""
    assert left_text(span_ns) == text
