"""Ports: what the program needs of the world, as small as it can be said."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """Tells the time. Only runners hold one; the core is handed instants."""

    def now_ns(self) -> int:
        """Return the present instant in UTC nanoseconds."""
