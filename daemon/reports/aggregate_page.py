"""The aggregation report as one HTML file: what it shows and how its pictures are thinned.

Values in, bytes out. Curves of any length become a few hundred points that keep every extreme.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

import numpy as np
from markupsafe import Markup

from daemon.reports import svg
from daemon.reports.aggregate_files import Curve
from daemon.reports.html import page
from daemon.reports.metrics_curve import underwater

_COLUMNS: Final = 220
_NAMED: Final = 14
"""Up to this many sessions the heat map has their names beside it."""
_MAPPED: Final = 200
_PAIRS: Final = 15
_LEVELS: Final = 5

Points = list[tuple[int, float]]


def report(
    folder: str, metrics: Mapping[str, Any], correlation: Mapping[str, Any], total: Curve
) -> bytes:
    """Return the report as bytes of HTML."""
    equity, below = thinned(total)
    pictures = [
        svg.curve(equity, title="Equity", unit="sum of all sessions"),
        svg.curve(
            below, title="Drawdown", unit="below the highest so far", percent=True, filled=True
        ),
    ]
    return page(
        "aggregate.html",
        folder=folder,
        metrics=metrics,
        correlation=correlation,
        pictures=pictures,
        heat=heat(correlation["sessions"], correlation["matrix"]),
        pairs=pairs(correlation),
    )


def thinned(total: Curve) -> tuple[Points, Points]:
    """Return the curve and its falls (fractions <= 0), at most four points a column of time."""
    if not len(total):
        return [], []
    edges = np.linspace(total.stamps_ns[0], total.stamps_ns[-1], _COLUMNS + 1)[1:-1]
    cuts = [0, *np.searchsorted(total.stamps_ns, edges).tolist(), len(total)]
    equity: Points = []
    below: Points = []
    highest = -np.inf
    for begin, end in pairwise(cuts):
        if begin == end:
            continue
        part, stamps = total.equity[begin:end], total.stamps_ns[begin:end]
        falls = underwater(part, highest)
        highest = max(highest, float(part.max()))
        last = end - begin - 1
        for place in sorted({0, int(part.argmin()), int(part.argmax()), last}):
            equity.append((int(stamps[place]), float(part[place])))
        for place in sorted({0, int(falls.argmax()), last}):
            below.append((int(stamps[place]), -float(falls[place])))
    return equity, below


def pairs(correlation: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the pairs whose correlation is furthest from 0, furthest first."""
    names, matrix = correlation["sessions"], correlation["matrix"]
    places = [
        (row, column)
        for row in range(len(names))
        for column in range(row)
        if matrix[row][column] is not None
    ]
    places.sort(key=lambda place: (-abs(matrix[place[0]][place[1]]), place))
    return [
        {
            "one": names[column],
            "two": names[row],
            "value": matrix[row][column],
            "overlap": correlation["overlap"][row][column],
            "step_s": max(correlation["step_s"][row], correlation["step_s"][column]),
        }
        for row, column in places[:_PAIRS]
    ]


def heat(names: Sequence[str], matrix: Sequence[Sequence[float | None]]) -> Markup | None:
    """Draw the correlation; None below two sessions, beyond 200 the first 200 by name."""
    if len(names) < 2:
        return None
    if len(names) <= _NAMED:
        return svg.heat(names, matrix, title="Correlation of returns")
    count = min(len(names), _MAPPED)
    cells: dict[tuple[str, int], list[str]] = {}
    for row in range(count):
        for column in range(row):
            value = matrix[row][column]
            if value is not None:
                level = min(_LEVELS, int(abs(value) * _LEVELS + 0.5))
                cells.setdefault(("gain" if value >= 0 else "loss", level), []).append(
                    f"M{column} {row}h1v1h-1z"
                )
    paths = "".join(
        f'<path class="{kind}" fill-opacity="{level / _LEVELS:.1f}" d="'
        f'{"".join(cells[kind, level])}"/>'
        for kind, level in sorted(cells)
        if level
    )
    # Nothing in it comes from outside: places, classes and opacities.
    return Markup(
        '<svg viewBox="0 0 {0} {0}" role="img" aria-label="Correlation of returns">'
        '<path class="empty" stroke-width="0" d="M0 0V{0}H{0}z"/>{1}</svg>'
    ).format(count, Markup(paths))
