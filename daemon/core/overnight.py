"""Overnight widening, the arithmetic: how far a held plan moves for the night, or why it does not.

Pure: it is told what is true and answers with levels or with a refusal. When it is asked, and what
becomes of the answer, is ``daemon.core.plans``. Source: MISSION, S5.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final, NamedTuple

import msgspec

from daemon.core.latches import cancels_entries, in_force, is_of
from state.instruments import Grid
from state.portfolio import Portfolio, Position
from state.units import money

NO_HALT: Final = "no halt"


class Overnight(msgspec.Struct, frozen=True):
    """How a strategy's held plans are widened for the night.

    By the larger of ``pips`` and the part ``fraction`` of the entry price; never so that the stop
    is further than ``max_fraction`` of the entry price from the initial stop; never so that the
    loss at the stop is more than ``max_r`` times the initial risk.
    """

    fraction: Decimal = Decimal("0.01")
    pips: Decimal = Decimal(0)
    max_fraction: Decimal = Decimal("0.05")
    max_r: Decimal = Decimal("1.5")


class Wider(NamedTuple):
    """The levels for the night, in ticks; ``target_ticks`` None: no target."""

    stop_ticks: int
    target_ticks: int | None


class Refusal(NamedTuple):
    """Why a plan stays as it is, with the arithmetic."""

    code: str
    observed: str
    limit: str


def widen(
    grid: Grid, position: Position, terms: Overnight, *, lots: int, rate: Decimal
) -> Wider | Refusal:
    """Return the wider levels of a position, or why it has none.

    ``lots`` is what stays open, ``rate`` quote to base currency now. Levels are rounded to the
    nearest tick, ties to even; the cap and the loss are measured on what is left of the trade.
    """
    assert position.stop_ticks is not None and position.initial_stop_ticks is not None
    side, tick = position.side, grid.instrument.tick
    entry = tick * position.entry_cost_ticks / position.entry_lots
    cap = terms.max_fraction * entry
    moved = tick * side * (position.initial_stop_ticks - position.stop_ticks)
    distance = min(max(terms.pips * grid.instrument.pip, terms.fraction * entry), cap, cap - moved)
    stop = grid.nearest(float(tick * position.stop_ticks - side * distance))
    if side * (position.stop_ticks - stop) <= 0:
        return Refusal(
            "OVERNIGHT_NO_ROOM",
            f"{_text(max(moved, Decimal(0)))} from the initial stop, {_text(distance)} left",
            f"{_text(cap)} ({_text(terms.max_fraction)} x {_text(entry)}), at least a tick",
        )
    target = position.target_ticks
    if target is not None:
        target = grid.nearest(float(tick * target + side * distance))
    lowest = stop if side > 0 or target is None else target
    if lowest <= 0:
        name = "stop" if lowest is stop else "target"
        return Refusal("OVERNIGHT_LEVEL", f"{name} at {_text(grid.decimal(lowest))}", "above 0")
    ticks = side * (Decimal(position.entry_cost_ticks) / position.entry_lots - stop)
    loss, most = money(grid.cash(lots) * ticks * rate), terms.max_r * position.initial_risk
    if loss > most:
        return Refusal(
            "OVERNIGHT_RISK",
            f"{_text(loss)} at stop {_text(grid.decimal(stop))}",
            f"{_text(most)} ({_text(terms.max_r)} x {_text(position.initial_risk)})",
        )
    return Wider(stop, target)


def halted(portfolio: Portfolio, now_ns: int, position: Position) -> Refusal | None:
    """Return the refusal while the kill switch or a halt admits no further risk, else None."""
    if portfolio.kill != "none":
        return Refusal("OVERNIGHT_HALTED", f"kill switch: {portfolio.kill}", NO_HALT)
    names = [
        name
        for name, halt in sorted(portfolio.halts.items())
        if in_force(halt, now_ns, portfolio.day)
        and is_of(name, position.symbol)
        and (cancels_entries(name) or name.endswith(f"/{position.strategy}"))
    ]
    return Refusal("OVERNIGHT_HALTED", ", ".join(names), NO_HALT) if names else None


def _text(value: Decimal) -> str:
    """Write an amount without trailing zeros and without an exponent."""
    return format(round(value, 12).normalize(), "f")
