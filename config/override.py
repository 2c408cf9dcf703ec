"""What the command line says over the settings. It parses no arguments and reads no file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from config.problems import field_problems
from config.settings import BarsSettings, InstrumentSettings, Settings
from state.errors import ConfigError


def override(
    settings: Settings,
    *,
    portfolio_id: str | None = None,
    data_dir: Path | None = None,
    bars: Sequence[Mapping[str, object]] = (),
    spread_pips: float | None = None,
) -> Settings:
    """Return the settings with what was given over them; ``bars`` are tables, and replace all.

    ``spread_pips`` is the full spread of every symbol of the settings and of ``bars``.

    Raises:
        ConfigError: a value is not allowed; names every such option.
    """
    changes: dict[str, Any] = {}
    portfolio = {"id": portfolio_id, "data_dir": data_dir}
    given = {key: value for key, value in portfolio.items() if value}
    if given:
        changes["portfolio"] = settings.portfolio.model_copy(update=given)
    try:
        if bars:
            changes["bars"] = tuple(BarsSettings.model_validate(table) for table in bars)
        if spread_pips is not None:
            symbols = {*settings.symbols(), *(str(table["symbol"]) for table in bars)}
            changes["instruments"] = {
                symbol: _with_spread(settings, symbol, spread_pips) for symbol in symbols
            }
    except ValidationError as error:
        raise ConfigError(
            [
                f"command line: --{str(where[-1]).replace('_', '-')}: {message}"
                for where, message in field_problems(error)
            ]
        ) from None
    return settings.model_copy(update=changes)


def _with_spread(settings: Settings, symbol: str, spread_pips: float) -> InstrumentSettings:
    given = settings.instruments.get(symbol)
    return InstrumentSettings.model_validate(
        {**(given.overrides() if given is not None else {}), "spread_pips": spread_pips}
    )
