"""What a strategy is.

A strategy sees every closed bar of its series, in order, and nothing else: no clock, no position,
no other engine. So the same bars give the same actions, and an action at bar t cannot depend on a
later bar (``daemon.core.causality`` proves it for each strategy).
"""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

from daemon.core.calendar import Schedule
from state.bars import Bar
from state.signals import Action


class NoParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Parameters of a strategy that has none."""


class Context(msgspec.Struct, frozen=True):
    """What a strategy instance is told once, when it is made.

    ``interval_ns`` is the length of its bars, ``pip`` and ``tick`` are price differences, ``tie``
    is the tolerance of price comparisons (1e-6 pip), ``schedule`` its windows.
    """

    symbol: str
    interval_ns: int
    pip: float
    tick: float
    tie: float
    schedule: Schedule


class Strategy:
    """Base class of every strategy, built-in or the user's.

    Subclass it, set ``Params`` to a frozen ``msgspec.Struct`` (typed fields with defaults; use
    ``Annotated[float, msgspec.Meta(ge=0)]`` for bounds), build indicators in ``__init__`` and
    answer in ``on_bar``.

    Obligations: ``on_bar`` uses only bars it was given; ``state`` returns everything that later
    answers depend on, as JSON values; ``restore`` of that makes a fresh instance answer as the old
    one would.
    """

    Params: ClassVar[type[msgspec.Struct]] = NoParams
    warmup_bars: ClassVar[int] = 0
    """Bars the strategy needs before its answers mean anything."""

    def __init__(self, context: Context, params: msgspec.Struct) -> None:
        """Keep the context and the validated parameters (an instance of ``Params``)."""
        self.context = context
        self.params = params

    def on_bar(self, bar: Bar, in_window: bool) -> Action | None:
        """Take the next closed bar and answer with an action or None.

        ``in_window`` says whether the bar's *open* lies in one of the strategy's windows.
        """
        raise TypeError(f"{type(self).__name__} has no on_bar(bar, in_window)")

    def state(self) -> dict[str, Any]:
        """Return all that later answers depend on, as JSON values."""
        raise TypeError(f"{type(self).__name__} has no state()")

    def restore(self, state: dict[str, Any]) -> None:
        """Take back what ``state`` returned."""
        raise TypeError(f"{type(self).__name__} has no restore(state)")
