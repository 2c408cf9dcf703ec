"""News files: ``date,time_utc,currencies,impact,title`` as CSV, read strictly.

A guard built on a half-read file would be no guard, so one bad row refuses the file.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path

from state.errors import ConfigError, FeedError
from state.news import NewsEvent
from state.units import utc_ns

COLUMNS = ("date", "time_utc", "currencies", "impact", "title")
IMPACTS = ("high", "medium", "low", "none")

_CURRENCY = re.compile(r"[A-Z0-9]{2,10}")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_TIME = re.compile(r"\d{2}:\d{2}(:\d{2})?")
_SHOWN = 20
"""Problems listed; a file of another format would otherwise fill the screen."""


def read_events(path: Path) -> tuple[NewsEvent, ...]:
    """Read a news file into events, sorted by instant; equal instants keep the file's order.

    Dates are ``YYYY-MM-DD``, times ``HH:MM`` or ``HH:MM:SS`` in UTC, currencies joined by ``|``,
    ``;``, ``/`` or blanks, the impact one of high, medium, low, none.

    Raises:
        ConfigError: the file cannot be opened.
        FeedError: the file is not such a table; every bad line is named.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"news file {path} cannot be read: {error}") from error
    problems: list[str] = []
    events = list(_rows(text, problems))
    if problems:
        more = len(problems) - _SHOWN
        shown = problems[:_SHOWN] + ([f"and {more} more lines"] if more > 0 else [])
        raise FeedError("\n".join(f"{path}: {problem}" for problem in shown))
    return tuple(sorted(events, key=lambda event: event.at_ns))


def _rows(text: str, problems: list[str]) -> Iterator[NewsEvent]:
    """Yield the events of good rows and append what is wrong with the others."""
    reader = csv.reader(text.splitlines(), skipinitialspace=True)
    header = [name.strip() for name in next(reader, [])]
    if tuple(header) != COLUMNS:
        found = ",".join(header) or "nothing"
        problems.append(f"line 1: expected the header {','.join(COLUMNS)}, found {found}")
        return
    for row in reader:
        if not any(row):
            continue
        try:
            yield _event(row)
        except ValueError as error:
            problems.append(f"line {reader.line_num}: {error}")


def _event(row: list[str]) -> NewsEvent:
    """Turn one row into an event.

    Raises:
        ValueError: says everything that is wrong with it.
    """
    if len(row) != len(COLUMNS):
        raise ValueError(
            f"expected {len(COLUMNS)} fields, found {len(row)}; quote a title that has commas"
        )
    day, at, currencies, impact, title = (field.strip() for field in row)
    codes = [code for code in re.split(r"[|;/\s]+", currencies.upper()) if code]
    level = impact.lower()
    problems = [f"currency {code!r} is not a code like USD" for code in codes if not _is_code(code)]
    if not codes:
        problems.append("no currency; write codes like USD or USD|EUR")
    if level not in IMPACTS:
        near = get_close_matches(level, IMPACTS, n=1)
        hint = f", did you mean {near[0]}?" if near else ""
        problems.append(f"impact {impact!r}, allowed: {', '.join(IMPACTS)}{hint}")
    moment = _moment(day, at)
    if moment is None:
        problems.append(f"instant {day!r} {at!r}, expected YYYY-MM-DD and HH:MM or HH:MM:SS in UTC")
    if problems or moment is None:
        raise ValueError("; ".join(problems))
    return NewsEvent(utc_ns(moment), frozenset(codes), level, title)


def _is_code(code: str) -> bool:
    return _CURRENCY.fullmatch(code) is not None


def _moment(day: str, at: str) -> datetime | None:
    """Return the UTC datetime of a date and a time, None when it is not one."""
    if not (_DATE.fullmatch(day) and _TIME.fullmatch(at)):
        return None
    try:
        return datetime.fromisoformat(f"{day}T{at}").replace(tzinfo=UTC)
    except ValueError:
        return None
