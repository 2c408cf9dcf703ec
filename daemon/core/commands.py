"""The operator's commands, as the core takes them: recorded first, then carried out.

A command is an input: a replay repeats it at the same instant. What it changes is in its entries.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Final

import msgspec

from daemon.core.desk import Desk
from daemon.core.effects import Batch
from state.entries import (
    CashMoved,
    CommandTaken,
    CooldownCleared,
    HaltCleared,
    HaltSet,
    KillChanged,
)
from state.units import money

COMMANDS: Final = (
    "halt",
    "resume",
    "reset",
    "flatten",
    "kill",
    "kill_flatten",
    "breaker",
    "breaker_over",
    "reset_kill",
    "clear_cooldown",
    "deposit",
    "withdraw",
)

BREAKERS: Final = {
    "journal": "JOURNAL_BLOCKED",
    "stale": "FEED_STALE",
    "venue": "VENUE_CLOSED",
    "refused": "VENUE_REFUSED",
}
"""Circuit breakers that the runtime trips, by the halt's name: the halt's code (R5).

What follows a slash in the name is the one symbol that it halts: ``stale/EURUSD``,
``venue/EURUSD``.
"""


class Command(msgspec.Struct, frozen=True):
    """One command at one instant. ``argument`` is what it is about, ``reason`` why."""

    at_ns: int
    name: str
    argument: str = ""
    reason: str = ""


def problem(command: Command) -> str | None:
    """Return what is wrong with a command, or None."""
    if command.name not in COMMANDS:
        return f"unknown command {command.name!r}; allowed: {', '.join(COMMANDS)}"
    if command.name in ("reset", "clear_cooldown") and not command.argument:
        return f"{command.name} needs an argument: the name of what to clear"
    if command.name.startswith("breaker") and command.argument.partition("/")[0] not in BREAKERS:
        return f"unknown breaker {command.argument!r}; known: {', '.join(sorted(BREAKERS))}"
    if command.name in ("deposit", "withdraw"):
        try:
            amount = Decimal(command.argument)
        except InvalidOperation:
            return f"{command.name} needs an amount, found {command.argument!r}"
        if not amount.is_finite() or amount <= 0:
            return f"{command.name} needs a positive amount, found {command.argument!r}"
    return None


def take(desk: Desk, command: Command) -> Batch:
    """Record a command and carry it out at its own instant."""
    at_ns, name = command.at_ns, command.name
    reason = command.reason or name
    batch = Batch([CommandTaken(at_ns, name, command.argument, command.reason)])
    if name in ("halt", "breaker"):
        _extend(batch, desk.halted([_halt(command, reason)]))
    elif name in ("resume", "reset", "breaker_over"):
        _clear(batch, desk, "operator" if name == "resume" else command.argument, reason, at_ns)
    elif name == "flatten":
        _extend(batch, desk.close_all("FLATTEN", at_ns))
    elif name in ("kill", "kill_flatten"):
        # The switch is latched: a lower word does not lower its level, only a reset does.
        flat = name == "kill_flatten" or desk.portfolio.kill == "flatten"
        batch.entries.append(KillChanged(at_ns, "flatten" if flat else "halt", reason))
        _extend(batch, desk.cancel_entries("KILL_SWITCH"))
        if flat:
            _extend(batch, desk.close_all("FLATTEN", at_ns))
    elif name == "reset_kill":
        batch.entries.append(KillChanged(at_ns, "none", reason))
    elif name == "clear_cooldown":
        batch.entries.append(CooldownCleared(at_ns, command.argument))
    else:
        amount = money(command.argument)
        amount = amount if name == "deposit" else -amount
        batch.entries.append(CashMoved(at_ns, amount, reason))
    return batch


def _halt(command: Command, reason: str) -> HaltSet:
    if command.name == "halt":
        return HaltSet(command.at_ns, "operator", "HALTED", reason, "halt", "no halt")
    code = BREAKERS[command.argument.partition("/")[0]]
    return HaltSet(command.at_ns, command.argument, code, reason, "", "no halt")


def _clear(batch: Batch, desk: Desk, name: str, reason: str, at_ns: int) -> None:
    """End a halt by name, but for one that is tied to a trading day: the day's roll ends that."""
    halt = desk.portfolio.halts.get(name)
    if halt is not None and not halt.day:
        batch.entries.append(HaltCleared(at_ns, name, reason))


def _extend(batch: Batch, more: Batch) -> None:
    batch.entries.extend(more.entries)
    batch.effects.extend(more.effects)
