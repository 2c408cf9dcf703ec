"""``foliod panic``: the kill file, written with nothing else alive. It opens no database."""

from __future__ import annotations

import os

import click

from adapters.kill_file import write_kill_file
from daemon.cli.options import Options, pass_options


@click.command()
@click.option("--flatten", is_flag=True, help="Close every position too.")
@click.option("--reason", default="foliod panic", show_default=True, help="Kept in the journal.")
@pass_options
def panic(options: Options, /, flatten: bool, reason: str) -> None:
    """Write the kill file into the configured folder: from now on nothing adds risk.

    A running daemon obeys within a tenth of a second, one that is started later from its start on.
    Exits and protection go on.

    \b
    Example:
      foliod panic --flatten --reason "the feed is wrong"
    """
    from config.locate import control_dir

    folder = control_dir(options.config_paths, os.environ).absolute()
    path = write_kill_file(folder, "flatten" if flatten else "halt", reason)
    click.echo(f"wrote {path}: no entry from now on; exits and protection go on")
    if flatten:
        click.echo("a running daemon closes every position at the next price")
    click.echo("the daemon latches it; removing the file does not lift it")
