"""The tear sheet of a run: ``tearsheet.html`` and its twin ``tearsheet.json``.

Built from the run folder alone: its database and its manifest. The same folder and instant give
the same bytes. What needs bars (``hindsight``) is handed in by whoever has read them.
"""

from __future__ import annotations

import hashlib
from decimal import Decimal
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from daemon.reports import svg
from daemon.reports.comparison import Baseline, Comparison
from daemon.reports.daily import present_day
from daemon.reports.hindsight import Hindsight
from daemon.reports.html import page
from daemon.reports.metrics_curve import Fall, underwater, worst_falls
from daemon.reports.metrics_returns import Tail, calmar, sortino, tail
from daemon.reports.metrics_trades import exposure
from daemon.reports.summary import Summary, figures, summarise
from daemon.reports.tally import Group, Tally, as_json, rounded
from daemon.reports.tearsheet_measures import (
    Correlation,
    Distribution,
    Drawdown,
    correlation,
    distribution,
    drawdown,
)
from daemon.reports.whole_file import write_whole
from state.entries import CashMoved, InstrumentSet
from state.queries import DATABASE, Book, open_book
from state.table_rows import PortfolioDay, Trade
from state.units import day_text, utc_text

SCHEMA: Final = 1
HTML: Final = "tearsheet.html"
JSON: Final = "tearsheet.json"
_EXTREMES: Final = 5
_PLACES: Final = 5
"""Decimals of a price whose instrument the journal does not name."""


class BarsUsed(msgspec.Struct, frozen=True):
    """One bar file of the run; ``digest`` is BLAKE2b of its bytes, ``path`` its name alone."""

    symbol: str
    path: str
    interval: str
    digest: str


class TradeLine(msgspec.Struct, frozen=True):
    """A trade worth a line: fills with the instrument's decimals, amounts in base currency."""

    trade_id: str
    symbol: str
    strategy: str
    side: str
    entry_at: str
    entry_fill: str
    exit_at: str
    exit_fill: str
    exit_reason: str
    pnl: Decimal
    r: float


class DayLine(msgspec.Struct, frozen=True):
    """A trading day: ``change`` is its return (a fraction, deposits taken out), None from 0."""

    date: str
    start_equity: Decimal
    end_equity: Decimal
    change: float | None
    trades: int
    r: float
    pnl: Decimal


class MonthLine(msgspec.Struct, frozen=True):
    """A month ``YYYY-MM``: the product of its days' returns, trades, R and P&L closed in it."""

    month: str
    change: float | None
    trades: int
    r: float
    pnl: Decimal


class TearSheet(msgspec.Struct, frozen=True):
    """A whole run. Amounts are base currency, fractions 0.05 for 5 %; fields are only ever added.

    ``data_hash`` is one digest over the digests of ``bars``. ``drawdowns`` are of marked equity,
    ``sortino``, ``calmar`` and ``tail`` of daily returns, all with deposits taken out; ``exposure``
    is the share of time with a position open. ``correlation`` is of engines' daily P&L.
    ``hindsight`` is None where the bars were not read again, ``baseline`` where no run was named.
    """

    schema: int
    state: str
    first: str
    last: str
    data_hash: str
    bars: list[BarsUsed]
    summary: Summary
    by_version: list[Group]
    drawdowns: list[Drawdown]
    sortino: float | None
    calmar: float | None
    exposure: float | None
    tail: Tail
    months: list[MonthLine]
    r: Distribution
    correlation: Correlation
    best: list[TradeLine]
    worst: list[TradeLine]
    days: list[DayLine]
    hindsight: Hindsight | None
    baseline: Comparison | None


class _Manifest(msgspec.Struct):
    """What a tear sheet reads of ``run.json``."""

    state: str = "unknown"
    first: str = ""
    last: str = ""
    bars: list[BarsUsed] = msgspec.field(default_factory=list)


class _Found(msgspec.Struct):
    """What the pass over the database found."""

    total: Tally = msgspec.field(default_factory=Tally)
    by_day: dict[int, Tally] = msgspec.field(default_factory=dict)
    engines: dict[str, dict[int, float]] = msgspec.field(default_factory=dict)
    r: list[float] = msgspec.field(default_factory=list)
    best: list[Trade] = msgspec.field(default_factory=list)
    worst: list[Trade] = msgspec.field(default_factory=list)
    decimals: dict[str, int] = msgspec.field(default_factory=dict)
    moved: list[tuple[int, Decimal]] = msgspec.field(default_factory=list)
    open: list[tuple[int, int]] = msgspec.field(default_factory=list)
    curve: list[svg.Point] = msgspec.field(default_factory=list)


async def write_tearsheet(
    run_folder: Path,
    generated_ns: int,
    *,
    summary: Summary | None = None,
    hindsight: Hindsight | None = None,
    baseline: Baseline | None = None,
) -> tuple[Path, TearSheet]:
    """Write both files and return the path of the page and what it says.

    ``generated_ns`` is the run's clock; ``summary`` spares adding the run up again.

    Raises:
        JournalError: the database cannot be read, or holds no run.
        OSError: a file cannot be written.
    """
    summary = summary or await summarise(run_folder, generated_ns)
    manifest = _manifest(run_folder)
    async with open_book(run_folder / DATABASE) as book:
        found = await _collect(book)
        days = await _days(book)
    stamps = np.array([at for at, _ in found.curve], np.int64)
    below = np.array([equity for _, equity in found.curve])
    falls = worst_falls(stamps, below)
    lines = _day_lines(found, days)
    changes = np.array([one.change for one in lines if one.change is not None])
    year = summary.sharpe.periods_per_year
    sheet = TearSheet(
        schema=SCHEMA,
        state=manifest.state,
        first=manifest.first,
        last=manifest.last,
        data_hash=_data_hash(manifest.bars),
        bars=[msgspec.structs.replace(one, path=Path(one.path).name) for one in manifest.bars],
        summary=summary,
        by_version=found.total.by_version(),
        drawdowns=[drawdown(one) for one in falls],
        sortino=rounded(sortino(changes, year)),
        calmar=rounded(calmar(changes, year)),
        exposure=rounded(exposure(found.open, *_span(found.curve))),
        tail=tail(changes),
        months=_months(lines),
        r=distribution(found.r),
        correlation=correlation(found.engines, [one.day for one in days]),
        best=[_line(one, found.decimals) for one in found.best],
        worst=[_line(one, found.decimals) for one in found.worst],
        days=lines,
        hindsight=hindsight,
        baseline=baseline.compare(found.total, 0, 1 << 31) if baseline else None,
    )
    path = run_folder / HTML
    write_whole(run_folder / JSON, as_json(sheet))
    under = list(zip(stamps.tolist(), (-underwater(below)).tolist(), strict=True))
    write_whole(path, _page(sheet, found.curve, under, falls))
    return path, sheet


def _span(curve: list[svg.Point]) -> tuple[int, int]:
    return (curve[0][0], curve[-1][0]) if curve else (0, 0)


def _manifest(run_folder: Path) -> _Manifest:
    try:
        return msgspec.json.decode((run_folder / "run.json").read_bytes(), type=_Manifest)
    except (OSError, msgspec.MsgspecError):
        return _Manifest()


def _data_hash(bars: list[BarsUsed]) -> str:
    """Return one digest over the bar files' digests, in order of symbol and interval."""
    lines = sorted(f"{one.symbol}\0{one.interval}\0{one.digest}\n" for one in bars)
    return hashlib.blake2b("".join(lines).encode(), digest_size=16).hexdigest() if lines else ""


async def _collect(book: Book) -> _Found:
    found = _Found()
    async for trade in book.closed_trades():
        _take(found, trade)
    async for line in book.entries_after(0, kinds=("InstrumentSet", "CashMoved")):
        if isinstance(line.entry, InstrumentSet):
            found.decimals[line.entry.instrument.symbol] = decimals(line.entry.instrument.tick)
        elif isinstance(line.entry, CashMoved):
            found.moved.append((line.seq, line.entry.amount))
    opened = await book.opened()
    if opened is not None:
        found.curve.append((opened.at_ns, float(opened.cash)))
    taken, waiting = 0.0, list(reversed(found.moved))
    async for mark in book.marks():
        while waiting and waiting[-1][0] < mark.seq:
            taken += float(waiting.pop()[1])
        found.curve.append((mark.at_ns, float(mark.equity) - taken))
    return found


def _take(found: _Found, trade: Trade) -> None:
    found.total.add(trade)
    found.by_day.setdefault(trade.trading_day, Tally()).add(trade)
    engine = found.engines.setdefault(f"{trade.symbol} {trade.strategy}", {})
    engine[trade.trading_day] = engine.get(trade.trading_day, 0.0) + float(trade.pnl)
    if trade.exit_ns is not None:
        found.open.append((trade.entry_ns, trade.exit_ns))
    if trade.r is not None:
        found.r.append(trade.r)
    if trade.pnl > 0:
        _keep(found.best, trade, -1)
    elif trade.pnl < 0:
        _keep(found.worst, trade, 1)


def _keep(kept: list[Trade], trade: Trade, order: int) -> None:
    """Keep the most extreme trades; of equals the earlier one stands first."""
    if len(kept) == _EXTREMES and order * kept[-1].pnl <= order * trade.pnl:
        return
    kept.append(trade)
    kept.sort(key=lambda one: order * one.pnl)
    del kept[_EXTREMES:]


def decimals(tick: Decimal) -> int:
    """Return how many decimals prices on this tick have."""
    exponent = tick.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else _PLACES


async def _days(book: Book) -> list[PortfolioDay]:
    """Return the days that rolled and the present one as far as it went."""
    days = await book.days()
    opened = await book.opened()
    return days if opened is None else [*days, await present_day(book, opened, days)]


def _day_lines(found: _Found, days: list[PortfolioDay]) -> list[DayLine]:
    lines, waiting = [], list(reversed(found.moved))
    for day in days:
        inside = Decimal(0)
        while waiting and waiting[-1][0] < day.seq:
            inside += waiting.pop()[1]
        tally = found.by_day.get(day.day)
        total = tally.totals() if tally else None
        change = None
        if day.start_equity > 0:
            change = float((day.end_equity - day.start_equity - inside) / day.start_equity)
        lines.append(
            DayLine(
                day_text(day.day),
                day.start_equity,
                day.end_equity,
                rounded(change),
                total.trades if total else 0,
                total.r if total else 0.0,
                total.pnl if total else Decimal(0),
            )
        )
    return lines


def _months(days: list[DayLine]) -> list[MonthLine]:
    groups: dict[str, list[DayLine]] = {}
    for day in days:
        groups.setdefault(day.date[:7], []).append(day)
    found = []
    for month, lines in groups.items():
        growth = 1.0
        for one in lines:
            growth *= 1.0 + (one.change or 0.0)
        found.append(
            MonthLine(
                month,
                rounded(growth - 1.0),
                sum(one.trades for one in lines),
                round(sum(one.r for one in lines), 6),
                sum((one.pnl for one in lines), Decimal(0)),
            )
        )
    return found


def _line(trade: Trade, places: dict[str, int]) -> TradeLine:
    count = places.get(trade.symbol, _PLACES)
    return TradeLine(
        trade.trade_id,
        trade.symbol,
        trade.strategy,
        trade.side,
        utc_text(trade.entry_ns),
        f"{trade.entry_fill:.{count}f}",
        "" if trade.exit_ns is None else utc_text(trade.exit_ns),
        "" if trade.exit_fill is None else f"{trade.exit_fill:.{count}f}",
        trade.exit_reason or "",
        trade.pnl,
        round(trade.r or 0.0, 6),
    )


# The page -----------------------------------------------------------------------------------------


def _page(
    sheet: TearSheet, curve: list[svg.Point], under: list[svg.Point], falls: list[Fall]
) -> bytes:
    money = sheet.summary.currency
    marks = [
        svg.Mark(str(number), fall.trough_ns, -fall.depth)
        for number, fall in enumerate(falls, start=1)
    ]
    pictures = [
        svg.curve(curve, title="Equity", unit=f"{money}, deposits taken out"),
        svg.curve(
            under,
            title="Underwater",
            unit="% below the last peak; 1-5: the worst",
            percent=True,
            filled=True,
            marks=marks,
        ),
        svg.bars(
            sheet.r.edges,
            sheet.r.counts,
            title="Distribution of R",
            unit=f"{sheet.r.n} closed trades",
            axis="R, net of all costs",
        ),
        svg.heat(
            sheet.correlation.engines,
            sheet.correlation.rows,
            title="Correlation of engines' daily P&L",
        ),
    ]
    return page(
        "tearsheet.html",
        sheet=sheet,
        summary=sheet.summary,
        money=money,
        figures=figures(sheet.summary),
        pictures=pictures,
        calendar=_calendar(sheet.months),
    )


class _Year(msgspec.Struct):
    """A row of the monthly table: a return for each month, and the year's."""

    year: str
    months: list[float | None]
    whole: float


def _calendar(months: list[MonthLine]) -> list[_Year]:
    rows: dict[str, _Year] = {}
    for one in months:
        row = rows.setdefault(one.month[:4], _Year(one.month[:4], [None] * 12, 0.0))
        row.months[int(one.month[5:]) - 1] = one.change
        row.whole = (1.0 + row.whole) * (1.0 + (one.change or 0.0)) - 1.0
    return list(rows.values())
