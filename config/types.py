"""The kinds of value a configuration key can have, each saying what it allows.

Every kind is annotation metadata for pydantic: it validates strictly (text is never taken for a
number, true never for 1), words its refusal as "allowed: ...", and describes itself as JSON schema.
It knows nothing of single keys.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo, available_timezones

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from config.secrets import NAME, NAME_TEXT

DAY_S: Final = 86_400
_MAX_DIGITS: Final = 15
_MIN_EXPONENT: Final = -12


def refuse(message: str) -> PydanticCustomError:
    """Make the error of a broken rule, worded for the operator."""
    return PydanticCustomError("rule", "{message}", {"message": message})


def refuse_value(allowed: str) -> PydanticCustomError:
    """Make the error of a value outside what its key allows."""
    return PydanticCustomError("not_allowed", "allowed: {allowed}", {"allowed": allowed})


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known name that looks most like ``word``, or None when none does."""
    names = sorted(known)
    folded: dict[str, str] = {}
    for name in names:
        folded.setdefault(name.casefold(), name)
    found = difflib.get_close_matches(word.casefold(), folded, n=1, cutoff=0.6)
    return folded[found[0]] if found else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ``; did you mean "NAME"?``, or nothing when no known name is near."""
    name = nearest(word, known)
    return f'; did you mean "{name}"?' if name is not None else ""


class _Kind:
    """What all kinds share: a plain validator, a serialiser and a JSON schema."""

    def parse(self, value: Any) -> Any:  # noqa: ANN401  (whatever the file or variable holds)
        """Return the value in the form the program uses, or raise a PydanticCustomError."""
        raise TypeError(f"{type(self).__name__} has no parse(value)")

    def plain(self, value: Any) -> Any:  # noqa: ANN401
        """Return the value in the form a TOML file holds."""
        return value

    def schema(self) -> dict[str, Any]:
        """Return the JSON schema of what is allowed."""
        raise TypeError(f"{type(self).__name__} has no schema()")

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Tell pydantic to validate with ``parse`` and to dump with ``plain``."""
        parse: Callable[[Any], Any] = self.parse
        return core_schema.no_info_plain_validator_function(
            parse,
            serialization=core_schema.plain_serializer_function_ser_schema(self.plain),
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Tell pydantic the JSON schema."""
        return self.schema()


@dataclass(frozen=True, slots=True)
class Number(_Kind):
    """A finite number within bounds; with ``off``, ``false`` switches it off and becomes None."""

    gt: float | None = None
    ge: float | None = None
    lt: float | None = None
    le: float | None = None
    off: bool = False

    json_type = "number"

    def parse(self, value: Any) -> Any:  # noqa: ANN401
        """Take an int, float or Decimal; never a bool, never text."""
        if self.off and (value is False or value is None):
            return None
        if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
            raise self._refused()
        number = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
        if not self._within(number):
            raise self._refused()
        if not self._legible(number):
            raise refuse_value(f"{allowed_text(self.schema())}, below 1e15, at most 12 decimals")
        return self.convert(number)

    def convert(self, number: Decimal) -> Any:  # noqa: ANN401
        """Return the number in this kind's Python type."""
        raise TypeError(f"{type(self).__name__} has no convert(number)")

    def plain(self, value: Any) -> Any:  # noqa: ANN401
        """Write an off switch as false."""
        return False if value is None and self.off else value

    def schema(self) -> dict[str, Any]:
        """Return type and bounds; an off switch is ``false``."""
        bounds = {
            "exclusiveMinimum": self.gt,
            "minimum": self.ge,
            "exclusiveMaximum": self.lt,
            "maximum": self.le,
        }
        number: dict[str, Any] = {"type": self.json_type}
        number |= {key: bound for key, bound in bounds.items() if bound is not None}
        return {"anyOf": [number, {"const": False}]} if self.off else number

    @staticmethod
    def _legible(number: Decimal) -> bool:
        exponent = number.as_tuple().exponent
        return (
            isinstance(exponent, int)
            and number.adjusted() < _MAX_DIGITS
            and exponent >= _MIN_EXPONENT
        )

    def _within(self, number: Decimal) -> bool:
        return (
            number.is_finite()
            and (self.gt is None or number > Decimal(repr(self.gt)))
            and (self.ge is None or number >= Decimal(repr(self.ge)))
            and (self.lt is None or number < Decimal(repr(self.lt)))
            and (self.le is None or number <= Decimal(repr(self.le)))
        )

    def _refused(self) -> PydanticCustomError:
        return refuse_value(allowed_text(self.schema()))


class Whole(Number):
    """A whole number, ``int``."""

    json_type = "integer"

    def parse(self, value: Any) -> Any:  # noqa: ANN401
        """Take an int and nothing else."""
        if isinstance(value, float | Decimal):
            raise self._refused()
        return Number.parse(self, value)

    def convert(self, number: Decimal) -> int:
        """Return an int."""
        return int(number)


class Exact(Number):
    """A number that stays exact, ``Decimal``: money, prices, quantities, fractions of them."""

    def convert(self, number: Decimal) -> Decimal:
        """Return it unchanged."""
        return number


class Real(Number):
    """A number for comparisons only, ``float``: R and ratios."""

    def convert(self, number: Decimal) -> float:
        """Return the nearest float."""
        return float(number)


@dataclass(frozen=True, slots=True)
class Word(_Kind):
    """Text that matches ``pattern`` as a whole; ``allowed`` says so in words."""

    pattern: str
    allowed: str
    off: bool = False

    def parse(self, value: Any) -> str | None:  # noqa: ANN401
        """Take matching text; with ``off``, false becomes None."""
        if self.off and (value is False or value is None):
            return None
        if not isinstance(value, str) or not re.fullmatch(self.pattern, value):
            raise refuse_value(self.allowed)
        return value

    def plain(self, value: Any) -> Any:  # noqa: ANN401
        """Write an off switch as false."""
        return False if value is None and self.off else value

    def schema(self) -> dict[str, Any]:
        """Return the pattern, anchored."""
        text = {"type": "string", "pattern": f"^({self.pattern})$", "x-allowed": self.allowed}
        return {"anyOf": [text, {"const": False}], "x-allowed": self.allowed} if self.off else text


@dataclass(frozen=True, slots=True)
class TimeOfDay(_Kind):
    """A local time as whole seconds of the day; 24:00 (86400) where ``until_24``."""

    until_24: bool = False
    earliest_s: int = 0
    latest_s: int = DAY_S

    def parse(self, value: Any) -> int:  # noqa: ANN401
        """Take a TOML local time or the text ``HH:MM`` or ``HH:MM:SS``."""
        seconds = _seconds(value)
        last = self.latest_s if self.until_24 else min(self.latest_s, DAY_S - 1)
        if seconds is None or not self.earliest_s <= seconds <= last:
            raise refuse_value(self._allowed())
        return seconds

    def plain(self, value: Any) -> Any:  # noqa: ANN401
        """Write a TOML local time, or the text 24:00."""
        if not isinstance(value, int):
            return value
        return "24:00" if value == DAY_S else time(value // 3600, value // 60 % 60, value % 60)

    def schema(self) -> dict[str, Any]:
        """Return the text form; TOML's own local time is checked by editors as this text."""
        pattern = r"^([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?$"
        if self.until_24:
            pattern = r"^(([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?|24:00(:00)?)$"
        return {"type": "string", "pattern": pattern, "x-allowed": self._allowed()}

    def _allowed(self) -> str:
        if (self.earliest_s, self.latest_s) != (0, DAY_S):
            return f"a local time from {clock(self.earliest_s)} to {clock(self.latest_s)}"
        return 'a local time such as 07:00:00 (no quotes) or "07:00"' + (
            ', or "24:00" for the end of the day' if self.until_24 else ""
        )


def _seconds(value: object) -> int | None:
    if isinstance(value, time):
        if value.tzinfo is not None or value.microsecond:
            return None
        return value.hour * 3600 + value.minute * 60 + value.second
    if not isinstance(value, str):
        return None
    found = re.fullmatch(r"(\d\d):([0-5]\d)(?::([0-5]\d))?", value, re.ASCII)
    if found is None:
        return None
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    total = hours * 3600 + minutes * 60 + seconds
    return total if total <= DAY_S else None


def clock(seconds: int) -> str:
    """Write seconds of a day as ``HH:MM``, with seconds where there are any."""
    text = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}"
    return f"{text}:{seconds % 60:02d}" if seconds % 60 else text


class SecretName(_Kind):
    """The name of a secret. What else stands there may be the secret itself: it is not shown."""

    def parse(self, value: Any) -> str:  # noqa: ANN401
        """Take a name, never a value."""
        if not isinstance(value, str) or not re.fullmatch(NAME, value):
            raise PydanticCustomError("not_a_name", "{allowed}", {"allowed": NAME_TEXT})
        return value

    def schema(self) -> dict[str, Any]:
        """Return the pattern."""
        return {"type": "string", "pattern": f"^({NAME})$", "x-allowed": NAME_TEXT}


class ZoneName(_Kind):
    """A time zone of the IANA database, by name."""

    def parse(self, value: Any) -> str:  # noqa: ANN401
        """Take a name that the database on this machine (or the tzdata package) has."""
        allowed = 'an IANA time zone such as "UTC", "Europe/London" or "Asia/Kolkata"'
        if not isinstance(value, str):
            raise refuse_value(allowed)
        known = available_timezones()
        if value not in known:
            raise refuse_value(allowed + _near_zone(value, known))
        try:
            ZoneInfo(value)
        except (OSError, ValueError) as error:
            raise refuse(f"the time zone database cannot read {value}: {error}") from None
        return value

    def schema(self) -> dict[str, Any]:
        """Return text; the names are the database's."""
        return {"type": "string", "x-allowed": "an IANA time zone"}


def _near_zone(value: str, known: set[str]) -> str:
    cities: dict[str, str] = {}
    for zone in sorted(known):
        cities.setdefault(zone.rsplit("/", 1)[-1], zone)
    city = nearest(value.rsplit("/", 1)[-1], cities)
    found = nearest(value, known) or (cities[city] if city is not None else None)
    return f'; did you mean "{found}"?' if found else ""


class IntervalName(_Kind):
    """A bar interval: whole minutes, hours or a day that divide a day; kept in shortest form."""

    def parse(self, value: Any) -> str:  # noqa: ANN401
        """Take ``5m``, ``1h``, ``1d`` and the like."""
        seconds = interval_s(value) if isinstance(value, str) else None
        if seconds is None:
            raise refuse_value(self.schema()["x-allowed"])
        for unit, size in (("d", DAY_S), ("h", 3600)):
            if seconds % size == 0:
                return f"{seconds // size}{unit}"
        return f"{seconds // 60}m"

    def schema(self) -> dict[str, Any]:
        """Return the pattern."""
        allowed = 'a bar interval that divides a day, such as "1m", "5m", "15m", "1h" or "1d"'
        return {"type": "string", "pattern": r"^[1-9]\d{0,3}[mhd]$", "x-allowed": allowed}


def interval_s(text: str) -> int | None:
    """Return the seconds of an interval such as ``5m``; None when it is none or divides no day."""
    found = re.fullmatch(r"([1-9]\d{0,3})([mhd])", text, re.ASCII)
    if found is None:
        return None
    seconds = int(found[1]) * {"m": 60, "h": 3600, "d": DAY_S}[found[2]]
    return seconds if DAY_S % seconds == 0 else None


class Instant(_Kind):
    """An instant with its offset from UTC, kept as an aware datetime."""

    def parse(self, value: Any) -> datetime:  # noqa: ANN401
        """Take a TOML offset date-time; one without offset is refused."""
        if not isinstance(value, datetime) or value.tzinfo is None:
            raise refuse_value(self.schema()["x-allowed"])
        return value

    def schema(self) -> dict[str, Any]:
        """Return the format."""
        allowed = "an instant with its offset, such as 2017-01-05T09:00:00Z (no quotes)"
        return {"type": "string", "format": "date-time", "x-allowed": allowed}


class PathText(_Kind):
    """The path of a file or folder."""

    def parse(self, value: Any) -> Path:  # noqa: ANN401
        """Take non-empty text."""
        if isinstance(value, Path):
            return value
        if not isinstance(value, str) or not value.strip() or "\0" in value:
            raise refuse_value(self.schema()["x-allowed"])
        return Path(value)

    def plain(self, value: Any) -> Any:  # noqa: ANN401
        """Write the path as text."""
        return str(value) if isinstance(value, Path) else value

    def schema(self) -> dict[str, Any]:
        """Return text."""
        return {"type": "string", "minLength": 1, "x-allowed": "a path"}


class Params(_Kind):
    """A table of plain values for a strategy; what they mean the strategy itself checks."""

    def parse(self, value: Any) -> dict[str, Any]:  # noqa: ANN401
        """Take a table of numbers, text, booleans and lists of them; numbers become floats."""
        if not isinstance(value, dict):
            raise refuse_value(self.schema()["x-allowed"])
        return {str(key): self._value(key, item) for key, item in value.items()}

    def schema(self) -> dict[str, Any]:
        """Return an open table."""
        scalar = {"type": ["number", "string", "boolean", "array"]}
        allowed = "a table of numbers, text, true or false, and lists of them"
        return {"type": "object", "additionalProperties": scalar, "x-allowed": allowed}

    def _value(self, key: str, item: object) -> object:
        if isinstance(item, bool | int | str):
            return item
        if isinstance(item, float | Decimal):
            number = float(item)
            if number == number and abs(number) < 1e15:
                return number
        if isinstance(item, list | tuple):
            return [self._value(key, part) for part in item]
        raise refuse(f"{key}: found {item}, allowed: a finite number, text, true, false, or a list")


def allowed_text(schema: dict[str, Any]) -> str:
    """Say in words what a JSON schema fragment allows."""
    if "x-allowed" in schema:
        return str(schema["x-allowed"]) + (", or false (off)" if "anyOf" in schema else "")
    if "anyOf" in schema:
        parts = [part for part in schema["anyOf"] if part != {"type": "null"}]
        return ", or ".join(allowed_text(part) for part in parts)
    if "enum" in schema:
        *names, last = (f'"{name}"' for name in schema["enum"])
        return f"{', '.join(names)} or {last}" if names else last
    if "const" in schema:
        return "false (off)" if schema["const"] is False else f'"{schema["const"]}"'
    kind = schema.get("type")
    if kind in ("integer", "number"):
        return _range_text("a whole number" if kind == "integer" else "a number", schema)
    if kind == "array":
        return f"a list; each {allowed_text(schema.get('items', {}))}"
    return {"boolean": "true or false", "string": "text", "null": "absent"}.get(
        str(kind), "a table"
    )


def _range_text(noun: str, schema: dict[str, Any]) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        return f"{noun} from {low} to {high}"
    words = {
        "exclusiveMinimum": "above",
        "minimum": "of at least",
        "exclusiveMaximum": "below",
        "maximum": "of at most",
    }
    parts = [f"{word} {schema[key]}" for key, word in words.items() if key in schema]
    return f"{noun} {' and '.join(parts)}" if parts else noun
