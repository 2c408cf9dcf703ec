"""``foliod show windows``: the coming windows in local time and UTC (W3).

Clock changes, holidays and early closes are marked, so that a wrong zone shows before it costs
money. Text of at most 80 columns that reads without colour, or one JSON object. It decides nothing.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

import click
import msgspec

from daemon.cli.options import Options, pass_options
from daemon.core.calendar import Schedule, Window, time_text, weekday
from daemon.core.civil import CivilClock
from state.units import DAY_NS, MINUTE_NS, day_text, utc_text

if TYPE_CHECKING:
    from config.settings import Settings

_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_WIDTH: Final = 80
_NOTES_AT: Final = 57
_LOOK_BACK_NS: Final = 8 * DAY_NS
"""Longer than a week: every weekly window has one before it to compare the offset with."""


class Row(msgspec.Struct, frozen=True):
    """One window of one strategy, or the day on which a holiday takes it.

    ``state`` is ``open`` (at the instant asked), ``coming``, ``closed`` (there is none that day) or
    ``always`` (the strategy has no windows; the instants are then None). ``date`` is the local date
    of the start, ``zone`` the one of all local times, ``offset`` local minus UTC at the start.
    ``start``, ``last_entry`` and ``end`` are local times of day, ``*_utc`` the same instants.
    """

    strategy: str
    windows: str
    state: str
    zone: str
    date: str | None = None
    weekday: str | None = None
    offset: str | None = None
    start: str | None = None
    last_entry: str | None = None
    end: str | None = None
    start_utc: str | None = None
    last_entry_utc: str | None = None
    end_utc: str | None = None
    notes: tuple[str, ...] = ()


def render(
    strategies: Sequence[tuple[str, Schedule]], now_ns: int, days: int, zone: str
) -> list[Row]:
    """Return the windows that end after an instant and start within so many days of ``zone``.

    Local times are those of a strategy's windows, of ``zone`` where they have several zones.
    """
    found: list[Row] = []
    clock = CivilClock(zone)
    until_ns = clock.day_start_ns(clock.day(now_ns) + days)
    for name, schedule in strategies:
        if schedule.is_always:
            notes = ("open at every instant",)
            found.append(Row(name, schedule.text(), "always", zone, notes=notes))
            continue
        shown = schedule.zones[0] if len(schedule.zones) == 1 else zone
        found += _rows(name, schedule, CivilClock(shown), now_ns, until_ns)
    return found


def _rows(
    name: str, schedule: Schedule, clock: CivilClock, now_ns: int, until_ns: int
) -> Iterator[Row]:
    """Yield the rows of one strategy, windows lost to holidays among them."""
    planned = Schedule(schedule.specs)
    previous: Window | None = None
    window = planned.next_after(now_ns - _LOOK_BACK_NS)
    while window is not None and window.start_ns < until_ns:
        if window.end_ns > now_ns and not _is_closed_weekend(schedule, window):
            yield _row(name, schedule, clock, window, previous, now_ns)
        previous, window = window, planned.next_after(window.start_ns)


def _is_closed_weekend(schedule: Schedule, planned: Window) -> bool:
    return weekday(planned.date) >= 5 and not schedule.covers(planned.start_ns)


def _row(
    name: str,
    schedule: Schedule,
    clock: CivilClock,
    planned: Window,
    previous: Window | None,
    now_ns: int,
) -> Row:
    actual = schedule.at(planned.start_ns)
    window = actual or planned
    notes = _clock_notes(schedule, clock, planned, previous)
    notes += _exchange_notes(schedule, planned, actual)
    if actual is None:
        state = "closed"
    else:
        state = "open" if actual.start_ns <= now_ns < actual.end_ns else "coming"
    last = f"last entry {_local_time(clock, window.last_entry_ns)}"
    if actual and window.last_entry_ns < window.end_ns and last not in schedule.text():
        notes.append(last)
    if state == "open":
        notes.insert(0, "open now")
    day = clock.day(window.start_ns)
    return Row(
        strategy=name,
        windows=schedule.text(),
        state=state,
        zone=clock.zone,
        date=day_text(day),
        weekday=_DAYS[weekday(day)],
        offset=_offset_text(clock.offset_ns(window.start_ns)),
        start=_local_time(clock, window.start_ns),
        last_entry=_local_time(clock, window.last_entry_ns),
        end=_end_text(_local_time(clock, window.end_ns)),
        start_utc=utc_text(window.start_ns),
        last_entry_utc=utc_text(window.last_entry_ns),
        end_utc=utc_text(window.end_ns),
        notes=tuple(notes),
    )


def _clock_notes(
    schedule: Schedule, clock: CivilClock, window: Window, previous: Window | None
) -> list[str]:
    """Say which clocks changed since the start of the window before, or change inside this one."""
    notes = []
    for zone in schedule.zones:
        civil = CivilClock(zone)
        offsets = [civil.offset_ns(ns) for ns in (window.start_ns, window.end_ns)]
        if previous is not None:
            offsets.insert(0, civil.offset_ns(previous.start_ns))
        texts = [_offset_text(offset) for offset in dict.fromkeys(offsets)]
        if len(texts) > 1:
            where = "" if zone == clock.zone else f"{zone} "
            notes.append(f"DST {where}{' to '.join(texts)}")
    return notes


def _exchange_notes(schedule: Schedule, planned: Window, actual: Window | None) -> list[str]:
    """Say why a planned window is missing or cut."""
    holidays = schedule.holidays
    if holidays is None:
        return []
    if actual is not None:
        return [f"early close {holidays.name}"] if actual.end_ns < planned.end_ns else []
    if not holidays.first <= planned.date <= holidays.last:
        return [f"{holidays.name} known {day_text(holidays.first)} to {day_text(holidays.last)}"]
    return [f"holiday {holidays.name}"]


def _local_time(clock: CivilClock, ns: int) -> str:
    return time_text(clock.second(ns))


def _end_text(time: str) -> str:
    return "24:00" if time == "00:00" else time


def _offset_text(offset_ns: int) -> str:
    hours, minutes = divmod(abs(offset_ns) // MINUTE_NS, 60)
    return f"{'-' if offset_ns < 0 else '+'}{hours:02d}:{minutes:02d}"


def text(rows: Sequence[Row]) -> list[str]:
    """Write rows as lines of at most 80 columns, one block per strategy."""
    lines: list[str] = []
    block = ""
    for row in rows:
        title = f"{row.strategy}: {row.windows}"
        if title != block:
            lines += ["", *_wrapped(title)]
            if row.state != "always":
                local = "local" if row.zone in row.windows else f"local {row.zone}"
                lines.append(f"  {'day':14}  {local:18}  {'UTC':17}  notes")
            block = title
        lines += _row_lines(row)
    return lines[1:]


def _wrapped(title: str) -> list[str]:
    return textwrap.wrap(title, _WIDTH, subsequent_indent="    ", break_on_hyphens=False)


def _row_lines(row: Row) -> list[str]:
    notes = textwrap.wrap(", ".join(row.notes), _WIDTH - _NOTES_AT)
    if row.start_utc is None or row.end_utc is None:
        return [f"  {', '.join(row.notes)}"]
    local = "closed" if row.state == "closed" else f"{row.start}-{row.end} {row.offset}"
    start, end = row.start_utc.removesuffix("Z"), row.end_utc.removesuffix("Z")
    utc = f"{start[5:10]} {_short(start)}-{_end_text(_short(end))}"
    utc = "" if row.state == "closed" else utc
    first = f"  {row.weekday} {row.date}  {local:18}  {utc:17}  {notes[0] if notes else ''}"
    return [first.rstrip(), *(" " * _NOTES_AT + note for note in notes[1:])]


def _short(instant: str) -> str:
    """Return the time of an ISO instant, without seconds when there are none."""
    return instant[11:].removesuffix(":00")


@click.command("windows", short_help="Coming windows, local and UTC.")
@click.option("--days", type=click.IntRange(1, 366), default=14, show_default=True, help="Days.")
@click.option(
    "--from", "first", type=click.DateTime(["%Y-%m-%d"]), metavar="DATE", help="Default: now."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@pass_options
def windows(options: Options, days: int, first: datetime | None, as_json: bool) -> None:
    """Show the coming windows of every strategy in local time and UTC.

    Clock changes (DST), holidays and early closes are marked. DATE is a day in the portfolio's
    zone.

    Example: foliod show windows --days 14 --from 2017-03-20
    """
    import os

    from adapters.clock import SystemClock
    from config.load import load

    settings = load(options.config_paths, os.environ)
    zone = settings.portfolio.zone
    if first is None:
        now_ns = SystemClock().now_ns()
    else:
        now_ns = CivilClock(zone).day_start_ns(first.toordinal())
    rows = render(schedules(settings), now_ns, days, zone)
    if as_json or options.json:
        answer = {"from": utc_text(now_ns), "days": days, "windows": rows}
        click.echo(msgspec.json.encode(answer).decode())
        return
    for line in text(rows) or [f"no window opens within {days} days"]:
        click.echo(line)


def schedules(settings: Settings) -> list[tuple[str, Schedule]]:
    """Return the schedules in force, symbols with the same windows and holidays in one."""
    from daemon.wiring import schedule_of

    found: list[tuple[str, Schedule]] = []
    for strategy in settings.strategies:
        grouped: dict[str | None, list[str]] = {}
        for symbol in strategy.symbols if strategy.enabled else ():
            grouped.setdefault(settings.instrument(symbol).calendar, []).append(symbol)
        for symbols in grouped.values():
            schedule = schedule_of(settings, strategy, symbols[0])
            found.append((f"{strategy.name} {' '.join(symbols)}", schedule))
    return found
