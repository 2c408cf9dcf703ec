"""Stamps: from the ways files write time to nanoseconds, one by one and in columns.

The scalar functions are the rule; the columnar one must agree with them (a property test says so).
No zones here: wall time is counted as if it were UTC, ``zones`` makes instants of it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from state.units import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS

_ISO: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)"
    r"(?:[T ](\d\d)(?::(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?)?)?"
    r"(Z|[+-]\d\d(?::?\d\d)?)?",
    re.ASCII,
)
_WHOLE: Final = re.compile(r"\d{1,19}", re.ASCII)
_FIRST_YEAR, _LAST_YEAR = 1678, 2261
"""Years whose instants fit 64 bits of nanoseconds."""
_LETTERS: Final = "YMDhms"


def iso_ns(text: str) -> tuple[int, bool] | None:
    """Read an ISO 8601 stamp: (ns, whether it carried an offset), None when it is none.

    ``2017-01-02``, ``2017-01-02 07:00``, ``2017-01-02T07:00:00.000Z``, ``...+05:30``.
    """
    match = _ISO.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction, offset = match.groups()
    at = _civil_ns(
        int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0)
    )
    if at is None:
        return None
    at += int((fraction or "0").ljust(9, "0"))
    if offset is None:
        return at, False
    if hour is None:
        return None
    return at - _offset_ns(offset), True


def epoch_ns(text: str, unit_ns: int) -> int | None:
    """Read a whole number of units since 1970, None when it is none or does not fit 64 bits."""
    if _WHOLE.fullmatch(text) is None:
        return None
    at = int(text) * unit_ns
    return at if at < (1 << 63) else None


def template_ns(texts: Sequence[str], templates: Sequence[str]) -> int | None:
    """Read a stamp written in one or two columns by templates such as ``YYYY.MM.DD``.

    A letter of ``YMDhms`` stands for a digit of that part; all else stands for itself.
    """
    total = 0
    for text, template in zip(texts, templates, strict=True):
        match = _pattern(template).fullmatch(text)
        if match is None:
            return None
        part = {key: int(value) for key, value in match.groupdict().items()}
        at = _civil_ns(
            part.get("Y", 1970),
            part.get("M", 1),
            part.get("D", 1),
            part.get("h", 0),
            part.get("m", 0),
            part.get("s", 0),
        )
        if at is None:
            return None
        total += at
    return total


def template_column(text: NDArray[np.uint8], template: str) -> NDArray[np.int64] | None:
    """Read a whole column by template; ``text`` is (n, len(template)). None when any row fails."""
    fields: dict[str, NDArray[np.int64]] = {}
    digits = text - np.uint8(48)
    for place, letter in enumerate(template):
        if letter not in _LETTERS:
            if not bool(np.all(text[:, place] == ord(letter))):
                return None
            continue
        column = digits[:, place]
        if not bool(np.all(column < 10)):
            return None
        value = column.astype(np.int64)
        fields[letter] = fields[letter] * 10 + value if letter in fields else value
    return _columns_ns(fields, len(text))


def _columns_ns(fields: dict[str, NDArray[np.int64]], n: int) -> NDArray[np.int64] | None:
    at = np.zeros(n, np.int64)
    for letter, unit, limit in (("h", HOUR_NS, 24), ("m", MINUTE_NS, 60), ("s", SECOND_NS, 60)):
        if letter in fields:
            if not bool(np.all(fields[letter] < limit)):
                return None
            at += fields[letter] * unit
    if "Y" in fields:
        year, month, day = fields["Y"], fields["M"], fields["D"]
        if not bool(
            np.all((year >= _FIRST_YEAR) & (year <= _LAST_YEAR) & (month >= 1) & (month <= 12))
        ):
            return None
        months = (year - 1970) * 12 + (month - 1)
        first = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
        after = (months + 1).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
        if not bool(np.all((day >= 1) & (day <= after - first))):
            return None
        at += (first + day - 1) * DAY_NS
    return at


@lru_cache(maxsize=16)
def _pattern(template: str) -> re.Pattern[str]:
    parts: list[str] = []
    place = 0
    while place < len(template):
        letter = template[place]
        run = len(template[place:]) - len(template[place:].lstrip(letter))
        if letter in _LETTERS:
            parts.append(rf"(?P<{letter}>\d{{{run}}})")
        else:
            parts.append(re.escape(letter * run))
        place += run
    return re.compile("".join(parts), re.ASCII)


def _civil_ns(year: int, month: int, day: int, hour: int, minute: int, second: int) -> int | None:
    if not _FIRST_YEAR <= year <= _LAST_YEAR:
        return None
    try:
        moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    return int(moment.timestamp()) * SECOND_NS


def _offset_ns(text: str) -> int:
    if text == "Z":
        return 0
    size = int(text[1:3]) * HOUR_NS + int(text[3:].lstrip(":") or 0) * MINUTE_NS
    return size if text[0] == "+" else -size
