"""What is said about a bar file, and the account of the rows it did not give.

Settings are checked here and nowhere else. Nothing in this module opens a file.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from state.errors import FeedError

DIALECTS: Final = ("foliod", "histdata", "mt5", "binance", "yahoo", "parquet")
PRICES: Final = ("bid", "ask", "mid", "bidask")
STAMPS: Final = ("open", "close")

NOT_FINITE: Final = "NOT_FINITE"
NOT_POSITIVE: Final = "NOT_POSITIVE"
HIGH_TOO_LOW: Final = "HIGH_TOO_LOW"
LOW_TOO_HIGH: Final = "LOW_TOO_HIGH"
DUPLICATE: Final = "DUPLICATE"
UNREADABLE_NUMBER: Final = "UNREADABLE_NUMBER"
UNREADABLE_TIME: Final = "UNREADABLE_TIME"
WRONG_FIELDS: Final = "WRONG_FIELDS"
REASONS: Final = (
    NOT_FINITE,
    NOT_POSITIVE,
    HIGH_TOO_LOW,
    LOW_TOO_HIGH,
    DUPLICATE,
    UNREADABLE_NUMBER,
    UNREADABLE_TIME,
    WRONG_FIELDS,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BarFileSpec:
    """What the operator says of one bar file.

    ``price`` says what the file's open..close are: ``bid``, ``ask``, ``mid``, or ``bidask`` when
    the file has both sides (open..close are then the bid); there is no default. ``interval_ns``
    None: taken from the steps of the first rows. ``dialect`` ``auto``: by content. ``zone`` is the
    IANA zone of stamps that carry no offset, None when the file's own stamps say it. ``stamp`` says
    whether a row is stamped with its ``open`` or its ``close``, None when the dialect defines it.
    ``spread`` is the full spread in price units, needed for ``bid`` and ``ask``. ``scale`` divides
    every price (1000 turns an integer-scaled 108471 into 108.471).
    """

    path: Path
    symbol: str
    price: str
    interval_ns: int | None = None
    dialect: str = "auto"
    zone: str | None = None
    stamp: str | None = None
    spread: float | None = None
    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class Refused:
    """Rows that did not become bars: the reason code, how many, and where the first one is."""

    reason: str
    count: int
    first: str


class Tally:
    """Counts refused rows per reason and keeps the first example of each: memory stays flat."""

    __slots__ = ("_counts", "_first")

    def __init__(self) -> None:
        """Begin with nothing refused."""
        self._counts: dict[str, int] = {}
        self._first: dict[str, str] = {}

    def add(self, reason: str, first: str, count: int = 1) -> None:
        """Count ``count`` rows under ``reason``; ``first`` describes the first of them."""
        self._counts[reason] = self._counts.get(reason, 0) + count
        self._first.setdefault(reason, first)

    def clear(self) -> None:
        """Forget everything, to read the file again."""
        self._counts.clear()
        self._first.clear()

    @property
    def total(self) -> int:
        """Return how many rows were refused."""
        return sum(self._counts.values())

    def listed(self) -> list[Refused]:
        """Return one ``Refused`` per reason, in the order in which the reasons first came up."""
        return [Refused(reason, n, self._first[reason]) for reason, n in self._counts.items()]


def nearest(word: str, known: tuple[str, ...] | list[str]) -> str:
    """Return ``; did you mean X?`` for the nearest known word, or nothing."""
    close = difflib.get_close_matches(word.lower(), [k.lower() for k in known], n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else ""


def load_zone(name: str) -> ZoneInfo:
    """Return the IANA zone of this name.

    Raises:
        FeedError: there is no such zone; the nearest name is suggested.
    """
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        from zoneinfo import available_timezones

        by_lower = {zone.lower(): zone for zone in available_timezones()}
        close = difflib.get_close_matches(name.lower(), list(by_lower), n=1, cutoff=0.5)
        hint = f"; did you mean {by_lower[close[0]]!r}?" if close else ""
        raise FeedError(f"zone = {name!r} is not an IANA time zone{hint}") from None


def check(spec: BarFileSpec) -> None:
    """Refuse settings that no file could satisfy, all of them at once.

    Raises:
        FeedError: one line per mistake: the setting, what was given, what is allowed.
    """
    problems: list[str] = []
    _one_of(problems, "price", spec.price, PRICES)
    _one_of(problems, "dialect", spec.dialect, ("auto", *DIALECTS))
    if spec.stamp is not None:
        _one_of(problems, "stamp", spec.stamp, STAMPS)
    if spec.zone is not None:
        try:
            load_zone(spec.zone)
        except FeedError as error:
            problems.append(str(error))
    if spec.interval_ns is not None and spec.interval_ns <= 0:
        problems.append(f"interval must be positive, found {spec.interval_ns} ns")
    if not 0 < spec.scale < float("inf"):
        problems.append(f"scale must be a positive number, found {spec.scale}")
    if spec.spread is not None and not 0 <= spec.spread < float("inf"):
        problems.append(f"spread must be a price difference >= 0, found {spec.spread}")
    if spec.spread is None and spec.price in ("bid", "ask"):
        problems.append(
            f"price = {spec.price!r} moves to mid by half the spread, and no spread is set: give"
            " the instrument's full spread in price units"
        )
    if problems:
        raise FeedError("\n".join(f"{spec.path}: {problem}" for problem in problems))


def _one_of(problems: list[str], key: str, value: str | None, allowed: tuple[str, ...]) -> None:
    if value in allowed:
        return
    given = "is not set" if value is None else f"= {value!r} is not known"
    hint = nearest(value, allowed) if value else ""
    problems.append(f"{key} {given}; set one of {', '.join(allowed)}{hint}")
