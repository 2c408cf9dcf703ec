"""Adding up trades and denials for reports: totals, per strategy, per symbol, by gate.

Pure. Amounts are base currency; sums are exact (``Decimal``), R is a float.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from daemon.reports.metrics import expectancy_r, profit_factor, win_rate
from state.table_rows import Trade
from state.units import utc_text

Gates = dict[str, dict[str, int]]
"""Denials: gate -> reason code -> count."""


class Extreme(msgspec.Struct, frozen=True):
    """The biggest winner or loser: who, when it closed, net P&L and R."""

    trade_id: str
    symbol: str
    strategy: str
    exit_at: str
    pnl: Decimal
    r: float


class Group(msgspec.Struct, frozen=True):
    """Closed trades of one name: count, wins, win rate (fraction), R, net P&L and fees.

    ``spread`` and ``slippage`` are what the two cost; ``edge`` is the P&L at prices before all
    costs, so that pnl = edge - spread - slippage - fees.
    """

    name: str
    trades: int
    wins: int
    win_rate: float | None
    r: float
    pnl: Decimal
    fees: Decimal
    spread: Decimal = Decimal(0)
    slippage: Decimal = Decimal(0)
    edge: Decimal = Decimal(0)
    expectancy_r: float | None = None
    profit_factor: float | None = None


class Totals(msgspec.Struct, frozen=True):
    """All closed trades: ``pnl`` after fees, ``gross`` before, costs as positive amounts.

    ``edge`` is the P&L at prices before all costs: pnl = edge - spread - slippage - fees.
    """

    trades: int
    wins: int
    losses: int
    win_rate: float | None
    r: float
    expectancy_r: float | None
    profit_factor: float | None
    pnl: Decimal
    gross: Decimal
    fees: Decimal
    spread: Decimal
    slippage: Decimal
    edge: Decimal = Decimal(0)


class _Sums:
    """Running sums of closed trades; a trade without profit is a loss."""

    __slots__ = ("fees", "gross", "lost", "pnl", "r", "slippage", "spread", "trades", "wins", "won")

    def __init__(self) -> None:
        self.trades = self.wins = 0
        self.r = 0.0
        self.pnl = self.gross = self.fees = self.spread = self.slippage = Decimal(0)
        self.won = self.lost = Decimal(0)

    def add(self, one: Trade) -> None:
        """Add one closed trade."""
        self.trades += 1
        self.r += one.r or 0.0
        self.pnl += one.pnl
        self.gross += one.gross
        self.fees += one.fees
        self.spread += one.spread
        self.slippage += one.slippage
        if one.pnl > 0:
            self.wins += 1
            self.won += one.pnl
        else:
            self.lost -= one.pnl

    def merge(self, other: _Sums) -> None:
        """Add the sums of other trades."""
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    @property
    def edge(self) -> Decimal:
        """P&L at prices before spread, slippage and fees."""
        return self.gross + self.spread + self.slippage


class Tally:
    """Adds up closed trades one by one, so that a long run needs no list of them.

    ``winner`` is the trade with the largest P&L above 0, ``loser`` the one with the smallest below.
    """

    def __init__(self) -> None:
        """Begin without trades."""
        self._all = _Sums()
        self._strategies: dict[str, _Sums] = {}
        self._symbols: dict[str, _Sums] = {}
        self._versions: dict[str, _Sums] = {}
        self._best: Trade | None = None
        self._worst: Trade | None = None

    def add(self, one: Trade) -> None:
        """Add one closed trade."""
        self._all.add(one)
        self._strategies.setdefault(one.strategy, _Sums()).add(one)
        self._symbols.setdefault(one.symbol, _Sums()).add(one)
        self._versions.setdefault(one.version, _Sums()).add(one)
        self._take_extremes(one, one)

    def _take_extremes(self, best: Trade | None, worst: Trade | None) -> None:
        if best is not None and best.pnl > (self._best.pnl if self._best else 0):
            self._best = best
        if worst is not None and worst.pnl < (self._worst.pnl if self._worst else 0):
            self._worst = worst

    def merge(self, other: Tally) -> None:
        """Add the trades of another tally."""
        self._all.merge(other._all)
        for mine, theirs in (
            (self._strategies, other._strategies),
            (self._symbols, other._symbols),
            (self._versions, other._versions),
        ):
            for name, sums in theirs.items():
                mine.setdefault(name, _Sums()).merge(sums)
        self._take_extremes(other._best, other._worst)

    @property
    def winner(self) -> Extreme | None:
        """The biggest winner, None without one."""
        return _extreme(self._best)

    @property
    def loser(self) -> Extreme | None:
        """The biggest loser, None without one."""
        return _extreme(self._worst)

    def totals(self) -> Totals:
        """Return the sums over all trades."""
        sums = self._all
        return Totals(
            trades=sums.trades,
            wins=sums.wins,
            losses=sums.trades - sums.wins,
            win_rate=rounded(win_rate(sums.wins, sums.trades)),
            r=round(sums.r, 6),
            expectancy_r=rounded(expectancy_r(sums.r, sums.trades)),
            profit_factor=rounded(profit_factor(float(sums.won), float(sums.lost))),
            pnl=sums.pnl,
            gross=sums.gross,
            fees=sums.fees,
            spread=sums.spread,
            slippage=sums.slippage,
            edge=sums.edge,
        )

    def by_strategy(self) -> list[Group]:
        """Return the strategies, best P&L first (then by name)."""
        return _groups(self._strategies)

    def by_symbol(self) -> list[Group]:
        """Return the symbols, best P&L first (then by name)."""
        return _groups(self._symbols)

    def by_version(self) -> list[Group]:
        """Return the versions of the program that entered, best P&L first (then by name)."""
        return _groups(self._versions)


def _groups(sums: dict[str, _Sums]) -> list[Group]:
    found = [
        Group(
            name=name,
            trades=one.trades,
            wins=one.wins,
            win_rate=rounded(win_rate(one.wins, one.trades)),
            r=round(one.r, 6),
            pnl=one.pnl,
            fees=one.fees,
            spread=one.spread,
            slippage=one.slippage,
            edge=one.edge,
            expectancy_r=rounded(expectancy_r(one.r, one.trades)),
            profit_factor=rounded(profit_factor(float(one.won), float(one.lost))),
        )
        for name, one in sums.items()
    ]
    found.sort(key=lambda group: (-group.pnl, group.name))
    return found


def count_denial(gates: Gates, gate: str, code: str, times: int = 1) -> None:
    """Count a denial, or several."""
    codes = gates.setdefault(gate, {})
    codes[code] = codes.get(code, 0) + times


def sorted_gates(gates: Gates) -> Gates:
    """Return the counts, gates and codes by name, so that the same run gives the same bytes."""
    return {gate: dict(sorted(gates[gate].items())) for gate in sorted(gates)}


def rounded(value: float | None) -> float | None:
    """Round a ratio to six places; None stays None."""
    return None if value is None else round(value, 6)


def amount(value: Decimal | float | None) -> str:
    """Write money or R with two places, no minus before 0.00; a dash where there is none."""
    return "-" if value is None else f"{value:z.2f}"


def percent(value: float | None) -> str:
    """Write a fraction as percent with one place; a dash where there is none."""
    return "-" if value is None else f"{value * 100:z.1f} %"


def as_json(report: msgspec.Struct) -> bytes:
    """Write a report as indented JSON; amounts stay exact decimal texts."""
    return msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n"


def _extreme(one: Trade | None) -> Extreme | None:
    if one is None:
        return None
    exit_at = "" if one.exit_ns is None else utc_text(one.exit_ns)
    return Extreme(one.trade_id, one.symbol, one.strategy, exit_at, one.pnl, round(one.r or 0.0, 6))
