"""``foliod init``: scaffolds a configuration and its folders. It overwrites nothing unasked."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

import click

from config.locate import DEFAULT_NAME
from daemon.cli.options import Options, pass_options
from state.errors import ConfigError

EXAMPLES = ("london", "india", "crypto")
FOLDERS = ("var", "control", "bars")


@click.command()
@click.option(
    "--example",
    type=click.Choice(EXAMPLES),
    help="The session to begin with; left out: what DIR is named after, or else london.",
)
@click.option("--force", is_flag=True, help=f"Replace a {DEFAULT_NAME} that is already there.")
@click.argument("folder", metavar="[DIR]", default=".")
@pass_options
def init(options: Options, example: str | None, force: bool, folder: str) -> None:
    """Scaffold a commented configuration and folders in DIR (default: here).

    \b
    Example:
      foliod init --example india my-portfolio
    """
    home = Path(folder)
    example = example or (home.name if home.name in EXAMPLES else EXAMPLES[0])
    written = scaffold(home, example, force=force)
    if options.json:
        click.echo(json.dumps({"example": example, "created": [str(path) for path in written]}))
        return
    for path in written:
        click.echo(f"created {path}")
    config = home / DEFAULT_NAME
    others = " and ".join(one for one in EXAMPLES if one != example)
    click.echo(f"\nIt is the example {example}; --example has {others} too.")
    click.echo("\nNext:")
    click.echo(f"  1. put bars into {home / 'bars'} (foliod bars FILE says what a file is)")
    click.echo(f"  2. read and edit {config}")
    click.echo(f"  3. foliod -c {config} check")
    click.echo(f"  4. foliod -c {config} replay")


def scaffold(folder: Path, example: str, *, force: bool = False) -> list[Path]:
    """Write the example as ``foliod.toml`` and make the folders; return what was created.

    Raises:
        ConfigError: the file exists and ``force`` is False, or the folder cannot be written.
    """
    config = folder / DEFAULT_NAME
    if config.exists() and not force:
        raise ConfigError(f"{config}: exists already; replace it with --force, or name another DIR")
    source = resources.files("config").joinpath("examples", f"{example}.toml")
    created: list[Path] = []
    try:
        for path in (folder, *(folder / name for name in FOLDERS)):
            if not path.is_dir():
                path.mkdir(parents=True)
                created.append(path)
        config.write_bytes(source.read_bytes())
    except OSError as error:
        raise ConfigError(
            f"{error.filename or folder}: cannot be written: {error.strerror}; "
            f"name a DIR that you may write"
        ) from None
    return [*created, config]
