"""Bars from a file: the way from rows to validated mid-priced columns, memory flat.

Everything that would need a guess is refused when the file is opened, before the first bar.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from adapters.feeds.columns import Columns
from adapters.feeds.files import evidence, parquet, rows
from adapters.feeds.files.blocks import Head, read_head
from adapters.feeds.files.checks import middle, refuse_impossible
from adapters.feeds.files.detect import detect
from adapters.feeds.files.layout import Layout
from adapters.feeds.files.rows import Floats, Quad, RawRows
from adapters.feeds.files.spec import (
    DUPLICATE,
    UNREADABLE_TIME,
    BarFileSpec,
    Refused,
    Tally,
    check,
)
from adapters.feeds.files.steps import common_step, duration_text
from adapters.feeds.files.zones import GAP, WallClock
from state.errors import FeedError
from state.units import utc_text

_SAMPLE: Final = 4096
_SCALED_DECIMALS: Final = 8
"""Decimals kept after dividing by a scale: takes the noise of the division away."""


class BarSource:
    """One bar file, opened: what is in force for it, its bars, and the rows it refused.

    ``dialect`` is the one detected; ``zone`` the one in force (``UTC`` when the stamps say it
    themselves); ``stamp`` is ``open`` or ``close``; ``interval_ns`` the bars' length; ``layout``
    where the columns are; ``head`` its first lines.
    """

    def __init__(
        self, spec: BarFileSpec, head: Head, layout: Layout, interval_ns: int, stamp: str
    ) -> None:
        """Take what ``open_bars`` has settled; use that function."""
        self.spec = spec
        self.layout = layout
        self.dialect = layout.dialect
        self.zone = (spec.zone or "UTC") if layout.is_local else "UTC"
        self.interval_ns = interval_ns
        self.stamp = stamp
        self.head = head
        self._tally = Tally()
        self._noun = "row" if head.is_parquet else "line"
        self._last: int | None = None

    @property
    def refused(self) -> list[Refused]:
        """Return the rows refused so far by the latest reading, one item per reason."""
        return self._tally.listed()

    def batches(self, rows: int = 65_536) -> Iterator[Columns]:
        """Read the file from its beginning; yield batches of at most ``rows`` bars, oldest first.

        Opens are strictly increasing over the whole file. ``refused`` starts anew.

        Raises:
            FeedError: the file goes back in time, is damaged, or holds no bar at all.
        """
        self._tally.clear()
        self._last = None
        clock = WallClock(self.zone, self.interval_ns) if self.layout.is_local else None
        for raw in self._raw(rows):
            columns = self._columns(raw, clock)
            for start in range(0, len(columns), rows):
                yield columns if len(columns) <= rows else _cut(columns, start, start + rows)
        if self._last is None:
            first = "; ".join(f"{r.reason} {r.count}: {r.first}" for r in self.refused)
            raise FeedError(f"{self.spec.path}: none of its rows is a bar. {first}")

    def _raw(self, batch: int) -> Iterator[RawRows]:
        if self.head.is_parquet:
            return parquet.read_rows(self.spec.path, self.layout, self._tally, batch)
        return rows.read_rows(self.head, self.layout, self._tally)

    def _columns(self, raw: RawRows, clock: WallClock | None) -> Columns:
        raw = self._instants(raw, clock)
        raw = self._sound(raw, raw.first, "")
        if raw.ask is not None:
            raw = self._sound(raw, raw.ask, "ask_")
        mid = self._mid(raw)
        kept = self._sound(RawRows(raw.lines, raw.stamps, mid, None, raw.volume), mid, "mid_")
        kept = self._in_order(kept)
        return Columns(
            np.ascontiguousarray(kept.stamps),
            np.ascontiguousarray(kept.first[0]),
            np.ascontiguousarray(kept.first[1]),
            np.ascontiguousarray(kept.first[2]),
            np.ascontiguousarray(kept.first[3]),
            np.ascontiguousarray(kept.volume),
        )

    def _instants(self, raw: RawRows, clock: WallClock | None) -> RawRows:
        """Turn the file's stamps into UTC opens; refuse what a zone has no instant for."""
        at, bad = raw.stamps, dict[int, str]()
        if clock is not None:
            at, bad = clock.to_utc(at)
        if self.stamp == "close":
            at = at - self.interval_ns
        shifted = RawRows(raw.lines, at, raw.first, raw.ask, raw.volume)
        if not bad:
            return shifted
        for place, kind in bad.items():
            wall = utc_text(int(raw.stamps[place])).removesuffix("Z")
            why = (
                "does not exist (the clock skips it)"
                if kind == GAP
                else "exists twice and the order of rows does not tell which it is"
            )
            self._tally.add(
                UNREADABLE_TIME,
                f"{self._noun} {int(raw.lines[place])}: {wall} in {self.zone} {why}",
            )
        keep = np.ones(len(at), np.bool_)
        keep[list(bad)] = False
        return shifted.take(keep)

    def _sound(self, raw: RawRows, side: Quad, name: str) -> RawRows:
        keep = refuse_impossible(raw, side, name, self._noun, self._tally)
        return raw if keep is None else raw.take(keep)

    def _mid(self, raw: RawRows) -> Quad:
        spec = self.spec
        quad = raw.first if spec.scale == 1 else _scaled(raw.first, spec.scale)
        if spec.price == "bidask" and raw.ask is not None:
            ask = raw.ask if spec.scale == 1 else _scaled(raw.ask, spec.scale)
            with np.errstate(over="ignore"):
                return (
                    middle(quad[0], ask[0]),
                    middle(quad[1], ask[1]),
                    middle(quad[2], ask[2]),
                    middle(quad[3], ask[3]),
                )
        half = (spec.spread or 0.0) / 2
        if spec.price == "mid" or half == 0:
            return quad
        shift = half if spec.price == "bid" else -half
        return quad[0] + shift, quad[1] + shift, quad[2] + shift, quad[3] + shift

    def _in_order(self, raw: RawRows) -> RawRows:
        """Refuse repeated stamps; refuse the file when a stamp is older than the one before."""
        at = raw.stamps
        if len(at) == 0:
            return raw
        before = np.empty_like(at)
        before[1:] = at[:-1]
        before[0] = int(at[0]) - 1 if self._last is None else self._last
        keep = at > before
        self._last = int(at[-1])
        if bool(keep.all()):
            return raw
        back = np.flatnonzero(at < before)
        if len(back):
            self._goes_back(int(raw.lines[back[0]]), int(at[back[0]]), int(before[back[0]]))
        again = np.flatnonzero(at == before)
        self._tally.add(
            DUPLICATE,
            f"{self._noun} {int(raw.lines[again[0]])}: a second row for"
            f" {utc_text(int(at[again[0]]))}; the first one read is kept",
            len(again),
        )
        return raw.take(keep)

    def _goes_back(self, line: int, at: int, before: int) -> None:
        backwards = " (it is read newest first)" if self.layout.newest_first else ""
        raise FeedError(
            f"{self.spec.path}: {self._noun} {line} goes back in time{backwards}: a bar opening"
            f" {utc_text(at)} after one opening {utc_text(before)}. Sort the file by time, and keep"
            " one symbol per file"
        )


def open_bars(spec: BarFileSpec) -> BarSource:
    """Open a bar file: detect its dialect and settle zone, side, stamping and interval.

    Raises:
        FeedError: the settings, the file, or the two together leave something to guess; every
            problem at once, each with the setting to set and the evidence there is.
    """
    check(spec)
    head = read_head(spec.path)
    layout = detect(head, spec.dialect)
    sample = sample_stamps(head, layout)
    problems = [*_time_problems(spec, layout, head), *_side_problems(spec, layout)]
    interval_ns = spec.interval_ns or common_step(sample)
    if interval_ns is None:
        problems.append("its first rows do not tell the interval; set interval, such as '1m'")
    elif spec.interval_ns is not None:
        problems += interval_problems(spec.interval_ns, sample)
    if problems or interval_ns is None:
        raise FeedError("\n".join(f"{spec.path}: {problem}" for problem in problems))
    return BarSource(spec, head, layout, interval_ns, spec.stamp or layout.stamp or "open")


def sample_stamps(head: Head, layout: Layout) -> NDArray[np.int64]:
    """Return the readable stamps of the first rows, (n,) int64, as the file orders them."""
    if head.is_parquet:
        batch = next(parquet.read_rows(head.path, layout, Tally(), _SAMPLE), None)
        return np.empty(0, np.int64) if batch is None else batch.stamps
    found: list[int] = []
    for line in head.lines[layout.header_lines :]:
        row = line.split(layout.delimiter)
        at = layout.read_stamp([field.strip('"') for field in row]) if _fits(row, layout) else None
        if at is not None:
            found.append(at)
    return np.array(found, np.int64)


def raw_stamps(head: Head, layout: Layout, limit: int) -> Iterator[NDArray[np.int64]]:
    """Yield the stamps of about the first ``limit`` rows as the file writes them, oldest first."""
    tally = Tally()
    done = 0
    stream = (
        parquet.read_rows(head.path, layout, tally)
        if head.is_parquet
        else rows.read_rows(head, layout, tally)
    )
    for raw in stream:
        yield raw.stamps
        done += len(raw.stamps)
        if done >= limit:
            return


def _fits(row: list[str], layout: Layout) -> bool:
    return len(row) > max(layout.time)


def _time_problems(spec: BarFileSpec, layout: Layout, head: Head) -> list[str]:
    problems: list[str] = []
    if layout.is_local and spec.zone is None:
        week = evidence.Week()
        for at in raw_stamps(head, layout, evidence.ENOUGH_ROWS):
            week.add(at)
        told = "\n".join(f"  {line}" for line in evidence.told(week))
        problems.append(
            f"stamps of {layout.dialect} carry no offset and no zone is set; set zone to the IANA"
            f" zone the file was written in. Evidence:\n{told}"
        )
    problems += zone_problems(spec.zone, layout)
    if layout.stamp is None and spec.stamp is None:
        problems.append(
            f"{layout.dialect} does not say whether rows are stamped with their open or close;"
            " set stamp = 'open' or 'close'"
        )
    return problems


def zone_problems(zone: str | None, layout: Layout) -> list[str]:
    """Return what is wrong with a zone that is set for stamps that need none."""
    if layout.is_local or zone in (None, "UTC", "Etc/UTC"):
        return []
    return [
        f"zone = {zone!r} is set, but the stamps are instants already (offset or epoch); remove"
        " zone"
    ]


def _side_problems(spec: BarFileSpec, layout: Layout) -> list[str]:
    if layout.ask is not None and spec.price != "bidask":
        return [
            f"price = {spec.price!r}, but the file has bid and ask (ask_open..ask_close); set"
            " price = 'bidask'"
        ]
    if layout.ask is None and spec.price == "bidask":
        return [
            "price = 'bidask', but the file has no columns ask_open..ask_close; set price to the"
            " side it has: bid, ask or mid"
        ]
    return []


def interval_problems(interval_ns: int, sample: NDArray[np.int64]) -> list[str]:
    """Return what is wrong with an interval, given the first stamps (n,) int64 of the file."""
    step = common_step(sample)
    if step is None or step == interval_ns:
        return []
    smallest = int(np.abs(np.diff(sample))[np.diff(sample) != 0].min())
    if step < interval_ns or smallest > interval_ns:
        return [
            f"interval = {duration_text(interval_ns)!r}, but its first rows are"
            f" {duration_text(step)} apart; set interval = {duration_text(step)!r} (coarser bars"
            " are made from finer ones)"
        ]
    return []


def _scaled(quad: Quad, scale: float) -> Quad:
    def one(prices: Floats) -> Floats:
        divided: Floats = np.round(prices / scale, _SCALED_DECIMALS)
        return divided

    return one(quad[0]), one(quad[1]), one(quad[2]), one(quad[3])


def _cut(columns: Columns, start: int, end: int) -> Columns:
    part = slice(start, end)
    return Columns(
        columns.open_ns[part],
        columns.open[part],
        columns.high[part],
        columns.low[part],
        columns.close[part],
        columns.volume[part],
    )
