"""What a start found, in words: said before anything is done with it (S1)."""

from __future__ import annotations

from state.instruments import Grid
from state.portfolio import Portfolio
from state.units import NEVER_NS, side_name, utc_text


def found_lines(portfolio: Portfolio, grids: dict[str, Grid], now_ns: int) -> list[str]:
    """Return what is open, what protects it, what is latched, and where the work goes on."""
    found = [f"journal: {portfolio.seq} entries, the last of {utc_text(portfolio.now_ns)}"]
    for key, one in sorted(portfolio.positions.items()):
        grid = grids[one.symbol]
        found.append(
            f"position: {key} {side_name(one.side)} {grid.quantity(one.lots)},"
            f" {protection_text(one.stop_ticks, one.target_ticks, grid)}"
        )
    for order in portfolio.orders.values():
        intent = order.intent
        found.append(
            f"order: {intent.symbol}/{intent.strategy} {intent.purpose}"
            f" {side_name(intent.side)}, {order.state}"
        )
    for name, halt in sorted(portfolio.halts.items()):
        until = "" if halt.until_ns == NEVER_NS else f", until {utc_text(halt.until_ns)}"
        found.append(f"halt: {name}, {halt.code}: {halt.reason}{until}")
    if portfolio.kill != "none":
        found.append(f"kill switch: {portfolio.kill}, {portfolio.kill_reason}")
    found += [f"quarantined: {key}" for key in sorted(portfolio.quarantined)]
    found.append(f"goes on after {utc_text(now_ns)}")
    return found


def protection_text(stop_ticks: int | None, target_ticks: int | None, grid: Grid) -> str:
    """Say in words what protects a position."""
    stop = "UNPROTECTED" if stop_ticks is None else f"stop {grid.price(stop_ticks):g}"
    return stop if target_ticks is None else f"{stop}, target {grid.price(target_ticks):g}"
