"""ARLS, Asia-range liquidity sweep: trade the return into the night's range after a sweep.

Source: MISSION, ARLS. One signal a date; the first one spends the date, whatever becomes of it.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import msgspec

from daemon.core.indicators import Atr
from daemon.core.strategies.civil_day import RANGE_END_S, day_of
from daemon.core.strategy import Context, Strategy
from state.bars import Bar
from state.signals import Signal
from state.units import MINUTE_NS

_WATCHING, _SWEPT, _SPENT = range(3)

_Pips = Annotated[float, msgspec.Meta(ge=0, le=1_000_000)]


class ArlsParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Parameters of ARLS.

    The 00:00-07:00 range needs ``min_bars`` bars and ``min_range_pips`` pips. A sweep exceeds it by
    the larger of ``sweep_pips`` pips and ``sweep_atr`` ATR(14). The re-entry closes within
    ``reentry_window_m`` minutes of the sweep bar's close. The stop is ``stop_pips`` pips beyond
    the furthest extreme.
    """

    min_bars: Annotated[int, msgspec.Meta(ge=1, le=25_200)] = 30
    min_range_pips: _Pips = 3.0
    sweep_pips: _Pips = 3.0
    sweep_atr: Annotated[float, msgspec.Meta(ge=0, le=1000)] = 0.10
    reentry_window_m: Annotated[int, msgspec.Meta(ge=1, le=1440)] = 45
    stop_pips: _Pips = 2.0


class Arls(Strategy):
    """Fades a sweep of the 00:00-07:00 range once a bar closes back inside it."""

    Params: ClassVar[type[msgspec.Struct]] = ArlsParams
    warmup_bars: ClassVar[int] = 100

    def __init__(self, context: Context, params: ArlsParams) -> None:
        """Start before the first bar.

        Raises:
            ConfigError: the windows are not one a day in one zone, within a date, from 07:00 on.
        """
        super().__init__(context, params)
        pip = context.pip
        self._tie = context.tie
        self._min_bars = params.min_bars
        self._min_range = params.min_range_pips * pip
        self._sweep = params.sweep_pips * pip
        self._sweep_atr = params.sweep_atr
        self._reentry_ns = params.reentry_window_m * MINUTE_NS
        self._stop_by = params.stop_pips * pip
        self._date = day_of(context.schedule, "ARLS", context.symbol, RANGE_END_S)
        self._atr = Atr(14)
        self._phase = _WATCHING
        self._bars = 0
        self._high = self._low = 0.0
        self._side = 0
        self._swept_ns = 0
        self._extreme = 0.0

    def on_bar(self, bar: Bar, in_window: bool) -> Signal | None:
        """Move the ATR by one bar; build the range, then take at most one step."""
        atr = self._atr.update(bar.high, bar.low, bar.close)
        date = self._date
        if bar.open_ns >= date.end_ns:
            date.begin(bar.open_ns)
            self._phase = _WATCHING
            self._bars = 0
        if bar.open_ns < date.range_end_ns:
            self._widen(bar)
            return None
        if not in_window or self._phase == _SPENT:
            return None
        if self._phase == _WATCHING:
            self._look_for_sweep(bar, atr)
            return None
        return self._look_for_reentry(bar)

    def _widen(self, bar: Bar) -> None:
        if not self._bars:
            self._high, self._low = bar.high, bar.low
        else:
            self._high = max(self._high, bar.high)
            self._low = min(self._low, bar.low)
        self._bars += 1

    def _look_for_sweep(self, bar: Bar, atr: float) -> None:
        floor = -self._tie
        high, low = self._high, self._low
        if self._bars < self._min_bars or high - low - self._min_range <= floor:
            self._phase = _SPENT
            return
        beyond = max(self._sweep, self._sweep_atr * atr)
        if bar.high - (high + beyond) > floor:
            self._side, self._extreme = -1, bar.high
        elif (low - beyond) - bar.low > floor:
            self._side, self._extreme = 1, bar.low
        else:
            return
        self._swept_ns = bar.close_ns
        self._phase = _SWEPT

    def _look_for_reentry(self, bar: Bar) -> Signal | None:
        if bar.close_ns - self._swept_ns > self._reentry_ns:
            self._phase = _WATCHING
            return None
        side, tie = self._side, self._tie
        if side < 0:
            self._extreme = max(self._extreme, bar.high)
            level = self._high
        else:
            self._extreme = min(self._extreme, bar.low)
            level = self._low
        inside = side * (bar.close - level) > tie
        if not (inside and side * (bar.close - bar.open) > tie):
            return None
        self._phase = _SPENT
        return Signal(
            side=side,
            stop=self._extreme - side * self._stop_by,
            target_r=1.0,
            note=f"sweep of {level:.10g} to {self._extreme:.10g}",
        )

    def state(self) -> dict[str, Any]:
        """Return all that later answers depend on, as JSON values."""
        return {
            "atr": self._atr.state(),
            "date": self._date.state(),
            "phase": self._phase,
            "bars": self._bars,
            "high": self._high,
            "low": self._low,
            "side": self._side,
            "swept_ns": self._swept_ns,
            "extreme": self._extreme,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take back what ``state`` returned."""
        self._atr.restore(state["atr"])
        self._date.restore(state["date"])
        self._phase = int(state["phase"])
        self._bars = int(state["bars"])
        self._high = float(state["high"])
        self._low = float(state["low"])
        self._side = int(state["side"])
        self._swept_ns = int(state["swept_ns"])
        self._extreme = float(state["extreme"])
