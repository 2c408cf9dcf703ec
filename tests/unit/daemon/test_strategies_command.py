"""``foliod strategies``: what is listed, what passes and what is refused (E2, E3)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from daemon.cli.strategies import strategies
from state.errors import ConfigError, FeedError, StrategyError

SOURCE = '''
from typing import Any
from daemon.core.strategy import Strategy
from state.signals import Signal

class Clean(Strategy):
    """Buys every hundredth bar."""
    count = 0
    def on_bar(self, bar, in_window):
        self.count += 1
        return Signal(side=1, stop_distance=0.001) if self.count % 100 == 0 else None
    def state(self):
        return {"count": self.count}
    def restore(self, state):
        self.count = state["count"]

class Forgetful(Clean):
    def state(self):
        return {"count": 0}

class Silent(Clean):
    def on_bar(self, bar, in_window):
        return None

class Talker(Silent):
    def on_bar(self, bar, in_window):
        print("a word")

class Quitter(Silent):
    def on_bar(self, bar, in_window):
        raise SystemExit(3)
'''


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(strategies, arguments)


@pytest.fixture
def file(tmp_path: Path) -> str:
    """Return a file with strategies, good and bad."""
    path = tmp_path / "own.py"
    path.write_text(SOURCE)
    return str(path)


def test_the_list_shows_every_built_in_with_parameters_and_bounds() -> None:
    """Name, origin, doc's first line, defaults, bounds; 80 columns."""
    result = _run("list")

    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert [line.split()[0] for line in lines if "(built-in" in line] == [
        "LSG",
        "ORB",
        "ARLS",
        "EMA",
    ]
    assert any(line.split() == ["fast", "20", "int", ">=", "1,", "<=", "100000"] for line in lines)
    assert max(len(line) for line in lines) <= 88


def test_the_list_as_json_is_one_object() -> None:
    """Machine readable, with the same facts."""
    found = json.loads(_run("list", "--json").stdout)["strategies"]

    assert [row["name"] for row in found][:4] == ["LSG", "ORB", "ARLS", "EMA"]
    sweep = next(one for one in found[0]["parameters"] if one["name"] == "sweep_pips")
    assert (sweep["default"], sweep["type"]) == (3.0, "float")


@pytest.mark.parametrize("name", ["LSG", "EMA"])
def test_a_built_in_passes_on_bars_made_up(name: str) -> None:
    """Exit status 0 and how much was compared."""
    result = _run("check", name, "--json")

    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert (found["ok"], found["bars"], found["violation"]) == (True, 6000, None)
    assert found["decisions"] > 0


def test_a_strategy_that_forgets_is_refused_with_the_bar(file: str) -> None:
    """Exit status 1; rule, bar and both decisions are said."""
    result = _run("check", f"{file}:Forgetful", "--count", "500")

    assert result.exit_code == 1
    assert "FAIL  restored from its state after" in result.stdout
    assert "first at bar" in result.stdout


def test_a_file_of_bars_is_used_and_made_coarser(file: str, tmp_path: Path) -> None:
    """1m rows become 5m bars: 600 minutes, 120 bars, one decision at the hundredth."""
    rows = [
        f"2024-01-01T{i // 60:02d}:{i % 60:02d}:00Z,1.1,1.1002,1.0999,1.1001,5" for i in range(600)
    ]
    bars = tmp_path / "bars.csv"
    bars.write_text("\n".join(["ts,open,high,low,close,volume", *rows]) + "\n")

    result = _run("check", f"{file}:Clean", "--bars", str(bars), "--price", "mid", "--json")

    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert (found["bars"], found["decisions"]) == (120, 1)


def test_no_decision_is_said(file: str) -> None:
    """A pass without decisions proves little, and says so on stderr."""
    result = _run("check", f"{file}:Silent", "--count", "300")

    assert result.exit_code == 0
    assert "no decision" in result.stderr


def test_what_a_strategy_prints_is_no_result(file: str) -> None:
    """Stdout is the command's: JSON stays JSON whatever a strategy prints."""
    result = _run("check", f"{file}:Talker", "--count", "300", "--json")

    assert json.loads(result.stdout)["ok"] is True
    assert "a word" in result.stderr


def test_a_strategy_that_calls_exit_is_named(file: str) -> None:
    """The program ends with its own status and words, never with those of a strategy."""
    result = _run("check", f"{file}:Quitter", "--count", "300")

    assert isinstance(result.exception, StrategyError)
    assert "calls sys.exit(3)" in str(result.exception)


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        (["EMAX"], StrategyError, "did you mean EMA?"),
        (["EMA", "--param", "fast=0"], StrategyError, "params.fast = 0"),
        (["EMA", "--param", "fast"], StrategyError, "KEY=VALUE"),
        (["EMA", "--window", "7"], ConfigError, "07:00-10:00"),
        (["LSG", "--window", "06:00-10:00"], ConfigError, "starts before the range ends"),
        (["EMA", "--interval", "five"], FeedError, "five"),
        (["EMA", "--symbol", "EURUSDX"], ConfigError, "EURUSDX"),
        (["EMA", "--bars", "eurusd.csv"], ConfigError, "--price is needed"),
    ],
)
def test_a_mistake_is_an_error_with_its_remedy(
    arguments: list[str], error: type[Exception], text: str
) -> None:
    """The program's main turns these into one line and an exit status."""
    result = _run("check", *arguments)

    assert isinstance(result.exception, error)
    assert text in str(result.exception)
