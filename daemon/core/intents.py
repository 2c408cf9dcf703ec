"""Intents: identity as a function of content, and their making from a signal."""

from __future__ import annotations

import hashlib
from typing import Final

import msgspec

from daemon.core.engine import Engine
from state.errors import StrategyError
from state.instruments import Grid
from state.levels import protection
from state.orders import Intent
from state.signals import Signal
from state.units import NEVER_NS, SECOND_NS

_ID_BYTES: Final = 9
_FURTHEST_TICKS: Final = 1 << 45
"""With room to spare below int64, since a target in R may lie further away from the real fill."""


def intent_id(portfolio_id: str, engine_key: str, purpose: str, at_ns: int, ordinal: int) -> str:
    """Return the id of an intent, which is its client order id: 19 lower-case alphanumerics.

    ``ordinal`` tells apart intents of one engine, purpose and instant.
    """
    content = f"{portfolio_id}\0{engine_key}\0{purpose}\0{at_ns}\0{ordinal}".encode()
    return "f" + hashlib.blake2b(content, digest_size=_ID_BYTES).hexdigest()


def entry_until(engine: Engine, now_ns: int) -> tuple[int, int]:
    """Return the last-entry time and the time-stop of an entry decided at T; NEVER_NS: none.

    The last-entry time is never later than the time-stop. Both are T where T lies in no window: the
    window gate denies such an entry, and if it ever did not, the entry would end at once.
    """
    window = engine.schedule.at(now_ns)
    if window is None:
        return now_ns, now_ns
    if engine.at_end == "hold":
        return window.last_entry_ns, NEVER_NS
    stop_ns = window.end_ns
    if stop_ns < NEVER_NS:
        stop_ns -= engine.flatten_before_s * SECOND_NS
    return min(window.last_entry_ns, stop_ns), stop_ns


def entry_intent(
    portfolio_id: str,
    engine: Engine,
    signal: Signal,
    grid: Grid,
    *,
    now_ns: int,
    day: int,
    close: float,
    lots: int,
    slippage: float,
    min_stop: float,
) -> Intent:
    """Turn a signal into an order: levels on ticks, times fixed, identity from content.

    Raises:
        StrategyError: a level is beyond every price.
    """
    trigger = None if signal.trigger is None else grid.nearest(signal.trigger)
    limit = None if signal.limit is None else grid.nearest(signal.limit)
    level = trigger if trigger is not None else limit
    name = intent_id(portfolio_id, engine.key, "entry", now_ns, 0)
    until_ns, time_stop_ns = entry_until(engine, now_ns)
    intent = Intent(
        intent_id=name,
        purpose="entry",
        trade_id=name,
        symbol=engine.symbol,
        strategy=engine.name,
        interval_ns=engine.interval_ns,
        side=signal.side,
        lots=lots,
        decided_ns=now_ns,
        day=day,
        reference=close if level is None else grid.price(level),
        trigger_ticks=trigger,
        limit_ticks=limit,
        stop_ticks=None if signal.stop is None else grid.nearest(signal.stop),
        stop_distance=signal.stop_distance,
        target_ticks=None if signal.target is None else grid.nearest(signal.target),
        target_distance=signal.target_distance,
        target_r=signal.target_r,
        until_ns=until_ns,
        time_stop_ns=time_stop_ns,
        slippage=slippage,
        min_stop=min_stop,
        trail_distance=signal.trail_distance or msgspec.UNSET,
        trail_r=msgspec.UNSET if signal.trail_distance or not engine.trail_r else engine.trail_r,
    )
    _refuse_beyond(grid, intent)
    return intent


def _refuse_beyond(grid: Grid, intent: Intent) -> None:
    """Refuse levels that no price reaches and no journal could hold: a strategy's mistake."""
    stop, target = protection(grid, intent, grid.nearest(intent.reference))
    levels = {
        "trigger": intent.trigger_ticks, "limit": intent.limit_ticks, "stop": stop, "target": target
    }  # fmt: skip
    for name, ticks in levels.items():
        if ticks is not None and abs(ticks) > _FURTHEST_TICKS:
            raise StrategyError(
                f"a signal's {name} is {abs(ticks) * grid.tick:.6g} away from 0, allowed: up to"
                f" {_FURTHEST_TICKS * grid.tick:.6g}"
            )
