"""Columns: a batch of bars of one series, as arrays.

What every bar source yields and every stage before the stepper passes on. It holds no rules: who
makes a batch has checked it (``state.bars.impossible``, strictly increasing opens).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Columns:
    """Bars of one series, oldest first; every array is contiguous and of one length n.

    ``open_ns`` is int64 (n,), UTC nanoseconds of the bar's open, strictly increasing; ``open``,
    ``high``, ``low`` and ``close`` are float64 (n,), mid prices in quote currency; ``volume`` is
    float64 (n,) in the source's unit, NaN where the source has none.
    """

    open_ns: NDArray[np.int64]
    open: NDArray[np.float64]
    high: NDArray[np.float64]
    low: NDArray[np.float64]
    close: NDArray[np.float64]
    volume: NDArray[np.float64]

    def __len__(self) -> int:
        """Return the number of bars."""
        return len(self.open_ns)
