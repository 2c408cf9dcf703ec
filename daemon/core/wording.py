"""How policies write observed values and limits: one spelling for money, R, percent and spans.

Only text comes out of here; nothing compares or parses it.
"""

from __future__ import annotations

from decimal import Decimal

from state.units import SECOND_NS


def r_text(r: float) -> str:
    """Write an amount of R to three places: ``-4.996 R``."""
    return f"{r:.3f} R"


def money_text(amount: Decimal, currency: str) -> str:
    """Write an amount of base currency to two places: ``1250.00 USD``."""
    return f"{amount:.2f} {currency or 'base currency'}"


def percent_text(fraction: float) -> str:
    """Write a fraction as percent, as short as it can be said: ``5 %``."""
    return f"{fraction * 100:g} %"


def seconds_text(span_ns: int) -> str:
    """Write a span in seconds, with milliseconds only where there are some: ``180 s``."""
    seconds, rest = divmod(span_ns, SECOND_NS)
    return f"{span_ns / SECOND_NS:.3f} s" if rest else f"{seconds} s"


def left_text(span_ns: int) -> str:
    """Write the time left, rounded up to the second: ``42 min 10 s``, ``1 h 5 min 0 s``.

    Rounding up keeps "0 s left" from being said while something still denies.
    """
    seconds = -(-span_ns // SECOND_NS)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min {seconds} s"
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
