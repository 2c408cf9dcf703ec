"""``foliod replay``: bar files, or the demo, through the whole portfolio.

It gathers settings, shows progress and prints the summary; what happens is ``daemon.replay``'s.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Coroutine
from contextlib import closing, redirect_stdout
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from daemon.cli.options import Options, loop_option, pass_options
from state.errors import ConfigError, ExitCode

if TYPE_CHECKING:
    from config.settings import Settings
    from daemon.replay import ReplayOptions, ReplayResult
    from daemon.reports.summary import Summary

DEMO_FOLDER: Final = "demo"
DEMO_CONFIG: Final = "foliod.toml"
DEFAULT_DATA_DIR: Final = "var"


@click.command()
@click.argument("bars", nargs=-1, metavar="[SYMBOL=FILE ... | RUN]")
@click.option("--demo", is_flag=True, help="Run the demo even where a configuration is.")
@click.option("--from", "from_", metavar="TIME", help="Trade from here on; bars before warm up.")
@click.option("--to", metavar="TIME", help="Leave out bars closing after this.")
@click.option(
    "--price",
    type=click.Choice(["bid", "ask", "mid", "bidask"]),
    help="Side of the prices of the files named here.",
)
@click.option("--zone", help="Zone of the stamps of the files named here.")
@click.option(
    "--stamp", type=click.Choice(["open", "close"]), help="What a stamp of these files is."
)
@click.option("--interval", help="Length of the bars of these files, such as 1m.")
@click.option("--spread-pips", type=float, help="Full spread in pips, for every symbol.")
@click.option("--close-at-end", is_flag=True, help="Close what is open at the last close.")
@click.option("--run-dir", type=click.Path(path_type=Path), help="Folder of the run.")
@click.option("--no-tearsheet", is_flag=True, help="Leave out the tear sheet at the end.")
@click.option("--blocks", is_flag=True, help="Print each status object between marker lines.")
@loop_option
@pass_options
def replay(options: Options, /, **given: Any) -> None:  # noqa: ANN401 - click's own keywords
    """Run history through the whole portfolio, into a run folder of its own.

    Without arguments and without a configuration here it runs the demo: bars that the program
    generates, through four strategies. TIME is 2017-01-31 or 2017-01-31T07:00:00Z.

    RUN, the folder of a daemon on a live feed, replays what it recorded, its commands too, and says
    whether the journal is the same. Exit status 1: it is not, and the first difference is named.

    \b
    Example:
      foliod replay
      foliod -c london.toml replay --from 2017-02-01
      foliod replay EURUSD=eurusd-1m.csv --price bid --zone UTC
      foliod replay var/main
    """
    from daemon.runtime.ownership import check_ownership

    check_ownership()
    home = _recorded(given["bars"])
    if home is not None:
        sys.exit(_replay_recording(options, given, home))
    settings, text, folder = _settings(options, given)
    result = run(options, settings, _options(options, given, text, folder), given["loop"])
    sys.exit(_report(options, result, tearsheet=not given["no_tearsheet"]))


def _recorded(bars: tuple[str, ...]) -> Path | None:
    """Return the daemon's folder that is named instead of bar files, None: none is."""
    from daemon.recorded_replay import is_recorded
    from daemon.runtime.run_folder import DATABASE

    if len(bars) != 1 or "=" in bars[0]:
        return None
    folder = Path(bars[0])
    if is_recorded(folder):
        return folder
    if (folder / DATABASE).exists():
        raise ConfigError(
            f"{folder} has no recording: its bars came from files; `foliod verify {folder}` decides"
            " it again from them"
        )
    return None


def _replay_recording(options: Options, given: dict[str, Any], home: Path) -> int:
    """Replay a recording, print what came of it and return the exit status."""
    from adapters.clock import SystemClock
    from daemon.cli.progress import Progress
    from daemon.recorded_replay import replay_recording

    wrong = [
        f"--{name.rstrip('_').replace('_', '-')}"
        for name, value in given.items()
        if value and name not in ("bars", "run_dir", "loop", "no_tearsheet")
    ]
    if wrong:
        raise click.UsageError(f"{', '.join(wrong)}: a recording is replayed as it was, whole")
    quiet = options.verbosity < 0
    with (
        redirect_stdout(sys.stderr),
        Progress((0, 0), color=options.color, quiet=quiet) as progress,
    ):
        found = asyncio.run(
            replay_recording(home, given["run_dir"], SystemClock(), progress.advance)
        )
    if options.json:
        import msgspec

        click.echo(msgspec.json.format(msgspec.json.encode(found)).decode())
    elif found.ok:
        click.echo(
            f"{found.bars} recorded bars, {found.same} entries up to {found.until}: the same"
        )
    else:
        click.echo(f"{found.same} entries are the same; then {found.difference}")
    if not options.json:
        click.echo(f"Run folder: {found.folder}")
    return ExitCode.OK if found.ok else ExitCode.NO


def _settings(options: Options, given: dict[str, Any]) -> tuple[Settings, str, Path]:
    """Return the settings, their text for the run folder, and where strategy files are."""
    from config.load import load
    from config.locate import DEFAULT_NAME

    files = _named(given["bars"], given)
    paths = options.config_paths
    if given["demo"] or not (paths or Path(DEFAULT_NAME).exists()):
        data_dir = options.data_dir or Path(DEFAULT_DATA_DIR)
        paths = (_plain_config(files, data_dir) if files else _demo(data_dir),)
    settings = _override(load(paths, os.environ), options, given, files)
    folder = paths[-1].parent if paths else Path()
    return settings, settings_text(settings), folder


def settings_text(settings: Settings) -> str:
    """Return the settings in force as TOML that means the same from any folder."""
    from config.effective import effective
    from config.profiles import is_file
    from config.toml_text import dumps

    found = effective(settings)
    found["portfolio"]["data_dir"] = str(settings.portfolio.data_dir.absolute())
    found["control"]["dir"] = str(settings.control.dir.absolute())
    found["keys"]["dir"] = str(settings.keys.dir.absolute())
    for table in found["bars"]:
        table["path"] = str(Path(table["path"]).absolute())
    for table in found["strategies"]:
        if is_file(table["kind"]):
            table["kind"] = str(Path(table["kind"]).absolute())
    if settings.news.file is not None:
        found["news"]["file"] = str(settings.news.file.absolute())
    return dumps(found)


def _demo(data_dir: Path) -> Path:
    """Write the demo's bars and configuration below ``data_dir`` and return the latter."""
    from adapters.feeds.demo import write_demo

    folder = data_dir / DEMO_FOLDER
    click.echo(f"The demo: generating six weeks of bars in {folder} ...", err=True)
    try:
        write_demo(folder / "bars")
    except OSError as error:
        raise _unwritable(Path(error.filename or folder), error) from None
    return _write_config(folder, _demo_text())


def _demo_text() -> str:
    return resources.files("config").joinpath("examples", "demo.toml").read_text("utf-8")


def _write_config(folder: Path, text: str) -> Path:
    path = folder / DEMO_CONFIG
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    except OSError as error:
        raise _unwritable(path, error) from None
    return path


def _unwritable(path: Path, error: OSError) -> ConfigError:
    return ConfigError(f"{path} cannot be written: {error.strerror}; name another --data-dir")


def _plain_config(files: dict[str, Path], data_dir: Path) -> Path:
    """Write a configuration for files without one: every strategy on every symbol, London."""
    from config.catalogue import instrument

    quotes = {instrument(symbol).quote_currency for symbol in files}
    if len(quotes) > 1:
        raise ConfigError(
            f"{', '.join(sorted(files))} are priced in {', '.join(sorted(quotes))}: a portfolio "
            "over several currencies needs [conversion] in a configuration; see `foliod init`"
        )
    symbols = ", ".join(f'"{symbol}"' for symbol in files)
    lines = [
        "# Written by `foliod replay SYMBOL=FILE`: every built-in strategy on every symbol.",
        "[portfolio]",
        'id = "files"',
        f'base_currency = "{quotes.pop()}"',
        "equity = 100_000",
        'data_dir = ".."',
        "[risk.caps]",
        "max_order_value = 10_000_000",
        "max_gross_exposure = 20_000_000",
        "max_positions = 10",
        "max_positions_per_symbol = 4",
    ]
    for kind in ("LSG", "ORB", "ARLS", "EMA"):
        lines += ["[[strategies]]", f'name = "{kind.lower()}"', f'kind = "{kind}"']
        lines += [f"symbols = [{symbols}]", 'profile = "london"']
    return _write_config(data_dir / "files", "\n".join(lines) + "\n")


def _named(bars: tuple[str, ...], given: dict[str, Any]) -> dict[str, Path]:
    """Take ``SYMBOL=FILE`` arguments apart.

    Raises:
        ConfigError: one has no symbol, or a price side is missing; all at once.
    """
    files: dict[str, Path] = {}
    problems = []
    for text in bars:
        symbol, _, name = text.partition("=")
        if not symbol or not name:
            problems.append(f"{text}: {_missing(symbol, name)}")
        elif symbol in files:
            problems.append(f"{text}: {symbol} is named twice")
        else:
            files[symbol] = Path(name)
    if bars and given["price"] is None:
        problems.append("--price is needed: bid, ask, mid or bidask; there is no default")
    if not bars:
        names = ("price", "zone", "stamp", "interval")
        problems += [
            f"--{name} goes with files named on the command line; of configured ones it is set in "
            "[[bars]]"
            for name in names
            if given[name] is not None
        ]
    if problems:
        raise ConfigError(problems)
    return files


def _missing(symbol: str, name: str) -> str:
    """Say which half of ``SYMBOL=FILE`` is not there."""
    if symbol and not name and (Path(symbol).exists() or Path(symbol).suffix):
        return f"name the symbol too: SYMBOL={symbol}"
    what = "the file" if symbol else "the symbol"
    return (
        f"{what} is missing; write SYMBOL=FILE, such as {symbol or 'EURUSD'}={name or 'bars.csv'}"
    )


def _override(
    settings: Settings, options: Options, given: dict[str, Any], files: dict[str, Path]
) -> Settings:
    """Put what the command line says over the settings."""
    from config.override import override

    keys = ("price", "zone", "stamp", "interval")
    extra = {key: given[key] for key in keys if given[key] is not None}
    return override(
        settings,
        portfolio_id=options.portfolio,
        data_dir=options.data_dir,
        bars=[{"symbol": symbol, "path": str(path), **extra} for symbol, path in files.items()],
        spread_pips=given["spread_pips"],
    )


def _instant(text: str | None, name: str, otherwise: int) -> int:
    from datetime import UTC, datetime

    from state.units import utc_ns

    if text is None:
        return otherwise
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(
            f"{text!r} is no time; write 2017-01-31 or 2017-01-31T07:00:00Z", param_hint=name
        ) from None
    return utc_ns(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _options(options: Options, given: dict[str, Any], text: str, folder: Path) -> ReplayOptions:
    from daemon.replay import ReplayOptions
    from state.units import NEVER_NS

    from_ns = _instant(given["from_"], "--from", 0)
    to_ns = _instant(given["to"], "--to", NEVER_NS)
    if from_ns >= to_ns:
        raise click.BadParameter(
            f"{given['to']} is not after --from {given['from_']}", param_hint="--to"
        )
    return ReplayOptions(
        from_ns=from_ns,
        to_ns=to_ns,
        close_at_end=given["close_at_end"],
        run_dir=given["run_dir"],
        blocks=sys.stdout.buffer if given["blocks"] else None,
        config_text=text,
        strategies_folder=folder,
    )


def run(
    options: Options, settings: Settings, replay_options: ReplayOptions, loop: str
) -> ReplayResult:
    """Run one replay with a progress bar and write its reports.

    What a strategy prints goes to stderr: stdout has the command's results and nothing else.
    """
    with redirect_stdout(sys.stderr):
        return _watched(options, settings, replay_options, loop)


def _watched(
    options: Options, settings: Settings, replay_options: ReplayOptions, loop: str
) -> ReplayResult:
    from dataclasses import replace

    from adapters.clock import SystemClock
    from daemon.cli.progress import Progress
    from daemon.replay import Replay

    one = Replay(settings, replay_options, SystemClock())
    if one.unused:
        click.echo(f"note: nothing uses the bars of {', '.join(one.unused)}", err=True)
    quiet = options.verbosity < 0
    with Progress(one.span(), color=options.color, quiet=quiet) as progress:
        one.options = replace(replay_options, progress=progress.advance)
        with closing(_whole(one, settings)) as work:  # Ctrl-C may come before the loop has it
            return _run(work, loop)


async def _whole(one: Any, settings: Settings) -> ReplayResult:  # noqa: ANN401
    """Run, then write the reports from the database that the run left."""
    from daemon.reports.daily import write_due

    result: ReplayResult = await one.run()
    if settings.end_of_day.reports:
        await write_due(result.folder, result.last_ns)
    return result


def _run(work: Coroutine[Any, Any, ReplayResult], loop: str) -> ReplayResult:
    if loop == "asyncio":
        return asyncio.run(work)
    import uvloop

    return uvloop.run(work)


def _report(options: Options, result: ReplayResult, *, tearsheet: bool) -> int:
    """Write the tear sheet, print the summary and return the exit status."""
    from daemon.reports.summary import show
    from daemon.reports.tally import as_json

    summary, sheet = asyncio.run(_reports(result, tearsheet=tearsheet))
    if options.json:
        click.echo(as_json(summary))
    else:
        from rich.console import Console

        show(summary, Console(no_color=not options.color, highlight=False))
        click.echo(f"Run folder: {result.folder}")
        if sheet is not None:
            click.echo(f"Tear sheet: {sheet}")
    if result.reason == "INTERRUPTED":
        click.echo("foliod: interrupted; the days so far are complete and kept", err=True)
        return ExitCode.INTERRUPTED
    return ExitCode.OK


async def _reports(result: ReplayResult, *, tearsheet: bool) -> tuple[Summary, Path | None]:
    """Write the summary and, unless it is not wanted, the tear sheet; return it and its path."""
    from daemon.reports.summary import write_summary

    summary = await write_summary(result.folder, result.last_ns)
    if not tearsheet:
        return summary, None
    from daemon.reports.tearsheet import write_tearsheet

    path, _ = await write_tearsheet(result.folder, result.last_ns, summary=summary)
    return summary, path
