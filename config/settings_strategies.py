"""Settings of strategies and their windows (E3, W1, W2).

What a window means in UTC is the calendar's; here it is only seconds of a local day. What a
parameter means is the strategy's.
"""

from __future__ import annotations

from decimal import Decimal
from importlib.metadata import entry_points
from typing import Annotated, Any, Final, Literal

from pydantic import Field, StrictBool, ValidationInfo, field_validator

from config.profiles import PROFILE_WINDOWS, is_file, resolve
from config.section import Section
from config.types import (
    DAY_S,
    Exact,
    IntervalName,
    Params,
    TimeOfDay,
    Whole,
    Word,
    ZoneName,
    clock,
    did_you_mean,
    interval_s,
    refuse,
)
from state.units import SECOND_NS

SYMBOL: Final = Word("[A-Z0-9][A-Z0-9._-]{0,23}", 'a symbol in capitals, such as "EURUSD"')
BUILT_IN: Final = ("LSG", "ORB", "ARLS", "EMA")
DAILY: Final = frozenset({"LSG", "ORB", "ARLS"})
"""Strategies with one setup a date: they refuse what would make a date ambiguous."""
AFTER_RANGE: Final = frozenset({"LSG", "ARLS"})
RANGE_END_S: Final = 7 * 3600
"""LSG and ARLS measure their range in 00:00-07:00 of the window's zone."""

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: Final[tuple[Weekday, ...]] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class WindowSettings(Section):
    """A session window in civil time: ``start <= t < end``, crossing midnight when end < start."""

    start: Annotated[int, TimeOfDay()] = Field(description="Local time the window opens.")
    end: Annotated[int, TimeOfDay(until_24=True)] = Field(
        description='Local time the window closes (exclusive); `"24:00"` is the end of the day.'
    )
    last_entry: Annotated[int, TimeOfDay(until_24=True)] | None = Field(
        default=None,
        description="Local time from which there are no entries; absent: the time-stop.",
    )
    zone: Annotated[str, ZoneName()] = Field(
        default="UTC", description="Time zone of the window's times."
    )
    weekdays: tuple[Weekday, ...] = Field(
        default=("mon", "tue", "wed", "thu", "fri"),
        min_length=1,
        description="Local days on which the window starts.",
    )

    @property
    def start_s(self) -> int:
        """Seconds of the local day at which the window opens."""
        return self.start

    @property
    def end_s(self) -> int:
        """Seconds of the local day at which the window closes; below ``start_s``: the next day."""
        return self.end

    @property
    def length_s(self) -> int:
        """Civil seconds from start to end."""
        return self.offset_s(self.end)

    @property
    def weekday_numbers(self) -> frozenset[int]:
        """Weekdays as numbers, Monday 0."""
        return frozenset(WEEKDAYS.index(day) for day in self.weekdays)

    @property
    def crosses_midnight(self) -> bool:
        """Whether the window ends on the local day after it starts."""
        return self.end < self.start

    def offset_s(self, local_s: int) -> int:
        """Return the civil seconds from the start to a later local time, 1 to 86400."""
        return (local_s - self.start - 1) % DAY_S + 1

    def text(self) -> str:
        """Write the window as ``07:00-10:00 Zone``."""
        return f"{clock(self.start)}-{clock(self.end)} {self.zone}"

    @field_validator("weekdays")
    @classmethod
    def _each_day_once(cls, weekdays: tuple[Weekday, ...]) -> tuple[Weekday, ...]:
        if len(set(weekdays)) != len(weekdays):
            raise refuse("a weekday is named twice")
        return weekdays

    @field_validator("end")
    @classmethod
    def _end_is_not_start(cls, end: int, info: ValidationInfo) -> int:
        start = info.data.get("start")
        if start == end:
            raise refuse(
                f"start and end are both {clock(end)}, an empty window; for a whole day write "
                f'start = 00:00:00, end = "24:00"'
            )
        return end

    @field_validator("last_entry")
    @classmethod
    def _last_entry_inside(cls, last_entry: int | None, info: ValidationInfo) -> int | None:
        start, end = info.data.get("start"), info.data.get("end")
        if last_entry is None or start is None or end is None:
            return last_entry
        offset, length = ((at - start - 1) % DAY_S + 1 for at in (last_entry, end))
        if last_entry == start or offset > length:
            raise refuse(
                f"{clock(last_entry)} is not inside the window {clock(start)}-{clock(end)}; "
                f"allowed: after its start and not after its end"
            )
        return last_entry


class StrategySettings(Section):
    """One strategy instance; it runs one engine per symbol."""

    name: Annotated[
        str,
        Word("[A-Za-z][A-Za-z0-9_-]{0,31}", "a letter, then at most 31 letters, digits, _ and -"),
    ] = Field(description="Name of the instance, unique; reports and limits go by it.")
    kind: Annotated[
        str, Word(r"\S.{0,254}", '"LSG", "ORB", "ARLS", "EMA", an entry point or "file.py:Class"')
    ] = Field(
        description="`LSG`, `ORB`, `ARLS`, `EMA`, the name of an entry point in "
        "`foliod.strategies`, or `path/to/file.py:Class`."
    )
    symbols: tuple[Annotated[str, SYMBOL], ...] = Field(
        min_length=1, description="Symbols it trades."
    )
    interval: Annotated[str, IntervalName()] = Field(
        default="5m", description="Length of its bars; a multiple of the bar file's."
    )
    profile: Literal["default", "london", "new_york"] = Field(
        default="default",
        description="Chooses tuned parameters, and the windows when none are given.",
    )
    params: Annotated[dict[str, Any], Params()] = Field(
        default_factory=dict, description="Parameters on top of the chosen set."
    )
    enabled: StrictBool = Field(default=True, description="`false`: it is not started.")
    at_end: Literal["close", "hold", "reduce"] = Field(
        default="close", description="What happens to a position at the window's end."
    )
    reduce_fraction: Annotated[Decimal, Exact(gt=0, lt=1)] = Field(
        default=Decimal("0.5"), description='Part of the position that `at_end = "reduce"` closes.'
    )
    flatten_before_s: Annotated[int, Whole(ge=0, le=43_200)] = Field(
        default=0,
        description="Seconds before the window's end at which `at_end` acts; use one interval "
        "where nothing trades after the end.",
    )
    trail_r: Annotated[Decimal, Exact(gt=0, le=100)] | None = Field(
        default=None,
        description="The stop follows the closes at this many times the initial stop distance, "
        "where the signal names no distance of its own; absent: it stays.",
    )
    overnight_widen: StrictBool = Field(
        default=False,
        description="Widen stop and target of a held position for the night, once per trading "
        'day; needs `at_end = "hold"` or `"reduce"`.',
    )
    overnight_widen_fraction: Annotated[Decimal, Exact(ge=0, le=1)] = Field(
        default=Decimal("0.01"),
        description="Part of the entry price by which they are widened, if that is more than "
        "`overnight_widen_pips`.",
    )
    overnight_widen_pips: Annotated[Decimal, Exact(ge=0, le=100_000)] = Field(
        default=Decimal(0),
        validate_default=True,
        description="Pips by which they are widened at least.",
    )
    overnight_widen_max_fraction: Annotated[Decimal, Exact(gt=0, le=1)] = Field(
        default=Decimal("0.05"),
        description="Part of the entry price that all nights together may take the stop away "
        "from the initial stop.",
    )
    max_overnight_r: Annotated[Decimal, Exact(gt=0, le=100)] = Field(
        default=Decimal("1.5"),
        description="Loss at the widened stop, in initial risks, above which widening is refused.",
    )
    windows: tuple[WindowSettings, ...] = Field(
        default=(),
        validate_default=True,
        description="Session windows; absent: the profile's, or always open.",
    )

    @property
    def interval_ns(self) -> int:
        """Length of its bars in nanoseconds."""
        return (interval_s(self.interval) or 0) * SECOND_NS

    def parameters(self, symbol: str) -> tuple[dict[str, Any], str]:
        """Return the parameters for a symbol and the name of the set in force."""
        return resolve(self.kind, symbol, self.interval, self.profile, self.params)

    def effective_windows(self) -> tuple[WindowSettings, ...]:
        """Return the windows in force: its own, else the profile's, else none (always open)."""
        return self.windows or _profile_windows(self.profile)

    def last_entry_s(self, window: WindowSettings) -> int:
        """Return the local second from which a window takes no entries (exclusive).

        The given one, else the window's end; never later than the time-stop, so that no entry
        follows it (Source: MISSION, Market orders).
        """
        if window.last_entry is not None:
            return window.last_entry
        if self.at_end == "hold" or not self.flatten_before_s:
            return window.end
        return (window.end - self.flatten_before_s) % DAY_S

    @field_validator("kind")
    @classmethod
    def _kind_is_known(cls, kind: str) -> str:
        if kind in BUILT_IN or is_file(kind):
            return kind
        installed = {point.name for point in entry_points(group="foliod.strategies")}
        if kind not in installed:
            known = installed | set(BUILT_IN)
            raise refuse(
                f"no such strategy (known: {', '.join(sorted(known))}){did_you_mean(kind, known)}; "
                f'one of your own: "path/to/file.py:Class"'
            )
        return kind

    @field_validator("symbols")
    @classmethod
    def _each_symbol_once(cls, symbols: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(symbols)) != len(symbols):
            raise refuse("a symbol is named twice")
        return symbols

    @field_validator("overnight_widen")
    @classmethod
    def _only_what_is_held_is_widened(cls, widen: bool, info: ValidationInfo) -> bool:
        if widen and info.data.get("at_end") == "close":
            raise refuse(
                'nothing is held overnight with at_end = "close"; set at_end = "hold" or "reduce", '
                "or leave overnight_widen out"
            )
        return widen

    @field_validator("overnight_widen_pips")
    @classmethod
    def _widens_by_something(cls, pips: Decimal, info: ValidationInfo) -> Decimal:
        given = info.data
        if given.get("overnight_widen") and given.get("overnight_widen_fraction") == pips == 0:
            raise refuse("overnight_widen_fraction is 0 too: nothing to widen by")
        return pips

    @field_validator("windows")
    @classmethod
    def _windows_fit(
        cls, windows: tuple[WindowSettings, ...], info: ValidationInfo
    ) -> tuple[WindowSettings, ...]:
        kind, profile = info.data.get("kind"), info.data.get("profile")
        in_force = windows or _profile_windows(profile or "default")
        broken = [*_overlaps(windows), *_time_stop_rules(in_force, info.data)]
        if kind in DAILY:
            broken += _daily_rules(kind, in_force, profile is not None)
        if broken:
            raise refuse("; ".join(broken))
        return windows


def _profile_windows(profile: str) -> tuple[WindowSettings, ...]:
    if profile not in PROFILE_WINDOWS:
        return ()
    start, end = PROFILE_WINDOWS[profile]
    return (WindowSettings.model_validate({"start": clock(start), "end": clock(end)}),)


def _overlaps(windows: tuple[WindowSettings, ...]) -> list[str]:
    """Name the pairs of windows of one zone that share an instant of the week."""
    spans = sorted(
        (window.zone, day * DAY_S + window.start, window.length_s, index)
        for index, window in enumerate(windows)
        for day in window.weekday_numbers
    )
    pairs = set()
    for zone, start, length, index in spans:
        for other_zone, other, _, other_index in spans:
            later_by = (other - start) % (7 * DAY_S)
            if zone == other_zone and later_by < length and index != other_index:
                pairs.add((min(index, other_index), max(index, other_index)))
    return [f"{windows[a].text()} and {windows[b].text()} overlap" for a, b in sorted(pairs)]


def _time_stop_rules(windows: tuple[WindowSettings, ...], given: dict[str, Any]) -> list[str]:
    """Hold flatten_before_s and last_entry to: start < last entry <= time-stop."""
    before, at_end = given.get("flatten_before_s", 0), given.get("at_end")
    broken = []
    for window in windows:
        if before >= window.length_s:
            broken.append(
                f"flatten_before_s = {before} is not shorter than {window.text()} "
                f"({window.length_s} s)"
            )
        elif at_end != "hold" and window.last_entry is not None:
            stop_at = window.length_s - before
            if window.offset_s(window.last_entry) > stop_at:
                broken.append(
                    f"last_entry {clock(window.last_entry)} is later than the time-stop of "
                    f"{window.text()} at {clock((window.start + stop_at) % DAY_S)}"
                )
    return broken


def _daily_rules(
    kind: str, windows: tuple[WindowSettings, ...], profile_is_valid: bool
) -> list[str]:
    """Hold LSG, ORB and ARLS to one window a day, in one zone, inside one date."""
    if not windows:
        hint = f'{kind} needs a window: give windows, or profile = "london" or "new_york"'
        return [hint] if profile_is_valid else []
    broken = [
        f"{kind} refuses {window.text()}: it crosses midnight"
        + ('; for the end of the day write end = "24:00"' if window.end == 0 else "")
        for window in windows
        if window.crosses_midnight
    ]
    zones = sorted({window.zone for window in windows})
    if len(zones) > 1:
        broken.append(f"{kind} refuses windows of different zones ({', '.join(zones)})")
    taken: set[int] = set()
    for window in windows:
        if taken & window.weekday_numbers:
            broken.append(f"{kind} refuses more than one window a day ({window.text()})")
        taken |= window.weekday_numbers
    if kind in AFTER_RANGE:
        broken += [
            f"{kind} refuses {window.text()}: it starts before the range 00:00-07:00 ends"
            for window in windows
            if window.start < RANGE_END_S
        ]
    return broken
