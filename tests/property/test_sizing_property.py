"""Sizing over any instrument, distance and equity (E6): never more than the fraction, never less.

The expected number of lots is worked out with exact fractions, not with the program's decimals.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from hypothesis import example, given, settings
from hypothesis import strategies as st

from daemon.core.sizing import Sizer
from state.instruments import Grid, Instrument

_STEPS = st.sampled_from(["0.00001", "0.001", "0.05", "0.25", "1", "10"])
_LOTS = st.sampled_from(["0.001", "0.01", "1", "25", "1000"])


@st.composite
def _grids(draw: st.DrawFn) -> Grid:
    tick, lot = Decimal(draw(_STEPS)), Decimal(draw(_LOTS))
    return Grid(
        Instrument(
            symbol="ANY",
            quote_currency="USD",
            pip=tick * draw(st.sampled_from([1, 10])),
            tick=tick,
            lot=lot,
            min_quantity=lot * draw(st.sampled_from([1, 5])),
            multiplier=draw(st.sampled_from([Decimal(1), Decimal(50), Decimal("0.01")])),
        )
    )


_FRACTIONS = st.decimals("0.0001", "0.1", places=4)
_RATES = st.decimals("0.000001", "200", places=9)
_CASH = st.decimals("-1000", "10000000", places=8)


@settings(deadline=None)
@given(_grids(), st.integers(1, 100_000), _RATES, _CASH, _FRACTIONS)
@example(
    Grid(
        Instrument(
            "ANY", "USD", Decimal("0.0001"), Decimal("0.00001"), Decimal(1), Decimal(1)
        )
    ),
    100, Decimal(1), Decimal(100_000), Decimal("0.005"),
)  # fmt: skip
def test_the_risk_is_the_largest_within_the_fraction(
    grid: Grid, ticks: int, rate: Decimal, equity: Decimal, fraction: Decimal
) -> None:
    """Lots x distance is at most the fraction of equity, and one lot more would be above it."""
    distance = grid.price(ticks)
    instrument = grid.instrument

    sized = Sizer(risk_fraction=fraction).size(
        grid, distance=distance, min_stop=0.0, tested=False, rate=rate, equity=equity
    )

    budget = Fraction(equity) * Fraction(fraction)
    per_lot = Fraction(Decimal(repr(round(distance, 12)))) * Fraction(instrument.multiplier)
    per_lot *= Fraction(rate) * Fraction(instrument.lot)
    most = budget // per_lot
    if sized.lots:
        assert sized.lots == most
        assert sized.lots * Fraction(instrument.lot) >= Fraction(instrument.min_quantity)
        assert abs(Fraction(sized.risk) - sized.lots * per_lot) <= Fraction(1, 10**8)
    else:
        assert most * Fraction(instrument.lot) < Fraction(instrument.min_quantity)
        assert sized.code == "SIZE_BELOW_MINIMUM"
        # The arithmetic is shown: equity, fraction, distance and what came out.
        for part in (str(equity), str(fraction), str(rate), "rounded down to"):
            assert part in sized.observed
        assert sized.limit == f">= {instrument.min_quantity}"


@settings(deadline=None)
@given(_grids(), st.decimals("0.0001", "100000", places=4), _RATES)
def test_a_fixed_quantity_is_rounded_down(grid: Grid, wanted: Decimal, rate: Decimal) -> None:
    """A fixed quantity never grows, and loses less than one lot."""
    sized = Sizer(quantity=wanted).size(
        grid, distance=grid.pip * 20, min_stop=0.0, tested=False, rate=rate, equity=Decimal(1)
    )

    if sized.lots:
        assert 0 <= wanted - grid.quantity(sized.lots) < grid.lot
    else:
        assert wanted // grid.lot * grid.lot < grid.instrument.min_quantity


@settings(deadline=None)
@given(_grids(), st.integers(-5, 40), st.integers(1, 40))
def test_a_tested_distance_below_the_least_is_refused(grid: Grid, ticks: int, least: int) -> None:
    """A stop given as a distance is legal from the least distance on, ties allowed."""
    sized = Sizer(quantity=grid.instrument.min_quantity).size(
        grid, distance=grid.price(ticks), min_stop=grid.price(least), tested=True,
        rate=Decimal(1), equity=Decimal(1),
    )  # fmt: skip

    if ticks <= 0:
        assert sized.code == "NO_RISK_DISTANCE"
    elif ticks < least:
        assert sized.code == "STOP_TOO_CLOSE"
    else:
        assert sized.lots > 0


@settings(deadline=None)
@given(_grids(), st.integers(1, 100))
def test_without_a_rate_there_is_no_size(grid: Grid, ticks: int) -> None:
    """No conversion rate, no entry (I2)."""
    sized = Sizer(risk_fraction=Decimal("0.01")).size(
        grid, distance=grid.price(ticks), min_stop=0.0, tested=False, rate=None, equity=Decimal(9)
    )

    assert (sized.lots, sized.code) == (0, "NO_RATE")
