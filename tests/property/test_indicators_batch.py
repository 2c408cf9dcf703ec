"""Indicators: incremental and batch are the same to the last bit, and survive a restart.

Invariants: for any bars, update() over them equals the column function at every index (0 ulp); cut
anywhere, state() through JSON into a fresh instance goes on with the same values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import msgspec
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.core import indicator_columns as columns
from daemon.core.indicators import Atr, Ema, Highest, Lowest, Rsi, Sma, TrueRange

PRICES = st.floats(min_value=1e-3, max_value=1e6, allow_nan=False)
BARS = st.lists(
    st.tuples(PRICES, PRICES, PRICES).map(lambda t: (max(t), min(t), sorted(t)[1])),
    min_size=1,
    max_size=120,
)
PERIODS = st.integers(min_value=1, max_value=20)

Column = npt.NDArray[np.float64]
Rows = Sequence[tuple[float, float, float]]


class Indicator(Protocol):
    """What all indicators share."""

    @property
    def update(self) -> Callable[..., float]:
        """Return the update method, whose arguments differ."""

    def state(self) -> dict[str, Any]:
        """Return the state."""

    def restore(self, state: dict[str, Any]) -> None:
        """Take it back."""


class Case(msgspec.Struct):
    """An indicator, whether it takes whole bars, and its batch twin."""

    make: Callable[[int], Any]
    batch: Callable[[list[Column], int], Column]
    whole_bars: bool = False


CASES = {
    "ema": Case(Ema, lambda c, n: columns.ema(c[2], n)),
    "sma": Case(Sma, lambda c, n: columns.sma(c[2], n)),
    "rsi": Case(Rsi, lambda c, n: columns.rsi(c[2], n)),
    "highest": Case(Highest, lambda c, n: columns.highest(c[2], n)),
    "lowest": Case(Lowest, lambda c, n: columns.lowest(c[2], n)),
    "atr": Case(Atr, lambda c, n: columns.atr(c[0], c[1], c[2], n), whole_bars=True),
    "true_range": Case(
        lambda n: TrueRange(), lambda c, n: columns.true_range(c[0], c[1], c[2]), whole_bars=True
    ),
}


def _values(case: Case, indicator: Indicator, rows: Rows) -> list[float]:
    return [indicator.update(*(row if case.whole_bars else row[2:])) for row in rows]


@pytest.mark.parametrize("name", list(CASES))
@given(rows=BARS, period=PERIODS)
def test_incremental_equals_batch_to_the_last_bit(name: str, rows: Rows, period: int) -> None:
    """Another form of the same formula differs in the last bits, and so in trades."""
    case = CASES[name]
    three = [np.array(column, dtype=np.float64) for column in zip(*rows, strict=True)]

    found = np.array(_values(case, case.make(period), rows))

    assert found.tobytes() == case.batch(three, period).tobytes()


@pytest.mark.parametrize("name", list(CASES))
@given(rows=BARS, period=PERIODS, cut=st.integers(min_value=0, max_value=120))
def test_a_restored_indicator_goes_on_as_the_old_one(
    name: str, rows: Rows, period: int, cut: int
) -> None:
    """Law 9: a restart changes no decision, so no value either."""
    case = CASES[name]
    old, new = case.make(period), case.make(period)
    _values(case, old, rows[:cut])

    new.restore(msgspec.json.decode(msgspec.json.encode(old.state())))

    rest = rows[cut:]
    assert np.array(_values(case, new, rest)).tobytes() == (
        np.array(_values(case, old, rest)).tobytes()
    )


@given(rows=BARS, period=PERIODS)
def test_sma_is_the_mean_of_the_window(rows: Rows, period: int) -> None:
    """However long it runs, the mean never drifts from the plain one."""
    closes = [row[2] for row in rows]
    found = _values(CASES["sma"], Sma(period), rows)

    for end in range(period, len(rows) + 1):
        assert found[end - 1] == pytest.approx(sum(closes[end - period : end]) / period, rel=1e-13)
