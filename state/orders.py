"""The life of an order, as a table.

Rules. A request is not an order: ``RECORDED`` and ``SUBMITTED`` are in flight. Silence is not a
refusal: ``UNKNOWN`` ends only by evidence. A terminal state absorbs, except a late fill, which is
applied and alarms.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec


class OrderState(StrEnum):
    """Where an order is in its life."""

    RECORDED = "RECORDED"
    SUBMITTED = "SUBMITTED"
    WORKING = "WORKING"
    PARTIAL = "PARTIAL"
    UNKNOWN = "UNKNOWN"
    FILLED = "FILLED"
    CANCELLED = "CANCELLED"
    REJECTED = "REJECTED"


class OrderEvent(StrEnum):
    """What can happen to an order."""

    SUBMIT = "SUBMIT"
    ACCEPT = "ACCEPT"
    PART = "PART"
    FILL = "FILL"
    CANCEL = "CANCEL"
    REJECT = "REJECT"
    LOSE = "LOSE"


_S, _E = OrderState, OrderEvent
TERMINAL: Final = frozenset({_S.FILLED, _S.CANCELLED, _S.REJECTED})
ENDED_KEPT: Final = 32
"""How many orders that were cancelled or rejected are remembered, for fills that come late."""
TRANSITIONS: Final[dict[tuple[OrderState, OrderEvent], OrderState]] = {
    (_S.RECORDED, _E.SUBMIT): _S.SUBMITTED,
    # Evidence may come before the submission was noted down.
    (_S.RECORDED, _E.ACCEPT): _S.WORKING,
    (_S.RECORDED, _E.PART): _S.PARTIAL,
    (_S.RECORDED, _E.FILL): _S.FILLED,
    (_S.RECORDED, _E.CANCEL): _S.CANCELLED,
    (_S.RECORDED, _E.REJECT): _S.REJECTED,
    (_S.RECORDED, _E.LOSE): _S.UNKNOWN,
    (_S.SUBMITTED, _E.ACCEPT): _S.WORKING,
    (_S.SUBMITTED, _E.PART): _S.PARTIAL,
    (_S.SUBMITTED, _E.FILL): _S.FILLED,
    (_S.SUBMITTED, _E.CANCEL): _S.CANCELLED,
    (_S.SUBMITTED, _E.REJECT): _S.REJECTED,
    (_S.SUBMITTED, _E.LOSE): _S.UNKNOWN,
    (_S.WORKING, _E.PART): _S.PARTIAL,
    (_S.WORKING, _E.FILL): _S.FILLED,
    (_S.WORKING, _E.CANCEL): _S.CANCELLED,
    (_S.WORKING, _E.REJECT): _S.REJECTED,
    (_S.WORKING, _E.LOSE): _S.UNKNOWN,
    (_S.PARTIAL, _E.PART): _S.PARTIAL,
    (_S.PARTIAL, _E.FILL): _S.FILLED,
    (_S.PARTIAL, _E.CANCEL): _S.CANCELLED,
    (_S.PARTIAL, _E.LOSE): _S.UNKNOWN,
    (_S.UNKNOWN, _E.ACCEPT): _S.WORKING,
    (_S.UNKNOWN, _E.PART): _S.PARTIAL,
    (_S.UNKNOWN, _E.FILL): _S.FILLED,
    (_S.UNKNOWN, _E.CANCEL): _S.CANCELLED,
    (_S.UNKNOWN, _E.REJECT): _S.REJECTED,
}


class Intent(msgspec.Struct, frozen=True):
    """What will be sent to a broker, durable before the first byte.

    ``intent_id`` (at most 20 alphanumerics) is the client order id. ``purpose`` is ``entry`` or
    ``exit``; ``trade_id`` is the intent id of the trade's entry. ``lots`` > 0; ``side`` is that of
    this order. ``trigger_ticks`` makes it a stop-entry order, None a market order.

    The bracket (entries only): ``stop_ticks`` or ``stop_distance`` (price units, from the fill),
    and one of ``target_ticks``, ``target_distance``, ``target_r`` or none. The stop trails the
    closes at ``trail_distance`` (price units), or at ``trail_r`` x |fill - stop|; unset: it stays.

    ``decided_ns`` is the instant T of the decision and ``day`` the trading day at T. A market order
    fills at the open of the next bar when it opens at most ``interval_ns`` after T. ``reference``
    is the deciding close or the trigger, before costs. ``until_ns`` is the last-entry time
    (exclusive), ``time_stop_ns`` the instant of the time-stop; both NEVER_NS where there is none.
    ``slippage`` is the slippage per side in price units fixed at T, and ``min_stop`` the smallest
    legal |fill - stop|. ``reason`` is why an exit happens (``TIME`` ...).
    """

    intent_id: str
    purpose: str
    trade_id: str
    symbol: str
    strategy: str
    interval_ns: int
    side: int
    lots: int
    decided_ns: int
    day: int
    reference: float = 0.0
    trigger_ticks: int | None = None
    limit_ticks: int | None = None
    stop_ticks: int | None = None
    stop_distance: float | None = None
    target_ticks: int | None = None
    target_distance: float | None = None
    target_r: float | None = None
    until_ns: int = (1 << 63) - 1
    time_stop_ns: int = (1 << 63) - 1
    slippage: float = 0.0
    min_stop: float = 0.0
    reason: str = ""
    trail_distance: float | msgspec.UnsetType = msgspec.UNSET
    trail_r: float | msgspec.UnsetType = msgspec.UNSET

    @property
    def is_resting(self) -> bool:
        """Whether the order waits for a level (stop-entry or limit), not for the next open."""
        return self.trigger_ticks is not None or self.limit_ticks is not None
