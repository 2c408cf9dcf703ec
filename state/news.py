"""News: an announcement that makes prices jump."""

from __future__ import annotations

import msgspec


class NewsEvent(msgspec.Struct, frozen=True):
    """One announcement.

    ``at_ns`` is its instant (UTC nanoseconds), ``currencies`` the ISO codes it moves in upper case,
    ``impact`` a lower-case word of the source such as ``high``.
    """

    at_ns: int
    currencies: frozenset[str]
    impact: str
    title: str
