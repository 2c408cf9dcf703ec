"""``foliod show days``, ``nights`` and ``plans``: what was open as days ended, and is open now."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from daemon.cli.options import Options
from daemon.cli.show_table import Choice, Rows, instant, newest, read, table
from state.queries import Book
from state.table_rows import DayPositionRow, PortfolioDay
from state.units import DAY_NS, EPOCH_ORDINAL, day_text

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
    "open_pnl",
)
NIGHTS: Final = (
    "day",
    "symbol",
    "strategy",
    "side",
    "quantity",
    "entry",
    "stop",
    "target",
    "open_pnl",
    "trail",
    "time_stop",
    "risk",
    "trade_id",
)
PLANS: Final = (
    "symbol",
    "strategy",
    "side",
    "stop",
    "target",
    "trail",
    "time_stop",
    "set_by",
    "night",
    "risk",
    "trade_id",
)


def _since_day(choice: Choice) -> int | None:
    return None if choice.since_ns is None else choice.since_ns // DAY_NS + EPOCH_ORDINAL


@table(DAYS, ("open_positions", "open_pnl", "gross", "start_equity"))
def days(choice: Choice, options: Options) -> Rows:
    """Show the portfolio days that have rolled, newest last (see: show nights).

    \b
    Example:
      foliod show days --since 2017-01-01
    """
    since = _since_day(choice)

    async def ask(book: Book) -> tuple[list[PortfolioDay], list[DayPositionRow]]:
        days = await book.days(since_day=since, limit=choice.limit)
        return days, await book.day_positions(since_day=days[0].day) if days else []

    found, positions = read(choice, options, ask)
    open_pnl: dict[int, Decimal] = {}
    for one in positions:
        open_pnl[one.day] = open_pnl.get(one.day, Decimal(0)) + one.open_pnl
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
            open_pnl.get(one.day, Decimal(0)),
        )
        for one in found
    ]


@table(NIGHTS, ("trade_id", "risk", "time_stop", "trail", "quantity"))
def nights(choice: Choice, options: Options) -> Rows:
    """Show what was open as each portfolio day ended, and its plan, newest last.

    \b
    Example:
      foliod show nights --since 2017-01-01 --strategy ema
    """
    found = read(
        choice,
        options,
        lambda book: book.day_positions(
            since_day=_since_day(choice), strategy=choice.strategy, symbol=choice.symbol
        ),
    )
    rows: Rows = [
        (
            day_text(one.day),
            one.symbol,
            one.strategy,
            one.side,
            one.quantity,
            one.entry,
            one.stop,
            one.target,
            one.open_pnl,
            one.trail_distance,
            instant(one.time_stop_ns),
            one.risk,
            one.trade_id,
        )
        for one in found
    ]
    return newest(rows, choice)


@table(PLANS, ("trade_id", "risk", "set_by", "trail"))
def plans(choice: Choice, options: Options) -> Rows:
    """Show what protects each open position now, and what made it so.

    \b
    set_by  ENTRY, HELD (the rest after a reduction), TRAIL, WIDENED
    night   the trading day last widened for, with a code where it was refused
    \b
    Example:
      foliod show plans
    """
    from daemon.cli.plans import open_plans

    found = read(choice, options, lambda book: open_plans(book, choice.strategy, choice.symbol))
    rows: Rows = [
        (
            one.symbol,
            one.strategy,
            one.side,
            one.stop,
            one.target,
            one.trail_distance,
            instant(one.time_stop_ns),
            one.set_by,
            one.night,
            one.risk,
            one.trade_id,
        )
        for one in found
        if choice.since_ns is None or one.since_ns >= choice.since_ns
    ]
    return newest(rows, choice)
