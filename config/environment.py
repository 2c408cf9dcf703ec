"""The environment as the last layer of the configuration: ``FOLIOD_RISK__DAILY_R_STOP=-4``.

pydantic-settings finds the variables that name a section; this module only says how their text
becomes values (TOML's own notation, else plain text) and refuses what names nothing.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict

from config.settings import Settings
from config.types import nearest

PREFIX: Final = "FOLIOD_"
SEPARATOR: Final = "__"
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
            if name.upper().startswith(PREFIX)
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


def variables(environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the layer of settings that the environment gives."""
    return EnvironSource(environ)()


def unknown_variables(environ: Mapping[str, str]) -> list[str]:
    """Return one line for each variable with the prefix that names no section."""
    sections = {name.upper() for name in Settings.model_fields}
    found = []
    for name in sorted(environ):
        if not name.upper().startswith(PREFIX):
            continue
        rest = name.upper()[len(PREFIX) :]
        if rest.split(SEPARATOR, 1)[0] not in sections:
            found.append(f"environment: {name}: {_unknown(rest, sections)}")
    return found


def _unknown(rest: str, sections: set[str]) -> str:
    section = next((name for name in sorted(sections) if rest.startswith(f"{name}_")), None)
    if section is not None and not rest.startswith(f"{section}{SEPARATOR}"):
        near = f'; did you mean "{PREFIX}{section}{SEPARATOR}{rest[len(section) + 1 :]}"?'
    else:
        head, separator, tail = rest.partition(SEPARATOR)
        name = nearest(head, sections)
        near = f'; did you mean "{PREFIX}{name}{separator}{tail}"?' if name is not None else ";"
    return (
        f"no such setting{near} allowed: {PREFIX}SECTION{SEPARATOR}KEY, "
        f"such as {PREFIX}RISK{SEPARATOR}DAILY_R_STOP"
    )
