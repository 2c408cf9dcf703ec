"""Strategies load by name, entry point and file, and mistakes are said plainly (E3)."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

import pytest

from daemon.core.calendar import Schedule, WindowSpec
from daemon.core.strategies.ema_cross import EmaCross
from daemon.core.strategy import Context
from daemon.runtime import loading
from state.errors import ConfigError, StrategyError
from state.units import MINUTE_NS

GOOD = '''
"""A strategy in a file."""
from typing import Annotated, Any
import msgspec
from daemon.core.strategy import Strategy

class Params(msgspec.Struct, frozen=True):
    size: Annotated[int, msgspec.Meta(ge=1, le=9)]
    label: str = "x"

class Mine(Strategy):
    Params = Params
    def on_bar(self, bar, in_window):
        return None
    def state(self):
        return {}
    def restore(self, state):
        pass

class Bare(Strategy):
    pass

class Thawed(Mine):
    class Params(msgspec.Struct):
        size: int = 1

class Odd(Mine):
    Params = dict

class Failing(Mine):
    def __init__(self, context, params):
        raise KeyError("table")

NUMBER = 7
'''


def _context(*specs: WindowSpec) -> Context:
    windows = specs or (WindowSpec(7 * 3600, 10 * 3600, "UTC"),)
    return Context("EURUSD", 5 * MINUTE_NS, 1e-4, 1e-5, 1e-10, Schedule(windows))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a file of strategies."""
    (tmp_path / "mine.py").write_text(GOOD)
    return tmp_path


def _refusal(kind: str, folder: Path) -> str:
    with pytest.raises(StrategyError) as caught:
        loading.find(kind, folder)
    return str(caught.value)


def test_a_built_in_is_found_by_kind() -> None:
    """EMA is EMA cross."""
    found = loading.find("EMA")

    assert found.strategy is EmaCross
    assert found.origin == "built-in"


def test_a_file_is_found_relative_to_the_folder_and_imported_once(folder: Path) -> None:
    """The class is usable, and two strategies of one file share its module."""
    found = loading.find("mine.py:Mine", folder)
    again = loading.find(str(folder / "mine.py:Mine"))

    strategy = loading.make(found, _context(), {"size": 3})

    assert found.origin == "file"
    assert again.strategy is found.strategy
    assert strategy.params == found.strategy.Params(size=3)


@pytest.mark.parametrize(
    ("kind", "parts"),
    [
        ("mein.py:Mine", ["no file", "mein.py", "did you mean mine.py?"]),
        ("mine.py:Mime", ["no class 'Mime'", "Mine", "did you mean Mine?"]),
        ("mine.py", ["a class must be named", "mine.py:Class"]),
        ("mine.py:NUMBER", ["not a subclass of foliod.Strategy", "7"]),
        ("mine.py:Bare", ["has no on_bar", "has no state", "has no restore"]),
        ("mine.py:Thawed", ["Params must be frozen"]),
        ("mine.py:Odd", ["Params must be a subclass of msgspec.Struct", "dict"]),
        ("EMAA", ["no built-in", "LSG, ORB, ARLS, EMA", "did you mean EMA?"]),
    ],
)
def test_a_mistake_names_what_was_given_and_what_is_near(
    folder: Path, kind: str, parts: list[str]
) -> None:
    """Never a traceback: what is wrong, what is allowed, the nearest name."""
    text = _refusal(kind, folder)

    assert [part for part in parts if part not in text] == []


@pytest.mark.parametrize(
    ("body", "parts"),
    [
        ("import math\nx = 1 / 0\n", ["ZeroDivisionError", "broken.py, line 2: x = 1 / 0"]),
        ("def f(:\n", ["SyntaxError"]),
        ("raise SystemExit(3)\n", ["SystemExit", "line 1"]),
        ("import no_such_module_at_all\n", ["ModuleNotFoundError", "no_such_module_at_all"]),
    ],
)
def test_an_import_that_raises_shows_the_authors_line(
    tmp_path: Path, body: str, parts: list[str]
) -> None:
    """The author's own line is shown, the import machinery is not; a second try imports anew."""
    (tmp_path / "broken.py").write_text(body)

    text = _refusal("broken.py:Mine", tmp_path)

    assert [part for part in parts if part not in text] == []
    assert "importlib" not in text
    (tmp_path / "broken.py").write_text(GOOD)
    assert loading.find("broken.py:Mine", tmp_path).kind == "broken.py:Mine"


def test_parameters_are_refused_all_at_once() -> None:
    """Each line names the parameter, the value, what is allowed and the nearest name."""
    found = loading.find("EMA")

    problems = loading.param_problems(
        found, {"fsat": 3, "atr": 0, "slow": "x", "stop_atr": True, "target_atr": float("nan")}
    )

    assert [line.split(":")[0] for line in problems] == [
        "params.fsat",
        "params.atr = 0",
        "params.slow = 'x'",
        "params.stop_atr = True",
        "params.target_atr = nan",
    ]
    assert "did you mean fast?" in problems[0]
    assert ">= 1" in problems[1]


def test_parameters_that_contradict_each_other_are_refused() -> None:
    """fast 60 is not below slow 50."""
    with pytest.raises(StrategyError, match="fast must be below slow, found fast 60, slow 50"):
        loading.make(loading.find("EMA"), _context(), {"fast": 60})


def test_a_parameter_without_default_is_asked_for(folder: Path) -> None:
    """Missing is a problem of its own."""
    found = loading.find("mine.py:Mine", folder)

    assert loading.param_problems(found, {}) == ["params.size: missing, it has no default"]


def test_a_constructor_that_raises_is_a_strategy_error(folder: Path) -> None:
    """The operator reads which strategy and where, not a traceback."""
    found = loading.find("mine.py:Failing", folder)

    with pytest.raises(StrategyError, match="raises when it is made for EURUSD: KeyError"):
        loading.make(found, _context(), {"size": 1})


@pytest.mark.parametrize("kind", ["LSG", "ORB", "ARLS"])
def test_range_strategies_refuse_windows_they_cannot_work_in(kind: str) -> None:
    """Crossing midnight, two windows a day and different zones are refused (When)."""
    late = WindowSpec(22 * 3600, 2 * 3600, "UTC")
    twice = (WindowSpec(7 * 3600, 8 * 3600, "UTC"), WindowSpec(9 * 3600, 10 * 3600, "UTC"))
    zones = (
        WindowSpec(7 * 3600, 8 * 3600, "UTC", frozenset({0})),
        WindowSpec(9 * 3600, 10 * 3600, "Asia/Tokyo", frozenset({2})),
    )
    found = loading.find(kind)

    for specs, text in (((late,), "midnight"), (twice, "second window"), (zones, "zones")):
        with pytest.raises(ConfigError, match=text):
            loading.make(found, _context(*specs))
    with pytest.raises(ConfigError, match="needs a window"):
        loading.make(found, Context("EURUSD", MINUTE_NS, 1e-4, 1e-5, 1e-10, Schedule.always()))


@pytest.mark.parametrize(("kind", "refused"), [("LSG", True), ("ARLS", True), ("ORB", False)])
def test_a_window_before_the_range_ends_is_refused(kind: str, refused: bool) -> None:
    """LSG and ARLS measure 00:00-07:00 first; ORB has its own range."""
    early = _context(WindowSpec(6 * 3600, 10 * 3600, "UTC"))
    found = loading.find(kind)

    if refused:
        with pytest.raises(ConfigError, match="starts before the range ends"):
            loading.make(found, early)
    else:
        assert loading.make(found, early)


def test_an_entry_point_is_found_and_never_replaces_a_built_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Installed distributions offer strategies by name; EMA stays ours."""
    value = "daemon.core.strategies.ema_cross:EmaCross"
    points = [
        importlib.metadata.EntryPoint("CROSS", value, loading.GROUP),
        importlib.metadata.EntryPoint("EMA", "nowhere:Nothing", loading.GROUP),
        importlib.metadata.EntryPoint("GONE", "nowhere:Nothing", loading.GROUP),
    ]

    def installed(group: str) -> list[importlib.metadata.EntryPoint]:
        return points if group == loading.GROUP else []

    monkeypatch.setattr(importlib.metadata, "entry_points", installed)

    assert loading.find("CROSS").origin == "entry point"
    assert loading.find("EMA").origin == "built-in"
    with pytest.raises(StrategyError, match="ModuleNotFoundError"):
        loading.find("GONE")


def test_parameters_are_described_with_defaults_and_bounds() -> None:
    """What `strategies list` shows."""
    rows = {row.name: row for row in loading.parameters(EmaCross)}

    assert rows["fast"] == loading.Parameter("fast", "int", 20, ">= 1, <= 100000")
    assert rows["stop_atr"] == loading.Parameter("stop_atr", "float", 1.0, "> 0, <= 1000")
