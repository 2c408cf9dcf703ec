"""The command line answers quickly because it imports little; every verb shows an example."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from daemon.cli.main import VERBS, cli
from tests.builders import ROOT
from tests.run_folders import two_days, write_run

HEAVY = ("numpy", "pandas", "pyarrow", "pydantic", "rich", "aiosqlite", "aiohttp", "uvloop")
LOADED = """
import json, sys
from daemon.cli.main import run
status = run(json.loads(sys.argv[1]))
print("LOADED", json.dumps([int(status), sorted(set(sys.argv[2].split()) & set(sys.modules))]))
"""


def _loaded(folder: Path, *arguments: str) -> tuple[int, set[str]]:
    """Run a verb in a fresh process; return its status and the heavy packages it imported."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", LOADED, json.dumps(arguments), " ".join(HEAVY)],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    line = done.stdout.rsplit("LOADED ", 1)[1]
    status, names = json.loads(line)
    return status, set(names)


def _commands(group: click.Group, above: click.Context) -> Iterator[tuple[str, click.Command]]:
    for name in group.list_commands(above):
        command = group.get_command(above, name)
        assert command is not None, name
        context = click.Context(command, parent=above, info_name=name)
        yield context.command_path, command
        if isinstance(command, click.Group):
            yield from _commands(command, context)


def test_a_reader_that_goes_away_is_no_failure() -> None:
    """`foliod explain | head -1` succeeds under `pipefail`: exit status 1 is for a real no."""
    with subprocess.Popen(
        [sys.executable, "-m", "foliod", "explain"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        said = process.stderr.read()
        assert (process.wait(timeout=60), said) == (0, b"")


def test_every_command_shows_an_example() -> None:
    """U2: ``--help`` of each verb and sub-command has one that can be copied."""
    root = click.Context(cli, info_name="foliod")
    commands = dict(_commands(cli, root))
    without = [path for path, command in commands.items() if "Example" not in (command.help or "")]

    assert {path.split()[1] for path in commands} == set(VERBS)
    assert without == []


def test_every_option_says_what_it_does() -> None:
    """No option without a line of help."""
    root = click.Context(cli, info_name="foliod")
    silent = [
        f"{path} {parameter.opts[0]}"
        for path, command in _commands(cli, root)
        for parameter in command.params
        if isinstance(parameter, click.Option) and not parameter.help
    ]

    assert silent == []


@pytest.mark.parametrize("arguments", [["--help"], ["version"], ["explain", "OUTSIDE_WINDOW"]])
def test_the_light_verbs_import_nothing_heavy(arguments: list[str], tmp_path: Path) -> None:
    """Help, version and explain answer from words alone."""
    assert _loaded(tmp_path, *arguments) == (0, set())


@pytest.mark.parametrize(
    "arguments",
    [
        ["status"],
        ["show", "trades"],
        ["show", "days"],
        ["why", "orb", "EURUSD"],
        ["tail", "-n", "3"],
    ],
    ids=" ".join,
)
def test_the_reading_verbs_import_no_heavy_package(arguments: list[str], tmp_path: Path) -> None:
    """Reading a run needs its database, and none of numpy, pandas, pyarrow or pydantic."""
    run = write_run(tmp_path / "var" / "runs" / "20170201T000000Z-rabc", two_days())
    assert run.is_dir()

    status, names = _loaded(tmp_path, *arguments)

    assert status == 0
    assert names <= {"aiosqlite", "rich"}
