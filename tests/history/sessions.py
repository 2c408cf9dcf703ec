"""Sessions: SES-1, by civil arithmetic of the checker's own.

Holidays only cut windows, and no calendar is read here: what lies outside of the plain window is
found, an entry on a holiday is not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from tests.history.audit import Audit, Config
from tests.history.book import NEVER, Book, S
from tests.history.journal import Row, Violation

_WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_PROFILES = {
    "london": {"start": time(7), "end": time(10), "zone": "UTC"},
    "new_york": {"start": time(12, 30), "end": time(16), "zone": "UTC"},
}


class Window(NamedTuple):
    """One window on one date: seconds UTC; ``end`` and ``last`` exclusive, ``stop`` the exit."""

    start: int
    end: int
    last: int
    stop: int


def instant(day: date, second: int, zone: str) -> int:
    """Return the first second UTC at which the zone's clock reads this time of the day, or later.

    Of a time that exists twice the first one; of one that does not exist, the end of the gap.
    """
    at = datetime.combine(day, time()) + timedelta(seconds=second)
    tz = ZoneInfo(zone)
    early, late = (
        round(at.replace(tzinfo=tz, fold=fold).astimezone(UTC).timestamp()) for fold in (0, 1)
    )
    if early <= late:  # plain, or twice: fold 0 is the first
        return early
    before, after = late, early
    offset = datetime.fromtimestamp(before, tz).utcoffset()
    while after - before > 1:
        middle = (before + after) // 2
        if datetime.fromtimestamp(middle, tz).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after


def _second(value: time | str) -> int:
    if isinstance(value, str):  # "24:00"
        hour, minute = value.split(":")
        return int(hour) * 3600 + int(minute) * 60
    return value.hour * 3600 + value.minute * 60 + value.second


def windows(strategy: Mapping[str, Any], at_ns: int) -> Iterator[Window]:
    """Yield the windows of a strategy that contain an instant."""
    specs = strategy.get("windows")
    if not specs and strategy.get("profile") in _PROFILES:
        specs = [_PROFILES[strategy["profile"]]]
    if not specs:
        yield Window(-NEVER, NEVER, NEVER, NEVER)
        return
    second = at_ns // S
    for spec in specs:
        zone = spec.get("zone", "UTC")
        here = datetime.fromtimestamp(second, ZoneInfo(zone)).date()
        start_s, end_s = _second(spec["start"]), _second(spec["end"])
        for day in (here - timedelta(days=1), here, here + timedelta(days=1)):
            if _WEEK[day.weekday()] not in spec.get("weekdays", _WEEK[:5]):
                continue
            length = (end_s - start_s - 1) % 86_400 + 1
            start, end = (instant(day, start_s + more, zone) for more in (0, length))
            stop = end - strategy.get("flatten_before_s", 0)
            last = stop
            if "last_entry" in spec:
                more = (_second(spec["last_entry"]) - start_s - 1) % 86_400 + 1
                last = min(last, instant(day, start_s + more, zone))
            if start <= second < end:
                yield Window(start, end, last, stop)


class Sessions(Audit):
    """No entry outside its window, none after its last-entry time, a time-stop that is the end."""

    proves = ("SES-1",)

    def __init__(self, book: Book, found: list[Violation], config: Config) -> None:
        """Take the windows."""
        super().__init__(book, found)
        self._strategies = {one["name"]: one for one in config["strategies"]}

    def on_decided(self, row: Row) -> None:
        """Check the instant of an entry that was let in, and the bar it was decided on."""
        if row["outcome"] != "ACCEPTED" or row["action"]["type"] != "enter":
            return
        spec = self._strategies.get(row["strategy"])
        if spec is None:
            self.must(False, "SES-1", row, f"{row['strategy']} has no windows")
            return
        now = row["at_ns"] // S
        inside = any(now < one.last for one in windows(spec, row["at_ns"]))
        self.must(inside, "SES-1", row, f"let in at {_utc(now)}, outside its window")
        opened = any(True for _ in windows(spec, row["bar_open_ns"]))
        self.must(opened or not inside, "SES-1", row, "its bar opened outside the window")

    def on_intentrecorded(self, row: Row) -> None:
        """Check the last-entry time and the time-stop that an entry carries."""
        intent = row["intent"]
        spec = self._strategies.get(intent["strategy"])
        if intent["purpose"] != "entry" or spec is None:
            return
        found = next(windows(spec, intent["decided_ns"]), None)
        if found is None:
            return
        stop = NEVER if spec.get("at_end", "close") == "hold" else found.stop
        exact = self.book.instruments[intent["symbol"]]["calendar"] is None
        for name, by_hand in (("until_ns", found.last), ("time_stop_ns", stop)):
            by_hand = by_hand if by_hand == NEVER else by_hand * S
            same = intent[name] == by_hand if exact else intent[name] <= by_hand
            self.must(same, "SES-1", row, f"{name} {intent[name]}, by hand {by_hand}")

    def on_filled(self, row: Row) -> None:
        """Check that an entry met its price before its last-entry time."""
        order = self.book.orders.get(row["intent_id"])
        if row["leg"] == "entry" and order is not None:
            in_time = row["bar_open_ns"] < order.intent["until_ns"]
            self.must(in_time, "SES-1", row, "entered after its last-entry time")


def _utc(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).isoformat()
