"""Same bars, same configuration, same code: the same journal and files, byte for byte (DET-1, V1).

Every run is a process of its own, so that the hash seed is really another one. Controls show that
the comparison can fail: other bars, another parameter, and strategies that read what they must not.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from adapters.feeds.demo import write_demo
from state.journal import journal_bytes_digest
from tests.builders import ROOT

RUNS = (("0", "uvloop"), ("0", "asyncio"), ("1", "uvloop"), ("31337", "asyncio"))

PROCESS_FACTS = {"run.json", "config.toml", "lock", "foliod.db", "foliod.db-wal", "foliod.db-shm"}
"""Files that say when and where a run was made, or whose pages may lie in another order."""

STRATEGY = '''
import {module}

from foliod import Signal, Strategy


class Odd(Strategy):
    """Buys when something that is no bar says so."""

    def on_bar(self, bar, in_window):
        if in_window and ({wish}) % 3 == 0:
            return Signal(1, stop=bar.close - 20 * self.context.pip, target_r=1.0)
        return None

    def state(self):
        """Return nothing: it keeps nothing."""
        return {{}}

    def restore(self, state):
        """Take nothing back."""
'''

ODD = """
[[strategies]]
name = "odd"
kind = "odd.py:Odd"
symbols = ["EURUSD"]
[[strategies.windows]]
start = 07:00:00
end = 16:00:00
"""

NOT_BARS = {
    "the hash seed": ("sys", "hash(str(bar.open_ns))"),
    "chance": ("random", "random.getrandbits(40)"),
    "the wall clock": ("time", "time.time_ns() // 1000"),
}
"""What a strategy must not read: a module, and a number that differs between two runs."""


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the demo's bars and configuration once and return the latter."""
    folder = tmp_path_factory.mktemp("demo")
    write_demo(folder / "bars")
    path = folder / "foliod.toml"
    path.write_text((ROOT / "config" / "examples" / "demo.toml").read_text())
    return path


def _run(*configs: Path, folder: Path, seed: str = "0", loop: str = "uvloop") -> Path:
    """Replay in a process of its own and return the run's folder, always named alike."""
    run = folder / "run"
    command = [sys.executable, "-P", "-m", "daemon.cli.main", "-q"]
    command += [part for config in configs for part in ("-c", str(config))]
    done = subprocess.run(
        [*command, "replay", "--run-dir", str(run), "--loop", loop, "--to", "2024-02-06"],
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": seed},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return run


def _digest(run: Path) -> str:
    return journal_bytes_digest(run / "foliod.db")


def _files(run: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(run)): path.read_bytes()
        for path in sorted(run.rglob("*"))
        if path.is_file() and path.name not in PROCESS_FACTS
    }


@pytest.fixture(scope="module")
def first(demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the run that others are compared with."""
    return _run(demo, folder=tmp_path_factory.mktemp("first"))


@pytest.mark.parametrize(("seed", "loop"), RUNS[1:])
def test_hash_seed_and_loop_change_no_byte(
    demo: Path, first: Path, tmp_path: Path, seed: str, loop: str
) -> None:
    """The journal and every file beside it are equal under three hash seeds and two loops."""
    run = _run(demo, folder=tmp_path, seed=seed, loop=loop)

    assert _digest(run) == _digest(first)
    mine, other = _files(run), _files(first)
    assert {"trades.csv", "equity_portfolio.csv", "summary.json"} <= set(mine)
    assert any(name.startswith("logs/portfolio_live_") for name in mine)
    assert any(name.startswith("logs/events-") for name in mine)
    assert set(mine) == set(other)
    assert [name for name in mine if mine[name] != other[name]] == []


def test_other_bars_make_another_journal(first: Path, demo: Path, tmp_path: Path) -> None:
    """Control: the same configuration over bars of another seed."""
    write_demo(tmp_path / "bars", seed=7)
    config = tmp_path / "foliod.toml"
    config.write_text(demo.read_text())

    run = _run(config, folder=tmp_path)

    assert _digest(run) != _digest(first)
    assert _files(run)["trades.csv"] != _files(first)["trades.csv"]


def test_one_other_parameter_makes_another_journal(first: Path, demo: Path, tmp_path: Path) -> None:
    """Control: one cost, changed by a hundredth of a pip."""
    over = tmp_path / "over.toml"
    over.write_text("[costs]\nslippage_min_pips = 1.01\n")

    assert _digest(_run(demo, over, folder=tmp_path)) != _digest(first)


@pytest.mark.parametrize("what", NOT_BARS)
def test_a_strategy_that_reads_more_than_bars_is_noticed(
    demo: Path, tmp_path: Path, what: str
) -> None:
    """Control: two runs of a strategy that looks at something else have different journals."""
    module, wish = NOT_BARS[what]
    (tmp_path / "odd.py").write_text(STRATEGY.format(module=module, wish=wish))
    over = tmp_path / "over.toml"
    over.write_text(ODD)
    for run in ("one", "two"):
        (tmp_path / run).mkdir()

    one = _run(demo, over, folder=tmp_path / "one", seed="0")
    two = _run(demo, over, folder=tmp_path / "two", seed="1")

    assert len(_files(one)["trades.csv"].splitlines()) > 1
    assert _digest(one) != _digest(two)
