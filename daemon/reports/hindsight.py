"""What the bars say after the run: how far trades went for and against, what denied entries made.

Shapes and sums only; who reads the bars and fills them in is ``daemon.aftermath``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

NOTE: Final = (
    "Counterfactual. Each denied entry alone, put through the paper broker's rules on the run's"
    " bars: entry, stop, trail, target and time-stop after spread, slippage and fees, changes of"
    " conversion rates left out, in R; no answer where plans are widened overnight. It takes no"
    " room from other trades and moves no limit and no cooldown: a sum here is not what opening the"
    " gate would have made, and cannot be added to the run's."
)


class Excursion(msgspec.Struct, frozen=True):
    """How far one trade went, in R from its entry fill: ``mae_r`` <= 0 against, ``mfe_r`` >= 0 for.

    From the highs and lows of the engine's bars from the entry bar to the exit bar, both whole: a
    bar does not say what came before the entry in it.
    """

    trade_id: str
    mae_r: float
    mfe_r: float


class Denied(msgspec.Struct, frozen=True):
    """What became of one denied entry: ``outcome`` an exit reason, or why it never filled.

    ``r`` is None when it never filled, or was still open at the end of the bars.
    """

    day: int
    gate: str
    code: str
    outcome: str
    r: float | None


class DeniedGate(msgspec.Struct, frozen=True):
    """Denied entries of one gate and code: how many, how many would have closed, and their R."""

    gate: str
    code: str
    denied: int
    closed: int
    wins: int
    r: float
    mean_r: float | None


class Excursions(msgspec.Struct, frozen=True):
    """Excursions of the ``n`` trades whose bars were found: means, and R of winners given back."""

    n: int
    mean_mae_r: float | None
    mean_mfe_r: float | None
    winners_mae_r: float | None
    losers_mfe_r: float | None


class Hindsight(msgspec.Struct, frozen=True):
    """What reading the run's bars again told; ``note`` says how the denied entries are to be read.

    ``trades`` has one line a closed trade, in the order of the trades' closing.
    """

    note: str
    denied: list[DeniedGate]
    excursions: Excursions
    trades: list[Excursion]


def by_gate(denied: Iterable[Denied]) -> list[DeniedGate]:
    """Add denied entries up by gate and code, by name."""
    groups: dict[tuple[str, str], list[Denied]] = {}
    for one in denied:
        groups.setdefault((one.gate, one.code), []).append(one)
    found = []
    for (gate, code), ones in sorted(groups.items()):
        results = [one.r for one in ones if one.r is not None]
        total = sum(results)
        found.append(
            DeniedGate(
                gate,
                code,
                len(ones),
                len(results),
                sum(1 for one in results if one > 0),
                round(total, 4),
                round(total / len(results), 4) if results else None,
            )
        )
    return found


def excursions(trades: Iterable[tuple[Excursion, bool]]) -> Excursions:
    """Average the excursions of trades, each with whether it won."""
    ones = list(trades)
    return Excursions(
        len(ones),
        _mean([one.mae_r for one, _ in ones]),
        _mean([one.mfe_r for one, _ in ones]),
        _mean([one.mae_r for one, won in ones if won]),
        _mean([one.mfe_r for one, won in ones if not won]),
    )


def _mean(values: list[float]) -> float | None:
    return round(sum(values) / len(values), 4) if values else None
