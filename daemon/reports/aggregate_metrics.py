"""What an aggregation says in figures: of the portfolio, and of each session. Pure.

Every figure is a plain number or None, never NaN; instants are UTC texts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec

from daemon.reports import metrics_curve, metrics_returns
from daemon.reports.aggregate_clock import paced
from daemon.reports.aggregate_files import Curve
from daemon.reports.aggregate_workers import Each, in_turn
from daemon.reports.metrics_returns import MIN_RETURNS, Floats
from state.units import DAY_NS, SECOND_NS, utc_text


class SessionFigures(msgspec.Struct, frozen=True):
    """One session over its own clock; money in its currency, ``_pct`` in percent.

    ``max_drawdown_pct`` is positive; ``return_pct`` is None without a positive starting balance.
    """

    starting_balance: float
    final_equity: float
    pnl: float
    return_pct: float | None
    sharpe_ratio: float | None
    max_drawdown_pct: float
    start: str
    end: str
    points: int


class FallFigures(msgspec.Struct, frozen=True):
    """The dates of the largest drawdown; ``recovered`` None: not yet. UTC."""

    peak: str
    trough: str
    recovered: str | None
    duration: str
    duration_s: float


class Figures(msgspec.Struct, frozen=True):
    """The portfolio: sums of money, percent (``_pct``) and signed fractions (VaR, CVaR).

    ``returns_n`` returns, ``period_s`` seconds apart (median), ``periods_per_year`` of them a year;
    ratios and tails are None below ``min_returns``.
    """

    num_sessions: int
    session_names: list[str]
    starting_balance: float
    final_equity: float
    total_pnl: float
    aggregate_return_pct: float | None
    combined_sharpe: float | None
    combined_sortino: float | None
    combined_calmar: float | None
    annual_return_pct: float | None
    annual_volatility_pct: float | None
    max_drawdown_pct: float | None
    max_drawdown: FallFigures | None
    var_95: float | None
    cvar_95: float | None
    returns_n: int
    min_returns: int
    period_s: float | None
    periods_per_year: float | None
    points: int
    start: str | None
    end: str | None
    duration: str
    duration_s: float
    per_session_stats: dict[str, SessionFigures]
    notes: list[str]


def measure(sessions: Mapping[str, Curve], total: Curve, each: Each = in_turn) -> Figures:
    """Measure a portfolio: its sessions by name and their sum."""
    starts = math.fsum(float(one.equity[0]) for one in sessions.values())
    ends = math.fsum(float(one.equity[-1]) for one in sessions.values())
    pnl = math.fsum(float(one.equity[-1]) - float(one.equity[0]) for one in sessions.values())
    notes: list[str] = []
    clock = paced(total, list(sessions.values())) if sessions else total
    if len(clock) < len(total):
        notes.append(_pace_note(total, clock))
    values, pace = _returns(clock, notes), metrics_returns.period(clock.stamps_ns)
    yearly = 1.0 if pace is None else pace.periods_per_year
    tail = metrics_returns.tail(values)
    fall = metrics_curve.worst_fall(total.stamps_ns, total.equity)
    span = int(total.stamps_ns[-1]) - int(total.stamps_ns[0]) if len(total) else 0
    return Figures(
        num_sessions=len(sessions),
        session_names=list(sessions),
        starting_balance=_money(starts),
        final_equity=_money(ends),
        total_pnl=_money(pnl),
        aggregate_return_pct=_percent(pnl / starts) if starts > 0 else None,
        combined_sharpe=metrics_returns.sharpe(values, yearly),
        combined_sortino=metrics_returns.sortino(values, yearly),
        combined_calmar=metrics_returns.calmar(values, yearly),
        annual_return_pct=_percent(metrics_returns.annual_return(values, yearly)),
        annual_volatility_pct=_percent(metrics_returns.annual_volatility(values, yearly)),
        max_drawdown_pct=_percent(0.0 if fall is None else fall.depth) if sessions else None,
        max_drawdown=None if fall is None else _fall(fall),
        var_95=tail.var,
        cvar_95=tail.cvar,
        returns_n=len(values),
        min_returns=MIN_RETURNS,
        period_s=None if pace is None else pace.spacing_s,
        periods_per_year=None if pace is None else pace.periods_per_year,
        points=len(total),
        start=utc_text(int(total.stamps_ns[0])) if len(total) else None,
        end=utc_text(int(total.stamps_ns[-1])) if len(total) else None,
        duration=duration_text(span),
        duration_s=span / SECOND_NS,
        per_session_stats=dict(zip(sessions, each(_session, sessions.values()), strict=True)),
        notes=notes,
    )


def duration_text(span_ns: int) -> str:
    """Write a length of time: ``30d 04:05:06``, the part of a second left out.

    >>> duration_text(93_784_500_000_000)
    '1d 02:03:04'
    """
    days, rest = divmod(span_ns, DAY_NS)
    minutes, seconds = divmod(rest // SECOND_NS, 60)
    return f"{days}d {minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}"


def _returns(curve: Curve, notes: list[str]) -> Floats:
    try:
        return metrics_returns.returns(curve.equity)
    except ValueError:
        notes.append("equity was not positive throughout, so there are no returns and no ratios")
        return metrics_returns.returns(curve.equity[:1])


def _pace_note(total: Curve, clock: Curve) -> str:
    return (
        f"sessions stamp their points in turn: of {len(total)} points {len(clock)} are taken for"
        " returns, the last one of each period of the fastest session"
    )


def _session(curve: Curve) -> SessionFigures:
    first, last = float(curve.equity[0]), float(curve.equity[-1])
    yearly = metrics_returns.periods_per_year(curve.stamps_ns)
    sharpe = None if yearly is None else metrics_returns.sharpe(_returns(curve, []), yearly)
    return SessionFigures(
        starting_balance=first,
        final_equity=last,
        pnl=_money(last - first),
        return_pct=_percent((last - first) / first) if first > 0 else None,
        sharpe_ratio=sharpe,
        max_drawdown_pct=metrics_curve.deepest(curve.equity)[0] * 100.0,
        start=utc_text(int(curve.stamps_ns[0])),
        end=utc_text(int(curve.stamps_ns[-1])),
        points=len(curve),
    )


def _fall(fall: metrics_curve.Fall) -> FallFigures:
    return FallFigures(
        peak=utc_text(fall.peak_ns),
        trough=utc_text(fall.trough_ns),
        recovered=None if fall.recovered_ns is None else utc_text(fall.recovered_ns),
        duration=duration_text(fall.duration_ns),
        duration_s=fall.duration_ns / SECOND_NS,
    )


def _money(value: float) -> float:
    """Round to the 8 places that money has in the books."""
    return round(value, 8)


def _percent(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else value * 100.0
