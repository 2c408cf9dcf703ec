"""``foliod panic``: the kill file, written with nothing else alive. It opens no database."""

from __future__ import annotations

from pathlib import Path

import click

from adapters.kill_file import write_kill_file
from daemon.cli.options import Options, pass_options
from daemon.cli.run import control_folder
from state.errors import ConfigError


@click.command()
@click.option("--flatten", is_flag=True, help="Close every position too.")
@click.option("--reason", default="foliod panic", show_default=True, help="Kept in the journal.")
@pass_options
def panic(options: Options, /, flatten: bool, reason: str) -> None:
    """Write the kill file beside the configuration: from now on nothing adds risk.

    A running daemon obeys within a tenth of a second, one that is started later from its start on.
    Exits and protection go on.

    \b
    Example:
      foliod panic --flatten --reason "the feed is wrong"
    """
    from config.locate import DEFAULT_NAME

    if not options.config_paths and not Path(DEFAULT_NAME).exists():
        raise ConfigError(
            f"there is no {DEFAULT_NAME} here, so it cannot be told which portfolio is meant; name"
            " its configuration with -c FILE, or touch KILL_SWITCH in its control folder"
        )
    path = write_kill_file(
        control_folder(options).absolute(), "flatten" if flatten else "halt", reason
    )
    click.echo(f"wrote {path}: no entry from now on; exits and protection go on")
    if flatten:
        click.echo("a running daemon closes every position at the next price")
    click.echo("the daemon latches it; removing the file does not lift it")
