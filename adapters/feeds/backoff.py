"""Back-off: how long to wait before connecting anew, and whether to try at all.

Rules as pure functions; chance is given from outside, so that a test can know it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Protocol

import msgspec

from adapters.feeds.wire import Refused

_UNAUTHORISED = (401, 403)


class Chance(Protocol):
    """What ``random.Random`` is here: a number from 0 (inclusive) to 1 (exclusive)."""

    def random(self) -> float:
        """Return the next number."""


class BackoffLimits(msgspec.Struct, frozen=True):
    """Pauses in seconds: the first one, the largest one, and the factor from one to the next."""

    first_s: float = 0.5
    largest_s: float = 60.0
    factor: float = 2.0


USUAL: Final = BackoffLimits()


def delays(chance: Chance, limits: BackoffLimits = USUAL) -> Iterator[float]:
    """Yield pauses in seconds without end, each drawn from the upper half of a growing bound.

    The jitter keeps many clients of a venue apart; half the bound is kept so that a pause is one.
    Begin a new generator once payload has arrived, not once a socket is open.
    """
    bound = limits.first_s
    while True:
        yield bound * (0.5 + chance.random() / 2)
        bound = min(bound * limits.factor, limits.largest_s)


class LineError(Exception):
    """A line could not be opened, or ended; ``status`` is that of HTTP, 0 for none.

    ``code`` is the reason code; the text has no secret in it.
    """

    def __init__(self, text: str, code: str = "LINE_LOST", status: int = 0) -> None:
        """Keep the reason."""
        self.code = code
        self.status = status
        super().__init__(text)


class VenueRefusal(LineError):
    """The venue said no in a message of its own."""

    def __init__(self, refused: Refused) -> None:
        """Keep what it said."""
        self.refused = refused
        super().__init__(f"{refused.code}: {refused.text}", "VENUE_REFUSED")


def should_reconnect(error: Exception) -> bool:
    """Whether connecting anew can help after an error.

    Not after a refused key or a final refusal of the venue: asking again gets accounts locked.
    Everything else may be over by the next time: lost lines, silence, timeouts, 404, 429, 500s.
    """
    if isinstance(error, VenueRefusal):
        return not error.refused.is_final
    if isinstance(error, LineError):
        return error.status not in _UNAUTHORISED
    return isinstance(error, OSError)
