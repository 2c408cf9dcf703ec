"""``foliod report``: daily, weekly, monthly reports, one since inception, and the tear sheet.

It finds the runs and prints what was written; what a report says is ``daemon.reports``'.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from daemon.cli.options import Options, pass_options
from daemon.cli.runs import folder_of

if TYPE_CHECKING:
    from daemon.reports.comparison import Baseline
    from daemon.reports.hindsight import Hindsight

_Command = Callable[..., Any]


def _shared(command: _Command) -> _Command:
    """Add what every report takes."""
    command = click.option(
        "--baseline", metavar="RUN", help="A run to stand beside this one, by name or folder."
    )(command)
    command = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")(
        command
    )
    return click.argument("run", required=False)(command)


@click.group()
def report() -> None:
    """Write reports of a run (default: the newest) as JSON, Markdown and one-file HTML.

    Only what is missing or says something new is written. A file NAME.notes.md beside a report is
    yours: it is included and never touched.

    \b
    Example:
      foliod report day
      foliod report month --baseline 20240226T080000Z-r0123456789ab
      foliod report tearsheet
    """


@report.command()
@click.option("--png", is_flag=True, help="Draw the picture of the newest day too, as PNG.")
@click.option("--date", metavar="DATE", help="With --png: the day to draw, YYYY-MM-DD.")
@_shared
@pass_options
def day(
    options: Options,
    /,
    run: str | None,
    baseline: str | None,
    as_json: bool,
    png: bool,
    date: str | None,
) -> None:
    """Write the report of every trading day: final once it rolled, provisional before.

    \b
    Example:
      foliod report day
      foliod report day --png --date 2024-01-17
    """
    from daemon.reports.daily import write_due

    if date is not None and not png:
        raise click.UsageError("--date says which day --png draws; give both")
    folder = folder_of(options, run)

    async def write() -> list[Path]:
        at_ns = await _now_ns(folder)
        beside = await _baseline(options, baseline)
        written = await write_due(folder, at_ns, baseline=beside)
        pages = [path for path in written if path.suffix == ".html"]
        if png:
            from daemon.reports.picture import write_day_picture

            pages.append(await write_day_picture(folder, date))
        return pages

    _say(options, folder / "reports" / "daily", asyncio.run(write()), as_json)


def _period(name: str, text: str) -> None:
    """Add the command of one kind of period."""

    @report.command(name, help=f"{text}\n\n\b\nExample:\n  foliod report {name}")
    @_shared
    @pass_options
    def command(options: Options, /, run: str | None, baseline: str | None, as_json: bool) -> None:
        from daemon.reports.periods import Kind, write_periods
        from daemon.reports.periods import folder_of as reports_of

        folder, kind = folder_of(options, run), Kind(name)

        async def write() -> list[Path]:
            at_ns = await _now_ns(folder)
            beside = await _baseline(options, baseline)
            return await write_periods(folder, kind, at_ns, baseline=beside)

        _say(options, reports_of(folder, kind), asyncio.run(write()), as_json)


_period("week", "Write the report of every week (ISO 8601, from Monday).")
_period("month", "Write the report of every month.")
_period("inception", "Write the report of the whole time.")


@report.command()
@click.option("--no-bars", is_flag=True, help="Do not read the bars again: only the database.")
@_shared
@pass_options
def tearsheet(
    options: Options, /, run: str | None, baseline: str | None, as_json: bool, no_bars: bool
) -> None:
    """Write the tear sheet of a run and print its path.

    Where the run's bar files are still there, unchanged, it also says how far trades went for and
    against, and what each denied entry would have made alone.

    \b
    Example:
      foliod report tearsheet
      foliod report tearsheet 20240226T080000Z-r0123456789ab --json
    """
    from daemon.reports.tally import as_json as encoded
    from daemon.reports.tearsheet import TearSheet, write_tearsheet

    folder = folder_of(options, run)

    async def write() -> tuple[Path, TearSheet]:
        at_ns = await _now_ns(folder)
        beside = await _baseline(options, baseline)
        after = None if no_bars else await _hindsight(folder)
        return await write_tearsheet(folder, at_ns, hindsight=after, baseline=beside)

    path, sheet = asyncio.run(write())
    if options.json or as_json:
        click.echo(encoded(sheet), nl=False)
    else:
        click.echo(path)


@report.command()
@click.option(
    "--day",
    "date",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="DATE",
    help="A trading day in the portfolio's zone. Default: the one that goes on.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.argument("run", required=False)
@pass_options
def parity(options: Options, /, run: str | None, date: datetime | None, as_json: bool) -> None:
    """Decide a daemon's day once more and say whether all of it comes out again.

    From the newest snapshot before the day, with the same bars and commands; the daemon may be at
    work. Writes YYYY-MM-DD.parity.md and .json beside the daily report. Exit status 0: every entry
    came out again; 1: not so, and the first difference is named.

    \b
    Example:
      foliod report parity
      foliod report parity var/london --day 2024-01-17
    """
    from config.load import load
    from daemon.parity import redecide, text, write_parity
    from daemon.runtime.run_index import manifest_of
    from state.errors import ExitCode, FeedError

    folder = folder_of(options, run)
    if manifest_of(folder).mode == "replay":
        raise FeedError(f"{folder} is a replay's: `foliod verify {folder.name}` decides it again")
    settings = load([folder / "config.toml"], {})
    with redirect_stdout(sys.stderr):  # what a re-decided strategy prints is no result
        found = asyncio.run(redecide(folder, settings, date.toordinal() if date else None))
    path = write_parity(folder, found)
    if options.json or as_json:
        import msgspec

        click.echo(msgspec.json.format(msgspec.json.encode(found)).decode())
    else:
        for line in text(found):
            click.echo(line)
        click.echo(path, err=True)
    if not found.ok:
        sys.exit(ExitCode.NO)


async def _now_ns(folder: Path) -> int:
    """Return the run's clock: the instant of its last journal entry.

    Raises:
        JournalError: the database cannot be read, or holds no run.
    """
    from state.errors import JournalError
    from state.queries import DATABASE, open_book

    async with open_book(folder / DATABASE) as book:
        last = await book.journal_tail(1)
    if not last:
        raise JournalError(f"{folder}: no run was recorded here; there is nothing to report")
    return last[0].at_ns


async def _hindsight(folder: Path) -> Hindsight | None:
    """Read the run's bars again; where that cannot be done, say why and go on without."""
    from daemon.aftermath import look_back
    from state.errors import FoliodError, JournalError

    try:
        return await look_back(folder)
    except JournalError:
        raise
    except FoliodError as problem:
        first = str(problem).splitlines()[0]
        click.echo(f"note: without excursions and denied entries: {first}", err=True)
        return None


async def _baseline(options: Options, run: str | None) -> Baseline | None:
    from daemon.reports.comparison import read_baseline

    return None if run is None else await read_baseline(folder_of(options, run))


def _say(options: Options, folder: Path, written: list[Path], as_json: bool) -> None:
    """Print which pages were written, or that there is nothing new."""
    if options.json or as_json:
        import msgspec

        names = [str(path) for path in written]
        found = {"folder": str(folder), "written": names}
        click.echo(msgspec.json.format(msgspec.json.encode(found)).decode())
        return
    for path in written:
        click.echo(path)
    if not written:
        click.echo(f"{folder}: nothing new to say", err=True)
