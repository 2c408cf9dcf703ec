"""A daemon on a live feed whose disk becomes full and is freed, for ``test_live_feed_disk``.

``python -m tests.integration.full_disk_feed FOLDER KEPT``: FOLDER is a small disk of its own.
Prints what the daemon logged, as a JSON array of events.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from pathlib import Path

from state.entries import Filled
from tests.fakes.bar_socket import BarSocket, FastClock, speaks
from tests.integration.test_live_feed import accepted_after_the_halt
from tests.live_homes import Watched, daemon, live_settings, recorded


def _fill(ballast: Path) -> None:
    """Take what is left of the disk, to the last byte."""
    with ballast.open("ab", buffering=0) as file:
        for size in (65_536, 4096, 512, 1):
            try:
                while file.write(bytes(size)) == size:
                    pass
            except OSError:
                pass


def _events(found: Watched) -> list[str]:
    return [str(one["event"]) for one in found.log]


async def main() -> None:
    """Fill the disk under the daemon, let three bars come, free it, lift the halt, end."""
    folder, kept = Path(sys.argv[1]), Path(sys.argv[2])
    socket, ballast = BarSocket(FastClock(), speaks), folder / "ballast"
    async with socket.open():
        settings = live_settings(folder, socket.url)
        async with daemon(settings, folder, socket) as found:
            await found.wait_until(lambda: len(found.of(Filled)) >= 4)

            def filled() -> bool:
                _fill(ballast)
                return "exits only" in _events(found)

            await found.wait_until(filled)
            sent = len(socket.sent["EURUSD"])
            await found.wait_until(lambda: len(socket.sent["EURUSD"]) >= sent + 3)
            ballast.unlink()
            await found.wait_until(lambda: "the journal is written again" in _events(found))
            live, count = found.live, len(recorded(found.home))
            await found.wait_until(lambda: len(recorded(found.home)) >= count + 4)
            await live._desk.ask(lambda: live._operator.give("reset", "journal", "room again"))
            await found.wait_until(lambda: accepted_after_the_halt(found.journal(), "EURUSD"))
    shutil.copytree(found.home, kept, ignore=shutil.ignore_patterns("*.sock"))
    print(json.dumps(_events(found)))


if __name__ == "__main__":
    asyncio.run(main())
