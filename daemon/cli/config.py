"""``foliod config``: shows the settings in force and the schema. It changes nothing."""

from __future__ import annotations

import json
import os
from datetime import datetime, time
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from config.profiles import is_file
from daemon.cli.options import Options, pass_options

if TYPE_CHECKING:
    from config.settings import Settings


@click.group()
def config() -> None:
    """Show the configuration in force, or its schema.

    \b
    Example:
      foliod -c foliod.toml config show
    """


@config.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@pass_options
def show(options: Options, as_json: bool) -> None:
    """Print the settings in force and their hash, secrets hidden.

    Defaults, the profiles' windows and whole instruments are filled in; the text is a configuration
    again.

    \b
    Example:
      FOLIOD_RISK__DAILY_R_STOP=-4 foliod config show --json
    """
    from config.effective import effective, parameters, redacted
    from config.fingerprint import fingerprint
    from config.load import load
    from config.locate import config_paths

    files = config_paths(options.config_paths)
    settings = load(files, os.environ)
    found = _anywhere(redacted(effective(settings)))
    sets = redacted(parameters(settings))
    digest = fingerprint(settings)
    if options.json or as_json:
        whole = {
            "hash": digest,
            "files": [str(path) for path in files],
            "settings": found,
            "parameters": sets,
        }
        click.echo(json.dumps(whole, default=_json_value, indent=2))
        return
    click.echo(_toml(settings, digest, [str(path) for path in files], found, sets))


def _anywhere(found: dict[str, Any]) -> dict[str, Any]:
    """Make paths absolute, so that the text means the same in any folder."""
    places = [(found["portfolio"], "data_dir"), (found["news"], "file")]
    places += [(found["control"], "dir"), (found["keys"], "dir")]
    places += [(source, "path") for source in found["bars"]]
    places += [(table, "kind") for table in found["strategies"] if is_file(table["kind"])]
    for table, key in places:
        if key in table:
            table[key] = str(Path(table[key]).absolute())
    return found


def _toml(
    settings: Settings,
    digest: str,
    files: list[str],
    found: dict[str, Any],
    sets: dict[str, dict[str, dict[str, Any]]],
) -> str:
    from config.toml_text import dumps, value_text

    lines = [f"# hash {digest}", f"# portfolio {settings.portfolio.id}, from {', '.join(files)}"]
    for strategy, by_symbol in sets.items():
        for symbol, chosen in by_symbol.items():
            params = value_text(chosen["params"])
            lines.append(f"# {strategy} {symbol}: parameters {chosen['name']} {params}")
    return "\n".join(lines) + "\n\n" + dumps(found)


@config.command()
def schema() -> None:
    """Print the JSON schema of the configuration file, for editors.

    \b
    Example:
      foliod config schema > foliod.schema.json
    """
    from config.schema import schema as json_schema

    click.echo(json.dumps(json_schema(), indent=2))


def _json_value(value: object) -> object:
    """Write what JSON lacks: exact numbers as numbers, times as text."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, time | datetime):
        return value.isoformat()
    raise TypeError(f"no JSON form for {type(value).__name__}")
