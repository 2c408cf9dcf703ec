"""``foliod run``: the daemon, on one portfolio that survives restarts.

It gathers settings and prints what a start found; what happens is ``daemon.live``'s.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from daemon.cli.options import (
    SPEEDS,
    Options,
    loop_option,
    mode_option,
    pass_options,
    speed_option,
)
from state.errors import ConfigError

if TYPE_CHECKING:
    from config.settings import Settings
    from daemon.live import LiveOptions

_T = TypeVar("_T")


@click.command()
@mode_option
@speed_option
@loop_option
@pass_options
def run(options: Options, /, mode: str, speed: str, loop: str) -> None:
    """Trade the portfolio of the configuration as a daemon, on its feed or the bars of its files.

    Its journal is in the portfolio's own folder, and a start goes on where the last one ended,
    however it ended. SIGTERM and Ctrl-C end it in order, a second one at once.

    \b
    Example:
      foliod run --speed 60
      foliod -c london.toml run --speed max
    """
    from adapters.clock import SystemClock
    from daemon.live import Live
    from daemon.runtime.ownership import check_ownership

    check_ownership()
    settings, given = live_options(options, speed)

    async def work() -> str:
        return await Live(settings, given, SystemClock()).run()

    reason = run_in_loop(work, loop)
    click.echo(f"ended in order: {reason}")


def live_options(options: Options, speed: str) -> tuple[Settings, LiveOptions]:
    """Return the settings in force and what the daemon is given beside them.

    Raises:
        ConfigError: the configuration cannot be used, or wants live trading.
    """
    from config.load import load
    from config.override import override
    from daemon.cli.replay import settings_text
    from daemon.live import LiveOptions

    paths = options.config_paths
    settings = override(
        load(paths, os.environ), portfolio_id=options.portfolio, data_dir=options.data_dir
    )
    if settings.portfolio.mode == "live":
        raise ConfigError(
            'portfolio.mode = "live": there is no live trading yet; set mode = "paper"'
        )
    if settings.feed.is_live and speed != "1":
        raise ConfigError(
            f'--speed {speed}: [feed] source = "{settings.feed.source}" comes as it comes, at speed'
            ' 1; `source = "files"` replays [[bars]] at any'
        )
    given = LiveOptions(
        speed=SPEEDS[speed],
        control=settings.control.dir,
        config_text=settings_text(settings),
        log=sys.stderr,
        say=click.echo,
        strategies_folder=paths[-1].parent if paths else Path(),
    )
    return settings, given


def run_in_loop(work: Callable[[], Coroutine[Any, Any, _T]], loop: str) -> _T:
    """Run something in the event loop of this name and return its result."""
    if loop == "asyncio":
        return asyncio.run(work())
    import uvloop

    return uvloop.run(work())
