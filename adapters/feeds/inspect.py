"""Inspect: what a bar file is, before anybody trusts it.

Reads the file once, as it is (nothing moved to mid), and reports; it never changes
or repairs. What is not set is assumed and said: zone UTC, stamp open.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from adapters.feeds.columns import Columns
from adapters.feeds.files import evidence
from adapters.feeds.files.blocks import Head, content_digest, read_head
from adapters.feeds.files.detect import detect
from adapters.feeds.files.layout import Layout
from adapters.feeds.files.source import BarSource, interval_problems, sample_stamps, zone_problems
from adapters.feeds.files.spec import BarFileSpec, Refused, check
from adapters.feeds.files.steps import common_step
from adapters.feeds.files.zones import WallClock
from state.errors import FeedError
from state.units import HOUR_NS, MINUTE_NS

_LARGEST: Final = 3
_SPIKE: Final = 20.0
_FLAT_RUN: Final = 10
_ENOUGH: Final = 100
_DECIMALS: Final = 8
_EXACT: Final = 1e7
"""Prices above this have no 8 exact decimals in a float and do not take part in the guess."""
_WEEKLY_NS: Final = 20 * HOUR_NS
_PATTERNS: Final = 200
_WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True, slots=True)
class Gap:
    """A hole: no bar opens after the bar at ``after_ns`` until the one at ``until_ns`` (opens)."""

    after_ns: int
    until_ns: int


@dataclass(frozen=True, slots=True)
class Spike:
    """A bar whose range is ``times`` the median range of the bars around it."""

    open_ns: int
    times: float


@dataclass(slots=True)
class Report:
    """What was found. Instants are UTC ns (in the assumed zone when ``zone_assumed``).

    ``missing`` is how many bars would fill the gaps of under 12 hours. ``breaks`` counts longer
    holes by their weekday pattern. ``flat_runs`` are runs of at least 10 bars without any movement,
    ``flat_longest`` bars the longest one. ``volume`` is ``none``, ``always 0`` or ``present``,
    ``zero_volume`` bars. ``decimals`` and ``tick`` are guessed from the prices. ``chained`` is the
    share of neighbouring bars whose open equals the close before, None without neighbours.
    ``fault`` is why the file cannot be used, None when it can. ``needed`` maps each setting that
    must be set to what is known about it.
    """

    path: str
    symbol: str
    dialect: str
    digest: str
    zone: str
    zone_assumed: bool
    stamp: str
    stamp_assumed: bool
    price: str | None
    has_ask: bool
    interval_ns: int | None
    newest_first: bool
    rows: int = 0
    first_ns: int | None = None
    last_ns: int | None = None
    gaps: int = 0
    missing: int = 0
    largest_gaps: list[Gap] = field(default_factory=list)
    breaks: dict[str, int] = field(default_factory=dict)
    spikes: int = 0
    largest_spikes: list[Spike] = field(default_factory=list)
    flat_runs: int = 0
    flat_longest: int = 0
    volume: str = "none"
    zero_volume: int = 0
    decimals: int | None = None
    tick: float | None = None
    chained: float | None = None
    refused: list[Refused] = field(default_factory=list)
    fault: str | None = None
    regimes: list[evidence.Edge] = field(default_factory=list)
    sessions: list[tuple[str, str, str]] = field(default_factory=list)
    fits: list[evidence.Fit] = field(default_factory=list)
    verdict: str = ""
    stamp_evidence: str = ""
    needed: dict[str, str] = field(default_factory=dict)

    @property
    def is_bad(self) -> bool:
        """Return whether the file cannot be used, or gave rows that are no bars."""
        return self.fault is not None or bool(self.refused)


def inspect(
    path: Path,
    *,
    symbol: str = "",
    zone: str | None = None,
    price: str | None = None,
    stamp: str | None = None,
    interval_ns: int | None = None,
    scale: float = 1.0,
) -> Report:
    """Read a bar file through and report what it is; settings left out are assumed and said.

    Raises:
        FeedError: it is no bar file at all: unreadable, unknown dialect, a column missing.
    """
    head = read_head(path)
    layout = detect(head, "auto")
    sample = sample_stamps(head, layout)
    step = interval_ns or common_step(sample)
    report = Report(
        path=str(path),
        symbol=symbol,
        dialect=layout.dialect,
        digest=content_digest(path),
        zone=zone or "UTC",
        zone_assumed=layout.is_local and zone is None,
        stamp=stamp or layout.stamp or "open",
        stamp_assumed=stamp is None and layout.stamp is None,
        price=price,
        has_ask=layout.ask is not None,
        interval_ns=step,
        newest_first=layout.newest_first,
    )
    spec = BarFileSpec(
        path=path,
        symbol=symbol,
        price="mid",
        interval_ns=step,
        zone=report.zone,
        stamp=stamp,
        scale=scale,
    )
    check(spec)
    problems = [*zone_problems(zone, layout)]
    problems += interval_problems(interval_ns, sample) if interval_ns else []
    source = BarSource(spec, head, layout, step or MINUTE_NS, report.stamp)
    _read(source, report, zone_of_wall=report.zone if layout.is_local else None)
    if problems and report.fault is None:
        report.fault = "; ".join(problems)
    _say_needed(report, layout, head)
    return report


def _read(source: BarSource, report: Report, zone_of_wall: str | None) -> None:
    """Stream the bars through the collectors; a fault ends the reading and is kept."""
    week = evidence.Week()
    survey = Survey(source.interval_ns)
    clock = WallClock(zone_of_wall, source.interval_ns) if zone_of_wall else None
    try:
        for columns in source.batches():
            at = columns.open_ns if clock is None else clock.to_wall(columns.open_ns)
            week.add(at, columns.volume)
            survey.add(columns)
    except FeedError as error:
        report.fault = str(error).removeprefix(f"{report.path}: ")
    report.refused = source.refused
    survey.fill(report)
    found = evidence.fits(week)
    report.regimes = evidence.weekly(week)
    report.sessions = evidence.sessions(week)
    report.fits = found
    report.verdict = evidence.verdict(week, found)
    report.stamp_evidence = evidence.stamp_evidence(week)


def _say_needed(report: Report, layout: Layout, head: Head) -> None:
    if report.zone_assumed:
        report.needed["zone"] = report.verdict
    if report.stamp_assumed:
        report.needed["stamp"] = report.stamp_evidence
    if report.interval_ns is None:
        report.needed["interval"] = "its rows do not tell"
    sides = "bidask: it has both sides" if layout.ask else "bid, ask or mid: no file says which"
    if report.price is None:
        report.needed["price"] = sides
    elif layout.ask and report.price != "bidask":
        report.fault = report.fault or "has bid and ask: set price = 'bidask'"
    elif not layout.ask and report.price == "bidask":
        report.fault = report.fault or "has no ask columns: set price to bid, ask or mid"


class Survey:
    """Counts over a stream of bars, memory flat: gaps, spikes, flat runs, volume, tick, chain."""

    def __init__(self, interval_ns: int) -> None:
        """Begin for bars of this interval."""
        self._interval_ns = interval_ns
        self._report = Report("", "", "", "", "", False, "", False, None, False, None, False)
        self._breaks: Counter[str] = Counter()
        self._previous: tuple[int, float] | None = None
        self._neighbours = 0
        self._chained = 0
        self._flat = 0
        self._gcd = 0
        self._has_volume = False

    def add(self, columns: Columns) -> None:
        """Take the next batch."""
        n = len(columns)
        if n == 0:
            return
        found = self._report
        found.rows += n
        if found.first_ns is None:
            found.first_ns = int(columns.open_ns[0])
        found.last_ns = int(columns.open_ns[-1])
        self._gaps(columns)
        self._spikes(columns)
        self._flats(columns)
        self._volumes(columns.volume)
        self._ticks(columns)
        self._previous = (int(columns.open_ns[-1]), float(columns.close[-1]))

    def fill(self, report: Report) -> None:
        """Write the counts into a report."""
        found = self._report
        self._end_flat(self._flat)
        names = (
            *("rows", "first_ns", "last_ns", "gaps", "missing", "largest_gaps", "spikes"),
            *("largest_spikes", "flat_runs", "flat_longest", "zero_volume", "decimals"),
        )
        for name in names:
            setattr(report, name, getattr(found, name))
        report.breaks = dict(self._breaks.most_common(8))
        if self._has_volume:
            report.volume = "present" if found.zero_volume < found.rows else "always 0"
        if self._neighbours:
            report.chained = self._chained / self._neighbours
        if self._gcd:
            report.tick = self._gcd / 10**_DECIMALS

    def _gaps(self, columns: Columns) -> None:
        at, opens, before = columns.open_ns, columns.open, columns.close[:-1]
        if self._previous is not None:
            at = np.concatenate(([self._previous[0]], at))
            before = np.concatenate(([self._previous[1]], before))
        else:
            opens = opens[1:]
        steps = np.diff(at)
        near = steps == self._interval_ns
        self._neighbours += int(near.sum())
        self._chained += int((near & (np.abs(opens - before) <= 1e-9 * before)).sum())
        places = np.flatnonzero(steps > self._interval_ns)
        found = self._report
        found.gaps += len(places)
        short = steps[places]
        short = short[short < 12 * HOUR_NS]
        found.missing += int((short // self._interval_ns - 1).sum())
        largest = places[np.argsort(-steps[places], kind="stable")[:_LARGEST]]
        gaps = [Gap(int(at[i]), int(at[i + 1])) for i in largest.tolist()]
        ranked = sorted([*found.largest_gaps, *gaps], key=lambda g: g.after_ns - g.until_ns)
        found.largest_gaps = ranked[:_LARGEST]
        for place in np.flatnonzero(steps >= _WEEKLY_NS).tolist():
            text = f"{_weekday(int(at[place]))} -> {_weekday(int(at[place + 1]))}"
            if text in self._breaks or len(self._breaks) < _PATTERNS:
                self._breaks[text] += 1

    def _spikes(self, columns: Columns) -> None:
        ranges = columns.high - columns.low
        moving = ranges[ranges > 0]
        if len(moving) < _ENOUGH:
            return
        times = ranges / float(np.median(moving))
        places = np.flatnonzero(times > _SPIKE)
        found = self._report
        found.spikes += len(places)
        spikes = [Spike(int(columns.open_ns[i]), float(times[i])) for i in places.tolist()]
        ranked = sorted([*found.largest_spikes, *spikes], key=lambda s: -s.times)
        found.largest_spikes = ranked[:_LARGEST]

    def _flats(self, columns: Columns) -> None:
        still = (columns.high == columns.low) & (columns.open == columns.close)
        moved = np.flatnonzero(~still)
        if len(moved) == 0:
            self._flat += len(still)
            return
        self._end_flat(self._flat + int(moved[0]))
        runs = np.diff(moved) - 1
        for run in runs[runs >= _FLAT_RUN].tolist():
            self._end_flat(int(run))
        self._flat = len(still) - int(moved[-1]) - 1

    def _end_flat(self, run: int) -> None:
        if run >= _FLAT_RUN:
            self._report.flat_runs += 1
            self._report.flat_longest = max(self._report.flat_longest, run)

    def _volumes(self, volume: NDArray[np.float64]) -> None:
        self._has_volume |= not bool(np.isnan(volume).all())
        self._report.zero_volume += int((volume == 0).sum())

    def _ticks(self, columns: Columns) -> None:
        prices = np.concatenate((columns.open, columns.high, columns.low, columns.close))
        prices = prices[prices <= _EXACT]
        if len(prices) == 0:
            return
        for decimals in range(_DECIMALS + 1):
            scaled = prices * 10.0**decimals
            if float(np.mean(np.abs(scaled - np.rint(scaled)) < 0.01)) >= 0.999:
                break
        known = self._report.decimals
        self._report.decimals = decimals if known is None else max(known, decimals)
        whole = np.rint(prices * 10.0**decimals).astype(np.int64) * 10 ** (_DECIMALS - decimals)
        self._gcd = int(np.gcd(self._gcd, np.gcd.reduce(whole)))


def _weekday(at_ns: int) -> str:
    minutes = at_ns // MINUTE_NS
    day, minute = divmod(minutes, 1440)
    return f"{_WEEKDAYS[(day + 3) % 7]} {minute // 60:02d}:{minute % 60:02d}"
