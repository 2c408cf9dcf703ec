"""Day kinds: how a synthetic trading day goes, as a table of turning points.

Each shape is written for the side it is named after first (up, or a sweep of the high); the other
side is its mirror. The numbers are chosen so that the built-in strategies' setups appear, and so
that some of them lose. It draws nothing and knows no symbol.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class DayKind(StrEnum):
    """What a day does after its quiet Asian range (00:00-07:00 UTC)."""

    QUIET = "QUIET"
    """Stays inside the Asian range."""
    SWEEP_HIGH = "SWEEP_HIGH"
    """London takes the Asian high, turns, and New York breaks further down: LSG and ARLS win."""
    SWEEP_LOW = "SWEEP_LOW"
    """The mirror of SWEEP_HIGH."""
    FAILED_SWEEP_HIGH = "FAILED_SWEEP_HIGH"
    """The turn after the sweep stops short and price runs over the high: LSG and ARLS lose."""
    FAILED_SWEEP_LOW = "FAILED_SWEEP_LOW"
    """The mirror of FAILED_SWEEP_HIGH."""
    BREAKOUT_UP = "BREAKOUT_UP"
    """The opening ranges of London and of New York break upwards and follow through: ORB wins."""
    BREAKOUT_DOWN = "BREAKOUT_DOWN"
    """The mirror of BREAKOUT_UP."""
    WHIPSAW_UP = "WHIPSAW_UP"
    """Breaks up, sweeps, falls back, runs up again, collapses: ORB and ARLS both lose."""
    WHIPSAW_DOWN = "WHIPSAW_DOWN"
    """The mirror of WHIPSAW_UP."""
    TREND_UP = "TREND_UP"
    """Falls into London, then trends up; New York turns down: EMA crosses in both windows."""
    TREND_DOWN = "TREND_DOWN"
    """The mirror of TREND_UP."""
    NEWS_UP = "NEWS_UP"
    """Quiet, with spikes at 08:30 and 13:30 UTC, when a news file has its events."""
    NEWS_DOWN = "NEWS_DOWN"
    """The mirror of NEWS_UP."""
    LATE_SWEEP_HIGH = "LATE_SWEEP_HIGH"
    """London is quiet, New York sweeps the Asian high and turns."""
    LATE_SWEEP_LOW = "LATE_SWEEP_LOW"
    """The mirror of LATE_SWEEP_HIGH."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A point that price passes.

    ``minute`` is the minute of the UTC day; the level is the middle of the Asian range plus
    ``edge`` (-1 low, 0 middle, +1 high) half ranges plus ``pips`` (times the market's scale).
    ``is_fixed`` turns keep their minute (an opening bar must be the opening bar); the others move
    by whole bars from symbol to symbol.
    """

    minute: int
    edge: int
    pips: float
    is_fixed: bool = False


@dataclass(frozen=True, slots=True)
class Shape:
    """A day after 00:00: ``last_touch`` is the edge (-1, +1) that Asia touches last, at 05:30."""

    last_touch: int
    turns: tuple[Turn, ...]

    def mirrored(self) -> Shape:
        """Return the shape upside down."""
        turns = (Turn(t.minute, -t.edge, -t.pips, t.is_fixed) for t in self.turns)
        return Shape(-self.last_touch, tuple(turns))


def _high(*points: tuple[int, float]) -> tuple[Turn, ...]:
    """Make turns measured from the Asian high."""
    return tuple(Turn(minute, 1, pips) for minute, pips in points)


def _opening(minute: int, pips: float, size: float) -> tuple[Turn, ...]:
    """Make an opening five minutes of at least ``size`` pips around a level above the high."""
    swing = ((0, 0.0), (1, 0.4 * size), (3, -0.6 * size), (5, 0.0))
    return tuple(Turn(minute + after, 1, pips + part, True) for after, part in swing)


_SWEEP = _high(
    *((424, -8.5), (430, -9.5), (450, 6.5), (455, 2), (460, -5), (465, -13), (470, -16.5)),
    *((475, -19.5), (480, -14), (485, -14.5), (495, -22), (520, -31), (540, -28), (570, -46)),
)
_FAILED_SWEEP = _high(
    *((424, -8.5), (430, -9.5), (450, 6.5), (455, 2), (460, -4), (465, -12), (470, -13)),
    *((475, -14.5), (480, -10), (485, -10.5), (495, -15), (510, -8), (540, 4), (560, 14)),
    (600, 18),
)
_LATE = tuple(Turn(turn.minute + 345, 1, turn.pips) for turn in _SWEEP)
_INSIDE = (Turn(420, 0, 2), Turn(470, 1, -4), Turn(530, -1, 4), Turn(590, 1, -5))

_SHAPES: Final[dict[DayKind, Shape]] = {
    DayKind.QUIET: Shape(
        -1,
        (*_INSIDE, Turn(680, -1, 5), Turn(780, 1, -4), Turn(870, -1, 4), Turn(1440, 0, 1)),
    ),
    DayKind.SWEEP_HIGH: Shape(
        -1,
        (
            *_high((420, -7)),
            *_SWEEP,
            *_high((600, -40)),
            *_opening(750, -52, 7),
            *_high((765, -62), (800, -74), (850, -70), (900, -82), (960, -77)),
            *_high((1200, -60), (1440, -38)),
        ),
    ),
    DayKind.FAILED_SWEEP_HIGH: Shape(
        -1,
        (
            *_high((420, -7)),
            *_FAILED_SWEEP,
            *_opening(750, 28, 7),
            *_high((765, 39), (785, 20), (810, 10), (960, 5), (1440, 0)),
        ),
    ),
    DayKind.BREAKOUT_UP: Shape(
        -1,
        (
            *_opening(420, -4, 5.5),
            *_high((430, 0), (435, 6), (445, 6), (470, 17), (490, 25), (520, 23), (560, 35)),
            *_high((600, 33)),
            *_opening(750, 42, 7),
            *_high((765, 52), (790, 64), (830, 60), (880, 76), (960, 71), (1200, 60), (1440, 45)),
        ),
    ),
    DayKind.WHIPSAW_UP: Shape(
        -1,
        (
            *_opening(420, -4, 5.5),
            *_high((430, 0), (435, 6), (440, 4), (445, -1.5), (455, -9), (465, -5), (480, 4)),
            *_high((490, 12), (500, 14), (515, 3), (530, -12), (560, -27), (575, -18), (600, -30)),
            *_opening(750, -14, 7),
            *_high((765, -4), (785, -24), (805, -8), (825, -24), (850, -6), (880, -22), (960, -12)),
            *_high((1440, -10)),
        ),
    ),
    DayKind.TREND_UP: Shape(
        1,
        (
            *(Turn(420, -1, 3), Turn(430, -1, 1), Turn(440, -1, 6)),
            *_high((500, -2), (560, 14), (600, 18), (720, 24), (750, 21), (800, 4), (860, -12)),
            *_high((960, -16), (1440, -10)),
        ),
    ),
    DayKind.NEWS_UP: Shape(
        -1,
        (
            *(Turn(420, 0, 1), Turn(470, 0, -2), Turn(509, 0, 2, True)),
            *(Turn(512, 1, 22, True), Turn(518, 1, 8, True)),
            *_high((530, -3), (545, 7), (600, 4), (700, -2)),
            *(Turn(809, 1, 2, True), Turn(812, 1, 30, True), Turn(820, 1, 12, True)),
            *_high((900, 20), (960, 17), (1440, 8)),
        ),
    ),
    DayKind.LATE_SWEEP_HIGH: Shape(
        -1,
        (*_INSIDE, Turn(700, -1, 4), *_high((760, -6)), *_LATE, *_high((960, -42), (1440, -30))),
    ),
}

_MIRRORS: Final = {
    DayKind.SWEEP_LOW: DayKind.SWEEP_HIGH,
    DayKind.FAILED_SWEEP_LOW: DayKind.FAILED_SWEEP_HIGH,
    DayKind.BREAKOUT_DOWN: DayKind.BREAKOUT_UP,
    DayKind.WHIPSAW_DOWN: DayKind.WHIPSAW_UP,
    DayKind.TREND_DOWN: DayKind.TREND_UP,
    DayKind.NEWS_DOWN: DayKind.NEWS_UP,
    DayKind.LATE_SWEEP_LOW: DayKind.LATE_SWEEP_HIGH,
}


def shape_of(kind: DayKind) -> Shape:
    """Return the shape of a kind of day."""
    mirror = _MIRRORS.get(kind)
    return _SHAPES[kind] if mirror is None else _SHAPES[mirror].mirrored()
