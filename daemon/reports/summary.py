"""The end of a run: ``summary.json``, ``summary.md`` and the table on the terminal.

Built from the database alone. The same database and instant give the same bytes.
"""

from __future__ import annotations

import shlex
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from daemon.core.day_measures import Drawdown, ReturnsSoFar, Sharpe
from daemon.core.plain import markdown, plain
from daemon.reports.daily import denials_table
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
from state.entries import (
    BarsConsumed,
    BarsRefused,
    CashMoved,
    EngineQuarantined,
    HaltSet,
    RunEnded,
)
from state.errors import JournalError
from state.queries import DATABASE, Book, denial, open_book
from state.units import day_text, utc_text

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

SCHEMA: Final = 1
_KINDS: Final = (
    "BarsConsumed",
    "BarsRefused",
    "CashMoved",
    "EngineQuarantined",
    "HaltSet",
    "RunEnded",
)


class Refused(msgspec.Struct, frozen=True):
    """Rows of a symbol's source that did not become bars, by reason; ``first`` is where."""

    symbol: str
    reason: str
    count: int
    first: str


class Summary(msgspec.Struct, frozen=True):
    """A whole run. Amounts are ``currency``, fractions 0.05 for 5 %; ``trades.r`` is net R.

    ``drawdown`` is the largest fall of marked equity below an earlier peak, deposits taken out.
    ``days_stopped`` are the trading days (dates) on which the daily R-stop was hit;
    ``days`` counts the day that has not rolled too;
    ``cancelled`` counts entry orders that ended without a fill, by code. ``quarantined`` has an
    engine and its error each; such an engine decided nothing from then on.
    """

    schema: int
    generated: str
    run: str
    portfolio_id: str
    run_id: str
    mode: str
    version: str
    config_hash: str
    currency: str
    ended: str
    bars: int
    days: int
    start_equity: Decimal
    end_equity: Decimal
    drawdown: float
    sharpe: Sharpe
    trades: Totals
    biggest_winner: Extreme | None
    biggest_loser: Extreme | None
    by_strategy: list[Group]
    by_symbol: list[Group]
    denials: Gates
    cancelled: dict[str, int]
    days_stopped: list[str]
    refused_bars: list[Refused]
    quarantined: list[str]
    open_positions: int
    next_commands: list[str]


class _Pass(msgspec.Struct):
    """What one pass over the journal's rarer entries found."""

    bars: int = 0
    ended: str = ""
    refused: list[Refused] = msgspec.field(default_factory=list)
    stopped: list[str] = msgspec.field(default_factory=list)
    quarantined: list[str] = msgspec.field(default_factory=list)
    moved: list[tuple[int, Decimal]] = msgspec.field(default_factory=list)


async def summarise(run_folder: Path, generated_ns: int) -> Summary:
    """Add up a run; ``generated_ns`` is the run's clock.

    Raises:
        JournalError: the database cannot be read, or holds no run.
    """
    async with open_book(run_folder / DATABASE) as book:
        opened, run = await book.opened(), await book.last_run()
        if opened is None or run is None:
            raise JournalError(f"{run_folder}: no run was recorded here; nothing to summarise")
        tally = Tally()
        async for trade in book.closed_trades():
            tally.add(trade)
        found = await _rare_entries(book)
        denials = await _denials(book)
        drawdown = await _drawdown(book, float(opened.cash), found.moved)
        sharpe, days = await _sharpe(book, found.moved)
        marks = await book.equity(limit=1)
        return Summary(
            schema=SCHEMA,
            generated=utc_text(generated_ns),
            run=run_folder.name,
            portfolio_id=opened.portfolio_id,
            run_id=run.run_id,
            mode=run.mode,
            version=run.version,
            config_hash=run.config_hash,
            currency=opened.base_currency,
            ended=found.ended,
            bars=found.bars,
            days=days + 1,
            start_equity=opened.cash,
            end_equity=marks[-1].equity if marks else opened.cash,
            drawdown=round(drawdown, 8),
            sharpe=sharpe,
            trades=tally.totals(),
            biggest_winner=tally.winner,
            biggest_loser=tally.loser,
            by_strategy=tally.by_strategy(),
            by_symbol=tally.by_symbol(),
            denials=denials,
            cancelled=await _cancelled(book),
            days_stopped=found.stopped,
            refused_bars=found.refused,
            quarantined=found.quarantined,
            open_positions=len(await book.positions()),
            next_commands=await _next_commands(book, run_folder.name),
        )


async def write_summary(run_folder: Path, generated_ns: int) -> Summary:
    """Write ``summary.json`` and ``summary.md`` into the run folder and return the summary.

    Raises:
        JournalError: the database cannot be read, or holds no run.
        OSError: a file cannot be written.
    """
    summary = await summarise(run_folder, generated_ns)
    write_whole(run_folder / "summary.md", text(summary).encode())
    write_whole(run_folder / "summary.json", as_json(summary))
    return summary


def text(summary: Summary) -> str:
    """Write a summary as Markdown."""
    lines = [
        f"# Run {markdown(summary.run)}",
        "",
        f"Portfolio {markdown(summary.portfolio_id)}, mode {markdown(summary.mode)}, version "
        f"{markdown(summary.version)}, config {markdown(summary.config_hash)}, run "
        f"{markdown(summary.run_id)}, generated {summary.generated}.",
        "",
        "| measure | value |",
        "|---|---:|",
        *(f"| {name} | {markdown(value)} |" for name, value in figures(summary)),
    ]
    for title, rows in (("By strategy", summary.by_strategy), ("By symbol", summary.by_symbol)):
        if rows:
            lines += ["", f"## {title}", "", "| name | trades | win rate | R | P&L | fees |"]
            lines += ["|---|---:|---:|---:|---:|---:|"]
            lines += [
                f"| {markdown(one.name)} | {one.trades} | {percent(one.win_rate)} "
                f"| {amount(one.r)} | {amount(one.pnl)} | {amount(one.fees)} |"
                for one in rows
            ]
    lines += denials_table(summary.denials)
    if summary.refused_bars:
        lines += ["", "## Refused bars", "", "| symbol | reason | count | first |"]
        lines += ["|---|---|---:|---|"]
        lines += [
            f"| {markdown(one.symbol)} | {markdown(one.reason)} | {one.count} "
            f"| {markdown(one.first)} |"
            for one in summary.refused_bars
        ]
    lines += ["", "## Next", "", *(f"    {plain(one)}" for one in summary.next_commands)]
    return "\n".join(lines) + "\n"


def figures(summary: Summary) -> list[tuple[str, str]]:
    """Return the figures of a run as (name, text), the same in Markdown and on the terminal."""
    total, money, sharpe = summary.trades, summary.currency, summary.sharpe
    ratio = "-" if sharpe.value is None else f"{sharpe.value:.2f}"
    stopped = ", ".join(summary.days_stopped[:5]) + (
        " ..." if len(summary.days_stopped) > 5 else ""
    )
    cancelled = ", ".join(f"{code} {count}" for code, count in summary.cancelled.items())
    return [
        ("Ended", summary.ended or "no end was recorded"),
        ("Bars / trading days", f"{summary.bars} / {summary.days}"),
        ("Trades (won / lost)", f"{total.trades} ({total.wins} / {total.losses})"),
        ("Win rate", percent(total.win_rate)),
        ("Net R", amount(total.r)),
        ("Expectancy", f"{amount(total.expectancy_r)} R a trade"),
        ("Profit factor", amount(total.profit_factor)),
        ("P&L after fees", f"{amount(total.pnl)} {money}"),
        ("Fees", f"{amount(total.fees)} {money}"),
        ("Spread + slippage paid", f"{amount(total.spread + total.slippage)} {money}"),
        ("Equity", f"{amount(summary.start_equity)} to {amount(summary.end_equity)} {money}"),
        ("Largest drawdown", percent(summary.drawdown)),
        (
            f"Sharpe ({sharpe.n} days, null below {sharpe.min_n}, "
            f"x sqrt({sharpe.periods_per_year:g}))",
            ratio,
        ),
        ("Open positions", str(summary.open_positions)),
        ("Entries cancelled", cancelled or "none"),
        ("Days stopped by the R-stop", f"{len(summary.days_stopped)} {stopped}".strip()),
        ("Refused bars", str(sum(one.count for one in summary.refused_bars))),
        ("Quarantined engines", "; ".join(summary.quarantined) or "none"),
    ]


def show(summary: Summary, console: Console) -> None:
    """Print a summary as tables, 80 columns wide at least readable without colour."""
    from rich.table import Table
    from rich.text import Text

    main = Table(title=Text(f"Run {plain(summary.run)}"), show_header=False, min_width=60)
    main.add_column()
    main.add_column(justify="right", overflow="fold")
    for name, value in figures(summary):
        main.add_row(name, Text(plain(value)))
    console.print(main)
    for title, rows in (("By strategy", summary.by_strategy), ("By symbol", summary.by_symbol)):
        if rows:
            console.print(_group_table(title, rows))
    if summary.denials:
        denied = Table(title="Denials by gate", min_width=60)
        for head in ("gate", "code", "count"):
            denied.add_column(head, justify="right" if head == "count" else "left")
        for gate, codes in summary.denials.items():
            for code, count in codes.items():
                denied.add_row(Text(plain(gate)), Text(plain(code)), str(count))
        console.print(denied)
    console.print("Next:", style="bold")
    for command in summary.next_commands:
        console.print(Text(f"  {plain(command)}"))


def _group_table(title: str, rows: list[Group]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, min_width=60)
    for head in ("name", "trades", "win rate", "R", "P&L", "fees"):
        table.add_column(head, justify="left" if head == "name" else "right")
    for one in rows:
        table.add_row(
            Text(plain(one.name)),
            str(one.trades),
            percent(one.win_rate),
            amount(one.r),
            amount(one.pnl),
            amount(one.fees),
        )
    return table


async def _rare_entries(book: Book) -> _Pass:
    found = _Pass()
    refused: dict[tuple[str, str], Refused] = {}
    async for line in book.entries_after(0, kinds=_KINDS):
        entry = line.entry
        if isinstance(entry, BarsConsumed):
            found.bars += entry.count
        elif isinstance(entry, CashMoved):
            found.moved.append((line.seq, entry.amount))
        elif isinstance(entry, HaltSet):
            if entry.name == "r_stop" and entry.day:
                found.stopped.append(day_text(entry.day))
        elif isinstance(entry, EngineQuarantined):
            found.quarantined.append(f"{entry.symbol}/{entry.strategy}: {entry.error[:200]}")
        elif isinstance(entry, RunEnded):
            found.ended = entry.reason
        elif isinstance(entry, BarsRefused):
            key = (entry.symbol, entry.reason)
            old = refused.get(key)
            refused[key] = Refused(
                entry.symbol,
                entry.reason,
                entry.count + (old.count if old else 0),
                old.first if old else entry.first,
            )
    found.refused = [refused[key] for key in sorted(refused)]
    found.stopped = sorted(set(found.stopped))
    return found


async def _denials(book: Book) -> Gates:
    gates: Gates = {}
    async for seq, decided in book.decided_after(0):
        if decided.outcome != "ACCEPTED":
            binding = denial(seq, decided)
            count_denial(gates, binding.gate, binding.code)
    return sorted_gates(gates)


async def _cancelled(book: Book) -> dict[str, int]:
    counts: dict[str, int] = {}
    for one in await book.orders():
        if one.purpose == "entry" and one.state in ("CANCELLED", "REJECTED") and not one.filled:
            counts[one.code or one.state] = counts.get(one.code or one.state, 0) + 1
    return dict(sorted(counts.items()))


async def _drawdown(book: Book, cash: float, moved: list[tuple[int, Decimal]]) -> float:
    """Return the largest fall of marked equity, deposits and withdrawals taken out."""
    fall, taken, waiting = Drawdown(), 0.0, list(reversed(moved))
    fall.add(cash)
    async for mark in book.marks():
        while waiting and waiting[-1][0] < mark.seq:
            taken += float(waiting.pop()[1])
        fall.add(float(mark.equity) - taken)
    return fall.worst


async def _sharpe(book: Book, moved: list[tuple[int, Decimal]]) -> tuple[Sharpe, int]:
    """Return the Sharpe ratio of the days that rolled, and how many days there were."""
    returns, waiting = ReturnsSoFar(), list(reversed(moved))
    days = await book.days()
    for day in days:
        inside = Decimal(0)
        while waiting and waiting[-1][0] < day.seq:
            inside += waiting.pop()[1]
        if day.start_equity > 0:
            gain = day.end_equity - day.start_equity - inside
            returns.add(day.day, float(gain / day.start_equity))
    return returns.sharpe(), len(days)


async def _next_commands(book: Book, run: str) -> list[str]:
    """Return three commands worth trying now."""
    run = shlex.quote(run)
    found = [f"foliod status {run}", f"foliod show trades {run}"]
    last = await book.decisions(limit=1)
    if last:
        decided = last[0][1]
        engine = f"{shlex.quote(decided.strategy)} {shlex.quote(decided.symbol)}"
        return [*found, f"foliod why {engine} {run}"]
    return [*found, f"foliod tail {run}"]
