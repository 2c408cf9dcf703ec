"""Exchange calendars, flattened: holidays, early closes, where the knowledge ends (W1)."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from adapters.calendars import check_name, known_names, read_holidays
from daemon.core.calendar import Schedule, WindowSpec
from state.errors import ConfigError
from state.holidays import Holidays
from state.units import day_text
from tests.builders import shared_data

H = 3600


def ordinal(text: str) -> int:
    """Read a date as a day number."""
    return date.fromisoformat(text).toordinal()


def year(name: str, number: int) -> Holidays:
    """Read one year."""
    return read_holidays(name, ordinal(f"{number}-01-01"), ordinal(f"{number}-12-31"))


def closed_weekdays(holidays: Holidays) -> list[str]:
    """Write the closed days from Monday to Friday."""
    return [day_text(day) for day in sorted(holidays.closed) if (day + 6) % 7 < 5]


def test_new_york_2017_has_its_nine_holidays_and_two_early_closes() -> None:
    """The list that the exchange published for 2017; closes at 13:00."""
    holidays = year("NYSE", 2017)
    assert closed_weekdays(holidays) == [
        "2017-01-02",
        "2017-01-16",
        "2017-02-20",
        "2017-04-14",
        "2017-05-29",
        "2017-07-04",
        "2017-09-04",
        "2017-11-23",
        "2017-12-25",
    ]
    assert holidays.zone == "America/New_York"
    assert holidays.early_close == {
        ordinal("2017-07-03"): 13 * H,
        ordinal("2017-11-24"): 13 * H,
    }
    assert holidays.session_start_s == 0


def test_chicago_sessions_begin_on_the_evening_before() -> None:
    """17:00 of the day before is -7 h; Labor Day 2019 ends at 12:00 and is no closed day."""
    holidays = year("CME_Equity", 2019)
    assert holidays.session_start_s == -7 * H
    assert holidays.early_close[ordinal("2019-09-02")] == 12 * H
    assert not holidays.is_closed(ordinal("2019-09-02"))
    # Monday's session opens on Sunday evening; Friday's and Saturday's evenings have none.
    schedule = Schedule([WindowSpec(18 * H, 20 * H, "America/Chicago")], holidays)
    weekdays = set()
    window = schedule.next_after(0)
    while window is not None:
        weekdays.add((window.date + 6) % 7)
        window = schedule.next_after(window.start_ns)
    assert weekdays == {6, 0, 1, 2, 3}


def test_a_calendar_that_is_a_list_ends_where_its_list_ends() -> None:
    """Past the last listed year days are closed; a span it knows nothing of is refused."""
    holidays = read_holidays("NSE", ordinal("2024-01-01"), ordinal("2037-12-31"))
    assert date.fromordinal(holidays.last) < date(2037, 12, 31)
    assert not holidays.is_closed(ordinal("2024-01-02"))
    assert holidays.is_closed(holidays.last + 4)
    with pytest.raises(ConfigError, match="'NSE' knows no holidays between 2050-01-01"):
        year("NSE", 2050)


def test_a_calendar_without_holidays_knows_every_year() -> None:
    """Around the clock is a rule, not a list that ended."""
    holidays = read_holidays("24/7", ordinal("2015-01-01"), ordinal("2037-12-31"))
    assert (day_text(holidays.last), holidays.closed) == ("2037-12-31", frozenset())


@pytest.mark.parametrize(
    ("name", "hint"),
    [("NYSEE", "did you mean NYSE"), ("nse", "did you mean NSE"), ("?", "known ones are NSE")],
)
def test_an_unknown_name_is_answered_with_the_nearest(name: str, hint: str) -> None:
    """The message says what was given and what was meant."""
    with pytest.raises(ConfigError, match=f"unknown calendar '[^']+'; {hint}"):
        check_name(name)
    with pytest.raises(ConfigError, match="unknown calendar"):
        read_holidays(name, 1, 2)


def test_a_calendar_without_session_times_is_refused_plainly() -> None:
    """The library has names without times; that is the operator's message, not a traceback."""
    with pytest.raises(ConfigError, match="no usable session times"):
        year("XSGO", 2019)


def test_names_are_sorted_and_hold_the_usual_ones() -> None:
    """What an error may suggest."""
    names = known_names()
    assert names == sorted(names)
    assert {"NSE", "NYSE", "CME_Equity", "LSE"} <= set(names)


def test_the_indian_holidays_of_2019_are_the_days_without_bars() -> None:
    """A share that trades every day has bars on exactly the sessions of the calendar."""
    import pyarrow.parquet as pq

    path = shared_data() / "bars" / "eq_yesbank_1m_2019h1.parquet"
    stamps: list[Any] = pq.read_table(path, columns=["ts"]).column("ts").to_pylist()
    zone = ZoneInfo("Asia/Kolkata")
    traded = {stamp.astimezone(zone).toordinal() for stamp in stamps}
    holidays = year("NSE", 2019)
    first, last = min(traded), max(traded)
    sessions = {day for day in range(first, last + 1) if not holidays.is_closed(day)}
    assert [day_text(day) for day in sorted(traded ^ sessions)] == []


def test_answers_are_kept_and_taken_back(tmp_path: Path) -> None:
    """What the library said once is read from a file the next time, and is the same."""
    days = ordinal("2019-01-01"), ordinal("2019-12-31")
    asked = read_holidays("NSE", *days, tmp_path)
    (kept,) = tmp_path.iterdir()
    changed = msgspec.structs.replace(asked, name="kept")
    kept.write_bytes(msgspec.json.encode(changed))
    read_holidays.cache_clear()
    assert read_holidays("NSE", *days, tmp_path) == changed
    assert asked == read_holidays("NSE", *days)


def test_a_damaged_or_unwritable_file_is_no_obstacle(tmp_path: Path) -> None:
    """The library is asked again when the kept answer cannot be read or written."""
    days = ordinal("2019-01-01"), ordinal("2019-06-30")
    asked = read_holidays("NSE", *days, tmp_path)
    (kept,) = tmp_path.iterdir()
    kept.write_bytes(b"{torn")
    read_holidays.cache_clear()
    assert read_holidays("NSE", *days, tmp_path) == asked
    (tmp_path / "file").write_text("not a folder")
    assert read_holidays("NSE", *days, tmp_path / "file") == asked
