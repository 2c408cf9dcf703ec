"""Pacing as a whole (P1-P3): its limits, its gates in their order, and the views on them.

The gates are the policies of ``daemon.core.supervisors``; here they are only put together.
"""

from __future__ import annotations

import msgspec

from daemon.core.exits import Cooldown
from daemon.core.supervision import Gate
from daemon.core.supervisors.cooldowns import SymbolCooldownGate
from daemon.core.supervisors.loss_streak import LossStreakGate
from daemon.core.supervisors.pacing import DailyCap, HourlyCap, Spacing, SymbolSpacing
from state.portfolio import Portfolio
from state.units import NEVER_NS


class PaceLimits(msgspec.Struct, frozen=True):
    """The limits of P2 with their defaults; ``_s`` seconds, ``_m`` minutes, the others counts.

    The configuration holds them within their bounds and the daily cap to 24 x the hourly one.
    """

    spacing_s: int = 180
    symbol_spacing_s: int = 900
    per_hour: int = 5
    per_day: int = 120
    cooldown_win_m: int = 10
    cooldown_loss_m: int = 60
    cooldown_stop_m: int = 120
    loss_streak: int = 3
    loss_streak_cooldown_m: int = 60
    adaptive: bool = False


class Pace:
    """The six gates of P1 and the views on them. ``gates`` is in the order in which they are asked.

    Without limits (``None``: pacing is switched off) the gates are there and always allow.
    """

    def __init__(self, limits: PaceLimits | None) -> None:
        """Make the gates.

        Raises:
            ValueError: a count is below 1.
        """
        of = limits or PaceLimits(0, 0, 1, 1, 0, 0, 0, 1, 0)
        self._streak = LossStreakGate(of.loss_streak, of.loss_streak_cooldown_m)
        self._day = DailyCap(of.per_day if limits else None)
        self._hour = HourlyCap(of.per_hour if limits else None)
        self._spacing = Spacing(of.spacing_s)
        self._symbols = SymbolCooldownGate(
            of.cooldown_win_m, of.cooldown_loss_m, of.cooldown_stop_m, adaptive=of.adaptive
        )
        self.gates: tuple[Gate, ...] = (
            self._streak,
            self._day,
            self._hour,
            self._spacing,
            self._symbols,
            SymbolSpacing(of.symbol_spacing_s),
        )

    def cooldowns(self, portfolio: Portfolio, now_ns: int) -> list[Cooldown]:
        """Return the cooldowns that run: the portfolio's streak first, then by symbol."""
        return [
            *self._streak.running(portfolio, now_ns),
            *self._symbols.running(portfolio, now_ns),
        ]

    def next_allowed_ns(
        self, portfolio: Portfolio, now_ns: int, next_day_ns: int = NEVER_NS
    ) -> int:
        """Return the first instant >= ``now_ns`` at which no portfolio-wide pacing gate denies.

        ``next_day_ns`` is the start of the next trading day, which alone ends a spent daily cap.
        """
        free_ns = max(
            now_ns,
            self._streak.until_ns(portfolio),
            self._hour.free_ns(portfolio),
            self._spacing.free_ns(portfolio),
        )
        spent = self._day.is_spent(portfolio, portfolio.day)
        return max(free_ns, next_day_ns) if spent else free_ns

    def used(self, portfolio: Portfolio, now_ns: int) -> tuple[int, int]:
        """Return how many entries count in the rolling hour and in the portfolio's trading day."""
        return self._hour.count(portfolio, now_ns), self._day.count(portfolio, portfolio.day)
