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

from adapters.clock import SystemClock
from daemon.cli.options import Options, pass_options
from daemon.cli.runs import folder_of
from daemon.cli.table import Cell, lines
from daemon.core.plain import plain
from daemon.core.status import FILES, StatusObject
from daemon.runtime.health import Trouble, trouble
from daemon.runtime.run_folder import DATABASE, Manifest
from daemon.runtime.run_index import RunMissing, manifest_of
from daemon.runtime.status_lines import last_status, last_written_ns
from state.errors import ExitCode, FoliodError
from state.lock import is_held
from state.queries import Denial, open_book
from state.units import SECOND_NS, utc_text

_WIDTH = 80
_DENIALS = 5
_ROWS = 12
_GOOD_RUNS = ("running", "complete")
_ENDED = ("replay", "")
"""Modes of runs that are right to be over; every other is a daemon's."""


class NothingWorks(FoliodError):
    """There is no daemon to be asked about, nor was there ever one."""

    exit_code = ExitCode.TRY_AGAIN


class Screen(msgspec.Struct, frozen=True):
    """What the command found: ``trouble`` has one sentence for each thing that needs a person.

    ``ok``: nothing of it fails, and a daemon works where one is meant. ``works``: a process holds
    the folder. ``age_s``: so long ago it wrote its newest status line, null where none works.
    """

    run: str
    ok: bool
    works: bool
    age_s: float | None
    trouble: list[str]
    manifest: Manifest
    status: StatusObject | None
    denials: list[Denial]


@click.command()
@click.argument("run", required=False)
@click.option("--check", is_flag=True, help="Say by the exit status whether all is well.")
@click.option("--watch", is_flag=True, help="Look again every second, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_options
def status(options: Options, /, run: str | None, check: bool, watch: bool, as_json: bool) -> None:
    """Show a run (default: the newest) on one screen.

    What is unprotected, unknown or stale comes first. With --check the exit status is 0 when all
    is well, 1 when something needs a person, 75 when no daemon works; without a run named it asks
    about the portfolio's daemon where there ever was one.

    \b
    Example:
      foliod status --check
      foliod status --watch
    """
    is_json = as_json or options.json
    if watch and (check or is_json):
        raise click.UsageError("--watch stands alone; for programs: foliod tail -f --json")
    folder = _folder(options, run, daemon=check or watch)
    if watch:
        from daemon.cli.status_watch import watch_screen

        async def screen_lines() -> list[str]:
            return text(await look(folder))

        watch_screen(screen_lines, color=options.color)
        return
    screen = asyncio.run(look(folder))
    if is_json:
        click.echo(msgspec.json.format(msgspec.json.encode(screen)).decode())
    else:
        for line in text(screen):
            click.echo(line)
    if check and not screen.ok:
        is_daemon = screen.manifest.mode not in _ENDED
        sys.exit(ExitCode.TRY_AGAIN if is_daemon and not screen.works else ExitCode.NO)


def _folder(options: Options, run: str | None, *, daemon: bool) -> Path:
    try:
        return folder_of(options, run, daemon=daemon)
    except RunMissing as problem:
        if run is None and daemon:
            raise NothingWorks(f"no daemon works: {problem}") from None
        raise


async def look(folder: Path) -> Screen:
    """Look at a run folder; whatever cannot be read is said, never raised."""
    manifest, found, works = manifest_of(folder), last_status(folder), is_held(folder)
    is_daemon = manifest.mode not in _ENDED
    age_s = _age_s(folder) if is_daemon and works else None
    said: list[Trouble] = []
    denials: list[Denial] = []
    if is_daemon and not works:
        said.append(Trouble(f"no daemon works: {_ended(manifest)}"))
    elif manifest.state not in _GOOD_RUNS:
        said.append(Trouble(_ended(manifest)))
    try:
        denials = await _denials(folder / DATABASE)
    except FoliodError as problem:
        said.append(Trouble(" ".join(str(problem).split())))
    if found is None:
        said.append(Trouble("there is no status line yet"))
    else:
        said = trouble(found, age_s) + said
    ok = not any(one.fails for one in said) and (is_daemon or (not said and found is not None))
    texts = [one.text for one in said]
    return Screen(folder.name, ok, works, age_s, texts, manifest, found, denials)


def _ended(manifest: Manifest) -> str:
    return f"the run is {manifest.state}: {manifest.reason or 'no reason given'}"


def _age_s(folder: Path) -> float | None:
    """Return how long ago the newest status line was written, by this host's clock."""
    written_ns = last_written_ns(folder)
    if written_ns is None:
        return None
    return max(0, SystemClock().now_ns() - written_ns) / SECOND_NS


async def _denials(path: Path) -> list[Denial]:
    async with open_book(path) as book:
        return await book.last_denials(_DENIALS)


def text(screen: Screen) -> list[str]:
    """Return the screen as lines of at most 80 columns."""
    found: list[str] = []
    for one in screen.trouble:
        found += _wrapped("!! ", one)
    manifest = screen.manifest
    found += _field("run", f"{screen.run} ({manifest.state})")
    found += _field("portfolio", f"{manifest.portfolio_id}, {manifest.mode} {manifest.version}")
    if screen.status is not None:
        found += _figures(screen.status, screen.age_s)
        found += _positions(screen.status)
        found += _engines(screen.status)
    found += _denied(screen.denials)
    return found


def _figures(now: StatusObject, age_s: float | None) -> list[str]:
    told = [] if age_s is None else _field("told", f"{age_s:.0f} s ago")
    today, risk, equity, pace = now.today, now.risk, now.equity, now.pacing
    stop = "off" if risk.global_daily_stop_r is None else f"{risk.global_daily_stop_r:.2f}"
    limit = "off" if now.dd_lock.limit is None else f"{now.dd_lock.limit * 100:g} %"
    cooling = ", ".join(f"{one.name} until {one.until}" for one in pace.cooldowns) or "none"
    hour = f"{pace.hour.used}/{pace.hour.limit or '-'}"
    day = f"{pace.day.used}/{pace.day.limit or '-'}"
    return [
        *_field("state", f"{now.state}: {now.reason}"),
        *_field("clock", f"{now.now}, since {now.since}"),
        *told,
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
            f"{now.source}: {_line(now) if told else ''}last bar {now.feed.last_bar or '-'}, "
            f"{now.feed.bars} bars, {now.feed.refused} refused",
        ),
    ]


def _line(now: StatusObject) -> str:
    """Say that no price comes over a live source's line; nothing when some do."""
    if now.source == FILES or now.ws.connected:
        return ""
    return f"NOT CONNECTED, {now.ws.errors} errors since the start, "


def _windows(now: StatusObject) -> str:
    if now.window.active and now.window.next_close is None:
        return "always open"
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
