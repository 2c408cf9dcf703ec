"""Venue symbols: what a venue calls the symbols that a codec was made with, both ways.

A price of any other symbol is refused: a feed that delivers what nobody asked for is not the feed
it was taken for.
"""

from __future__ import annotations

from collections.abc import Mapping

from adapters.feeds.frames import shown
from adapters.feeds.wire import FrameError
from state.errors import ConfigError, FeedError


class VenueSymbols:
    """A mapping of foliod's symbols to one venue's, one to one, with its way back."""

    __slots__ = ("_back", "_there", "venue")

    def __init__(self, venue: str, symbols: Mapping[str, str]) -> None:
        """Take the symbols, foliod's as keys.

        Raises:
            ConfigError: none, an empty or unprintable name, or two with one name at the venue.
        """
        self.venue = venue
        self._there = dict(symbols)
        self._back = {name: symbol for symbol, name in symbols.items()}
        if not self._there:
            raise ConfigError(f"{venue}: expected at least one symbol, found none")
        for symbol, name in self._there.items():
            if not name or not name.isprintable() or name != name.strip():
                raise ConfigError(
                    f"{venue}: expected the venue's name of {symbol}, found {shown(name)}"
                )
            if self._back[name] != symbol:
                raise ConfigError(
                    f"{venue}: {symbol} and {self._back[name]} are both {shown(name)} there; "
                    "a price would belong to either"
                )

    @property
    def names(self) -> tuple[str, ...]:
        """The venue's names, in the order given."""
        return tuple(self._there.values())

    def name(self, symbol: str) -> str:
        """Return the venue's name of a symbol of foliod's.

        Raises:
            FeedError: it is none of the symbols this was made with.
        """
        found = self._there.get(symbol)
        if found is None:
            raise FeedError(f"{self.venue}: {symbol} is not one of its symbols")
        return found

    def symbol(self, name: str) -> str:
        """Return foliod's symbol of a venue's name.

        Raises:
            FrameError: nobody asked for it.
        """
        found = self._back.get(name)
        if found is None:
            raise FrameError(
                f"{self.venue}: expected a symbol that was subscribed to, found {shown(name)}"
            )
        return found

    def known(self, names: list[str]) -> tuple[str, ...]:
        """Return foliod's symbols of those names that are known here, in their order."""
        return tuple(self._back[name] for name in names if name in self._back)
