"""What a seed draws: a portfolio, its bars, and the faults of each life of its process."""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random  # noqa: TID251 - every one is made of the seed

from config.load import load
from config.settings import Settings
from state import failpoints
from state.units import MINUTE_NS, utc_text
from tests.crash.scenarios import CONFIG, at, strategy

SYMBOLS = {"EURUSD": 1.1, "GBPUSD": 1.27}
MAX_POSITIONS, MAX_PER_SYMBOL = 3, 2
LIVES = 5
"""Lives that may have faults; the one after them has none and must come to the end."""
SPEEDS = (None, 600.0, 3_600.0)

SECOND_SERIES = """
[[bars]]
symbol = "GBPUSD"
path = "GBPUSD.csv"
interval = "5m"
price = "mid"
"""

DISK_ERRORS = ("SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_CORRUPT")
"""What a disk says: the first two are waited out, the last one ends the process."""

DISK_POINTS = ("writer.taken", "writer.begun", "writer.inserted", "writer.projected")
"""Where a failing disk undoes a write; at ``writer.committed`` it only hides that it was done."""


DEADLY = sorted(failpoints.POINTS.keys() - {"recovery.folded"})
"""Where a process dies; what only a life without snapshots reaches is the crash sweep's."""

FORGETFUL = 0.3
"""Part of the lives that begin without a snapshot."""


def draw_portfolio(seed: int, folder: Path) -> Settings:
    """Write a portfolio's bars and configuration into ``folder`` and return the settings."""
    rng = Random(f"portfolio {seed}")
    folder.mkdir()
    for symbol, price in SYMBOLS.items():
        rows = "".join(_rows(rng, price))
        (folder / f"{symbol}.csv").write_text("ts,open,high,low,close,volume\n" + rows)
    pairs = [_strategy(rng, f"s{number}") for number in range(rng.randint(2, 4))]
    paper = (
        f"\n[paper]\nreject_every = {rng.choice((0, 0, 3, 7))}\n"
        f"partial_fraction = {rng.choice((0, 0, 0.5, 0.3))}\n"
        f"latency_s = {rng.choice((0, 0, 2, 90))}\n"
        f'\n[costs]\nfill = "{rng.choice(("next_open", "next_open", "close"))}"\n'
    )
    head = CONFIG.format(
        interval="5m", r_stop=rng.choice((-1.0, -2.0, -8.0)), more=SECOND_SERIES + paper
    )
    head = head.replace("max_positions = 2", f"max_positions = {MAX_POSITIONS}")
    if rng.random() < 0.5:
        head = head.replace("enabled = false", "per_hour = 6\nper_day = 12\nloss_streak = 2")
        head = head.replace("per_day = 12", "per_day = 12\nallow_daily_below_hourly_rate = true")
    path = folder / "foliod.toml"
    path.write_text(head + "".join(pairs))
    return load([path], {})


def _strategy(rng: Random, name: str) -> str:
    script = ",".join(
        f"{number}:{rng.choice(('long', 'short', 'buy_stop', 'sell_stop', 'exit', 'cancel'))}"
        for number in range(2, 50)
        if rng.random() < 0.25
    )
    if rng.random() < 0.25:
        script += f",{rng.randint(30, 50)}:raise" if rng.random() < 0.3 else ",20:raise"
    params = (
        f'script = "{script.lstrip(",")}", every = {rng.randint(0, 4)}'
        f", side = {rng.choice((-1, 1))}"
        f", stop_pips = {rng.choice((5.0, 12.0, 40.0))}, target_r = {rng.choice((0.0, 1.0, 2.0))}"
    )
    window = rng.choice(("00:00-24:00", "21:00-22:30"))
    at_end = rng.choice(("close", "hold", "reduce"))
    symbols = rng.choice(('["EURUSD"]', '["GBPUSD"]', '["EURUSD", "GBPUSD"]'))
    text = strategy(name, params, "5m", at_end, window)
    return text.replace('["EURUSD"]', symbols)


def _rows(rng: Random, price: float) -> Iterator[str]:
    """Yield a walk over a midnight, with a break before and after it, and with holes."""
    is_holey = rng.random() < 0.4
    sessions = ((0, "21:30", 16), (0, "23:20", 20), (1, "02:00", 16))
    for day, clock, count in sessions:
        for number in range(count):
            open_ns = at(day, clock) + number * 5 * MINUTE_NS
            open_, price = price, price + rng.gauss(0, 0.0006)
            high = max(open_, price) + rng.random() * 0.0003
            low = min(open_, price) - rng.random() * 0.0003
            if not (is_holey and rng.random() < 0.15):
                yield f"{utc_text(open_ns)},{open_:.5f},{high:.5f},{low:.5f},{price:.5f},1\n"


@dataclass(frozen=True, slots=True)
class Faults:
    """The faults of one life; ``rng`` is for what happens in it."""

    rng: Random
    speed: float | None
    latency_s: float
    strike: failpoints.Strike | None
    dies_after_s: float | None
    events_s: float
    burst: float
    pauses: float
    has_disk_fault: bool
    forgets: bool = False
    """The life begins without a snapshot."""

    def latency(self) -> float:
        """Return how long the disk takes for the next commit."""
        if self.latency_s and self.rng.random() < 0.05:
            return self.latency_s * 50
        return self.rng.random() * self.latency_s


def draw_faults(seed: int, life: int) -> Faults:
    """Draw the faults of a life; the last one has none but a slow disk."""
    rng = Random(f"life {seed} {life}")
    speed = rng.choice(SPEEDS)
    is_faulty = life < LIVES
    dies_after = disk = None
    # Six hours of bars: what a life takes at its speed, or a moment where nothing paces it.
    whole_s = 0.4 if speed is None else 21_600 / speed
    kind = rng.choice(("point", "point", "instant", "disk", "none")) if is_faulty else "none"
    strike = None
    if kind == "point":
        strike = _dying(rng.choice(DEADLY), rng.choice((1, 2, 5, 20, 60)))
    elif kind == "instant":
        dies_after = rng.random() * whole_s
    elif kind == "disk":
        disk = rng.choice((*DISK_POINTS, "writer.committed"))
        strike = _failing(disk, rng.randint(1, 60), rng.choice((1, 4, 8)), rng.choice(DISK_ERRORS))
    return Faults(
        rng=rng,
        speed=speed,
        latency_s=rng.choice((0.0, 0.001, 0.02)),
        strike=strike,
        dies_after_s=dies_after,
        events_s=whole_s / rng.choice((3, 10, 30)) if is_faulty else float("inf"),
        burst=rng.choice((0.0, 0.1)) if is_faulty else 0.0,
        pauses=rng.choice((0.0, 0.02)),
        has_disk_fault=disk is not None,
        forgets=life > 0 and Random(f"forgets {seed} {life}").random() < FORGETFUL,
    )


def _dying(point: str, hit: int) -> failpoints.Strike:
    return _at(point, hit, lambda: os.kill(os.getpid(), signal.SIGKILL))


def _failing(point: str, hit: int, lasting: int, name: str) -> failpoints.Strike:
    def fail() -> None:
        problem = sqlite3.OperationalError(f"the disk fails: {name}")
        problem.sqlite_errorname = name
        raise problem

    return _at(point, hit, fail, lasting)


def _at(point: str, hit: int, what: Callable[[], None], lasting: int = 1) -> failpoints.Strike:
    left = hit

    def strike(name: str) -> None:
        nonlocal left
        if name == point:
            left -= 1
            if -lasting < left <= 0:
                what()

    return strike
