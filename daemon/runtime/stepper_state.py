"""What a stepper gives and takes over a restart."""

from __future__ import annotations

from decimal import Decimal

import msgspec


class StepperState(msgspec.Struct, frozen=True):
    """What a stepper knows beside the portfolio, between two instants.

    ``now_ns`` is the last instant stepped; ``day_peak`` the highest marked equity of the trading
    day and ``day_fall`` the deepest fall below it (a fraction); ``marked`` cash, open P&L and
    high-water mark as last recorded; ``watched_cash`` the cash when the watches last looked.
    """

    now_ns: int
    day_peak: float
    day_fall: float
    marked: tuple[Decimal, Decimal, Decimal]
    watched_cash: Decimal


def deepened(peak: float, fall: float, equity: float) -> tuple[float, float]:
    """Return the trading day's peak and deepest fall below it, this equity taken in."""
    if equity > peak:
        return equity, fall
    return peak, max(fall, 1 - equity / peak) if peak > 0 else fall
