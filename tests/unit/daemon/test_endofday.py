"""The end of the trading day rings once a day, in the portfolio's zone (T2)."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from daemon.core.civil import CivilClock
from daemon.core.supervisors.endofday import EndOfDayAlarm
from state.units import DAY_NS, HOUR_NS, utc_ns, utc_text

AT_S = 23 * 3600 + 55 * 60


def at(text: str) -> int:
    """Read an ISO instant in UTC."""
    return utc_ns(datetime.fromisoformat(text).replace(tzinfo=UTC))


def alarm(zone: str) -> EndOfDayAlarm:
    """Make an alarm at 23:55."""
    return EndOfDayAlarm(CivilClock(zone), AT_S)


def rings(zone: str, first: str, count: int) -> list[str]:
    """Write the next rings after an instant."""
    found, ns, one = [], at(first), alarm(zone)
    for _ in range(count):
        ns = one.next_due_ns(ns)
        found.append(utc_text(ns))
    return found


def test_it_rings_at_the_local_time_over_a_clock_change() -> None:
    """23:55 in Sydney: 13:55 UTC until 2017-09-30 (+10 h), 12:55 UTC after (+11 h)."""
    assert rings("Australia/Sydney", "2017-09-30T00:00", 2) == [
        "2017-09-30T13:55:00Z",
        "2017-10-01T12:55:00Z",
    ]


def test_the_next_ring_is_strictly_after_now() -> None:
    """Asked at the instant it rings, it names the one of the next day."""
    assert rings("UTC", "2017-01-02T23:54:59.999999", 2) == [
        "2017-01-02T23:55:00Z",
        "2017-01-03T23:55:00Z",
    ]


def test_a_repeated_hour_rings_once() -> None:
    """Sao Paulo repeats 23:00-24:00 of 2018-02-17: 23:55 is 01:55 UTC, not 02:55 UTC too."""
    assert rings("America/Sao_Paulo", "2018-02-17T12:00", 2) == [
        "2018-02-18T01:55:00Z",
        "2018-02-19T02:55:00Z",
    ]


def test_a_day_that_ends_early_rings_a_minute_before_it_rolls() -> None:
    """Pyongyang went from 23:30 to 00:00 on 2018-05-04, 15:00 UTC: rings at 14:59 UTC."""
    assert rings("Asia/Pyongyang", "2018-05-04T00:00", 2) == [
        "2018-05-04T14:59:00Z",
        "2018-05-05T14:55:00Z",
    ]


def test_a_skipped_date_does_not_ring() -> None:
    """Apia had no 2011-12-30: 23:55 of the 29th (-10 h) is followed by that of the 31st (+14 h)."""
    assert rings("Pacific/Apia", "2011-12-29T12:00", 2) == [
        "2011-12-30T09:55:00Z",
        "2011-12-31T09:55:00Z",
    ]


@pytest.mark.parametrize("zone", ["UTC", "Australia/Melbourne", "America/Havana", "Asia/Beirut"])
def test_every_trading_day_from_2015_to_2037_rings_exactly_once(zone: str) -> None:
    """The rings' trading days are the days, one by one."""
    clock, one = CivilClock(zone), alarm(zone)
    first, last = date(2015, 1, 1).toordinal(), date(2037, 12, 31).toordinal()
    ns = clock.day_start_ns(first) - 1
    for day in range(first, last + 1):
        before, ns = ns, one.next_due_ns(ns)
        assert clock.day(ns) == day
        assert day == first or abs(ns - before - DAY_NS) <= HOUR_NS


@pytest.mark.parametrize("at_s", [0, 23 * 3600 + 49 * 60 + 59, 86_400])
def test_other_times_are_refused(at_s: int) -> None:
    """Only 23:50:00 to 23:59:59 is the end of a day."""
    with pytest.raises(ValueError, match="23:50:00"):
        EndOfDayAlarm(CivilClock("UTC"), at_s)
