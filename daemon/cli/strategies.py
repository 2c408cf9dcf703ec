"""``foliod strategies``: which strategies there are, whether one is causal. It trades nothing."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from daemon.cli.options import Options, pass_options
from state.errors import ConfigError, ExitCode, StrategyError

if TYPE_CHECKING:
    from daemon.core.calendar import Schedule
    from daemon.core.causality import Checked, Violation
    from daemon.core.strategy import Context, Strategy
    from daemon.runtime.loading import Found
    from state.bars import Bar

_SAMPLE_BEGIN_S = 1_704_067_200
"""2024-01-01, a Monday: where the bars made up for a check begin."""


@click.group("strategies", short_help="List strategies, check one for look-ahead.")
def strategies() -> None:
    """List the strategies there are, or check one for look-ahead.

    \b
    Example:
      foliod strategies check my_strategy.py:Breakout
    """


@strategies.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@pass_options
def list_(options: Options, as_json: bool) -> None:
    """List built-in strategies and those of installed packages, with their parameters.

    \b
    Example:
      foliod strategies list --json
    """
    rows = [_row(found) for found in _known()]
    if options.json or as_json:
        import msgspec

        click.echo(msgspec.json.encode({"strategies": rows}).decode())
        return
    for row in rows:
        for line in _text(row):
            click.echo(line)
    click.echo('\nYour own: kind = "file.py:Class"; see docs/how-to/strategy.md')


def _known() -> Iterator[Found | tuple[str, str, StrategyError]]:
    """Yield what can be used, and (name, source, error) for an entry point that cannot."""
    from daemon.core.strategies.registry import BUILT_IN
    from daemon.runtime import loading

    for name in BUILT_IN:
        yield loading.find(name)
    for name, point in loading.entry_points().items():
        try:
            yield loading.from_entry_point(point)
        except StrategyError as error:
            yield name, point.value, error


def _row(found: Found | tuple[str, str, StrategyError]) -> dict[str, Any]:
    from daemon.runtime import loading

    if isinstance(found, tuple):
        name, source, error = found
        return {"name": name, "origin": "entry point", "source": source, "error": str(error)}
    doc = (found.strategy.__doc__ or "").strip().splitlines()
    return {
        "name": found.kind,
        "origin": found.origin,
        "source": found.source,
        "summary": doc[0] if doc else "",
        "warmup_bars": found.strategy.warmup_bars,
        "parameters": loading.parameters(found.strategy),
    }


def _text(row: dict[str, Any]) -> Iterator[str]:
    yield f"{row['name']}  ({row['origin']}, {row['source']})"
    if "error" in row:
        yield f"  cannot be used: {row['error']}"
        return
    if row["summary"]:
        yield f"  {row['summary']}"
    for one in row["parameters"]:
        default = "required" if one.required else _toml_value(one.default)
        yield f"    {one.name:<22} {default:<9} {one.type:<6} {one.bounds}".rstrip()


def _toml_value(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@dataclass(frozen=True, slots=True)
class _Ground:
    """What a check runs on."""

    context: Context
    bars: list[Bar]
    in_window: list[bool]
    source: str


@strategies.command("check")
@click.argument("strategy", metavar="NAME|FILE.py:CLASS")
@click.option(
    "--bars", type=click.Path(readable=False), help="Bar file; left out: bars are made up."
)
@click.option(
    "--price", type=click.Choice(["bid", "ask", "mid", "bidask"]), help="Price side, with --bars."
)
@click.option("--zone", metavar="ZONE", help="Zone of the file's stamps, with --bars.")
@click.option("--stamp", type=click.Choice(["open", "close"]), help="Stamping, with --bars.")
@click.option("--symbol", default="EURUSD", show_default=True, help="Instrument whose pip to use.")
@click.option("--interval", default="5m", show_default=True, help="Length of a bar.")
@click.option("--window", default="07:00-10:00", show_default=True, help="UTC window, or `always`.")
@click.option("--count", default=6000, show_default=True, type=click.IntRange(2), help="Bars.")
@click.option(
    "--param", "params", multiple=True, metavar="KEY=VALUE", help="Parameter, repeatable."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@pass_options
@click.pass_context
def check(
    click_context: click.Context,
    options: Options,
    /,
    strategy: str,
    params: tuple[str, ...],
    as_json: bool,
    **ground: Any,  # noqa: ANN401 - the options that say what to run on, handed on as they are
) -> None:
    """Check that a strategy decides on past bars only and survives a restart.

    It is run over the bars whole, again, cut short, with later bars altered, and restored from its
    state; every decision must stay the same. What it opens and holds is looked at too. Exit
    status 0: nothing found; 1: refused, with the first bar that differs.

    \b
    Example:
      foliod strategies check EMA --bars eurusd.csv --price mid
    """
    from daemon.core import causality
    from daemon.runtime import hindsight, loading

    given = _params(params)
    base = _ground(**ground)
    with _quiet(strategy):
        found = loading.find(strategy)

        def make() -> Strategy:
            return loading.make(found, base.context, given)

        make()
        result = causality.check(make, base.bars, base.in_window)
        violation = result.violation or hindsight.look(make, base.bars, base.in_window)
    for line in _verdict(strategy, base, result, violation, options.json or as_json):
        click.echo(line)
    if not result.decisions and violation is None:
        click.echo(
            "note: no decision in these bars, so there was little to compare; "
            "give --bars with a history on which it trades",
            err=True,
        )
    if violation is not None:
        click_context.exit(int(ExitCode.NO))


@contextmanager
def _quiet(name: str) -> Iterator[None]:
    """Send what a strategy prints to stderr, and take its ``sys.exit`` for the mistake it is.

    Raises:
        StrategyError: the strategy calls ``sys.exit``.
    """
    try:
        with redirect_stdout(sys.stderr):
            yield
    except SystemExit as wanted:
        raise StrategyError(
            f"strategy {name!r} calls sys.exit({wanted.code!r}) while it decides; "
            "a strategy answers None when it wants nothing, and raises when something is wrong"
        ) from None


def _verdict(
    name: str, base: _Ground, result: Checked, violation: Violation | None, as_json: bool
) -> Iterator[str]:
    if as_json:
        import msgspec

        yield msgspec.json.encode(
            {
                "ok": violation is None,
                "strategy": name,
                "source": base.source,
                "bars": result.bars,
                "decisions": result.decisions,
                "cuts": result.cuts,
                "violation": violation,
                "text": "" if violation is None else violation.text(),
            }
        ).decode()
        return
    yield (
        f"{name} on {base.source}: {result.bars} bars, {result.decisions} decisions, "
        f"cut at {result.cuts} bars"
    )
    if violation is None:
        yield "pass  no look-ahead found; state and restore lose nothing"
    else:
        yield f"FAIL  {violation.text()}"


def _params(given: tuple[str, ...]) -> dict[str, Any]:
    """Read KEY=VALUE pairs; a value is TOML, or else a word.

    Raises:
        StrategyError: a pair has no ``=``.
    """
    found: dict[str, Any] = {}
    for pair in given:
        key, equals, text = pair.partition("=")
        if not equals:
            raise StrategyError(f"--param {pair!r}: write it as KEY=VALUE, e.g. fast=10")
        try:
            found[key.strip()] = tomllib.loads(f"x = {text}")["x"]
        except tomllib.TOMLDecodeError:
            found[key.strip()] = text
    return found


def _ground(
    bars: str | None,
    price: str | None,
    zone: str | None,
    stamp: str | None,
    symbol: str,
    interval: str,
    window: str,
    count: int,
) -> _Ground:
    from config.catalogue import instrument
    from daemon.cli.bars import interval_ns
    from daemon.core.strategy import Context
    from state.instruments import Grid

    length_ns = interval_ns(interval)
    grid = Grid(instrument(symbol))
    schedule = _schedule(window)
    context = Context(symbol, length_ns, grid.pip, grid.tick, grid.tie, schedule)
    if bars is None:
        found, source = _made_up(context, count), "bars made up"
    elif price is None:
        raise ConfigError(f"--price is needed with --bars {bars}: bid, ask, mid or bidask")
    else:
        found, source = _from_file(Path(bars), context, price, zone, stamp, count), bars
    return _Ground(context, found, [schedule.covers(bar.open_ns) for bar in found], source)


def _schedule(window: str) -> Schedule:
    from daemon.core.calendar import Schedule, WindowSpec

    if window == "always":
        return Schedule.always()
    try:
        start, end = (_second(text) for text in window.split("-"))
        return Schedule([WindowSpec(start, end, "UTC")])
    except ValueError as error:
        raise ConfigError(
            f"--window = {window!r}: {error}; write 07:00-10:00, or always"
        ) from error


def _second(text: str) -> int:
    hour, minute = text.split(":")
    return int(hour) * 3600 + int(minute) * 60


def _made_up(context: Context, count: int) -> list[Bar]:
    from daemon.core.causality import sample_bars
    from state.units import SECOND_NS

    return sample_bars(
        context.interval_ns,
        count,
        begin_ns=_SAMPLE_BEGIN_S * SECOND_NS,
        pip=context.pip,
        tick=context.tick,
    )


def _from_file(
    path: Path, context: Context, price: str, zone: str | None, stamp: str | None, count: int
) -> list[Bar]:
    """Read the file's first bars, made coarser where the interval asks for it."""
    from itertools import islice

    from adapters.feeds.files.source import open_bars
    from adapters.feeds.files.spec import BarFileSpec
    from adapters.feeds.resample import resample
    from config.catalogue import instrument
    from state.bars import Bar

    known = instrument(context.symbol)
    spread = float(known.spread_pips * known.pip)
    source = open_bars(
        BarFileSpec(
            path=path, symbol=context.symbol, price=price, zone=zone, stamp=stamp, spread=spread
        )
    )
    length_ns = context.interval_ns
    rows = (
        row
        for columns in resample(source.batches(), source.interval_ns, length_ns)
        for row in zip(
            columns.open_ns.tolist(),
            columns.open.tolist(),
            columns.high.tolist(),
            columns.low.tolist(),
            columns.close.tolist(),
            columns.volume.tolist(),
            strict=True,
        )
    )
    return [Bar(at, at + length_ns, *prices) for at, *prices in islice(rows, count)]
