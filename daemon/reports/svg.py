"""Pictures of a report as inline SVG: curves over time, bars, a heat map.

Pure: points and names in, markup out. No script, no style attribute, no link: colours are classes
of the page's style sheet, so that a strict content policy holds. Every time axis is UTC and says
so. Texts from outside are escaped here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Final

import msgspec
from markupsafe import Markup, escape

from daemon.core.plain import plain
from state.units import DAY_NS, EPOCH_ORDINAL, HOUR_NS, SECOND_NS, day_text

WIDTH: Final = 480
"""Of every picture, in its own units: 13 units of text stay readable on a phone."""

_HEIGHT: Final = 236
_TOP: Final = 26
_RIGHT: Final = 14
_BOTTOM: Final = 44
_CHAR: Final = 7.4
"""Width of a digit in units, generously: labels must never be cut."""
_COLUMNS: Final = 230
"""A curve is thinned to this many columns, each with its first, lowest, highest and last point."""

Point = tuple[int, float]
"""An instant (UTC ns) and a value."""


class Mark(msgspec.Struct, frozen=True):
    """A numbered mark on a curve, at an instant and a value."""

    text: str
    at_ns: int
    value: float


class _Frame:
    """The plot area and its two scales; x is any number, y a value."""

    def __init__(self, x: tuple[float, float], y: Sequence[float], percent: bool) -> None:
        """Leave room for the widest label on the left; ``y`` are the ticks, ends included."""
        self.ticks = list(y)
        self.labels = _numbers(self.ticks, percent)
        self.left = 10 + _CHAR * max((len(one) for one in self.labels), default=1)
        self.x0, self.x1 = x if x[1] > x[0] else (x[0], x[0] + 1)
        self.y0, self.y1 = self.ticks[0], self.ticks[-1]

    def x(self, value: float) -> float:
        """Return the place of an x."""
        return self.left + (value - self.x0) / (self.x1 - self.x0) * (WIDTH - _RIGHT - self.left)

    def y(self, value: float) -> float:
        """Return the place of a value."""
        share = (value - self.y0) / (self.y1 - self.y0)
        return _HEIGHT - _BOTTOM - share * (_HEIGHT - _BOTTOM - _TOP)

    def grid(self) -> str:
        """Draw the value axis: a line and a number at each tick."""
        parts = []
        for value, label in zip(self.ticks, self.labels, strict=True):
            y = self.y(value)
            parts.append(
                f'<path class="grid" d="M{self.left:.1f} {y:.1f}H{WIDTH - _RIGHT}"/>'
                f'<text class="end" x="{self.left - 5:.1f}" y="{y + 4.5:.1f}">{label}</text>'
            )
        return "".join(parts)


def curve(
    points: Sequence[Point],
    *,
    title: str,
    unit: str,
    percent: bool = False,
    filled: bool = False,
    marks: Sequence[Mark] = (),
) -> Markup:
    """Draw values over time, oldest first; ``filled``: the area between the curve and 0.

    ``percent``: values are fractions and shown times 100. ``unit`` stands beside the title.
    """
    if not points:
        return _svg(title, unit, '<text x="10" y="60">Nothing was recorded.</text>')
    thin = thinned(points)
    values = [value for _, value in thin]
    low, high = (min(*values, 0.0), 0.0) if filled else (min(values), max(values))
    frame = _Frame((thin[0][0], thin[-1][0]), _ticks(low, high), percent)
    path = "L".join(f"{frame.x(at):.1f} {frame.y(value):.1f}" for at, value in thin)
    body = [frame.grid(), _time_axis(frame)]
    if filled:
        zero = frame.y(0.0)
        ends = f"L{frame.x(thin[-1][0]):.1f} {zero:.1f}L{frame.x(thin[0][0]):.1f} {zero:.1f}Z"
        body.append(f'<path class="area" d="M{path}{ends}"/>')
    body.append(f'<path class="line" d="M{path}"/>')
    body += [_mark(frame, one) for one in marks]
    return _svg(title, unit, "".join(body))


def bars(
    edges: Sequence[float], counts: Sequence[int], *, title: str, unit: str, axis: str
) -> Markup:
    """Draw a histogram: ``counts[i]`` between ``edges[i]`` and ``edges[i + 1]``, 0 set apart."""
    if not counts:
        return _svg(title, unit, '<text x="10" y="60">No closed trade.</text>')
    frame = _Frame((edges[0], edges[-1]), _ticks(0, max(counts), whole=True), percent=False)
    body = [frame.grid()]
    zero = frame.y(0)
    for low, high, count in zip(edges, edges[1:], counts, strict=False):
        x, y = frame.x(low), frame.y(count)
        kind = "loss" if high <= 0 else "gain"
        body.append(
            f'<rect class="{kind}" x="{x + 0.5:.1f}" y="{y:.1f}" '
            f'width="{max(0.5, frame.x(high) - x - 1):.1f}" height="{zero - y:.1f}"/>'
        )
    places = [one for one in _ticks(edges[0], edges[-1]) if edges[0] <= one <= edges[-1]]
    for value, label in zip(places, _numbers(places, percent=False), strict=True):
        body.append(_below(frame.x(value), label))
    return _svg(title, unit, "".join(body) + _axis_name(axis))


def heat(names: Sequence[str], rows: Sequence[Sequence[float | None]], *, title: str) -> Markup:
    """Draw a matrix of correlations in [-1, 1]; None is an empty cell. Rows carry the names."""
    count = len(names)
    if count < 2:
        return _svg(title, "", '<text x="10" y="60">Needs two engines that traded.</text>')
    shown = [_cut(plain(name), 22) for name in names]
    left = 30 + 7.4 * max(len(one) for one in shown)
    size = min(34.0, (WIDTH - left - 4) / count)
    body = []
    for row, name in enumerate(shown):
        y = _TOP + 18 + row * size
        number = f"{row + 1}"
        body.append(
            f'<text class="small" x="4" y="{y + size / 2 + 4:.1f}">{number} {escape(name)}</text>'
            f'<text class="small mid" x="{left + (row + 0.5) * size:.1f}" y="{_TOP + 12}">'
            f"{number}</text>"
        )
        body += [
            _cell(left + column * size, y, size, value) for column, value in enumerate(rows[row])
        ]
    return _svg(title, "", "".join(body), height=_TOP + 26 + count * size)


def thinned(points: Sequence[Point], columns: int = _COLUMNS) -> list[Point]:
    """Return at most 4 points a column: first, lowest, highest and last keep every extreme."""
    if len(points) <= 4 * columns:
        return list(points)
    first, last = points[0][0], points[-1][0]
    width = max(1, -(-(last - first + 1) // columns))
    kept: list[Point] = []
    begin = 0
    while begin < len(points):
        column = (points[begin][0] - first) // width
        end = begin + 1
        while end < len(points) and (points[end][0] - first) // width == column:
            end += 1
        part = range(begin, end)
        low = min(part, key=lambda index: points[index][1])
        high = max(part, key=lambda index: points[index][1])
        kept += [points[index] for index in sorted({begin, low, high, end - 1})]
        begin = end
    return kept


def _svg(title: str, unit: str, body: str, height: float = _HEIGHT) -> Markup:
    name = escape(plain(title))
    small = f' <tspan class="soft">{escape(plain(unit))}</tspan>' if unit else ""
    # Every text in it went through escape.
    return Markup(
        f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{name}">'
        f'<text class="title" x="4" y="15">{name}{small}</text>{body}</svg>'
    )


def _mark(frame: _Frame, one: Mark) -> str:
    x, y = frame.x(one.at_ns), frame.y(one.value)
    x = min(max(x, frame.left + 8), WIDTH - _RIGHT - 8)
    y = min(y + 10, _HEIGHT - _BOTTOM - 9)
    return (
        f'<circle class="mark" cx="{x:.1f}" cy="{y:.1f}" r="8"/>'
        f'<text class="small mid" x="{x:.1f}" y="{y + 4:.1f}">{escape(plain(one.text))}</text>'
    )


def _cell(x: float, y: float, size: float, value: float | None) -> str:
    if value is None:
        return (
            f'<rect class="empty" x="{x:.1f}" y="{y:.1f}" width="{size:.1f}" height="{size:.1f}"/>'
        )
    kind = "gain" if value >= 0 else "loss"
    text = ""
    if size >= 21:
        text = (
            f'<text class="tiny mid" x="{x + size / 2:.1f}" y="{y + size / 2 + 3.5:.1f}">'
            f"{value:z.1f}</text>"
        )
    return (
        f'<rect class="{kind}" fill-opacity="{min(1.0, abs(value)) * 0.85 + 0.05:.2f}" '
        f'x="{x:.1f}" y="{y:.1f}" width="{size - 1:.1f}" height="{size - 1:.1f}"/>{text}'
    )


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 3] + "..."


# Axes ---------------------------------------------------------------------------------------------


def _ticks(low: float, high: float, *, whole: bool = False) -> list[float]:
    """Return 3 to 7 round numbers that enclose [low, high]."""
    if high - low < 1e-12 * max(1.0, abs(high)):
        pad = abs(high) * 0.01 or 1.0
        low, high = (low, high + pad) if whole else (low - pad, high + pad)
    rough = (high - low) / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(one * power for one in (1, 2, 2.5, 5, 10) if one * power >= rough * 0.999)
    if whole:
        step = max(1.0, math.ceil(step))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [number * step for number in range(first, max(last, first + 1) + 1)]


def _numbers(ticks: Sequence[float], percent: bool) -> list[str]:
    """Write ticks with as many decimals as tell neighbours apart."""
    scale = 100.0 if percent else 1.0
    step = (ticks[1] - ticks[0]) * scale if len(ticks) > 1 else 1.0
    places = max(0, -math.floor(math.log10(step) + 1e-9)) if step > 0 else 0
    if abs(step * 10**places - round(step * 10**places)) > 1e-6:
        places += 1
    end = " %" if percent else ""
    return [f"{value * scale:z,.{places}f}{end}" for value in ticks]


def _time_axis(frame: _Frame) -> str:
    """Draw labels at round instants, in UTC, and say that they are."""
    name, places = _instants(int(frame.x0), int(frame.x1))
    return "".join(_below(frame.x(at), text) for at, text in places) + _axis_name(name)


def _instants(first: int, last: int) -> tuple[str, list[tuple[int, str]]]:
    """Return the axis' name and its labelled instants, at most seven."""
    span = max(last - first, SECOND_NS)
    if span <= 2 * DAY_NS:
        step = next(
            (one * HOUR_NS for one in (1, 2, 3, 4, 6, 12) if span <= 6 * one * HOUR_NS),
            12 * HOUR_NS,
        )
        day = day_text(first // DAY_NS + EPOCH_ORDINAL)
        found = [(at, f"{_time(at):%H:%M}") for at in _multiples(first, last, step)]
        return f"time of day, UTC, from {day}", found
    if span <= 120 * DAY_NS:
        step = next(one * DAY_NS for one in (1, 2, 3, 7, 14, 21) if span <= 6 * one * DAY_NS)
        found = [(at, f"{_time(at):%m-%d}") for at in _multiples(first, last, step)]
        return f"month-day, UTC, {_time(first).year}", found
    months = next(one for one in (1, 2, 3, 6, 12, 24, 60, 600) if span <= 6 * one * 31 * DAY_NS)
    pattern = "%Y" if months >= 12 else "%Y-%m"
    found = [(at, _time(at).strftime(pattern)) for at in _month_starts(first, last, months)]
    return "year, UTC" if months >= 12 else "month, UTC", found


def _multiples(first: int, last: int, step: int) -> list[int]:
    return list(range(-(-first // step) * step, last + 1, step))


def _month_starts(first: int, last: int, months: int) -> list[int]:
    begin = _time(first)
    number = (begin.year * 12 + begin.month - 1) // months * months
    found: list[int] = []
    while True:
        at = (date(number // 12, number % 12 + 1, 1).toordinal() - EPOCH_ORDINAL) * DAY_NS
        if at > last:
            return found
        if at >= first:
            found.append(at)
        number += months


def _time(at_ns: int) -> datetime:
    return datetime.fromtimestamp(at_ns // SECOND_NS, UTC)


def _below(x: float, text: str) -> str:
    half = len(text) * _CHAR / 2
    x = min(max(x, half + 2), WIDTH - half - 2)
    return f'<text class="mid" x="{x:.1f}" y="{_HEIGHT - _BOTTOM + 22}">{text}</text>'


def _axis_name(text: str) -> str:
    name, x = escape(plain(text)), WIDTH - _RIGHT
    return f'<text class="soft end" x="{x}" y="{_HEIGHT - 5}">{name}</text>'
