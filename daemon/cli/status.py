"""``foliod status``: a run on one screen of 80 columns, what needs a person first.

It reads the last status line, the manifest and the last denials; it changes nothing.
"""

from __future__ import annotations

import asyncio
import sys
import textwrap
from datetime import datetime
from pathlib import Path

import click
import msgspec

from daemon.cli.options import Options, pass_options
from daemon.cli.runs import folder_of
from daemon.cli.table import Cell, lines
from daemon.core.plain import plain
from daemon.core.status import StatusObject
from daemon.runtime.run_folder import DATABASE, Manifest
from daemon.runtime.run_index import manifest_of
from daemon.runtime.status_lines import last_status
from state.errors import ExitCode, FoliodError
from state.queries import Denial, open_book
from state.units import utc_text

_WIDTH = 80
_DENIALS = 5
_ROWS = 12
_GOOD_RUNS = ("running", "complete")


class Screen(msgspec.Struct, frozen=True):
    """What the command found: ``trouble`` has one sentence for each thing that needs a person."""

    run: str
    ok: bool
    trouble: list[str]
    manifest: Manifest
    status: StatusObject | None
    denials: list[Denial]


@click.command()
@click.argument("run", required=False)
@click.option("--check", is_flag=True, help="Exit with 1 unless all is well.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_options
def status(options: Options, /, run: str | None, check: bool, as_json: bool) -> None:
    """Show a run (default: the newest) on one screen.

    What is unprotected, unknown or broken comes first.

    \b
    Example:
      foliod status --check
    """
    screen = look(folder_of(options, run))
    if as_json or options.json:
        click.echo(msgspec.json.format(msgspec.json.encode(screen)).decode())
    else:
        for line in text(screen):
            click.echo(line)
    if check and not screen.ok:
        sys.exit(ExitCode.NO)


def look(folder: Path) -> Screen:
    """Look at a run folder; whatever cannot be read is said, never raised."""
    manifest, found = manifest_of(folder), last_status(folder)
    trouble: list[str] = []
    denials: list[Denial] = []
    if manifest.state not in _GOOD_RUNS:
        trouble.append(f"the run is {manifest.state}: {manifest.reason or 'no reason given'}")
    try:
        denials = asyncio.run(_denials(folder / DATABASE))
    except FoliodError as problem:
        trouble.append(str(problem))
    if found is None:
        trouble.append("there is no status line yet")
    else:
        trouble += _trouble(found)
    ok = not trouble and found is not None and found.ok
    return Screen(folder.name, ok, trouble, manifest, found, denials)


async def _denials(path: Path) -> list[Denial]:
    async with open_book(path) as book:
        return await book.last_denials(_DENIALS)


def _trouble(found: StatusObject) -> list[str]:
    """Return what needs a person, the gravest first."""
    said = [f"{one.code} {one.what}" for one in found.alerts]
    if found.kill.present:
        said.append(f"KILL SWITCH, level {found.kill.level}: {found.kill.reason or 'no reason'}")
    said += [
        f"HALTED {one.name}: {one.code} {one.observed} / {one.limit}, "
        f"until {one.until or 'cleared or the day rolls'}"
        for one in found.risk.halts
    ]
    if not found.db.ok:
        said.append("the database cannot be written")
    if not found.broker.ok:
        said.append(f"the broker {found.broker.name} cannot be reached")
    return said


def text(screen: Screen) -> list[str]:
    """Return the screen as lines of at most 80 columns."""
    found: list[str] = []
    for one in screen.trouble:
        found += _wrapped("!! ", one)
    manifest = screen.manifest
    found += _field("run", f"{screen.run} ({manifest.state})")
    found += _field("portfolio", f"{manifest.portfolio_id}, {manifest.mode} {manifest.version}")
    if screen.status is not None:
        found += _figures(screen.status)
        found += _positions(screen.status)
        found += _engines(screen.status)
    found += _denied(screen.denials)
    return found


def _figures(now: StatusObject) -> list[str]:
    today, risk, equity, pace = now.today, now.risk, now.equity, now.pacing
    stop = "off" if risk.global_daily_stop_r is None else f"{risk.global_daily_stop_r:.2f}"
    limit = "off" if now.dd_lock.limit is None else f"{now.dd_lock.limit * 100:g} %"
    cooling = ", ".join(f"{one.name} until {one.until}" for one in pace.cooldowns) or "none"
    hour = f"{pace.hour.used}/{pace.hour.limit or '-'}"
    day = f"{pace.day.used}/{pace.day.limit or '-'}"
    return [
        *_field("state", f"{now.state}: {now.reason}"),
        *_field("clock", f"{now.now}, since {now.since}"),
        *_field(
            "equity",
            f"{equity.equity:.2f} {equity.currency} (cash {equity.cash:.2f}, open "
            f"{equity.open_pnl:+.2f}), drawdown {now.dd_lock.drawdown * 100:.2f} % of {limit}",
        ),
        *_field(
            "today",
            f"{today.date}: {risk.r_counted:+.2f} R against the stop {stop} (closed "
            f"{today.r_total:+.2f}, open {today.r_open:+.2f}), {today.trades} trades, "
            f"{today.pnl_total:+.2f} {equity.currency}",
        ),
        *_field("windows", _windows(now)),
        *_field(
            "entries",
            f"{now.gates.allowed} allowed, {now.gates.denied} denied; hour {hour}, day {day}, "
            f"next {pace.next_allowed or 'now'}; cooldowns: {cooling}",
        ),
        *_field(
            "feed",
            f"{now.source}: last bar {now.feed.last_bar or '-'}, {now.feed.bars} bars, "
            f"{now.feed.refused} refused",
        ),
    ]


def _windows(now: StatusObject) -> str:
    opening = f"next opening {now.window.next_open or '-'}"
    return (
        f"open until {now.window.next_close}; {opening}"
        if now.window.active
        else (f"closed; {opening}")
    )


def _positions(now: StatusObject) -> list[str]:
    rows: list[list[Cell]] = [
        [
            one.symbol,
            one.strategy,
            one.side,
            one.quantity,
            f"{one.entry:.6g}",
            "UNPROTECTED" if one.sl is None else f"{one.sl:.6g}",
            None if one.tp is None else f"{one.tp:.6g}",
            None if one.r is None else f"{one.r:+.2f}",
        ]
        for one in now.positions
    ]
    columns = ("symbol", "strategy", "side", "quantity", "entry", "stop", "target", "R")
    return _section("positions", columns, rows)


def _engines(now: StatusObject) -> list[str]:
    """Return the engines, those of a strategy with the same windows and set in one row."""
    grouped: dict[tuple[str, str, str, str, str], list[str]] = {}
    for one in now.engines:
        state = "QUARANTINED" if one.quarantined else "active" if one.active else "waits"
        until = _countdown(now.now, one.next_close or one.next_open)
        key = (one.strategy, one.interval, state, until, one.params_set)
        grouped.setdefault(key, []).append(one.symbol)
    rows: list[list[Cell]] = []
    for (strategy, interval, state, until, params_set), symbols in grouped.items():
        shown = " ".join(symbols[:2]) + (f" +{len(symbols) - 2}" if len(symbols) > 2 else "")
        rows.append([strategy, shown, interval, state, until, params_set])
    columns = ("strategy", "symbols", "bars", "state", "until", "parameter set")
    return _section("strategies", columns, rows)


def _countdown(now: str, edge: str | None) -> str:
    """Write the next edge of a window and how far it is: ``01-31 07:00, 7 h 0 min``."""
    if edge is None:
        return "-"
    minutes = int((datetime.fromisoformat(edge) - datetime.fromisoformat(now)).total_seconds())
    hours, minutes = divmod(max(0, minutes) // 60, 60)
    return f"{edge[5:16]}, {hours} h {minutes} min"


def _denied(denials: list[Denial]) -> list[str]:
    rows: list[list[Cell]] = [
        [
            utc_text(one.at_ns)[5:16].replace("T", " "),
            one.symbol,
            one.strategy,
            one.code,
            f"{one.observed} / {one.limit}",
        ]
        for one in denials
    ]
    return _section("last denials", ("at", "symbol", "strategy", "code", "observed / limit"), rows)


def _section(title: str, columns: tuple[str, ...], rows: list[list[Cell]]) -> list[str]:
    """Return a titled table, cut at the width of the screen and at a dozen rows."""
    if not rows:
        return ["", f"{title}: none"]
    found = [_cut(f"  {line}") for line in lines(columns, rows[:_ROWS])]
    if len(rows) > _ROWS:
        found.append(f"  ... and {len(rows) - _ROWS} more (--json has them all)")
    return ["", title, *found]


def _field(name: str, value: str) -> list[str]:
    return _wrapped(f"{name:<10}", value)


def _wrapped(head: str, value: str) -> list[str]:
    return textwrap.wrap(
        plain(value),
        _WIDTH,
        initial_indent=head,
        subsequent_indent=" " * len(head),
        break_on_hyphens=False,
    ) or [head.rstrip()]


def _cut(line: str) -> str:
    return line if len(line) <= _WIDTH else line[: _WIDTH - 1] + "~"
