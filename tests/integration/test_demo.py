"""The demo does what its page promises (V1, U2): `foliod replay` without arguments."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from daemon.cli.main import run
from state.errors import ExitCode

GATES = [
    *("kill", "halts", "window", "news", "freshness", "position", "r_stop", "strategy_day"),
    *("drawdown", "order_value", "gross_exposure", "positions", "positions_symbol"),
    *("loss_streak", "per_day", "per_hour", "spacing", "symbol_cooldown", "symbol_spacing"),
    "sizing",
]


@pytest.fixture(scope="module")
def summary(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Run the demo once, as a new user in an empty folder would."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        assert run(["-q", "replay"]) == ExitCode.OK
    runs = list((home / "var" / "runs").iterdir())
    assert len(runs) == 1
    found: dict[str, Any] = json.loads((runs[0] / "summary.json").read_text())
    found["folder"] = str(runs[0])
    return found


def test_all_four_strategies_trade_several_symbols(summary: dict[str, Any]) -> None:
    """At least 20 trades; LSG, ORB, ARLS and EMA each have some; four symbols."""
    assert summary["trades"]["trades"] >= 20
    traded = {one["name"].split("_")[0] for one in summary["by_strategy"] if one["trades"]}
    assert traded == {"lsg", "orb", "arls", "ema"}
    assert len(summary["by_symbol"]) == 4


def test_every_gate_denies_at_least_once(summary: dict[str, Any]) -> None:
    """Each of the twenty gates is the binding denial of some entry."""
    assert sorted(summary["denials"]) == sorted(GATES)


def test_a_day_is_stopped_by_the_r_stop(summary: dict[str, Any]) -> None:
    """At least one trading day latches."""
    assert summary["days_stopped"]


def test_three_commands_to_try_next_work(summary: dict[str, Any]) -> None:
    """What the demo tells the user to type exits with 0."""
    commands = summary["next_commands"]
    assert len(commands) == 3
    data_dir = str(Path(summary["folder"]).parent.parent)
    for command in commands:
        words = command.split()
        assert words[0] == "foliod"
        assert run(["--data-dir", data_dir, *words[1:]]) == ExitCode.OK, command
