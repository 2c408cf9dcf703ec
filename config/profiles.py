"""Profiles: the session windows and the parameter sets that are chosen by name (E3).

A set is chosen by (kind, symbol, interval, profile); what the operator gives in ``params`` goes on
top. Nothing here checks a parameter: the strategy does. It imports no pydantic.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

ANY: Final = "*"

PROFILE_WINDOWS: Final[Mapping[str, tuple[int, int]]] = {
    "london": (7 * 3600, 10 * 3600),
    "new_york": (12 * 3600 + 1800, 16 * 3600),
}
"""Start and end, seconds of the UTC day, Monday to Friday, when a strategy gives no windows."""

TUNED: Final[Mapping[tuple[str, str, str, str], Mapping[str, Any]]] = {
    ("LSG", "EURUSD", "5m", "london"): {
        "tol_pips": 2.0,
        "sweep_pips": 3.0,
        "reentry_window_m": 30,
        "bos_buffer_pips": 0.5,
    },
    ("LSG", "EURUSD", "5m", "new_york"): {
        "tol_pips": 2.5,
        "sweep_pips": 4.0,
        "reentry_window_m": 40,
        "bos_buffer_pips": 0.5,
    },
    ("ORB", ANY, ANY, "new_york"): {"min_range_pips": 5.0, "break_pips": 4.0},
}
"""Parameters that differ from the strategy's defaults; ``*``: every symbol or interval."""


def is_file(kind: str) -> bool:
    """Whether a strategy's kind names a Python file (``file.py`` or ``file.py:Class``)."""
    return kind.endswith(".py") or ".py:" in kind


def resolve(
    kind: str, symbol: str, interval: str, profile: str, overrides: Mapping[str, Any]
) -> tuple[dict[str, Any], str]:
    """Return the parameters to give to the strategy, and the name of the set in force.

    The name is ``default`` or ``tuned:SYMBOL:INTERVAL:PROFILE``, followed by ``+`` and the names
    of the overridden parameters, sorted.

    >>> resolve("ORB", "GBPUSD", "5m", "new_york", {"retest": True})[1]
    'tuned:*:*:new_york+retest'
    """
    name, params = "default", dict[str, Any]()
    for key in ((kind, symbol, interval, profile), (kind, ANY, ANY, profile)):
        if key in TUNED:
            name, params = ":".join(("tuned", *key[1:])), dict(TUNED[key])
            break
    if overrides:
        name += "+" + ",".join(sorted(overrides))
    return {**params, **overrides}, name
