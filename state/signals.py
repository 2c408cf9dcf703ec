"""What a strategy may ask for: enter, exit, or cancel its working entry."""

from __future__ import annotations

import msgspec


class Signal(msgspec.Struct, frozen=True, tag="enter"):
    """A wish to enter.

    ``side`` is +1 (long) or -1 (short). With ``trigger`` (a price) it is a stop-entry order at that
    level, with ``limit`` a limit order, with neither a market order. Exactly one of ``stop`` (a
    price level) and ``stop_distance`` (from the entry fill, a positive price difference) must be
    given. The target is one of ``target`` (a price level), ``target_distance`` (from the entry
    fill) and ``target_r`` (multiples of |entry fill - stop|), or none of them. With
    ``trail_distance`` (a positive price difference) the stop follows the closes at that distance
    and never goes back. ``note`` is free text for the audit trail.
    """

    side: int
    trigger: float | None = None
    limit: float | None = None
    stop: float | None = None
    stop_distance: float | None = None
    target: float | None = None
    target_distance: float | None = None
    target_r: float | None = None
    note: str = ""
    trail_distance: float | msgspec.UnsetType | None = msgspec.UNSET


class Exit(msgspec.Struct, frozen=True, tag="exit"):
    """A wish to close this engine's position at market. ``tag`` is recorded as the reason."""

    tag: str = "SIGNAL"


class CancelEntry(msgspec.Struct, frozen=True, tag="cancel"):
    """A wish to cancel this engine's working entry order."""

    note: str = ""


Action = Signal | Exit | CancelEntry
