"""The offline checker over nights: silent on honest ones, and every planted one is named (S5)."""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.history.audit import Config
from tests.history.checker import check_folder, check_rows
from tests.history.journal import Row, numbered, rows_of
from tests.history.night_plants import NIGHTS, UNTOLD
from tests.nights import GAP, LATE, portfolio
from tests.nights import Row as Price
from tests.trading import finish, start


class Run(NamedTuple):
    """A run: its folder, its journal's rows without numbers, its configuration."""

    folder: Path
    rows: list[Row]
    config: Config


def _run(folder: Path, prices: Sequence[Price] = LATE, **more: Any) -> Run:  # noqa: ANN401 - portfolio's own
    finish(start(portfolio(folder, prices, **more), folder / "home"))
    rows = rows_of(folder / "home" / "foliod.db")
    for row in rows:
        del row["seq"]
    return Run(folder, rows, tomllib.loads((folder / "foliod.toml").read_text()))


@pytest.fixture(scope="module")
def trailed(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return three nights whose stop trails and is widened each night."""
    return _run(tmp_path_factory.mktemp("trailed"), trail=0.02, max_r=9)


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return three nights, the second and third of which are refused."""
    return _run(tmp_path_factory.mktemp("refused"))


@pytest.mark.parametrize("prices", [GAP, LATE])
@pytest.mark.parametrize("trail", [None, 0.02])
@pytest.mark.parametrize("max_r", [0.5, 1.5, 9])
def test_honest_nights_hold_everything(
    tmp_path: Path, prices: Sequence[Price], trail: float | None, max_r: float
) -> None:
    """Control: held, trailed, widened or refused, through a gap or not: nothing is found."""
    run = _run(tmp_path, prices, trail=trail, max_r=max_r)

    report = check_folder(run.folder / "home", run.folder / "foliod.toml")

    assert report.found == []
    assert report.left_out == []
    assert {row["type"] for row in run.rows} & {"PlanSet", "DayRolled"}


@pytest.mark.parametrize("name", NIGHTS)
def test_a_planted_night_is_named(trailed: Run, refused: Run, name: str) -> None:
    """One change breaks S5 and nothing else."""
    run = refused if name.startswith("refused") else trailed
    rows = copy.deepcopy(run.rows)

    NIGHTS[name](rows, run.config)

    assert rows != run.rows, "nothing was planted"
    report = check_rows(numbered(rows), run.config, bars=run.folder)
    assert report.broken == {"S5"}, report.found


def test_open_profit_that_does_not_add_up_is_named(trailed: Run) -> None:
    """A night's positions are worth what its equity has beyond cash (CASH-1)."""
    rows = copy.deepcopy(trailed.rows)
    UNTOLD(rows, trailed.config)

    assert check_rows(numbered(rows), trailed.config).broken == {"CASH-1"}


@pytest.mark.parametrize(
    "terms",
    [{"max_overnight_r": 0.5}, {"overnight_widen_max_fraction": 0.005}, {"overnight_widen": False},
     {"overnight_widen_fraction": 0.02}, {"overnight_widen_pips": 200}, {"at_end": "close"}],
)  # fmt: skip
def test_terms_are_those_of_the_configuration(trailed: Run, terms: dict[str, Any]) -> None:
    """Under other terms of the strategy the same nights break S5."""
    (strategy,) = trailed.config["strategies"]
    config = {**trailed.config, "strategies": [{**strategy, **terms}]}

    assert "S5" in check_rows(numbered(trailed.rows), config).broken
