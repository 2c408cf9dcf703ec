"""Where the configuration and the portfolio's folder are, found fast.

For commands that only read: it parses TOML and nothing else, checks no setting, and imports no
pydantic. ``config.load`` is what validates. Files are read here for both.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from state.errors import ConfigError

PREFIX: Final = "FOLIOD_"
"""What the name of a variable that is a setting begins with."""
SEPARATOR: Final = "__"
"""Between the parts of such a name: FOLIOD_RISK__DAILY_R_STOP."""
DEFAULT_NAME: Final = "foliod.toml"
DEFAULT_DATA_DIR: Final = "var"
DEFAULT_CONTROL_DIR: Final = "control"
DEFAULT_KEYS_DIR: Final = "secrets"
PORTFOLIO_ID: Final = "[A-Za-z0-9][A-Za-z0-9_-]{0,31}"
PORTFOLIO_ID_TEXT: Final = "at most 32 letters, digits, _ and -, such as main"
MAX_BYTES: Final = 1_048_576
"""No configuration is larger; a bar file given by mistake is."""


@dataclass(frozen=True, slots=True)
class Home:
    """Where a portfolio keeps its files: ``folder`` is ``data_dir / portfolio_id``."""

    portfolio_id: str
    data_dir: Path

    @property
    def folder(self) -> Path:
        """The folder of this portfolio's database, logs and reports."""
        return self.data_dir / self.portfolio_id


def config_paths(given: Sequence[Path] = (), folder: Path | None = None) -> tuple[Path, ...]:
    """Return the configuration files to use: the given ones, else ``foliod.toml`` in the folder.

    Raises:
        ConfigError: none was given and the folder (default: the current one) has none.
    """
    if given:
        return tuple(given)
    found = (folder or Path()) / DEFAULT_NAME
    if not found.exists():
        raise ConfigError(
            f"no configuration: there is no {DEFAULT_NAME} in {found.parent.resolve()}; "
            f"name one with -c FILE, or make one with: foliod init"
        )
    return (found,)


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file into plain values, numbers with a point as Decimal.

    Raises:
        ConfigError: the file is missing, unreadable, too large, not UTF-8 or not TOML.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; make one with: foliod init") from None
    except IsADirectoryError:
        raise ConfigError(
            f"{path}: is a folder; name the file, e.g. {path / DEFAULT_NAME}"
        ) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"{path}: cannot be read: {reason}") from None
    if len(raw) > MAX_BYTES:
        raise ConfigError(
            f"{path}: is larger than {MAX_BYTES // 1024} KiB; is it a configuration at all?"
        )
    return _parsed(path, raw)


def _parsed(path: Path, raw: bytes) -> dict[str, Any]:
    try:
        return tomllib.loads(raw.decode("utf-8"), parse_float=Decimal)
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            f"{path}: line {line}: not UTF-8 (byte 0x{raw[error.start]:02x}); "
            f"save the file as UTF-8"
        ) from None
    except RecursionError:
        raise ConfigError(f"{path}: tables or lists are nested too deeply") from None
    except (ValueError, ArithmeticError) as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from None


def locate(
    paths: Sequence[Path],
    environ: Mapping[str, str],
    *,
    portfolio: str | None = None,
    data_dir: Path | None = None,
) -> Home:
    """Find the portfolio's home: command line first, then environment, then files (later wins).

    With both ``portfolio`` and ``data_dir`` no file is read. A relative ``data_dir`` of a file is
    relative to that file's folder, one of the command line to the current folder.

    Raises:
        ConfigError: a file cannot be read, or nothing says which portfolio.
    """
    name: object = portfolio or _variable(environ, f"{PREFIX}PORTFOLIO{SEPARATOR}ID")
    given = _variable(environ, f"{PREFIX}PORTFOLIO{SEPARATOR}DATA_DIR")
    files = () if name and data_dir else config_paths(paths)
    folder = Path()
    file_name: object = None
    file_dir: Path | None = None
    for path in files:
        folder = path.parent
        section = read_toml(path).get("portfolio")
        if not isinstance(section, dict):
            continue
        file_name = section.get("id", file_name)
        if isinstance(section.get("data_dir"), str):
            file_dir = folder / section["data_dir"]
    name = name or file_name
    if not isinstance(name, str) or not re.fullmatch(PORTFOLIO_ID, name):
        where = ", ".join(map(str, files)) or "--portfolio"
        found = "is required" if name is None else f"found {name!r}"
        raise ConfigError(f"{where}: portfolio.id: {found}, allowed: {PORTFOLIO_ID_TEXT}")
    home = data_dir or (folder / given if given else None)
    return Home(name, home or file_dir or folder / DEFAULT_DATA_DIR)


def control_dir(paths: Sequence[Path], environ: Mapping[str, str]) -> Path:
    """Find the folder of the kill file; a file that cannot be read counts as saying nothing of it.

    Raises:
        ConfigError: there is no configuration file.
    """
    files = config_paths(paths)
    found = files[-1].parent / DEFAULT_CONTROL_DIR
    for path in files:
        with suppress(ConfigError):
            section = read_toml(path).get("control")
            if isinstance(section, dict) and isinstance(section.get("dir"), str):
                found = path.parent / section["dir"]
    given = _variable(environ, f"{PREFIX}CONTROL{SEPARATOR}DIR")
    return files[-1].parent / given if given else found


def _variable(environ: Mapping[str, str], name: str) -> str | None:
    text = environ.get(name)
    return text.strip('"') if text else None
