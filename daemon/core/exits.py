"""What cooldowns are made of: the exits that the ledger keeps, and the cooldowns that run.

Nothing here decides; it only tells when the exits have changed.
"""

from __future__ import annotations

from typing import Final

import msgspec

from state.portfolio import ExitFact, Portfolio

LOSS_STREAK: Final = "loss_streak"
"""The name under which the portfolio's streak cooldown is listed and cleared."""


class Cooldown(msgspec.Struct, frozen=True):
    """A cooldown that runs.

    ``name`` is what clears it: a symbol, or ``loss_streak``. ``kind`` is ``win``, ``loss``,
    ``stop`` or ``streak``; ``until_ns`` its end, exclusive; ``left_s`` the time left in seconds.
    """

    name: str
    kind: str
    until_ns: int
    left_s: float


class Exits:
    """Tells whether the exits or the clearings changed since it was asked last.

    The ledger appends exits, drops the oldest and never touches one in between. Without this every
    question would walk over three days of exits.
    """

    def __init__(self) -> None:
        """Begin without exits."""
        self._exits: list[ExitFact] = []
        self._last: ExitFact | None = None
        self._count = 0
        self._cleared: dict[str, int] = {}

    def have_changed(self, portfolio: Portfolio) -> bool:
        """Say whether what was computed from the portfolio's exits must be computed anew."""
        exits = portfolio.exits
        last = exits[-1] if exits else None
        if (
            last is self._last
            and exits is self._exits
            and len(exits) == self._count
            and portfolio.cleared == self._cleared
        ):
            return False
        self._exits, self._last, self._count = exits, last, len(exits)
        self._cleared = portfolio.cleared.copy()
        return True
