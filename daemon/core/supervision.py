"""The three faces of a supervisor, and what a gate is told.

*before*: a ``Gate`` answers for one intent. *after*: a ``Watch`` looks at the portfolio after the
fills and marks of an instant and may halt. *at*: an ``Alarm`` names its next instant. A policy
never raises, never mutates what it is given, never calls another policy, and reads no clock.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Final, Protocol

import msgspec

from state.bars import Bar
from state.entries import Entry
from state.portfolio import Portfolio
from state.signals import Signal
from state.verdicts import Verdict


class Sizing(msgspec.Struct, frozen=True):
    """The size of an entry, or why there is none.

    ``lots`` 0 means refused, then ``code`` says why. ``risk`` is base currency for these lots from
    the deciding close (or trigger) to the stop, without costs. ``observed`` and ``limit`` show the
    arithmetic.
    """

    lots: int
    risk: Decimal
    code: str
    observed: str
    limit: str


class Question(msgspec.Struct):
    """One wish to enter, and everything prepared that gates may look at.

    Amounts are base currency, None where a price or a conversion rate is missing. ``positions`` and
    ``positions_symbol`` count open positions plus entry orders in flight (working or UNKNOWN), and
    ``gross_exposure`` values them all at the last prices, partly filled orders at their whole size.
    ``realised_r`` and ``open_r`` are of the trading day ``day`` for the whole portfolio;
    ``worst_r`` is the sum over open positions and orders in flight of min(0, R at their stop after
    costs), ``this_worst_r`` the same of this entry (negative). ``bar_age_ns`` is T minus the close
    of the symbol's last bar, ``rate_age_ns`` the same of the conversion pair (0 when none is
    needed). ``true_range`` is the deciding bar's and ``atr_before`` the ATR(14) of its series
    before it, price units, 0 while too few bars came. ``bar_in_window`` says whether the deciding
    bar opened in a window of the strategy.
    """

    now_ns: int
    day: int
    symbol: str
    strategy: str
    key: str
    interval_ns: int
    bar: Bar
    bar_in_window: bool
    signal: Signal
    portfolio: Portfolio
    sizing: Sizing
    order_value: Decimal | None
    gross_exposure: Decimal | None
    positions: int
    positions_symbol: int
    has_rate: bool
    true_range: float
    atr_before: float
    bar_age_ns: int
    rate_age_ns: int
    realised_r: float
    open_r: float
    worst_r: float
    this_worst_r: float


class Gate(Protocol):
    """A policy's *before* face."""

    name: str

    def ask(self, question: Question) -> Verdict:
        """Answer for one intent. Never raises, never mutates, calls no other gate."""


class Marks(msgspec.Struct):
    """What a watch looks at, once per instant after fills and marks.

    ``equity`` is cash plus open P&L at mark (base currency, a view); ``realised_r`` and ``open_r``
    are of trading day ``day``.
    """

    now_ns: int
    day: int
    portfolio: Portfolio
    equity: float
    realised_r: float
    open_r: float


NOTHING: Final[tuple[Entry, ...]] = ()
"""What a watch returns when nothing happened: shared, so that looking allocates nothing."""


class Watch(Protocol):
    """A policy's *after* face."""

    name: str

    def look(self, marks: Marks) -> Sequence[Entry]:
        """Return the entries to record: ``HaltSet`` or ``HaltCleared``, most often none."""


class Alarm(Protocol):
    """A policy's *at* face."""

    name: str

    def next_due_ns(self, now_ns: int) -> int:
        """Return the first instant > ``now_ns`` at which it must ring, or NEVER_NS."""


Answer = Callable[[Question], Verdict]
