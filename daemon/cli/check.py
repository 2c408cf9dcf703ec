"""``foliod check``: everything a run needs, looked at; every finding with its remedy.

What is checked is ``daemon.checks``' and ``daemon.runtime.machine``'s.
"""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Iterator
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Final

import click

from daemon.cli.options import Options, pass_options
from daemon.core.plain import plain
from state.errors import ConfigError, ExitCode

if TYPE_CHECKING:
    from adapters.ports import Clock
    from daemon.runtime.machine import Finding

_LEVEL, _WHAT, _WIDTH = 6, 20, 80
_INIT: Final = "`foliod init` makes a commented one; `foliod config schema` lists every key"


@click.command()
@click.option("--online", is_flag=True, help="Reach for the hosts of feeds and notifications too.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@pass_options
def check(options: Options, /, online: bool, as_json: bool) -> None:
    """Check everything that a run needs; print every finding, and its remedy.

    Missing folders are created; nothing else is changed. Exit status 0: nothing fails (there may be
    warnings); 1: something fails; 78: the configuration cannot be loaded.

    \b
    Example:
      foliod -c london.toml check
      foliod -c london.toml check --online
    """
    from adapters.clock import SystemClock

    with redirect_stdout(sys.stderr):  # a strategy may print when it is imported
        found, code = findings(options, SystemClock(), online=online)
    if options.json or as_json:
        import msgspec

        whole = {"ok": code == ExitCode.OK, "findings": found}
        click.echo(msgspec.json.format(msgspec.json.encode(whole)).decode())
    else:
        for line in lines(found):
            click.echo(line)
    if code:
        sys.exit(code)


def findings(
    options: Options, clock: Clock, *, online: bool = False
) -> tuple[list[Finding], ExitCode]:
    """Check the machine and the configuration; return what was found and the exit status."""
    from config.load import load
    from config.locate import config_paths
    from daemon.runtime.machine import Finding, disk_clock, machine

    found = [*machine(clock)]
    try:
        files = config_paths(options.config_paths)
        settings = load(files, os.environ)
    except ConfigError as error:
        found += [Finding("fail", "configuration", text, _INIT) for text in error.problems]
        return found, ExitCode.CONFIG
    from daemon.checks import Ground
    from daemon.checks import check as look

    data_dir = options.data_dir or settings.portfolio.data_dir
    ground = Ground(settings, files, data_dir, clock.now_ns(), os.environ, online)
    found += look(ground)
    found.append(disk_clock(clock, data_dir))
    failed = any(one.level == "fail" for one in found)
    return found, ExitCode.NO if failed else ExitCode.OK


def lines(found: list[Finding]) -> Iterator[str]:
    """Yield the findings as text: level, what, what was found, and below it what to do."""
    for one in found:
        yield from _wrapped(f"{one.level:<{_LEVEL}}{one.what:<{_WHAT}}", one.found)
        if one.remedy and one.level != "ok":
            yield from _wrapped(" " * (_LEVEL + _WHAT), f"-> {one.remedy}")
    counts = [sum(one.level == level for one in found) for level in ("ok", "warn", "fail")]
    yield f"{counts[0]} ok, {counts[1]} warned of, {counts[2]} failed"


def _wrapped(label: str, text: str) -> Iterator[str]:
    width = _WIDTH - _LEVEL - _WHAT
    parts = textwrap.wrap(plain(text), width, break_on_hyphens=False, break_long_words=False)
    for place, part in enumerate(parts or [""]):
        beside = label if place == 0 else ""
        beside += " " * (len(beside.rstrip()) >= _LEVEL + _WHAT)  # a long name touches no finding
        yield f"{beside:<{_LEVEL + _WHAT}}{part}"
