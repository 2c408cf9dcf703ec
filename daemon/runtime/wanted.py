"""What the operator's words mean for a portfolio now: a command, or why not, and what to say.

It changes nothing: the runner gives the command to the core, which records it first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from daemon.core.exits import Cooldown
from daemon.runtime.found import protection_text
from state.instruments import Grid
from state.portfolio import Portfolio
from state.units import side_name


class Wanted(msgspec.Struct, frozen=True):
    """The command (its name and argument) that does what is wanted, or no name and why not."""

    command: str = ""
    argument: str = ""
    why_not: str = ""


def wanted(
    name: str, argument: str, portfolio: Portfolio, cooldowns: Sequence[Cooldown], kill_file: str
) -> Wanted:
    """Return what halt, resume, flatten or ``reset NAME`` means now.

    ``kill_file`` is the path of a kill file that is there, or may be; empty when there is none.
    """
    if name in ("halt", "flatten"):
        return Wanted(name)
    if name == "resume":
        if "operator" in portfolio.halts:
            return Wanted("resume")
        return Wanted(why_not=f"nothing was halted by hand; {_latched(portfolio, cooldowns)}")
    if name != "reset":
        return Wanted(why_not=f"unknown word {name!r}; allowed: halt, resume, flatten, reset")
    if argument == "kill" and portfolio.kill != "none":
        if kill_file:
            return Wanted(why_not=f"{kill_file} is there, or cannot be told: remove it first")
        return Wanted("reset_kill")
    if argument in portfolio.halts:
        if portfolio.halts[argument].day:
            return Wanted(
                why_not=f"{argument} is latched until the trading day rolls, and not by name"
            )
        return Wanted("reset", argument)
    if any(argument == one.name for one in cooldowns):
        return Wanted("clear_cooldown", argument)
    return Wanted(why_not=f"nothing is latched as {argument!r}; {_latched(portfolio, cooldowns)}")


def _latched(portfolio: Portfolio, cooldowns: Sequence[Cooldown]) -> str:
    names = ["kill"] if portfolio.kill != "none" else []
    names += [*sorted(portfolio.halts), *(one.name for one in cooldowns)]
    return f"latched now: {', '.join(names)}" if names else "nothing is latched now"


def open_lines(portfolio: Portfolio, grids: Mapping[str, Grid]) -> list[str]:
    """Return what is open and what protects it, one line each."""
    found = []
    for key, one in sorted(portfolio.positions.items()):
        grid = grids[one.symbol]
        found.append(
            f"open: {key} {side_name(one.side)} {grid.quantity(one.lots)},"
            f" {protection_text(one.stop_ticks, one.target_ticks, grid)}"
        )
    return found or ["open: nothing"]


def next_step(name: str) -> str:
    """Say how what was done is lifted."""
    return {
        "halt": "no entry from now on; exits and protection go on. To go on: foliod resume",
        "flatten": "every position is closed at the next price; entries go on (foliod halt)",
        "resume": "entries may pass again where no other gate denies",
        "reset": "lifted; the next wish is asked of every gate again",
    }[name]
