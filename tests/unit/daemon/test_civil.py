"""Local times as instants, around every kind of clock change."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from daemon.core.civil import CivilClock
from state.units import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS, utc_ns

# DST of an hour and of 30 minutes, DST that changes at midnight, offsets of 5:30, 5:45 and 12:45,
# DST that pauses for Ramadan, and a zone that changed its offset for good.
ZONES = [
    "UTC",
    "Europe/London",
    "America/New_York",
    "Australia/Sydney",
    "Australia/Lord_Howe",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Pacific/Chatham",
    "America/Sao_Paulo",
    "America/Havana",
    "Asia/Beirut",
    "Africa/Casablanca",
    "Asia/Pyongyang",
    "America/Scoresbysund",
]


def at(text: str) -> int:
    """Read an ISO instant in UTC."""
    return utc_ns(datetime.fromisoformat(text).replace(tzinfo=UTC))


def ordinal(text: str) -> int:
    """Read a date as a day number."""
    return date.fromisoformat(text).toordinal()


def test_a_gap_moves_the_time_to_the_first_existing_instant() -> None:
    """New York skips 02:00-03:00 on 2017-03-12: 02:30 is 03:00 EDT, 07:00 UTC."""
    clock = CivilClock("America/New_York")
    day = ordinal("2017-03-12")
    assert clock.instant(day, 2 * 3600 + 1800) == at("2017-03-12T07:00")
    assert clock.instant(day, 2 * 3600) == at("2017-03-12T07:00")
    assert clock.instant(day, 3 * 3600) == at("2017-03-12T07:00")
    assert clock.instant(day, 2 * 3600 - 1) == at("2017-03-12T06:59:59")


def test_a_fold_takes_the_first_occurrence() -> None:
    """New York repeats 01:00-02:00 on 2017-11-05; 01:30 is the one in EDT, 05:30 UTC."""
    clock = CivilClock("America/New_York")
    day = ordinal("2017-11-05")
    assert clock.instant(day, 3600 + 1800) == at("2017-11-05T05:30")
    # 02:00 is read only once, after the second 01:59: 07:00 UTC.
    assert clock.instant(day, 2 * 3600) == at("2017-11-05T07:00")


def test_a_day_begins_after_a_skipped_midnight() -> None:
    """Sao Paulo skipped 00:00-01:00 on 2017-10-15: that day began at 03:00 UTC with 01:00."""
    clock = CivilClock("America/Sao_Paulo")
    day = ordinal("2017-10-15")
    assert clock.day_start_ns(day) == at("2017-10-15T03:00")
    assert clock.day(at("2017-10-15T02:59:59")) == day - 1
    assert clock.day(at("2017-10-15T03:00")) == day
    assert clock.second(at("2017-10-15T03:00")) == 3600


def test_the_day_before_a_repeated_hour_has_25_hours() -> None:
    """Sao Paulo went back from 00:00 to 23:00 at 2018-02-18 02:00 UTC."""
    clock = CivilClock("America/Sao_Paulo")
    day = ordinal("2018-02-17")
    assert clock.next_day_ns(at("2018-02-17T12:00")) == at("2018-02-18T03:00")
    assert clock.next_day_ns(at("2018-02-17T12:00")) - clock.day_start_ns(day) == 25 * HOUR_NS
    assert clock.day(at("2018-02-18T02:30")) == day


def test_the_sydney_trading_day_rolls_in_the_utc_afternoon() -> None:
    """Midnight in Sydney is 14:00 UTC in winter and 13:00 UTC in summer (change 2017-10-01)."""
    clock = CivilClock("Australia/Sydney")
    assert clock.day(at("2017-09-30T13:59:59")) == ordinal("2017-09-30")
    assert clock.day(at("2017-09-30T14:00")) == ordinal("2017-10-01")
    # The first of October has 23 hours: it ends at 13:00 UTC.
    assert clock.next_day_ns(at("2017-09-30T14:00")) == at("2017-10-01T13:00")
    assert clock.day(at("2017-10-01T12:59:59.999999")) == ordinal("2017-10-01")
    assert clock.day(at("2017-10-01T13:00")) == ordinal("2017-10-02")


def test_a_date_that_a_zone_skipped_is_an_empty_day() -> None:
    """Apia jumped from 2011-12-29 to 2011-12-31: the roll goes straight there."""
    clock = CivilClock("Pacific/Apia")
    noon = at("2011-12-29T22:00")
    assert clock.day(noon) == ordinal("2011-12-29")
    assert clock.day(clock.next_day_ns(noon)) == ordinal("2011-12-31")


def test_a_day_never_goes_back_where_a_fold_crosses_midnight() -> None:
    """St. John's went from 00:01 back to 23:01 on 2010-11-07; the new day stays begun."""
    zone = "America/St_Johns"
    start = CivilClock(zone).day_start_ns(ordinal("2010-11-07"))
    days = [CivilClock(zone).day(start + minute * MINUTE_NS) for minute in range(-3, 90)]
    assert days == [ordinal("2010-11-06")] * 3 + [ordinal("2010-11-07")] * 90


def test_an_unknown_zone_is_refused_with_what_to_write() -> None:
    """A zone nobody knows is a plain error, whatever characters it has."""
    for zone in ("Europe/Lundon", "", "../etc/passwd", "EUROPE", "a\0b"):
        with pytest.raises(ValueError, match="unknown time zone"):
            CivilClock(zone)


@pytest.mark.parametrize("zone", ZONES)
def test_days_and_seconds_agree_with_zoneinfo_from_2015_to_2037(zone: str) -> None:
    """Date and time of day equal the library's in steps of 5 h 7 min, in order and at random."""
    tz = ZoneInfo(zone)
    clock, other = CivilClock(zone), CivilClock(zone)
    first, last = at("2015-01-01T00:00"), at("2038-01-01T00:00")
    step = 307 * MINUTE_NS
    for ns in range(first, last, step):
        local = datetime.fromtimestamp(ns // SECOND_NS, tz)
        day = clock.day(ns)
        assert day == local.toordinal()
        assert clock.second(ns) == local.hour * 3600 + local.minute * 60 + local.second
        assert clock.day_start_ns(day) <= ns < clock.next_day_ns(ns)
    for ns in range(last, first, -997 * step):
        far = first + (ns - first) * 7919 % (last - first)
        assert other.day(far) == datetime.fromtimestamp(far // SECOND_NS, tz).toordinal()


@pytest.mark.parametrize("zone", ZONES)
def test_days_follow_one_another_without_gap_from_2015_to_2037(zone: str) -> None:
    """Each day starts where the last ended, and lasts between 22 and 26 hours."""
    clock = CivilClock(zone)
    day = ordinal("2015-01-01")
    start = clock.day_start_ns(day)
    while day < ordinal("2038-01-01"):
        assert clock.day(start) == day
        assert clock.day(start - 1) == day - 1
        end = clock.next_day_ns(start)
        assert abs(end - start - DAY_NS) <= 2 * HOUR_NS
        day, start = day + 1, end


def test_instants_agree_with_the_library_where_the_local_time_exists_once() -> None:
    """Where zoneinfo finds the local time without doubt, so does the clock."""
    for zone in ZONES:
        tz, clock = ZoneInfo(zone), CivilClock(zone)
        for number in range(0, 8400, 5):
            local = datetime(2015, 1, 1, tzinfo=tz) + timedelta(days=number, minutes=number % 1440)
            if local.utcoffset() != local.replace(fold=1).utcoffset():
                continue
            second = local.hour * 3600 + local.minute * 60
            assert clock.instant(local.toordinal(), second) == utc_ns(local)
