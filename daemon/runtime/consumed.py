"""Which bars were consumed: counted and digested between two journal entries that say so.

A million bars cost no million entries: ``BarsConsumed`` stands for them. Each digest continues the
one of the entry before it, so that it can be taken up again after a restart.
"""

from __future__ import annotations

import hashlib
import math
import struct
from collections.abc import Mapping, Sequence
from typing import Final

from state.bars import Bar
from state.entries import BarsConsumed

_BAR: Final = struct.Struct("<q5d")
_BYTES: Final = 16


def bar_bytes(bar: Bar) -> bytes:
    """Return the 48 canonical bytes of a bar. Source: ``state.entries.BarsConsumed``."""
    volume = math.nan if math.isnan(bar.volume) else bar.volume
    return _BAR.pack(bar.open_ns, bar.open, bar.high, bar.low, bar.close, volume)


class Consumed:
    """Counts the bars of every series since the last ``entries``.

    Series are (symbol, interval in ns) and named by their place in the list given.
    """

    def __init__(self, series: Sequence[tuple[str, int]]) -> None:
        """Begin with no bar of any series."""
        self._series = list(series)
        self._links = [b""] * len(series)
        self._hashes = [hashlib.blake2b(digest_size=_BYTES) for _ in series]
        self._counted: dict[int, tuple[int, int]] = {}

    def update(self, index: int, count: int, last_ns: int, packed: bytes) -> None:
        """Take ``count`` bars of a series as their bytes; ``last_ns`` opens the last of them."""
        self._hashes[index].update(packed)
        self._counted[index] = (self._counted.get(index, (0, 0))[0] + count, last_ns)

    def take(self, index: int, bar: Bar) -> None:
        """Take one bar of a series."""
        self.update(index, 1, bar.open_ns, bar_bytes(bar))

    def entries(self, now_ns: int) -> list[BarsConsumed]:
        """Return what was consumed since the last call, series in order, and begin anew."""
        found = []
        for index, (count, last_ns) in sorted(self._counted.items()):
            symbol, interval_ns = self._series[index]
            self._links[index] = link = self._hashes[index].digest()
            self._hashes[index] = hashlib.blake2b(link, digest_size=_BYTES)
            found.append(BarsConsumed(now_ns, symbol, interval_ns, count, last_ns, link.hex()))
        self._counted.clear()
        return found

    def state(self) -> dict[str, str]:
        """Return the last digest of every series that has one, by ``SYMBOL/interval``."""
        return {
            f"{symbol}/{interval_ns}": link.hex()
            for (symbol, interval_ns), link in zip(self._series, self._links, strict=True)
            if link
        }

    def restore(self, state: Mapping[str, str]) -> None:
        """Go on after the entries whose digests ``state`` returned."""
        for index, (symbol, interval_ns) in enumerate(self._series):
            self._links[index] = link = bytes.fromhex(state.get(f"{symbol}/{interval_ns}", ""))
            self._hashes[index] = hashlib.blake2b(link, digest_size=_BYTES)
        self._counted.clear()
