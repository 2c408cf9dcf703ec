"""``foliod session``: one trading day, then exit with what it came to. The day is the daemon's.

A dry run says what would be done from the configuration and the bars; it writes nothing.
"""

from __future__ import annotations

import sys
import tempfile
import textwrap
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from daemon.cli.aggregate import Limit
from daemon.cli.options import Options, loop_option, mode_option, pass_options, speed_option
from daemon.cli.run import live_options, run_in_loop
from daemon.runtime.closing import Wanted

if TYPE_CHECKING:
    from config.settings import Settings
    from daemon.cli.show_windows import Row
    from daemon.runtime.session_day import SessionDay
    from daemon.session import Outcome


@click.command()
@mode_option
@speed_option
@click.option("--dry-run", is_flag=True, help="Say what would be done; write nothing.")
@click.option("--no-analytics", is_flag=True, help="Afterwards only the daily report.")
@click.option("--no-backtest", is_flag=True, help="Do not decide the day once more afterwards.")
@click.option("--min-sharpe", type=Limit(), metavar="X", help="Fail below this annualised Sharpe.")
@click.option(
    "--max-drawdown", type=Limit(0.0), metavar="Y", help="Fail above this drawdown, in percent."
)
@loop_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@pass_options
def session(
    options: Options,
    /,
    mode: str,
    speed: str,
    dry_run: bool,
    no_analytics: bool,
    no_backtest: bool,
    min_sharpe: float | None,
    max_drawdown: float | None,
    loop: str,
    as_json: bool,
) -> None:
    """Trade one day: wait for its first window, trade to the end of its last one, report, exit.

    The day is the next one, in the bars or on the feed, on which a window opens. Positions that a
    strategy holds over the day stay. The thresholds are those of `foliod aggregate`, for the
    portfolio's marked equity. Exit status 0: the day was traded and all is well; 1: an engine
    stopped, a report failed, the day does not come out again, or the gate says no, and it is named;
    75: the day was broken off, or there is none left; others as of `foliod run`.

    \b
    Example:
      foliod -c india.toml session --dry-run
      foliod -c india.toml session --mode paper --speed 60 --max-drawdown 10
    """
    from adapters.clock import SystemClock
    from daemon.reports.aggregate_gate import Thresholds
    from daemon.runtime.ownership import check_ownership
    from daemon.session import trade_one_day

    settings, given = live_options(options, speed)
    is_json = as_json or options.json
    wanted = Wanted(analytics=not no_analytics, parity=not (no_analytics or no_backtest))
    thresholds = Thresholds(min_sharpe, max_drawdown)
    if dry_run:
        _dry_run(settings, wanted, thresholds, as_json=is_json)
        return
    check_ownership()
    given = replace(given, wanted=wanted, one_day=True)
    if is_json:
        given = replace(given, say=_to_stderr)
    outcome = run_in_loop(lambda: trade_one_day(settings, given, thresholds, SystemClock()), loop)
    _show(outcome, as_json=is_json, is_live=settings.feed.is_live)
    if outcome.status:
        sys.exit(outcome.status)


def _to_stderr(line: str) -> None:
    click.echo(line, err=True)


def _show(outcome: Outcome, *, as_json: bool, is_live: bool) -> None:
    if as_json:
        import msgspec

        click.echo(msgspec.json.format(msgspec.json.encode(outcome)).decode())
        return
    count = outcome.trades
    click.echo(
        f"{outcome.date}: {count} trade{'s' * (count != 1)}, {outcome.r:+.2f} R,"
        f" P&L {outcome.pnl:+,.2f}; ended {outcome.reason}"
    )
    for one in outcome.trouble:
        click.echo(f"not well: {one}")
    for one in outcome.gate:
        click.echo(f"gate: {one}")
    if outcome.reason == "STOPPED":
        click.echo("broken off before the day was over; call it again to go on with it")
    elif not outcome.traded:
        click.echo(
            f"no bar came after {outcome.opens}, when it opens: see `foliod status`"
            if is_live
            else f"the bars end before {outcome.opens}, when it opens: add newer rows"
        )


# The dry run --------------------------------------------------------------------------------------


def _dry_run(settings: Settings, wanted: Wanted, thresholds: Any, *, as_json: bool) -> None:  # noqa: ANN401
    """Say what a session would do now."""
    import asyncio

    from daemon.cli.show_windows import render, schedules
    from daemon.runtime.session_day import next_day
    from state.errors import NothingToDo
    from state.units import day_text, utc_text

    now_ns = asyncio.run(_clock_ns(settings))
    first_ns = _present_ns() if settings.feed.is_live else _next_bar_ns(settings, now_ns)
    if first_ns is None:
        last = utc_text(now_ns)
        raise NothingToDo(f"the bars end at {last}: there is no day left; add newer rows")
    from_ns = max(now_ns, first_ns)
    with tempfile.TemporaryDirectory(prefix="foliod-session-") as folder:
        # Exchange calendars are kept below the data folder; a dry run leaves that as it is.
        portfolio = settings.portfolio.model_copy(update={"data_dir": Path(folder)})
        named = schedules(settings.model_copy(update={"portfolio": portfolio}))
    zone = settings.portfolio.zone
    day = next_day([one for _, one in named], zone, from_ns)
    if day is None:
        raise NothingToDo("no window of any strategy opens again; see `foliod show windows`")
    rows = [one for one in render(named, from_ns, 8, zone) if _is_of(one, day)]
    if as_json:
        import msgspec

        answer = {
            "portfolio_id": settings.portfolio.id,
            "date": day_text(day.day),
            "opens": utc_text(day.opens_ns),
            "closes": utc_text(day.closes_ns),
            "now": utc_text(from_ns),
            "windows": rows,
            "engines": _engines(settings),
            "after": _after(settings, wanted, thresholds),
        }
        click.echo(msgspec.json.format(msgspec.json.encode(answer)).decode())
        return
    for line in _lines(settings, day, from_ns, rows):
        click.echo(line)
    for line in _wrapped("then: " + "; ".join(_after(settings, wanted, thresholds))):
        click.echo(line)
    click.echo("nothing was done")


def _is_of(row: Row, day: SessionDay) -> bool:
    from state.units import utc_text

    return row.start_utc is None or row.start_utc < utc_text(day.closes_ns)


async def _clock_ns(settings: Settings) -> int:
    """Return the portfolio's clock: the instant of its last journal entry, 0 for a new one."""
    from state.queries import DATABASE, open_book

    database = settings.portfolio.data_dir / settings.portfolio.id / DATABASE
    if not database.exists():
        return 0
    async with open_book(database) as book:
        last = await book.journal_tail(1)
    return last[0].at_ns if last else 0


def _present_ns() -> int:
    from adapters.clock import SystemClock

    return SystemClock().now_ns()


def _next_bar_ns(settings: Settings, now_ns: int) -> int | None:
    """Return when the first bar opens that closes after an instant."""
    from adapters.feeds.merge import merge
    from daemon.runtime.bar_files import BarFiles
    from daemon.wiring import intervals_of

    for part in merge(BarFiles(settings, intervals_of(settings)).feeds(), 16_384):
        later = part.close_ns > now_ns
        if later.any():
            return int(part.open_ns[later].min())
    return None


def _lines(settings: Settings, day: SessionDay, from_ns: int, rows: list[Row]) -> Iterator[str]:
    """Yield the plan of the day: windows, engines, limits."""
    from daemon.cli.show_windows import text
    from state.units import day_text, utc_text

    portfolio = settings.portfolio
    yield (
        f"Session of {portfolio.id} on {day_text(day.day)} ({portfolio.zone}), paper: from"
        f" {utc_text(from_ns)}"
    )
    waits = f"waits for {utc_text(day.opens_ns)}, " if day.opens_ns > from_ns else ""
    yield f"{waits}trades until {utc_text(day.closes_ns)}"
    yield ""
    yield from text(rows)
    yield ""
    yield "engines:"
    for line in _engines(settings):
        yield from textwrap.wrap(line, 78, initial_indent="  ", subsequent_indent="      ")
    yield from _wrapped("limits: " + ", ".join(_limits(settings)))


def _wrapped(line: str) -> list[str]:
    return textwrap.wrap(line, 80, subsequent_indent="  ")


def _engines(settings: Settings) -> list[str]:
    """Return a line for each strategy: one engine a symbol."""
    return [
        f"{one.name}: {one.kind} {one.interval} on {' '.join(one.symbols)},"
        f" at the end of a window: {one.at_end}"
        for one in settings.strategies
        if one.enabled
    ]


def _limits(settings: Settings) -> list[str]:
    """Return the limits that matter most, as an operator says them."""
    risk, caps, pacing = settings.risk, settings.risk.caps, settings.pacing
    drawdown = risk.drawdown.lock_fraction
    return [
        "no daily R-stop" if risk.daily_r_stop is None else f"daily R-stop {risk.daily_r_stop:g} R",
        "no drawdown lock" if drawdown is None else f"drawdown lock {drawdown:%}",
        f"{caps.max_positions} positions, {caps.max_positions_per_symbol} a symbol",
        f"order up to {caps.max_order_value:,}",
        f"gross exposure up to {caps.max_gross_exposure:,} {settings.portfolio.base_currency}",
        f"{pacing.per_hour} entries an hour, {pacing.per_day} a day"
        if pacing.enabled
        else "no pacing",
    ]


def _after(settings: Settings, wanted: Wanted, thresholds: Any) -> list[str]:  # noqa: ANN401
    """Return what follows the day's last window."""
    found = []
    if settings.end_of_day.reports:
        found.append("daily report")
        if wanted.analytics:
            found.append("weekly, monthly and inception reports of what ended before the day")
        if wanted.parity:
            found.append("the day decided once more (parity)")
    if thresholds.min_sharpe is not None:
        found.append(f"gate: Sharpe {thresholds.min_sharpe:g} or more")
    if thresholds.max_drawdown_pct is not None:
        found.append(f"gate: drawdown {thresholds.max_drawdown_pct:g} % or less")
    return [*found, "exit"]
