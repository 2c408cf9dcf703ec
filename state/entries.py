"""Journal entries: everything that was decided, and every input except bars.

An entry is a fact. It carries every amount already rounded, so that folding entries never rounds.
``at_ns`` is the instant of the decision (never of the writing). Fields are only ever added, with a
default; the tag is the name in the journal.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from state.instruments import Instrument
from state.orders import Intent
from state.signals import Action
from state.verdicts import Verdict


class PortfolioOpened(msgspec.Struct, frozen=True, tag=True):
    """The portfolio begins on trading day ``day``; ``cash`` in base currency, days in ``zone``."""

    at_ns: int
    day: int
    portfolio_id: str
    base_currency: str
    zone: str
    cash: Decimal


class InstrumentSet(msgspec.Struct, frozen=True, tag=True):
    """The instrument's arithmetic from now on; ticks and lots in later entries are in its units."""

    at_ns: int
    instrument: Instrument


class RunStarted(msgspec.Struct, frozen=True, tag=True):
    """A process began to work on the portfolio. ``run_id`` is a function of config, bars, code."""

    at_ns: int
    run_id: str
    version: str
    mode: str
    config_hash: str


class RunEnded(msgspec.Struct, frozen=True, tag=True):
    """The run ended.

    ``reason``: ``END_OF_HISTORY``, ``INTERRUPTED``, ``STOPPED``, ``SESSION_OVER``, ``FAILED``.
    """

    at_ns: int
    run_id: str
    reason: str


class BarsConsumed(msgspec.Struct, frozen=True, tag=True):
    """Bars of one series consumed since the last such entry.

    ``last_ns`` opens the last of them. ``digest`` is BLAKE2b-128 over the digest (16 bytes) of the
    series' entry before this one, if there is one, and these bars, 48 bytes a bar: open_ns as
    int64, then open, high, low, close, volume as float64, little-endian.
    """

    at_ns: int
    symbol: str
    interval_ns: int
    count: int
    last_ns: int
    digest: str


class BarsRefused(msgspec.Struct, frozen=True, tag=True):
    """Rows of a source that did not become bars: how many, why, and where the first one is.

    Of a live feed also messages that could not be read; ``symbol`` is empty where none is known.
    """

    at_ns: int
    symbol: str
    reason: str
    count: int
    first: str


class Decided(msgspec.Struct, frozen=True, tag=True):
    """A strategy spoke and the desk answered.

    ``verdicts`` holds every gate's answer in the order asked. ``outcome`` is ``ACCEPTED`` or the
    code of the first denial. ``intent_id`` names the intent that follows when accepted.
    """

    at_ns: int
    symbol: str
    strategy: str
    bar_open_ns: int
    day: int
    action: Action
    verdicts: tuple[Verdict, ...]
    outcome: str
    intent_id: str = ""


class IntentRecorded(msgspec.Struct, frozen=True, tag=True):
    """An intent exists; for an entry this is the instant from which pacing counts it."""

    at_ns: int
    intent: Intent


class OrderChanged(msgspec.Struct, frozen=True, tag=True):
    """Something other than a fill happened to an order.

    ``event`` is one of SUBMIT, ACCEPT, CANCEL, REJECT, LOSE; ``code`` says why.
    """

    at_ns: int
    intent_id: str
    event: str
    code: str = ""


class Filled(msgspec.Struct, frozen=True, tag=True):
    """An execution, with every amount in base currency rounded to 8 places.

    ``leg`` is ``entry``, ``stop``, ``target`` or ``exit``; ``side`` is that of the execution.
    ``price`` is before costs, ``fill_ticks`` after. ``filled_ns`` is the stamp, ``bar_open_ns`` the
    open of the bar it happened in, ``day`` its trading day. ``spread`` and ``slippage`` are what
    the two cost (never negative), ``fee`` what was charged, ``pnl`` the profit that this fill
    realised before fees (0 for an entry), ``rate`` quote to base currency.
    """

    at_ns: int
    execution_id: str
    intent_id: str
    trade_id: str
    leg: str
    symbol: str
    strategy: str
    side: int
    lots: int
    price: Decimal
    fill_ticks: int
    filled_ns: int
    bar_open_ns: int
    day: int
    spread: Decimal
    slippage: Decimal
    fee: Decimal
    pnl: Decimal
    rate: Decimal
    reason: str = ""
    venue: str = "paper"
    account: str = "paper"


class FillSuspended(msgspec.Struct, frozen=True, tag=True):
    """An execution that the book cannot take, or the part of one: broker and book differ (S4).

    ``code`` and ``reason`` say why, ``lots`` how much it is that is not booked, ``told`` what the
    whole execution says. All is text as the broker told it, since it may be no number at all; it
    changes no position and no cash.
    """

    at_ns: int
    code: str
    reason: str
    execution_id: str
    intent_id: str
    trade_id: str
    symbol: str
    leg: str
    side: str
    lots: str
    price: str
    filled: str
    venue: str
    account: str
    told: str


class PlanSet(msgspec.Struct, frozen=True, tag=True):
    """The protection of an open trade from now on.

    ``initial_risk`` is base currency, fixed by the first plan of a trade. ``target_ticks`` None: no
    target. ``time_stop_ns`` NEVER_NS: held. ``reason``: ``ENTRY``, ``HELD`` (the rest after a part
    was closed), ``TRAIL`` (the stop followed a close) or ``WIDENED`` (for the night that follows
    trading day ``widened_day``). ``trail_distance`` is how far behind the closes the stop follows
    (price units). An unset field is not written: it says no trail, no widening.
    """

    at_ns: int
    trade_id: str
    stop_ticks: int
    target_ticks: int | None
    time_stop_ns: int
    initial_risk: Decimal
    reason: str = "ENTRY"
    trail_distance: float | msgspec.UnsetType = msgspec.UNSET
    widened_day: int | msgspec.UnsetType = msgspec.UNSET


class WideningRefused(msgspec.Struct, frozen=True, tag=True):
    """A plan was not widened on trading day ``day``, which is not asked again.

    ``code`` says why; ``observed`` and ``limit`` show the arithmetic.
    """

    at_ns: int
    trade_id: str
    symbol: str
    strategy: str
    day: int
    code: str
    observed: str
    limit: str


class AlarmRung(msgspec.Struct, frozen=True, tag=True):
    """A timer of the core rang: ``name`` and the instant it was due."""

    at_ns: int
    due_ns: int
    name: str


class HaltSet(msgspec.Struct, frozen=True, tag=True):
    """Entries are halted until cleared, until ``until_ns``, or for the trading day ``day``.

    ``name``: ``operator``, ``r_stop``, ``drawdown``, ``health``, ``late_fill``,
    ``broker``, ``strategy_r_stop/NAME``, ``strategy_win_lock/NAME``. ``day`` 0: not tied to a day.
    """

    at_ns: int
    name: str
    code: str
    reason: str
    observed: str
    limit: str
    day: int = 0
    until_ns: int = (1 << 63) - 1


class HaltCleared(msgspec.Struct, frozen=True, tag=True):
    """A halt ended: re-armed, or by a named operator."""

    at_ns: int
    name: str
    reason: str


class KillChanged(msgspec.Struct, frozen=True, tag=True):
    """The kill switch: ``level`` is ``halt``, ``flatten`` or ``none`` (reset by name)."""

    at_ns: int
    level: str
    reason: str


class CommandTaken(msgspec.Struct, frozen=True, tag=True):
    """An operator's command, as it was given."""

    at_ns: int
    name: str
    argument: str
    reason: str


class CooldownCleared(msgspec.Struct, frozen=True, tag=True):
    """An operator cleared a cooldown: ``name`` is a symbol, or ``loss_streak``."""

    at_ns: int
    name: str


class EngineQuarantined(msgspec.Struct, frozen=True, tag=True):
    """A strategy raised; its engine decides nothing more, its position stays guarded."""

    at_ns: int
    symbol: str
    strategy: str
    error: str
    traceback: str


class EquityMarked(msgspec.Struct, frozen=True, tag=True):
    """Equity at the marks of this instant, base currency; ``high_water`` is the drawdown's mark."""

    at_ns: int
    cash: Decimal
    open_pnl: Decimal
    high_water: Decimal


class CashMoved(msgspec.Struct, frozen=True, tag=True):
    """A deposit (positive) or withdrawal (negative); moves the high-water mark with it."""

    at_ns: int
    amount: Decimal
    reason: str


class DayPosition(msgspec.Struct, frozen=True):
    """A position and its plan as a portfolio day ended.

    ``entry`` is the mean entry fill (price), ``trail_distance`` price units, ``time_stop_ns``
    NEVER_NS where there is none. ``open_pnl`` is at mark, before exit costs; base currency like
    ``initial_risk``.
    """

    symbol: str
    strategy: str
    trade_id: str
    side: int
    lots: int
    entry: Decimal
    stop_ticks: int | None
    target_ticks: int | None
    trail_distance: float | None
    time_stop_ns: int
    open_pnl: Decimal
    initial_risk: Decimal


class DayRolled(msgspec.Struct, frozen=True, tag=True, omit_defaults=True):
    """A portfolio day ended and ``next_day`` began; amounts are base currency.

    ``end_equity`` is at mark; ``gross`` is P&L before fees; ``drawdown`` is the largest fall of
    marked equity below its mark of the day as a fraction. ``positions`` are those open at that
    instant, in order of engine; without any the field is not written.
    """

    at_ns: int
    day: int
    next_day: int
    start_equity: Decimal
    end_equity: Decimal
    gross: Decimal
    fees: Decimal
    trades: int
    drawdown: float
    open_positions: int
    positions: tuple[DayPosition, ...] = ()


class HealthJudged(msgspec.Struct, frozen=True, tag=True):
    """The health gate judged the last ``days`` portfolio days, trading day ``day`` included.

    ``sharpe`` is of their returns, a year, None where it is not defined; ``drawdown`` the largest
    fall of their equity as a fraction. ``problems`` has a sentence for each threshold that is not
    kept; ``action`` is what was to follow: ``alert`` or ``halt``.
    """

    at_ns: int
    day: int
    days: int
    sharpe: float | None
    drawdown: float
    problems: tuple[str, ...]
    action: str


Entry = (
    PortfolioOpened
    | InstrumentSet
    | RunStarted
    | RunEnded
    | BarsConsumed
    | BarsRefused
    | Decided
    | IntentRecorded
    | OrderChanged
    | Filled
    | FillSuspended
    | PlanSet
    | WideningRefused
    | AlarmRung
    | HaltSet
    | HaltCleared
    | KillChanged
    | CommandTaken
    | CooldownCleared
    | EngineQuarantined
    | EquityMarked
    | CashMoved
    | DayRolled
    | HealthJudged
)
