"""Measures of trades and of daily results: pure functions on plain numbers.

A measure that is not defined is None, never NaN or infinity. No file and no database is read here.
"""

from __future__ import annotations

from collections.abc import Iterable

from daemon.core.day_measures import Drawdown


def win_rate(wins: int, trades: int) -> float | None:
    """Return the share of trades with P&L > 0, a fraction; None without trades."""
    return wins / trades if trades else None


def profit_factor(won: float, lost: float) -> float | None:
    """Return the sum of wins / the sum of losses (both >= 0); None without a loss."""
    return won / lost if lost > 0 else None


def expectancy_r(r: float, trades: int) -> float | None:
    """Return the mean R of a trade from their sum; None without trades."""
    return r / trades if trades else None


def max_drawdown(equity: Iterable[float]) -> float:
    """Return the largest fall of a curve (oldest first), as ``Drawdown``."""
    fall = Drawdown()
    for one in equity:
        fall.add(one)
    return fall.worst
