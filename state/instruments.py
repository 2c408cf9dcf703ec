"""Instruments: the arithmetic between prices, pips, ticks and lots.

Inside orders and the ledger a price is a whole number of ticks and a quantity a whole number of
lots. Floats enter and leave only through the methods here.
"""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction

import msgspec

_TIE = 1e-6
"""Ticks. Two prices nearer than this are the same price; binary floats never decide a tie."""


class Instrument(msgspec.Struct, frozen=True):
    """One tradable symbol.

    ``pip``, ``tick`` and ``min_stop`` are price differences in ``quote_currency`` (``min_stop``
    None: spread + 2 x slippage of the deciding bar); ``lot`` and ``min_quantity`` are quantities;
    ``multiplier`` is quote currency per price unit and unit of quantity; ``spread_pips`` is the
    full spread; ``fee_per_unit`` is base currency per unit of quantity and side, ``fee_fraction`` a
    fraction of the order's value per side.
    """

    symbol: str
    quote_currency: str
    pip: Decimal
    tick: Decimal
    lot: Decimal
    min_quantity: Decimal
    multiplier: Decimal = Decimal(1)
    spread_pips: Decimal = Decimal(0)
    fee_per_unit: Decimal = Decimal(0)
    fee_fraction: Decimal = Decimal(0)
    min_stop: Decimal | None = None
    calendar: str | None = None


class Grid:
    """Fast tick and lot arithmetic of one instrument, prepared once.

    ``pip`` and ``tick`` are floats (price units), ``tie`` is the tolerance of price comparisons:
    1e-6 pip.
    """

    __slots__ = (
        "_den",
        "_num",
        "half_spread",
        "instrument",
        "lot",
        "pip",
        "symbol",
        "tick",
        "tie",
        "unit",
    )

    def __init__(self, instrument: Instrument) -> None:
        """Prepare the tick as an exact ratio, so that ``price`` is the nearest float."""
        ratio = Fraction(instrument.tick)
        self.instrument = instrument
        self.symbol = instrument.symbol
        self._num, self._den = ratio.numerator, ratio.denominator
        self.tick = float(instrument.tick)
        self.pip = float(instrument.pip)
        self.lot = instrument.lot
        self.tie = self.pip * 1e-6
        self.unit = float(instrument.lot * instrument.multiplier)
        self.half_spread = float(instrument.spread_pips) * self.pip / 2

    def price(self, ticks: int) -> float:
        """Return the float nearest to this many ticks."""
        return ticks * self._num / self._den

    def nearest(self, price: float) -> int:
        """Round a level to the nearest tick, ties to even (Source: MISSION, Ticks)."""
        exact = price * self._den / self._num
        below = math.floor(exact)
        part = exact - below
        if abs(part - 0.5) <= _TIE:
            return below if below % 2 == 0 else below + 1
        return below if part < 0.5 else below + 1

    def against(self, price: float, side: int) -> int:
        """Round a fill against us: a buy (+1) up, a sell (-1) down."""
        exact = price * self._den / self._num
        return math.ceil(exact - _TIE) if side > 0 else math.floor(exact + _TIE)

    def decimal(self, ticks: int) -> Decimal:
        """Return this many ticks as an exact price."""
        return self.instrument.tick * ticks

    def cash(self, ticks: int) -> Decimal:
        """Return what ticks x lots are worth in quote currency, exactly."""
        return self.instrument.tick * self.instrument.multiplier * self.lot * ticks

    def quantity(self, lots: int) -> Decimal:
        """Return this many lots as a quantity."""
        return self.lot * lots
