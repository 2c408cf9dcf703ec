"""Seeded bugs: historic mistakes planted into the core, each caught by the layer it is named for.

The controls are elsewhere: the same machine and the same checker find nothing in the honest core.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test as run_machine

from adapters.feeds.demo import write_demo
from state.errors import LedgerError
from tests.fakes.planted_core import BUGS, Bug
from tests.history.checker import check_folder
from tests.property.portfolio_machine import Broken, PortfolioMachine
from tests.small_runs import call

QUICK = settings(
    max_examples=3000,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    report_multiple_bugs=False,
    database=None,
    suppress_health_check=list(HealthCheck),
)
CONFIG = """
[portfolio]
id = "planted"
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
name = "ema"
kind = "EMA"
symbols = ["EURUSD"]
at_end = "hold"
params = { stop_atr = 8.0, target_atr = 12.0 }

[[strategies.windows]]
start = 03:00:00
end = 11:00:00
zone = "America/New_York"
"""


def _of(layer: str) -> list[object]:
    return [pytest.param(bug, id=bug.what) for bug in BUGS if bug.layer == layer]


@pytest.mark.parametrize("bug", _of("machine"))
def test_the_machine_names_it(bug: Bug, monkeypatch: pytest.MonkeyPatch) -> None:
    """Random histories break the invariant, and it is the one that is named."""
    bug.plant(monkeypatch)

    with pytest.raises(Broken) as caught:
        run_machine(PortfolioMachine, settings=QUICK)

    named = caught.value.invariants
    assert any(re.fullmatch(bug.invariant, one) for one in named), caught.value


@pytest.mark.parametrize("bug", _of("ledger"))
def test_the_ledger_refuses_it(bug: Bug, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fold does not book what cannot be; the process stops and says what it was."""
    bug.plant(monkeypatch)

    with pytest.raises(LedgerError, match=bug.invariant):
        run_machine(PortfolioMachine, settings=QUICK)


def _gapped(row: str) -> str:
    """Lift every other day by sixty pips, so that the market gaps at midnight."""
    stamp, *prices, volume = row.split(",")
    if int(stamp[8:10]) % 2:
        return row
    return ",".join([stamp, *(f"{float(price) + 0.006:.5f}" for price in prices), volume])


def _replayed(folder: Path) -> Path:
    write_demo(folder / "bars")
    path = folder / "bars" / "EURUSD_1m.csv"
    head, *rows = path.read_text().splitlines(keepends=True)
    path.write_text("".join([head, *map(_gapped, rows)]))
    (folder / "foliod.toml").write_text(CONFIG)
    run = folder / "run"
    given = ["-q", "-c", str(folder / "foliod.toml"), "replay", "--no-tearsheet"]
    assert call(*given, "--run-dir", str(run)) == 0
    return run


def test_the_honest_core_replays_without_a_finding(tmp_path: Path) -> None:
    """Control: the run that the planted bugs are looked for in holds everything."""
    report = check_folder(_replayed(tmp_path))

    assert report.found == []
    assert report.left_out == []


@pytest.mark.parametrize("bug", _of("replay"))
def test_the_checker_names_it(bug: Bug, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of the planted core, checked with its bars by code that shares none with it."""
    bug.plant(monkeypatch)

    assert bug.invariant in check_folder(_replayed(tmp_path)).broken
