"""What the tables of ``foliod show`` have in common: filters, forms, the way to the database.

A table is a function from what was asked for to its rows; ``table`` makes a verb of it.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click
import msgspec

from daemon.cli.options import Options, pass_options
from daemon.cli.runs import Instant, folder_of
from daemon.cli.table import Cell, Style, print_rows
from daemon.core.plain import plain
from daemon.runtime.run_folder import DATABASE
from daemon.runtime.status_lines import last_status
from state.units import NEVER_NS, utc_text

if TYPE_CHECKING:
    from state.queries import Book

Rows = list[Sequence[Cell]]


class Choice(msgspec.Struct):
    """What a table is asked for: the run and the filters, None where there is none."""

    run: str | None
    since_ns: int | None
    strategy: str | None
    symbol: str | None
    limit: int | None


def table(
    columns: Sequence[str], spare: Sequence[str] = (), shown: int | None = None
) -> Callable[[Callable[[Choice, Options], Rows]], click.Command]:
    """Make a verb from a function that returns its rows; its name is the verb's.

    People get the first ``shown`` columns, on a narrow terminal without those of ``spare`` (the
    first one goes first); CSV and JSON hold them all.
    """

    def decorate(rows: Callable[[Choice, Options], Rows]) -> click.Command:
        @pass_options
        def verb(
            options: Options,
            /,
            run: str | None,
            since_ns: int | None,
            strategy: str | None,
            symbol: str | None,
            limit: int | None,
            as_csv: bool,
            as_json: bool,
        ) -> None:
            is_json = as_json or options.json
            style: Style = "csv" if as_csv else "json" if is_json else "text"
            choice = Choice(run, since_ns, strategy, symbol, limit)
            found = rows(choice, options)
            if not found and (strategy or symbol):
                _name_known(choice, options)
            if style == "text":
                print_rows(columns[:shown], [row[:shown] for row in found], style, spare)
            else:
                print_rows(columns, found, style)

        name = rows.__name__.strip("_")
        command = click.command(name, help=rows.__doc__)(verb)
        command.params += _params()
        return command

    return decorate


def _name_known(choice: Choice, options: Options) -> None:
    """Say on stderr which names the run has, where a filter is none of them."""
    found = last_status(folder_of(options, choice.run))
    engines = [] if found is None else found.engines
    for what, given, known in (
        ("strategy", choice.strategy, {one.strategy for one in engines}),
        ("symbol", choice.symbol, {one.symbol for one in engines}),
    ):
        if given and known and given.casefold() not in map(str.casefold, known):
            names = ", ".join(plain(one) for one in sorted(known))
            click.echo(f"note: the run has no {what} {given!r}; it has {names}", err=True)


def _params() -> list[click.Parameter]:
    return [
        click.Argument(["run"], required=False),
        click.Option(["--since", "since_ns"], type=Instant(), help="Only from this instant on."),
        click.Option(["--strategy"], help="Only this strategy (any letter case)."),
        click.Option(["--symbol"], help="Only this symbol (any letter case)."),
        click.Option(["--limit"], type=click.IntRange(1), help="Only the newest so many."),
        click.Option(["--csv", "as_csv"], is_flag=True, help="Print CSV."),
        click.Option(["--json", "as_json"], is_flag=True, help="Print JSON."),
    ]


Result = TypeVar("Result")


def read(
    choice: Choice, options: Options, ask: Callable[[Book], Coroutine[Any, Any, Result]]
) -> Result:
    """Ask the run's database one question."""
    import asyncio

    from state.queries import open_book

    async def opened() -> Result:
        async with open_book(folder_of(options, choice.run) / DATABASE) as book:
            return await ask(book)

    return asyncio.run(opened())


Item = TypeVar("Item")


def newest(rows: list[Item], choice: Choice) -> list[Item]:
    """Return the newest rows, as many as were asked for."""
    return rows if choice.limit is None else rows[-choice.limit :]


def instant(at_ns: int | None) -> str | None:
    """Write an instant, None for none or never."""
    return None if at_ns is None or at_ns >= NEVER_NS else utc_text(at_ns)
