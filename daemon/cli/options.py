"""The global options of the command line, handed to every command. It parses and prints nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click


@dataclass(frozen=True, slots=True)
class Options:
    """What stood before the verb.

    ``config_paths`` in the order given, later wins, empty: ``foliod.toml`` here. ``portfolio`` and
    ``data_dir`` override the configuration when not None. ``verbosity`` counts -v minus -q.
    """

    config_paths: tuple[Path, ...] = ()
    portfolio: str | None = None
    data_dir: Path | None = None
    json: bool = False
    verbosity: int = 0
    color: bool = True


pass_options = click.make_pass_decorator(Options, ensure=True)
"""Decorator: hands the command its ``Options`` as first argument."""
