"""A daemon on a live feed in this process, on a fast clock, for tests that watch it."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random  # noqa: TID251 - seeded here
from typing import Any, TypeVar

import pytest

from adapters.feeds.events import FILLED
from adapters.feeds.recording import RecordedBar, read_segments
from config.load import load
from config.settings import Settings
from daemon.cli.replay import settings_text
from daemon.core.status import StatusObject
from daemon.live import Live, LiveOptions
from daemon.runtime.recorded import FOLDER
from daemon.runtime.status_lines import last_status
from state.entries import Entry
from state.errors import FoliodError
from state.journal import read
from state.units import MINUTE_NS
from tests.fakes.bar_socket import BEGIN_NS, BarSocket, FastClock, bar_of
from tests.fakes.binance_venue import BinanceVenue
from tests.fakes.oanda_venue import OandaVenue
from tests.fakes.tick_venue import TickVenue

_E = TypeVar("_E", bound=Entry)

STRATEGY = '''"""A strategy that wishes to enter at every bar and is stopped or paid at once."""

from typing import Any

from foliod import Bar, Signal, Strategy


class Busy(Strategy):
    """Long and short by turns."""

    def __init__(self, context, params):
        super().__init__(context, params)
        self.count = 0

    def on_bar(self, bar: Bar, in_window: bool) -> Signal | None:
        self.count += 1
        side = 1 if self.count % 2 else -1
        return Signal(side=side, stop=bar.close - side * 2 * self.context.pip, target_r=1.0)

    def state(self) -> dict[str, Any]:
        return {"count": self.count}

    def restore(self, state: dict[str, Any]) -> None:
        self.count = state["count"]
'''

CONFIG = """
[portfolio]
id = "live"
base_currency = "USD"
zone = "UTC"
equity = 100_000
data_dir = "."

[control]
dir = "control"

[end_of_day]
reports = false

[pacing]
enabled = false

[risk]
daily_r_stop = false

[risk.strategy]
trades_per_day = false
r_stop = false

[risk.drawdown]
lock_fraction = false

[risk.caps]
max_order_value = 10_000_000
max_gross_exposure = 50_000_000
max_positions = 10
max_positions_per_symbol = 5

[[strategies]]
name = "busy"
kind = "busy.py:Busy"
symbols = ["EURUSD", "GBPUSD"]
interval = "1m"

[feed]
source = "generic"
bar_grace_ms = 15_000
clock_skew_ms = 20_000
warm_up_bars = 0
{feed}

[[feed.hours]]
symbols = ["EURUSD", "GBPUSD"]
start = 00:00:00
end = "24:00"
zone = "UTC"
weekdays = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]

[feed.generic]
url = "{url}"
side = "mid"
symbol = "s"
open = "open"
high = "high"
low = "low"
close = "close"
"""


def live_settings(folder: Path, url: str, feed: str = "") -> Settings:
    """Write the configuration of a daemon on the socket at ``url`` and return its settings."""
    (folder / "busy.py").write_text(STRATEGY)
    path = folder / "foliod.toml"
    path.write_text(CONFIG.format(url=url, feed=feed))
    return load([path], {})


def venue_settings(
    folder: Path, source: str, fields: str, *, warm: int, feed: str = ""
) -> Settings:
    """Write the configuration of a daemon on another source and return its settings.

    ``fields`` are those of the source's table, and tables after it.
    """
    (folder / "busy.py").write_text(STRATEGY)
    text = CONFIG.format(url="", feed=feed)
    text = text[: text.index("[feed.generic]")].replace('"generic"', f'"{source}"')
    text = text.replace("warm_up_bars = 0", f"warm_up_bars = {warm}")
    path = folder / "foliod.toml"
    path.write_text(f"{text}[feed.{source}]\n{fields}")
    return load([path], {})


class Watched:
    """A daemon at work; ``said`` is what it told the operator, ``log`` its log."""

    def __init__(
        self, settings: Settings, folder: Path, clock: FastClock, *, one_day: bool = False
    ) -> None:
        """Make it; nothing runs yet."""
        self.said: list[str] = []
        self._log = io.StringIO()
        options = LiveOptions(
            speed=1.0,
            control=settings.control.dir,
            config_text=settings_text(settings),
            log=self._log,
            say=self.said.append,
            strategies_folder=folder,
            chance=Random(7),
            one_day=one_day,
        )
        self.live = Live(settings, options, clock)
        self.home = self.live.home
        self.task = asyncio.ensure_future(self.live.run())

    @property
    def log(self) -> list[dict[str, Any]]:
        """The lines of the log so far."""
        return [json.loads(line) for line in self._log.getvalue().splitlines()]

    def journal(self) -> list[Entry]:
        """Return the journal so far."""
        try:
            return [entry for _, entry in read(self.home / "foliod.db")]
        except FoliodError:
            return []

    def of(self, kind: type[_E]) -> list[_E]:
        """Return the entries of one kind."""
        return [one for one in self.journal() if isinstance(one, kind)]

    def status(self) -> StatusObject:
        """Return the newest status object."""
        found = last_status(self.home)
        assert found is not None
        return found

    async def wait_until(self, holds: Callable[[], bool], patience_s: float = 20.0) -> None:
        """Wait until something holds; the daemon's own end says why it does not."""
        for _ in range(round(patience_s / 0.05)):
            if holds():
                return
            if self.task.done():
                self.task.result()
                raise AssertionError("the daemon ended")
            await asyncio.sleep(0.05)
        raise AssertionError(f"it never came to hold: {self.log[-5:]}")

    async def stop(self) -> None:
        """End it as SIGTERM does."""
        if not self.task.done():
            self.live._hear_end()
        await self.task


@asynccontextmanager
async def daemon(
    settings: Settings, folder: Path, socket: BarSocket | OandaVenue | BinanceVenue | TickVenue
) -> AsyncIterator[Watched]:
    """Run a daemon while the block runs, and end it in order."""
    watched = Watched(settings, folder, socket.clock)
    try:
        yield watched
    finally:
        await watched.stop()


def recorded(home: Path) -> list[RecordedBar]:
    """Return what the daemon in ``home`` recorded."""
    return list(read_segments(home / FOLDER))


def check_hidden(secret: str, found: Watched, folder: Path) -> None:
    """SEC-1: a secret stands in no file below a folder and in no line of a daemon's log."""
    assert secret not in repr(found.log) + repr(found.said)
    for path in folder.rglob("*"):
        assert not path.is_file() or secret.encode() not in path.read_bytes(), path


def check_whole(home: Path, symbol: str, warm: int) -> list[str]:
    """FEED-3: every minute from the warm-up to the end is recorded once, in order, with the prices
    that the venue told; return where the bars after the first ``warm`` came from."""
    rows = [one for one in recorded(home) if one.symbol == symbol]
    first = (rows[0].bar.open_ns - BEGIN_NS) // MINUTE_NS
    assert first < 0
    for number, one in enumerate(rows):
        true = bar_of(symbol, first + number)
        assert one.bar.open_ns == true.open_ns, "no minute is missing or comes twice"
        prices = (one.bar.open, one.bar.high, one.bar.low, one.bar.close)
        assert prices == pytest.approx((true.open, true.high, true.low, true.close), abs=1e-9)
    came = [one.provenance for one in rows]
    assert came[:warm] == [FILLED] * warm, "the warm-up is history"
    return came[warm:]
