"""Reads the configuration: files, later ones winning, then the environment, then every check.

All mistakes are reported at once. It is the only place that turns text into ``Settings``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from config import consistency
from config.environment import unknown_variables, variables
from config.facts import partial
from config.locate import (
    DEFAULT_CONTROL_DIR,
    DEFAULT_DATA_DIR,
    DEFAULT_KEYS_DIR,
    PREFIX,
    SEPARATOR,
    config_paths,
    read_toml,
)
from config.problems import Where, field_problems, printable, where_text
from config.profiles import is_file
from config.settings import Settings
from state.errors import ConfigError

_PATH_KEYS: Final = (
    ("portfolio", "data_dir"),
    ("news", "file"),
    ("control", "dir"),
    ("keys", "dir"),
)


def load(paths: Sequence[Path], environ: Mapping[str, str]) -> Settings:
    """Return the settings of these files (none: ``foliod.toml`` here) and this environment.

    Tables merge key by key, lists are replaced as a whole. Relative paths become relative to the
    folder of the file that has them (a variable's: to the last file's).

    Raises:
        ConfigError: every mistake, one a line: file, key, what was given, what is allowed.
    """
    files = config_paths(paths)
    layers = _file_layers(files)
    layers.append(("environment", _anchored(variables(environ), files[-1].parent)))
    data: dict[str, Any] = {}
    origins: dict[Where, str] = {}
    for origin, layer in layers:
        _merge(data, layer, origin, origins)
    _default_folders(data, files[-1].parent)
    return _validated(data, origins, str(files[-1]), unknown_variables(environ))


def _file_layers(files: Sequence[Path]) -> list[tuple[str, dict[str, Any]]]:
    layers: list[tuple[str, dict[str, Any]]] = []
    problems: list[str] = []
    for path in files:
        try:
            layers.append((str(path), _anchored(read_toml(path), path.parent)))
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems)
    return layers


def _anchored(layer: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Make the relative paths of a layer relative to its folder."""
    for section, key in _PATH_KEYS:
        _anchor(layer.get(section), key, folder)
    for section, key in (("bars", "path"), ("strategies", "kind")):
        tables = layer.get(section)
        for table in tables if isinstance(tables, list) else ():
            _anchor(table, key, folder)
    return layer


def _anchor(table: object, key: str, folder: Path) -> None:
    if not isinstance(table, dict) or not isinstance(table.get(key), str):
        return
    text = table[key]
    if not text.strip() or (key == "kind" and not is_file(text)):
        return
    table[key] = str(folder / text)


def _default_folders(data: dict[str, Any], folder: Path) -> None:
    """Anchor defaults as given ones would be; ``config.locate`` looks for them there too."""
    portfolio = data.get("portfolio")
    if isinstance(portfolio, dict):
        portfolio.setdefault("data_dir", str(folder / DEFAULT_DATA_DIR))
    for section, name in (("control", DEFAULT_CONTROL_DIR), ("keys", DEFAULT_KEYS_DIR)):
        table = data.setdefault(section, {})
        if isinstance(table, dict):
            table.setdefault("dir", str(folder / name))


def _merge(
    data: dict[str, Any],
    layer: Mapping[str, Any],
    origin: str,
    origins: dict[Where, str],
    above: Where = (),
) -> None:
    """Merge a layer into the data, tables key by key, and note where each value came from."""
    for key, value in layer.items():
        where = (*above, key)
        origins[where] = origin
        if isinstance(value, dict):
            below = data.get(key)
            data[key] = dict(below) if isinstance(below, dict) else {}
            _merge(data[key], value, origin, origins, where)
        else:
            data[key] = value


def _validated(
    data: dict[str, Any], origins: Mapping[Where, str], last_file: str, unknown: list[str]
) -> Settings:
    found: list[consistency.Problem] = []
    settings: Settings | None = None
    try:
        settings = Settings.model_validate(data)
    except ValidationError as error:
        found = field_problems(error) + consistency.problems(partial(data))
    lines = [
        f"{_origin(where, origins, last_file)}: {where_text(where, data)}: {message}"
        for where, message in found
    ]
    lines = list(dict.fromkeys(printable(line) for line in (*lines, *unknown)))
    if settings is None or lines:
        raise ConfigError(lines)
    return settings


def _origin(where: Where, origins: Mapping[Where, str], last_file: str) -> str:
    for length in range(len(where), 0, -1):
        origin = origins.get(where[:length])
        if origin == "environment":
            name = SEPARATOR.join(str(part).upper() for part in where[:length])
            return f"environment: {PREFIX}{name}"
        if origin is not None:
            return origin
    return last_file
