"""Reports of weeks, months and the whole time: ``reports/{weekly,monthly}/NAME`` and ``inception``.

Each is NAME.json, NAME.md and NAME.html, built from the database alone: all that are missing or
say something new are written, so that downtime is caught up and a second call writes nothing. A
period is provisional until its last day has rolled. ``NAME.notes.md`` is the operator's: read,
never written. The same database, notes and instant give the same bytes.
"""

from __future__ import annotations

from bisect import bisect_left
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Final

import msgspec

from daemon.core.day_measures import Drawdown, ReturnsSoFar, Sharpe
from daemon.core.plain import markdown
from daemon.reports import svg
from daemon.reports.comparison import Baseline, Comparison, comparison_table
from daemon.reports.daily import denials_table, present_day
from daemon.reports.html import page
from daemon.reports.tally import (
    Extreme,
    Gates,
    Group,
    Tally,
    Totals,
    amount,
    as_json,
    count_denial,
    percent,
    rounded,
    sorted_gates,
)
from daemon.reports.whole_file import write_whole
from state.entries import CashMoved, PortfolioOpened, RunStarted
from state.errors import JournalError
from state.queries import DATABASE, Book, denial, open_book
from state.table_rows import PortfolioDay
from state.units import day_text, utc_text

SCHEMA: Final = 1
_NOTES_BYTES: Final = 65_536


class Kind(StrEnum):
    """How long a period is: a week is ISO 8601's (from Monday), a month the calendar's."""

    WEEK = "week"
    MONTH = "month"
    INCEPTION = "inception"


class PeriodDay(msgspec.Struct, frozen=True):
    """A trading day, or in a report since inception a month: trades closed, R, P&L, last equity."""

    name: str
    trades: int
    r: float
    pnl: Decimal
    end_equity: Decimal


class PeriodReport(msgspec.Struct, frozen=True):
    """A period of one portfolio. Amounts are ``currency``, fractions 0.05 for 5 %.

    ``first`` and ``last`` are trading days with data. ``final``: its last calendar day has rolled
    (never since inception). ``change`` is the product of the daily returns, ``drawdown`` the
    largest fall of marked equity inside the period, deposits taken out of both. ``parts`` are its
    days, or its months since inception. ``generated`` is the run's clock.
    """

    schema: int
    kind: str
    name: str
    first: str
    last: str
    final: bool
    generated: str
    portfolio_id: str
    run_id: str
    mode: str
    version: str
    config_hash: str
    currency: str
    days: int
    start_equity: Decimal
    end_equity: Decimal
    change: float | None
    drawdown: float
    trades: Totals
    sharpe: Sharpe
    biggest_winner: Extreme | None
    biggest_loser: Extreme | None
    by_strategy: list[Group]
    by_symbol: list[Group]
    by_version: list[Group]
    parts: list[PeriodDay]
    denials: Gates
    open_positions: int
    notes: str | None
    baseline: Comparison | None


class _Day(msgspec.Struct):
    """A day with all that was found of it."""

    row: PortfolioDay
    rolled: bool
    tally: Tally = msgspec.field(default_factory=Tally)
    denials: Gates = msgspec.field(default_factory=dict)
    moved: Decimal = Decimal(0)
    curve: list[svg.Point] = msgspec.field(default_factory=list)


class _Found(msgspec.Struct):
    """What one pass over the database found, days oldest first."""

    opened: PortfolioOpened
    run: RunStarted
    present: int
    days: list[_Day]


async def write_periods(
    run_folder: Path, kind: Kind, generated_ns: int, *, baseline: Baseline | None = None
) -> list[Path]:
    """Write every report of this kind that is missing or says something new.

    Returns the pages (HTML) of the files written, oldest first. ``generated_ns`` is the run's
    clock. A ``baseline`` is set beside every period.

    Raises:
        JournalError: the database cannot be read, or holds no run.
        OSError: a report cannot be written.
    """
    async with open_book(run_folder / DATABASE) as book:
        found = await _collect(book, run_folder)
    groups: dict[str, list[_Day]] = {}
    for day in found.days:
        groups.setdefault(name_of(kind, day.row.day), []).append(day)
    folder = folder_of(run_folder, kind)
    written = []
    for name, days in groups.items():
        report = _report(found, kind, name, days, generated_ns)
        if baseline is not None:
            tally = _sum(days)
            span = (days[0].row.day, days[-1].row.day)
            report = msgspec.structs.replace(report, baseline=baseline.compare(tally, *span))
        path = _write(folder, report, [point for day in days for point in day.curve])
        if path is not None:
            written.append(path)
    return written


def folder_of(run_folder: Path, kind: Kind) -> Path:
    """Return where the reports of a kind are."""
    reports = run_folder / "reports"
    return reports if kind is Kind.INCEPTION else reports / f"{kind}ly"


def name_of(kind: Kind, day: int) -> str:
    """Return the period of a trading day: 2024-W03, 2024-01 or inception."""
    when = date.fromordinal(day)
    if kind is Kind.WEEK:
        year, week, _ = when.isocalendar()
        return f"{year}-W{week:02d}"
    return f"{when:%Y-%m}" if kind is Kind.MONTH else "inception"


def last_day(kind: Kind, day: int) -> int | None:
    """Return the last calendar day of the period of a trading day; None: it has no end."""
    when = date.fromordinal(day)
    if kind is Kind.WEEK:
        return day + 6 - when.weekday()
    if kind is Kind.MONTH:
        next_month = (when.replace(day=1) + timedelta(days=32)).replace(day=1)
        return next_month.toordinal() - 1
    return None


async def _collect(book: Book, run_folder: Path) -> _Found:
    opened, run = await book.opened(), await book.last_run()
    if opened is None or run is None:
        raise JournalError(f"{run_folder}: no run was recorded here; there is nothing to report")
    rows = await book.days()
    present = await present_day(book, opened, rows)
    days = [_Day(row, True) for row in rows] + [_Day(present, False)]
    by_number = {day.row.day: day for day in days}
    async for trade in book.closed_trades():
        by_number[trade.trading_day].tally.add(trade)
    async for seq, decided in book.decided_after(0):
        if decided.outcome != "ACCEPTED" and decided.day in by_number:
            binding = denial(seq, decided)
            count_denial(by_number[decided.day].denials, binding.gate, binding.code)
    ends = [day.row.seq for day in days]
    async for line in book.entries_after(0, kinds=("CashMoved",)):
        index = bisect_left(ends, line.seq)
        if isinstance(line.entry, CashMoved) and index < len(days):
            days[index].moved += line.entry.amount
    async for mark in book.marks():
        index = bisect_left(ends, mark.seq)
        if index < len(days):
            days[index].curve.append((mark.at_ns, float(mark.equity)))
    return _Found(opened, run, present.day, days)


def _sum(days: list[_Day]) -> Tally:
    total = Tally()
    for day in days:
        total.merge(day.tally)
    return total


def _report(
    found: _Found, kind: Kind, name: str, days: list[_Day], generated_ns: int
) -> PeriodReport:
    first, last = days[0].row, days[-1].row
    tally = _sum(days)
    change, sharpe = _returns(days)
    gates: Gates = {}
    for day in days:
        for gate, codes in day.denials.items():
            for code, count in codes.items():
                count_denial(gates, gate, code, count)
    end = last_day(kind, last.day)
    return PeriodReport(
        schema=SCHEMA,
        kind=kind.value,
        name=name,
        first=day_text(first.day),
        last=day_text(last.day),
        final=end is not None and end < found.present,
        generated=utc_text(generated_ns),
        portfolio_id=found.opened.portfolio_id,
        run_id=found.run.run_id,
        mode=found.run.mode,
        version=found.run.version,
        config_hash=found.run.config_hash,
        currency=found.opened.base_currency,
        days=len(days),
        start_equity=first.start_equity,
        end_equity=last.end_equity,
        change=change,
        drawdown=_drawdown(days),
        trades=tally.totals(),
        sharpe=sharpe,
        biggest_winner=tally.winner,
        biggest_loser=tally.loser,
        by_strategy=tally.by_strategy(),
        by_symbol=tally.by_symbol(),
        by_version=tally.by_version(),
        parts=_parts(kind, days),
        denials=sorted_gates(gates),
        open_positions=last.open_positions,
        notes=None,
        baseline=None,
    )


def _returns(days: list[_Day]) -> tuple[float | None, Sharpe]:
    """Return the compounded return, and the Sharpe ratio of the days that rolled."""
    growth, returns, known = 1.0, ReturnsSoFar(), False
    for day in days:
        row = day.row
        if row.start_equity <= 0:
            continue
        value = float((row.end_equity - row.start_equity - day.moved) / row.start_equity)
        growth, known = growth * (1.0 + value), True
        if day.rolled:
            returns.add(row.day, value)
    return rounded(growth - 1.0) if known else None, returns.sharpe()


def _drawdown(days: list[_Day]) -> float:
    """Return the largest fall of marked equity; a day's deposits count from its start on."""
    fall, moved = Drawdown(), Decimal(0)
    fall.add(float(days[0].row.start_equity))
    for day in days:
        moved += day.moved
        for _, equity in day.curve:
            fall.add(equity - float(moved))
    return round(fall.worst, 8)


def _parts(kind: Kind, days: list[_Day]) -> list[PeriodDay]:
    groups: dict[str, list[_Day]] = {}
    for day in days:
        whole = kind is Kind.INCEPTION
        name = name_of(Kind.MONTH, day.row.day) if whole else day_text(day.row.day)
        groups.setdefault(name, []).append(day)
    found = []
    for name, ones in groups.items():
        total = _sum(ones).totals()
        found.append(PeriodDay(name, total.trades, total.r, total.pnl, ones[-1].row.end_equity))
    return found


# Files --------------------------------------------------------------------------------------------


def _notes(folder: Path, name: str) -> str | None:
    """Return the operator's notes, at most 64 KiB of them; None without a file."""
    try:
        with (folder / f"{name}.notes.md").open("rb") as file:
            return file.read(_NOTES_BYTES).decode("utf-8", "replace")
    except OSError:
        return None


def _write(folder: Path, report: PeriodReport, curve: list[svg.Point]) -> Path | None:
    """Write all three files, unless they say the same already; return the page."""
    report = msgspec.structs.replace(report, notes=_notes(folder, report.name))
    paths = {kind: folder / f"{report.name}.{kind}" for kind in ("json", "md", "html")}
    old = _read(paths["json"])
    if old is not None and all(path.exists() for path in paths.values()):
        if report.baseline is None:
            report = msgspec.structs.replace(report, baseline=old.baseline)
        if msgspec.structs.replace(report, generated=old.generated) == old:
            return None
    write_whole(paths["html"], html(report, curve))
    write_whole(paths["md"], text(report).encode())
    write_whole(paths["json"], as_json(report))
    return paths["html"]


def _read(path: Path) -> PeriodReport | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=PeriodReport)
    except (OSError, msgspec.MsgspecError):
        return None


def html(report: PeriodReport, curve: list[svg.Point]) -> bytes:
    """Write a report as a page; ``curve`` is the marked equity (UTC ns, amount)."""
    picture = svg.curve(curve, title="Equity", unit=report.currency)
    return page(
        "period.html",
        report=report,
        money=report.currency,
        title=title(report),
        status=status(report),
        picture=picture,
    )


def title(report: PeriodReport) -> str:
    """Name the period in words."""
    return "Since inception" if report.kind == Kind.INCEPTION else report.name


def status(report: PeriodReport) -> str:
    """Say whether the period is over."""
    if report.kind == Kind.INCEPTION:
        return f"to {report.last}"
    return "final" if report.final else f"provisional: the {report.kind} has not ended yet"


def text(report: PeriodReport) -> str:
    """Write a report as Markdown."""
    money, total, sharpe = markdown(report.currency), report.trades, report.sharpe
    ratio = "-" if sharpe.value is None else f"{sharpe.value:.2f}"
    lines = [
        f"# {title(report)} - {markdown(report.portfolio_id)} ({status(report)})",
        "",
        f"{report.first} to {report.last}, {report.days} trading days. Mode "
        f"{markdown(report.mode)}, version {markdown(report.version)}, config "
        f"{markdown(report.config_hash)}, run {markdown(report.run_id)}, generated "
        f"{report.generated}.",
        "",
        "| measure | value |",
        "|---|---:|",
        f"| Trades (won / lost) | {total.trades} ({total.wins} / {total.losses}) |",
        f"| Win rate | {percent(total.win_rate)} |",
        f"| Realised P&L after fees | {amount(total.pnl)} {money} |",
        f"| Edge before costs | {amount(total.edge)} {money} |",
        f"| Spread / slippage / fees | {amount(total.spread)} / {amount(total.slippage)} / "
        f"{amount(total.fees)} {money} |",
        f"| R, a trade | {amount(total.r)}, {amount(total.expectancy_r)} |",
        f"| Profit factor | {amount(total.profit_factor)} |",
        f"| Equity | {amount(report.start_equity)} to {amount(report.end_equity)} {money} |",
        f"| Return | {percent(report.change)} |",
        f"| Largest drawdown | {percent(report.drawdown)} |",
        f"| Sharpe of {sharpe.n} daily returns, null below {sharpe.min_n}, "
        f"x sqrt({sharpe.periods_per_year:g}) | {ratio} |",
        f"| Open positions | {report.open_positions} |",
    ]
    for heading, rows in (
        ("By strategy", report.by_strategy),
        ("By symbol", report.by_symbol),
        ("By version", report.by_version),
    ):
        lines += _groups(heading, rows, money)
    heading = "Months" if report.kind == Kind.INCEPTION else "Days"
    lines += ["", f"## {heading}", "", f"| name | trades | R | P&L {money} | equity {money} |"]
    lines += ["|---|---:|---:|---:|---:|"]
    lines += [
        f"| {one.name} | {one.trades} | {amount(one.r)} | {amount(one.pnl)} "
        f"| {amount(one.end_equity)} |"
        for one in report.parts
    ]
    lines += denials_table(report.denials)
    lines += comparison_table(report.baseline)
    if report.notes is not None:
        lines += ["", "## Notes", "", report.notes.rstrip("\n")]
    return "\n".join(lines) + "\n"


def _groups(title: str, rows: list[Group], money: str) -> list[str]:
    if not rows:
        return []
    head = f"| name | trades | win rate | R | P&L {money} | edge | spread | slippage | fees |"
    return [
        "",
        f"## {title}",
        "",
        head,
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
        *(
            f"| {markdown(one.name)} | {one.trades} | {percent(one.win_rate)} | {amount(one.r)} "
            f"| {amount(one.pnl)} | {amount(one.edge)} | {amount(one.spread)} "
            f"| {amount(one.slippage)} | {amount(one.fees)} |"
            for one in rows
        ),
    ]
