"""Lines: what a feed session needs of a connection to a venue, as small as it can be said."""

from __future__ import annotations

from typing import Protocol

import msgspec


class LineLimits(msgspec.Struct, frozen=True):
    """What a line may cost, in seconds, bytes and frames.

    ``open_timeout_s`` bounds opening and greeting, ``close_timeout_s`` a polite end before the hard
    one. ``max_frame_bytes`` is the largest frame or line of text; ``max_queue`` the frames read
    ahead. ``ping_interval_s`` and ``ping_timeout_s`` find a peer that is gone; they prove no flow.
    """

    open_timeout_s: float = 10.0
    close_timeout_s: float = 2.0
    max_frame_bytes: int = 1_048_576
    max_queue: int = 64
    ping_interval_s: float = 20.0
    ping_timeout_s: float = 20.0


class Line(Protocol):
    """One open connection to a venue. Every method but the last two raises ``LineError``."""

    async def send(self, frame: bytes) -> None:
        """Send a frame of the codec."""

    async def receive(self) -> bytes | str:
        """Return the next frame, however long it takes; raise when the line has ended."""

    async def close(self) -> None:
        """End the line politely, and hard when that takes too long; raises nothing."""

    def abort(self) -> None:
        """End the line at once; ``receive`` raises."""


class Opener(Protocol):
    """Opens lines to one address. ``address`` may be shown: it holds no secret."""

    address: str

    async def open(self) -> Line:
        """Open a line within its limit.

        Raises:
            LineError: it could not be opened; the text has no secret in it.
        """
