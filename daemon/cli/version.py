"""``foliod version``: what runs, for a bug report. It reads no configuration."""

from __future__ import annotations

import json
import platform
import sqlite3
from importlib import metadata

import click

from daemon.cli.options import Options, pass_options
from daemon.runtime.version import VERSION

PARTS = ("uvloop", "msgspec", "numpy", "pandas", "pyarrow", "aiosqlite", "pydantic", "click")


@click.command()
@pass_options
def version(options: Options) -> None:
    """Print versions of foliod and what it runs on.

    \b
    Example:
      foliod --json version
    """
    found = {"foliod": VERSION, "python": platform.python_version()}
    found["sqlite"] = sqlite3.sqlite_version
    for name in PARTS:
        found[name] = metadata.version(name)
    if options.json:
        click.echo(json.dumps(found))
        return
    for name, text in found.items():
        click.echo(f"{name:<10} {text}")
