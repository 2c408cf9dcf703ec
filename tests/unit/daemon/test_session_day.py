"""Which day a session trades, and when it is over (C2, C3)."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from daemon.core.calendar import Schedule, WindowSpec
from daemon.runtime.session_day import next_day
from daemon.runtime.tasks.session import SessionWatch, session_watch
from state.errors import NothingToDo
from state.holidays import Holidays
from state.portfolio import Portfolio
from state.units import NEVER_NS, day_text, utc_ns, utc_text

HOUR_S = 3600
WEEK = frozenset(range(5))
LONDON = Schedule([WindowSpec(7 * HOUR_S, 10 * HOUR_S, "Europe/London", WEEK)])
NEW_YORK = Schedule([WindowSpec(8 * HOUR_S, 12 * HOUR_S, "America/New_York", WEEK)])
NIGHT = Schedule([WindowSpec(22 * HOUR_S, 2 * HOUR_S, "UTC")])
INDIA = Schedule([WindowSpec(33_300, 55_800, "Asia/Kolkata", WEEK)])


def ns(text: str) -> int:
    """Read an ISO instant in UTC."""
    return utc_ns(datetime.fromisoformat(text).replace(tzinfo=UTC))


@pytest.mark.parametrize(
    ("schedules", "zone", "now", "expected"),
    [
        # Before, inside and after the windows of two cities, in summer: 06:00-09:00, 12:00-16:00.
        ([LONDON, NEW_YORK], "UTC", "2024-07-01T00:00", ("2024-07-01", "06:00", "16:00")),
        ([LONDON, NEW_YORK], "UTC", "2024-07-01T07:30", ("2024-07-01", "06:00", "16:00")),
        ([LONDON, NEW_YORK], "UTC", "2024-07-01T10:00", ("2024-07-01", "12:00", "16:00")),
        ([LONDON, NEW_YORK], "UTC", "2024-07-01T16:00", ("2024-07-02", "06:00", "16:00")),
        # A Friday evening: Monday is next, in winter time.
        ([LONDON], "UTC", "2024-01-05T10:00", ("2024-01-08", "07:00", "10:00")),
        # Over midnight: broken off after midnight, the day that goes on is still yesterday's.
        ([NIGHT], "UTC", "2024-01-05T12:00", ("2024-01-05", "22:00", "02:00")),
        ([NIGHT], "UTC", "2024-01-06T01:00", ("2024-01-05", "22:00", "02:00")),
        ([NIGHT], "UTC", "2024-01-06T02:00", ("2024-01-06", "22:00", "02:00")),
        # India: 09:15-15:30 is 03:45-10:00 UTC; its day begins at 18:30 UTC of the day before.
        ([INDIA], "Asia/Kolkata", "2024-01-04T19:00", ("2024-01-05", "03:45", "10:00")),
        # Without windows a strategy has the whole trading day.
        ([Schedule.always()], "UTC", "2024-01-06T05:00", ("2024-01-06", "05:00", "00:00")),
        ([Schedule.always(), NIGHT], "UTC", "2024-01-06T05:00", ("2024-01-06", "05:00", "02:00")),
    ],
)
def test_the_next_day_is_that_of_the_next_window(
    schedules: list[Schedule], zone: str, now: str, expected: tuple[str, str, str]
) -> None:
    """From the opening of the first window that starts on the day to the end of its last."""
    found = next_day(schedules, zone, ns(now))
    assert found is not None
    opens, closes = utc_text(found.opens_ns)[11:16], utc_text(found.closes_ns)[11:16]
    assert (day_text(found.day), opens, closes) == expected


def test_a_holiday_is_no_session() -> None:
    """The exchange is closed on Tuesday: after Monday comes Wednesday, and then nothing known."""
    monday = date(2024, 1, 8).toordinal()
    holidays = Holidays("XX", "UTC", frozenset({monday + 1}), {}, monday, monday + 2)
    schedule = Schedule([WindowSpec(9 * HOUR_S, 10 * HOUR_S, "UTC", WEEK)], holidays)
    found = next_day([schedule], "UTC", ns("2024-01-08T10:00"))
    assert found is not None
    assert day_text(found.day) == "2024-01-10"
    assert next_day([schedule], "UTC", ns("2024-01-10T10:00")) is None


def test_a_session_is_over_after_its_last_window_with_no_order_on_its_way() -> None:
    """The end itself is yet inside: what closes there is stepped first."""
    watch = session_watch([LONDON], "UTC", 0, ns("2024-01-08T00:00"))
    closes_ns = ns("2024-01-08T10:00")
    assert watch.next_ns(closes_ns) == closes_ns
    assert watch.next_ns(closes_ns + 1) == NEVER_NS
    portfolio = Portfolio()
    watch.look(closes_ns, portfolio)
    assert not watch.over.is_set()
    portfolio.orders["x"] = None  # type: ignore[assignment]
    watch.look(closes_ns + 1, portfolio)
    assert not watch.over.is_set()
    portfolio.orders.clear()
    watch.look(closes_ns + 1, portfolio)
    assert watch.over.is_set()
    assert "2024-01-08" in watch.text()


def test_without_a_day_nothing_ends() -> None:
    """A daemon that trades day after day."""
    watch = SessionWatch()
    watch.look(NEVER_NS - 1, Portfolio())
    assert not watch.over.is_set()
    assert watch.next_ns(0) == NEVER_NS


def test_without_a_bar_there_is_no_day() -> None:
    """Exit status 75: newer rows may come."""
    with pytest.raises(NothingToDo, match="add newer rows"):
        session_watch([LONDON], "UTC", ns("2024-01-08T00:00"), None)
