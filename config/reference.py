"""Writes docs/reference/config.md from the models, so that the page cannot lie."""

from __future__ import annotations

from collections.abc import Iterator
from inspect import cleandoc
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from config.catalogue import instrument, symbols
from config.problems import bare, is_model
from config.profiles import PROFILE_WINDOWS, TUNED
from config.settings import InstrumentSettings, Settings
from config.toml_text import value_text
from config.types import allowed_text, clock

_HEAD = """# Configuration

<!-- Generated from the models by config/reference.py; do not edit. -->

One TOML file, by default `foliod.toml` in the current folder; `-c FILE` names another and may be
repeated. Later files win: tables merge key by key, lists are replaced as a whole. The environment
wins over files: `FOLIOD_SECTION__KEY=value`, for example `FOLIOD_RISK__DAILY_R_STOP=-4` or
`FOLIOD_INSTRUMENTS__EURUSD__SPREAD_PIPS=0.8`, the value in TOML's notation or as plain text.

The configuration is strict: an unknown key, a wrong value or an unknown `FOLIOD_` variable stops
the start with exit code 78. All mistakes are reported at once, each with its file, key, what was
given and what is allowed. Relative paths are relative to the file that has them.

Times of day are TOML local times (`07:00:00`, no quotes) or text (`"07:00"`, `"24:00"`). `false`
switches off what says so. `foliod config show` prints the settings in force and their hash,
`foliod config schema` a JSON schema for editors.
"""


def markdown() -> str:
    """Return the whole page."""
    parts = [_HEAD, *_sections(Settings, ""), _profiles(), _catalogue()]
    return "\n".join(part.strip("\n") + "\n" for part in parts)


def _sections(model: type[BaseModel], above: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        kind, header = bare(field.annotation), f"{above}{name}"
        if get_origin(kind) is dict and is_model(get_args(kind)[1]):
            kind, header = get_args(kind)[1], f"{header}.SYMBOL"
        is_list = get_origin(kind) is tuple
        if is_list:
            kind = bare(get_args(kind)[0])
        if is_model(kind):
            yield _section(kind, f"[[{header}]]" if is_list else f"[{header}]")
            yield from _sections(kind, f"{header}.")


def _section(model: type[BaseModel], header: str) -> str:
    lines = [f"## `{header}`", "", cleandoc(model.__doc__ or "").replace("``", "`"), ""]
    rows = list(_rows(model))
    if rows:
        lines += ["| key | allowed | default | meaning |", "|---|---|---|---|", *rows]
    return "\n".join(lines)


def _rows(model: type[BaseModel]) -> Iterator[str]:
    fragments = model.model_json_schema()["properties"]
    for name, field in model.model_fields.items():
        if _is_table(field.annotation):
            continue
        allowed = allowed_text(fragments[name])
        default = "**required**" if field.is_required() else _default_text(model, name)
        cells = (f"`{name}`", allowed, default, field.description or "")
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _is_table(annotation: Any) -> bool:  # noqa: ANN401
    kind = bare(annotation)
    if get_origin(kind) is tuple:
        kind = bare(get_args(kind)[0])
    return is_model(kind)


def _default_text(model: type[BaseModel], name: str) -> str:
    if model is InstrumentSettings:
        return "the catalogue's"
    default = model.model_fields[name].get_default(call_default_factory=True)
    dumped = model.model_construct(**{name: default}).model_dump(include={name})[name]
    if dumped is None:
        return "absent"
    return f"`{value_text(dumped)}`"


def _profiles() -> str:
    lines = [
        "## Profiles",
        "",
        "A profile chooses the windows of a strategy that gives none (Monday to Friday, zone UTC):",
        "",
        "| profile | window |",
        "|---|---|",
    ]
    for name, (start, end) in PROFILE_WINDOWS.items():
        lines.append(f"| `{name}` | {clock(start)}-{clock(end)} |")
    lines += [
        "",
        "It also chooses tuned parameters by strategy, symbol and interval; `params` goes on top. "
        "The status says which set is in force:",
        "",
        "| kind | symbol | interval | profile | parameters |",
        "|---|---|---|---|---|",
    ]
    for key, params in TUNED.items():
        shown = ", ".join(f"`{name} = {value_text(value)}`" for name, value in params.items())
        cells = ["every" if part == "*" else f"`{part}`" for part in key]
        lines.append(f"| {' | '.join(cells)} | {shown} |")
    return "\n".join(lines)


def _catalogue() -> str:
    lines = [
        "## Catalogue",
        "",
        "Symbols that need no entry of their own. Spreads are typical ones: set your broker's in "
        "`[instruments.SYMBOL]`.",
        "",
        "| symbol | quote | pip | tick | lot | smallest | multiplier | spread (pips) | "
        "fee (fraction) | calendar |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for symbol in symbols():
        made = instrument(symbol)
        numbers = (made.pip, made.tick, made.lot, made.min_quantity, made.multiplier)
        cells = [
            f"`{symbol}`",
            made.quote_currency,
            *(format(number, "f") for number in numbers),
            format(made.spread_pips, "f"),
            format(made.fee_fraction, "f"),
            made.calendar or "",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
