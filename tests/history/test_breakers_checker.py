"""The offline checker over what halts by itself: the health gate and breakers (A4, R5, REC-1).

Six weeks of the demo under a health gate that halts, lifted by hand more than once, and a breaker
that trips while the disk takes nothing.
"""

from __future__ import annotations

import copy
import shutil
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from config.load import load
from daemon.core.commands import Command
from tests.history.audit import Config
from tests.history.checker import check_folder, check_rows
from tests.history.journal import Row, numbered, rows_of
from tests.history.plants import Plant, denied, let_in, place
from tests.nights import ns
from tests.trading import demo_settings, finish, start

HEALTH = """
[risk.health]
min_sharpe = -1.0
max_drawdown = 0.02
min_days = 3
days = 5
action = "halt"
"""
COMMANDS = (
    ("2024-01-23 09:00", "reset", "health"),
    ("2024-01-30 09:00", "reset", "health"),
    ("2024-02-06 09:00", "breaker", "journal"),
    ("2024-02-06 15:00", "reset", "journal"),
    ("2024-02-08 09:00", "reset", "health"),
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the run."""
    folder = tmp_path_factory.mktemp("breakers")
    demo_settings(folder)
    path = folder / "foliod.toml"
    path.write_text(path.read_text() + HEALTH)
    trading = start(load([path], {}), folder / "run")
    for at, name, argument in COMMANDS:
        trading.stepper.give(Command(ns(at), name, argument, "by hand"))
    finish(trading)
    shutil.copy(path, folder / "run" / "config.toml")
    (folder / "run" / "bars").symlink_to(folder / "bars")
    return folder / "run"


@pytest.fixture(scope="module")
def config(run: Path) -> Config:
    """Return the configuration in the run's folder."""
    return tomllib.loads((run / "config.toml").read_text())


@pytest.fixture(scope="module")
def rows(run: Path) -> list[Row]:
    """Return the journal's rows, without numbers."""
    found = rows_of(run / "foliod.db")
    for row in found:
        del row["seq"]
    return found


def test_honest_judgements_hold(run: Path, rows: list[Row]) -> None:
    """Control: judged each day, halted twice or more, tripped once, and nothing is found."""
    report = check_folder(run)

    assert report.found == []
    assert report.left_out == []
    assert {"A4", "R5"} <= report.proved
    halts = Counter(row["name"] for row in rows if row["type"] == "HaltSet")
    assert halts["health"] >= 2
    assert halts["journal"] == 1
    judged = [row for row in rows if row["type"] == "HealthJudged"]
    assert any(row["problems"] for row in judged) and not all(row["problems"] for row in judged)


def _judged(name: str, value: object, *, problems: bool = False) -> Plant:
    def plant(rows: list[Row], _: Config) -> None:
        at = place(rows, "HealthJudged", lambda row: bool(row["problems"]) == problems, skip=0)
        rows[at][name] = value

    return plant


def _dropped(kind: str, name: str, back: int = 0) -> Plant:
    def plant(rows: list[Row], _: Config) -> None:
        rows.pop(place(rows, kind, lambda row: bool(row["name"] == name), skip=0) - back)

    return plant


def _other_code(rows: list[Row], _: Config) -> None:
    rows[place(rows, "HaltSet", lambda row: bool(row["name"] == "journal"))]["code"] = "HALTED"


def _under_health(rows: list[Row], config: Config) -> None:
    """Let an entry in that nothing but the health gate (and no bar) denied."""

    def fits(row: Row) -> bool:
        said = next(one[3] for one in row["verdicts"] if one[0] == "halts")
        return denied(row) <= {"HALTED", "NEWS_GUARD", "STALE_RATE"} and said.startswith("health")

    let_in(rows, config, place(rows, "Decided", fits, skip=0))


def _under_a_breaker(rows: list[Row], _: Config) -> None:
    """Trip and lift the breaker around an entry that was let in."""
    at = place(rows, "Decided", lambda row: bool(row["outcome"] == "ACCEPTED"))
    amid = {"at_ns": rows[at]["at_ns"]}
    halt = next(i for i, row in enumerate(rows) if row.get("code") == "JOURNAL_BLOCKED")
    clear = place(rows, "HaltCleared", lambda row: bool(row["name"] == "journal"))
    begins, ends = (copy.deepcopy(rows[one - 1 : one + 1]) for one in (halt, clear))
    rows[at + 1 : at + 1] = [one | amid for one in ends]
    rows[at:at] = [one | amid for one in begins]


def _whim(rows: list[Row], _: Config) -> None:
    rows.insert(50, {"type": "Whim", "at_ns": rows[49]["at_ns"]})


PLANTS: dict[str, tuple[str, Plant]] = {
    "a kind that nobody knows": ("REC-1", _whim),
    "another drawdown": ("A4", _judged("drawdown", 0.001)),
    "another Sharpe ratio": ("A4", _judged("sharpe", 1.0)),
    "other days": ("A4", _judged("days", 2)),
    "another day": ("A4", _judged("day", 738_000)),
    "another action": ("A4", _judged("action", "alert", problems=True)),
    "problems unsaid": ("A4", _judged("problems", [], problems=True)),
    "no halt after a judgement": ("A4", _dropped("HaltSet", "health")),
    "a halt without a judgement": ("A4", _dropped("HaltSet", "health", 1)),
    "health lifted by nobody": ("A4", _dropped("HaltCleared", "health", 1)),
    "a breaker tripped by nobody": ("R5", _dropped("HaltSet", "journal", 1)),
    "a breaker of another code": ("R5", _other_code),
    "a breaker lifted by nobody": ("R5", _dropped("HaltCleared", "journal", 1)),
    "let in under health": ("R7", _under_health),
    "let in under a breaker": ("R7", _under_a_breaker),
}


@pytest.mark.parametrize("name", PLANTS)
def test_what_is_planted_is_named(rows: list[Row], config: Config, name: str) -> None:
    """One change, and exactly the invariant that it breaks is named."""
    invariant, plant = PLANTS[name]
    changed = copy.deepcopy(rows)

    plant(changed, config)

    assert changed != rows, "nothing was planted"
    report = check_rows(numbered(changed), config)
    assert report.broken == {invariant}, report.found


@pytest.mark.parametrize(
    "terms", [{"max_drawdown": 0.9, "min_sharpe": False}, {"days": 3}, {"min_days": 5}]
)
def test_thresholds_are_those_of_the_configuration(
    rows: list[Row], config: Config, terms: dict[str, Any]
) -> None:
    """Under other thresholds the same judgements break A4 alone."""
    risk = {**config["risk"], "health": {**config["risk"]["health"], **terms}}

    assert check_rows(numbered(rows), {**config, "risk": risk}).broken == {"A4"}
