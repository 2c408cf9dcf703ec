"""Which bar file feeds which series, for a replay.

An engine's bars come from the coarsest file of its symbol whose interval divides its own. It reads
the settings and opens files; it knows nothing of engines.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from adapters.feeds.columns import Columns
from adapters.feeds.files.blocks import content_digest
from adapters.feeds.files.reach import reach
from adapters.feeds.files.source import BarSource, open_bars
from adapters.feeds.files.spec import BarFileSpec, Refused
from adapters.feeds.merge import SeriesFeed, batch_rows, series_feeds
from adapters.feeds.resample import interval_text
from config.settings import BarsSettings, Settings
from daemon.runtime.instants import Instant, read_instants
from daemon.runtime.lane import Lane
from state.errors import ConfigError, FeedError


@dataclass(slots=True)
class BarFile:
    """One opened file: its source, the series it feeds (intervals in ns), its content's digest."""

    symbol: str
    source: BarSource
    path: Path
    digest: str
    intervals: set[int] = field(default_factory=set)
    readings: list[BarSource] = field(default_factory=list)

    def refused(self) -> list[Refused]:
        """Return the rows that its first reading refused."""
        return self.readings[0].refused if self.readings else []


class BarFiles:
    """All bar files of a replay, and the series that come out of them.

    ``problems`` says which series have none; none where every series must have one.
    """

    def __init__(
        self, settings: Settings, needed: dict[str, set[int]], *, is_whole: bool = True
    ) -> None:
        """Open every file that the needed series (symbol: intervals in ns) read.

        ``is_whole``: every series must have a file.

        Raises:
            ConfigError: a series has no file; all of them at once.
            FeedError: a file leaves something to guess; all of them at once.
        """
        pairs = set(settings.conversion.pairs.values())
        wanted = [one for one in settings.bars if one.symbol in needed or one.symbol in pairs]
        self.unused = [one.symbol for one in settings.bars if one not in wanted]
        self.files = _open_all(settings, wanted)
        self.problems = assign(self.files, needed, pairs)
        if is_whole and self.problems:
            raise ConfigError(self.problems)

    def keys(self) -> set[tuple[str, int]]:
        """Return the series (symbol, interval in ns) that the files feed."""
        return {(one.symbol, interval) for one in self.files for interval in one.intervals}

    def feeds(self) -> list[SeriesFeed]:
        """Open every series for one pass through the history."""
        rows = batch_rows(len(self.keys()))
        found: list[SeriesFeed] = []
        for one in self.files:
            one.readings = []
            found += series_feeds(
                one.symbol, one.source.interval_ns, one.intervals, partial(_batches, one, rows)
            )
        return found

    def instants(self, lanes: list[Lane], after_ns: int) -> Iterator[Instant]:
        """Yield the instants of the history after ``after_ns``."""
        return read_instants(self.feeds(), lanes, after_ns)

    def span(self) -> tuple[int, int]:
        """Return about the first and last stamp of all files, 0 where it cannot be told quickly."""
        spans = [reach(one.source) for one in self.files]
        return min((a for a, _ in spans), default=0), max((b for _, b in spans), default=0)

    def refused(self) -> list[tuple[str, Refused]]:
        """Return (symbol, refused rows) of all files."""
        return [(one.symbol, refused) for one in self.files for refused in one.refused()]


def spec_of(settings: Settings, one: BarsSettings) -> BarFileSpec:
    """Return what is known of a bar file, with the spread that moves its prices to mid."""
    instrument = settings.instrument(one.symbol)
    return BarFileSpec(
        path=one.path,
        symbol=one.symbol,
        price=one.price,
        interval_ns=one.interval_ns,
        dialect=one.dialect,
        zone=one.zone,
        stamp=one.stamp,
        spread=float(instrument.spread_pips * instrument.pip),
    )


def assign(files: list[BarFile], needed: dict[str, set[int]], pairs: set[str]) -> list[str]:
    """Give every needed series (symbol: intervals in ns) its file; say which ones have none.

    A symbol of ``pairs`` (conversion) that nothing trades is read at its finest interval.
    """
    problems = []
    for symbol in sorted(set(needed) | pairs):
        of_symbol = [one for one in files if one.symbol == symbol]
        if not of_symbol:
            problems.append(
                f"no bars for {symbol}: add a [[bars]] table with symbol, path and "
                f"price, or name it on the command line: {symbol}=FILE"
            )
            continue
        finest = min(of_symbol, key=lambda one: one.source.interval_ns)
        for interval_ns in sorted(needed.get(symbol) or {finest.source.interval_ns}):
            problem = _assign(of_symbol, interval_ns)
            if problem:
                problems.append(problem)
    return problems


def _open_all(settings: Settings, wanted: list[BarsSettings]) -> list[BarFile]:
    files, problems = [], []
    for one in wanted:
        try:
            source = open_bars(spec_of(settings, one))
            files.append(BarFile(one.symbol, source, one.path, content_digest(one.path)))
        except FeedError as error:
            problems.append(str(error))
    if problems:
        raise FeedError("\n".join(problems))
    return files


def _assign(files: list[BarFile], interval_ns: int) -> str | None:
    """Let the coarsest fitting file feed this interval, or say why none does."""
    fitting = [one for one in files if interval_ns % one.source.interval_ns == 0]
    if not fitting:
        given = ", ".join(sorted(interval_text(one.source.interval_ns) for one in files))
        return (
            f"{files[0].symbol} needs {interval_text(interval_ns)} bars, but its files have "
            f"{given}: a coarser bar is made of finer ones, never the other way round; give finer "
            f"bars, or set interval of its strategies in a configuration (`foliod init`)"
        )
    max(fitting, key=lambda one: one.source.interval_ns).intervals.add(interval_ns)
    return None


def _batches(file: BarFile, rows: int) -> Iterator[Columns]:
    """Open the file once more, for one series."""
    source = open_bars(file.source.spec)
    file.readings.append(source)
    return source.batches(rows)
