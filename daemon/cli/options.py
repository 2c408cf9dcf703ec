"""Options that commands share: the global ones, handed to every command, and those of some verbs.

It parses and prints nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

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

SPEEDS: Final = {"max": None, "60": 60.0, "1": 1.0}
"""Simulated seconds per second, by the word of ``--speed``."""

mode_option = click.option(
    "--mode", type=click.Choice(["paper"]), default="paper", show_default=True, help="Who fills."
)
"""Decorator: who fills."""
speed_option = click.option(
    "--speed",
    type=click.Choice(list(SPEEDS)),
    default="1",
    show_default=True,
    help="Simulated seconds per second, of files only; max: as fast as it goes.",
)
"""Decorator: at which pace bars of files come."""
loop_option = click.option(
    "--loop",
    type=click.Choice(["uvloop", "asyncio"]),
    default="uvloop",
    show_default=True,
    help="Event loop; the result is the same.",
)
"""Decorator: which event loop."""
