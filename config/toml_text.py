"""Writes plain values as TOML text. It reads nothing and knows no setting."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime, time
from decimal import Decimal
from typing import Any, Final

_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")


def dumps(data: Mapping[str, Any]) -> str:
    """Return the TOML text of nested tables: values first, then tables, then lists of tables."""
    return "\n".join(_lines(data, ())).strip("\n") + "\n"


def value_text(value: object) -> str:
    """Return one value in TOML's notation.

    Raises:
        TypeError: TOML has no such value.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, datetime | time):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return f"[{', '.join(value_text(item) for item in value)}]"
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_key(key)} = {value_text(item)}" for key, item in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    raise TypeError(f"TOML has no {type(value).__name__}")


def _lines(table: Mapping[str, Any], above: tuple[str, ...]) -> Iterator[str]:
    for key, value in table.items():
        if not isinstance(value, Mapping) and not _is_tables(value):
            yield f"{_key(key)} = {value_text(value)}"
    for key, value in table.items():
        path = (*above, key)
        name = ".".join(_key(part) for part in path)
        if isinstance(value, Mapping) and value:
            if any(not isinstance(item, Mapping) for item in value.values()):
                yield f"\n[{name}]"
            yield from _lines(value, path)
        elif _is_tables(value):
            for item in value:
                yield f"\n[[{name}]]"
                yield from _lines(item, path)


def _is_tables(value: object) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], Mapping)


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else json.dumps(key)
