"""What a broker tells: executions, and other news of an order."""

from __future__ import annotations

import msgspec


class Execution(msgspec.Struct, frozen=True):
    """A fill as the broker reports it, before the desk turns it into money.

    ``leg`` is ``entry``, ``stop``, ``target`` or ``exit``. ``side`` is that of the execution.
    ``price`` is before costs, ``fill_ticks`` after; ``spread`` and ``slippage`` are what both cost
    in price units (>= 0). ``filled_ns`` is the stamp, ``bar_open_ns`` the open of the bar.
    ``at_open`` says that a market order met an open (or a quote), so that the stamp itself gives
    the trading day; otherwise the bar's open does.
    """

    execution_id: str
    intent_id: str
    trade_id: str
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


class OrderNews(msgspec.Struct, frozen=True):
    """Something other than a fill: ``event`` is ACCEPT, CANCEL, REJECT or LOSE; ``code`` why."""

    intent_id: str
    event: str
    code: str = ""


BrokerEvent = Execution | OrderNews
