"""Builders that tests share: bars, instruments, and the way to real data."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from state.bars import Bar
from state.instruments import Instrument
from state.units import MINUTE_NS

ROOT = Path(__file__).resolve().parent.parent


def shared_data() -> Path:
    """Return the folder of real bars and vectors beside the checkout, or skip the test."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("real data is not beside this checkout (../shared/data)")
    return folder


def bar(
    open_ns: int,
    open_: float,
    high: float,
    low: float,
    close: float,
    *,
    minutes: int = 5,
) -> Bar:
    """Make a bar of ``minutes`` minutes."""
    return Bar(open_ns, open_ns + minutes * MINUTE_NS, open_, high, low, close, 0.0)


def eurusd(spread_pips: str = "0.6") -> Instrument:
    """Make EURUSD with a 5-digit tick and a lot of one unit."""
    return Instrument(
        symbol="EURUSD",
        quote_currency="USD",
        pip=Decimal("0.0001"),
        tick=Decimal("0.00001"),
        lot=Decimal(1),
        min_quantity=Decimal(1),
        spread_pips=Decimal(spread_pips),
    )
