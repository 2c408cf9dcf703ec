"""Windows worked by hand over clock changes, midnights, weekends and holidays (W1, SES-1)."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from daemon.core.calendar import CivilClock, Holidays, Schedule, Window, WindowSpec
from state.units import MINUTE_NS, NEVER_NS, SECOND_NS, utc_ns, utc_text

H = 3600
WEEK = frozenset(range(5))
NO_HOLIDAY = frozenset[int]()


def at(text: str) -> int:
    """Read an ISO instant in UTC."""
    return utc_ns(datetime.fromisoformat(text).replace(tzinfo=UTC))


def ordinal(text: str) -> int:
    """Read a date as a day number."""
    return date.fromisoformat(text).toordinal()


def span(window: Window | None) -> tuple[str, str] | None:
    """Write start and end in UTC."""
    return None if window is None else (utc_text(window.start_ns), utc_text(window.end_ns))


def spans(schedule: Schedule, first: str, count: int) -> list[tuple[str, str] | None]:
    """Write the windows that start after an instant."""
    found, ns = [], at(first)
    for _ in range(count):
        window = schedule.next_after(ns)
        found.append(span(window))
        ns = window.start_ns if window else ns
    return found


def holidays(
    closed: set[str],
    early: dict[str, int] | None = None,
    *,
    zone: str = "America/New_York",
    last: str = "2019-12-31",
    session_start_s: int = 0,
) -> Holidays:
    """Make a calendar of 2017-2019."""
    return Holidays(
        name="TEST",
        zone=zone,
        closed=frozenset(ordinal(day) for day in closed),
        early_close={ordinal(day): second for day, second in (early or {}).items()},
        first=ordinal("2017-01-01"),
        last=ordinal(last),
        session_start_s=session_start_s,
    )


def test_new_york_windows_move_in_utc_on_2017_03_12() -> None:
    """09:30-16:00 is 14:30-21:00 UTC in EST (-5 h) and 13:30-20:00 UTC in EDT (-4 h)."""
    schedule = Schedule([WindowSpec(9 * H + 1800, 16 * H, "America/New_York", WEEK)])
    assert spans(schedule, "2017-03-10T00:00", 2) == [
        ("2017-03-10T14:30:00Z", "2017-03-10T21:00:00Z"),
        ("2017-03-13T13:30:00Z", "2017-03-13T20:00:00Z"),
    ]


def test_london_windows_move_in_utc_on_2017_03_26() -> None:
    """07:00-10:00 is the same in UTC in winter and 06:00-09:00 UTC in summer."""
    schedule = Schedule([WindowSpec(7 * H, 10 * H, "Europe/London")])
    assert spans(schedule, "2017-03-25T00:00", 2) == [
        ("2017-03-25T07:00:00Z", "2017-03-25T10:00:00Z"),
        ("2017-03-26T06:00:00Z", "2017-03-26T09:00:00Z"),
    ]


def test_a_start_in_the_gap_moves_to_the_first_existing_instant() -> None:
    """New York, 2017-03-12: 02:30 does not exist; the window opens with 03:00 EDT, 07:00 UTC."""
    schedule = Schedule([WindowSpec(2 * H + 1800, 4 * H, "America/New_York")])
    assert span(schedule.at(at("2017-03-12T07:00"))) == (
        "2017-03-12T07:00:00Z",
        "2017-03-12T08:00:00Z",
    )
    assert schedule.at(at("2017-03-12T06:59:59.999999")) is None


def test_an_end_in_the_gap_closes_when_the_gap_begins() -> None:
    """01:00-02:30 ends with the last instant before the gap: 06:00-07:00 UTC."""
    schedule = Schedule([WindowSpec(1 * H, 2 * H + 1800, "America/New_York")])
    assert span(schedule.at(at("2017-03-12T06:00"))) == (
        "2017-03-12T06:00:00Z",
        "2017-03-12T07:00:00Z",
    )


def test_a_window_inside_the_gap_does_not_exist_that_day() -> None:
    """02:10-02:40 is nothing on 2017-03-12; the next one is a day later."""
    schedule = Schedule([WindowSpec(2 * H + 600, 2 * H + 2400, "America/New_York")])
    assert spans(schedule, "2017-03-11T08:00", 1) == [
        ("2017-03-13T06:10:00Z", "2017-03-13T06:40:00Z")
    ]


def test_the_only_weekly_window_lost_in_the_gap_is_found_a_week_later() -> None:
    """Sundays 02:10-02:40: after 2017-03-05 comes 2017-03-19."""
    spec = WindowSpec(2 * H + 600, 2 * H + 2400, "America/New_York", frozenset({6}))
    assert spans(Schedule([spec]), "2017-03-06T00:00", 1) == [
        ("2017-03-19T06:10:00Z", "2017-03-19T06:40:00Z")
    ]


def test_in_a_fold_the_first_occurrence_opens_and_closes() -> None:
    """New York, 2017-11-05, 01:00-02:00 twice: 01:15-01:45 is the one in EDT, 05:15 UTC."""
    schedule = Schedule([WindowSpec(H + 900, H + 2700, "America/New_York")])
    assert span(schedule.at(at("2017-11-05T05:15"))) == (
        "2017-11-05T05:15:00Z",
        "2017-11-05T05:45:00Z",
    )
    assert schedule.at(at("2017-11-05T06:30")) is None
    # 00:30-01:30 closes at the first 01:30, 05:30 UTC; 01:30-02:30 lasts two hours, to 07:30 UTC.
    early = Schedule([WindowSpec(1800, H + 1800, "America/New_York")])
    assert early.edge_after(at("2017-11-05T05:00")) == at("2017-11-05T05:30")
    late = Schedule([WindowSpec(H + 1800, 2 * H + 1800, "America/New_York")])
    assert span(late.at(at("2017-11-05T06:45"))) == ("2017-11-05T05:30:00Z", "2017-11-05T07:30:00Z")


def test_lord_howe_moves_by_half_an_hour() -> None:
    """Summer is +11:00, winter +10:30: 09:00 is 22:00 UTC, from 2017-04-02 on 22:30 UTC."""
    schedule = Schedule([WindowSpec(9 * H, 10 * H, "Australia/Lord_Howe")])
    assert spans(schedule, "2017-03-31T00:00", 2) == [
        ("2017-03-31T22:00:00Z", "2017-03-31T23:00:00Z"),
        ("2017-04-01T22:30:00Z", "2017-04-01T23:30:00Z"),
    ]


def test_a_window_is_half_open() -> None:
    """The start is inside, the end is not."""
    schedule = Schedule([WindowSpec(7 * H, 10 * H, "UTC")])
    assert not schedule.covers(at("2017-01-02T07:00") - 1)
    assert schedule.covers(at("2017-01-02T07:00"))
    assert schedule.covers(at("2017-01-02T10:00") - 1)
    assert not schedule.covers(at("2017-01-02T10:00"))


def test_an_end_of_24_00_is_the_next_midnight() -> None:
    """22:00-24:00 in Sydney (+11 h): 11:00-13:00 UTC, and the weekday is that of the start."""
    schedule = Schedule([WindowSpec(22 * H, 24 * H, "Australia/Sydney", frozenset({4}))])
    assert spans(schedule, "2017-01-01T00:00", 1) == [
        ("2017-01-06T11:00:00Z", "2017-01-06T13:00:00Z")
    ]
    whole = Schedule([WindowSpec(0, 24 * H, "UTC")])
    assert span(whole.at(at("2017-01-06T23:59:59"))) == (
        "2017-01-06T00:00:00Z",
        "2017-01-07T00:00:00Z",
    )


def test_friday_night_runs_into_saturday_and_saturday_has_none() -> None:
    """22:00-02:00 mon-fri: open on Saturday at 01:00, closed on Monday at 01:00."""
    schedule = Schedule([WindowSpec(22 * H, 2 * H, "UTC", WEEK, last_entry_s=H)])
    window = schedule.at(at("2017-01-07T01:00"))
    assert span(window) == ("2017-01-06T22:00:00Z", "2017-01-07T02:00:00Z")
    assert window is not None
    assert window.date == ordinal("2017-01-06")
    assert window.last_entry_ns == at("2017-01-07T01:00")
    assert not schedule.covers(at("2017-01-07T22:30"))
    assert not schedule.covers(at("2017-01-09T01:00"))


def test_the_last_entry_defaults_to_the_end_and_is_never_after_the_time_stop() -> None:
    """07:00-10:00 with last entry 09:50 and positions closing 15 min early: 09:45."""
    spec = WindowSpec(7 * H, 10 * H, "UTC")
    window = Schedule([spec]).at(at("2017-01-02T08:00"))
    assert window is not None and window.last_entry_ns == window.end_ns
    late = WindowSpec(7 * H, 10 * H, "UTC", last_entry_s=9 * H + 3000)
    window = Schedule([late], flatten_before_s=900).at(at("2017-01-02T08:00"))
    assert window is not None and window.last_entry_ns == at("2017-01-02T09:45")
    window = Schedule([late], flatten_before_s=300).at(at("2017-01-02T08:00"))
    assert window is not None and window.last_entry_ns == at("2017-01-02T09:50")


def test_a_closed_day_has_no_window() -> None:
    """Independence Day: from Monday the third straight to Wednesday the fifth."""
    schedule = Schedule(
        [WindowSpec(10 * H, 11 * H, "America/New_York", WEEK)], holidays({"2017-07-04"})
    )
    assert spans(schedule, "2017-07-03T00:00", 2) == [
        ("2017-07-03T14:00:00Z", "2017-07-03T15:00:00Z"),
        ("2017-07-05T14:00:00Z", "2017-07-05T15:00:00Z"),
    ]


def test_an_early_close_cuts_the_end_and_the_last_entry_in_the_calendar_zone() -> None:
    """New York closes at 13:00 (17:00 UTC) on 2017-07-03; the window is kept in London time."""
    spec = WindowSpec(14 * H + 1800, 21 * H, "Europe/London", WEEK, last_entry_s=20 * H)
    schedule = Schedule([spec], holidays(set(), {"2017-07-03": 13 * H}))
    window = schedule.at(at("2017-07-03T14:00"))
    assert span(window) == ("2017-07-03T13:30:00Z", "2017-07-03T17:00:00Z")
    assert window is not None and window.last_entry_ns == at("2017-07-03T17:00")
    # A window that starts after the early close is none.
    late = Schedule(
        [WindowSpec(14 * H, 15 * H, "America/New_York")], holidays(set(), {"2017-07-03": 13 * H})
    )
    assert spans(late, "2017-07-02T20:00", 1) == [("2017-07-04T18:00:00Z", "2017-07-04T19:00:00Z")]


def test_a_window_over_midnight_is_cut_where_the_closed_day_begins() -> None:
    """22:00-02:00 New York on the third ends at midnight, 04:00 UTC, as the fourth is closed."""
    schedule = Schedule([WindowSpec(22 * H, 2 * H, "America/New_York")], holidays({"2017-07-04"}))
    assert spans(schedule, "2017-07-03T12:00", 2) == [
        ("2017-07-04T02:00:00Z", "2017-07-04T04:00:00Z"),
        ("2017-07-06T02:00:00Z", "2017-07-06T06:00:00Z"),
    ]


def test_an_evening_session_belongs_to_the_day_it_trades_for() -> None:
    """A market that opens at 17:00 for the next day: closed on the fourth from 17:00 of the third.

    Chicago, -5 h: the evening window of the third is not there, the morning of the third is, and
    the evening of the fourth (for the fifth) is too.
    """
    calendar = holidays({"2017-07-04"}, zone="America/Chicago", session_start_s=-7 * H)
    schedule = Schedule(
        [WindowSpec(9 * H, 10 * H, "America/Chicago"), WindowSpec(18 * H, H, "America/Chicago")],
        calendar,
    )
    assert spans(schedule, "2017-07-03T12:00", 3) == [
        ("2017-07-03T14:00:00Z", "2017-07-03T15:00:00Z"),
        ("2017-07-04T23:00:00Z", "2017-07-05T06:00:00Z"),
        ("2017-07-05T14:00:00Z", "2017-07-05T15:00:00Z"),
    ]


def test_outside_what_the_calendar_knows_nothing_is_open() -> None:
    """Before 2017 and after 2019-12-31 the windows stay shut; the search ends."""
    schedule = Schedule([WindowSpec(10 * H, 11 * H, "America/New_York")], holidays(set()))
    assert not schedule.covers(at("2016-12-31T15:30"))
    assert schedule.covers(at("2019-12-31T15:30"))
    assert not schedule.covers(at("2020-01-01T15:30"))
    assert schedule.next_after(at("2019-12-31T15:30")) is None
    assert schedule.edge_after(at("2019-12-31T16:00")) == NEVER_NS
    assert spans(schedule, "2001-01-01T00:00", 1) == [
        ("2017-01-01T15:00:00Z", "2017-01-01T16:00:00Z")
    ]


def test_edges_alternate_between_starts_and_ends() -> None:
    """From before a window: its start, its end, the next start."""
    schedule = Schedule([WindowSpec(7 * H, 10 * H, "UTC", WEEK)])
    edges, ns = [], at("2017-01-06T00:00")
    for _ in range(3):
        ns = schedule.edge_after(ns)
        edges.append(utc_text(ns))
    assert edges == ["2017-01-06T07:00:00Z", "2017-01-06T10:00:00Z", "2017-01-09T07:00:00Z"]


def test_windows_that_touch_stay_two() -> None:
    """07:00-10:00 and 10:00-12:00: positions of the first close at 10:00."""
    schedule = Schedule([WindowSpec(10 * H, 12 * H, "UTC"), WindowSpec(7 * H, 10 * H, "UTC")])
    assert span(schedule.at(at("2017-01-02T09:59"))) == (
        "2017-01-02T07:00:00Z",
        "2017-01-02T10:00:00Z",
    )
    assert span(schedule.at(at("2017-01-02T10:00"))) == (
        "2017-01-02T10:00:00Z",
        "2017-01-02T12:00:00Z",
    )


def test_overlapping_windows_of_one_zone_are_refused() -> None:
    """Also where only the part after midnight, or after Sunday, overlaps."""
    night = WindowSpec(22 * H, 2 * H, "UTC", frozenset({6}))
    for other in (WindowSpec(H, 3 * H, "UTC", frozenset({0})), WindowSpec(23 * H, 24 * H, "UTC")):
        with pytest.raises(ValueError, match=r"overlap: 22:00-02:00 UTC sun and"):
            Schedule([night, other])
    Schedule([night, WindowSpec(H, 3 * H, "UTC", frozenset({6}))])


def test_of_overlapping_windows_of_two_zones_the_first_opened_stays_in_force() -> None:
    """London 08:00-16:00 and New York 09:30-16:00 in winter: 08:00-16:00 and 16:00-21:00 UTC.

    The last entry of New York, 10:00 (15:00 UTC), has then passed before its part begins.
    """
    schedule = Schedule(
        [
            WindowSpec(8 * H, 16 * H, "Europe/London"),
            WindowSpec(9 * H + 1800, 16 * H, "America/New_York", last_entry_s=10 * H),
        ]
    )
    assert span(schedule.at(at("2017-01-02T15:00"))) == (
        "2017-01-02T08:00:00Z",
        "2017-01-02T16:00:00Z",
    )
    later = schedule.at(at("2017-01-02T16:00"))
    assert span(later) == ("2017-01-02T16:00:00Z", "2017-01-02T21:00:00Z")
    assert later is not None and later.last_entry_ns == at("2017-01-02T15:00")


def test_going_back_in_time_is_right_too() -> None:
    """Every instant of a fortnight, asked backwards, is what a fresh schedule says."""
    spec = WindowSpec(22 * H, 2 * H, "Europe/London", WEEK)
    schedule = Schedule([spec])
    schedule.at(at("2030-01-01T00:00"))
    for minute in range(14 * 1440, 0, -37):
        ns = at("2017-03-20T00:00") + minute * MINUTE_NS
        assert schedule.at(ns) == Schedule([spec]).at(ns)


def test_no_night_of_a_year_is_torn() -> None:
    """22:00-02:00 UTC is open in those hours of every night, asked hour by hour or out of the blue.

    Windows are compiled in pieces of some weeks; a window over such a seam is still one.
    """
    spec, first = WindowSpec(22 * H, 2 * H, "UTC"), ordinal("2017-01-01")
    schedule = Schedule([spec])
    for hour in range(365 * 24):
        ns = at("2017-01-01T00:00") + hour * 60 * MINUTE_NS
        inside = hour % 24 in (22, 23, 0, 1)
        for asked in (schedule, Schedule([spec])) if hour % 24 in (0, 1, 22) else (schedule,):
            window = asked.at(ns)
            assert (window is not None) == inside
            if window is not None:
                assert window.date == first + (hour - 2) // 24


def test_no_overlap_of_a_year_is_resolved_otherwise_at_a_seam() -> None:
    """20:00-04:00 UTC is in force when Kolkata's 06:00-10:30 (00:30-05:00 UTC) would open.

    So every day the second one is 04:00-05:00 UTC.
    """
    several = [WindowSpec(20 * H, 4 * H, "UTC"), WindowSpec(6 * H, 10 * H + 1800, "Asia/Kolkata")]
    for day in range(365):
        ns = at("2017-01-02T00:00") + day * 1440 * MINUTE_NS
        night, morning = Schedule(several).at(ns + H * SECOND_NS), Schedule(several).next_after(ns)
        assert night is not None and night.end_ns == ns + 4 * H * SECOND_NS
        assert morning is not None and morning.start_ns == ns + 4 * H * SECOND_NS


def test_no_windows_means_always_open_and_only_when_said() -> None:
    """``always`` never ends; an empty list is refused."""
    schedule = Schedule.always("Australia/Sydney")
    for ns in (-(10**18), 0, at("2017-01-01T00:00"), NEVER_NS):
        assert schedule.covers(ns)
    assert schedule.is_always and schedule.text() == "always"
    assert schedule.next_after(0) is None
    assert schedule.edge_after(0) == NEVER_NS
    assert schedule.single_zone.zone == "Australia/Sydney"
    with pytest.raises(ValueError, match="no window given"):
        Schedule([])


def test_the_single_zone_is_refused_where_there_are_two() -> None:
    """A strategy that needs one civil day cannot have two zones."""
    one = WindowSpec(7 * H, 8 * H, "UTC")
    assert isinstance(Schedule([one]).single_zone, CivilClock)
    with pytest.raises(ValueError, match="different zones: Asia/Tokyo, UTC"):
        _ = Schedule([one, WindowSpec(7 * H, 8 * H, "Asia/Tokyo")]).single_zone


@pytest.mark.parametrize(
    ("start_s", "end_s", "weekdays", "last_entry_s", "message"),
    [
        (7 * H, 7 * H, WEEK, None, "both 07:00"),
        (0, 0, WEEK, None, "00:00 to 24:00"),
        (24 * H, 25 * H, WEEK, None, "window start is 86400"),
        (-1, H, WEEK, None, "window start is -1"),
        (0, 86_401, WEEK, None, "window end is 86401"),
        (0, H, NO_HOLIDAY, None, "weekdays are"),
        (0, H, frozenset({7}), None, "weekdays are"),
        (7 * H, 10 * H, WEEK, 7 * H, "not the start"),
        (7 * H, 10 * H, WEEK, 11 * H, "11:00 is outside the window 07:00-10:00"),
        (22 * H, 2 * H, WEEK, 21 * H, "21:00 is outside"),
    ],
)
def test_what_is_not_a_window_is_refused(
    start_s: int, end_s: int, weekdays: frozenset[int], last_entry_s: int | None, message: str
) -> None:
    """Each refusal says the value and what is allowed."""
    with pytest.raises(ValueError, match=message):
        WindowSpec(start_s, end_s, "UTC", weekdays, last_entry_s)


def test_a_negative_flatten_before_and_an_unknown_zone_are_refused() -> None:
    """Both would open windows that nobody meant."""
    with pytest.raises(ValueError, match="flatten_before_s is -1"):
        Schedule([WindowSpec(0, H, "UTC")], flatten_before_s=-1)
    with pytest.raises(ValueError, match="unknown time zone 'Mars/Base'"):
        Schedule([WindowSpec(0, H, "Mars/Base")])


def test_windows_are_written_as_an_operator_would() -> None:
    """Zone, weekdays where not all, last entry where given, seconds where there are some."""
    spec = WindowSpec(7 * H, 24 * H, "Europe/London", WEEK, 23 * H + 61)
    assert spec.text() == "07:00-24:00 Europe/London mon-fri last entry 23:01:01"
    assert WindowSpec(0, H, "UTC", frozenset({0, 2})).text() == "00:00-01:00 UTC mon,wed"
    assert Schedule([WindowSpec(0, H, "UTC"), WindowSpec(H, 2 * H, "UTC")]).text() == (
        "00:00-01:00 UTC, 01:00-02:00 UTC"
    )


def test_every_day_from_2015_to_2037_has_its_london_and_sydney_window() -> None:
    """8,401 windows each, in order, never overlapping, each opening at the local time."""
    for zone in ("Europe/London", "Australia/Sydney"):
        schedule, clock = Schedule([WindowSpec(7 * H, 10 * H, zone)]), CivilClock(zone)
        ns = clock.day_start_ns(ordinal("2015-01-01"))
        for day in range(ordinal("2015-01-01"), ordinal("2038-01-01")):
            window = schedule.next_after(ns)
            assert window is not None and window.date == day
            assert window.end_ns - window.start_ns == 3 * H * SECOND_NS
            assert clock.second(window.start_ns) == 7 * H
            ns = window.end_ns
