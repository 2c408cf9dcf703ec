"""A scene killed and brought back: what is kept of one is given to another, wired anew.

What is not kept is gone: every object of the dead scene, and whatever it had not recorded.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

import msgspec

from daemon.core.supervisors.drawdown import DrawdownWatch
from daemon.runtime.stepper_state import StepperState
from state import codec
from state.entries import Entry
from state.ledger import apply
from state.portfolio import Portfolio
from tests.stepping import ListSink, Scene


class Killed(Exception):
    """Stands for SIGKILL."""


class FailingSink(ListSink):
    """Keeps every entry and its bytes, and may die between two batches.

    ``left`` batches are recorded before it dies, None: all; ``dies_after`` says that the last one
    is recorded and nobody told. While ``tail`` has entries recorded before, what comes is held to
    them (REC-5).
    """

    def __init__(self) -> None:
        """Begin empty."""
        super().__init__()
        self.recorded: list[bytes] = []
        self.tail: deque[bytes] = deque()
        self.left: int | None = None
        self.dies_after = False
        self.seq = 0

    async def extend(self, entries: Sequence[Entry], *, follows: bool = True) -> int:
        """Record a batch, or hold it to what was recorded."""
        for entry in entries:
            payload = codec.encode(entry)
            if self.tail:
                assert payload == self.tail.popleft(), "decided otherwise after a restart"
            else:
                self._die_when_due()
                self.recorded.append(payload)
                self.entries.append(entry)
            self.seq += 1
        if self.left == 0 and self.dies_after:
            raise Killed
        if self.left is not None:
            self.left -= 1
        return self.seq

    def rewind(self, seq: int) -> None:
        """Go on after entry ``seq``: what was recorded after it is to be decided again."""
        self.tail, self.seq = deque(self.recorded[seq:]), seq
        self.left = None

    def _die_when_due(self) -> None:
        if self.left == 0 and not self.dies_after:
            raise Killed


class Kept(msgspec.Struct):
    """What a snapshot holds beside the portfolio."""

    stepper: StepperState
    timers: tuple[int, int]
    engines: dict[str, Any]
    series: dict[tuple[str, int], Any]
    books: dict[tuple[str, int], bytes]
    drawdown: dict[str, Any]


def keep(scene: Scene, drawdown: DrawdownWatch, now_ns: int) -> Kept:
    """Return all that later decisions depend on, between two instants."""
    return Kept(
        scene.stepper.state(now_ns),
        scene.timers.state(),
        {key: engine.state() for key, engine in scene.desk.engines.items()},
        {series.key: series.state() for series in scene.market.series},
        {key: book.state() for key, book in scene.broker.books.items()},
        drawdown.state(),
    )


def revive(scene: Scene, drawdown: DrawdownWatch, kept: Kept, portfolio: Portfolio) -> None:
    """Give a scene that is wired anew what was kept, and the portfolio that the journal makes."""
    for name in portfolio.__struct_fields__:
        setattr(scene.portfolio, name, getattr(portfolio, name))
    scene.timers.restore(kept.timers)
    drawdown.restore(kept.drawdown)
    for key, engine in scene.desk.engines.items():
        engine.restore(kept.engines[key])
        engine.quarantined = key in portfolio.quarantined
    for series in scene.market.series:
        series.restore(kept.series[series.key])
    for key_, book in scene.broker.books.items():
        book.restore(kept.books[key_])
    scene.has_begun = True
    scene.stepper.resume(kept.stepper)


def folded(payloads: Sequence[bytes]) -> Portfolio:
    """Return the portfolio that recorded entries make."""
    portfolio = Portfolio()
    for seq, payload in enumerate(payloads, start=1):
        apply(portfolio, seq, codec.decode(payload))
    return portfolio
