"""What a status line says that needs a person, the gravest first, and what of it is a failure.

The decision behind ``foliod status --check``. It reads no file and no clock.
"""

from __future__ import annotations

from typing import Final

import msgspec

from daemon.core.latches import STALE, VENUE
from daemon.core.status import HaltStatus, StatusObject

STALE_S: Final = 30.0
"""A daemon writes a line at least every five seconds of its run's clock, which never runs slower
than the host's; one whose newest line is older hangs, or cannot write."""

_RANKS: Final = ("UNPROTECTED", "UNKNOWN_ORDER", "STALE")
_DAYS_OWN: Final = ("r_stop", "strategy_")
"""How the names of halts begin that the roll of the trading day ends."""
_ENDED_BY: Final = {"operator": "`foliod resume`", "venue": "the venue says that it is open"}
"""What ends halts that are not reset by name."""


class Trouble(msgspec.Struct, frozen=True):
    """One thing to tell. ``fails``: it does not end by itself, a person must act."""

    text: str
    fails: bool = True


def trouble(found: StatusObject, age_s: float | None) -> list[Trouble]:
    """Return what needs a person. ``age_s`` is the age of the line, None where nobody works."""
    coded = [(one.code, f"{one.code} {one.what}") for one in found.alerts]
    if found.broker.unknown and not any(code == "UNKNOWN_ORDER" for code, _ in coded):
        coded.append(("UNKNOWN_ORDER", f"UNKNOWN_ORDER {found.broker.unknown} at the broker"))
    if age_s is not None and age_s > STALE_S:
        text = f"STALE the newest status line is {age_s:.0f} s old (limit {STALE_S:g} s)"
        coded.append(("STALE", text))
    coded.sort(key=lambda one: _rank(one[0]))
    said = [Trouble(text) for _, text in coded]
    if found.kill.present:
        reason = found.kill.reason or "no reason"
        said.append(Trouble(f"KILL SWITCH, level {found.kill.level}: {reason}"))
    said += [_halted(one) for one in found.risk.halts]
    if not found.db.ok:
        said.append(Trouble("the database cannot be written"))
    if not found.broker.ok:
        said.append(Trouble(f"the broker {found.broker.name} cannot be reached"))
    return said


def _rank(code: str) -> int:
    """Return how far behind a code is told; what is alike keeps its order."""
    return next((i for i, one in enumerate(_RANKS) if code.startswith(one)), len(_RANKS))


def _halted(halt: HaltStatus) -> Trouble:
    """Tell of a halt: one that ends with its time or its day is the supervision at work."""
    ends = halt.until is not None or halt.name.startswith(_DAYS_OWN)
    until = halt.until or ("the day rolls" if ends else f"`foliod reset {halt.name}`")
    if halt.name.startswith(STALE):
        until = "its bars flow again"
    if halt.name.startswith(VENUE):
        until = "the venue takes orders for it"
    until = _ENDED_BY.get(halt.name, until)
    why = f"{halt.observed} / {halt.limit}" if halt.observed else halt.reason
    return Trouble(f"HALTED {halt.name}: {halt.code} {why}, until {until}", fails=not ends)
