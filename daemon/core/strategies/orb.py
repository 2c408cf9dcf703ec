"""ORB, opening-range breakout: trade the break of the window's first bar, with the trend.

Source: MISSION, ORB. One signal a date; the first one spends the date, whatever becomes of it.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import msgspec

from daemon.core.indicators import Ema
from daemon.core.strategies.civil_day import day_of
from daemon.core.strategies.ema_cross import FLAT
from daemon.core.strategy import Context, Strategy
from state.bars import Bar
from state.signals import Signal

_WAITING, _RANGED, _BROKEN, _SPENT = range(4)

_Pips = Annotated[float, msgspec.Meta(ge=0, le=1_000_000)]


class OrbParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Parameters of ORB, distances in pips.

    The range must be at least ``min_range_pips`` high; a close ``break_pips`` beyond it is the
    break. With ``retest`` the entry waits for a bar that comes back within ``retest_pips`` of the
    broken edge and closes beyond it. The stop is ``stop_pips`` beyond the other edge.
    """

    min_range_pips: _Pips = 4.0
    break_pips: _Pips = 3.0
    retest: bool = False
    retest_pips: _Pips = 2.0
    stop_pips: _Pips = 1.0


class Orb(Strategy):
    """Trades the break of the window's first bar, in the direction of EMA 20 and 50."""

    Params: ClassVar[type[msgspec.Struct]] = OrbParams
    warmup_bars: ClassVar[int] = 100

    def __init__(self, context: Context, params: OrbParams) -> None:
        """Start before the first bar.

        Raises:
            ConfigError: the windows are not one a day in one zone, within a date.
        """
        super().__init__(context, params)
        pip = context.pip
        self._tie = context.tie
        self._min_range = params.min_range_pips * pip
        self._break = params.break_pips * pip
        self._retest = params.retest
        self._retest_by = params.retest_pips * pip
        self._stop_by = params.stop_pips * pip
        self._date = day_of(context.schedule, "ORB", context.symbol, 0)
        self._fast = Ema(20)
        self._slow = Ema(50)
        self._phase = _WAITING
        self._high = self._low = 0.0
        self._side = 0

    def on_bar(self, bar: Bar, in_window: bool) -> Signal | None:
        """Move the averages by one bar and take at most one step inside the window."""
        close = bar.close
        self._fast.update(close)
        self._slow.update(close)
        if bar.open_ns >= self._date.end_ns:
            self._date.begin(bar.open_ns)
            self._phase = _WAITING
        if not in_window or self._phase == _SPENT:
            return None
        if self._phase == _WAITING:
            self._open_range(bar)
            return None
        if self._phase == _RANGED:
            return self._look_for_break(close)
        return self._look_for_retest(bar)

    def _open_range(self, bar: Bar) -> None:
        self._high, self._low = bar.high, bar.low
        wide = self._high - self._low - self._min_range > -self._tie
        self._phase = _RANGED if wide else _SPENT

    def _look_for_break(self, close: float) -> Signal | None:
        floor = -self._tie
        if close - (self._high + self._break) > floor:
            side = 1
        elif (self._low - self._break) - close > floor:
            side = -1
        else:
            return None
        trend = self._fast.value - self._slow.value
        if side * trend <= FLAT * close:
            self._phase = _SPENT
            return None
        self._side = side
        if self._retest:
            self._phase = _BROKEN
            return None
        return self._signal("break")

    def _look_for_retest(self, bar: Bar) -> Signal | None:
        if self._side > 0:
            back = (self._high + self._retest_by) - bar.low > -self._tie
            beyond = bar.close - self._high > self._tie
        else:
            back = bar.high - (self._low - self._retest_by) > -self._tie
            beyond = self._low - bar.close > self._tie
        return self._signal("retest") if back and beyond else None

    def _signal(self, what: str) -> Signal:
        self._phase = _SPENT
        edge = self._low if self._side > 0 else self._high
        return Signal(
            side=self._side,
            stop=edge - self._side * self._stop_by,
            target_r=1.0,
            note=f"{what} of {self._low:.10g}-{self._high:.10g}",
        )

    def state(self) -> dict[str, Any]:
        """Return all that later answers depend on, as JSON values."""
        return {
            "fast": self._fast.state(),
            "slow": self._slow.state(),
            "date": self._date.state(),
            "phase": self._phase,
            "high": self._high,
            "low": self._low,
            "side": self._side,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take back what ``state`` returned."""
        self._fast.restore(state["fast"])
        self._slow.restore(state["slow"])
        self._date.restore(state["date"])
        self._phase = int(state["phase"])
        self._high = float(state["high"])
        self._low = float(state["low"])
        self._side = int(state["side"])
