"""``foliod why``: every gate's answer for one decision, with the values and limits (R7)."""

from __future__ import annotations

import asyncio
import difflib
import textwrap
from pathlib import Path

import click
import msgspec

from daemon.cli.options import Options, pass_options
from daemon.cli.runs import Instant, folder_of
from daemon.cli.table import terminal_width, wrapped_lines
from daemon.core.plain import plain
from daemon.runtime.run_folder import DATABASE
from state.entries import Decided, WideningRefused
from state.errors import ExitCode, FoliodError
from state.queries import Book, open_book
from state.reasons import REASONS
from state.signals import Signal
from state.units import day_text, side_name, utc_text


class NoDecision(FoliodError):
    """The engine decided nothing; the text says which engines did."""

    exit_code = ExitCode.NO


@click.command()
@click.argument("strategy")
@click.argument("symbol")
@click.argument("run", required=False)
@click.option("--at", "at_ns", type=Instant(), help="The decision at this instant, or before it.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_options
def why(
    options: Options,
    /,
    strategy: str,
    symbol: str,
    run: str | None,
    at_ns: int | None,
    as_json: bool,
) -> None:
    """Say which gates allowed or denied the last wish of STRATEGY on SYMBOL, and with what numbers.

    \b
    Example:
      foliod why lsg EURUSD --at 2017-01-05T08:25
    """
    folder = folder_of(options, run)
    seq, decided, night = asyncio.run(_find(folder / DATABASE, strategy, symbol, at_ns))
    if as_json or options.json:
        found = {**_object(seq, decided), "widening_refused": _night_object(night)}
        click.echo(msgspec.json.format(msgspec.json.encode(found)).decode())
        return
    width = terminal_width()
    for line in [*_text(seq, decided, at_ns, width), *_night_text(night, width)]:
        click.echo(line)


async def _find(
    path: Path, strategy: str, symbol: str, at_ns: int | None
) -> tuple[int, Decided, WideningRefused | None]:
    """Return the decision, and why the plan was last not widened after it (None: it was)."""
    async with open_book(path) as book:
        found = await book.decisions(strategy=strategy, symbol=symbol, until_ns=at_ns)
        if found:
            seq, decided = found[0]
            night = await book.last_refused_widening(decided.strategy, decided.symbol, after=seq)
            return seq, decided, night
        raise NoDecision(await _nothing(book, strategy, symbol, at_ns))


async def _nothing(book: Book, strategy: str, symbol: str, at_ns: int | None) -> str:
    """Say that the engine decided nothing, and which engines did."""
    known = {f"{d.strategy} {d.symbol}" for _, d in await book.decisions(limit=2000)}
    asked = f"{strategy} {symbol}"
    when = "" if at_ns is None else f" at or before {utc_text(at_ns)}"
    near = difflib.get_close_matches(asked, sorted(known), n=1, cutoff=0.5)
    if near and near[0].casefold() != asked.casefold():
        return f"{asked} never asked for anything{when}; did you mean: foliod why {plain(near[0])}"
    others = ", ".join(plain(one) for one in sorted(known)[:8]) or "none did in this run"
    return (
        f"{asked} never asked for anything{when}, so no gate answered: its rules gave no signal."
        f" Engines that did ask: {others}"
    )


def _object(seq: int, decided: Decided) -> dict[str, object]:
    return {
        "seq": seq,
        "at": utc_text(decided.at_ns),
        "bar": utc_text(decided.bar_open_ns),
        "symbol": decided.symbol,
        "strategy": decided.strategy,
        "action": decided.action,
        "outcome": decided.outcome,
        "intent_id": decided.intent_id,
        "verdicts": [
            {name: getattr(one, name) for name in one.__struct_fields__} for one in decided.verdicts
        ],
    }


def _night_object(night: WideningRefused | None) -> dict[str, object] | None:
    if night is None:
        return None
    return {
        "at": utc_text(night.at_ns),
        "day": day_text(night.day),
        "code": night.code,
        "observed": night.observed,
        "limit": night.limit,
    }


def _night_text(night: WideningRefused | None, width: int | None) -> list[str]:
    if night is None:
        return []
    line = (
        f"night of {day_text(night.day)}: not widened, {plain(night.code)}:"
        f" {plain(night.observed)}, limit {plain(night.limit)}"
    )
    found = ["", *_wrapped(line, width)]
    reason = REASONS.get(night.code)
    return found if reason is None else [*found, *_wrapped(f"  {reason.meaning}", width)]


def _text(seq: int, decided: Decided, at_ns: int | None, width: int | None) -> list[str]:
    action = decided.action
    wish = f"enter {side_name(action.side)}" if isinstance(action, Signal) else "exit or cancel"
    asked = (
        f"{plain(decided.strategy)} {plain(decided.symbol)} asked to {wish} at "
        f"{utc_text(decided.at_ns)} (bar of {utc_text(decided.bar_open_ns)}, entry {seq})"
    )
    found = [
        *_wrapped(asked, width),
        f"outcome: {plain(decided.outcome)}"
        + (f", order {plain(decided.intent_id)}" if decided.intent_id else ""),
    ]
    if at_ns is not None and decided.at_ns != at_ns:
        found.append(f"(nothing was asked at {utc_text(at_ns)}; this is the last wish before it)")
    if decided.verdicts:
        rows = [
            ("yes" if one.allowed else "NO", one.gate, one.code, one.observed, one.limit)
            for one in decided.verdicts
        ]
        columns = ("ok", "gate", "code", "observed", "limit")
        found += ["", *wrapped_lines(columns, [list(map(plain, row)) for row in rows], width)]
    for code in dict.fromkeys(one.code for one in decided.verdicts if not one.allowed):
        reason = REASONS.get(code)
        if reason is not None:
            found += ["", *_wrapped(f"{code}: {reason.meaning}", width)]
            found += _wrapped(f"  What to do: {reason.remedy}", width)
    return found


def _wrapped(line: str, width: int | None) -> list[str]:
    if width is None:
        return [line]
    return textwrap.wrap(line, width, subsequent_indent="  ", break_on_hyphens=False)
