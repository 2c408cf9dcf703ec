"""Synthetic 1m bars of a market that trades the FX week (Sunday 22:00 to Friday 22:00 UTC).

For demos and tests: days of known kinds, so that strategies find setups. Prices are sums of whole
numbers drawn from PCG64, so one seed gives the same bars on every platform. Not a model of any
market; nothing here may be taken for history.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from adapters.feeds.columns import Columns
from adapters.feeds.day_kinds import DayKind, Turn, shape_of
from state.units import DAY_NS, EPOCH_ORDINAL, MINUTE_NS

STEPS = 6
"""Prices drawn in a minute; a bar's high and low are extremes of these and its open."""

_DAY = 1440
_WEEK_END = 22 * 60
"""Minute of Friday at which the week ends and of Sunday at which it begins."""
_FINE = 100
"""Levels are whole hundredths of a tick until they become prices."""
_NOISE_PER_MILLE = ((0, 400), (420, 1000), (600, 700), (750, 1000), (960, 600), (1200, 400))
"""From this minute of the day on, the size of the noise."""
_VOLUME = ((0, 40), (420, 160), (600, 110), (750, 200), (960, 90), (1200, 30))


@dataclass(frozen=True, slots=True)
class Market:
    """What one synthetic symbol is like.

    ``decimals`` is the number of decimals of its tick, ``pip_ticks`` ticks a pip. ``start_ticks``
    is the first price. ``range_pips`` is the usual Asian range; ``scale`` multiplies the pips of a
    day's shape; ``noise_pips`` is the usual size of a minute's noise in London. Of a thousand
    minutes ``missing_per_mille`` have no bar; a week opens up to ``gap_pips`` from the last close.
    """

    symbol: str
    decimals: int
    start_ticks: int
    pip_ticks: int = 10
    range_pips: float = 20.0
    scale: float = 1.0
    noise_pips: float = 0.5
    missing_per_mille: int = 3
    gap_pips: int = 10


@dataclass(frozen=True, slots=True)
class Scenario:
    """A market over some weeks.

    ``first_sunday`` is the ordinal of the Sunday on which the first week opens. ``days`` are the
    kinds of the Mondays to Fridays that follow, five a week. No bar opens within an ``outage``
    [start_ns, end_ns).
    """

    market: Market
    first_sunday: int
    days: tuple[DayKind, ...]
    outages: tuple[tuple[int, int], ...] = ()


def bars(scenario: Scenario, seed: int) -> Iterator[Columns]:
    """Yield the scenario's bars, a batch a week, volumes in ticks.

    The same scenario and seed give the same bars; symbols differ under one seed.

    Raises:
        ValueError: ``first_sunday`` is not a Sunday.
    """
    if scenario.first_sunday % 7:
        raise ValueError(f"first_sunday {scenario.first_sunday} is not the ordinal of a Sunday")
    market = scenario.market
    draw = np.random.Generator(
        np.random.PCG64(np.random.SeedSequence([seed, *market.symbol.encode()]))
    )
    level = market.start_ticks * _FINE
    for week in range(0, len(scenario.days), 5):
        sunday = scenario.first_sunday + week // 5 * 7
        pip = market.pip_ticks * _FINE
        gap = int(draw.integers(-market.gap_pips, market.gap_pips + 1)) * pip
        paths = [_sunday(market, draw, level + gap)]
        for kind in scenario.days[week : week + 5]:
            paths.append(_day(market, draw, int(paths[-1][-1, -1]), kind))
        if len(paths) == 6:
            paths[-1] = paths[-1][:_WEEK_END]
        path = np.concatenate(paths)
        start_ns = (sunday - EPOCH_ORDINAL) * DAY_NS + _WEEK_END * MINUTE_NS
        yield _columns(scenario, draw, start_ns, level + gap, path)
        level = int(path[-1, -1])


def _sunday(market: Market, draw: np.random.Generator, level: int) -> NDArray[np.int64]:
    """Return the two hours after the week's opening: (120, STEPS) levels near the first one."""
    return _path(market, draw, level, [(_DAY - _WEEK_END, level)], first_minute=_WEEK_END)


def _day(market: Market, draw: np.random.Generator, level: int, kind: DayKind) -> NDArray[np.int64]:
    """Return the levels of a whole day of this kind: (1440, STEPS), beginning near ``level``."""
    shape = shape_of(kind)
    size = int(draw.integers(900, 1151))
    pip = market.pip_ticks * _FINE
    half = int(market.range_pips * pip / 2) * size // 1000
    unit = int(market.scale * pip) * size // 1000
    shift = 5 * int(draw.integers(0, 3))
    turns = [*_asia(draw, shape.last_touch), *shape.turns]
    points: list[tuple[int, int]] = []
    for turn in turns:
        minute = (
            turn.minute if turn.is_fixed or not 420 < turn.minute < _DAY else turn.minute + shift
        )
        target = level + turn.edge * half + round(turn.pips * 10) * unit // 10
        if not points or minute > points[-1][0]:
            points.append((minute, target))
    return _path(market, draw, level, points)


def _asia(draw: np.random.Generator, last_touch: int) -> list[Turn]:
    """Return the touches of the Asian range: clustered highs and lows, the last at 05:30."""
    touches = []
    for number in range(7):
        minute = 30 + 50 * number + (int(draw.integers(-12, 13)) if number < 6 else 0)
        edge = last_touch if number % 2 == 0 else -last_touch
        touches.append(Turn(minute, edge, int(draw.integers(-4, 5)) / 10))
    return touches


def _path(
    market: Market,
    draw: np.random.Generator,
    level: int,
    points: list[tuple[int, int]],
    first_minute: int = 0,
) -> NDArray[np.int64]:
    """Return (minutes, STEPS) levels through the points (minute from here, level).

    Between two points runs a straight line plus a bridge of noise that is zero at both ends.
    """
    ends = np.array([minute for minute, _ in points], np.int64) * STEPS
    starts = np.concatenate(([0], ends[:-1]))
    levels = np.array([level, *(target for _, target in points)], np.int64)
    lengths = ends - starts
    steps = int(ends[-1])
    within = np.arange(1, steps + 1) - np.repeat(starts, lengths)
    clock = first_minute + np.arange(steps) // STEPS
    noise = int(market.noise_pips * market.pip_ticks * _FINE)
    walk = np.cumsum(draw.integers(-noise, noise + 1, steps) * _by_minute(clock, _NOISE_PER_MILLE))
    walk //= 1400  # uniform steps of +-n, six a minute, spread n x 1.4; and per mille
    walk = np.concatenate(([0], walk))
    rise = np.diff(levels) - (walk[ends] - walk[starts])
    base = levels[:-1] - walk[starts]
    line = np.repeat(base, lengths) + np.repeat(rise, lengths) * within // np.repeat(
        lengths, lengths
    )
    path: NDArray[np.int64] = (line + walk[1:]).reshape(-1, STEPS)
    return path


def _by_minute(clock: NDArray[np.int64], table: tuple[tuple[int, int], ...]) -> NDArray[np.int64]:
    """Look each minute of the day up in a table of (from minute, value)."""
    since = np.array([minute for minute, _ in table])
    values = np.array([value for _, value in table])
    found: NDArray[np.int64] = values[np.searchsorted(since, clock, "right") - 1]
    return found


def _columns(
    scenario: Scenario,
    draw: np.random.Generator,
    start_ns: int,
    level: int,
    path: NDArray[np.int64],
) -> Columns:
    """Turn the levels of consecutive minutes into bars and leave out what is missing."""
    market = scenario.market
    ticks = np.maximum((path + _FINE // 2) // _FINE, 1)
    close = ticks[:, -1]
    open_ = np.concatenate(([max((level + _FINE // 2) // _FINE, 1)], close[:-1]))
    high = np.maximum(open_, ticks.max(axis=1))
    low = np.minimum(open_, ticks.min(axis=1))
    minutes = np.arange(len(ticks))
    open_ns = start_ns + minutes * MINUTE_NS
    busy = _by_minute((_WEEK_END + minutes) % _DAY, _VOLUME)
    volume = draw.integers(1, 2 * busy + 1) + (high - low)
    keep = draw.integers(0, 1000, len(ticks)) >= market.missing_per_mille
    for begin_ns, end_ns in scenario.outages:
        keep &= (open_ns < begin_ns) | (open_ns >= end_ns)
    unit = float(10**market.decimals)
    return Columns(
        open_ns[keep],
        open_[keep] / unit,
        high[keep] / unit,
        low[keep] / unit,
        close[keep] / unit,
        volume[keep].astype(np.float64),
    )
