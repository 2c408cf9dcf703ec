"""Windows against a slow reference.

The reference walks minute by minute with the library's clock. Its local time never goes back: it
is the largest reading so far, which is the rule for gaps and folds in one word. A window holds the
minutes at which that time lies in [start, end) of a date; an exchange that shuts ends it.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.core.calendar import Holidays, Schedule, WindowSpec
from state.units import MINUTE_NS, utc_ns

ZONES = [
    "UTC",
    "Europe/London",
    "America/New_York",
    "America/Chicago",
    "Australia/Sydney",
    "Australia/Lord_Howe",
    "Asia/Kolkata",
    "America/Sao_Paulo",
    "America/Havana",
    "America/Asuncion",
    "Asia/Beirut",
    "Asia/Tehran",
    "Africa/Casablanca",
    "Pacific/Chatham",
    "Pacific/Apia",
    "America/Scoresbysund",
]
DAYS = 6
DAY_S = 86_400


def readings(zone: str, first: date) -> list[datetime]:
    """Return the local time at every minute from two days before a UTC date on, never going back.

    Shape ((DAYS + 2) * 1440,), naive datetimes.
    """
    tz, at = ZoneInfo(zone), datetime(first.year, first.month, first.day, tzinfo=UTC)
    at -= timedelta(days=2)
    latest, found = datetime(1, 1, 1), []  # noqa: DTZ001
    for minute in range((DAYS + 2) * 1440):
        latest = max(latest, (at + timedelta(minutes=minute)).astimezone(tz).replace(tzinfo=None))
        found.append(latest)
    return found


def changes(zone: str) -> list[date]:
    """Return the UTC dates of 2015-2037 on which a zone's offset changed."""
    tz = ZoneInfo(zone)
    dates = [date(2015, 1, 1) + timedelta(days=n) for n in range(8400)]
    offsets = [
        datetime(d.year, d.month, d.day, tzinfo=UTC).astimezone(tz).utcoffset() for d in dates
    ]
    return [dates[i] for i in range(len(dates) - 1) if offsets[i] != offsets[i + 1]]


CHANGES = {zone: changes(zone) for zone in ZONES}


@st.composite
def specs(draw: st.DrawFn, zone: str) -> WindowSpec:
    """Draw a window of whole minutes, short ones near the small hours more often."""
    start = draw(st.integers(0, 239) | st.integers(0, 1439))
    length = draw(st.integers(1, 120) | st.integers(1, 1440))
    end = start + length
    end = end if end <= 1440 else end - 1440
    if end == start:
        end = start + 1
    whole = end - start if end > start else end + 1440 - start
    last = draw(st.none() | st.integers(1, whole))
    last_s = None if last is None else (start + last) % 1440 * 60 or DAY_S
    weekdays = draw(st.frozensets(st.integers(0, 6), min_size=1))
    return WindowSpec(start * 60, end * 60, zone, weekdays, last_s)


@st.composite
def places(draw: st.DrawFn) -> tuple[str, date]:
    """Draw a zone and a date, near one of the zone's clock changes most of the time."""
    zone = draw(st.sampled_from(ZONES))
    anywhere = st.dates(date(2015, 1, 3), date(2037, 12, 20))
    near = st.sampled_from(CHANGES[zone]) if CHANGES[zone] else anywhere
    return zone, draw(near | near | anywhere) - timedelta(days=draw(st.integers(0, 3)))


@st.composite
def calendars(draw: st.DrawFn, first: date) -> Holidays:
    """Draw a calendar in which something happens during the days looked at."""
    days = [first.toordinal() + n for n in range(-3, DAYS + 2)]
    return Holidays(
        name="X",
        zone=draw(st.sampled_from(ZONES)),
        closed=frozenset(draw(st.sets(st.sampled_from(days), max_size=3))),
        early_close=draw(
            st.dictionaries(
                st.sampled_from(days), st.integers(60, 1440).map(lambda m: m * 60), max_size=3
            )
        ),
        first=draw(st.sampled_from([days[0], days[4]])),
        last=draw(st.sampled_from([days[5], days[-1]])),
        session_start_s=draw(st.sampled_from([0, 0, -7 * 3600])),
    )


def edge(day: date, second: int) -> datetime:
    """Return the reading of a second of a local day."""
    return datetime(day.year, day.month, day.day) + timedelta(seconds=second)  # noqa: DTZ001


def shut_minutes(holidays: Holidays | None, first: date) -> list[bool]:
    """Say of every minute whether the exchange is shut for holiday, early close or ignorance."""
    if holidays is None:
        return [False] * ((DAYS + 2) * 1440)
    found = []
    for reading in readings(holidays.zone, first):
        session = (reading - timedelta(seconds=holidays.session_start_s)).date()
        close_s = holidays.early_close.get(session.toordinal())
        early = close_s is not None and reading >= edge(session, close_s)
        found.append(early or holidays.is_closed(session.toordinal()))
    return found


def reference(spec: WindowSpec, holidays: Holidays | None, first: date) -> list[date | None]:
    """Return for every minute the date of the window that holds it, None outside."""
    clock, shut = readings(spec.zone, first), shut_minutes(holidays, first)
    found: list[date | None] = [None] * len(clock)
    for number in range(-3, DAYS + 2):
        day = first + timedelta(days=number)
        if day.weekday() not in spec.weekdays:
            continue
        start, end = edge(day, spec.start_s), edge(day, spec.start_s + spec.length_s)
        for minute, reading in enumerate(clock):
            if not start <= reading < end:
                continue
            if shut[minute]:
                break
            found[minute] = day
    return found


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_every_minute_is_in_the_window_that_the_reference_says(data: st.DataObject) -> None:
    """``at``, ``covers``, date and last entry agree, in time order and asked backwards."""
    zone, first = data.draw(places())
    spec = data.draw(specs(zone))
    holidays = data.draw(st.none() | calendars(first))
    expected = reference(spec, holidays, first)
    last_s = spec.length_s if spec.last_entry_s is None else spec.last_entry_s - spec.start_s
    last_s += DAY_S if last_s <= 0 else 0
    clock = readings(zone, first)
    base = utc_ns(datetime(first.year, first.month, first.day, tzinfo=UTC)) - 2880 * MINUTE_NS
    ahead, back = Schedule([spec], holidays), Schedule([spec], holidays)
    for minute in range(2880, len(expected)):
        window, day = ahead.at(base + minute * MINUTE_NS), expected[minute]
        assert (window and window.date) == (day and day.toordinal())
        assert ahead.covers(base + minute * MINUTE_NS) == (window is not None)
        if window is not None and day is not None:
            in_time = clock[minute] < edge(day, spec.start_s + last_s)
            assert (base + minute * MINUTE_NS < window.last_entry_ns) == in_time
    for minute in range(len(expected) - 1, 2880, -61):
        ns = base + minute * MINUTE_NS
        assert back.at(ns) == ahead.at(ns)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_edges_are_where_the_reference_changes(data: st.DataObject) -> None:
    """``edge_after`` and ``next_after`` name the next minute at which the window changes."""
    zone, first = data.draw(places())
    spec = data.draw(specs(zone))
    expected = reference(spec, None, first)
    base = utc_ns(datetime(first.year, first.month, first.day, tzinfo=UTC)) - 2880 * MINUTE_NS
    edges = [m for m in range(2881, len(expected)) if expected[m] != expected[m - 1]]
    starts = [m for m in edges if expected[m] is not None]
    schedule, minute = Schedule([spec]), 2880
    for edge_minute in edges:
        assert schedule.edge_after(base + minute * MINUTE_NS) == base + edge_minute * MINUTE_NS
        assert schedule.edge_after(base + edge_minute * MINUTE_NS - 1) == (
            base + edge_minute * MINUTE_NS
        )
        minute = edge_minute
    minute = 2880
    for start in starts:
        window = schedule.next_after(base + minute * MINUTE_NS)
        assert window is not None and window.start_ns == base + start * MINUTE_NS
        assert window.start_ns < window.end_ns and window.last_entry_ns <= window.end_ns
        minute = start


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_windows_of_several_zones_never_overlap_and_cover_what_any_of_them_covers(
    data: st.DataObject,
) -> None:
    """A minute is open when one of the windows holds it; compiled windows are disjoint."""
    first = data.draw(places())[1]
    zones = data.draw(st.lists(st.sampled_from(ZONES), min_size=2, max_size=3, unique=True))
    several = [data.draw(specs(zone)) for zone in zones]
    schedule = Schedule(several)
    each = [reference(spec, None, first) for spec in several]
    base = utc_ns(datetime(first.year, first.month, first.day, tzinfo=UTC)) - 2880 * MINUTE_NS
    last_end = 0
    for minute in range(2880, len(each[0])):
        ns = base + minute * MINUTE_NS
        window = schedule.at(ns)
        assert (window is not None) == any(one[minute] is not None for one in each)
        if window is not None and window.end_ns != last_end:
            assert window.start_ns >= last_end
            last_end = window.end_ns
