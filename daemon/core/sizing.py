"""How much to trade: a fixed quantity, or a fixed fraction of realised equity at risk.

Rounded down to the lot step. A size that cannot be legal is refused with the arithmetic shown.
"""

from __future__ import annotations

from decimal import ROUND_FLOOR, Decimal
from typing import Final

from daemon.core.supervision import Sizing
from state.instruments import Grid
from state.units import money

_ZERO: Final = Decimal(0)


class Sizer:
    """The sizing rule of one portfolio: ``quantity`` fixed, or ``risk_fraction`` of equity."""

    def __init__(
        self, *, quantity: Decimal | None = None, risk_fraction: Decimal | None = None
    ) -> None:
        """Keep the rule.

        Raises:
            ValueError: not exactly one of the two is given.
        """
        if (quantity is None) == (risk_fraction is None):
            raise ValueError("sizing takes exactly one of quantity and risk_fraction")
        self._quantity = quantity
        self._risk_fraction = risk_fraction

    def size(
        self,
        grid: Grid,
        *,
        distance: float,
        min_stop: float,
        tested: bool,
        rate: Decimal | None,
        equity: Decimal,
    ) -> Sizing:
        """Size one entry.

        ``distance`` is |deciding close or trigger - stop| in price units, without costs;
        ``tested`` says that the stop was given as a distance, which is tested against ``min_stop``
        here and now. ``rate`` is quote to base currency, ``equity`` realised equity.
        """
        step = Decimal(repr(round(distance, 12)))
        if distance <= grid.tie:
            return _refused("NO_RISK_DISTANCE", f"stop distance {step}", "> 0")
        if tested and min_stop - distance > grid.tie:
            return _refused("STOP_TOO_CLOSE", f"stop distance {step}", f">= {min_stop:.10g}")
        if rate is None:
            return _refused("NO_RATE", f"no rate for {grid.instrument.quote_currency}", "a rate")
        instrument = grid.instrument
        unit_risk = step * instrument.multiplier * rate
        if self._quantity is not None:
            wanted, how = self._quantity, f"fixed {self._quantity}"
        else:
            assert self._risk_fraction is not None
            cash = equity * self._risk_fraction
            wanted = cash / unit_risk
            how = f"{equity} x {self._risk_fraction} / ({step} x {instrument.multiplier} x {rate})"
        lots = int((wanted / instrument.lot).to_integral_value(rounding=ROUND_FLOOR))
        quantity = grid.quantity(max(lots, 0))
        if lots <= 0 or quantity < instrument.min_quantity:
            return _refused(
                "SIZE_BELOW_MINIMUM",
                f"{how} = {wanted:.6g}, rounded down to {quantity}",
                f">= {instrument.min_quantity}",
            )
        return Sizing(lots, money(unit_risk * quantity), "SIZED", f"{quantity} ({how})", "legal")


def _refused(code: str, observed: str, limit: str) -> Sizing:
    return Sizing(0, _ZERO, code, observed, limit)
