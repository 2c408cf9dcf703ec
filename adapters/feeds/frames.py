"""Frames: what every wire codec does before it knows the venue: sizes, JSON, numbers, instants.

Pure and strict: what is not exactly a finite number, an instant of this age or a possible bar
raises ``FrameError`` with a short text. Nothing is repaired.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import date
from functools import lru_cache
from typing import Final, TypeVar

import msgspec

from adapters.feeds.wire import FrameError
from adapters.redaction import BLOT, redacted
from state.bars import Bar, impossible
from state.units import DAY_NS, EPOCH_ORDINAL, SECOND_NS

LONGEST_FRAME: Final = 256 * 1024
"""Bytes of a frame; the largest that venues document (a batch of trades) has a quarter of it."""
LONGEST_BODY: Final = 8 * 1024 * 1024
"""Bytes of a history answer; 5,000 candles have about one and a half million."""
LONGEST_TEXT: Final = 80
HIGHEST_PRICE: Final = 1e15
"""Prices are below it, so that sums and mids of them stay finite."""

FIRST_NS: Final = 946_684_800 * SECOND_NS
LAST_NS: Final = 7_258_118_400 * SECOND_NS
"""Years 2000 to 2199. A stamp outside is in another unit than the venue documents."""
_NUMBER: Final = re.compile(r"-?[0-9]{1,30}(?:\.[0-9]{0,30})?(?:[eE][+-]?[0-9]{1,3})?").fullmatch
_STAMP: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:[T ]([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9])(?:\.([0-9]{1,9}))?(Z|\+00:00)?)?"
).fullmatch

_TOKEN: Final = re.compile(r"\b(?=\w*[0-9])(?=\w*[A-Za-z])\w{20,}", re.ASCII)
"""What looks like a key in a frame: nothing that a price message has is so long and so mixed."""

_Message = TypeVar("_Message")


def decoded(
    venue: str,
    decoder: msgspec.json.Decoder[_Message],
    frame: bytes | str,
    longest: int = LONGEST_FRAME,
) -> _Message:
    """Decode one JSON text into the type of ``decoder``.

    Raises:
        FrameError: too long, not UTF-8, not JSON, nested too deep, or of other types.
    """
    if len(frame) > longest:
        raise FrameError(
            f"{venue}: expected at most {longest} bytes, found {len(frame)}: {shown(frame)}"
        )
    try:
        if not frame.isascii():
            # msgspec does not look into what it skips: half a character would pass unseen.
            _ = frame.decode() if isinstance(frame, bytes) else frame.encode()
        return decoder.decode(frame)
    except msgspec.ValidationError as error:
        raise FrameError(
            f"{venue}: expected a message as documented, found {shown(frame)}: "
            f"{str(error)[:LONGEST_TEXT]}"
        ) from error
    except UnicodeError as error:
        raise FrameError(f"{venue}: expected UTF-8, found {shown(frame)}") from error
    except RecursionError as error:
        raise FrameError(
            f"{venue}: expected a flat message, found deep nesting: {shown(frame)}"
        ) from error
    except ValueError as error:
        raise FrameError(f"{venue}: expected JSON, found {shown(frame)}") from error


def shown(value: object) -> str:
    """Quote what was found: at most 80 characters, printable, secrets blotted."""
    if isinstance(value, bytes | bytearray):
        value = bytes(value[: 4 * LONGEST_TEXT]).decode("utf-8", "backslashreplace")
    if isinstance(value, str):
        quoted = ascii(_quiet(value))
    elif isinstance(value, int) and value.bit_length() > 64:
        quoted = f"a whole number of {value.bit_length()} bits"
    elif isinstance(value, int | float) or value is None:
        quoted = repr(value)
    else:
        quoted = f"a {type(value).__name__}"
    return quoted if len(quoted) <= LONGEST_TEXT else quoted[: LONGEST_TEXT - 3] + "..."


def words(text: str) -> str:
    """Return a venue's own words for a person: one line, at most 80 characters, no secret."""
    line = " ".join(_quiet(text).split())
    line = "".join(one if one.isprintable() else "?" for one in line)
    return line if len(line) <= LONGEST_TEXT else line[: LONGEST_TEXT - 3] + "..."


def _quiet(text: str) -> str:
    return _TOKEN.sub(BLOT, redacted(text[: 4 * LONGEST_TEXT]))


def number(value: object, where: str) -> float:
    """Return a finite number out of JSON: a number, or its text as venues write prices.

    Raises:
        FrameError: anything else, ``where`` says of what: NaN, infinity, 1e999, true, "1_0".
    """
    if isinstance(value, str):
        if _NUMBER(value) is None:
            raise FrameError(f"{where}: expected a number, found {shown(value)}")
        found = float(value)
    elif isinstance(value, float):
        found = value
    elif isinstance(value, int) and not isinstance(value, bool) and value.bit_length() <= 64:
        found = float(value)
    else:
        raise FrameError(f"{where}: expected a number, found {shown(value)}")
    if not math.isfinite(found):
        raise FrameError(f"{where}: expected a finite number, found {shown(value)}")
    return found


def price(value: object, where: str) -> float:
    """Return a price: a number above 0 and below 1e15.

    Raises:
        FrameError: it is none.
    """
    found = number(value, where)
    if not 0 < found < HIGHEST_PRICE:
        raise FrameError(f"{where}: expected a price above 0 and below 1e15, found {shown(value)}")
    return found


def size(value: object, where: str) -> float:
    """Return a size or volume: a number of at least 0.

    Raises:
        FrameError: it is none.
    """
    found = number(value, where)
    if found < 0:
        raise FrameError(f"{where}: expected a size of at least 0, found {shown(value)}")
    return found + 0.0  # -0.0 becomes 0.0


def instant_ns(value: int, unit_ns: int, where: str) -> int:
    """Return a count of ``unit_ns`` since 1970 as UTC nanoseconds.

    Raises:
        FrameError: it is not within the years 2000 to 2199, so the unit is another one.
    """
    at_ns = value * unit_ns
    if not FIRST_NS <= at_ns < LAST_NS:
        raise FrameError(
            f"{where}: expected an instant of the years 2000 to 2199, found {shown(value)}"
        )
    return at_ns


def stamp_ns(text: str, where: str, *, zoned: bool) -> int:
    """Read ``2017-01-02T07:00:00.5Z`` as UTC nanoseconds; ``zoned`` False: without the Z.

    A stamp that is not zoned may be a bare date, which is the start of its day.

    Raises:
        FrameError: it is no such stamp, or not within the years 2000 to 2199.
    """
    match = _STAMP(text)
    if match is None or (match[6] is not None) != zoned:
        zone = "in UTC ending in Z" if zoned else "without a zone"
        raise FrameError(f"{where}: expected a time {zone}, found {shown(text)}")
    try:
        at_ns = _day_ns(match[1])
    except ValueError as error:
        raise FrameError(f"{where}: expected a day that exists, found {shown(text)}") from error
    if match[2] is not None:
        at_ns += ((int(match[2]) * 60 + int(match[3])) * 60 + int(match[4])) * SECOND_NS
        at_ns += int((match[5] or "0").ljust(9, "0"))
    return instant_ns(at_ns, 1, where)


@lru_cache(maxsize=64)
def _day_ns(text: str) -> int:
    return (date.fromisoformat(text).toordinal() - EPOCH_ORDINAL) * DAY_NS


def bar(
    open_ns: int,
    interval_ns: int,
    prices: tuple[object, object, object, object],
    volume: object,
    where: str,
) -> Bar:
    """Make a bar of open, high, low, close as they came; ``volume`` None: the source has none.

    Raises:
        FrameError: a price is no price, or the four cannot be a bar; the reason code is named.
    """
    open_, high, low, close = [price(one, where) for one in prices]
    reason = impossible(open_, high, low, close)
    if reason is not None:
        raise FrameError(
            f"{where}: expected a possible bar, found {reason}: "
            f"open {open_!r}, high {high!r}, low {low!r}, close {close!r}"
        )
    traded = math.nan if volume is None else size(volume, where)
    return Bar(open_ns, open_ns + interval_ns, open_, high, low, close, traded)


def ascending(bars: Iterable[Bar], where: str) -> list[Bar]:
    """Return bars of one answer as a list, oldest first.

    Raises:
        FrameError: one does not open at or after the close of the one before it.
    """
    found: list[Bar] = []
    end_ns = 0
    for one in bars:
        if one.open_ns < end_ns:
            raise FrameError(
                f"{where}: expected bars oldest first, found one that opens at {one.open_ns} ns "
                f"before {end_ns} ns"
            )
        found.append(one)
        end_ns = one.close_ns
    return found
