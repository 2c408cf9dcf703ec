"""Takes the facts for ``config.consistency`` from half-valid data.

Each field is validated on its own, so that a mistake in one key does not hide a mistake in another.
Complete settings take theirs themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from config.consistency import Facts, Source, Trader
from config.settings import (
    BarsSettings,
    Conversion,
    InstrumentSettings,
    Portfolio,
    ReplayCommand,
)
from config.settings_strategies import SYMBOL, StrategySettings


def partial(data: Mapping[str, Any]) -> Facts:
    """Take what can be known from data that has mistakes."""
    facts = Facts(no_strategies="strategies" in data and not data["strategies"])
    facts.base_currency = _field(Portfolio, _table(data, "portfolio"), "base_currency")
    for index, table in _tables(data.get("bars")):
        facts.sources[index] = Source(
            _field(BarsSettings, table, "symbol"), _field(BarsSettings, table, "interval")
        )
    for index, table in _tables(data.get("strategies")):
        facts.traders[index] = Trader(
            _field(StrategySettings, table, "name"),
            _field(StrategySettings, table, "symbols") or (),
            _field(StrategySettings, table, "interval"),
        )
    for index, table in _tables(_table(data, "replay").get("commands")):
        command = _field(ReplayCommand, table, "command")
        facts.commands[index] = (command or "", _field(ReplayCommand, table, "argument") or "")
    for symbol in _table(data, "instruments"):
        table = _table(_table(data, "instruments"), symbol)
        known = [name for name in InstrumentSettings.model_fields if name in table]
        facts.described[symbol] = set(known)
        values = {name: _field(InstrumentSettings, table, name) for name in known}
        facts.overrides[symbol] = {k: v for k, v in values.items() if v is not None}
    for key, value in _table(data, "conversion").items():
        if key not in Conversion.model_fields:
            facts.pairs[key] = _valid(Annotated[str, SYMBOL], value)
    return facts


def _table(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = data.get(name)
    return found if isinstance(found, dict) else {}


def _tables(items: object) -> list[tuple[int, Mapping[str, Any]]]:
    found = items if isinstance(items, list) else []
    return [(index, item) for index, item in enumerate(found) if isinstance(item, dict)]


def _field(model: type[BaseModel], table: Mapping[str, Any], name: str) -> Any:  # noqa: ANN401
    """Return the field's value, its default where it is absent, None where it is wrong."""
    info = model.model_fields[name]
    if name not in table:
        return None if info.is_required() else info.get_default(call_default_factory=True)
    return _valid(
        Annotated[(info.annotation, *info.metadata)] if info.metadata else info.annotation,
        table[name],
    )


def _valid(kind: Any, value: object) -> Any:  # noqa: ANN401
    try:
        return TypeAdapter(kind).validate_python(value)
    except ValidationError:
        return None
