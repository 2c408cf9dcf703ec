"""Levels of an order around its fill: protection, and when a fill may not happen.

Shared by whoever fills (a paper broker) and whoever plans (the desk), so that the rule stands once.
"""

from __future__ import annotations

from state.instruments import Grid
from state.orders import Intent


def protection(grid: Grid, intent: Intent, fill_ticks: int) -> tuple[int, int | None]:
    """Return the stop and the target (None: none) in ticks for an entry filled at ``fill_ticks``.

    Distances and R are measured from the entry fill; levels are rounded to the nearest tick.
    """
    fill = grid.price(fill_ticks)
    side = intent.side
    if intent.stop_ticks is not None:
        stop = intent.stop_ticks
    else:
        stop = grid.nearest(fill - side * (intent.stop_distance or 0.0))
    target = intent.target_ticks
    if intent.target_distance is not None:
        target = grid.nearest(fill + side * intent.target_distance)
    elif intent.target_r is not None:
        risk = abs(fill - grid.price(stop))
        target = grid.nearest(fill + side * intent.target_r * risk)
    return stop, target


def trail_of(grid: Grid, intent: Intent, fill_ticks: int, stop_ticks: int) -> float | None:
    """Return how far behind the closes the stop follows (price units), None: it does not."""
    if isinstance(intent.trail_distance, float):
        return intent.trail_distance
    if isinstance(intent.trail_r, float):
        return intent.trail_r * abs(grid.price(fill_ticks) - grid.price(stop_ticks))
    return None


def trailed(grid: Grid, side: int, stop_ticks: int, close: float, distance: float) -> int:
    """Return the stop after a bar that closed at ``close``: never back, to the nearest tick."""
    level = grid.nearest(close - side * distance)
    return max(stop_ticks, level) if side > 0 else min(stop_ticks, level)


def crossed(
    grid: Grid, intent: Intent, price: float, fill_ticks: int, stop_ticks: int, target: int | None
) -> str | None:
    """Return why an entry at ``price`` (before costs) must be cancelled, or None.

    ``LEVEL_ALREADY_CROSSED``: the price is at or beyond the stop or the target.
    ``STOP_TOO_CLOSE``: the fill is nearer to a stop level than ``min_stop``. A stop that was given
    as a distance was tested when the entry was decided, its rounding is not held against it.
    """
    side, tie = intent.side, grid.tie
    stop = grid.price(stop_ticks)
    if side * (stop - price) > -tie:
        return "LEVEL_ALREADY_CROSSED"
    if target is not None and side * (price - grid.price(target)) > -tie:
        return "LEVEL_ALREADY_CROSSED"
    if intent.stop_ticks is not None:
        room = abs(grid.price(fill_ticks) - stop)
        if intent.min_stop - room > tie:
            return "STOP_TOO_CLOSE"
    return None
