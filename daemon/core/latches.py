"""Latches: the names under which policies halt entries, and when such a halt is in force.

Names are shared here because policies do not import one another: the halts gate must know which
halts answer in a place of their own. Nothing here decides.
"""

from __future__ import annotations

from typing import Final

from state.entries import HaltSet

R_STOP: Final = "r_stop"
DRAWDOWN: Final = "drawdown"
LATE_FILL: Final = "late_fill"
"""An order filled after it had ended; lifted by name."""
BROKER: Final = "broker"
"""The broker told what the book cannot take; lifted by name."""
STRATEGY_R_STOP: Final = "strategy_r_stop/"
"""Followed by the strategy's name."""
STRATEGY_WIN_LOCK: Final = "strategy_win_lock/"
"""Followed by the strategy's name."""

STALE: Final = "stale/"
"""Followed by the one symbol that the halt is for: its feed is silent."""
VENUE: Final = "venue/"
"""Followed by the one symbol that the halt is for: its venue takes no orders."""

R_TIE: Final = 1e-9
"""R. Two sums of R nearer than this are the same: fifty losses of 0.1 R are 5 R, whatever binary
floats say."""


def in_force(halt: HaltSet, now_ns: int, day: int) -> bool:
    """Say whether a halt still denies entries at ``now_ns`` on trading day ``day``.

    A halt of a day denies on that day and, should a clock step back, on every day before it. A halt
    with an end denies until that instant, exclusive.
    """
    return now_ns < halt.until_ns and (not halt.day or halt.day >= day)


def cancels_entries(name: str) -> bool:
    """Say whether a halt of this name cancels working entries, as the kill switch does.

    All do but the latches of one strategy's day (R2). Source: MISSION, R1.
    """
    return not name.startswith((STRATEGY_R_STOP, STRATEGY_WIN_LOCK))


def answers_elsewhere(name: str) -> bool:
    """Say whether a halt of this name is answered by the gate of its own policy (R1, R2, R4)."""
    return name in (R_STOP, DRAWDOWN) or name.startswith((STRATEGY_R_STOP, STRATEGY_WIN_LOCK))


def is_of(name: str, symbol: str) -> bool:
    """Say whether a halt of this name is for a symbol: all are but those of another symbol."""
    return not name.startswith((STALE, VENUE)) or name in (STALE + symbol, VENUE + symbol)
