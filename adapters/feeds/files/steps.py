"""Steps: the interval that the stamps of a file show, and intervals in words."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from state.units import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS

_COMMON: Final = 0.05
"""A step is common when it is at least this share of all steps."""


def common_step(stamps: NDArray[np.int64]) -> int | None:
    """Return the smallest common distance of neighbouring stamps in ns, None when there is none.

    Smallest, because bars that are absent make steps longer, never shorter; common, so that one
    misprinted stamp does not decide.
    """
    steps = np.abs(np.diff(stamps))
    steps = steps[steps > 0]
    if len(steps) == 0:
        return None
    values, counts = np.unique(steps, return_counts=True)
    common = values[counts >= _COMMON * len(steps)]
    return int(common[0]) if len(common) else None


def duration_text(ns: int) -> str:
    """Write a duration in its largest whole unit: ``90s``, ``5m``, ``1h``, ``2d``."""
    for unit, letter in ((DAY_NS, "d"), (HOUR_NS, "h"), (MINUTE_NS, "m"), (SECOND_NS, "s")):
        if ns % unit == 0 and ns >= unit:
            return f"{ns // unit}{letter}"
    return f"{ns}ns"
