"""The settings in force, as plain values: defaults, profiles' windows and instruments filled in.

What ``foliod config show`` prints and what the fingerprint is made of. Loading it again gives the
same settings. It decides nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from config.problems import is_secret
from config.secrets import HIDDEN
from config.settings import Settings
from state.instruments import Instrument


def effective(settings: Settings) -> dict[str, Any]:
    """Return every setting in force, in TOML's types: no None, off switches as false.

    Windows are the effective ones; every instrument in use has its whole entry.
    """
    data = _without_none(settings.model_dump())
    for strategy, table in zip(settings.strategies, data["strategies"], strict=True):
        windows = [window.model_dump() for window in strategy.effective_windows()]
        table["windows"] = _without_none(windows)
    used = sorted({*settings.symbols(), *settings.instruments})
    data["instruments"] = {symbol: _entry(settings.instrument(symbol)) for symbol in used}
    found: dict[str, Any] = data
    return found


def parameters(settings: Settings) -> dict[str, dict[str, dict[str, Any]]]:
    """Return the parameter set in force by strategy and symbol: its ``name`` and ``params``."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for strategy in settings.strategies:
        sets = {symbol: strategy.parameters(symbol) for symbol in strategy.symbols}
        found[strategy.name] = {
            symbol: {"name": name, "params": params} for symbol, (params, name) in sets.items()
        }
    return found


def redacted(value: Any) -> Any:  # noqa: ANN401
    """Return a copy in which every value under a secret's name is hidden."""
    if isinstance(value, Mapping):
        return {k: HIDDEN if is_secret(str(k)) else redacted(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [redacted(item) for item in value]
    return value


def _entry(instrument: Instrument) -> dict[str, Any]:
    fields = {name: getattr(instrument, name) for name in instrument.__struct_fields__}
    del fields["symbol"]
    if fields["calendar"] is None:
        fields["calendar"] = False
    return {name: value for name, value in fields.items() if value is not None}


def _without_none(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, Mapping):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_without_none(item) for item in value]
    return value
