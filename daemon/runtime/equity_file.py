"""Equity curves as CSV (``timestamp,equity``): one of the portfolio and one of each engine (T3).

The portfolio's curve is marked equity. An engine's curve begins with an equal share of the starting
cash and moves with its closed trades, after fees; so the engines' curves add up to the portfolio's
realised equity. Instants are UTC ISO 8601.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Final
from urllib.parse import quote

from state.entries import Entry, EquityMarked, PortfolioOpened
from state.portfolio import engine_key
from state.table_rows import Trade
from state.units import money, utc_text

HEADER: Final = "timestamp,equity\n"


def portfolio_file() -> str:
    """Return the name of the portfolio's curve."""
    return "equity_portfolio.csv"


def engine_file(symbol: str, strategy: str) -> str:
    """Return the name of an engine's curve: two engines never share one, no name leaves the folder.

    >>> engine_file("XRP/USDT", "orb_1")
    'equity_XRP%2FUSDT_orb_1.csv'
    """
    return f"equity_{quote(symbol, safe='').replace('_', '%5F')}_{quote(strategy, safe='')}.csv"


def point(at_ns: int, equity: Decimal) -> str:
    """Return the line of one point."""
    return f"{utc_text(at_ns)},{equity:f}\n"


def share_of(cash: Decimal, engines: int) -> Decimal:
    """Return what the curve of each of so many engines begins with."""
    return money(cash / max(1, engines))


class EquityFiles:
    """Writes the curves of one run, fed with entries and closed trades; ``flush`` appends."""

    def __init__(self, folder: Path, engines: Sequence[tuple[str, str]]) -> None:
        """Write in ``folder``; ``engines`` are (symbol, strategy)."""
        self._folder = folder
        self._engines = engines
        self._equity: dict[str, Decimal] = {}
        self._names = {engine_key(*one): engine_file(*one) for one in engines}
        self._lines: dict[str, list[str]] = {}
        self._begun: set[str] = set()

    def take(self, entry: Entry) -> None:
        """Take an entry: the first cash and every mark make a point."""
        if type(entry) is EquityMarked:
            self._point(portfolio_file(), entry.at_ns, entry.cash + entry.open_pnl)
        elif type(entry) is PortfolioOpened:
            self._point(portfolio_file(), entry.at_ns, entry.cash)
            share = share_of(entry.cash, len(self._engines))
            for key, name in self._names.items():
                self._equity[key] = share
                self._point(name, entry.at_ns, share)

    def add(self, trades: Iterable[Trade]) -> None:
        """Take closed trades, in the order they closed."""
        for one in trades:
            key = engine_key(one.symbol, one.strategy)
            name = self._names.get(key)
            if name is None or one.exit_ns is None:
                continue
            self._equity[key] = self._equity.get(key, Decimal(0)) + one.pnl
            self._point(name, one.exit_ns, self._equity[key])

    def flush(self) -> None:
        """Append every point taken since the last flush.

        Raises:
            OSError: a file cannot be written; its points are kept for the next flush.
        """
        for name in list(self._lines):
            path = self._folder / name
            with path.open("a", encoding="utf-8", newline="") as file:
                if name not in self._begun and file.tell() == 0:
                    file.write(HEADER)
                file.write("".join(self._lines[name]))
            self._begun.add(name)
            del self._lines[name]

    def _point(self, name: str, at_ns: int, equity: Decimal) -> None:
        self._lines.setdefault(name, []).append(point(at_ns, equity))
