"""The picture of a day as PNG: equity with the trades that closed, and R per strategy (C5, T2).

For notifications and for ``report day --png``; pages draw their own pictures without it. The same
day gives the same bytes. Drawing takes a second of processor: never in the process that trades.
"""

from __future__ import annotations

import io
import math
from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from daemon.core.civil import CivilClock
from daemon.core.plain import plain
from daemon.reports.daily import present_day, stepped
from daemon.reports.whole_file import write_whole
from state.errors import JournalError
from state.queries import DATABASE, Book, open_book
from state.table_rows import Trade
from state.units import DAY_NS, HOUR_NS, day_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter

Point = tuple[int, float]
_WON, _LOST, _INK, _SOFT = "#1a7f37", "#c0392b", "#1f2933", "#7b8794"
_INCHES: Final = (8.0, 5.6)
_DPI: Final = 120
_STRATEGIES: Final = 10
"""So many strategies have a bar of their own; the rest are added up in one."""
_NAME_CHARS: Final = 24
_LABELS: Final = 12
"""Up to so many trades, each is labelled with its R."""


class DayPicture(msgspec.Struct, frozen=True):
    """What is drawn. ``curve``: (UTC ns, equity), oldest first; ``trades`` closed on the day.

    ``from_ns`` and ``to_ns`` are the day's edges; ``final``: the day has rolled.
    """

    date: str
    portfolio_id: str
    currency: str
    zone: str
    final: bool
    from_ns: int
    to_ns: int
    curve: list[Point]
    trades: list[Trade]


async def write_day_picture(run_folder: Path, date: str | None = None) -> Path:
    """Draw a day (``YYYY-MM-DD``; None: the newest) and return the PNG beside the day's report.

    Raises:
        JournalError: the database cannot be read, or has no such day.
        OSError: the picture cannot be written.
    """
    async with open_book(run_folder / DATABASE) as book:
        found = await _read(book, date)
    path = run_folder / "reports" / "daily" / f"{found.date}.png"
    write_whole(path, draw(found))
    return path


async def _read(book: Book, date: str | None) -> DayPicture:
    opened = await book.opened()
    if opened is None:
        raise JournalError("no portfolio was opened here; there is no day to draw")
    days = await book.days()
    rolled = len(days)
    days = [*days, await present_day(book, opened, days)]
    wanted = [place for place, one in enumerate(days) if day_text(one.day) == date]
    if date is not None and not wanted:
        first, last = day_text(days[0].day), day_text(days[-1].day)
        raise JournalError(f"there is no trading day {date} here; there are {first} to {last}")
    place = wanted[0] if wanted else rolled
    day, clock = days[place], CivilClock(opened.zone)
    from_ns, to_ns = clock.day_start_ns(day.day), clock.day_start_ns(day.day + 1)
    marks = [(from_ns, float(day.start_equity))]
    async for mark in book.marks(days[place - 1].seq if place else 0):
        if mark.seq > day.seq:
            break
        marks.append((mark.at_ns, float(mark.equity)))
    if place < rolled:
        marks.append((to_ns, float(day.end_equity)))
    trades = [
        one async for one in book.closed_trades(since_day=day.day) if one.trading_day == day.day
    ]
    return DayPicture(
        date=day_text(day.day),
        portfolio_id=opened.portfolio_id,
        currency=opened.base_currency,
        zone=opened.zone,
        final=place < rolled,
        from_ns=from_ns,
        to_ns=to_ns,
        curve=stepped(marks),
        trades=trades,
    )


def draw(day: DayPicture) -> bytes:
    """Return the picture as PNG, 960 x 672 pixels."""
    # Without pyplot: no global state, no window, nothing that outlives this call.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=_INCHES, dpi=_DPI, facecolor="white")
    figure.set_layout_engine("constrained", w_pad=0.12, h_pad=0.1)
    canvas = FigureCanvasAgg(figure)
    rows = by_strategy(day.trades)
    upper, lower = figure.subplots(2, 1, height_ratios=[2.2, 0.6 + 0.22 * max(2, len(rows))])
    _title(figure, day)
    _equity(upper, day)
    _strategies(lower, rows)
    target = io.BytesIO()
    canvas.print_figure(target, format="png", metadata={"Software": None})
    return target.getvalue()


def by_strategy(trades: Sequence[Trade]) -> list[tuple[str, float, int]]:
    """Return name, R and count per strategy, best first; beyond ten the rest is one row."""
    sums: dict[str, tuple[float, int]] = {}
    for one in trades:
        r, count = sums.get(one.strategy, (0.0, 0))
        sums[one.strategy] = r + (one.r or 0.0), count + 1
    rows = sorted(((name, *of) for name, of in sums.items()), key=lambda row: (-row[1], row[0]))
    if len(rows) <= _STRATEGIES:
        return rows
    kept = sorted(rows, key=lambda row: (-abs(row[1]), row[0]))[: _STRATEGIES - 1]
    rest = [row for row in rows if row not in kept]
    kept.sort(key=lambda row: (-row[1], row[0]))
    total = math.fsum(row[1] for row in rest)
    return [*kept, (f"{len(rest)} others", total, sum(row[2] for row in rest))]


def _title(figure: Figure, day: DayPicture) -> None:
    pnl = float(sum(one.pnl for one in day.trades))
    r = math.fsum(one.r or 0.0 for one in day.trades)
    status = "" if day.final else ", so far"
    name = _cut(day.portfolio_id)
    text = f"{name}  {day.date}{status}:  {r:+.2f} R,  {pnl:+,.2f} {_cut(day.currency)}"
    figure.suptitle(text, color=_INK, fontsize=13, parse_math=False)


def _equity(axes: Axes, day: DayPicture) -> None:
    stamps = [_x(at) for at, _ in day.curve]
    axes.plot(stamps, [value for _, value in day.curve], color=_INK, linewidth=1.4)
    for won, color, marker in ((True, _WON, "^"), (False, _LOST, "v")):
        chosen = [one for one in day.trades if (one.pnl > 0) == won]
        places = [_place(day, one) for one in chosen]
        axes.scatter(
            [_x(at) for at, _ in places],
            [value for _, value in places],
            color=color,
            marker=marker,
            s=36,
            zorder=3,
            label=f"{len(chosen)} {'won' if won else 'lost'}",
        )
    if day.trades:
        axes.legend(loc="best", fontsize=8, frameon=False, labelcolor=_SOFT)
    _time_axis(axes, day)
    axes.margins(y=0.16)
    axes.ticklabel_format(axis="y", style="plain", useOffset=False)
    axes.yaxis.set_major_formatter(_numbers(axes.yaxis))
    axes.set_ylabel(f"equity, {_cut(day.currency)}", parse_math=False)
    _style(axes)


def _place(day: DayPicture, trade: Trade) -> Point:
    """Return where a closed trade's mark stands: at its exit, on the curve."""
    at = min(max(trade.exit_ns or day.from_ns, day.from_ns), day.to_ns)
    index = bisect_right(day.curve, at, key=lambda point: point[0])
    if index == 0 or index == len(day.curve):
        return at, day.curve[min(index, len(day.curve) - 1)][1]
    (x0, y0), (x1, y1) = day.curve[index - 1], day.curve[index]
    return at, y0 + (y1 - y0) * ((at - x0) / (x1 - x0) if x1 > x0 else 1.0)


def _time_axis(axes: Axes, day: DayPicture) -> None:
    """Label every third hour of UTC, whatever the zone of the day is."""
    step = 3 * HOUR_NS
    ticks = range(-(-day.from_ns // step) * step, day.to_ns + 1, step)
    axes.set_xlim(_x(day.from_ns), _x(day.to_ns))
    labels = [f"{at // HOUR_NS % 24:02d}:00" for at in ticks]
    axes.set_xticks([_x(at) for at in ticks], labels)
    note = "" if day.zone == "UTC" else f" (the trading day is of {day.zone})"
    axes.set_xlabel(f"time of day, UTC{note}", parse_math=False)


def _numbers(axis: Axis) -> FuncFormatter:
    """Return a formatter with as many decimals as tell neighbouring ticks apart."""
    from matplotlib.ticker import FuncFormatter

    def written(value: float, _: object) -> str:
        ticks = axis.get_ticklocs()
        step = abs(float(ticks[1]) - float(ticks[0])) if len(ticks) > 1 else 1.0
        places = min(8, max(0, -math.floor(math.log10(step) + 1e-9))) if step > 0 else 2
        if abs(step * 10**places - round(step * 10**places)) > 1e-6:
            places += 1
        return f"{value:z,.{places}f}"

    return FuncFormatter(written)


def _strategies(axes: Axes, rows: list[tuple[str, float, int]]) -> None:
    axes.set_xlabel("R per strategy (closed trades)")
    _style(axes)
    if not rows:
        axes.text(0.5, 0.5, "No trade closed.", ha="center", va="center", color=_SOFT)
        axes.set_xticks([])
        axes.set_yticks([])
        return
    places = range(len(rows))
    colors = [_WON if r > 0 else _LOST for _, r, _ in rows]
    bars = axes.barh(places, [r for _, r, _ in rows], color=colors, height=0.62)
    axes.bar_label(
        bars, [f"{r:+.2f} ({count})" for _, r, count in rows], padding=3, fontsize=8, color=_INK
    )
    axes.set_yticks(places, [_cut(name) for name, _, _ in rows], parse_math=False)
    axes.invert_yaxis()
    axes.axvline(0.0, color=_SOFT, linewidth=0.8)
    widest = max(abs(r) for _, r, _ in rows) or 1.0
    low, high = min(0.0, *(r for _, r, _ in rows)), max(0.0, *(r for _, r, _ in rows))
    # Room for the numbers beside the bars.
    axes.xaxis.set_major_formatter(_numbers(axes.xaxis))
    axes.set_xlim(
        low - (0.3 * widest if low < 0 else 0.05), high + (0.3 * widest if high > 0 else 0.05)
    )


def _style(axes: Axes) -> None:
    axes.grid(visible=True, color="#e4e7eb", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(colors=_SOFT, labelsize=8)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(_SOFT)
    for label in (axes.xaxis.label, axes.yaxis.label):
        label.set(color=_SOFT, fontsize=9)


def _cut(text: str) -> str:
    text = plain(text)
    return text if len(text) <= _NAME_CHARS else f"{text[: _NAME_CHARS - 3]}..."


def _x(at_ns: int) -> float:
    """Return the place of an instant: days since 1970 (a float holds milliseconds of them)."""
    return at_ns / DAY_NS
