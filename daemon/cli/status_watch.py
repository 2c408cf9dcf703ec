"""A screen of lines drawn again every second on a terminal, until Ctrl-C.

It draws what ``daemon.cli.status`` writes and adds nothing but emphasis.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import click
from rich.console import Console
from rich.live import Live
from rich.text import Text

_EVERY_S: Final = 1.0


def watch_screen(look: Callable[[], Awaitable[list[str]]], *, color: bool) -> None:
    """Draw the lines that ``look`` gives until Ctrl-C, and leave the terminal as it was.

    Raises:
        click.UsageError: stdout is no terminal on which a screen can be drawn.
    """
    console = Console(no_color=not color, highlight=False)
    if not console.is_terminal or console.is_dumb_terminal:
        raise click.UsageError("--watch needs a terminal; elsewhere: foliod tail -f")
    try:
        asyncio.run(_draw(look, console))
    except KeyboardInterrupt:
        return


async def _draw(look: Callable[[], Awaitable[list[str]]], console: Console) -> None:
    with Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            live.update(drawn(await look(), console.height), refresh=True)
            await asyncio.sleep(_EVERY_S)


def drawn(lines: list[str], height: int) -> Text:
    """Return at most ``height`` lines; those at the top that need a person (``!!``) stand out."""
    if len(lines) > height:
        lines = [*lines[: height - 1], f"... {len(lines) - height + 1} more lines: foliod status"]
    found = Text(no_wrap=True, overflow="crop")
    is_trouble = True
    for number, line in enumerate(lines):
        is_trouble = is_trouble and line.startswith(("!! ", "   "))
        found.append(line, style="bold red" if is_trouble else "")
        found.append("\n" if number + 1 < len(lines) else "")
    return found
