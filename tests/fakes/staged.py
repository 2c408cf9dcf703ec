# ruff: noqa: D102, D107 - what the methods do is the protocol's
"""A strategy that wishes what its script says, bar by bar, and knows the bar by counting.

So it has a state that matters: whoever forgets it wishes other things.
"""

from __future__ import annotations

from typing import Any

import msgspec

from daemon.core.strategy import Context, Strategy
from state.bars import Bar
from state.signals import Action, CancelEntry, Exit, Signal


class Script(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is wished when.

    ``script`` is ``bar:word`` pairs joined by commas, bars counted from 1; words are long, short,
    buy_stop, sell_stop, exit, cancel and raise. ``every`` n > 0 wishes ``side`` at every n-th bar
    that has no word. Distances in pips; ``target_r`` 0: no target.
    """

    script: str = ""
    every: int = 0
    side: int = 1
    stop_pips: float = 10.0
    trigger_pips: float = 2.0
    target_r: float = 1.0


class Staged(Strategy):
    """Wishes by bar number."""

    Params = Script

    def __init__(self, context: Context, params: msgspec.Struct) -> None:
        super().__init__(context, params)
        assert isinstance(params, Script)
        self._script = params
        pairs = (one.split(":") for one in params.script.split(",") if one)
        self._words = {int(number): word for number, word in pairs}
        self._count = 0

    def on_bar(self, bar: Bar, in_window: bool) -> Action | None:
        self._count += 1
        script = self._script
        word = self._words.get(self._count, "")
        if word == "raise":
            raise ZeroDivisionError("a range of zero")
        if word == "exit":
            return Exit("STAGED")
        if word == "cancel":
            return CancelEntry("staged")
        if word:
            return self._entry(bar, 1 if word in ("long", "buy_stop") else -1, "stop" in word)
        if script.every and self._count % script.every == 0:
            return self._entry(bar, script.side, is_resting=False)
        return None

    def _entry(self, bar: Bar, side: int, is_resting: bool) -> Signal:
        pip, script = self.context.pip, self._script
        trigger = bar.close + side * script.trigger_pips * pip if is_resting else None
        return Signal(
            side,
            trigger=trigger,
            stop_distance=script.stop_pips * pip,
            target_r=script.target_r or None,
            note=f"bar {self._count}",
        )

    def state(self) -> dict[str, Any]:
        return {"count": self._count}

    def restore(self, state: dict[str, Any]) -> None:
        self._count = int(state["count"])
