"""The program ``foliod``: global options, verbs imported when called, errors turned into words.

Results go to stdout, all else to stderr. Every expected failure is one clear text and the exit
status of ``state.errors.ExitCode``; a traceback is shown for a defect of the program only.
"""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from typing import Final, NoReturn

import click

from daemon.cli.options import Options
from daemon.core.plain import plain
from state.errors import ExitCode, FoliodError

VERBS: Final = {
    "init": ("init", "Scaffold a commented configuration and its folders."),
    "check": ("check", "Check everything a run needs; every finding with its remedy."),
    "replay": ("replay", "Run bar files through the whole portfolio; without any: the demo."),
    "run": ("run", "Trade a portfolio as a daemon that survives restarts (paper)."),
    "session": ("session", "Trade one day, report, and exit with what it came to (paper)."),
    "halt": ("control", "Let a running daemon pass no entry any more."),
    "resume": ("control", "End a halt by hand."),
    "flatten": ("control", "Close every position of a running daemon."),
    "reset": ("control", "Lift what is latched: kill, a halt, a cooldown."),
    "panic": ("panic", "Write the kill file: no entry any more; needs no daemon."),
    "status": ("status", "Show a run on one screen."),
    "show": ("show", "Show positions, trades, orders, equity, days, windows ... as tables."),
    "why": ("why", "Show every gate's answer for a decision."),
    "explain": ("explain", "Say what a reason code means and what to do."),
    "tail": ("tail", "Follow decoded status lines and events."),
    "report": ("report", "Write daily, weekly, monthly reports or the tear sheet of a run."),
    "notify": ("notify", "Try the notifications: send one message and say what happened."),
    "aggregate": ("aggregate", "Add up sessions' equity curves; a gate for CI by exit status."),
    "verify": ("verify", "Prove a run: its books add up, its decisions come out again."),
    "bars": ("bars", "Say what a bar file is: span, gaps, zone, anomalies."),
    "strategies": ("strategies", "List strategies; check one for look-ahead."),
    "config": ("config", "Show the effective configuration, or its JSON Schema."),
    "completion": ("completion", "Print the completion script of a shell."),
    "version": ("version", "Print versions of the program and what it runs on."),
}
"""Verb: the module of ``daemon.cli`` that has it, and one line about it."""


class Verbs(click.Group):
    """A group that imports a verb's module only when the verb is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the verbs in the order of a trader's day."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one verb; None when there is none of that name."""
        if cmd_name not in VERBS:
            return None
        module = importlib.import_module(f"daemon.cli.{VERBS[cmd_name][0]}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb; an unknown one is refused with the nearest name."""
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            import difflib

            close = difflib.get_close_matches(args[0], list(VERBS), n=1, cutoff=0.5)
            hint = f" Did you mean {close[0]}?" if close else ""
            raise click.UsageError(f"No such command {args[0]!r}.{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in VERBS.items()])


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "-c",
    "--config",
    "config_paths",
    multiple=True,
    type=click.Path(readable=False, path_type=Path),
    help="Configuration file; repeatable, later ones win. Default: ./foliod.toml.",
)
@click.option("--portfolio", help="Name of the portfolio, over the configuration's.")
@click.option(
    "--data-dir", type=click.Path(path_type=Path), help="Data folder, over the configuration's."
)
@click.option("--json", "as_json", is_flag=True, help="Report as JSON where a verb reports.")
@click.option("-v", "--verbose", count=True, help="Say more on stderr.")
@click.option("-q", "--quiet", count=True, help="Say less on stderr.")
@click.option("--no-color", is_flag=True, help="No colour (also: the variable NO_COLOR).")
@click.pass_context
def cli(
    ctx: click.Context,
    config_paths: tuple[Path, ...],
    portfolio: str | None,
    data_dir: Path | None,
    as_json: bool,
    verbose: int,
    quiet: int,
    no_color: bool,
) -> None:
    """Trade one portfolio with many strategies on many symbols, under one risk supervision.

    \b
    Example:
      foliod replay                    the demo: generated bars through the whole portfolio
      foliod init && foliod check      a configuration of your own
    """
    color = not (no_color or os.environ.get("NO_COLOR"))
    ctx.color = None if color else False
    ctx.obj = Options(config_paths, portfolio, data_dir, as_json, verbose - quiet, color)


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the program and exit with its status."""
    sys.exit(run(arguments))


def run(arguments: list[str] | None = None) -> int:
    """Run the program and return its exit status."""
    stdout = sys.stdout
    try:
        status = cli.main(args=arguments, prog_name="foliod", standalone_mode=False)
        return status if isinstance(status, int) else ExitCode.OK
    except SystemExit as wanted:
        if sys.stdout is not stdout:
            # click put a mute one there and wants 1: our reader went away, which is no "no".
            return ExitCode.OK
        return wanted.code if isinstance(wanted.code, int) else ExitCode.OK
    except click.Abort:
        return _say("interrupted", ExitCode.INTERRUPTED)
    except KeyboardInterrupt:
        return _say("interrupted", ExitCode.INTERRUPTED)
    except click.ClickException as error:
        error.show()
        return ExitCode.USAGE
    except FoliodError as error:
        return _say(str(error), error.exit_code)
    except BrokenPipeError:
        # Whoever read our output went away; what is left has no reader, and says nothing more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.OK
    except OSError as error:
        return _say(f"{error.filename or 'system'}: {error.strerror or error}", ExitCode.JOURNAL)


def _say(text: str, code: ExitCode) -> ExitCode:
    for line in text.splitlines() or [""]:
        click.echo(f"foliod: {plain(line)}", err=True)
    return code


if __name__ == "__main__":
    main()
