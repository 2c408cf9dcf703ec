"""The status object: what an operator, a dashboard or a script sees of a run, one JSON line each.

Only shapes live here; ``daemon.core.status_board`` fills them. ``SCHEMA`` names the version; within
a version fields are only ever added. Instants are UTC texts ``YYYY-MM-DD HH:MM:SS+00:00``, money is
the portfolio's base currency, prices are quote currency, fractions are 0.05 for 5 %. Every number
here is a view: nothing is decided from a status object.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final, Generic, TypeVar

import msgspec

from state.units import EPOCH_ORDINAL, NEVER_NS, SECOND_NS, day_text

SCHEMA: Final = 1
FILES: Final = "files"
"""The source where bars come from files; any other is live."""
_DAY_S: Final = 86_400
STATES: Final = ("starting", "ready", "trading", "idle", "halted", "killed", "stopping")


@lru_cache(maxsize=1024)
def _second_text(second: int) -> str:
    day, rest = divmod(second, _DAY_S)
    minutes, seconds = divmod(rest, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{day_text(day + EPOCH_ORDINAL)} {hours:02d}:{minutes:02d}:{seconds:02d}+00:00"


def instant_text(at_ns: int) -> str:
    """Write an instant as ``YYYY-MM-DD HH:MM:SS+00:00``, cut to the second."""
    return _second_text(at_ns // SECOND_NS)


def instant_or_none(at_ns: int) -> str | None:
    """Write an instant, or None for 'never' and for 'not yet' (0)."""
    return None if at_ns >= NEVER_NS or at_ns <= 0 else instant_text(at_ns)


class EngineStatus(msgspec.Struct, frozen=True):
    """One engine. ``params_set`` names the tuned set in force, ``params`` holds its values.

    ``windows`` are texts in the window's zone; ``active``: a window is open now and the engine is
    not quarantined; ``next_open`` and ``next_close`` are instants or null; ``spread_pips`` is the
    full spread.
    """

    symbol: str
    strategy: str
    kind: str
    interval: str
    params_set: str
    params: dict[str, Any]
    windows: list[str]
    spread_pips: float
    active: bool
    next_open: str | None
    next_close: str | None
    quarantined: bool


class PositionStatus(msgspec.Struct, frozen=True):
    """One open position.

    ``side`` is long or short; ``entry`` the mean entry fill, ``sl`` the stop and ``tp`` the target
    (price units, null where there is none); ``quantity`` what is open now (> 0); ``r`` the open R
    at the last close, without exit costs, null before a first price. ``protected``: a stop is set.
    """

    symbol: str
    strategy: str
    side: str
    entry: float
    sl: float | None
    tp: float | None
    r: float | None
    quantity: float
    since: str
    time_stop: str | None
    protected: bool
    trade_id: str


class StrategyToday(msgspec.Struct, frozen=True):
    """What one strategy closed on the trading day: R, number of trades, net P&L."""

    name: str
    r: float
    trades: int
    pnl: float


class Today(msgspec.Struct, frozen=True):
    """The trading day so far.

    ``date`` is in the portfolio's zone. ``r_total``, ``pnl_total`` (after fees) and ``trades`` are
    of the trades closed on it, ``r_open`` is the open R at mark of all positions.
    """

    date: str
    r_total: float
    pnl_total: float
    r_open: float
    trades: int
    by_strategy: list[StrategyToday]


class HaltStatus(msgspec.Struct, frozen=True):
    """A halt in force: its name, code and reason, the observed value and the limit as texts.

    ``until`` is null where it lasts until it is cleared or the day rolls.
    """

    name: str
    code: str
    reason: str
    observed: str
    limit: str
    since: str
    until: str | None


class RiskStatus(msgspec.Struct, frozen=True):
    """Portfolio-wide limits.

    ``halted``: no strategy may enter (kill switch or a portfolio-wide halt). ``r_counted`` is what
    the daily R-stop compares with ``global_daily_stop_r`` (null: switched off). The caps are null
    where the run has none; values are base currency, counts are positions and orders in flight.
    """

    halted: bool
    global_daily_stop_r: float | None
    r_counted: float
    halts: list[HaltStatus]
    open_positions: int
    working_orders: int
    max_positions: int | None
    max_positions_per_symbol: int | None
    max_order_value: float | None
    max_gross_exposure: float | None


class CostsStatus(msgspec.Struct, frozen=True):
    """The cost model: full spread in pips by symbol, and the slippage per side in words."""

    spread_pips: dict[str, float]
    slippage_model: str


class SocketStatus(msgspec.Struct, frozen=True):
    """The feed's socket: ``connected`` means payload arrives; ``errors`` counts since the start."""

    connected: bool
    errors: int


class FeedStatus(msgspec.Struct, frozen=True):
    """Bars: close instant of the last one, its age in seconds, how many came and were refused."""

    last_bar: str | None
    age_s: float | None
    bars: int
    refused: int


class EquityStatus(msgspec.Struct, frozen=True):
    """Money in ``currency``: realised ``cash``, ``open_pnl`` at the last prices, their sum."""

    currency: str
    cash: float
    open_pnl: float
    equity: float


class NewsStatus(msgspec.Struct, frozen=True):
    """The news guard: ``active`` blocks entries until ``until`` because of ``title``."""

    enabled: bool
    active: bool
    until: str | None
    title: str


class DrawdownStatus(msgspec.Struct, frozen=True):
    """The drawdown lock: ``drawdown`` below ``high_water`` and its ``limit`` are fractions."""

    locked: bool
    drawdown: float
    limit: float | None
    high_water: float
    until: str | None


class PaceCount(msgspec.Struct, frozen=True):
    """Entries counted against a limit (null: no limit)."""

    used: int
    limit: int | None


class CooldownStatus(msgspec.Struct, frozen=True):
    """A cooldown that runs: a symbol or ``loss_streak``, what made it, its end (exclusive).

    ``kind`` is win, loss, stop or streak.
    """

    name: str
    kind: str
    until: str


class PacingStatus(msgspec.Struct, frozen=True):
    """Trade pacing: when any entry is allowed again (null: now), counts, running cooldowns."""

    next_allowed: str | None
    hour: PaceCount
    day: PaceCount
    cooldowns: list[CooldownStatus]


class BrokerStatus(msgspec.Struct, frozen=True):
    """The broker: orders ``working`` there, and orders of ``unknown`` outcome."""

    name: str
    ok: bool
    working: int
    unknown: int


class WindowStatus(msgspec.Struct, frozen=True):
    """All windows together: one is open now; the next opening and the next closing."""

    active: bool
    next_open: str | None
    next_close: str | None


class GatesStatus(msgspec.Struct, frozen=True):
    """Decisions since inception: allowed, denied, and denied by binding reason code."""

    allowed: int
    denied: int
    by_reason: dict[str, int]


class LoopStatus(msgspec.Struct, frozen=True):
    """The event loop: 99th percentile of its lag in ms (null in replay), longest inbox."""

    lag_ms_p99: float | None
    queue_max: int


class KillStatus(msgspec.Struct, frozen=True):
    """The kill switch; ``level`` is none, halt or flatten."""

    present: bool
    level: str
    reason: str


class DbStatus(msgspec.Struct, frozen=True):
    """The database: writable as far as is known; size of its write-ahead log in bytes."""

    ok: bool
    wal_bytes: int


class Alert(msgspec.Struct, frozen=True):
    """Something that needs a person: a stable code and what it is about."""

    code: str
    what: str


Engines = TypeVar("Engines")
Symbols = TypeVar("Symbols")
Costs = TypeVar("Costs")


class Status(msgspec.Struct, Generic[Engines, Symbols, Costs], frozen=True):
    """One status line. The three parameters let a writer put pre-encoded JSON in their place.

    ``ok``: nothing needs a person (see ``alerts``) and entries are not halted. ``since`` is when
    the run began, ``now`` its clock, ``seq`` the journal entry that this line reflects.
    """

    schema: int
    now: str
    feed: FeedStatus
    ok: bool
    state: str
    reason: str
    mode: str
    source: str
    interval: str
    since: str
    portfolio_id: str
    run_id: str
    seq: int
    symbols: Symbols
    engines: Engines
    positions: list[PositionStatus]
    today: Today
    risk: RiskStatus
    costs: Costs
    equity: EquityStatus
    window: WindowStatus
    pacing: PacingStatus
    dd_lock: DrawdownStatus
    news_guard: NewsStatus
    gates: GatesStatus
    kill: KillStatus
    broker: BrokerStatus
    ws: SocketStatus
    loop: LoopStatus
    db: DbStatus
    alerts: list[Alert]


class StatusHead(msgspec.Struct, frozen=True):
    """The fields that a status line begins with: all that changes when nothing happens."""

    schema: int
    now: str
    feed: FeedStatus


StatusObject = Status[list[EngineStatus], list[str], CostsStatus]
"""A whole status object, as a reader decodes it and as the JSON Schema describes it."""


def schema() -> dict[str, Any]:
    """Return the JSON Schema of a status line."""
    (root,), parts = msgspec.json.schema_components([StatusObject], ref_template="#/$defs/{name}")
    name = root["$ref"].rpartition("/")[2]
    top = parts.pop(name)
    top["title"] = f"foliod status, version {SCHEMA}"
    draft = "https://json-schema.org/draft/2020-12/schema"
    return {"$schema": draft, **top, "$defs": dict(sorted(parts.items()))}
