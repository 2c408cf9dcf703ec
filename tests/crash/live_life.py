"""One life of a daemon on a live feed, venue and wall clock on one script; a test starts it.

Arguments: a folder with ``foliod.toml``, the port of its venue, the first and the last close that
the venue sends (days and times as ``0 09:31``), and ``kill`` or ``end``: how the life ends after
the last one was stepped. Bars come from ``EURUSD.csv`` there. The clock stands half a minute before
the first close while the process comes up, then at each close: what is not sent in this life has
passed while no process was there.
"""

from __future__ import annotations

import asyncio
import io
import json
import os
import signal
import sys
from datetime import datetime
from pathlib import Path
from random import Random  # noqa: TID251 - seeded here

from websockets.asyncio.server import ServerConnection, serve

from config.load import load
from daemon.live import Live, LiveOptions
from state import failpoints
from state.units import MINUTE_NS, SECOND_NS, utc_ns
from tests.crash.scenarios import at

PATIENCE_S = 60


class ScriptedClock:
    """A wall clock that stands until it is set."""

    def __init__(self, at_ns: int) -> None:
        """Stand at ``at_ns``."""
        self.at_ns = at_ns

    def now_ns(self) -> int:
        """Return the instant at which it stands."""
        return self.at_ns


class Venue:
    """Sends each bar when the one before it was stepped, and knows when the last one was."""

    def __init__(self, clock: ScriptedClock, frames: dict[int, str]) -> None:
        """Send ``frames``, by the instants at which their bars close."""
        self._clock = clock
        self._frames = frames
        self._stepped = asyncio.Event()
        self.done = asyncio.Event()

    def hear(self, point: str) -> None:
        """Take a failpoint's word that an instant is over."""
        if point == "instant.concluded":
            self._stepped.set()

    async def speak(self, line: ServerConnection) -> None:
        """Send all, then wait for the end."""
        for close_ns, frame in self._frames.items():
            self._clock.at_ns = close_ns
            self._stepped.clear()  # a recovery concludes instants, too
            await line.send(frame)
            await self._stepped.wait()
        self.done.set()
        await line.wait_closed()


def frames_of(path: Path, first_ns: int, last_ns: int) -> dict[int, str]:
    """Return a file's bars that close from the first to the last instant, as they are sent."""
    found = {}
    for row in path.read_text().splitlines()[1:]:
        stamp, *prices, _ = row.split(",")
        open_ns = utc_ns(datetime.fromisoformat(stamp))
        if first_ns <= open_ns + MINUTE_NS <= last_ns:
            names = ("open", "high", "low", "close")
            bar = dict(zip(names, map(float, prices), strict=True))
            found[open_ns + MINUTE_NS] = json.dumps({"s": "EURUSD", "t": open_ns // 10**6, **bar})
    return found


async def live(folder: Path, port: int, first_ns: int, last_ns: int, how: str) -> None:
    """Come up, step all bars and end."""
    settings = load([folder / "foliod.toml"], {})
    clock = ScriptedClock(first_ns - 30 * SECOND_NS)
    venue = Venue(clock, frames_of(folder / "EURUSD.csv", first_ns, last_ns))
    options = LiveOptions(
        speed=1.0,
        control=folder / "control",
        config_text="",
        log=io.StringIO(),
        say=lambda _: None,
        chance=Random(7),
    )
    daemon = Live(settings, options, clock)
    failpoints.arm(venue.hear)
    async with (
        serve(venue.speak, "127.0.0.1", port, close_timeout=0.2),
        asyncio.timeout(PATIENCE_S),
    ):
        running = asyncio.ensure_future(daemon.run())
        done = asyncio.ensure_future(venue.done.wait())
        await asyncio.wait({running, done}, return_when=asyncio.FIRST_COMPLETED)
        if not running.done():
            os.kill(os.getpid(), signal.SIGKILL if how == "kill" else signal.SIGTERM)
        await running


def main(arguments: list[str]) -> None:
    """Live as the arguments say."""
    folder, port, first, last, how = arguments
    first_ns, last_ns = (at(int(day), clock) for day, clock in (first.split(), last.split()))
    asyncio.run(live(Path(folder), int(port), first_ns, last_ns, how))


if __name__ == "__main__":
    main(sys.argv[1:])
