"""Reads ``FOLIOD_SECTION__KEY`` variables into nested values.

pydantic-settings finds the variables that name a section; this module only says how their text
becomes values: TOML's own notation, else plain text.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict

from config.locate import PREFIX, SEPARATOR
from config.secrets import SECRET_PREFIX
from config.settings import Settings

_CAPITALS: Final = ("instruments", "conversion")


class _Layered(Settings, BaseSettings):
    """The settings as pydantic-settings sees them: sections are found by prefix and separator."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter=SEPARATOR)


class EnvironSource(EnvSettingsSource):
    """Reads the settings that an environment gives, from the mapping it is handed."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        """Take the environment; ``os.environ`` itself is never read."""
        self._environ = environ
        super().__init__(_Layered)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return {
            name.lower(): value
            for name, value in self._environ.items()
            if name.upper().startswith(PREFIX) and not name.startswith(SECRET_PREFIX)
        }

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:  # noqa: ANN401
        """Keep the text: every leaf is decoded once, afterwards."""
        return value

    def __call__(self) -> dict[str, Any]:
        """Return the nested values of all variables, decoded."""
        return {key: _decoded(value, key) for key, value in super().__call__().items()}


def _decoded(value: object, section: str = "") -> object:
    if isinstance(value, dict):
        return {_cased(key, section): _decoded(item) for key, item in value.items()}
    return toml_value(value) if isinstance(value, str) else value


def _cased(key: str, section: str) -> str:
    """Restore the capitals of a symbol or currency, which the variable's name has lost."""
    return key.upper() if section in _CAPITALS and "_" not in key else key


def toml_value(text: str) -> Any:  # noqa: ANN401
    """Read text as a TOML value (number, boolean, time, list, table), else keep it as text."""
    try:
        table = tomllib.loads(f"value = {text}", parse_float=Decimal)
    except (ValueError, RecursionError):
        return text
    return table["value"] if len(table) == 1 else text
