"""``foliod aggregate DIR``: several sessions as one portfolio, and a gate for CI by exit status.

What is computed and written is ``daemon.reports.aggregate``'s.
"""

from __future__ import annotations

import math
import sys
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import click

from daemon.cli.options import Options, pass_options
from daemon.core.plain import plain
from state.errors import ExitCode

_SHOWN: Final = 40
_WIDTH: Final = 30


class Limit(click.ParamType[float]):
    """A finite number not below ``least``."""

    name = "number"

    def __init__(self, least: float = -math.inf) -> None:
        """Take numbers from ``least`` on."""
        self._least = least

    def convert(
        self, value: str | float, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Read the number, or refuse it."""
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not math.isfinite(number) or number < self._least:
            above = "" if self._least == -math.inf else f", {self._least:g} or more"
            self.fail(f"{value!r} is no number to compare with; give one such as 1.5{above}.")
        return number


@click.command()
@click.argument("folder", default="logs", metavar="[DIR]", type=click.Path(path_type=Path))
@click.option("--pattern", default="equity_*.csv", show_default=True, help="Files to take in DIR.")
@click.option("--min-sharpe", type=Limit(), metavar="X", help="Fail below this annualised Sharpe.")
@click.option(
    "--max-drawdown", type=Limit(0.0), metavar="Y", help="Fail above this drawdown, in percent."
)
@click.option("--json", "as_json", is_flag=True, help="Print the JSON report on stdout as well.")
@click.option(
    "--out-json",
    default="aggregation.json",
    show_default=True,
    type=click.Path(path_type=Path),
    help="Where the JSON report goes.",
)
@click.option(
    "--out-html",
    default="aggregation_report.html",
    show_default=True,
    type=click.Path(path_type=Path),
    help="Where the HTML report goes.",
)
@pass_options
def aggregate(
    options: Options,
    /,
    folder: Path,
    pattern: str,
    min_sharpe: float | None,
    max_drawdown: float | None,
    as_json: bool,
    out_json: Path,
    out_html: Path,
) -> None:
    """Add up the equity curves in DIR (default: logs) and measure them as one portfolio.

    Reads equity_*.csv (timestamp,equity), sums the curves on a common clock, writes a JSON and an
    HTML report. A file that is no curve is skipped and named. Exit status 0: the thresholds given
    are kept; 1: one is not, or cannot be told; 65: no such folder; 74: a report cannot be written.

    \b
    Example:
      foliod aggregate logs --min-sharpe 0.5 --max-drawdown 10
    """
    from daemon.reports.aggregate import MultiSessionAggregator
    from daemon.reports.aggregate_gate import Thresholds, failures

    def warn(text: str) -> None:
        if options.verbosity >= 0:
            click.echo(f"warning: {text}", err=True)

    aggregator = MultiSessionAggregator(folder, warn=warn)
    aggregator.load_sessions(pattern)
    metrics = aggregator.compute_metrics()
    aggregator.export_json(out_json)
    aggregator.generate_html_report(out_html)
    found = failures(metrics, Thresholds(min_sharpe, max_drawdown))
    if options.json or as_json:
        click.echo(aggregator.as_json({"passed": not found, "failures": found}))
    else:
        for line in lines(metrics):
            click.echo(line)
        click.echo(f"Written: {click.format_filename(out_json)}, {click.format_filename(out_html)}")
    for one in found:
        click.echo(f"fail: {one}", err=True)
    if found:
        sys.exit(ExitCode.NO)


def lines(metrics: Mapping[str, Any]) -> Iterator[str]:
    """Yield the measures as text: the portfolio, then the sessions."""
    count = metrics["num_sessions"]
    yield f"{count} session{'' if count == 1 else 's'}, {metrics['duration']} long, times UTC"
    for note in metrics["notes"]:
        yield from textwrap.wrap(f"note: {note}", 79, subsequent_indent="      ")
    if not count:
        return
    start, end, points = metrics["start"], metrics["end"], metrics["points"]
    yield f"{'span':22}{start} .. {end}, {points} points"
    yield f"{'P&L':22}{_money(metrics['total_pnl'])}"
    yield f"{'return':22}{_number(metrics['aggregate_return_pct'], 2, ' %')}"
    yield f"{'Sharpe':22}{_number(metrics['combined_sharpe'], 2)}{_basis(metrics)}"
    yield f"{'largest drawdown':22}{_number(metrics['max_drawdown_pct'], 2, ' %')}"
    tail = f"{_share(metrics['var_95'])}, {_share(metrics['cvar_95'])}"
    yield f"{'VaR 95 %, CVaR 95 %':22}{tail} (fractions per step)"
    yield from _sessions(metrics["per_session_stats"])


def _basis(metrics: Mapping[str, Any]) -> str:
    if metrics["period_s"] is None:
        return ""
    if metrics["returns_n"] < metrics["min_returns"]:
        return f" ({metrics['returns_n']} returns, it needs {metrics['min_returns']})"
    year = f"{metrics['periods_per_year']:,.1f}"
    return f" ({metrics['returns_n']} returns, median {metrics['period_s']:g} s, {year} a year)"


def _sessions(stats: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Yield a table of the sessions, at most forty."""
    rows = [
        (
            _cut(plain(name)),
            _money(one["pnl"]),
            _number(one["return_pct"], 2),
            _number(one["sharpe_ratio"], 2),
            _number(one["max_drawdown_pct"], 2),
        )
        for name, one in list(stats.items())[:_SHOWN]
    ]
    rows.insert(0, ("session", "P&L", "return %", "Sharpe", "drawdown %"))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    yield ""
    for name, *cells in rows:
        right = (cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True))
        yield "  ".join((name.ljust(widths[0]), *right))
    if len(stats) > _SHOWN:
        yield f"... and {len(stats) - _SHOWN} more, in the reports"


def _cut(name: str) -> str:
    return name if len(name) <= _WIDTH else name[: _WIDTH - 3] + "..."


def _money(value: float) -> str:
    return f"{round(value, 2) + 0.0:,.2f}"


def _number(value: float | None, places: int, after: str = "") -> str:
    return "-" if value is None else f"{round(value, places) + 0.0:.{places}f}{after}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"
