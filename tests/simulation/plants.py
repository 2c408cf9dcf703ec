"""Bugs that show on a slow or failing disk, or while the world changes; each must be caught."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress

from daemon.runtime.recovery import DurableSink, wait_here
from state.entries import Entry
from state.errors import JournalError
from tests.crash.plants import PLANTS as CRASH_PLANTS
from tests.crash.plants import replace

PATIENCE_S = 0.01


def _failed_is_written() -> None:
    settle = DurableSink.settle

    async def settling(self: DurableSink) -> None:
        with suppress(JournalError):
            await settle(self)

    replace(DurableSink, "settle", settling)


def _late_is_not_written() -> None:
    extend = DurableSink.extend

    async def extending(
        self: DurableSink, entries: Sequence[Entry], *, follows: bool = True
    ) -> int:
        if self.wait is wait_here:  # it comes up
            return await extend(self, entries, follows=follows)
        writer = self._writer
        try:
            written = asyncio.wrap_future(writer.submit(entries))
            await asyncio.wait_for(asyncio.shield(written), PATIENCE_S)
        except TimeoutError:
            await self.wait(writer.submit(entries))
        self.seq += len(entries)
        return self.seq

    replace(DurableSink, "extend", extending)


PLANTS: dict[str, tuple[str, Callable[[], None]]] = {
    "failed is written": ("a write that failed is taken as written", _failed_is_written),
    "late is not written": ("a write that is late is taken as not written", _late_is_not_written),
    "exists": (CRASH_PLANTS["exists"].bug, CRASH_PLANTS["exists"].plant),
    "forgetful": (CRASH_PLANTS["forgetful"].bug, CRASH_PLANTS["forgetful"].plant),
}
"""Name of each planted bug: what it is, and how it is planted into a child."""
