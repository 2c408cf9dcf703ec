"""Small real runs for tests of commands: the demo's EURUSD bars through two strategies."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.feeds.demo import write_demo
from daemon.cli.main import run
from tests.fakes import pausing

CONFIG = """
[portfolio]
id = "small"
base_currency = "USD"
equity = 100_000

[[bars]]
symbol = "EURUSD"
path = "bars/EURUSD_1m.csv"
price = "mid"

[risk.caps]
max_order_value = 10_000_000
max_gross_exposure = 20_000_000
max_positions = 10
max_positions_per_symbol = 4

[[strategies]]
name = "orb"
kind = "ORB"
symbols = ["EURUSD"]
profile = "london"

[[strategies]]
name = "arls"
kind = "ARLS"
symbols = ["EURUSD"]
profile = "london"

[[strategies]]
name = "pausing"
kind = "{pausing}:Pausing"
symbols = ["EURUSD"]
"""


def make_home(folder: Path) -> Path:
    """Write bars and a configuration into ``folder`` and return it."""
    write_demo(folder / "bars")
    path = Path(pausing.__file__).resolve()
    (folder / "foliod.toml").write_text(CONFIG.replace("{pausing}", str(path)))
    return folder


def call(*arguments: str | Path) -> int:
    """Call the program as the shell would and return its exit status."""
    try:
        return run([str(one) for one in arguments])
    except SystemExit as end:
        assert isinstance(end.code, int)
        return end.code


def replayed(home: Path, name: str, *arguments: str) -> Path:
    """Replay the home's configuration into the run folder ``name`` and return that."""
    folder = home / "var" / "runs" / name
    given = ["-q", "-c", str(home / "foliod.toml"), "replay", "--run-dir", str(folder)]
    assert call(*given, *arguments) == 0
    return folder


def said(capsys: pytest.CaptureFixture[str]) -> str:
    """Return what was written to stdout since the last call, its lines joined by one blank."""
    return " ".join(capsys.readouterr().out.split())
