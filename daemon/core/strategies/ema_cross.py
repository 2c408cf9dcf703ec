"""EMA cross: trade the sign change of EMA(fast) - EMA(slow) with ATR stop and target.

Source: MISSION, EMA cross. The arithmetic of the indicators is written out in ``on_bar`` (bit for
bit that of ``daemon.core.indicators``, a test holds it there): it is the hottest path of a replay.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import msgspec

from daemon.core.strategy import Context, Strategy
from state.bars import Bar
from state.signals import Signal

FLAT = 1e-9
"""The averages count as equal while they differ by at most this fraction of the close."""

_Period = Annotated[int, msgspec.Meta(ge=1, le=100_000)]
_Multiple = Annotated[float, msgspec.Meta(gt=0, le=1000)]


class EmaCrossParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Parameters of EMA cross.

    ``fast``, ``slow``, ``atr`` are periods in bars; ``stop_atr`` and ``target_atr`` distances from
    the entry fill in ATRs of the deciding bar; ``warmup`` bars at the start do not trade.
    """

    fast: _Period = 20
    slow: _Period = 50
    atr: _Period = 14
    stop_atr: _Multiple = 1.0
    target_atr: _Multiple = 2.0
    warmup: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 100

    def __post_init__(self) -> None:
        """Refuse a fast average that is not faster."""
        if self.fast >= self.slow:
            raise ValueError(f"fast must be below slow, found fast {self.fast}, slow {self.slow}")


class EmaCross(Strategy):
    """Enters at market when the fast average crosses the slow one, any number a date."""

    __slots__ = (
        "_atr",
        "_atr_a",
        "_atr_b",
        "_close",
        "_count",
        "_fast",
        "_fast_a",
        "_fast_b",
        "_sign",
        "_slow",
        "_slow_a",
        "_slow_b",
        "_stop_atr",
        "_target_atr",
        "_warmup",
    )

    Params: ClassVar[type[msgspec.Struct]] = EmaCrossParams
    warmup_bars: ClassVar[int] = 100

    def __init__(self, context: Context, params: EmaCrossParams) -> None:
        """Start before the first bar."""
        super().__init__(context, params)
        self._fast_a = 2.0 / (params.fast + 1)
        self._fast_b = 1.0 - self._fast_a
        self._slow_a = 2.0 / (params.slow + 1)
        self._slow_b = 1.0 - self._slow_a
        self._atr_a = 1.0 / params.atr
        self._atr_b = 1.0 - self._atr_a
        self._stop_atr = params.stop_atr
        self._target_atr = params.target_atr
        self._warmup = params.warmup
        self._fast = self._slow = self._atr = self._close = 0.0
        self._count = 0
        self._sign = 0

    def on_bar(self, bar: Bar, in_window: bool) -> Signal | None:
        """Move the averages by one bar and answer a cross that happens in a window."""
        close = bar.close
        count = self._count
        self._count = count + 1
        if not count:
            self._fast = self._slow = self._close = close
            self._atr = bar.high - bar.low
            return None
        last = self._close
        self._close = close
        # The true range; high >= low makes the other signs of |x - last| no larger than it.
        high, low = bar.high, bar.low
        span = high - low
        if high - last > span:
            span = high - last
        elif last - low > span:
            span = last - low
        self._atr = self._atr_a * span + self._atr_b * self._atr
        self._fast = fast = self._fast_a * close + self._fast_b * self._fast
        self._slow = slow = self._slow_a * close + self._slow_b * self._slow
        gap = fast - slow
        if gap > 0.0:
            if self._sign > 0:
                return None
        elif self._sign < 0:
            return None
        return self._turn(gap, close, in_window)

    def _turn(self, gap: float, close: float, in_window: bool) -> Signal | None:
        """Note the sign of the averages' difference; called unless it surely is the old one."""
        if -FLAT * close <= gap <= FLAT * close:
            return None
        side = 1 if gap > 0 else -1
        before, self._sign = self._sign, side
        if not before or not in_window or self._count <= self._warmup:
            return None
        atr = self._atr
        return Signal(
            side=side,
            stop_distance=self._stop_atr * atr,
            target_distance=self._target_atr * atr,
            note="cross up" if side > 0 else "cross down",
        )

    def state(self) -> dict[str, Any]:
        """Return all that later answers depend on, as JSON values."""
        return {
            "count": self._count,
            "close": self._close,
            "fast": self._fast,
            "slow": self._slow,
            "atr": self._atr,
            "sign": self._sign,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take back what ``state`` returned."""
        self._count = int(state["count"])
        self._close = float(state["close"])
        self._fast = float(state["fast"])
        self._slow = float(state["slow"])
        self._atr = float(state["atr"])
        self._sign = int(state["sign"])
