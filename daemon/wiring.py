"""Settings to objects: the only place that knows every constructor.

It builds the core of one portfolio. It opens no bar file, no database and no socket; what it reads
is what the settings name and the core must know beforehand: news, exchange holidays, strategies.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from adapters.brokers.paper import PaperBroker, PaperFaults
from adapters.calendars import read_holidays
from adapters.news import read_events
from adapters.ports import Notifier
from config.catalogue import base_asset
from config.secrets import Secrets, hide_all
from config.settings import Settings
from config.settings_strategies import StrategySettings
from daemon.core.calendar import CivilClock, Schedule, WindowSpec
from daemon.core.commands import Command
from daemon.core.desk import Desk
from daemon.core.engine import Engine
from daemon.core.market import Costs, Market, Series
from daemon.core.overnight import Overnight
from daemon.core.pace import Pace, PaceLimits
from daemon.core.sizing import Sizer
from daemon.core.status_inputs import EngineFacts, RunFacts
from daemon.core.strategy import Context
from daemon.core.supervision import Gate, Watch
from daemon.core.supervisors.drawdown import DrawdownLock, DrawdownWatch
from daemon.core.supervisors.endofday import EndOfDayAlarm
from daemon.core.supervisors.exposure import (
    GrossExposureCap,
    OrderValueCap,
    PositionsCap,
    SymbolPositionsCap,
)
from daemon.core.supervisors.freshness import Freshness
from daemon.core.supervisors.halts import Halts
from daemon.core.supervisors.health import HealthJudge
from daemon.core.supervisors.killswitch import KillSwitch
from daemon.core.supervisors.news import NewsGate
from daemon.core.supervisors.position import OnePosition
from daemon.core.supervisors.rstop import RStop, RStopWatch
from daemon.core.supervisors.sizing import SizingGate
from daemon.core.supervisors.strategy_day import StrategyDay, StrategyDayWatch
from daemon.core.supervisors.volatility import VolatilityGate
from daemon.core.supervisors.window import WindowGate
from daemon.core.timers import Timers
from daemon.runtime.loading import find, make
from daemon.runtime.notifications import Limits, Notifications
from state.errors import ConfigError
from state.holidays import Holidays
from state.instruments import Grid
from state.portfolio import Portfolio

if TYPE_CHECKING:
    from adapters.notify.dead_man import DeadMan

NOTIFY: Final = "notify"
"""The folder of messages that wait, below the portfolio's own."""
_FIRST_DAY: Final = date(2000, 1, 1).toordinal()
_LAST_DAY: Final = date(2040, 12, 31).toordinal()
"""Holidays are read for this span; where a calendar ends earlier its windows fail closed."""


@dataclass(frozen=True, slots=True)
class Core:
    """One portfolio, wired: what a runner steps."""

    portfolio: Portfolio
    grids: Mapping[str, Grid]
    market: Market
    engines: tuple[Engine, ...]
    engine_facts: tuple[EngineFacts, ...]
    desk: Desk
    timers: Timers
    broker: PaperBroker
    pace: Pace
    drawdown: DrawdownWatch
    commands: tuple[Command, ...]


def intervals_of(settings: Settings) -> dict[str, set[int]]:
    """Return the intervals (ns) that engines need of each symbol."""
    needed: dict[str, set[int]] = {}
    for strategy in settings.strategies:
        if strategy.enabled:
            for symbol in strategy.symbols:
                needed.setdefault(symbol, set()).add(strategy.interval_ns)
    return needed


def build(settings: Settings, series_keys: set[tuple[str, int]], folder: Path) -> Core:
    """Wire one portfolio over these series (symbol, interval in ns).

    ``folder`` is where relative strategy files are looked for.

    Raises:
        ConfigError: a calendar, the news file or a window cannot be used.
        StrategyError: a strategy cannot be loaded or made.
    """
    portfolio = Portfolio()
    grids = {symbol: Grid(settings.instrument(symbol)) for symbol in settings.symbols()}
    series = [Series(grids[symbol], interval) for symbol, interval in sorted(series_keys)]
    market = Market(settings.portfolio.base_currency, series, _conversion(settings))
    made = [
        engine_of(settings, strategy, symbol, grids[symbol], folder)
        for strategy in settings.strategies
        if strategy.enabled
        for symbol in strategy.symbols
    ]
    made.sort(key=lambda pair: (pair[0].symbol, pair[0].name))
    engines = tuple(engine for engine, _ in made)
    pace = Pace(_pace_limits(settings))
    drawdown = _drawdown_watch(settings)
    costs = Costs(
        float(settings.costs.slippage_min_pips),
        float(settings.costs.slippage_atr_fraction),
        fill_at_close=settings.costs.fill == "close",
    )
    clock = CivilClock(settings.portfolio.zone)
    alarm = EndOfDayAlarm(clock, settings.end_of_day.at)
    sizing = settings.sizing
    desk = Desk(
        portfolio,
        market,
        engines,
        clock=clock,
        gates=_gates(settings, engines, grids, pace),
        watches=_watches(settings, drawdown),
        sizer=Sizer(quantity=sizing.quantity)
        if sizing.kind == "fixed"
        else Sizer(risk_fraction=sizing.risk_fraction),
        costs=costs,
        worst_case=settings.risk.worst_case,
        flatten_on_r_stop=settings.risk.flatten,
        end_of_day=alarm,
    )
    paper = settings.paper
    broker = PaperBroker(
        PaperFaults(paper.reject_every, float(paper.partial_fraction), paper.latency_s)
    )
    return Core(
        portfolio=portfolio,
        grids=grids,
        market=market,
        engines=engines,
        engine_facts=tuple(facts for _, facts in made),
        desk=desk,
        timers=Timers(desk, alarm, latency_ns=broker.latency_ns, judges=_judges(settings)),
        broker=broker,
        pace=pace,
        drawdown=drawdown,
        commands=tuple(
            Command(one.at_ns, one.command, one.argument, one.reason)
            for one in settings.replay.commands
        ),
    )


def _conversion(settings: Settings) -> dict[str, tuple[str, str, str]]:
    found = {}
    for currency, symbol in settings.conversion.pairs.items():
        pair = settings.instrument(symbol)
        found[currency] = (symbol, base_asset(pair) or "", pair.quote_currency)
    return found


def schedule_of(settings: Settings, strategy: StrategySettings, symbol: str) -> Schedule:
    """Return the windows of one strategy on one symbol, holidays of the symbol's exchange cut out.

    Raises:
        ConfigError: the exchange's calendar is unknown or knows no holidays.
    """
    windows = strategy.effective_windows()
    if not windows:
        return Schedule.always()
    specs = [
        WindowSpec(
            start_s=window.start_s,
            end_s=window.end_s,
            zone=window.zone,
            weekdays=window.weekday_numbers,
            last_entry_s=strategy.last_entry_s(window),
        )
        for window in windows
    ]
    flatten = 0 if strategy.at_end == "hold" else strategy.flatten_before_s
    calendar = settings.instrument(symbol).calendar
    holidays = None if calendar is None else holidays_of(calendar, settings.portfolio.data_dir)
    return Schedule(specs, holidays, flatten_before_s=flatten)


def holidays_of(calendar: str, data_dir: Path) -> Holidays:
    """Return the closed days of an exchange, as windows use them; kept below ``data_dir``.

    Raises:
        ConfigError: the calendar is unknown or knows no holidays.
    """
    return read_holidays(calendar, _FIRST_DAY, _LAST_DAY, data_dir / "cache")


def engine_of(
    settings: Settings, strategy: StrategySettings, symbol: str, grid: Grid, folder: Path
) -> tuple[Engine, EngineFacts]:
    """Make the engine of one strategy on one symbol, and what the status says of it.

    Raises:
        ConfigError: its calendar or windows cannot be used.
        StrategyError: the strategy cannot be loaded or made with these parameters.
    """
    params, params_name = strategy.parameters(symbol)
    schedule = schedule_of(settings, strategy, symbol)
    context = Context(symbol, strategy.interval_ns, grid.pip, grid.tick, grid.tie, schedule)
    instance = make(find(strategy.kind, folder), context, params)
    engine = Engine(
        instance,
        strategy.name,
        params_name=params_name,
        at_end=strategy.at_end,
        reduce_fraction=float(strategy.reduce_fraction),
        flatten_before_s=strategy.flatten_before_s,
        overnight=_overnight(strategy),
        trail_r=None if strategy.trail_r is None else float(strategy.trail_r),
    )
    facts = EngineFacts(
        symbol=symbol,
        strategy=strategy.name,
        kind=strategy.kind,
        interval=strategy.interval,
        params_set=params_name,
        params=msgspec.to_builtins(instance.params),
        schedule=schedule,
    )
    return engine, facts


def _overnight(strategy: StrategySettings) -> Overnight | None:
    if not strategy.overnight_widen:
        return None
    return Overnight(
        fraction=strategy.overnight_widen_fraction,
        pips=strategy.overnight_widen_pips,
        max_fraction=strategy.overnight_widen_max_fraction,
        max_r=strategy.max_overnight_r,
    )


def _pace_limits(settings: Settings) -> PaceLimits | None:
    pacing = settings.pacing
    if not pacing.enabled:
        return None
    return PaceLimits(
        spacing_s=pacing.spacing_s,
        symbol_spacing_s=pacing.symbol_spacing_s,
        per_hour=pacing.per_hour,
        per_day=pacing.per_day,
        cooldown_win_m=pacing.cooldown_win_m,
        cooldown_loss_m=pacing.cooldown_loss_m,
        cooldown_stop_m=pacing.cooldown_stop_m,
        loss_streak=pacing.loss_streak,
        loss_streak_cooldown_m=pacing.loss_streak_cooldown_m,
        adaptive=pacing.adaptive,
    )


def _lock_fraction(settings: Settings) -> float | None:
    fraction = settings.risk.drawdown.lock_fraction
    return None if fraction is None else float(fraction)


def _drawdown_watch(settings: Settings) -> DrawdownWatch:
    drawdown = settings.risk.drawdown
    return DrawdownWatch(
        _lock_fraction(settings), drawdown.cool_off_m, auto_rearm=drawdown.rearm == "auto"
    )


def _gates(
    settings: Settings, engines: tuple[Engine, ...], grids: Mapping[str, Grid], pace: Pace
) -> list[Gate]:
    """Return every gate in the order in which they are asked (Source: MISSION, Gates)."""
    risk = settings.risk
    limits = risk.strategy
    return [
        KillSwitch(),
        Halts(),
        WindowGate({engine.key: engine.schedule for engine in engines}),
        _news_gate(settings, grids),
        Freshness(settings.freshness.stale_after_intervals, settings.conversion.stale_after_s),
        *([] if risk.volatility_atr is None else [VolatilityGate(risk.volatility_atr)]),
        OnePosition(),
        RStop(risk.daily_r_stop, open_r=risk.open_r, worst_case=risk.worst_case),
        StrategyDay(limits.trades_per_day, limits.r_stop, limits.win_lock_r),
        DrawdownLock(_lock_fraction(settings)),
        OrderValueCap(risk.caps.max_order_value),
        GrossExposureCap(risk.caps.max_gross_exposure),
        PositionsCap(risk.caps.max_positions),
        SymbolPositionsCap(risk.caps.max_positions_per_symbol),
        *pace.gates,
        SizingGate(),
    ]


def _news_gate(settings: Settings, grids: Mapping[str, Grid]) -> NewsGate:
    news = settings.news
    currencies = {}
    for symbol, grid in grids.items():
        base = base_asset(grid.instrument)
        quote = grid.instrument.quote_currency
        currencies[symbol] = frozenset({quote} if base is None else {base, quote})
    events = () if news.file is None else read_events(news.file)
    return NewsGate(events, currencies, news.before_m, news.after_m, news.impact)


def _watches(settings: Settings, drawdown: DrawdownWatch) -> list[Watch]:
    risk = settings.risk
    return [
        RStopWatch(risk.daily_r_stop, open_r=risk.open_r),
        StrategyDayWatch(risk.strategy.r_stop, risk.strategy.win_lock_r),
        drawdown,
    ]


@dataclass(frozen=True, slots=True)
class Endpoints:
    """What ``[notify]`` names; ``dead_man`` is None without a URL for it.

    ``hide`` takes the values of the secrets that were read out of a text.
    """

    notifiers: tuple[Notifier, ...]
    dead_man: DeadMan | None
    hide: Callable[[str], str]


def endpoints(settings: Settings, environ: Mapping[str, str]) -> Endpoints:
    """Make the endpoints of the notifications, their addresses read from where secrets are.

    Raises:
        ConfigError: a secret cannot be used, or the extra of Apprise is not installed; all at once.
    """
    notify, secrets = settings.notify, secrets_of(settings, environ)
    names = notify.secret_names()
    if not names:
        return Endpoints((), None, str)
    facts = [secrets.fact(name) for name in names]
    problems = [f"secret {one.name}: {one.problem}; {one.remedy}" for one in facts if one.problem]
    if problems:
        raise ConfigError(problems)
    # HTTP is slow to import, and most commands never need it.
    from adapters.notify.apprise import AppriseNotifier
    from adapters.notify.dead_man import DeadMan
    from adapters.notify.webhook import Webhook

    known = {name: secrets.get(name) for name in names}
    made: list[Notifier] = []
    if notify.webhook is not None:
        made.append(Webhook(notify.webhook, known[notify.webhook].reveal(), notify.timeout_s))
    for name in notify.apprise:
        made.append(AppriseNotifier(name, known[name].reveal(), notify.timeout_s))
    man = None
    if notify.dead_man is not None:
        man = DeadMan(notify.dead_man, known[notify.dead_man].reveal(), notify.timeout_s)
    return Endpoints(tuple(made), man, partial(hide_all, known.values()))


def notifications(
    settings: Settings, found: Endpoints, home: Path, note: Callable[[str], None]
) -> Notifications:
    """Make the notifications of a portfolio whose folder is ``home``, where messages wait.

    ``note`` takes lines for the log, on the thread that notifies.
    """
    notify = settings.notify
    limits = Limits(notify.fold_s, notify.per_minute, notify.spool_max)
    return Notifications(found.notifiers, home / NOTIFY, limits, note, found.hide)


def secrets_of(settings: Settings, environ: Mapping[str, str]) -> Secrets:
    """Return where the secrets of these settings are looked for."""
    return Secrets(settings.keys.dir, environ)


def _judges(settings: Settings) -> list[Watch]:
    health = settings.risk.health
    if not health.is_on:
        return []
    most = health.max_drawdown
    return [
        HealthJudge(
            health.min_sharpe,
            None if most is None else float(most),
            min_days=health.min_days,
            days=health.days,
            halts=health.action == "halt",
        )
    ]


def run_facts(settings: Settings, *, mode: str, source: str, since_ns: int) -> RunFacts:
    """Return what never changes of a run, for the status line."""
    caps, costs, pacing = settings.risk.caps, settings.costs, settings.pacing
    fraction = f"ATR(14) x {costs.slippage_atr_fraction}"
    intervals = sorted(
        {one.interval for one in settings.strategies if one.enabled},
        key=lambda name: (len(name), name),
    )
    return RunFacts(
        mode=mode,
        source=source,
        interval=",".join(intervals),
        since_ns=since_ns,
        zone=settings.portfolio.zone,
        slippage_model=f"max({costs.slippage_min_pips} pip, {fraction}) per side",
        global_daily_stop_r=settings.risk.daily_r_stop,
        open_r_counts=settings.risk.open_r,
        drawdown_limit=_lock_fraction(settings),
        news_enabled=settings.news.file is not None,
        entries_per_hour=pacing.per_hour if pacing.enabled else None,
        entries_per_day=pacing.per_day if pacing.enabled else None,
        max_positions=caps.max_positions,
        max_positions_per_symbol=caps.max_positions_per_symbol,
        max_order_value=float(caps.max_order_value),
        max_gross_exposure=float(caps.max_gross_exposure),
    )
