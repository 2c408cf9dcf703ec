"""``foliod halt``, ``resume``, ``flatten`` and ``reset``: the operator's words to a running daemon.

They go through the socket in the portfolio's folder; the daemon journals them and answers.
"""

from __future__ import annotations

import os
import sys

import click

from daemon.cli.options import Options, pass_options
from state.errors import ExitCode

reason_option = click.option("--reason", default="", help="Why; kept in the journal.")


@click.command()
@reason_option
@pass_options
def halt(options: Options, /, reason: str) -> None:
    """Let no entry pass any more; exits and protection go on.

    \b
    Example:
      foliod halt --reason "central bank at noon"
    """
    _ask(options, "halt", reason=reason)


@click.command()
@reason_option
@pass_options
def resume(options: Options, /, reason: str) -> None:
    """End a halt by hand.

    \b
    Example:
      foliod resume
    """
    _ask(options, "resume", reason=reason)


@click.command()
@click.option("--dry-run", is_flag=True, help="Only say what would be closed.")
@reason_option
@pass_options
def flatten(options: Options, /, dry_run: bool, reason: str) -> None:
    """Close every position at the next price; it does not stop entries.

    \b
    Example:
      foliod flatten --dry-run
    """
    _ask(options, "flatten", reason=reason, dry_run=dry_run)


@click.command()
@click.argument("name")
@reason_option
@pass_options
def reset(options: Options, /, name: str, reason: str) -> None:
    """Lift what is latched under NAME: kill, a halt, or the cooldown of a symbol.

    \b
    Example:
      foliod reset kill --reason "checked, the feed was right"
    """
    _ask(options, "reset", name, reason=reason)


def _ask(
    options: Options, name: str, argument: str = "", *, reason: str, dry_run: bool = False
) -> None:
    from config.locate import locate
    from daemon.control import Request, ask

    home = locate(
        options.config_paths, os.environ, portfolio=options.portfolio, data_dir=options.data_dir
    )
    answer = ask(home.folder, Request(name, argument, reason, dry_run))
    for line in answer.lines:
        click.echo(line, err=not answer.ok)
    if not answer.ok:
        sys.exit(ExitCode.NO)
