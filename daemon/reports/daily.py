"""The report of each portfolio day: ``reports/daily/YYYY-MM-DD.{json,md,html}`` (T2).

Built from the database alone, all days in one pass. Provisional while the day has not rolled, final
after; a final report is written again only when the operator's notes changed. The same database,
notes and instant give the same bytes. ``YYYY-MM-DD.notes.md`` is the operator's: read, never
written.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Final

import msgspec

from daemon.core.civil import CivilClock
from daemon.core.day_measures import ReturnsSoFar, Sharpe
from daemon.core.plain import markdown
from daemon.reports import svg
from daemon.reports.comparison import Baseline, Comparison, comparison_table
from daemon.reports.html import page
from daemon.reports.metrics import max_drawdown
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
    sorted_gates,
)
from daemon.reports.whole_file import write_whole
from state.entries import CashMoved, Decided, PortfolioOpened, RunStarted
from state.queries import DATABASE, Book, denial, open_book
from state.table_rows import PortfolioDay
from state.units import HOUR_NS, day_text, utc_text

SCHEMA: Final = 1
_NOTES_BYTES: Final = 65_536


class DayReport(msgspec.Struct, frozen=True):
    """One portfolio day. Amounts are ``currency``, fractions 0.05 for 5 %.

    ``final``: the day has rolled. ``sharpe`` is over the daily returns up to this day; ``drawdown``
    the largest fall below the day's own peak; ``denials`` counts binding denials by gate and code;
    ``generated`` is the run's clock; ``baseline`` compares with the same day of another run.
    ``schema`` is 1; fields are only ever added.
    """

    schema: int
    date: str
    final: bool
    generated: str
    portfolio_id: str
    run_id: str
    mode: str
    version: str
    config_hash: str
    currency: str
    start_equity: Decimal
    end_equity: Decimal
    realised_pnl: Decimal
    trades: Totals
    sharpe: Sharpe
    drawdown: float
    biggest_winner: Extreme | None
    biggest_loser: Extreme | None
    by_strategy: list[Group]
    by_symbol: list[Group]
    denials: Gates
    open_positions: int
    notes: str | None
    baseline: Comparison | None = None
    by_version: list[Group] = []


class _Found(msgspec.Struct):
    """What the pass over the database found, by trading day."""

    opened: PortfolioOpened
    run: RunStarted
    days: list[PortfolioDay]
    trades: dict[int, Tally]
    denials: dict[int, Gates]
    moved: dict[int, Decimal]
    curves: dict[int, list[svg.Point]]
    baseline: Baseline | None


async def write_due(
    run_folder: Path,
    generated_ns: int,
    *,
    provisional: bool = True,
    baseline: Baseline | None = None,
) -> list[Path]:
    """Write every daily report that is missing or provisional, and return the files written.

    ``generated_ns`` is the run's clock. With ``provisional`` the day that has not rolled gets a
    report too. A report that would say the same as the one there is left alone. A ``baseline`` is
    set beside every day; without one a final report keeps the comparison that it has.

    Raises:
        JournalError: the database cannot be read.
        OSError: a report cannot be written.
    """
    folder = run_folder / "reports" / "daily"
    async with open_book(run_folder / DATABASE) as book:
        opened, run = await book.opened(), await book.last_run()
        if opened is None or run is None:
            return []
        days = await book.days()
        due = {one.day for one in days if _is_due(folder, one.day, baseline)}
        if provisional:
            present = await present_day(book, opened, days)
            days = [*days, present]
            due.add(present.day)
        if not due:
            return []
        found = await _collect(book, opened, run, days, min(due))
        found.baseline = baseline
    written: list[Path] = []
    rolled = len(days) - 1 if provisional else len(days)
    returns = ReturnsSoFar()
    for index, day in enumerate(days):
        moved = found.moved.get(day.day, Decimal(0))
        if day.start_equity > 0:
            returns.add(
                day.day, float((day.end_equity - day.start_equity - moved) / day.start_equity)
            )
        if day.day in due:
            report = _report(found, day, returns.sharpe(), generated_ns, final=index < rolled)
            written += _write(folder, report, found.curves.get(day.day, []))
    return written


def read_report(path: Path) -> DayReport | None:
    """Read a report back; None when there is none that can be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=DayReport)
    except (OSError, msgspec.MsgspecError):
        return None


def _is_due(folder: Path, day: int, baseline: Baseline | None) -> bool:
    """Whether a day that has rolled lacks its final report with the present notes and baseline."""
    name = day_text(day)
    old = read_report(folder / f"{name}.json")
    if old is None or not old.final or not _is_whole(folder, name):
        return True
    if baseline is not None and (old.baseline is None or old.baseline.run != baseline.run):
        return True
    return old.notes != _notes(folder, name)


def _is_whole(folder: Path, name: str) -> bool:
    return all((folder / f"{name}.{kind}").exists() for kind in ("md", "html"))


async def present_day(
    book: Book, opened: PortfolioOpened, days: list[PortfolioDay]
) -> PortfolioDay:
    """Return the day that has not rolled, as far as it went."""
    start = days[-1].end_equity if days else opened.cash
    since = days[-1].seq if days else 0
    marks = await book.equity(after_seq=since)
    return PortfolioDay(
        day=await book.present_day(),
        seq=await book.last_seq(),
        start_equity=start,
        end_equity=marks[-1].equity if marks else start,
        gross=Decimal(0),
        net=Decimal(0),
        fees=Decimal(0),
        trades=0,
        drawdown=max_drawdown([float(start), *(float(one.equity) for one in marks)]),
        open_positions=len(await book.positions()),
    )


async def _collect(
    book: Book, opened: PortfolioOpened, run: RunStarted, days: list[PortfolioDay], first: int
) -> _Found:
    """Read the trades and denials of all days from ``first`` on, and all deposits."""
    found = _Found(opened, run, days, {}, {}, {}, {}, None)
    async for trade in book.closed_trades(since_day=first):
        found.trades.setdefault(trade.trading_day, Tally()).add(trade)
    after = max((one.seq for one in days if one.day < first), default=0)
    async for seq, decided in book.decided_after(after):
        if decided.outcome != "ACCEPTED":
            _count(found.denials.setdefault(decided.day, {}), seq, decided)
    rolled, clock = [one.seq for one in days], CivilClock(opened.zone)
    async for mark in book.marks(after):
        index = bisect_left(rolled, mark.seq)
        if index < len(days):
            marked = days[index]
            opening = (clock.day_start_ns(marked.day), float(marked.start_equity))
            curve = found.curves.setdefault(marked.day, [opening])
            curve.append((mark.at_ns, float(mark.equity)))
    async for line in book.entries_after(0, kinds=("CashMoved",)):
        index = bisect_left(rolled, line.seq)
        if isinstance(line.entry, CashMoved) and index < len(days):
            day = days[index].day
            found.moved[day] = found.moved.get(day, Decimal(0)) + line.entry.amount
    return found


def _count(gates: Gates, seq: int, decided: Decided) -> None:
    binding = denial(seq, decided)
    count_denial(gates, binding.gate, binding.code)


def _report(
    found: _Found, day: PortfolioDay, sharpe: Sharpe, generated_ns: int, *, final: bool
) -> DayReport:
    tally = found.trades.get(day.day) or Tally()
    total = tally.totals()
    return DayReport(
        schema=SCHEMA,
        date=day_text(day.day),
        final=final,
        generated=utc_text(generated_ns),
        portfolio_id=found.opened.portfolio_id,
        run_id=found.run.run_id,
        mode=found.run.mode,
        version=found.run.version,
        config_hash=found.run.config_hash,
        currency=found.opened.base_currency,
        start_equity=day.start_equity,
        end_equity=day.end_equity,
        realised_pnl=total.pnl,
        trades=total,
        sharpe=sharpe,
        drawdown=round(day.drawdown, 8),
        biggest_winner=tally.winner,
        biggest_loser=tally.loser,
        by_strategy=tally.by_strategy(),
        by_symbol=tally.by_symbol(),
        denials=sorted_gates(found.denials.get(day.day, {})),
        open_positions=day.open_positions,
        notes=None,
        baseline=found.baseline.compare(tally, day.day, day.day) if found.baseline else None,
        by_version=tally.by_version(),
    )


def _notes(folder: Path, name: str) -> str | None:
    """Return the operator's notes of a day, at most 64 KiB of them; None without a file."""
    try:
        with (folder / f"{name}.notes.md").open("rb") as file:
            return file.read(_NOTES_BYTES).decode("utf-8", "replace")
    except OSError:
        return None


def _write(folder: Path, report: DayReport, curve: list[svg.Point]) -> list[Path]:
    """Write all three files, unless they say the same already."""
    report = msgspec.structs.replace(report, notes=_notes(folder, report.date))
    paths = [folder / f"{report.date}.{kind}" for kind in ("json", "md", "html")]
    old = read_report(paths[0])
    if (
        old is not None
        and _is_whole(folder, report.date)
        and msgspec.structs.replace(report, generated=old.generated) == old
    ):
        return []
    write_whole(paths[2], html(report, curve))
    write_whole(paths[1], text(report).encode())
    write_whole(paths[0], as_json(report))
    return paths


def html(report: DayReport, curve: list[svg.Point]) -> bytes:
    """Write a report as a page; ``curve`` is the day's equity (UTC ns, amount), from its start."""
    picture = svg.curve(stepped(curve), title="Equity", unit=report.currency)
    return page("daily.html", report=report, money=report.currency, picture=picture)


def stepped(marks: Sequence[svg.Point]) -> list[svg.Point]:
    """Return a curve of marks that are made once an hour, where equity changed: flat else."""
    found = list(marks[:1])
    for at, value in marks[1:]:
        if at - found[-1][0] > HOUR_NS:
            found.append((at - HOUR_NS, found[-1][1]))
        found.append((at, value))
    return found


def text(report: DayReport) -> str:
    """Write a report as Markdown."""
    status = "final" if report.final else "provisional: the day has not rolled yet"
    total, sharpe = report.trades, report.sharpe
    money = markdown(report.currency)
    ratio = "-" if sharpe.value is None else f"{sharpe.value:.2f}"
    lines = [
        f"# {report.date} - {markdown(report.portfolio_id)} ({status})",
        "",
        f"Mode {markdown(report.mode)}, version {markdown(report.version)}, "
        f"config {markdown(report.config_hash)}, run {markdown(report.run_id)}, "
        f"generated {report.generated}.",
        "",
        "| measure | value |",
        "|---|---:|",
        f"| Trades (won / lost) | {total.trades} ({total.wins} / {total.losses}) |",
        f"| Win rate | {percent(total.win_rate)} |",
        f"| Realised P&L after fees | {amount(report.realised_pnl)} {money} |",
        f"| Fees | {amount(total.fees)} {money} |",
        f"| R | {amount(total.r)} |",
        f"| Equity | {amount(report.start_equity)} to {amount(report.end_equity)} {money} |",
        f"| Drawdown within the day | {percent(report.drawdown)} |",
        f"| Sharpe of {sharpe.n} daily returns, null below {sharpe.min_n}, "
        f"x sqrt({sharpe.periods_per_year:g}) | {ratio} |",
        f"| Biggest winner | {_extreme(report.biggest_winner, money)} |",
        f"| Biggest loser | {_extreme(report.biggest_loser, money)} |",
        f"| Open positions | {report.open_positions} |",
    ]
    lines += _table("By strategy", report.by_strategy, money)
    lines += _table("By symbol", report.by_symbol, money)
    lines += _table("By version", report.by_version, money)
    lines += denials_table(report.denials)
    lines += comparison_table(report.baseline)
    if report.notes is not None:
        lines += ["", "## Notes", "", report.notes.rstrip("\n")]
    return "\n".join(lines) + "\n"


def _extreme(one: Extreme | None, money: str) -> str:
    if one is None:
        return "-"
    name = f"{markdown(one.symbol)} {markdown(one.strategy)}"
    return f"{name}: {amount(one.pnl)} {money}, {amount(one.r)} R"


def _table(title: str, rows: list[Group], money: str) -> list[str]:
    if not rows:
        return []
    head = f"| name | trades | win rate | R | P&L {money} | fees {money} |"
    return [
        "",
        f"## {title}",
        "",
        head,
        "|---|---:|---:|---:|---:|---:|",
        *(
            f"| {markdown(one.name)} | {one.trades} | {percent(one.win_rate)} | {amount(one.r)} "
            f"| {amount(one.pnl)} | {amount(one.fees)} |"
            for one in rows
        ),
    ]


def denials_table(denials: Gates) -> list[str]:
    """Write the denials by gate and code as lines of Markdown, nothing without denials."""
    if not denials:
        return []
    return [
        "",
        "## Denials by gate",
        "",
        "| gate | code | count |",
        "|---|---|---:|",
        *(
            f"| {markdown(gate)} | {markdown(code)} | {count} |"
            for gate, codes in denials.items()
            for code, count in codes.items()
        ),
    ]
