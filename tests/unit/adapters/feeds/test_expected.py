"""By when a bar must have come: the calendar and the clock decide, nothing else (F4)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from adapters.calendars import read_holidays
from adapters.feeds.expected import (
    AlwaysOpen,
    CivilHours,
    MarketHours,
    exchange_hours,
    expected_by_ns,
    fx_hours,
    has_missing,
    is_open,
    silence_ends_ns,
)
from state.units import HOUR_NS, MINUTE_NS, NEVER_NS, SECOND_NS, utc_ns, utc_text

GRACE_NS = 2 * SECOND_NS


def at(text: str) -> int:
    """Read ``YYYY-MM-DD HH:MM`` as UTC."""
    return utc_ns(datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=UTC))


def due(hours: MarketHours, after: str, interval_ns: int = MINUTE_NS) -> str:
    """Return by when the next bar must have come, without its grace of two seconds."""
    return utc_text(expected_by_ns(hours, at(after), interval_ns, GRACE_NS) - GRACE_NS)


def test_while_open_the_next_bar_is_due_one_interval_and_a_grace_after_the_last() -> None:
    """F4: within one interval and the grace, to the nanosecond."""
    last = at("2026-03-04 10:05")

    assert expected_by_ns(AlwaysOpen(), last, MINUTE_NS, GRACE_NS) == last + MINUTE_NS + GRACE_NS
    assert expected_by_ns(fx_hours(), last, MINUTE_NS, GRACE_NS) == last + MINUTE_NS + GRACE_NS
    assert expected_by_ns(fx_hours(), last + 1, MINUTE_NS, GRACE_NS) == (
        last + 2 * MINUTE_NS + GRACE_NS
    )


@pytest.mark.parametrize(
    ("friday", "sunday"),
    [
        ("2026-01-09 22:00", "2026-01-11T22:01:00Z"),
        ("2026-03-06 22:00", "2026-03-08T21:01:00Z"),
        ("2026-07-10 21:00", "2026-07-12T21:01:00Z"),
        ("2026-10-30 21:00", "2026-11-01T22:01:00Z"),
    ],
)
def test_a_weekend_is_no_silence_in_currencies(friday: str, sunday: str) -> None:
    """The week ends at 17:00 New York on Friday and begins at 17:00 on Sunday, DST or not."""
    hours = fx_hours()

    assert due(hours, friday) == sunday
    assert not is_open(hours, at(friday))
    assert is_open(hours, at(friday) - 1)


def test_an_hour_in_which_the_market_opens_has_a_bar() -> None:
    """Sunday's first hourly bar counts from the hour of the open; weekdays touch at 17:00."""
    nse = CivilHours("Asia/Kolkata", 9 * 3600 + 900, 15 * 3600 + 1800)

    assert due(nse, "2026-03-04 10:00", HOUR_NS) == "2026-03-05T04:00:00Z"
    assert due(fx_hours(), "2026-03-04 22:00", HOUR_NS) == "2026-03-04T23:00:00Z"


def test_an_exchange_is_not_expected_on_its_holidays_nor_after_an_early_close() -> None:
    """NYSE: Thanksgiving has no session and the day after ends at 13:00 New York."""
    first, last = (datetime(2025, month, 1, tzinfo=UTC).toordinal() for month in (11, 12))
    hours = exchange_hours(read_holidays("NYSE", first, last), 34_200, 57_600)

    assert due(hours, "2025-11-26 21:00") == "2025-11-28T14:31:00Z"
    assert due(hours, "2025-11-28 17:59") == "2025-11-28T18:00:00Z"
    assert due(hours, "2025-11-28 18:00") == "2025-12-01T14:31:00Z"
    assert expected_by_ns(hours, at("2025-12-01 21:00"), MINUTE_NS, GRACE_NS) == NEVER_NS


def test_a_futures_session_begins_on_the_evening_before() -> None:
    """A calendar that says so opens at 17:00 Chicago of the day before."""
    first, last = (datetime(2025, 10, day, tzinfo=UTC).toordinal() for day in (1, 31))
    hours = exchange_hours(read_holidays("CME_Equity", first, last), 0, 57_600)

    assert is_open(hours, at("2025-10-13 22:00"))
    assert due(hours, "2025-10-10 21:00") == "2025-10-12T22:01:00Z"


def test_a_gap_counts_only_where_the_market_was_open() -> None:
    """FEED-3: a weekend is none, a minute of it that should have traded is one."""
    hours = fx_hours()

    assert not has_missing(hours, at("2026-01-09 22:00"), at("2026-01-11 22:00"), MINUTE_NS)
    assert has_missing(hours, at("2026-01-09 22:00"), at("2026-01-11 22:01"), MINUTE_NS)
    assert has_missing(hours, at("2026-01-09 21:59"), at("2026-01-11 22:00"), MINUTE_NS)
    assert not has_missing(hours, at("2026-01-07 10:00"), at("2026-01-07 10:00"), MINUTE_NS)


def test_patience_runs_only_while_the_market_is_open() -> None:
    """A line that is silent over a weekend is not dead before Monday's patience has run out."""
    hours = fx_hours()
    friday = at("2026-01-09 21:59")

    assert silence_ends_ns(AlwaysOpen(), friday, 3 * MINUTE_NS) == friday + 3 * MINUTE_NS
    assert utc_text(silence_ends_ns(hours, friday, 3 * MINUTE_NS)) == "2026-01-11T22:02:00Z"


def test_hours_that_are_none_are_refused() -> None:
    """Each message says what was found and what is expected."""
    with pytest.raises(ValueError, match="expected a start before the end"):
        CivilHours("UTC", 10, 10)
    with pytest.raises(ValueError, match="within a day"):
        CivilHours("UTC", -3600, 86_400)
    with pytest.raises(ValueError, match="expected some of 0"):
        CivilHours("UTC", 0, 10, frozenset())
