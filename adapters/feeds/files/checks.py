"""Checks: which rows of a column are possible bars. The rule itself is ``state.bars.impossible``.

The mask below must say exactly what that function says; a property test holds them together.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from adapters.feeds.files.rows import Floats, Quad, RawRows
from adapters.feeds.files.spec import (
    HIGH_TOO_LOW,
    LOW_TOO_HIGH,
    NOT_FINITE,
    NOT_POSITIVE,
    Tally,
)
from state.bars import impossible

_NAMES = ("open", "high", "low", "close")


def possible(quad: Quad) -> NDArray[np.bool_]:
    """Return for every row whether ``state.bars.impossible`` finds nothing wrong; (n,) bool.

    Any comparison with NaN is false, and low > 0 with high < inf bounds all four.
    """
    open_, high, low, close = quad
    mask: NDArray[np.bool_] = low > 0
    mask &= high < np.inf
    mask &= low <= open_
    mask &= low <= close
    mask &= high >= open_
    mask &= high >= close
    return mask


def refuse_impossible(
    rows: RawRows, side: Quad, name: str, noun: str, tally: Tally
) -> NDArray[np.bool_] | None:
    """Count the impossible rows of one ``side``; return the mask of the others, None when all pass.

    ``name`` is the prefix of the columns in messages (``ask_`` or nothing), ``noun`` is ``line`` or
    ``row``.
    """
    mask = possible(side)
    if bool(mask.all()):
        return None
    for place in np.flatnonzero(~mask).tolist():
        values = [float(column[place]) for column in side]
        code = impossible(*values) or NOT_FINITE
        tally.add(code, f"{noun} {int(rows.lines[place])}: {_words(code, values, name)}")
    return mask


def middle(first: Floats, second: Floats) -> Floats:
    """Return the mid of bid and ask, field by field."""
    mid: Floats = (first + second) / 2
    return mid


def _words(code: str, values: list[float], prefix: str) -> str:
    open_, high, low, close = values
    if code in (NOT_FINITE, NOT_POSITIVE):
        broken = next(
            (n, v)
            for n, v in zip(_NAMES, values, strict=True)
            if (v <= 0 if code == NOT_POSITIVE else not abs(v) < np.inf)
        )
        problem = "not positive" if code == NOT_POSITIVE else "not finite"
        return f"{prefix}{broken[0]} {broken[1]:.10g} is {problem}"
    if code == HIGH_TOO_LOW:
        name, value = ("open", open_) if high < open_ else ("close", close)
        return f"{prefix}high {high:.10g} is below {prefix}{name} {value:.10g}"
    assert code == LOW_TOO_HIGH
    name, value = ("open", open_) if low > open_ else ("close", close)
    return f"{prefix}low {low:.10g} is above {prefix}{name} {value:.10g}"
