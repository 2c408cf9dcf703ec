"""Small portfolios over many days, for what a journal must say by itself: bars, a busy strategy.

Two symbols, one of them converted, with quarter hours and half hours of a walk over eleven days and
a weekend without bars. The strategy trades at all hours and in every way, from its bar count alone,
so that every kind of order and plan rests at some day's end.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from adapters.feeds.events import LIVE, BarClosed
from adapters.feeds.recorder import Recorder
from config.load import load
from config.settings import Settings
from daemon.core.commands import Command
from daemon.runtime.at_once import at_once
from daemon.runtime.bar_files import BarFiles
from daemon.runtime.instants import BarSource
from daemon.runtime.lane import lanes_of
from daemon.runtime.recorded import FOLDER, RecordedBars
from daemon.trading import Hooks, Trading
from daemon.wiring import build, intervals_of
from state.codec import Snapshot
from state.journal import read_snapshots
from state.units import DAY_NS, HOUR_NS, MINUTE_NS, utc_ns, utc_text

FIRST_NS = utc_ns(datetime(2024, 3, 5, tzinfo=UTC))
DAYS = 11
LATE_NS = 7 * MINUTE_NS
_WEEKEND = (4, 5)
_PRICES = {"EURUSD": (1.1, 0.0006, 15), "USDJPY": (150.0, 0.06, 30)}
"""First price, standard deviation of a bar's move, minutes of a bar."""

STRATEGY = '''
from foliod import CancelEntry, Exit, Signal, Strategy


class Busy(Strategy):
    """Wishes something on every few bars, which bar and what by its count."""

    count = 0

    def on_bar(self, bar, in_window):
        self.count += 1
        if self.count == RAISES:
            raise ZeroDivisionError("a range of zero")
        turn = self.count * 7919 % 104729 % EVERY
        pip, side = self.context.pip, 1 if self.count * 31 % 2 else -1
        if turn == 0:
            return Signal(side, stop_distance=60 * pip, target_r=1.5, trail_distance=TRAIL)
        if turn == 1:
            level = bar.close + side * 8 * pip
            return Signal(side, trigger=level, stop_distance=45 * pip)
        if turn == 2:
            level = bar.close - side * 8 * pip
            return Signal(side, limit=level, stop_distance=30 * pip, target_r=2.0)
        if turn == 3:
            return Exit("BUSY")
        return CancelEntry() if turn == 4 else None

    def state(self):
        return {"count": self.count}

    def restore(self, state):
        self.count = state["count"]
'''

CONFIG = """
[portfolio]
id = "many-days"
base_currency = "USD"
equity = 100_000
zone = "{zone}"
[conversion]
JPY = "USDJPY"
[sizing]
kind = "fixed"
quantity = {quantity}
[risk]
daily_r_stop = {r_stop}
[risk.drawdown]
lock_fraction = {lock}
cool_off_m = 700
rearm = "{rearm}"
[risk.strategy]
trades_per_day = false
r_stop = false
[risk.caps]
max_order_value = 10_000_000
max_gross_exposure = 20_000_000
max_positions = 4
max_positions_per_symbol = 2
[pacing]
enabled = false
[costs]
fill = "{fill}"
slippage_min_pips = {slippage}
[paper]
reject_every = {reject}
partial_fraction = {partial}
latency_s = {latency}
[[bars]]
symbol = "EURUSD"
path = "EURUSD.csv"
price = "mid"
[[bars]]
symbol = "USDJPY"
path = "USDJPY.csv"
price = "mid"
[[strategies]]
name = "held"
kind = "held.py:Busy"
symbols = ["EURUSD", "USDJPY"]
interval = "30m"
at_end = "hold"
overnight_widen = true
{windows}
[[strategies]]
name = "quick"
kind = "quick.py:Busy"
symbols = ["EURUSD"]
interval = "15m"
at_end = "{at_end}"
windows = [{{ start = 07:00:00, end = 20:00:00, zone = "UTC" }}]
"""

ORDINARY = {
    "zone": "UTC", "quantity": 40_000, "r_stop": "-3.0", "lock": 0.03, "rearm": "auto",
    "fill": "next_open", "slippage": 1.0, "reject": 0, "partial": 0, "latency": 0, "windows": "",
    "at_end": "reduce",
}  # fmt: skip


def portfolio(
    folder: Path, *, every: int = 23, trail: float | None = None, raises: int = 0, seed: int = 1,
    **more: object,
) -> Settings:  # fmt: skip
    """Write bars, strategies and configuration below ``folder`` and return the settings."""
    rng = np.random.default_rng(seed)
    for symbol, (price, step, minutes) in _PRICES.items():
        (folder / f"{symbol}.csv").write_text(_rows(rng, price, step, minutes))
    for name, period, raising in (("held", every, raises), ("quick", every // 2, 0)):
        text = STRATEGY.replace("TRAIL", repr(trail)).replace("EVERY", str(period))
        (folder / f"{name}.py").write_text(text.replace("RAISES", str(raising)))
    path = folder / "foliod.toml"
    path.write_text(CONFIG.format(**{**ORDINARY, **more}))
    return load([path], {})


def _rows(rng: np.random.Generator, price: float, step: float, minutes: int) -> str:
    lines = ["ts,open,high,low,close,volume"]
    for day in range(DAYS):
        for number in range(24 * 60 // minutes):
            close = price + float(rng.normal(0, step))
            high, low = max(price, close) + step / 4, min(price, close) - step / 4
            stamp = utc_text(FIRST_NS + day * DAY_NS + number * minutes * MINUTE_NS)
            if day not in _WEEKEND:
                line = f"{stamp},{price:.5f},{high:.5f},{low:.5f},{close:.5f},1"
                lines.append(line)
            price = close
    return "\n".join(lines) + "\n"


def command(day: int, hour: float, name: str, argument: str = "") -> Command:
    """Return a command at an hour (UTC) of a day, counted from the first as 0."""
    return Command(FIRST_NS + day * DAY_NS + round(hour * HOUR_NS), name, argument, "by a test")


def lived(
    settings: Settings,
    home: Path,
    folder: Path,
    commands: Sequence[Command] = (),
    restarts: Sequence[int] = (),
    source: BarSource | None = None,
    begin_ns: int | None = None,
) -> dict[int, Snapshot]:
    """Run to the end of the bars; return every snapshot of a day's beginning by its entry.

    After so many instants of ``restarts`` the process ends in order and a new one goes on.
    ``source`` and ``begin_ns``: of a portfolio on recorded bars.
    """
    home.mkdir(exist_ok=True)
    found: dict[int, Snapshot] = {}
    waiting, stepped = deque(sorted(commands, key=lambda one: one.at_ns)), 0
    trading = begun(settings, home, folder, source, begin_ns)
    while (coming := trading.coming()) is not None:
        day_end_ns = trading.stepper.day_end_ns
        while waiting and waiting[0].at_ns <= coming.now_ns:
            at_once(trading.give(waiting.popleft()))
        at_once(trading.step(trading.take()))
        stepped += 1
        if trading.stepper.day_end_ns != day_end_ns:
            seq, kept = read_snapshots(home / "foliod.db")[0]
            found[seq] = kept
        if stepped in restarts:
            at_once(trading.end_run("STOPPED"))
            trading.close()
            trading = begun(settings, home, folder, source, begin_ns)
    at_once(trading.end_history())
    trading.close()
    return found


def begun(
    settings: Settings,
    home: Path,
    folder: Path,
    source: BarSource | None = None,
    begin_ns: int | None = None,
) -> Trading:
    """Bring the portfolio up and record that a run begins."""
    trading = Trading(settings, home, folder, Hooks(), source=source, begin_ns=begin_ns)
    at_once(trading.begin_run())
    return trading


def recorded(settings: Settings, home: Path) -> RecordedBars:
    """Record the configuration's bars in ``home`` as a feed would; every 40th comes late, alone."""
    files = BarFiles(settings, intervals_of(settings))
    core = build(settings, files.keys(), settings.bars[0].path.parent)
    lanes = lanes_of(core.desk, core.broker)
    bars = [
        (lane.series.key, bar)
        for instant in files.instants([lanes[one.key] for one in core.market.series], -1)
        for lane, bar in instant.bars
    ]
    rows = []
    for number, ((symbol, interval_ns), bar) in enumerate(bars):
        late_ns = LATE_NS if number % 40 == 0 else 0
        rows.append(BarClosed(symbol, interval_ns, bar, LIVE, bar.close_ns + late_ns))
    with Recorder(home / FOLDER, is_durable=False) as recorder:
        for row in sorted(rows, key=lambda one: (one.at_ns, one.symbol, one.interval_ns)):
            recorder.add(row)
    return RecordedBars(home / FOLDER, frozenset(files.keys()), 15 * MINUTE_NS)
