"""The checks before a run: everything that a replay needs, looked at, all findings at once.

The runner behind ``foliod check``. It creates missing folders and changes nothing else; it reads of
each bar file the beginning only.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from adapters.brokers.access import PaperAccess
from adapters.feeds.files.reach import reach
from adapters.feeds.files.source import BarSource, open_bars
from adapters.feeds.resample import interval_text
from adapters.kill_file import FILE
from adapters.news import read_events
from adapters.ports import BrokerAccess
from config.fingerprint import fingerprint
from config.secrets import Secrets
from config.settings import BarsSettings, Settings
from config.settings_strategies import StrategySettings
from daemon.feed_checks import feed_endpoints, feed_findings, feed_secrets, usable_parts
from daemon.feed_wiring import FeedParts
from daemon.runtime import machine, run_index, surroundings
from daemon.runtime.bar_files import BarFile, assign, spec_of
from daemon.runtime.home import check_home
from daemon.runtime.machine import Finding
from daemon.runtime.run_folder import DATABASE
from daemon.runtime.surroundings import Endpoint
from daemon.wiring import build, endpoints, engine_of, holidays_of, intervals_of, secrets_of
from state.errors import ConfigError, FoliodError, JournalError
from state.instruments import Grid
from state.journal import last_seq
from state.lock import holder, is_held
from state.soundness import BACKUPS, backups
from state.units import DAY_NS, EPOCH_ORDINAL, MINUTE_NS, day_text, utc_text

HORIZON_DAYS: Final = 60
"""A calendar that ends within so many days is warned of."""
NEWS_GAP_NS: Final = 7 * DAY_NS
"""A news file that ends so long before the bars is warned of."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What is checked: settings, where they came from, where runs go, and the present instant.

    ``folder`` is that of the configuration: relative strategy files are there. ``environ`` may hold
    secrets. ``online``: endpoints are reached for. ``access`` is the broker's; ``endpoints`` are
    feeds to be reached beside the notifications' own.
    """

    settings: Settings
    files: tuple[Path, ...]
    data_dir: Path
    now_ns: int
    environ: Mapping[str, str] = field(default_factory=dict)
    online: bool = False
    access: BrokerAccess = field(default_factory=PaperAccess)
    endpoints: tuple[Endpoint, ...] = ()

    @property
    def folder(self) -> Path:
        """The folder of the last configuration file."""
        return self.files[-1].parent

    @property
    def today(self) -> int:
        """The present day (UTC) as an ordinal."""
        return self.now_ns // DAY_NS + EPOCH_ORDINAL


@dataclass(slots=True)
class _Bars:
    """Opened bar files; ``absent`` are symbols with a file that is missing or unusable."""

    files: list[BarFile] = field(default_factory=list)
    absent: set[str] = field(default_factory=set)
    end_ns: int = 0


def check(ground: Ground) -> list[Finding]:
    """Check everything that hangs on the configuration."""
    bars = _Bars()
    known = secrets_of(ground.settings, ground.environ)
    parts = usable_parts(ground.settings, known, ground.environ)
    found = [*_configuration(ground), *_folders(ground), *_surroundings(ground, known, parts)]
    found += feed_findings(ground.settings, parts, ground.now_ns)
    found += _files(ground, bars)
    found += _series(ground, bars)
    found += _calendars(ground, bars)
    found += _strategies(ground, found)
    found += _news(ground, bars)
    if not any(one.level == "fail" for one in found):
        found += _wiring(ground, bars)
    return [*found, *_home(ground), *_newest_run(ground)]


def _fail(what: str, problem: FoliodError | str, remedy: str) -> Finding:
    return Finding("fail", what, "; ".join(str(problem).splitlines()), remedy)


def _configuration(ground: Ground) -> Iterator[Finding]:
    portfolio = ground.settings.portfolio
    named = ", ".join(map(str, ground.files))
    hash_text = fingerprint(ground.settings)
    yield Finding("ok", "configuration", f"{named}: portfolio {portfolio.id}, hash {hash_text}")
    if portfolio.mode == "live":
        found = 'portfolio.mode is "live", and this version has no live mode: it trades on paper'
        yield _fail("mode", found, 'set portfolio.mode = "paper"')
    else:
        yield Finding("ok", "mode", "paper: nothing is sent to a broker")


def _folders(ground: Ground) -> Iterator[Finding]:
    folders = {
        "data": ground.data_dir,
        "runs": ground.data_dir / run_index.RUNS,
        "control": ground.settings.control.dir,
    }
    found = [machine.folder(name, path) for name, path in folders.items()]
    yield from found
    if found[0].level != "fail":
        yield machine.disk(ground.data_dir, shutil.disk_usage(ground.data_dir).free)


def _surroundings(
    ground: Ground, known: Secrets, parts: FeedParts | ConfigError | None
) -> Iterator[Finding]:
    settings = ground.settings
    yield surroundings.hours(settings.check, ground.now_ns)
    yield surroundings.kill_file(settings.control.dir / FILE)
    yield surroundings.broker(ground.access)
    names = (*settings.notify.secret_names(), *feed_secrets(settings))
    yield from surroundings.secrets(known, names, settings.keys.dir)
    yield from _notifications(ground, known)
    if ground.online:
        notify = surroundings.notify_endpoints(known, settings.notify)
        yield from surroundings.online([*feed_endpoints(parts), *ground.endpoints, *notify])


def _notifications(ground: Ground, known: Secrets) -> Iterator[Finding]:
    """Make the notifications, as the daemon would; a missing secret has its own line already."""
    names = ground.settings.notify.secret_names()
    if not names:
        yield Finding("ok", "notifications", "none: [notify] names no endpoint")
    elif not any(known.fact(name).problem for name in names):
        try:
            endpoints(ground.settings, ground.environ)
        except ConfigError as problem:
            remedy = "put the right address there; docs/how-to/notifications.md shows how"
            yield _fail("notifications", problem, remedy)
        else:
            yield Finding("ok", "notifications", f"{len(names)} endpoints; `foliod notify test`")


# Bars ---------------------------------------------------------------------------------------------


def _absent(ground: Ground, what: str, path: Path) -> Finding:
    """Say that a bar file is not there: a start on a live feed refuses to warm up without it."""
    said, settings = f"{path} is not there yet", ground.settings
    home = ground.data_dir / settings.portfolio.id
    if settings.feed.is_live and settings.feed.warm_up_bars and not (home / DATABASE).exists():
        remedy = (
            "put it there, or take its [[bars]] table away: a new portfolio is warmed up with the"
            " files that are configured, then with the history of its source"
        )
        return _fail(what, said, remedy)
    remedy = "put it there before `foliod replay`; `foliod bars FILE` says what a file is"
    return Finding("warn", what, said, remedy)


def _files(ground: Ground, bars: _Bars) -> Iterator[Finding]:
    needed = intervals_of(ground.settings)
    pairs = set(ground.settings.conversion.pairs.values())
    for one in ground.settings.bars:
        what = f"bars {one.symbol}"
        if not one.path.exists():
            bars.absent.add(one.symbol)
            yield _absent(ground, what, one.path)
            continue
        try:
            source = open_bars(spec_of(ground.settings, one))
        except FoliodError as problem:
            bars.absent.add(one.symbol)
            remedy = f"`foliod bars {one.path}` shows what the file is and what to set"
            yield _fail(what, problem, remedy)
            continue
        bars.files.append(BarFile(one.symbol, source, one.path, ""))
        yield _file(what, one, source, bars)
        if one.symbol not in needed and one.symbol not in pairs:
            remedy = "name the symbol in a strategy, or remove its [[bars]]"
            yield Finding("warn", what, f"nothing uses {one.path}", remedy)


def _file(what: str, one: BarsSettings, source: BarSource, bars: _Bars) -> Finding:
    first_ns, last_ns = reach(source)
    bars.end_ns = max(bars.end_ns, last_ns)
    span = f"from about {_minute(first_ns)} to {_minute(last_ns)}" if last_ns else "span unknown"
    interval = interval_text(source.interval_ns)
    stamp = f"stamped at {source.stamp} in {source.zone}"
    return Finding("ok", what, f"{one.path}: {source.dialect}, {interval}, {stamp}, {span}")


def _minute(at_ns: int) -> str:
    return utc_text(at_ns // MINUTE_NS * MINUTE_NS)


def _series(ground: Ground, bars: _Bars) -> Iterator[Finding]:
    """Say which series have no file, besides those whose file was told of already."""
    needed = {
        symbol: intervals
        for symbol, intervals in intervals_of(ground.settings).items()
        if symbol not in bars.absent
    }
    pairs = set(ground.settings.conversion.pairs.values()) - bars.absent
    problems = assign(bars.files, needed, pairs)
    if not ground.settings.feed.is_live:
        for problem in problems:
            yield _fail("series", problem, "see docs/how-to/bar-files.md")
    elif bars.files and problems:
        found = f"some series have no file: {'; '.join(map(str, problems))}"
        remedy = "give every series a file, unless the source's history has enough of it"
        yield Finding("warn", "warm-up", found, remedy)


# Calendars, strategies, news ----------------------------------------------------------------------


def _calendars(ground: Ground, bars: _Bars) -> Iterator[Finding]:
    settings = ground.settings
    names = {settings.instrument(symbol).calendar for symbol in settings.symbols()}
    bars_end = bars.end_ns // DAY_NS + EPOCH_ORDINAL
    for name in sorted(name for name in names if name is not None):
        what = f"calendar {name}"
        try:
            holidays = holidays_of(name, settings.portfolio.data_dir)
        except FoliodError as problem:
            remedy = "correct instruments.SYMBOL.calendar, or set it to false"
            yield _fail(what, problem, remedy)
            continue
        found = f"knows {day_text(holidays.first)} to {day_text(holidays.last)}"
        remedy = "update pandas-market-calendars: after its end the windows stay shut"
        if holidays.last < bars_end:
            yield Finding("warn", what, f"{found}, the bars go to {day_text(bars_end)}", remedy)
        elif holidays.last < ground.today + HORIZON_DAYS:
            yield Finding("warn", what, f"{found}: it ends within {HORIZON_DAYS} days", remedy)
        else:
            yield Finding("ok", what, found)


def _strategies(ground: Ground, told: list[Finding]) -> Iterator[Finding]:
    """Make every engine, as a run would; what a calendar's own line says is not said again."""
    known = {one.found for one in told}
    for strategy in ground.settings.strategies:
        what = f"strategy {strategy.name}"
        if not strategy.enabled:
            yield Finding("ok", what, "not enabled")
            continue
        sets, problems = _engines(ground, strategy)
        for problem in problems:
            if problem not in known:
                yield _fail(what, problem, f"correct [[strategies]] {strategy.name}")
        if not problems:
            symbols = ", ".join(strategy.symbols)
            found = f"{strategy.kind} on {symbols} {strategy.interval}, parameters {sets}"
            yield Finding("ok", what, found)


def _engines(ground: Ground, strategy: StrategySettings) -> tuple[str, list[str]]:
    """Return the names of the parameter sets, and what keeps the engines from being made."""
    sets: dict[str, None] = {}
    problems: dict[str, None] = {}
    for symbol in strategy.symbols:
        grid = Grid(ground.settings.instrument(symbol))
        try:
            _, facts = engine_of(ground.settings, strategy, symbol, grid, ground.folder)
        except FoliodError as problem:
            problems["; ".join(str(problem).splitlines())] = None
        else:
            sets[facts.params_set] = None
    return ", ".join(sets), list(problems)


def _news(ground: Ground, bars: _Bars) -> Iterator[Finding]:
    path = ground.settings.news.file
    if path is None:
        yield Finding("ok", "news", "no file: the news guard is off")
        return
    try:
        events = read_events(path)
    except FoliodError as problem:
        remedy = "correct the file, or take news.file out: a half-read file is no guard"
        yield _fail("news", problem, remedy)
        return
    last_ns = events[-1].at_ns if events else 0
    found = f"{path}: {len(events)} events" + (f", the last at {utc_text(last_ns)}" * bool(events))
    if last_ns + NEWS_GAP_NS < bars.end_ns:
        remedy = "add later events: after the last one the guard knows of none"
        yield Finding("warn", "news", f"{found}; the bars go on to {_minute(bars.end_ns)}", remedy)
    else:
        yield Finding("ok", "news", found)


def _wiring(ground: Ground, bars: _Bars) -> Iterator[Finding]:
    """Put the portfolio together as a run would; a missing file's series count as there."""
    keys = {(one.symbol, interval) for one in bars.files for interval in one.intervals}
    needed = intervals_of(ground.settings).items()
    keys |= {(symbol, interval) for symbol, intervals in needed for interval in intervals}
    fed = {symbol for symbol, _ in keys}
    pairs = ground.settings.conversion.pairs.values()
    keys |= {(symbol, MINUTE_NS) for symbol in pairs if symbol not in fed}
    try:
        core = build(ground.settings, keys, ground.folder)
    except FoliodError as problem:
        yield _fail("portfolio", problem, "correct the configuration")
        return
    found = f"{len(core.engines)} engines on {len(core.market.series)} series"
    if core.engines:
        yield Finding("ok", "portfolio", found)
    else:
        yield _fail("portfolio", "no strategy is enabled", "set enabled = true in one")


# The daemon's database, and the newest run -------------------------------------------------------


def _home(ground: Ground) -> Iterator[Finding]:
    """Look at the folder of the portfolio's daemon as its next start will."""
    home = ground.data_dir / ground.settings.portfolio.id
    if home.is_dir() and is_held(home):
        yield Finding("ok", "database", f"held by {holder(home)}")
        return
    try:
        if home.is_dir():
            check_home(home)
    except JournalError as problem:
        found, *remedy = str(problem).splitlines()
        yield _fail("database", found, "; ".join(remedy) or "docs/operating/recovery.md")
        return
    finding = surroundings.database(home / DATABASE)
    if finding.level == "ok" and home.is_dir():
        kept = backups(home / BACKUPS)
        newest = f"the newest backup is {kept[-1].name}" if kept else "no backup yet"
        finding = Finding("ok", finding.what, f"{finding.found}; {newest}")
    yield finding


def _newest_run(ground: Ground) -> Iterator[Finding]:
    known = run_index.runs(ground.data_dir)
    if not known:
        yield Finding("ok", "newest run", "there is none yet")
        return
    folder = known[-1]
    if is_held(folder):
        remedy = "nothing, when you started it; every replay writes a folder of its own"
        yield Finding("warn", "newest run", f"{folder.name} is held by {holder(folder)}", remedy)
        return
    manifest = run_index.manifest_of(folder)
    try:
        entries = last_seq(folder / DATABASE)
    except JournalError as problem:
        remedy = f"`foliod verify {folder.name}` says what is left; the next replay is a new run"
        yield Finding(
            "warn" if manifest.state != "complete" else "fail", "newest run", str(problem), remedy
        )
        return
    found = f"{folder.name}: {manifest.state}, {entries} entries"
    if manifest.started > utc_text(ground.now_ns):
        remedy = "set the clock: the next run would sort before this one"
        yield _fail("newest run", f"{found}; it began at {manifest.started}, not yet", remedy)
    elif manifest.state != "complete":
        remedy = f"`foliod status {folder.name}` and `foliod verify {folder.name}` say more"
        yield Finding("warn", "newest run", f"{found}: {manifest.reason}", remedy)
    else:
        yield Finding("ok", "newest run", found)
