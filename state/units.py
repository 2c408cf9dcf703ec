"""Units that the whole project shares: time in UTC nanoseconds, sides, money.

Nothing here reads a clock or rounds silently: rounding happens in the one function that says so.
"""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from functools import lru_cache
from typing import Final

SECOND_NS: Final = 1_000_000_000
MINUTE_NS: Final = 60 * SECOND_NS
HOUR_NS: Final = 60 * MINUTE_NS
DAY_NS: Final = 24 * HOUR_NS
NEVER_NS: Final = (1 << 63) - 1
"""An instant after every other one: 'no alarm', 'no end'."""

LONG: Final = 1
SHORT: Final = -1

EPOCH_ORDINAL: Final = 719_163
"""``date(1970, 1, 1).toordinal()``: a day number is a proleptic ordinal, as in ``datetime``."""

MONEY_PLACES: Final = 8
"""Decimal places of an amount."""

_CENTS = Decimal(1).scaleb(-MONEY_PLACES)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def money(value: Decimal | int | str) -> Decimal:
    """Round an amount half-even to 8 places, the one rounding of cash and fees."""
    return Decimal(value).quantize(_CENTS, rounding=ROUND_HALF_EVEN)


def part_of(lots: int, fraction: float) -> int:
    """Return a fraction of whole lots, rounded down, at least one.

    >>> part_of(100, 0.29)  # 0.29 * 100 is 28.999... in binary
    29
    """
    return max(1, math.floor(lots * fraction + 1e-9))


def side_name(side: int) -> str:
    """Return ``long`` or ``short`` for +1 or -1."""
    return "long" if side > 0 else "short"


@lru_cache(maxsize=256)
def utc_text(at_ns: int) -> str:
    """Write an instant as ISO 8601 in UTC, with as many decimals as it needs (0, 3, 6 or 9).

    The last few are remembered: many speak of one instant.

    >>> utc_text(0)
    '1970-01-01T00:00:00Z'
    """
    day, rest = divmod(at_ns, DAY_NS)
    second, rest = divmod(rest, SECOND_NS)
    minute, second = divmod(second, 60)
    text = f"{day_text(day + EPOCH_ORDINAL)}T{minute // 60:02d}:{minute % 60:02d}:{second:02d}"
    if rest:
        digits = f"{rest:09d}"
        text += "." + (
            digits[:3] if rest % 1_000_000 == 0 else digits[:6] if rest % 1000 == 0 else digits
        )
    return text + "Z"


def utc_ns(moment: datetime) -> int:
    """Turn an aware datetime into UTC nanoseconds, exactly.

    Raises:
        ValueError: the datetime is naive.
    """
    if moment.tzinfo is None:
        raise ValueError(f"expected a datetime with a time zone, found the naive {moment}")
    delta = moment.astimezone(UTC) - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * SECOND_NS + delta.microseconds * 1000


@lru_cache(maxsize=64)
def day_text(day: int) -> str:
    """Write a day number (proleptic ordinal) as ``YYYY-MM-DD``; the last few are remembered."""
    return date.fromordinal(day).isoformat()
