"""The fingerprint of a configuration: equal for equal settings in force, on any machine.

It does not depend on where files are, on how numbers are written, on the hash seed or on secrets.
The content of bar and news files and of a strategy's code is not part of it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime, time
from decimal import Decimal
from pathlib import PurePath
from typing import Any, Final

from config.effective import effective, parameters
from config.problems import is_secret
from config.profiles import is_file
from config.settings import Settings

_OPERATION: Final = ("control", "keys", "notify", "check", "feed")
"""Sections of how a portfolio is operated; no decision depends on them."""


def fingerprint(settings: Settings) -> str:
    """Return 32 hexadecimal digits: BLAKE2b-128 of the canonical JSON of the settings in force."""
    return hashlib.blake2b(canonical(settings), digest_size=16).hexdigest()


def canonical(settings: Settings) -> bytes:
    """Return the canonical JSON: keys sorted, numbers in shortest decimal form, no paths."""
    data = effective(settings)
    del data["portfolio"]["data_dir"]
    for section in _OPERATION:
        del data[section]
    if not settings.risk.health.is_on:
        del data["risk"]["health"]
    if settings.risk.volatility_atr is None:
        del data["risk"]["volatility_atr"]
    data["news"]["file"] = "file" in data["news"]
    for source in data["bars"]:
        del source["path"]
    for strategy in data["strategies"]:
        if is_file(strategy["kind"]):
            strategy["kind"] = PurePath(strategy["kind"]).name
    whole = {"settings": data, "parameters": parameters(settings)}
    return json.dumps(
        _plain(whole), sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    ).encode("ascii")


def _plain(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items() if not is_secret(str(k))}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, bool | str):
        return value
    if isinstance(value, int | float | Decimal):
        return _number(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, time):
        return value.isoformat()
    raise TypeError(f"no canonical form for {type(value).__name__}")


def _number(value: float | Decimal) -> str:
    exact = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    return format(exact.normalize() + 0, "f")
