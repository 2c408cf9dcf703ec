"""Which run a command is about: its name, and the data folder it is in. Opens no database."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import click

from daemon.cli.options import Options
from daemon.runtime.run_folder import MANIFEST
from daemon.runtime.run_index import resolve, runs
from state.lock import is_held
from state.units import utc_ns


def data_dir(options: Options) -> Path:
    """Return the data folder; without any configuration: ``var`` here.

    Raises:
        ConfigError: the configuration cannot be read or names no portfolio.
    """
    if options.data_dir is not None:
        return options.data_dir
    from config.locate import DEFAULT_DATA_DIR, DEFAULT_NAME, locate

    if not options.config_paths and not Path(DEFAULT_NAME).exists():
        return Path(DEFAULT_DATA_DIR)
    return locate(options.config_paths, os.environ, portfolio=options.portfolio).data_dir


def folder_of(options: Options, run: str | None, *, daemon: bool = False) -> Path:
    """Return the folder of the run meant: by name, by path, or the newest.

    With ``-c`` or ``--portfolio`` the newest of that portfolio: several may share a data folder.
    A daemon that works on the portfolio comes before all runs; one that worked, where there is no
    run, or where ``daemon`` says that it is meant.

    Raises:
        ConfigError: the configuration cannot be read.
        RunMissing: there is no such run.
    """
    if run is not None and (os.sep in run or run.startswith(".")):
        return resolve(Path(), run)
    data = data_dir(options)
    home = _home(options, data) if run is None else None
    if home is not None and (daemon or is_held(home) or not runs(data)):
        return home
    return resolve(data, run, _portfolio(options))


def _home(options: Options, data: Path) -> Path | None:
    """Return the folder of a daemon's portfolio, None where no daemon ever worked."""
    from config.locate import DEFAULT_NAME, locate

    if options.portfolio is not None:
        home = data / options.portfolio
    elif options.config_paths or Path(DEFAULT_NAME).exists():
        home = data / locate(options.config_paths, os.environ).portfolio_id
    else:
        return None
    return home if (home / MANIFEST).exists() else None


def _portfolio(options: Options) -> str | None:
    if options.portfolio is not None or not options.config_paths:
        return options.portfolio
    from config.locate import locate

    return locate(options.config_paths, os.environ).portfolio_id


class Instant(click.ParamType[int]):
    """An instant on the command line, UTC nanoseconds inside."""

    name = "time"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """Read a date or ISO 8601 time; one without a zone is UTC."""
        if isinstance(value, int):
            return value
        try:
            moment = datetime.fromisoformat(str(value).strip())
            return utc_ns(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
        except (ValueError, OverflowError):
            self.fail(
                f"{value!r} is no time: write 2017-01-05, 2017-01-05T09:30 or"
                " 2017-01-05T09:30:00+01:00 (without a zone: UTC)",
                param,
                ctx,
            )
