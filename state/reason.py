"""What is known of one reason code, and how each kind of code is written down."""

from __future__ import annotations

import msgspec


class Reason(msgspec.Struct, frozen=True):
    """One reason code.

    ``gate`` names the gates that answer with it, or what else says it. ``observed`` and ``limit``
    describe the two values that stand beside it, with their units; both are empty where none do.
    ``remedy`` is what an operator does about it. ``allows`` is True for the answer of a gate that
    has no objection. ``kind`` is ``gate``, ``order``, ``exit``, ``plan``, ``bar`` or ``engine``.
    """

    code: str
    gate: str
    meaning: str
    observed: str
    limit: str
    remedy: str
    allows: bool = False
    kind: str = "gate"


def allow(code: str, gate: str, meaning: str, observed: str, limit: str) -> Reason:
    """Write down what a gate answers that has no objection."""
    return Reason(code, gate, meaning, observed, limit, "Nothing to do.", allows=True)


def order(code: str, by: str, meaning: str, remedy: str) -> Reason:
    """Write down why an order ended or was none."""
    return Reason(code, by, meaning, "", "", remedy, kind="order")


def exit_(code: str, meaning: str, remedy: str) -> Reason:
    """Write down why a position was closed."""
    return Reason(code, "exit", meaning, "", "", remedy, kind="exit")


def plan(code: str, meaning: str, remedy: str, observed: str = "", limit: str = "") -> Reason:
    """Write down why a plan moved, or did not."""
    return Reason(code, "plan", meaning, observed, limit, remedy, kind="plan")


def bar(code: str, meaning: str, remedy: str) -> Reason:
    """Write down why a row or a bar was refused."""
    return Reason(code, "bar source", meaning, "", "", remedy, kind="bar")


def feed(code: str, by: str, meaning: str, remedy: str) -> Reason:
    """Write down what a live feed says of its prices, bars and lines."""
    return Reason(code, by, meaning, "", "", remedy, kind="feed")
