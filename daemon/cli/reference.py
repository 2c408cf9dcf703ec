"""The reference page of the command line, written from the commands so that it cannot disagree.

Run as a module it prints the page: ``python -m daemon.cli.reference > docs/reference/cli.md``. It
imports every verb, which no verb of the program does.
"""

from __future__ import annotations

from collections.abc import Iterator

import click

from daemon.cli.main import cli

_WIDTH = 90


def page() -> str:
    """Return the reference page of all commands, as Markdown."""
    names = cli.context_settings.get("help_option_names")
    root = click.Context(
        cli, info_name="foliod", terminal_width=_WIDTH, color=False, help_option_names=names
    )
    lines = [
        "# Command line",
        "",
        "Written from the commands by `daemon/cli/reference.py`; do not edit.",
        "",
        "Results go to standard output, everything else to standard error, so that `foliod --json "
        "VERB | ...` is safe. Options of the program stand before the verb. What the exit status "
        "means is in [exit-codes.md](exit-codes.md).",
        "",
        "## foliod",
        "",
        *_help(cli, root),
    ]
    for context, command in _commands(cli, root):
        lines += ["", f"## {context.command_path}", "", *_help(command, context)]
    return "\n".join(lines) + "\n"


def _commands(
    group: click.Group, above: click.Context
) -> Iterator[tuple[click.Context, click.Command]]:
    """Walk all commands below a group, in its order."""
    for name in group.list_commands(above):
        command = group.get_command(above, name)
        if command is None:
            continue
        context = click.Context(
            command, parent=above, info_name=name, terminal_width=_WIDTH, color=False
        )
        yield context, command
        if isinstance(command, click.Group):
            yield from _commands(command, context)


def _help(command: click.Command, context: click.Context) -> list[str]:
    text = command.get_help(context)
    return ["```text", *(line.rstrip() for line in text.splitlines()), "```"]


if __name__ == "__main__":
    print(page(), end="")
