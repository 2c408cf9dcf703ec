"""LSG v2, liquidity sweep and grab: fade the sweep of a level that the night built.

Source: MISSION, LSG v2. One signal a date; the first one spends the date, whatever becomes of it.
The strategy never cancels its own working order.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Annotated, Any, ClassVar

import msgspec

from daemon.core.strategies.civil_day import RANGE_END_S, day_of
from daemon.core.strategies.swings import Swings
from daemon.core.strategy import Context, Strategy
from state.bars import Bar
from state.signals import Signal
from state.units import MINUTE_NS

RANGE_BARS = 10
"""Bars that the 00:00-07:00 range needs at least."""
STOP_PIPS = 2.0
"""Distance of the stop from the furthest extreme."""

_WATCHING, _SWEPT, _BROKEN, _CONFIRMED, _ARMED, _SPENT = range(6)

_Pips = Annotated[float, msgspec.Meta(ge=0, le=1_000_000)]


class LsgParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Parameters of LSG, distances in pips.

    Swings within ``tol_pips`` of each other make a level; exceeding it by ``sweep_pips`` is a
    sweep. Break of structure (a close ``bos_buffer_pips`` beyond the latest swing, left out unless
    ``bos_required``) and grab close within ``reentry_window_m`` minutes of the sweep bar's close.
    ``confirm_body_required`` wants the grab's body in the trade's direction; with
    ``second_move_only`` the order waits for the second move through the trigger.
    """

    tol_pips: _Pips = 2.0
    sweep_pips: _Pips = 3.0
    reentry_window_m: Annotated[int, msgspec.Meta(ge=1, le=1440)] = 30
    bos_buffer_pips: _Pips = 1.0
    bos_required: bool = True
    confirm_body_required: bool = True
    second_move_only: bool = True


class Lsg(Strategy):
    """Fades the sweep of a level built at night, with a stop-entry order at the grab."""

    Params: ClassVar[type[msgspec.Struct]] = LsgParams
    warmup_bars: ClassVar[int] = 100

    def __init__(self, context: Context, params: LsgParams) -> None:
        """Start before the first bar.

        Raises:
            ConfigError: the windows are not one a day in one zone, within a date, from 07:00 on.
        """
        super().__init__(context, params)
        pip = context.pip
        self._tie = context.tie
        self._tol = params.tol_pips * pip
        self._sweep = params.sweep_pips * pip
        self._reentry_ns = params.reentry_window_m * MINUTE_NS
        self._buffer = params.bos_buffer_pips * pip
        self._after_sweep = _SWEPT if params.bos_required else _BROKEN
        self._body = params.confirm_body_required
        self._second = params.second_move_only
        self._stop_by = STOP_PIPS * pip
        self._date = day_of(context.schedule, "LSG", context.symbol, RANGE_END_S)
        self._swings = Swings(context.tie)
        self._bars = 0
        self._highs: list[float] = []
        self._lows: list[float] = []
        self._ranged = False
        self._high: float | None = None
        self._low: float | None = None
        self._phase = _WATCHING
        self._side = 0
        self._level = 0.0
        self._swept_ns = 0
        self._extreme = 0.0
        self._trigger = 0.0

    def on_bar(self, bar: Bar, in_window: bool) -> Signal | None:
        """Look for swings, build the night's levels, then take at most one step."""
        swings, date = self._swings, self._date
        swings.update(bar.high, bar.low)
        if bar.open_ns >= date.end_ns:
            date.begin(bar.open_ns)
            self._begin_range()
        if bar.open_ns < date.range_end_ns:
            self._bars += 1
            # The swing just confirmed is bar i-2: it counts once it opened in the range too.
            if self._bars > 2:
                if swings.new_high and swings.last_high is not None:
                    self._highs.append(swings.last_high)
                if swings.new_low and swings.last_low is not None:
                    self._lows.append(swings.last_low)
            return None
        if not in_window:
            return None
        if not self._ranged:
            self._end_range()
        return None if self._phase == _SPENT else self._step(bar)

    def _begin_range(self) -> None:
        self._bars = 0
        self._highs.clear()
        self._lows.clear()
        self._ranged = False
        self._high = self._low = None
        self._phase = _WATCHING

    def _end_range(self) -> None:
        self._ranged = True
        if self._bars >= RANGE_BARS:
            self._high = _level(self._highs, self._tol + self._tie)
            self._low = _level(self._lows, self._tol + self._tie)
        if self._high is None and self._low is None:
            self._phase = _SPENT

    def _step(self, bar: Bar) -> Signal | None:
        phase = self._phase
        if phase == _WATCHING:
            self._look_for_sweep(bar)
            return None
        if phase <= _BROKEN and bar.close_ns - self._swept_ns > self._reentry_ns:
            self._phase = _WATCHING
            return None
        if self._side < 0:
            self._extreme = max(self._extreme, bar.high)
        else:
            self._extreme = min(self._extreme, bar.low)
        if phase == _SWEPT:
            self._look_for_break(bar.close)
            return None
        if phase == _BROKEN:
            return self._look_for_grab(bar)
        return self._look_for_second_move(bar)

    def _look_for_sweep(self, bar: Bar) -> None:
        floor = -self._tie
        if self._high is not None and bar.high - (self._high + self._sweep) > floor:
            self._side, self._level, self._extreme = -1, self._high, bar.high
        elif self._low is not None and (self._low - self._sweep) - bar.low > floor:
            self._side, self._level, self._extreme = 1, self._low, bar.low
        else:
            return
        self._swept_ns = bar.close_ns
        self._phase = self._after_sweep

    def _look_for_break(self, close: float) -> None:
        side = self._side
        swing = self._swings.last_high if side > 0 else self._swings.last_low
        if swing is not None and side * (close - (swing + side * self._buffer)) > self._tie:
            self._phase = _BROKEN

    def _look_for_grab(self, bar: Bar) -> Signal | None:
        side, tie = self._side, self._tie
        if side * (bar.close - self._level) <= tie:
            return None
        if self._body and side * (bar.close - bar.open) <= tie:
            return None
        self._trigger = bar.low if side < 0 else bar.high
        if not self._second:
            return self._signal()
        self._phase = _CONFIRMED
        return None

    def _look_for_second_move(self, bar: Bar) -> Signal | None:
        side, trigger = self._side, self._trigger
        if self._phase == _CONFIRMED:
            beyond = trigger - bar.low if side < 0 else bar.high - trigger
            if beyond <= self._tie:
                return None
            self._phase = _ARMED
        # The arming bar itself may close back and so wait for the second move.
        return self._signal() if side * (trigger - bar.close) > -self._tie else None

    def _signal(self) -> Signal:
        self._phase = _SPENT
        side = self._side
        return Signal(
            side=side,
            trigger=self._trigger,
            stop=self._extreme - side * self._stop_by,
            target_r=1.0,
            note=f"sweep of {self._level:.10g} to {self._extreme:.10g}",
        )

    def state(self) -> dict[str, Any]:
        """Return all that later answers depend on, as JSON values."""
        return {
            "swings": self._swings.state(),
            "date": self._date.state(),
            "bars": self._bars,
            "highs": list(self._highs),
            "lows": list(self._lows),
            "ranged": self._ranged,
            "high": self._high,
            "low": self._low,
            "phase": self._phase,
            "side": self._side,
            "level": self._level,
            "swept_ns": self._swept_ns,
            "extreme": self._extreme,
            "trigger": self._trigger,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take back what ``state`` returned."""
        self._swings.restore(state["swings"])
        self._date.restore(state["date"])
        self._bars = int(state["bars"])
        self._highs = [float(x) for x in state["highs"]]
        self._lows = [float(x) for x in state["lows"]]
        self._ranged = bool(state["ranged"])
        high, low = state["high"], state["low"]
        self._high = None if high is None else float(high)
        self._low = None if low is None else float(low)
        self._phase = int(state["phase"])
        self._side = int(state["side"])
        self._level = float(state["level"])
        self._swept_ns = int(state["swept_ns"])
        self._extreme = float(state["extreme"])
        self._trigger = float(state["trigger"])


def _level(swings: Sequence[float], tolerance: float) -> float | None:
    """Return the median of the largest group of nearby swings, None without a group of two.

    The group of v is every swing within ``tolerance`` (ties included) of v; the values of v are
    tried in ascending order and the first of equally large groups wins.
    """
    ordered = sorted(swings)
    best: list[float] = []
    for v in ordered:
        group = [x for x in ordered if abs(x - v) < tolerance]
        if len(group) > len(best):
            best = group
    return median(best) if len(best) >= 2 else None
