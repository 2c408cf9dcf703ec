"""One trading day with the daemon, then what it was: the exit status of the day (C2, C3).

It runs the daemon for a day, reads what the day came to and holds the portfolio to the health
gate's thresholds. It decides nothing of the trading.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Final

import msgspec

from adapters.ports import Clock
from config.settings import Settings
from daemon.live import Live, LiveOptions
from daemon.reports.aggregate import MultiSessionAggregator
from daemon.reports.aggregate_gate import Thresholds, failures
from daemon.runtime.equity_file import portfolio_file
from daemon.runtime.run_folder import DATABASE
from daemon.trading import STOPPED
from state.errors import ExitCode, FeedError
from state.queries import open_book
from state.units import day_text, utc_text

SCHEMA: Final = 1


class Outcome(msgspec.Struct, frozen=True):
    """What a session came to.

    ``ok``: the day was traded to its end, no engine stopped, nothing failed and the gate is kept.
    ``traded``: a bar came after its first window opened. ``reason`` as in ``RunEnded``; ``opens``
    and ``closes`` are the day's first and last instant, ``trades``, ``r`` and ``pnl`` (base
    currency, after fees) those closed on it. ``trouble`` has a sentence for everything that is not
    well, ``gate`` one for each threshold not kept.
    """

    schema: int
    ok: bool
    portfolio_id: str
    date: str
    traded: bool
    reason: str
    opens: str
    closes: str
    trades: int
    r: float
    pnl: Decimal
    trouble: list[str]
    gate: list[str]
    folder: str

    @property
    def status(self) -> ExitCode:
        """The exit status: 75 for a day that is yet to be traded, 1 for one that was not well."""
        if self.reason == STOPPED or not self.traded:
            return ExitCode.TRY_AGAIN
        return ExitCode.OK if self.ok else ExitCode.NO


async def trade_one_day(
    settings: Settings, options: LiveOptions, thresholds: Thresholds, clock: Clock
) -> Outcome:
    """Trade the next day of the portfolio and return what it came to.

    Raises:
        FoliodError: as ``Live.run``; ``NothingToDo`` when there is no day left.
    """
    live = Live(settings, options, clock)
    reason = await live.run()
    day = live.session.day
    if day is None:
        raise RuntimeError("a session without a day")
    async with open_book(live.home / DATABASE) as book:
        closed = [one for one in await book.trades(since_day=day.day) if one.trading_day == day.day]
    traded = live.last_ns > day.opens_ns
    trouble, gate = live.trouble(), _gate(live.home, thresholds)
    return Outcome(
        schema=SCHEMA,
        ok=traded and reason != STOPPED and not trouble and not gate,
        portfolio_id=settings.portfolio.id,
        date=day_text(day.day),
        traded=traded,
        reason=reason,
        opens=utc_text(day.opens_ns),
        closes=utc_text(day.closes_ns),
        trades=len(closed),
        r=round(sum(one.r or 0.0 for one in closed), 6),
        pnl=sum((one.pnl for one in closed), Decimal(0)),
        trouble=trouble,
        gate=gate,
        folder=str(live.home),
    )


def _gate(home: Path, thresholds: Thresholds) -> list[str]:
    """Return each threshold that the portfolio's marked equity does not keep."""
    if thresholds == Thresholds():
        return []
    skipped: list[str] = []
    curves = MultiSessionAggregator(home, warn=skipped.append)
    try:
        curves.load_sessions(portfolio_file())
    except FeedError as problem:
        return [str(problem)]
    return [*skipped, *failures(curves.compute_metrics(), thresholds)]
