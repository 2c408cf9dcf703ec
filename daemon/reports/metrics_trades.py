"""Measures of closed trades in R, and of the time spent in the market: pure, plain numbers.

R of a trade is its net P&L over its initial risk. A measure that is not defined is None.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Final

SQN_MIN_TRADES: Final = 30
"""Fewer trades than this say nothing: the SQN is None."""

SQN_MOST_TRADES: Final = 100
"""More trades than this do not raise the SQN further."""


def sqn(r: Sequence[float], *, min_n: int = SQN_MIN_TRADES) -> float | None:
    """Return sqrt(min(n, 100)) x mean R / sample deviation of R; None when all R are the same.

    Source: V. K. Tharp, The Definitive Guide to Position Sizing (2008), system quality number.
    """
    n = len(r)
    if n < max(2, min_n):
        return None
    mean = math.fsum(r) / n
    deviation = math.sqrt(math.fsum((one - mean) ** 2 for one in r) / (n - 1))
    if deviation <= 1e-12 * max(abs(one) for one in r):
        return None
    return math.sqrt(min(n, SQN_MOST_TRADES)) * mean / deviation


def exposure(positions: Iterable[tuple[int, int]], start_ns: int, end_ns: int) -> float | None:
    """Return the share of [start, end) in which at least one position was open.

    ``positions`` are (entry, exit) instants in any order; what lies outside is cut off. None when
    the span is empty.
    """
    if end_ns <= start_ns:
        return None
    covered, reached = 0, start_ns
    for entry, exit_ in sorted(positions):
        begin, end = max(entry, reached), min(exit_, end_ns)
        if end > begin:
            covered += end - begin
            reached = end
    return covered / (end_ns - start_ns)
