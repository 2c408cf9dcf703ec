"""Mistakes in words: where, what was given, what is allowed, the nearest known name.

It turns pydantic's errors and broken rules into one line each. A value under a key that looks like
a secret is never repeated.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Final, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from config.consistency import Problem, is_currency
from config.secrets import HIDDEN
from config.settings import Settings
from config.types import allowed_text, did_you_mean

Where = tuple[str | int, ...]
_SECRET: Final = re.compile(r"secret|token|passw|credential|api_?key|private", re.IGNORECASE)
_LONGEST: Final = 60
_TYPES: Final = {
    "bool_type": "true or false",
    "string_type": "text in quotes",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a table",
    "model_type": "a table",
    "too_short": "a list with at least one item",
}


def is_secret(key: str) -> bool:
    """Whether a key's name says that its value must not be shown."""
    return _SECRET.search(key) is not None


def printable(text: str) -> str:
    """Replace what a terminal would obey (line ends, control characters) by question marks."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def given_text(value: object, where: Where = ()) -> str:
    """Write a value as the file has it, shortened; a secret is hidden."""
    if any(is_secret(str(part)) for part in where):
        return HIDDEN
    if where and where[0] == "notify" and not isinstance(value, int | float | Decimal):
        return HIDDEN  # an address that was put where only names belong is a secret too
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        text = f'"{value}"'
    elif isinstance(value, int | float | Decimal | datetime | date | time | Path):
        text = str(value)
    else:
        return "a table" if isinstance(value, Mapping) else "a list"
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def field_problems(error: ValidationError) -> list[Problem]:
    """Return every mistake that pydantic found in single keys."""
    found: list[Problem] = []
    for detail in error.errors(include_url=False):
        where: Where = detail["loc"][:-1] if _is_about_a_key(detail) else detail["loc"]
        if detail["type"] == "inconsistent":
            continue
        if detail["type"] == "missing":
            found += _missing(where)
        else:
            found.append((where, _message(detail, where)))
    return found


def _message(detail: ErrorDetails, where: Where) -> str:
    kind, given = detail["type"], detail["input"]
    context = detail.get("ctx", {})
    if kind == "extra_forbidden" or (where[0] == "conversion" and _is_no_currency(where)):
        return _unknown_key(where, given)
    if kind == "rule":
        return str(context["message"])
    if kind == "not_a_name":
        return f"found something else {HIDDEN}, allowed: {context['allowed']}"
    if _is_about_a_key(detail):
        return f"a name that cannot be used; allowed: {context.get('allowed', detail['msg'])}"
    found = f"found {given_text(given, where)}"
    if kind == "not_allowed":
        return f"{found}, allowed: {context['allowed']}"
    if kind == "literal_error":
        names = re.findall(r"'([^']*)'", str(context["expected"]))
        near = did_you_mean(given, names) if isinstance(given, str) else ""
        return f"{found}, allowed: {allowed_text({'enum': names})}{near}"
    return f"{found}, allowed: {_TYPES.get(kind, detail['msg'])}"


def _is_about_a_key(detail: ErrorDetails) -> bool:
    """Whether pydantic speaks of the name of a free key, a symbol, and not of its value."""
    where = detail["loc"]
    return len(where) == 3 and where[0] == "instruments" and where[2] == "[key]"


def _is_no_currency(where: Where) -> bool:
    return len(where) == 2 and where[1] != "stale_after_s" and not is_currency(str(where[1]))


def _unknown_key(where: Where, given: object) -> str:
    key = str(where[-1])
    model = model_at(where[:-1])
    siblings = list(model.model_fields) if model is not None else []
    near = did_you_mean(key, siblings)
    if not near:
        elsewhere = [".".join(path) for path in leaves(Settings) if path[-1] == key]
        near = f'; did you mean "{elsewhere[0]}"?' if elsewhere else ""
    return (
        f"unknown key (given: {given_text(given, where)}){near}"
        f"{'' if near else '; known here: ' + ', '.join(siblings)}"
    )


def _missing(where: Where) -> list[Problem]:
    """Return one problem for each required key at or below a missing one."""
    model = model_at(where)
    if model is None:
        return [(where, f"is required and has no default; allowed: {allowed_at(where)}")]
    if where == ("strategies",):
        return [(where, "none given: a portfolio needs at least one [[strategies]] table")]
    return [
        problem
        for name, field in model.model_fields.items()
        if field.is_required()
        for problem in _missing((*where, name))
    ]


def model_at(where: Sequence[str | int]) -> type[BaseModel] | None:
    """Return the model of the table at a place in the settings, None when no model describes it."""
    kind: Any = Settings
    for part in where:
        if get_origin(kind) in (tuple, dict):
            kind = get_args(kind)[0 if isinstance(part, int) else 1]
        elif is_model(kind) and part in kind.model_fields:
            kind = bare(kind.model_fields[str(part)].annotation)
        else:
            return None
    return kind if is_model(kind) else None


def is_model(kind: object) -> bool:
    """Whether a type is a table with keys of its own."""
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def bare(kind: Any) -> Any:  # noqa: ANN401
    """Strip ``Annotated`` and ``| None`` from a type."""
    if get_origin(kind) is Annotated:
        return bare(get_args(kind)[0])
    if get_origin(kind) in (Union, UnionType):
        return bare(next(part for part in get_args(kind) if part is not type(None)))
    return kind


def allowed_at(where: Where) -> str:
    """Say what the key at a place allows."""
    model = model_at(where[:-1])
    if model is None:
        return "see docs/reference/config.md"
    fragment = model.model_json_schema()["properties"][str(where[-1])]
    return allowed_text(fragment)


def leaves(model: type[BaseModel], above: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Return the path of every key below a model, lists and free keys passed through."""
    found: list[tuple[str, ...]] = []
    for name, field in model.model_fields.items():
        kind = bare(field.annotation)
        if get_origin(kind) in (tuple, dict):
            kind = bare(get_args(kind)[1 if get_origin(kind) is dict else 0])
        found += leaves(kind, (*above, name)) if is_model(kind) else [(*above, name)]
    return found


def where_text(where: Where, data: Mapping[str, Any]) -> str:
    """Write a place as a dotted key; an item of a list says its index and its name, if any."""
    text, here = "", data
    named = ""
    for part in where:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
        here = _step(here, part)
        if isinstance(part, int) and isinstance(here, Mapping):
            name = here.get("name", here.get("symbol"))
            named = f' ("{name}")' if isinstance(name, str) and len(name) <= _LONGEST else ""
    return text + named


def _step(here: Any, part: str | int) -> Any:  # noqa: ANN401
    if isinstance(here, Mapping):
        return here.get(part)
    if isinstance(here, list | tuple) and isinstance(part, int) and part < len(here):
        return here[part]
    return None
