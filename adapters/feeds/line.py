"""Lines: what a feed session needs of a connection to a venue, as small as it can be said."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import msgspec

from adapters.feeds.backoff import LineError
from adapters.redaction import redacted


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


Take = Callable[[bytes | str], None]
"""Takes one frame. It does not wait; what it raises ends the delivery."""


class Room(Protocol):
    """Where what is taken goes: it may be full."""

    def has_room(self) -> bool:
        """Whether ``room`` would not wait."""

    async def room(self) -> None:
        """Wait until there is room."""


class Line(Protocol):
    """One open connection to a venue. Every method but the last two raises ``LineError``."""

    async def send(self, frame: bytes) -> None:
        """Send a frame of the codec."""

    async def deliver(self, take: Take, room: Room) -> None:
        """Give every frame to ``take``, in order, until the line ends; to be called once.

        While there is no room none is given, and after a few the venue is not read.

        Raises:
            LineError: how the line ended.
            Exception: whatever ``take`` raised.
        """

    async def close(self) -> None:
        """End the line politely, and hard when that takes too long; raises nothing."""

    def abort(self) -> None:
        """End the line at once; ``deliver`` raises."""


class Opener(Protocol):
    """Opens lines to one address. ``address`` may be shown: it holds no secret."""

    address: str

    async def open(self) -> Line:
        """Open a line within its limit.

        Raises:
            LineError: it could not be opened; the text has no secret in it.
        """


class AddressOpener:
    """What openers of every kind know: one address, its headers, what no error may show of them.

    ``headers`` are sent with the request; they and ``secrets`` are kept out of every error.
    """

    def __init__(
        self,
        url: str,
        limits: LineLimits,
        headers: Mapping[str, str] | None = None,
        secrets: Sequence[str] = (),
    ) -> None:
        """Keep the address; nothing is opened yet."""
        self.address = redacted(url)
        self._url = url
        self._limits = limits
        self._headers = dict(headers or {})
        self._secrets = (*secrets, *self._headers.values())

    def _failed(self, problem: object, status: int = 0) -> LineError:
        """Return the error of an address that could not be opened; said nothing: out of time."""
        said = str(problem) or f"no answer within {self._limits.open_timeout_s:g} s"
        text = redacted(f"{self.address}: {said}", *self._secrets)
        return LineError(text, status=status)
