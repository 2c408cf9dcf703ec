"""``foliod show``: tables of a run, read from its database or its last status line.

It reads only. Each table is one verb; those of other modules are loaded when they are called.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from daemon.cli.options import Options
from daemon.cli.runs import data_dir, folder_of
from daemon.cli.show_table import Choice, Rows, instant, newest, read, table
from daemon.cli.table import Cell
from daemon.core.status import StatusObject
from daemon.runtime.run_index import manifest_of, runs
from daemon.runtime.status_lines import last_status

if TYPE_CHECKING:
    from state.table_rows import OrderRow, Trade

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
COOLDOWNS: Final = ("name", "kind", "until", "run_clock")
_OF_DAYS: Final = ("days", "nights", "plans")
"""The tables of ``daemon.cli.show_days``."""
RUNS: Final = ("run", "state", "mode", "started", "ended", "reason")


class Shown(click.Group):
    """The group ``show``: tables of other modules are imported only when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name every table."""
        return sorted({*super().list_commands(ctx), *_OF_DAYS, "windows"})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the verb of a table, None for an unknown one."""
        if cmd_name == "windows":
            from daemon.cli.show_windows import windows

            return windows
        if cmd_name in _OF_DAYS:
            from daemon.cli import show_days

            found = {"days": show_days.days, "nights": show_days.nights, "plans": show_days.plans}
            return found[cmd_name]
        return super().get_command(ctx, cmd_name)


@click.group(cls=Shown)
def show() -> None:
    """Show one table of a run (default: the newest run).

    \b
    Example:
      foliod show trades --since 2017-01-05 --strategy lsg
    """


@table(TRADES, ("entry_fill", "exit_fill", "quantity"), shown=10)
def _trades(choice: Choice, options: Options) -> Rows:
    """Show closed trades, newest last.

    \b
    Example:
      foliod show trades --since 2017-01-05 --csv
    """
    found = read(
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
        instant(one.exit_ns),
        one.symbol,
        one.strategy,
        one.side,
        one.quantity,
        one.entry_fill,
        one.exit_fill,
        one.exit_reason,
        one.pnl,
        one.r,
        instant(one.entry_ns),
        one.stop,
        one.target,
        one.fees,
        one.slippage,
        one.trade_id,
    )


@table(POSITIONS, ("trade_id", "quantity"))
def _positions(choice: Choice, options: Options) -> Rows:
    """Show open positions with the stop and target of their first plan (see: show plans).

    \b
    Example:
      foliod show positions --symbol EURUSD
    """
    found = read(
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
            instant(one.entry_ns),
            one.trade_id,
        )
        for one in found
        if choice.since_ns is None or one.entry_ns >= choice.since_ns
    ]
    return newest(rows, choice)


@table(ORDERS, ("intent_id", "filled", "trigger", "quantity", "side"))
def _orders(choice: Choice, options: Options) -> Rows:
    """Show orders, newest last, with their state and the code behind it.

    \b
    Example:
      foliod show orders --strategy orb --limit 20
    """
    found = read(
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
        instant(one.decided_ns),
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


@table(EQUITY)
def _equity(choice: Choice, options: Options) -> Rows:
    """Show the marks of equity, newest last.

    \b
    Example:
      foliod show equity --limit 10
    """
    found = read(
        choice, options, lambda book: book.equity(since_ns=choice.since_ns, limit=choice.limit)
    )
    return [
        (instant(one.at_ns), one.equity, one.cash, one.open_pnl, one.high_water) for one in found
    ]


@table(COOLDOWNS)
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
    return newest(rows, choice)


@table(RUNS, ("started", "mode", "ended"))
def _runs(choice: Choice, options: Options) -> Rows:
    """Show the runs there are, newest last.

    \b
    Example:
      foliod show runs --limit 5
    """
    rows: Rows = []
    for folder in newest(_folders(choice, options), choice):
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


def _second(instant: str) -> str:
    """Cut an ISO instant to the second."""
    return instant[:19] + "Z" if len(instant) > 20 else instant


for _verb in (_trades, _positions, _orders, _equity, _cooldowns, _runs):
    show.add_command(_verb)
