"""The health gate: does an aggregation keep its thresholds? Pure; it decides nothing else.

What is not defined (too few returns, no session) cannot be shown to be good enough: it fails.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec


class Thresholds(msgspec.Struct, frozen=True):
    """What a portfolio must keep; None asks nothing.

    ``min_sharpe`` is annualised; ``max_drawdown_pct`` a positive percentage (20 for 20 %). Equal
    passes.
    """

    min_sharpe: float | None = None
    max_drawdown_pct: float | None = None


def failures(metrics: Mapping[str, Any], thresholds: Thresholds) -> list[str]:
    """Return one sentence for each threshold that is not kept, with value and limit.

    ``metrics`` are those of ``MultiSessionAggregator.compute_metrics``.
    """
    found = []
    least, most = thresholds.min_sharpe, thresholds.max_drawdown_pct
    ratio, fall = metrics["combined_sharpe"], metrics["max_drawdown_pct"]
    if least is not None and ratio is None:
        found.append(f"Sharpe is not defined: {_why(metrics)}; the least is {least:g}")
    elif least is not None and not ratio >= least:
        found.append(f"Sharpe {ratio:.4f} is below {least:g}")
    if most is not None and fall is None:
        found.append(f"drawdown is not defined: no session; the most is {most:g} %")
    elif most is not None and not fall <= most:
        found.append(f"drawdown {fall:.4f} % is above {most:g} %")
    return found


def _why(metrics: Mapping[str, Any]) -> str:
    if not metrics["num_sessions"]:
        return "no session"
    if metrics["returns_n"] < metrics["min_returns"]:
        return f"{metrics['returns_n']} returns, it needs {metrics['min_returns']}"
    return "equity never moved, or was not positive"
