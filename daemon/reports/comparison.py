"""A run beside a baseline run: the same measures over the same trading days, and the difference.

Reads the baseline's database alone. Without a trade of the baseline in these days its side is
empty, which is said by its counts.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Final

import msgspec

from daemon.core.plain import markdown
from daemon.reports.tally import Tally, Totals, amount
from state.errors import JournalError
from state.queries import DATABASE, open_book

MEASURES: Final = (
    "trades", "win_rate", "r", "expectancy_r", "profit_factor", "pnl", "edge", "spread",
    "slippage", "fees",
)  # fmt: skip
"""Of ``Totals``: what two runs are compared by."""


class Compared(msgspec.Struct, frozen=True):
    """One measure: ``here``, in the baseline, and here - baseline; None where not defined."""

    measure: str
    here: float | None
    baseline: float | None
    difference: float | None


class Comparison(msgspec.Struct, frozen=True):
    """A run beside ``run``, the baseline; amounts in its own ``currency``."""

    run: str
    run_id: str
    version: str
    config_hash: str
    currency: str
    rows: list[Compared]


class Baseline(msgspec.Struct, frozen=True):
    """What is needed of a baseline: its facts, and its trades added up by trading day."""

    run: str
    run_id: str
    version: str
    config_hash: str
    currency: str
    days: dict[int, Tally]

    def compare(self, here: Tally, first: int, last: int) -> Comparison:
        """Compare trades closed from trading day ``first`` to ``last``, both included."""
        there = Tally()
        for day, tally in self.days.items():
            if first <= day <= last:
                there.merge(tally)
        return Comparison(
            self.run,
            self.run_id,
            self.version,
            self.config_hash,
            self.currency,
            _rows(here.totals(), there.totals()),
        )


async def read_baseline(run_folder: Path) -> Baseline:
    """Read a baseline run.

    Raises:
        JournalError: its database cannot be read, or holds no run.
    """
    async with open_book(run_folder / DATABASE) as book:
        opened, run = await book.opened(), await book.last_run()
        if opened is None or run is None:
            raise JournalError(f"{run_folder}: no run was recorded here; it is no baseline")
        days: dict[int, Tally] = {}
        async for trade in book.closed_trades():
            days.setdefault(trade.trading_day, Tally()).add(trade)
        return Baseline(
            run_folder.name,
            run.run_id,
            run.version,
            run.config_hash,
            opened.base_currency,
            days,
        )


def comparison_table(one: Comparison | None) -> list[str]:
    """Write a comparison as lines of Markdown, nothing without one."""
    if one is None:
        return []
    return [
        "",
        f"## Beside the baseline {markdown(one.run)}",
        "",
        f"Run {markdown(one.run_id)}, version {markdown(one.version)}, config "
        f"{markdown(one.config_hash)}, amounts in {markdown(one.currency)}.",
        "",
        "| measure | here | baseline | difference |",
        "|---|---:|---:|---:|",
        *(
            f"| {markdown(row.measure)} | {amount(row.here)} | {amount(row.baseline)} "
            f"| {amount(row.difference)} |"
            for row in one.rows
        ),
    ]


def _rows(here: Totals, there: Totals) -> list[Compared]:
    return [_row(name, getattr(here, name), getattr(there, name)) for name in MEASURES]


def _row(measure: str, here: Decimal | float | None, there: Decimal | float | None) -> Compared:
    one = None if here is None else float(here)
    two = None if there is None else float(there)
    difference = None if one is None or two is None else round(one - two, 8)
    return Compared(measure, one, two, difference)
