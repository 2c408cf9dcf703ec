"""Evidence of the zone: what a market's week and session say about the clock of a file.

Stamps are read as they are written, as if the file's clock were UTC. An FX week closes Friday
17:00 and opens Sunday 17:00 in New York; an exchange opens at its own hour. Which zone makes the
file say so, in winter and in summer, is evidence; the decision stays the operator's.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from adapters.feeds.files.steps import common_step
from state.units import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS

ENOUGH_ROWS: Final = 300_000
"""Rows looked at when a file is refused for want of a zone: ten months of minutes."""
FX_ZONES: Final = ("UTC", "America/New_York", "Europe/Athens", "Europe/London", "Etc/GMT+5")
"""Zones tried on an FX week; Europe/Athens is the EET of MetaTrader servers, Etc/GMT+5 EST."""
REGIMES: Final = ("winter", "US summer only", "summer")
_EXCHANGES: Final = (
    ("US equities 09:30", "America/New_York", 570),
    ("NSE 09:15", "Asia/Kolkata", 555),
    ("London 08:00", "Europe/London", 480),
    ("Frankfurt 09:00", "Europe/Berlin", 540),
    ("Tokyo 09:00", "Asia/Tokyo", 540),
)
_WEEK_GAP_NS: Final = 20 * HOUR_NS
_PAUSE_NS: Final = 3 * HOUR_NS
_KEPT: Final = 5000
_PRESENT: Final = 0.9
_JUMP: Final = 3.0
_GOOD: Final = 0.6
_WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NEW_YORK: Final = "America/New_York"


@dataclass(frozen=True, slots=True)
class Fit:
    """How well a zone explains the file: ``hits`` of ``asked`` week ends or session opens."""

    zone: str
    market: str
    hits: int
    asked: int


@dataclass(frozen=True, slots=True)
class Edge:
    """The usual last and first stamp around the weekly close, in one DST regime."""

    regime: str
    weeks: int
    closes: str
    opens: str


@dataclass(slots=True)
class Week:
    """Collects, batch by batch, the weekly closes and the minutes of the day that have bars.

    ``edges`` are pairs (last stamp before, first stamp after) of breaks of 20 hours and more,
    ``pauses`` those of 3 to 20 hours; ns in the file's clock. At most 5000 of each are kept.
    """

    edges: list[tuple[int, int]] = field(default_factory=list)
    pauses: list[tuple[int, int]] = field(default_factory=list)
    step_ns: int | None = None
    first: int | None = None
    last: int | None = None
    present: NDArray[np.int64] = field(default_factory=lambda: np.zeros((3, 1440), np.int64))
    volume: NDArray[np.float64] = field(default_factory=lambda: np.zeros((3, 1440)))
    days: list[int] = field(default_factory=lambda: [0, 0, 0])
    sample_day: list[int | None] = field(default_factory=lambda: [None, None, None])

    def add(self, at: NDArray[np.int64], volume: NDArray[np.float64] | None = None) -> None:
        """Take the next stamps (n,) int64, oldest first, and their volumes where there are any."""
        if len(at) == 0:
            return
        if self.step_ns is None:
            self.step_ns = common_step(at)
        if self.first is None:
            self.first = int(at[0])
        chain = at if self.last is None else np.concatenate(([self.last], at))
        steps = np.diff(chain)
        for place in np.flatnonzero(steps >= _PAUSE_NS).tolist():
            kept = self.edges if steps[place] >= _WEEK_GAP_NS else self.pauses
            if len(kept) < _KEPT:
                kept.append((int(chain[place]), int(chain[place + 1])))
        self._count_minutes(at, volume)
        self.last = int(at[-1])

    def _count_minutes(self, at: NDArray[np.int64], volume: NDArray[np.float64] | None) -> None:
        days = at // DAY_NS
        known = -1 if self.last is None else self.last // DAY_NS
        for day in np.unique(days).tolist():
            of_day = days == day
            regime = _regime(int(day) * DAY_NS)
            minutes = (at[of_day] % DAY_NS) // MINUTE_NS
            np.add.at(self.present[regime], minutes, 1)
            if volume is not None:
                np.add.at(self.volume[regime], minutes, np.nan_to_num(volume[of_day]))
            if day != known:
                self.days[regime] += 1
            if self.sample_day[regime] is None:
                self.sample_day[regime] = int(day)


def fits(week: Week) -> list[Fit]:
    """Return how well each zone explains the file, best first; empty when nothing can be said."""
    found = _week_fits(week) if _is_fx_week(week) else []
    return sorted(found or _session_fits(week), key=lambda fit: -fit.hits)


def best(found: list[Fit]) -> list[Fit]:
    """Return the fits that may be called one: at least 60 % of the cases, and none much better."""
    top = max((fit.hits for fit in found), default=0)
    return [f for f in found if f.hits >= 0.95 * top and f.asked and f.hits >= _GOOD * f.asked]


def weekly(week: Week) -> list[Edge]:
    """Return the usual weekly close and open of each DST regime, in the file's clock."""
    by_regime: dict[int, list[tuple[int, int]]] = {}
    for edge in week.edges if _is_fx_week(week) else []:
        if _weekday(edge[0]) in (3, 4, 5) and _weekday(edge[1]) in (6, 0):
            by_regime.setdefault(_regime(edge[1]), []).append(edge)
    return [
        Edge(
            REGIMES[regime],
            len(edges),
            _usual([_clock_text(edge[0]) for edge in edges]),
            _usual([_clock_text(edge[1]) for edge in edges]),
        )
        for regime, edges in sorted(by_regime.items())
    ]


def sessions(week: Week) -> list[tuple[str, str, str]]:
    """Return (regime, first, last) minute of the day that nine days of ten have, HH:MM."""
    found: list[tuple[str, str, str]] = []
    for regime, days in enumerate(week.days):
        minutes = np.flatnonzero(
            week.present[regime] >= max(1.0, _PRESENT * days * _weekdays(week))
        )
        if days and len(minutes):
            first, last = int(minutes[0]), int(minutes[-1])
            found.append((REGIMES[regime], _minute_text(first), _minute_text(last)))
    return found


def told(week: Week) -> list[str]:
    """Return the evidence in lines of at most 78 characters."""
    lines = [
        f"{edge.regime} ({edge.weeks} weeks): last row {edge.closes}, first row {edge.opens}"
        for edge in weekly(week)
    ]
    if not lines:
        lines += [
            f"{regime}: rows from {first} to {last} on most days"
            for regime, first, last in sessions(week)
        ]
    found = fits(week)
    lines += [f"{fit.market} fits {fit.zone}: {fit.hits} of {fit.asked}" for fit in found[:6]]
    return [*lines, verdict(week, found)]


def verdict(week: Week, found: list[Fit]) -> str:
    """Say in one line what the evidence comes to."""
    likely = [fit.zone for fit in best(found)]
    if len(likely) == 1:
        return f"likely zone: {likely[0]}"
    if likely:
        return f"cannot tell apart: {', '.join(likely)} (too short, or no DST change inside)"
    if week.first is not None and week.last is not None and not week.edges:
        days = (week.last - week.first) // DAY_NS
        if days >= 9:
            return f"no weekly close in {days} days: a 24/7 market says nothing about its zone"
    return "cannot tell: no known week or session fits; ask where the file came from"


def stamp_evidence(week: Week) -> str:
    """Say whether stamps look like bar opens or closes: ``open``, ``close`` or why neither.

    Before a weekly close the last open is one interval before the hour, the last close on it.
    """
    step = week.step_ns
    half = 30 * MINUTE_NS
    breaks = [*week.edges, *week.pauses]
    if step is None or step >= half or not breaks:
        return "cannot tell (needs bars under 30m and a market that closes)"
    opens = sum(1 for last, first in breaks if (last + step) % half == 0 == first % half)
    closes = sum(1 for last, first in breaks if last % half == 0 and (first - step) % half == 0)
    if max(opens, closes) < _GOOD * len(breaks) or opens == closes:
        return f"cannot tell ({opens} of {len(breaks)} breaks speak for open, {closes} for close)"
    name, votes = ("open", opens) if opens > closes else ("close", closes)
    return f"{name} ({votes} of {len(breaks)} breaks of the market)"


def _is_fx_week(week: Week) -> bool:
    """Say whether most long breaks are one a week, so that the days between are round the clock."""
    if week.first is None or week.last is None or not week.edges:
        return False
    if len(week.pauses) > 1.5 * len(week.edges):
        return False
    return len(week.edges) <= 1.6 * ((week.last - week.first) / (7 * DAY_NS) + 1)


def _week_fits(week: Week) -> list[Fit]:
    step = week.step_ns
    if step is None or step > HOUR_NS:
        return []
    edges = [e for e in week.edges if _weekday(e[0]) in (3, 4, 5) and _weekday(e[1]) in (6, 0)]
    found: list[Fit] = []
    for name in FX_ZONES:
        hits = 0
        for last, first in edges:
            hits += _is_at(last + step, name, 4, 1000, 1025)
            hits += _is_at(first, name, 6, 1015, 1050)
        found.append(Fit(name, "FX week", hits, 2 * len(edges)))
    return [fit for fit in found if fit.hits] if edges else []


def _is_at(wall_ns: int, zone: str, weekday: int, low: int, high: int) -> bool:
    """Say whether a wall time of ``zone`` is this New York weekday between two minutes of it."""
    there = _moment(wall_ns).replace(tzinfo=ZoneInfo(zone)).astimezone(ZoneInfo(_NEW_YORK))
    return there.weekday() == weekday and low <= there.hour * 60 + there.minute <= high


def _session_fits(week: Week) -> list[Fit]:
    step = week.step_ns
    if step is None or step > HOUR_NS or step < MINUTE_NS:
        return []
    found: list[Fit] = []
    regimes = [regime for regime in range(3) if week.days[regime]]
    for market, home, opens in _EXCHANGES:
        for zone in (home, "UTC"):
            hits = sum(_opens_at(week, regime, home, zone, opens) for regime in regimes)
            if hits:
                found.append(Fit(zone, market, hits, len(regimes)))
    return found


def _opens_at(week: Week, regime: int, home: str, zone: str, opens: int) -> bool:
    """Say whether bars (or volume) set in at a session's open, seen on the clock of ``zone``."""
    day = week.sample_day[regime]
    assert day is not None and week.step_ns is not None
    start = _moment(day * DAY_NS).replace(hour=opens // 60, minute=opens % 60)
    there = start.replace(tzinfo=ZoneInfo(home)).astimezone(ZoneInfo(zone))
    step = week.step_ns // MINUTE_NS
    minute = (there.hour * 60 + there.minute) // step * step
    weight = week.volume[regime] if week.volume[regime].any() else week.present[regime]
    before = [weight[(minute - step * i) % 1440] for i in range(1, 6)]
    enough = week.present[regime][minute] >= _GOOD * week.days[regime]
    return bool(enough and weight[minute] > _JUMP * (sum(before) / len(before)))


def _weekdays(week: Week) -> float:
    """Return the share of days that are whole trading days: less where there is a Sunday open."""
    return 5 / 6 if _is_fx_week(week) and week.edges else 1.0


def _regime(at_ns: int) -> int:
    second = at_ns // SECOND_NS
    us = datetime.fromtimestamp(second, ZoneInfo(_NEW_YORK)).dst()
    eu = datetime.fromtimestamp(second, ZoneInfo("Europe/Berlin")).dst()
    return 2 if us and eu else 1 if us else 0


def _moment(at_ns: int) -> datetime:
    return _EPOCH + timedelta(microseconds=at_ns // 1000)


def _weekday(at_ns: int) -> int:
    return (at_ns // DAY_NS + 3) % 7


def _clock_text(at_ns: int) -> str:
    return f"{_WEEKDAYS[_weekday(at_ns)]} {_moment(at_ns):%H:%M}"


def _minute_text(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


def _usual(texts: list[str]) -> str:
    text, count = Counter(texts).most_common(1)[0]
    return text if count == len(texts) else f"{text} ({count} of {len(texts)})"
