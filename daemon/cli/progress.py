"""The progress bar of a replay, on stderr; a plain line now and then where nobody watches."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Final, Self

import click
from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as RichProgress

from state.units import DAY_NS, day_text
from state.units import EPOCH_ORDINAL as FIRST_DAY

_QUIET_LINES: Final = 10


class Progress:
    """Shows how far through its history a replay is."""

    def __init__(
        self, span_ns: tuple[int, int], *, color: bool, quiet: bool, verb: str = "replay"
    ) -> None:
        """Know the history's first and last instant; 0 for an unknown last one."""
        self._verb = verb
        self._first, self._last = span_ns
        self._quiet = quiet
        self._shown = 0
        self._bar: RichProgress | None = None
        if not quiet and sys.stderr.isatty():
            self._bar = RichProgress(
                TextColumn("{task.description}"),
                BarColumn(bar_width=30),
                TextColumn("{task.percentage:>3.0f}%"),
                TextColumn("{task.fields[bars]:>12,} bars"),
                TimeElapsedColumn(),
                console=Console(stderr=True, no_color=not color),
                transient=True,
            )
            self._task = self._bar.add_task(verb, total=None, bars=0)

    def __enter__(self) -> Self:
        """Begin to show."""
        if self._bar is not None:
            self._bar.start()
        return self

    def advance(self, bars: int, now_ns: int) -> None:
        """Show that ``bars`` bars are done and the history's clock says ``now_ns``."""
        total = max(self._last - self._first, 0)
        done = min(max(now_ns - self._first, 0), total)
        day = day_text(now_ns // DAY_NS + FIRST_DAY)
        if self._bar is not None:
            self._bar.update(
                self._task, total=total or None, completed=done, description=day, bars=bars
            )
        elif not self._quiet and total and done * _QUIET_LINES // total > self._shown:
            self._shown = done * _QUIET_LINES // total
            click.echo(f"{self._verb}: {day}, {bars:,} bars, {100 * done // total} %", err=True)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the terminal as it was."""
        if self._bar is not None:
            self._bar.stop()
