"""What the core wants done in the world, after its entries are durable and applied."""

from __future__ import annotations

import msgspec

from state.entries import Entry
from state.orders import Intent


class Submit(msgspec.Struct, frozen=True):
    """Send this order."""

    intent: Intent


class Cancel(msgspec.Struct, frozen=True):
    """Cancel this order, for the reason ``code``."""

    intent: Intent
    code: str


class Protect(msgspec.Struct, frozen=True):
    """Let a stop (and target) rest for an open trade, replacing what rests for it."""

    symbol: str
    interval_ns: int
    strategy: str
    trade_id: str
    side: int
    lots: int
    stop_ticks: int
    target_ticks: int | None


class FillNow(msgspec.Struct, frozen=True):
    """Let a resting market order fill at ``price``, stamped ``at_ns``: no bar came for it."""

    intent: Intent
    price: float
    at_ns: int


Effect = Submit | Cancel | Protect | FillNow


class Batch:
    """Entries to record and apply, in order, and then effects to carry out, in order."""

    __slots__ = ("effects", "entries")

    def __init__(
        self, entries: list[Entry] | None = None, effects: list[Effect] | None = None
    ) -> None:
        """Begin with what is given."""
        self.entries: list[Entry] = entries if entries is not None else []
        self.effects: list[Effect] = effects if effects is not None else []
