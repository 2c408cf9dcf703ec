"""``foliod bars FILE``: what a bar file is, what is wrong with it, and what must still be said.

Text of at most 80 columns that reads without colour, or one JSON object. It decides nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from daemon.cli.options import Options, pass_options
from state.errors import ExitCode, FeedError
from state.units import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS, utc_text

if TYPE_CHECKING:
    from adapters.feeds.inspect import Report

_LABEL = 12
_WIDTH = 79
_UNITS = {"s": SECOND_NS, "m": MINUTE_NS, "h": HOUR_NS, "d": DAY_NS}


@click.command("bars", short_help="Say what a bar file is.")
@click.argument("file", type=click.Path(readable=False))
@click.option("--zone", metavar="ZONE", help="IANA zone of stamps that carry no offset.")
@click.option("--price", type=click.Choice(["bid", "ask", "mid", "bidask"]), help="Price side.")
@click.option("--stamp", type=click.Choice(["open", "close"]), help="What a row is stamped with.")
@click.option("--interval", metavar="1m", help="Length of a bar; left out: from its rows.")
@click.option("--scale", default=1.0, metavar="1000", help="Divide every price by this.")
@click.option("--symbol", default="", metavar="SYMBOL", help="Symbol, for the settings shown.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@pass_options
def bars(
    options: Options,
    file: str,
    zone: str | None,
    price: str | None,
    stamp: str | None,
    interval: str | None,
    scale: float,
    symbol: str,
    as_json: bool,
) -> None:
    """Show what a bar FILE is: dialect, span, gaps, duplicates, anomalies, zone evidence.

    Settings left out are assumed (zone UTC) and said. Exit status 0: usable; 65: not a bar file,
    or rows were refused.

    \b
    Example:
      foliod bars data/DAT_ASCII_EURUSD_M1_2017.csv --zone America/New_York
    """
    from adapters.feeds.inspect import inspect

    report = inspect(
        Path(file),
        symbol=symbol,
        zone=zone,
        price=price,
        stamp=stamp,
        interval_ns=None if interval is None else interval_ns(interval),
        scale=scale,
    )
    if as_json or options.json:
        import msgspec

        click.echo(msgspec.json.encode(as_object(report)).decode())
    else:
        for line in text(report):
            click.echo(line)
    if report.is_bad:
        sys.exit(ExitCode.DATA)


def interval_ns(given: str) -> int:
    """Read an interval such as ``30s``, ``1m``, ``4h`` or ``1d`` into ns.

    Raises:
        FeedError: it is written otherwise, or zero.
    """
    number, unit = given[:-1], given[-1:]
    if not (number.isascii() and number.isdigit()) or unit not in _UNITS or int(number) == 0:
        raise FeedError(f"--interval = {given!r} is no interval; write 30s, 1m, 5m, 4h or 1d")
    return int(number) * _UNITS[unit]


def as_object(report: Report) -> dict[str, Any]:
    """Return the report as a JSON object: instants as UTC text beside their ns, ``ok`` first."""
    found = asdict(report)
    for key in ("first_ns", "last_ns"):
        found[key.removesuffix("_ns")] = None if found[key] is None else utc_text(found[key])
    return {"ok": not report.is_bad, **found}


def text(report: Report) -> Iterator[str]:
    """Yield the report in lines of at most 79 columns."""
    yield from _facts(report)
    yield from _holes(report)
    yield from _prices(report)
    yield from _refused(report)
    yield from _evidence(report)
    yield from _settings(report)


def _facts(report: Report) -> Iterator[str]:
    from adapters.feeds.files.steps import duration_text

    order = ", newest row first (read from its end)" if report.newest_first else ""
    yield from _line("file", report.path)
    yield from _line("dialect", report.dialect + order)
    if report.fault is not None:
        yield from _line("FAULT", report.fault)
    interval = "unknown" if report.interval_ns is None else duration_text(report.interval_ns)
    yield from _line("bars", f"{report.rows} of {interval}")
    zone = "  (zone not set: read as if UTC)" if report.zone_assumed else ""
    if report.first_ns is not None and report.last_ns is not None:
        end = report.last_ns + (report.interval_ns or 0)
        yield from _line("span", f"{utc_text(report.first_ns)} .. {utc_text(end)}{zone}")
    how = "assumed" if report.stamp_assumed else "in force"
    yield from _line("stamps", f"zone {report.zone}, rows stamped at {report.stamp} ({how})")


def _holes(report: Report) -> Iterator[str]:
    yield from _line(
        "gaps",
        f"{report.gaps}; {report.missing} bars absent in gaps under 12 h" * bool(report.rows),
    )
    for gap in report.largest_gaps:
        size = _span(gap.until_ns - gap.after_ns)
        yield from _line("", f"{utc_text(gap.after_ns)} -> {utc_text(gap.until_ns)}  ({size})")
    if report.breaks:
        shown = ", ".join(f"{name} x{count}" for name, count in list(report.breaks.items())[:3])
        yield from _line("breaks >20h", shown)
    again = sum(item.count for item in report.refused if item.reason == "DUPLICATE")
    yield from _line("duplicates", str(again))


def _prices(report: Report) -> Iterator[str]:
    if report.tick is not None:
        yield from _line("prices", f"{report.decimals} decimals, tick {report.tick:.10g} (guess)")
    if report.decimals == 0 and report.dialect == "mt5":
        yield from _line("", "whole numbers only: points, not prices? Try --scale 1000 (3 digits)")
    if report.chained is not None:
        hint = "; real opening gaps are hidden" if report.chained > 0.95 else ""
        yield from _line("chained", f"{report.chained:.1%} open at the close before{hint}")
    zero = f", {report.zero_volume} bars with 0" if report.volume == "present" else ""
    yield from _line("volume", report.volume + zero)
    spikes = ", ".join(f"{utc_text(s.open_ns)} x{s.times:.0f}" for s in report.largest_spikes)
    yield from _line(
        "spikes", f"{report.spikes} bars with 20x the median range" + (f": {spikes}" * bool(spikes))
    )
    yield from _line(
        "flat runs", f"{report.flat_runs} of 10 bars or more; longest {report.flat_longest}"
    )


def _refused(report: Report) -> Iterator[str]:
    if not report.refused:
        yield from _line("refused", "0 rows")
    for item in report.refused:
        yield from _line("REFUSED", f"{item.reason} {item.count} rows; first: {item.first}")


def _evidence(report: Report) -> Iterator[str]:
    clock = "file's clock" if report.zone_assumed else report.zone
    for edge in report.regimes:
        yield from _line(
            "week",
            f"{edge.regime} ({edge.weeks}): last {edge.closes}, first {edge.opens} ({clock})",
        )
    if not report.regimes:
        for regime, first, last in report.sessions:
            yield from _line("session", f"{regime}: {first} to {last} on most days ({clock})")
    for fit in report.fits[:4]:
        yield from _line("zone fit", f"{fit.market} in {fit.zone}: {fit.hits} of {fit.asked}")
    yield from _line("zone says", report.verdict)
    yield from _line("stamp says", report.stamp_evidence)


def _settings(report: Report) -> Iterator[str]:
    if not report.needed:
        return
    yield ""
    yield "Still to be said before it can be used, under [[bars]]:"
    for key, known in report.needed.items():
        yield from _line(f"  {key}", known)


def _span(ns: int) -> str:
    """Write a length of time as days, hours and minutes: ``2d 0h 1m``."""
    minutes = ns // MINUTE_NS
    days, hours = minutes // 1440, minutes // 60 % 24
    parts = [f"{days}d" * bool(days), f"{hours}h" * bool(days or hours), f"{minutes % 60}m"]
    return " ".join(part for part in parts if part)


def _line(label: str, value: str) -> Iterator[str]:
    """Yield a labelled value, wrapped under itself."""
    import textwrap

    lines = textwrap.wrap(
        value, _WIDTH - _LABEL, break_on_hyphens=False, break_long_words=False
    ) or [""]
    for place, line in enumerate(lines):
        yield f"{label if place == 0 else '':{_LABEL}}{line}".rstrip()
