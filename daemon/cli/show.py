"""``foliod show``: tables of a run, read from its database or its last status line.

It reads only. Each table is one verb; ``windows`` needs the configuration and is loaded on its own.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click
import msgspec

from daemon.cli.options import Options, pass_options
from daemon.cli.runs import Instant, data_dir, folder_of
from daemon.cli.table import Cell, Style, print_rows
from daemon.core.plain import plain
from daemon.core.status import StatusObject
from daemon.runtime.run_folder import DATABASE
from daemon.runtime.run_index import manifest_of, runs
from daemon.runtime.status_lines import last_status
from state.units import DAY_NS, EPOCH_ORDINAL, NEVER_NS, day_text, utc_text

if TYPE_CHECKING:
    from state.queries import Book
    from state.table_rows import OrderRow, Trade

Rows = list[Sequence[Cell]]

TRADES: Final = (
    "exit_at",
    "symbol",
    "strategy",
    "side",
    "quantity",
    "entry_fill",
    "exit_fill",
    "reason",
    "pnl",
    "r",
    "entry_at",
    "stop",
    "target",
    "fees",
    "slippage",
    "trade_id",
)
POSITIONS: Final = (
    "symbol",
    "strategy",
    "side",
    "quantity",
    "entry_fill",
    "stop",
    "target",
    "since",
    "trade_id",
)
ORDERS: Final = (
    "decided_at",
    "symbol",
    "strategy",
    "purpose",
    "side",
    "type",
    "quantity",
    "filled",
    "trigger",
    "state",
    "code",
    "intent_id",
)
EQUITY: Final = ("at", "equity", "cash", "open_pnl", "high_water")
DAYS: Final = (
    "day",
    "start_equity",
    "end_equity",
    "net",
    "gross",
    "fees",
    "trades",
    "drawdown",
    "open_positions",
)
PLANS: Final = ("symbol", "strategy", "side", "stop", "target", "time_stop", "risk", "trade_id")
COOLDOWNS: Final = ("name", "kind", "until", "run_clock")
RUNS: Final = ("run", "state", "mode", "started", "ended", "reason")


class Choice(msgspec.Struct):
    """What a table is asked for: the run and the filters, None where there is none."""

    run: str | None
    since_ns: int | None
    strategy: str | None
    symbol: str | None
    limit: int | None


class Shown(click.Group):
    """The group ``show``: ``windows`` is imported only when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name every table."""
        return sorted([*super().list_commands(ctx), "windows"])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the verb of a table, None for an unknown one."""
        if cmd_name == "windows":
            from daemon.cli.show_windows import windows

            return windows
        return super().get_command(ctx, cmd_name)


@click.group(cls=Shown)
def show() -> None:
    """Show one table of a run (default: the newest run).

    \b
    Example:
      foliod show trades --since 2017-01-05 --strategy lsg
    """


def _table(
    columns: Sequence[str], spare: Sequence[str] = (), shown: int | None = None
) -> Callable[[Callable[[Choice, Options], Rows]], click.Command]:
    """Make a verb of ``show`` from a function that returns its rows.

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
        show.add_command(command)
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


def _read(
    choice: Choice, options: Options, ask: Callable[[Book], Coroutine[Any, Any, Result]]
) -> Result:
    """Ask the run's database one question."""
    import asyncio

    from state.queries import open_book

    async def opened() -> Result:
        async with open_book(folder_of(options, choice.run) / DATABASE) as book:
            return await ask(book)

    return asyncio.run(opened())


@_table(TRADES, ("entry_fill", "exit_fill", "quantity"), shown=10)
def _trades(choice: Choice, options: Options) -> Rows:
    """Show closed trades, newest last.

    \b
    Example:
      foliod show trades --since 2017-01-05 --csv
    """
    found = _read(
        choice,
        options,
        lambda book: book.trades(
            since_ns=choice.since_ns,
            strategy=choice.strategy,
            symbol=choice.symbol,
            limit=choice.limit,
        ),
    )
    return [_trade_row(one) for one in found]


def _trade_row(one: Trade) -> Sequence[Cell]:
    return (
        _instant(one.exit_ns),
        one.symbol,
        one.strategy,
        one.side,
        one.quantity,
        one.entry_fill,
        one.exit_fill,
        one.exit_reason,
        one.pnl,
        one.r,
        _instant(one.entry_ns),
        one.stop,
        one.target,
        one.fees,
        one.slippage,
        one.trade_id,
    )


@_table(POSITIONS, ("trade_id", "quantity"))
def _positions(choice: Choice, options: Options) -> Rows:
    """Show open positions with the stop and target of their first plan (see: show plans).

    \b
    Example:
      foliod show positions --symbol EURUSD
    """
    found = _read(
        choice,
        options,
        lambda book: book.positions(strategy=choice.strategy, symbol=choice.symbol),
    )
    rows: Rows = [
        (
            one.symbol,
            one.strategy,
            one.side,
            one.quantity,
            one.entry_fill,
            one.stop,
            one.target,
            _instant(one.entry_ns),
            one.trade_id,
        )
        for one in found
        if choice.since_ns is None or one.entry_ns >= choice.since_ns
    ]
    return _newest(rows, choice)


@_table(ORDERS, ("intent_id", "filled", "trigger", "quantity", "side"))
def _orders(choice: Choice, options: Options) -> Rows:
    """Show orders, newest last, with their state and the code behind it.

    \b
    Example:
      foliod show orders --strategy orb --limit 20
    """
    found = _read(
        choice,
        options,
        lambda book: book.orders(
            since_ns=choice.since_ns,
            strategy=choice.strategy,
            symbol=choice.symbol,
            limit=choice.limit,
        ),
    )
    return [_order_row(one) for one in found]


def _order_row(one: OrderRow) -> Sequence[Cell]:
    return (
        _instant(one.decided_ns),
        one.symbol,
        one.strategy,
        one.purpose,
        one.side,
        one.type,
        one.quantity,
        one.filled,
        one.trigger,
        one.state,
        one.code,
        one.intent_id,
    )


@_table(EQUITY)
def _equity(choice: Choice, options: Options) -> Rows:
    """Show the marks of equity, newest last.

    \b
    Example:
      foliod show equity --limit 10
    """
    found = _read(
        choice, options, lambda book: book.equity(since_ns=choice.since_ns, limit=choice.limit)
    )
    return [
        (_instant(one.at_ns), one.equity, one.cash, one.open_pnl, one.high_water) for one in found
    ]


@_table(DAYS, ("open_positions", "gross", "start_equity"))
def _days(choice: Choice, options: Options) -> Rows:
    """Show the portfolio days that have rolled, newest last.

    \b
    Example:
      foliod show days --since 2017-01-01
    """
    since = None if choice.since_ns is None else choice.since_ns // DAY_NS + EPOCH_ORDINAL
    found = _read(choice, options, lambda book: book.days(since_day=since, limit=choice.limit))
    return [
        (
            day_text(one.day),
            one.start_equity,
            one.end_equity,
            one.net,
            one.gross,
            one.fees,
            one.trades,
            one.drawdown,
            one.open_positions,
        )
        for one in found
    ]


@_table(PLANS, ("trade_id", "risk"))
def _plans(choice: Choice, options: Options) -> Rows:
    """Show what protects each open position now: stop, target, time-stop, initial risk.

    \b
    Example:
      foliod show plans
    """
    from daemon.cli.plans import open_plans

    found = _read(choice, options, lambda book: open_plans(book, choice.strategy, choice.symbol))
    rows: Rows = [
        (
            one.symbol,
            one.strategy,
            one.side,
            one.stop,
            one.target,
            _instant(one.time_stop_ns),
            one.risk,
            one.trade_id,
        )
        for one in found
        if choice.since_ns is None or one.since_ns >= choice.since_ns
    ]
    return _newest(rows, choice)


@_table(COOLDOWNS)
def _cooldowns(choice: Choice, options: Options) -> Rows:
    """Show the cooldowns that ran at the last status line, by the run's clock.

    \b
    Example:
      foliod show cooldowns
    """
    found: StatusObject | None = last_status(folder_of(options, choice.run))
    if found is None:
        return []
    wanted = choice.symbol.casefold() if choice.symbol else None
    rows: Rows = [
        (one.name, one.kind, one.until, found.now)
        for one in found.pacing.cooldowns
        if wanted is None or one.name.casefold() == wanted
    ]
    return _newest(rows, choice)


@_table(RUNS, ("started", "mode", "ended"))
def _runs(choice: Choice, options: Options) -> Rows:
    """Show the runs there are, newest last.

    \b
    Example:
      foliod show runs --limit 5
    """
    rows: Rows = []
    for folder in _newest(_folders(choice, options), choice):
        manifest = manifest_of(folder)
        rows.append(
            (
                folder.name,
                manifest.state,
                manifest.mode,
                _second(manifest.started),
                _second(manifest.ended),
                manifest.reason,
            )
        )
    return rows


def _folders(choice: Choice, options: Options) -> list[Path]:
    if choice.run is not None:
        return [folder_of(options, choice.run)]
    return runs(data_dir(options))


Item = TypeVar("Item")


def _newest(rows: list[Item], choice: Choice) -> list[Item]:
    return rows if choice.limit is None else rows[-choice.limit :]


def _instant(at_ns: int | None) -> str | None:
    return None if at_ns is None or at_ns >= NEVER_NS else utc_text(at_ns)


def _second(instant: str) -> str:
    """Cut an ISO instant to the second."""
    return instant[:19] + "Z" if len(instant) > 20 else instant
