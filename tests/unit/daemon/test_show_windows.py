"""What an operator sees of the coming windows (W3)."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime

from click.testing import CliRunner

from daemon.cli.options import Options
from daemon.cli.show_windows import Row, render, text, windows
from daemon.core.calendar import Schedule, WindowSpec
from state.holidays import Holidays
from state.units import utc_ns
from tests.builders import ROOT

H = 3600
WEEK = frozenset(range(5))
LONDON = Schedule([WindowSpec(7 * H, 10 * H, "Europe/London", WEEK)])


def at(text: str) -> int:
    """Read an ISO instant in UTC."""
    return utc_ns(datetime.fromisoformat(text).replace(tzinfo=UTC))


def ordinal(text: str) -> int:
    """Read a date as a day number."""
    return date.fromisoformat(text).toordinal()


def new_york(**change: int) -> Schedule:
    """Make 09:30-16:00 with the holiday and the early close of July 2017."""
    holidays = Holidays(
        name="NYSE",
        zone="America/New_York",
        closed=frozenset({ordinal("2017-07-01"), ordinal("2017-07-02"), ordinal("2017-07-04")}),
        early_close={ordinal("2017-07-03"): 13 * H},
        first=ordinal("2017-01-01"),
        last=ordinal("2017-07-05"),
    )
    return Schedule([WindowSpec(9 * H + 1800, 16 * H, "America/New_York")], holidays, **change)


def notes(rows: list[Row]) -> dict[str | None, tuple[str, ...]]:
    """Return the notes of each date."""
    return {row.date: row.notes for row in rows}


def test_a_row_has_local_and_utc_times_of_the_same_instants() -> None:
    """London in summer time: 07:00-10:00 is 06:00-09:00 UTC."""
    rows = render([("lsg EURUSD", LONDON)], at("2017-03-28T00:00"), 1, "UTC")
    assert rows == [
        Row(
            strategy="lsg EURUSD",
            windows="07:00-10:00 Europe/London mon-fri",
            state="coming",
            zone="Europe/London",
            date="2017-03-28",
            weekday="Tue",
            offset="+01:00",
            start="07:00",
            last_entry="10:00",
            end="10:00",
            start_utc="2017-03-28T06:00:00Z",
            last_entry_utc="2017-03-28T09:00:00Z",
            end_utc="2017-03-28T09:00:00Z",
        )
    ]


def test_a_clock_change_since_the_window_before_is_marked_also_over_a_weekend() -> None:
    """London changed on Sunday 2017-03-26; Monday is marked, Tuesday is not."""
    rows = render([("lsg", LONDON)], at("2017-03-24T12:00"), 5, "UTC")
    assert notes(rows) == {
        "2017-03-27": ("DST +00:00 to +01:00",),
        "2017-03-28": (),
    }


def test_the_first_row_is_compared_with_the_window_before_it() -> None:
    """Asked from Monday on, Monday is still marked."""
    rows = render([("lsg", LONDON)], at("2017-03-27T00:00"), 1, "UTC")
    assert rows[0].notes == ("DST +00:00 to +01:00",)


def test_a_clock_change_inside_a_window_is_marked() -> None:
    """New York, Saturday 22:00 to Sunday 04:00, 2017-03-11."""
    night = Schedule([WindowSpec(22 * H, 4 * H, "America/New_York")])
    rows = render([("night", night)], at("2017-03-11T12:00"), 2, "UTC")
    assert rows[0].notes == ("DST -05:00 to -04:00",)


def test_holidays_early_closes_and_the_end_of_the_calendar_are_marked() -> None:
    """July 2017 in New York: weekend left out, early close, holiday, known until the fifth."""
    rows = render([("orb", new_york())], at("2017-07-01T00:00"), 7, "UTC")
    assert notes(rows) == {
        "2017-07-03": ("early close NYSE",),
        "2017-07-04": ("holiday NYSE",),
        "2017-07-05": (),
        "2017-07-06": ("NYSE known 2017-01-01 to 2017-07-05",),
        "2017-07-07": ("NYSE known 2017-01-01 to 2017-07-05",),
    }
    assert [row.state for row in rows] == ["coming", "closed", "coming", "closed", "closed"]
    assert (rows[0].end, rows[0].end_utc) == ("13:00", "2017-07-03T17:00:00Z")


def test_an_open_window_and_a_last_entry_before_its_end_are_marked() -> None:
    """At noon in New York; positions close 15 minutes early, so 15:45 is the last entry."""
    rows = render([("orb", new_york(flatten_before_s=900))], at("2017-07-05T16:00"), 1, "UTC")
    assert rows[0].state == "open"
    assert rows[0].notes == ("open now", "last entry 15:45")


def test_windows_of_two_zones_are_shown_in_the_zone_of_the_portfolio() -> None:
    """London changed its clock, New York did not; the mark says which."""
    both = Schedule([*LONDON.specs, WindowSpec(12 * H, 13 * H, "America/New_York", WEEK)])
    rows = render([("two", both)], at("2017-03-27T00:00"), 1, "Asia/Kolkata")
    assert [(row.zone, row.start, row.offset) for row in rows] == [
        ("Asia/Kolkata", "11:30", "+05:30"),
        ("Asia/Kolkata", "21:30", "+05:30"),
    ]
    assert rows[0].notes == ("DST Europe/London +00:00 to +01:00",)


def test_a_strategy_without_windows_is_said_to_be_always_open() -> None:
    """It has a row too, so that no strategy is missing."""
    rows = render([("ema", Schedule.always())], 0, 14, "UTC")
    assert [(row.state, row.start_utc) for row in rows] == [("always", None)]
    assert text(rows) == ["ema: always", "  open at every instant"]


def test_the_text_fits_80_columns_and_wraps_its_notes() -> None:
    """Title, heading and rows; UTC with its own date, as it may be the day before."""
    night = Schedule([WindowSpec(8 * H, 24 * H, "Australia/Sydney", WEEK, 23 * H)])
    named = [("a strategy with a long name on EURUSD GBPUSD USDJPY AUDUSD", night)]
    lines = text(render(named, at("2017-09-29T15:00"), 3, "UTC"))
    assert lines == [
        "a strategy with a long name on EURUSD GBPUSD USDJPY AUDUSD: 08:00-24:00",
        "    Australia/Sydney mon-fri last entry 23:00",
        "  day             local               UTC                notes",
        "  Mon 2017-10-02  08:00-24:00 +11:00  10-01 21:00-13:00  DST +10:00 to +11:00",
    ]
    both = Schedule([*LONDON.specs, WindowSpec(12 * H, 13 * H, "America/New_York", WEEK)])
    wrapped = text(render([("two", both)], at("2017-03-13T00:00"), 20, "Europe/London"))
    assert max(len(line) for line in wrapped) <= 80
    assert any(line.startswith(" " * 57) for line in wrapped)


def test_the_command_reads_the_configuration() -> None:
    """The Indian example: Holi, 2019-03-21, is a holiday of the exchange."""
    options = Options(config_paths=(ROOT / "config" / "examples" / "india.toml",))
    arguments = ["--from", "2019-03-20", "--days", "2"]
    shown = CliRunner().invoke(windows, arguments, obj=options, catch_exceptions=False)
    assert shown.exit_code == 0
    assert "  Thu 2019-03-21  closed                                 holiday NSE" in (
        shown.output.splitlines()
    )
    as_json = CliRunner().invoke(windows, [*arguments, "--json"], obj=options)
    answer = json.loads(as_json.output)
    assert answer["from"] == "2019-03-19T18:30:00Z"
    assert {row["state"] for row in answer["windows"]} == {"coming", "closed"}
