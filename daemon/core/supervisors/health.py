"""The health gate (A4): at each end of day the portfolio is judged by its own last days.

Its alarm is the end of the day; what it says is journalled, and its halt, by setting, is latched
under ``health`` until an operator resets it by name, which begins the record of days anew. The days
are the ledger's, so a restart and a replay judge the same.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from daemon.core.day_measures import Drawdown, ReturnsSoFar, Sharpe
from daemon.core.supervision import NOTHING, Marks
from daemon.core.wording import percent_text
from state.entries import Entry, HaltSet, HealthJudged

HEALTH: Final = "health"
_TIE: Final = 1e-12
"""A drawdown nearer to its limit than this is at it, and passes."""


class HealthJudge:
    """Judge the days that the portfolio keeps and the present one, at its marks."""

    name = HEALTH

    def __init__(
        self,
        min_sharpe: float | None,
        max_drawdown: float | None,
        *,
        min_days: int,
        days: int,
        halts: bool,
    ) -> None:
        """Take the thresholds (None: not asked), how many days there must and may be, and whether
        a no halts entries. ``min_sharpe`` is a year's, ``max_drawdown`` a fraction.
        """
        self._min_sharpe = min_sharpe
        self._max_drawdown = max_drawdown
        self._min_days = min_days
        self._days = days
        self._halts = halts

    def look(self, marks: Marks) -> Sequence[Entry]:
        """Return the judgement, and the halt that follows; nothing below ``min_days``."""
        found = self._measured(marks)
        if found is None:
            return NOTHING
        sharpe, drawdown = found
        problems = self._problems(sharpe, drawdown)
        action = "halt" if self._halts else "alert"
        judged = HealthJudged(
            at_ns=marks.now_ns,
            day=marks.day,
            days=sharpe.n,
            sharpe=_journalled(sharpe.value),
            drawdown=round(drawdown, 12),
            problems=tuple(text for text, _, _ in problems),
            action=action,
        )
        if not problems or not self._halts or HEALTH in marks.portfolio.halts:
            return (judged,)
        halt = HaltSet(
            at_ns=marks.now_ns,
            name=HEALTH,
            code="HEALTH_BELOW",
            reason="; ".join(judged.problems),
            observed="; ".join(seen for _, seen, _ in problems),
            limit="; ".join(limit for _, _, limit in problems),
        )
        return (judged, halt)

    def _measured(self, marks: Marks) -> tuple[Sharpe, float] | None:
        """Return Sharpe ratio and drawdown of the days, None when there are too few."""
        portfolio = marks.portfolio
        kept = portfolio.closed_days[-(self._days - 1) :]
        if len(kept) + 1 < self._min_days:
            return None
        moved = float(portfolio.deposits - portfolio.day_start_deposits)
        rows = [(one.day, float(one.start), float(one.end), float(one.moved)) for one in kept]
        rows.append((marks.day, float(portfolio.day_start_equity), marks.equity, moved))
        returns, fall, curve = ReturnsSoFar(), Drawdown(), 1.0
        fall.add(curve)
        for day, start, end, moved in rows:
            change = (end - start - moved) / start if start > 0 else -1.0
            change = change if math.isfinite(change) else -1.0  # what cannot be told is a loss
            returns.add(day, change)
            curve *= max(0.0, 1.0 + change)
            fall.add(curve)
        return returns.sharpe(min_n=2), fall.worst

    def _problems(self, sharpe: Sharpe, drawdown: float) -> list[tuple[str, str, str]]:
        """Return a sentence, the observed value and the limit for each threshold not kept.

        A Sharpe ratio that is not defined (equity never moved) is no reason to say no.
        """
        found = []
        least, most = self._min_sharpe, self._max_drawdown
        if least is not None and sharpe.value is not None and not sharpe.value >= least:
            seen, limit = f"Sharpe {sharpe.value:.4f}", f"at least {least:g}"
            found.append((f"{seen} of {sharpe.n} days is below {least:g}", seen, limit))
        if most is not None and not drawdown <= most + _TIE:
            seen, limit = f"drawdown {drawdown * 100:.3f} %", f"at most {percent_text(most)}"
            found.append((f"{seen} of {sharpe.n} days is above {percent_text(most)}", seen, limit))
        return found


def _journalled(value: float | None) -> float | None:
    return round(value, 12) if value is not None and math.isfinite(value) else None
