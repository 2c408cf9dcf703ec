"""What a live feed hands over: closed bars, and everything about them that is not as it should be.

Nouns only. A strategy sees ``BarClosed`` and nothing else of this; the rest is for the journal, the
status and the supervisors.
"""

from __future__ import annotations

from typing import Final

import msgspec

from adapters.feeds.bar_policy import Gap
from adapters.feeds.wire import VenueStatus
from state.bars import Bar

LIVE: Final = "live"
FILLED: Final = "filled"
REPLAYED: Final = "replayed"
"""Where a bar came from: the line, the source's history after a gap, a file or a recording."""


class BarClosed(msgspec.Struct, frozen=True, gc=False):
    """An accepted bar; of one series they come in order, and ``provenance`` says from where.

    Prices are mid. ``at_ns`` is when it was handed over.
    """

    symbol: str
    interval_ns: int
    bar: Bar
    provenance: str
    at_ns: int


class BarRefused(msgspec.Struct, frozen=True, gc=False):
    """A bar that goes no further; ``code`` stands in the reference of reasons."""

    symbol: str
    interval_ns: int
    bar: Bar
    code: str
    text: str


class FrameRefused(msgspec.Struct, frozen=True, gc=False):
    """A message that is not what the venue documents: nobody knows of which symbol it was."""

    code: str
    text: str


class GapFound(msgspec.Struct, frozen=True, gc=False):
    """Bars are missing where the market was expected to be open; said before it is filled."""

    symbol: str
    interval_ns: int
    gap: Gap


class GapUnfilled(msgspec.Struct, frozen=True, gc=False):
    """What stays missing: strategies go on without it. ``code``: GAP_UNFILLED or FILL_FAILED."""

    symbol: str
    interval_ns: int
    gap: Gap
    code: str
    text: str


class Stale(msgspec.Struct, frozen=True, gc=False):
    """No bar of the symbol came by ``due_ns``; the last one closed at ``since_ns`` (0: none)."""

    symbol: str
    since_ns: int
    due_ns: int


class Flowing(msgspec.Struct, frozen=True, gc=False):
    """A symbol that was stale, or had no bar yet, has a bar that is in time."""

    symbol: str
    at_ns: int


class Connected(msgspec.Struct, frozen=True, gc=False):
    """Payload arrived on a new line."""

    source: str
    at_ns: int


class Disconnected(msgspec.Struct, frozen=True, gc=False):
    """The line is gone, or could not be opened; the session tries again by itself."""

    source: str
    code: str
    text: str
    at_ns: int


class FeedRefused(msgspec.Struct, frozen=True, gc=False):
    """The venue said no. ``is_final``: the session has ended and a person must act."""

    source: str
    text: str
    is_final: bool
    at_ns: int


FeedEvent = (
    BarClosed
    | BarRefused
    | FrameRefused
    | GapFound
    | GapUnfilled
    | Stale
    | Flowing
    | Connected
    | Disconnected
    | FeedRefused
    | VenueStatus
)


class FillWanted(msgspec.Struct, frozen=True, gc=False):
    """History that is asked for: bars opening from ``from_ns`` (inclusive) to ``to_ns``."""

    symbol: str
    interval_ns: int
    from_ns: int
    to_ns: int
