"""One engine per (symbol, strategy instance): it feeds bars to the strategy and takes its answer.

An engine sees every closed bar of its series, whatever the gates say. It never trades: it hands
the strategy's wish to whoever stepped it.
"""

from __future__ import annotations

import math
from numbers import Integral, Real
from typing import Any, Final

import msgspec

from daemon.core.calendar import Schedule
from daemon.core.overnight import Overnight
from daemon.core.strategy import Strategy
from state.bars import Bar
from state.errors import StrategyError
from state.portfolio import engine_key
from state.signals import Action, CancelEntry, Exit, Signal

AT_END: Final = ("close", "hold", "reduce")
_PRICE: Final = frozenset({float, type(None)})
_MAYBE_PRICE: Final = _PRICE | {msgspec.UnsetType}


class Engine:
    """A strategy on one series.

    ``at_end`` is what happens to an open position at the window's end, ``reduce_fraction`` the part
    that ``reduce`` closes, ``flatten_before_s`` how many seconds earlier. ``params_name`` says
    which parameter set is in force.
    """

    __slots__ = (
        "answer",
        "at_end",
        "edge_ns",
        "flatten_before_s",
        "in_window",
        "interval_ns",
        "key",
        "name",
        "overnight",
        "params_name",
        "quarantined",
        "reduce_fraction",
        "schedule",
        "strategy",
        "symbol",
        "trail_r",
    )

    def __init__(
        self,
        strategy: Strategy,
        name: str,
        *,
        params_name: str = "default",
        at_end: str = "close",
        reduce_fraction: float = 0.5,
        flatten_before_s: int = 0,
        overnight: Overnight | None = None,
        trail_r: float | None = None,
    ) -> None:
        """Bind a strategy instance under its configured name."""
        context = strategy.context
        self.strategy = strategy
        self.name = name
        self.symbol = context.symbol
        self.interval_ns = context.interval_ns
        self.key = engine_key(context.symbol, name)
        self.schedule: Schedule = context.schedule
        self.params_name = params_name
        self.at_end = at_end
        self.reduce_fraction = reduce_fraction
        self.flatten_before_s = flatten_before_s
        self.overnight = overnight
        self.trail_r = trail_r
        self.quarantined = False
        self.in_window = False
        self.edge_ns = -(1 << 63)
        self.answer = strategy.on_bar

    def on_bar(self, bar: Bar) -> Action | None:
        """Feed one closed bar; return the strategy's wish.

        Raises:
            Exception: whatever the strategy raises; the caller quarantines the engine.
        """
        if bar.open_ns >= self.edge_ns:
            self.turn(bar.open_ns)
        return self.answer(bar, self.in_window)

    def turn(self, open_ns: int) -> None:
        """Look at the windows again: ``in_window`` holds until ``edge_ns``."""
        self.in_window = self.schedule.covers(open_ns)
        self.edge_ns = self.schedule.edge_after(open_ns)

    def state(self) -> dict[str, Any]:
        """Return what later answers depend on, as JSON values."""
        return {"strategy": self.strategy.state()}

    def restore(self, state: dict[str, Any]) -> None:
        """Take back what ``state`` returned."""
        self.strategy.restore(state["strategy"])


def checked(wish: object) -> Action:
    """Return a strategy's wish with every field in its own plain type.

    Numbers of other libraries (numpy) become int or float; whatever else the journal could not
    read back is refused before it gets there.

    Raises:
        StrategyError: it is no wish, or a field is of another type.
    """
    if type(wish) is Signal and _is_plain(wish):
        return wish
    if not isinstance(wish, Signal | Exit | CancelEntry):
        raise StrategyError(
            "a strategy answers with a Signal, an Exit, a CancelEntry or None, found "
            f"{repr(wish)[:80]}"
        )
    try:
        plain = msgspec.to_builtins(wish, enc_hook=_plain_number)
        action: Action = msgspec.convert(plain, Action)
        msgspec.json.encode(action)
    except (msgspec.ValidationError, TypeError, ValueError) as error:
        raise StrategyError(
            f"{type(wish).__name__} with a value it cannot have: {error}"
        ) from error
    return action


def _is_plain(signal: Signal) -> bool:
    """Say whether every field has its own type already, as those of most strategies have."""
    return (
        type(signal.side) is int
        and type(signal.note) is str
        and type(signal.trigger) in _PRICE
        and type(signal.limit) in _PRICE
        and type(signal.stop) in _PRICE
        and type(signal.stop_distance) in _PRICE
        and type(signal.target) in _PRICE
        and type(signal.target_distance) in _PRICE
        and type(signal.target_r) in _PRICE
        and type(signal.trail_distance) in _MAYBE_PRICE
        and signal.note.isascii()
    )


def _plain_number(value: object) -> int | float:
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value)
    raise TypeError(f"{repr(value)[:80]} is no number")


def check_signal(signal: Signal) -> None:
    """Refuse a signal that cannot mean anything: a strategy's mistake, not the market's.

    Raises:
        StrategyError: says which field was given what, and what is allowed.
    """
    if signal.side not in (1, -1):
        raise StrategyError(f"a signal's side must be +1 or -1, found {signal.side!r}")
    for name in ("trigger", "limit", "stop", "target"):
        value = getattr(signal, name)
        if value is not None and not (math.isfinite(value) and value > 0):
            raise StrategyError(f"a signal's {name} must be a positive price, found {value!r}")
    for name in ("stop_distance", "target_distance", "target_r"):
        value = getattr(signal, name)
        if value is not None and not (math.isfinite(value) and value >= 0):
            raise StrategyError(f"a signal's {name} must be finite and >= 0, found {value!r}")
    trail = signal.trail_distance
    if isinstance(trail, float) and not (math.isfinite(trail) and trail > 0):
        raise StrategyError(f"a signal's trail_distance must be finite and > 0, found {trail!r}")
    if (signal.stop is None) == (signal.stop_distance is None):
        raise StrategyError("a signal needs exactly one of stop and stop_distance")
    targets = [signal.target, signal.target_distance, signal.target_r]
    if sum(one is not None for one in targets) > 1:
        raise StrategyError("a signal takes at most one of target, target_distance and target_r")
    if signal.trigger is not None and signal.limit is not None:
        raise StrategyError("a signal takes at most one of trigger and limit")
