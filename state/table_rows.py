"""The rows of the query tables, typed, with their columns in the tables' order.

Pure shapes: ``state.projector`` writes the tables, ``state.queries`` reads them. Amounts are
``Decimal`` in base currency, prices ``Decimal`` in quote currency, days proleptic ordinals.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TypeVar

import msgspec

Cell = str | int | float | None


class Trade(msgspec.Struct, frozen=True, array_like=True):
    """A trade. ``seq`` is 0 and the exit fields are None while it is open.

    ``price`` is before costs, ``fill`` after; ``trading_day`` is of the entry while open, of the
    exit once closed; ``gross`` is before fees, ``pnl`` after; ``spread`` and ``slippage`` are what
    the two cost (>= 0); ``r`` is None while open.
    """

    trade_id: str
    seq: int
    portfolio_id: str
    run_id: str
    version: str
    symbol: str
    strategy: str
    side: str
    quantity: Decimal
    trading_day: int
    signal_ns: int
    entry_ns: int
    entry_price: Decimal
    entry_fill: Decimal
    stop: Decimal | None
    target: Decimal | None
    exit_ns: int | None
    exit_price: Decimal | None
    exit_fill: Decimal | None
    exit_reason: str | None
    fees: Decimal
    slippage: Decimal
    spread: Decimal
    gross: Decimal
    pnl: Decimal
    risk: Decimal
    r: float | None


class OrderRow(msgspec.Struct, frozen=True, array_like=True):
    """An order. ``filled`` is a quantity, ``trigger`` and ``stop`` are prices."""

    intent_id: str
    seq: int
    purpose: str
    trade_id: str
    symbol: str
    strategy: str
    side: str
    type: str
    quantity: Decimal
    filled: Decimal
    trigger: Decimal | None
    stop: Decimal | None
    state: str
    code: str
    decided_ns: int
    changed_ns: int


class EquityPoint(msgspec.Struct, frozen=True, array_like=True):
    """Equity at the marks of one instant; ``high_water`` is the drawdown's mark."""

    seq: int
    at_ns: int
    cash: Decimal
    open_pnl: Decimal
    equity: Decimal
    high_water: Decimal


class PortfolioDay(msgspec.Struct, frozen=True, array_like=True):
    """A portfolio day that has rolled; ``drawdown`` is a fraction, ``net`` = gross - fees."""

    day: int
    seq: int
    start_equity: Decimal
    end_equity: Decimal
    gross: Decimal
    net: Decimal
    fees: Decimal
    trades: int
    drawdown: float
    open_positions: int


class DayPositionRow(msgspec.Struct, frozen=True, array_like=True):
    """A position and its plan as a portfolio day ended.

    ``entry`` is the mean fill; ``trail_distance`` price units; ``time_stop_ns`` None: held;
    ``open_pnl`` is at mark; ``risk`` the initial risk.
    """

    day: int
    trade_id: str
    seq: int
    symbol: str
    strategy: str
    side: str
    quantity: Decimal
    entry: Decimal
    stop: Decimal | None
    target: Decimal | None
    trail_distance: float | None
    time_stop_ns: int | None
    open_pnl: Decimal
    risk: Decimal


RowType = TypeVar("RowType", bound=msgspec.Struct)


def typed(row: Sequence[Cell], kind: type[RowType]) -> RowType:
    """Type one row of a table.

    Raises:
        msgspec.ValidationError: the row is not of this kind.
    """
    return msgspec.convert(row, kind, strict=False)


def fields(row: msgspec.Struct) -> dict[str, object]:
    """Return a row as a mapping from column to value."""
    return {name: getattr(row, name) for name in row.__struct_fields__}
