"""The offline checker: silent on honest histories, and able to find whatever it claims to look for.

One journal of the demo is changed in one place at a time; exactly the invariant that the change
breaks must be named.
"""

from __future__ import annotations

import copy
import json
import shutil
import sqlite3
import tomllib
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.history.__main__ import main
from tests.history.audit import Config
from tests.history.checker import Report, check_folder, check_rows
from tests.history.journal import Row, numbered, rows_of
from tests.history.plants import PLANTS, WITH_BARS, Plant
from tests.run_folders import two_days, write_run
from tests.small_runs import call


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run of the demo."""
    home = tmp_path_factory.mktemp("demo")
    folder = home / "run"
    given = ["--data-dir", str(home), "-q", "replay", "--demo", "--run-dir", str(folder)]
    assert call(*given, "--no-tearsheet") == 0
    return folder


@pytest.fixture(scope="module")
def config(demo: Path) -> Config:
    """Return the configuration in the run's folder."""
    return tomllib.loads((demo / "config.toml").read_text())


@pytest.fixture(scope="module")
def rows(demo: Path) -> list[Row]:
    """Return the journal's rows, without numbers."""
    found = rows_of(demo / "foliod.db")
    for row in found:
        del row["seq"]
    return found


def _planted(plant: Plant, rows: list[Row], config: Config, bars: Path | None = None) -> Report:
    changed = copy.deepcopy(rows)
    plant(changed, config)
    assert changed != rows, "nothing was planted"
    return check_rows(numbered(changed), config, bars=bars)


def test_a_run_of_the_demo_holds_everything(demo: Path) -> None:
    """Every invariant was looked for, with bars and configuration, and none is broken."""
    report = check_folder(demo)

    assert report.found == []
    assert report.left_out == []
    planted = {invariant for invariant, _ in PLANTS.values()}
    planted |= {invariant for broken, _ in WITH_BARS.values() for invariant in broken}
    assert report.proved == planted | {"DUR-1", "REC-1", "S4", "S5", "A4", "R5"}


@pytest.mark.parametrize("name", PLANTS)
def test_what_is_planted_is_named(rows: list[Row], config: Config, name: str) -> None:
    """One change, and exactly the invariant that it breaks is named."""
    invariant, plant = PLANTS[name]

    report = _planted(plant, rows, config)

    assert report.broken == {invariant}, report.found


@pytest.mark.parametrize("name", WITH_BARS)
def test_what_only_bars_show_is_named(
    demo: Path, rows: list[Row], config: Config, name: str
) -> None:
    """Prices, sizes and digests are held to the bar files."""
    invariants, plant = WITH_BARS[name]

    report = _planted(plant, rows, config, demo)

    assert report.broken == invariants, report.found


LOWER: dict[str, tuple[dict[str, Any], str, str]] = {
    "gross exposure": ({"caps": {"max_gross_exposure": 900_000}}, "RSK-1", "max_gross_exposure"),
    "trades of a strategy": ({"strategy": {"trades_per_day": 1}}, "RSK-3", "of the strategy"),
    "the R-stop": ({"daily_r_stop": -1.0}, "RSK-2", "did not latch"),
}


@pytest.mark.parametrize("name", LOWER)
def test_limits_are_those_of_the_configuration(
    demo: Path, rows: list[Row], config: Config, name: str
) -> None:
    """Under one lower limit the same history breaks that limit alone (RSK-1 to RSK-3)."""
    change, invariant, words = LOWER[name]
    risk = copy.deepcopy(config["risk"])
    for key, value in change.items():
        risk[key] = {**risk[key], **value} if isinstance(value, dict) else value

    report = check_rows(numbered(rows), {**config, "risk": risk}, bars=demo)

    assert report.broken == {invariant}
    assert all(words in one.found for one in report.found)


def test_a_fill_is_evidence_after_silence(rows: list[Row], config: Config) -> None:
    """Control: an order that was lost and then fills ends UNKNOWN lawfully (ORD-3)."""

    def lose(changed: list[Row], _: Config) -> None:
        at = next(i for i, row in enumerate(changed) if row["type"] == "OrderChanged")
        changed.insert(at + 1, changed[at] | {"event": "LOSE", "code": "TIMEOUT"})

    assert _planted(lose, rows, config).found == []


def test_a_stop_that_leaves_a_part_is_named(tmp_path: Path) -> None:
    """A stop closes all that is open, in one exit (SLT-3)."""
    write_run(tmp_path, two_days())
    rows = rows_of(tmp_path / "foliod.db")
    before = check_rows(rows).broken
    at = next(i for i, row in enumerate(rows) if row.get("leg") == "stop")
    part = {"lots": 500} | {
        name: str(float(rows[at][name]) / 2) for name in ("pnl", "fee", "spread", "slippage")
    }
    rows[at] |= part
    rows.insert(at + 1, rows[at] | {"execution_id": "rest"})

    assert check_rows(numbered(rows)).broken - before == {"SLT-3"}


def _changed(demo: Path, folder: Path, *statements: tuple[str, tuple[Any, ...]]) -> Path:
    folder.mkdir()
    for name in ("foliod.db", "config.toml"):
        shutil.copy(demo / name, folder)
    with closing(sqlite3.connect(folder / "foliod.db")) as connection, connection:
        for statement, values in statements:
            connection.execute(statement, values)
    return folder


DAMAGES = {
    "a hole": "DELETE FROM journal WHERE seq = 50",
    "another payload": "UPDATE journal SET payload = payload || ' ' WHERE seq = 50",
    "another link": "UPDATE journal SET chain = zeroblob(16) WHERE seq = 50",
    "another instant": "UPDATE journal SET at_ns = at_ns + 1 WHERE seq = 50",
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_journal_is_named(demo: Path, tmp_path: Path, name: str) -> None:
    """A hole, changed bytes, a changed link and columns that disagree are found (DUR-1)."""
    folder = _changed(demo, tmp_path / "run", (DAMAGES[name], ()))

    assert "DUR-1" in check_folder(folder).broken
    assert main([str(folder)]) == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [("cash", "1"), ("day", 1), ("kill", "halt"), ("loss_run", 9), ("counted", []),
     ("halts", {"x": {}}), ("positions", {"E/a": {"trade_id": "t", "side": 1, "lots": 1,
      "stop_ticks": 1}})],
)  # fmt: skip
def test_a_snapshot_that_is_not_the_fold_is_named(
    demo: Path, tmp_path: Path, field: str, value: object
) -> None:
    """What a restart would start from is what the journal makes (REC-1)."""
    with closing(sqlite3.connect(demo / "foliod.db")) as connection:
        text = connection.execute("SELECT CAST(payload AS TEXT) FROM snapshots").fetchone()[0]
    snapshot = json.loads(text)
    snapshot["portfolio"][field] = value
    payload = json.dumps(snapshot).encode()

    folder = _changed(demo, tmp_path / "run", ("UPDATE snapshots SET payload = ?", (payload,)))

    assert check_folder(folder).broken == {"REC-1"}


def test_the_command_says_what_holds(
    demo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 0 with all that was looked for, 1 for a twin that differs (DET-1), 2 for no journal."""
    assert main([str(demo), "--twin", str(demo)]) == 0
    assert "0 violations" in capsys.readouterr().out

    statement = "UPDATE journal SET payload = replace(payload, '17', '18') WHERE seq = 60"
    other = _changed(demo, tmp_path / "other", (statement, ()))
    shorter = _changed(demo, tmp_path / "shorter", ("DELETE FROM journal WHERE seq > 2000", ()))
    for twin in (other, shorter):
        assert main([str(demo), "--twin", str(twin)]) == 1
        assert "DET-1" in capsys.readouterr().out

    assert main([str(tmp_path)]) == 2
