"""What a feed's wire codec speaks: events out of frames, and the words it sends.

A codec is pure: bytes in, events out; no socket, no clock, no log. It never guesses: a frame that
is not what the venue documents raises ``FrameError``, and one that means nothing to a feed yields
nothing. Instants are UTC nanoseconds as the venue stamped them. The session that holds the socket
is not a codec's business.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol, runtime_checkable

import msgspec

from state.bars import Bar
from state.errors import ConfigError, FoliodError

SIDES: Final = ("bid", "ask", "mid", "trade")


class FrameError(FoliodError):
    """A frame is not what the venue documents: what was expected, what was found.

    The text quotes at most 80 characters of the frame and never a secret.
    """


class Tick(msgspec.Struct, frozen=True, gc=False):
    """One price of a symbol: ``price`` as the codec's ``side`` says, ``size`` 0 where unknown."""

    symbol: str
    at_ns: int
    price: float
    size: float = 0.0


class Quote(msgspec.Struct, frozen=True, gc=False):
    """Bid and ask of a symbol at one instant. ``tradeable``: the venue takes orders at them."""

    symbol: str
    at_ns: int
    bid: float
    ask: float
    tradeable: bool = True


class BarUpdate(msgspec.Struct, frozen=True, gc=False):
    """A bar as the venue made it; ``closed`` False: it is still forming and decides nothing."""

    symbol: str
    interval_ns: int
    bar: Bar
    closed: bool


class Heartbeat(msgspec.Struct, frozen=True, gc=False):
    """The venue says that the line is alive; no proof that prices flow. ``at_ns`` 0: unstamped."""

    at_ns: int = 0


class Subscribed(msgspec.Struct, frozen=True, gc=False):
    """The venue's answer to a subscription. ``symbols`` empty: it names none."""

    symbols: tuple[str, ...] = ()


class Refused(msgspec.Struct, frozen=True, gc=False):
    """The venue said no. ``is_final``: asking again cannot help (bad key, unknown symbol)."""

    code: str
    text: str
    is_final: bool
    symbols: tuple[str, ...] = ()


class VenueStatus(msgspec.Struct, frozen=True, gc=False):
    """The venue's own state: ``open`` False while it is halted or in maintenance.

    ``symbol`` is the one that it is said of, empty where it is said of all.
    """

    open: bool
    text: str = ""
    symbol: str = ""


Event = Tick | Quote | BarUpdate | Heartbeat | Subscribed | Refused | VenueStatus


class Codec(Protocol):
    """One venue's wire format, for the symbols it was made with.

    ``name`` is the source's name in settings and status. ``side`` says what a ``Tick`` or
    ``BarUpdate`` price is: ``bid``, ``ask``, ``mid`` or ``trade`` (counted as mid).
    """

    name: str
    side: str

    def hello(self) -> Sequence[bytes]:
        """Return the frames to send after connecting: authentication, subscriptions."""

    def decode(self, frame: bytes | str) -> Sequence[Event]:
        """Return what one frame (or one line of a stream) says, in its order.

        Raises:
            FrameError: it is not what the venue documents.
        """


def checked_side(venue: str, side: str) -> str:
    """Return what the prices of a source are, one of ``SIDES``.

    Raises:
        ConfigError: it is none of them.
    """
    if side not in SIDES:
        raise ConfigError(f"{venue}: expected a price side of {', '.join(SIDES)}, found {side!r}")
    return side


@runtime_checkable
class KeptAlive(Protocol):
    """A codec of a venue that hangs up on a client that says nothing: what to say, how often."""

    keepalive: bytes
    keepalive_every_s: float


class History(Protocol):
    """One venue's REST history, for the symbols it was made with; as pure as a codec.

    ``most`` is how many bars one answer can have. ``side`` says what its prices are, like a
    codec's.
    """

    name: str
    side: str
    most: int

    def request(self, symbol: str, interval_ns: int, from_ns: int, to_ns: int) -> str:
        """Return path and query, without a secret, for bars that open in [from, to).

        An answer may hold bars outside of that and one that is still forming: ask for what has
        ended, and drop what was not asked for.

        Raises:
            FeedError: an unknown symbol, an interval the venue has not, nothing or too much asked.
        """

    def decode(self, body: bytes, interval_ns: int) -> list[Bar]:
        """Return the bars of one answer, oldest first.

        Raises:
            FrameError: it is not what the venue documents, or the venue refused.
        """
