"""Where a generic socket keeps its bars: fields by name, and how to reach them.

A path is names joined by dots (``k.o``); a whole number in it is a place in a list (``data.0``).
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from adapters.feeds.frames import shown
from state.errors import ConfigError
from state.units import SECOND_NS

UNITS: Final = {"s": SECOND_NS, "ms": 1_000_000, "us": 1000, "ns": 1, "iso": 0}
"""Units of an open time; ``iso`` is text such as ``2017-01-02T07:00:00Z``."""

_DEEPEST: Final = 8
_LONGEST: Final = 200


class Fields(msgspec.Struct, frozen=True, kw_only=True):
    """Paths of a bar's fields. An empty path: the socket has no such field.

    ``bars`` is the path to the object, or the list of objects, that has the other paths; empty,
    it is the frame itself. ``symbol`` may be empty for one symbol, ``closed`` where every bar is
    closed, ``volume`` where there is none.
    """

    open_time: str
    open: str
    high: str
    low: str
    close: str
    unit: str = "ms"
    volume: str = ""
    symbol: str = ""
    closed: str = ""
    bars: str = ""


class Missing:
    """What a path leads to when it leads nowhere; JSON's null is None."""


class Path:
    """One path, taken apart once."""

    __slots__ = ("_steps", "text")

    def __init__(self, text: str, name: str) -> None:
        """Take ``text``; ``name`` is the setting it stands in.

        Raises:
            ConfigError: a part of it is empty, it has more than eight, or 200 characters.
        """
        self.text = text
        self._steps = tuple(text.split(".")) if text else ()
        if not all(self._steps) or len(self._steps) > _DEEPEST or len(text) > _LONGEST:
            raise ConfigError(
                f"generic: expected {name} as at most {_DEEPEST} names joined by dots, "
                f"found {shown(text)}"
            )

    def of(self, value: Any) -> Any:  # noqa: ANN401  (JSON of any shape)
        """Return what the path leads to from ``value``, or ``Missing``."""
        for step in self._steps:
            if isinstance(value, dict):
                value = value.get(step, Missing)
            elif isinstance(value, list) and step.isdecimal() and step.isascii():
                place = int(step)
                value = value[place] if place < len(value) else Missing
            else:
                return Missing
        return value
