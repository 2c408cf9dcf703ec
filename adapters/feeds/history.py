"""History: what a feed session needs of a source's past bars, as small as it can be said."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from state.bars import Bar


class History(Protocol):
    """The past bars of a source."""

    async def fetch(self, symbol: str, interval_ns: int, from_ns: int, to_ns: int) -> Sequence[Bar]:
        """Return the bars opening from ``from_ns`` (inclusive) to ``to_ns`` (exclusive).

        An interval without a bar is left out; nothing is invented. Who asks bounds the time.

        Raises:
            FeedError: they could not be had; the text has no secret in it.
        """
