"""What a broker tells: executions, and other news of an order."""

from __future__ import annotations

from typing import Protocol

import msgspec


class Execution(msgspec.Struct, frozen=True):
    """A fill as the broker reports it, before the desk turns it into money.

    ``symbol`` is the instrument that it is of. ``leg`` is ``entry``, ``stop``, ``target`` or
    ``exit``. ``side`` is that of the execution. ``price`` is before costs, ``fill_ticks`` after;
    ``spread`` and ``slippage`` are what both cost in price units (>= 0). ``filled_ns`` is the
    stamp, ``bar_open_ns`` the open of the bar. ``at_open`` says that a market order met an open (or
    a quote), so that the stamp itself gives the trading day; otherwise the bar's open does.
    """

    execution_id: str
    intent_id: str
    trade_id: str
    symbol: str
    leg: str
    side: int
    lots: int
    price: float
    fill_ticks: int
    filled_ns: int
    bar_open_ns: int
    spread: float
    slippage: float
    at_open: bool
    reason: str
    venue: str = "paper"
    account: str = "paper"


class OrderNews(msgspec.Struct, frozen=True):
    """Something other than a fill: ``event`` is ACCEPT, CANCEL, REJECT or LOSE; ``code`` why."""

    intent_id: str
    event: str
    code: str = ""


BrokerEvent = Execution | OrderNews


class Named(Protocol):
    """What names an execution: told by a broker, or in a journal."""

    @property
    def venue(self) -> str:
        """Where it happened."""

    @property
    def account(self) -> str:
        """Whose it is there."""

    @property
    def symbol(self) -> str:
        """The instrument."""

    @property
    def execution_id(self) -> str:
        """The venue's own name for it."""


class Told(Protocol):
    """What an execution is, by whatever name."""

    @property
    def intent_id(self) -> str:
        """The order that it is of."""

    @property
    def side(self) -> int:
        """+1 or -1."""

    @property
    def lots(self) -> int:
        """How much."""

    @property
    def fill_ticks(self) -> int:
        """At what price after costs."""


def identity(one: Named) -> str:
    """Return what an execution is known by: ``venue|account|symbol|execution id``.

    Venues number their executions for themselves, many of them anew for each symbol. Nothing but
    the last part may hold a ``|``.
    """
    return f"{one.venue}|{one.account}|{one.symbol}|{one.execution_id}"


def told(one: Told) -> str:
    """Return what an execution says, in one line: told again, it must say the same."""
    return f"{one.intent_id} {one.side} x {one.lots} at {one.fill_ticks}"
