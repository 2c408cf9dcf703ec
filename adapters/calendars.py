"""Exchange calendars, read once and flattened to ``Holidays``.

The library and pandas are imported when a calendar is first needed: they cost half a second and a
hundred megabytes. What they said is kept in a file, by their versions, so that the next start need
not ask again. Calendars end: for years the source has no holidays for, days count as closed, so
that windows stay shut rather than open on a holiday nobody listed.
"""

from __future__ import annotations

import hashlib
import os
import warnings
from contextlib import suppress
from datetime import date, time
from difflib import get_close_matches
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final

import msgspec

from state.errors import ConfigError
from state.holidays import Holidays
from state.units import day_text

if TYPE_CHECKING:
    import pandas as pd

_SOURCES: Final = ("pandas-market-calendars", "exchange-calendars")
"""The distributions whose versions decide what is known: the library and its data."""
_KEPT_AS: Final = "1"
"""How answers are flattened; another number, and none that was kept is taken any more."""

_USUAL_YEARS = range(2015, 2026)
"""Years that every calendar with dated holidays should know; they say what is usual."""
_TELLING = 6
"""Usual holidays a year from which on a year with less than half of them is taken as unknown."""


@lru_cache(maxsize=32)
def read_holidays(name: str, first_day: int, last_day: int, folder: Path | None = None) -> Holidays:
    """Read the closed days and early closes of an exchange for a span of days.

    ``first_day`` and ``last_day`` are ordinals, both inclusive. The answer covers the part of the
    span that the calendar knows; days outside count as closed. ``folder`` is where answers are
    kept, made in a folder that exists; None, or one that cannot be written: the library is asked
    every time.

    Raises:
        ConfigError: no calendar has this name, or it knows nothing of the span.
    """
    if folder is None:
        return _from_library(name, first_day, last_day)
    kept = folder / _file_name(name, first_day, last_day)
    with suppress(OSError, msgspec.MsgspecError):
        return msgspec.json.decode(kept.read_bytes(), type=Holidays)
    found = _from_library(name, first_day, last_day)
    with suppress(OSError):
        folder.mkdir(exist_ok=True)
        temporary = kept.with_name(f".{kept.name}.{os.getpid()}")
        temporary.write_bytes(msgspec.json.encode(found))
        os.replace(temporary, kept)
    return found


def _file_name(name: str, first_day: int, last_day: int) -> str:
    """Return the name of the file of one answer: another library, another file."""
    asked = [_KEPT_AS, name, str(first_day), str(last_day)]
    asked += [f"{one}={version(one)}" for one in _SOURCES]
    digest = hashlib.blake2b("\0".join(asked).encode(), digest_size=8).hexdigest()
    return f"holidays-{digest}.json"


def _from_library(name: str, first_day: int, last_day: int) -> Holidays:
    with warnings.catch_warnings():
        # The library calls deprecated pandas and warns of venues that closed; neither is for us.
        warnings.simplefilter("ignore")
        calendar = _open(name)
        try:
            return _flatten(name, calendar, first_day, last_day)
        except (NotImplementedError, ValueError) as error:
            problem = f"calendar {name!r} has no usable session times ({error}); choose another"
            raise ConfigError(problem) from error


def known_names() -> list[str]:
    """Return the names of all calendars, sorted."""
    return sorted(_library().get_calendar_names())


def check_name(name: str) -> None:
    """Refuse a calendar name that nobody knows.

    Raises:
        ConfigError: names the nearest calendars.
    """
    names = known_names()
    if name in names:
        return
    folded = {known.casefold(): known for known in names}
    near = [folded[word] for word in get_close_matches(name.casefold(), folded, n=3)]
    meant = f"did you mean {' or '.join(near)}?" if near else "known ones are NSE, NYSE, CME_Equity"
    raise ConfigError(f"unknown calendar {name!r}; {meant}")


def _open(name: str) -> Any:  # noqa: ANN401 - the library ships no types
    check_name(name)
    return _library().get_calendar(name)


def _flatten(name: str, calendar: Any, first_day: int, last_day: int) -> Holidays:  # noqa: ANN401
    years = _known_years(calendar, _year(first_day), _year(last_day))
    if not years:
        raise ConfigError(
            f"calendar {name!r} knows no holidays between {day_text(first_day)} and "
            f"{day_text(last_day)}; update pandas-market-calendars or leave the calendar out"
        )
    first = max(first_day, date(years.start, 1, 1).toordinal())
    last = min(last_day, date(years.stop - 1, 12, 31).toordinal())
    sessions = calendar.schedule(day_text(first), day_text(last))
    opened = {label.date().toordinal() for label in sessions.index}
    return Holidays(
        name=name,
        zone=str(calendar.tz),
        closed=frozenset(day for day in range(first, last + 1) if day not in opened),
        early_close=_early_closes(calendar, sessions),
        first=first,
        last=last,
        session_start_s=_session_start_s(calendar),
    )


def _library() -> Any:  # noqa: ANN401
    import pandas_market_calendars  # type: ignore[import-untyped]

    return pandas_market_calendars


def _known_years(calendar: Any, first: int, last: int) -> range:  # noqa: ANN401
    """Return the first unbroken run of years of a span for which holidays are really listed.

    Some calendars are rules without end, some are lists that stop: past its end a list looks like a
    year in which the exchange never rests.
    """
    bound = getattr(getattr(calendar, "_ec", None), "bound_max", lambda: None)()
    stop = last if bound is None else min(last, bound.year)
    usual = median(_rest_days(calendar, year) for year in _USUAL_YEARS)
    known = [
        usual < _TELLING or 2 * _rest_days(calendar, year) >= usual
        for year in range(first, stop + 1)
    ]
    if True not in known:
        return range(0)
    skipped = known.index(True)
    length = ([*known, False]).index(False, skipped) - skipped
    return range(first + skipped, first + skipped + length)


def _rest_days(calendar: Any, year: int) -> int:  # noqa: ANN401
    """Count the days of a year that are in the exchange's week and yet without a session."""
    import numpy as np

    days = calendar.valid_days(f"{year}-01-01", f"{year}-12-31")
    week = np.busday_count(f"{year}-01-01", f"{year + 1}-01-01", weekmask=calendar.weekmask)
    return int(week) - len(days)


def _early_closes(calendar: Any, sessions: pd.DataFrame) -> dict[int, int]:  # noqa: ANN401
    """Return the local second of the close of every session that ends early."""
    early = calendar.early_closes(sessions)
    closes: dict[int, int] = {}
    for label, close in early["market_close"].items():
        local = close.tz_convert(str(calendar.tz))
        day = label.date().toordinal()
        closes[day] = (local.date().toordinal() - day) * 86_400 + _second(local.time())
    return closes


def _session_start_s(calendar: Any) -> int:  # noqa: ANN401
    """Return where a session that opens on the evening before begins, 0 for any other."""
    open_s: int = calendar.open_offset * 86_400 + _second(calendar.open_time)
    return min(0, open_s)


def _second(at: time) -> int:
    return at.hour * 3600 + at.minute * 60 + at.second


def _year(day: int) -> int:
    return date.fromordinal(day).year
