"""Windows: when a strategy may trade, in civil time, compiled to UTC instants.

An edge inside a DST gap moves to the first instant that exists, an edge inside a fold is its first
occurrence, for opening and closing alike (``daemon.core.civil``); holidays and early closes cut.
This module reads no clock and knows nothing of orders, gates or strategies.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from daemon.core.civil import DAY_S, CivilClock
from state.holidays import Holidays
from state.units import DAY_NS, EPOCH_ORDINAL, NEVER_NS, SECOND_NS

__all__ = ["CivilClock", "Holidays", "Schedule", "Window", "WindowSpec"]

WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_BLOCK_DAYS: Final = 32
_BLOCK_NS: Final = _BLOCK_DAYS * DAY_NS
_KEPT_BLOCKS: Final = 64
_LAST_BLOCK: Final = NEVER_NS // _BLOCK_NS - 2
"""Blocks after this one reach past int64 nanoseconds (year 2262); nothing is open there."""


class WindowSpec(msgspec.Struct, frozen=True):
    """A daily window in civil time.

    ``start_s`` (inclusive) and ``end_s`` (exclusive) are seconds of the local day in ``zone``;
    ``end_s`` may be 86400, and less than ``start_s`` means that the window crosses midnight.
    ``weekdays`` (Monday 0) are those of the local date on which the window *starts*.
    ``last_entry_s`` (exclusive) is a second of the local day after the start and not after the end;
    None means the end.
    """

    start_s: int
    end_s: int
    zone: str
    weekdays: frozenset[int] = frozenset(range(7))
    last_entry_s: int | None = None

    def __post_init__(self) -> None:
        """Refuse what is not a window.

        Raises:
            ValueError: says which field, what it was and what is allowed.
        """
        if not 0 <= self.start_s < DAY_S:
            raise ValueError(f"window start is {self.start_s} s, allowed: 0 to 86399")
        if not 0 <= self.end_s <= DAY_S:
            raise ValueError(f"window end is {self.end_s} s, allowed: 0 to 86400 (24:00)")
        if self.start_s == self.end_s:
            raise ValueError(
                f"window start and end are both {time_text(self.start_s)}; "
                "for the whole day write 00:00 to 24:00"
            )
        if not self.weekdays or not self.weekdays <= frozenset(range(7)):
            raise ValueError(
                f"window weekdays are {sorted(self.weekdays)}, allowed: some of 0 (Monday) to 6"
            )
        last_s = self.last_entry_s
        if last_s is not None and not (0 <= last_s <= DAY_S and self._since_start(last_s) > 0):
            raise ValueError(f"window last entry is {last_s} s, allowed: 0 to 86400, not the start")
        if last_s is not None and self._since_start(last_s) > self.length_s:
            raise ValueError(
                f"window last entry {time_text(last_s)} is outside the window {self.text()}"
            )

    @property
    def length_s(self) -> int:
        """Return the length in seconds of local time, DST left out."""
        return self._since_start(self.end_s)

    def _since_start(self, second: int) -> int:
        ahead = second - self.start_s
        return ahead if ahead >= 0 else ahead + DAY_S

    def text(self) -> str:
        """Write the window as an operator would: ``07:00-10:00 Europe/London mon-fri``."""
        words = [f"{time_text(self.start_s)}-{time_text(self.end_s)}", self.zone]
        if len(self.weekdays) < 7:
            words.append(_weekdays_text(self.weekdays))
        last_s = self.last_entry_s
        if last_s is not None and self._since_start(last_s) < self.length_s:
            words.append(f"last entry {time_text(last_s)}")
        return " ".join(words)


class Window(msgspec.Struct, frozen=True, gc=False):
    """One window on one day.

    ``start_ns`` (inclusive), ``end_ns`` (exclusive) and ``last_entry_ns`` (exclusive, never after
    ``end_ns`` nor after the time-stop) are UTC nanoseconds; ``date`` is the ordinal of the local
    date of the start.
    """

    start_ns: int
    end_ns: int
    last_entry_ns: int
    date: int


def time_text(second: int) -> str:
    """Write a second of the local day as ``HH:MM``, with seconds only when there are some."""
    minutes, seconds = divmod(second, 60)
    text = f"{minutes // 60:02d}:{minutes % 60:02d}"
    return f"{text}:{seconds:02d}" if seconds else text


def weekday(day: int) -> int:
    """Return the weekday (Monday 0) of a proleptic ordinal."""
    return (day + 6) % 7


def _weekdays_text(weekdays: frozenset[int]) -> str:
    days = sorted(weekdays)
    if len(days) > 2 and days[-1] - days[0] == len(days) - 1:
        return f"{WEEKDAYS[days[0]]}-{WEEKDAYS[days[-1]]}"
    return ",".join(WEEKDAYS[day] for day in days)


def _week_spans(spec: WindowSpec) -> Iterator[tuple[int, int]]:
    """Yield [start, end) in seconds of the local week, a span over Sunday's end in two parts."""
    for day in sorted(spec.weekdays):
        start = day * DAY_S + spec.start_s
        end = start + spec.length_s
        yield start, min(end, 7 * DAY_S)
        if end > 7 * DAY_S:
            yield 0, end - 7 * DAY_S


def _refuse_overlaps(specs: Sequence[WindowSpec]) -> None:
    """Refuse windows of one zone that overlap in local time.

    Raises:
        ValueError: names both windows.
    """
    for index, one in enumerate(specs):
        for other in specs[index + 1 :]:
            if one.zone == other.zone and any(
                a < d and c < b for a, b in _week_spans(one) for c, d in _week_spans(other)
            ):
                raise ValueError(f"windows overlap: {one.text()} and {other.text()}")


class Schedule:
    """The windows of one strategy on one symbol, compiled to instants as they are needed.

    Windows of one zone must not overlap. Windows of different zones may, as DST moves them: the one
    that opened first stays in force until its end, and the other begins there. So every instant
    has at most one window, and none is open for entry that was not configured so.
    """

    __slots__ = (
        "_blocks",
        "_clocks",
        "_current",
        "_exchange",
        "_flatten_ns",
        "_hi",
        "_lo",
        "holidays",
        "specs",
    )

    def __init__(
        self,
        specs: Sequence[WindowSpec],
        holidays: Holidays | None = None,
        *,
        flatten_before_s: int = 0,
    ) -> None:
        """Prepare the windows; ``flatten_before_s`` is how long before an end positions close.

        A window's last entry is never later than its end minus ``flatten_before_s``.

        Raises:
            ValueError: no window, an unknown zone, or windows of one zone that overlap.
        """
        if not specs:
            raise ValueError("no window given; Schedule.always() is open at every instant")
        if flatten_before_s < 0:
            raise ValueError(f"flatten_before_s is {flatten_before_s}, allowed: 0 and more")
        _refuse_overlaps(specs)
        self.specs = tuple(specs)
        self.holidays = holidays
        self._clocks = {spec.zone: CivilClock(spec.zone) for spec in specs}
        self._exchange = CivilClock(holidays.zone) if holidays else None
        self._flatten_ns = flatten_before_s * SECOND_NS
        self._blocks: dict[int, tuple[Window, ...]] = {}
        self._lo = self._hi = 0
        self._current: Window | None = None

    @classmethod
    def always(cls, zone: str = "UTC") -> Schedule:
        """Return the schedule without windows: open at every instant, dates in ``zone``."""
        schedule = cls((WindowSpec(0, DAY_S, zone),))
        schedule.specs = ()
        schedule._lo, schedule._hi = -NEVER_NS, NEVER_NS
        schedule._current = Window(-NEVER_NS, NEVER_NS, NEVER_NS, 1)
        return schedule

    @property
    def is_always(self) -> bool:
        """Say whether there are no windows, so that every instant is inside."""
        return not self.specs

    @property
    def zones(self) -> tuple[str, ...]:
        """Return the zones of the windows, each once, in the order given."""
        return tuple(self._clocks)

    @property
    def single_zone(self) -> CivilClock:
        """Return the civil clock that all windows share.

        Raises:
            ValueError: the windows have different zones.
        """
        if len(self._clocks) > 1:
            raise ValueError(f"windows of different zones: {', '.join(sorted(self._clocks))}")
        return next(iter(self._clocks.values()))

    def at(self, ns: int) -> Window | None:
        """Return the window with ``start_ns <= ns < end_ns``, or None."""
        if self._lo <= ns < self._hi:
            return self._current
        return self._seek(ns)

    def covers(self, ns: int) -> bool:
        """Say whether an instant lies in a window."""
        if self._lo <= ns < self._hi:
            return self._current is not None
        return self._seek(ns) is not None

    def next_after(self, ns: int) -> Window | None:
        """Return the first window that starts after this instant, None when there is none."""
        if not self.specs:
            return None
        first, last = self._search_range(ns // _BLOCK_NS)
        for block in range(first, last + 1):
            windows = self._block(block)
            index = bisect_right(windows, ns, key=_start_ns)
            if index < len(windows):
                return windows[index]
        return None

    def edge_after(self, ns: int) -> int:
        """Return the next start or end after this instant, NEVER_NS when there is none."""
        window = self.at(ns)
        if window is not None:
            return window.end_ns
        coming = self.next_after(ns)
        return NEVER_NS if coming is None else coming.start_ns

    def text(self) -> str:
        """Write all windows in one line."""
        return ", ".join(spec.text() for spec in self.specs) or "always"

    def _search_range(self, block: int) -> tuple[int, int]:
        """Return the blocks in which the next window must be, if there is one at all."""
        if self.holidays is None:  # every week has a window, but for one lost in a DST gap
            return block, min(block + 2, _LAST_BLOCK)
        known_from = (self.holidays.first - EPOCH_ORDINAL - 2) // _BLOCK_DAYS
        known_to = (self.holidays.last - EPOCH_ORDINAL + 2) // _BLOCK_DAYS
        return max(block, known_from), min(known_to, _LAST_BLOCK)

    def _seek(self, ns: int) -> Window | None:
        """Find the window or the gap around an instant and keep it for the next question."""
        if not self.specs:
            return self._current
        block = ns // _BLOCK_NS
        windows = self._block(block)
        index = bisect_right(windows, ns, key=_start_ns)
        earlier = windows if index else self._block(block - 1)
        window = earlier[index - 1] if earlier else None
        if window is not None and ns < window.end_ns:
            self._lo, self._hi, self._current = window.start_ns, window.end_ns, window
            return window
        self._lo = max(block * _BLOCK_NS, window.end_ns if window else -NEVER_NS)
        self._hi = windows[index].start_ns if index < len(windows) else (block + 1) * _BLOCK_NS
        self._current = None
        return None

    def _block(self, block: int) -> tuple[Window, ...]:
        """Return the windows that start in one 32-day block of UTC time, in order."""
        kept = self._blocks.get(block)
        if kept is None:
            if len(self._blocks) >= _KEPT_BLOCKS:
                self._blocks.clear()
            kept = () if abs(block) > _LAST_BLOCK else self._compile(block)
            self._blocks[block] = kept
        return kept

    def _compile(self, block: int) -> tuple[Window, ...]:
        """Compile one block; three days earlier are looked at for what still runs into it."""
        lo, hi = block * _BLOCK_NS, (block + 1) * _BLOCK_NS
        day = block * _BLOCK_DAYS + EPOCH_ORDINAL
        found = [
            window
            for spec in self.specs
            for date in range(max(day - 3, 1), day + _BLOCK_DAYS + 2)
            if weekday(date) in spec.weekdays and (window := self._window(spec, date)) is not None
        ]
        found.sort(key=lambda w: (w.start_ns, w.end_ns, w.last_entry_ns))
        kept: list[Window] = []
        busy_ns = -NEVER_NS
        for window in found:
            start_ns = max(window.start_ns, busy_ns)
            if start_ns >= window.end_ns:
                continue
            busy_ns = window.end_ns
            if lo <= start_ns < hi:
                kept.append(Window(start_ns, window.end_ns, window.last_entry_ns, window.date))
        return tuple(kept)

    def _window(self, spec: WindowSpec, date: int) -> Window | None:
        """Return the window that starts on a local date, None when nothing of it exists."""
        clock = self._clocks[spec.zone]
        start_ns = clock.instant(date, spec.start_s)
        end_ns = clock.instant(date, spec.start_s + spec.length_s)
        last_ns = end_ns
        if spec.last_entry_s is not None:
            last_ns = clock.instant(date, spec.start_s + spec._since_start(spec.last_entry_s))
        end_ns = self._open_until(start_ns, end_ns)
        if start_ns >= end_ns:
            return None
        return Window(start_ns, end_ns, min(last_ns, end_ns - self._flatten_ns), date)

    def _open_until(self, start_ns: int, end_ns: int) -> int:
        """Return the end as cut by closed days and early closes; <= ``start_ns``: closed."""
        holidays, clock = self.holidays, self._exchange
        if holidays is None or clock is None:
            return end_ns
        day = clock.day(start_ns)
        if start_ns >= clock.instant(day + 1, holidays.session_start_s):
            day += 1  # the evening belongs to the next day's session
        while True:
            begin_ns = clock.instant(day, holidays.session_start_s)
            if begin_ns >= end_ns:
                return end_ns
            if holidays.is_closed(day):
                return begin_ns
            close_s = holidays.early_close.get(day)
            if close_s is not None:
                close_ns = clock.instant(day, close_s)
                if close_ns < end_ns:
                    return close_ns
            day += 1


def _start_ns(window: Window) -> int:
    return window.start_ns
