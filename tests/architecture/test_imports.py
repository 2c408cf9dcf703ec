"""The import contracts are kept by ``lint-imports``; here: that each of them can break."""

from __future__ import annotations

import ast
import importlib.util
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.builders import ROOT

PACKAGES = ("adapters", "config", "daemon", "state")
STORE = {
    "backup",
    "failpoints",
    "journal",
    "lock",
    "migrate",
    "projector",
    "queries",
    "soundness",
    "verify_fold",
    "writer",
}
"""Modules of ``state`` that touch a database or a file, or that tests arm; all others are nouns."""

PLANTS = {
    "strata: daemon over adapters | config over state": ("state/units.py", "import config.load"),
    "inside daemon": ("daemon/core/desk.py", "import daemon.runtime.stepper"),
    "inside adapters": ("adapters/ports.py", "import adapters.clock"),
    "inside state": ("state/units.py", "import state.ledger"),
    "core and nouns are pure": ("daemon/core/desk.py", "import os"),
    "wire codecs are pure": ("adapters/feeds/binance/codec.py", "import websockets"),
    "rules of live feeds are pure": ("adapters/feeds/aggregator.py", "import adapters.clock"),
    "supervisors are strangers": (
        "daemon/core/supervisors/window.py",
        "import daemon.core.supervisors.news",
    ),
    "time belongs to adapters.clock": ("daemon/replay.py", "import time"),
    "aiosqlite belongs to state.queries": ("daemon/reports/daily.py", "import aiosqlite"),
    "sqlite3 belongs to the store": ("daemon/reports/daily.py", "import sqlite3"),
    "threads belong to writer, recorder, kill file, desk and notifications": (
        "daemon/replay.py",
        "import threading",
    ),
    "file locks belong to state.lock": ("daemon/replay.py", "import fcntl"),
    "pydantic belongs to config": ("daemon/wiring.py", "import pydantic"),
    "pyarrow belongs to bar files": ("daemon/wiring.py", "import pyarrow"),
    "pandas belongs to calendars": ("daemon/reports/metrics.py", "import pandas"),
    "rich belongs to what people read": ("daemon/wiring.py", "import rich"),
    "jinja2 belongs to daemon.reports": ("daemon/wiring.py", "import jinja2"),
    "click belongs to daemon.cli": ("daemon/wiring.py", "import click"),
    "websockets belongs to websocket lines": ("daemon/wiring.py", "import websockets"),
    "the loop belongs to runners and lines": ("daemon/runtime/stepper.py", "import asyncio"),
    "HTTP belongs to adapters": ("daemon/wiring.py", "import aiohttp"),
    "Apprise belongs to its adapter": ("daemon/wiring.py", "import apprise"),
    "matplotlib belongs to the picture of the day": ("daemon/wiring.py", "import matplotlib"),
    "no cycles": ("state/units.py", "import state.ledger"),
}
"""Contract: a file, and a line in it that the contract forbids."""


def _contracts() -> list[dict[str, object]]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    found: list[dict[str, object]] = settings["tool"]["importlinter"]["contracts"]
    return found


def _copy(folder: Path) -> Path:
    for package in PACKAGES:
        shutil.copytree(
            ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def _broken(folder: Path) -> set[str]:
    """Run the contracts over a copy and name those that broke."""
    program = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run(
        [program, "--no-cache", "--no-logo"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert "Contracts:" in done.stdout, done.stdout + done.stderr
    return {name.strip() for name in re.findall(r"^(.*)BROKEN", done.stdout, re.MULTILINE)}


def test_every_contract_breaks_on_a_planted_import(tmp_path: Path) -> None:
    """A contract that cannot break guards nothing; each one is violated on purpose."""
    copy = _copy(tmp_path)
    for file, line in PLANTS.values():
        with (copy / file).open("a", encoding="utf-8") as source:
            source.write(f"\n{line}\n")

    assert set(PLANTS) == {contract["name"] for contract in _contracts()}
    assert _broken(copy) == set(PLANTS)


def test_a_module_that_no_contract_knows_breaks_them(tmp_path: Path) -> None:
    """The layers are exhaustive: a new module must be given its place."""
    copy = _copy(tmp_path)
    for package in ("daemon", "adapters", "state"):
        (copy / package / "stray.py").write_text('"""Stray."""\n', encoding="utf-8")

    assert _broken(copy) >= {"inside daemon", "inside adapters", "inside state"}


def test_the_nouns_are_all_of_state_but_its_store() -> None:
    """A new noun is held to purity too."""
    pure = next(one for one in _contracts() if one["name"] == "core and nouns are pure")
    modules = {path.stem for path in (ROOT / "state").glob("*.py")} - {"__init__"}
    sources = pure["source_modules"]
    assert isinstance(sources, list)

    assert {name.removeprefix("state.") for name in sources} - {"daemon.core"} == modules - STORE


def test_every_wire_codec_is_held_to_purity() -> None:
    """A new venue's codec opens nothing either, nor does what the codecs stand on."""
    pure = next(one for one in _contracts() if one["name"] == "wire codecs are pure")
    folder = ROOT / "adapters" / "feeds"
    venues = {path.parent.name for path in folder.glob("*/codec.py")}
    files = {"address", "codec", "messages"}
    sources = pure["source_modules"]
    assert isinstance(sources, list)

    assert venues >= {"binance", "finnhub", "generic", "oanda", "twelvedata"}
    assert {f"adapters.feeds.{venue}" for venue in venues} <= set(sources)
    for venue in venues:
        assert {path.stem for path in (folder / venue).glob("*.py")} >= files


@pytest.mark.parametrize("path", sorted((ROOT / "benchmarks").glob("*.py")), ids=lambda p: p.name)
def test_no_package_imports_tests_or_benchmarks(path: Path) -> None:
    """What is shipped needs nothing that is not."""
    name = re.compile(rf"^\s*(from|import) (tests|benchmarks)\b|benchmarks\.{path.stem}")
    for package in PACKAGES:
        for source in (ROOT / package).rglob("*.py"):
            assert not name.search(source.read_text(encoding="utf-8")), source


def test_the_history_checker_shares_no_code_with_the_program() -> None:
    """What proves the program wrong must not be wrong with it: it imports itself and libraries."""
    sources = sorted((ROOT / "tests" / "history").glob("*.py"))
    checker = [path for path in sources if not path.name.startswith("test_")]
    names = "|".join(("tests", "foliod", *PACKAGES))
    name = re.compile(rf"^\s*(from|import) (?!tests\.history)({names})\b")

    assert len(checker) > 10
    for path in checker:
        lines = path.read_text(encoding="utf-8").splitlines()
        assert [line for line in lines if name.match(line)] == [], path


def test_the_public_module_takes_from_the_core_and_the_nouns() -> None:
    """``import foliod`` in a strategy opens nothing and loads nothing heavy."""
    tree = ast.parse((ROOT / "foliod.py").read_text(encoding="utf-8"))
    taken = {node.module for node in tree.body if isinstance(node, ast.ImportFrom) and node.module}
    heavy = ("asyncio", "numpy", "pandas", "pydantic", "sqlite3", "click", "rich")
    code = f"import sys, foliod; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert {name.rsplit(".", 1)[0] for name in taken} <= {"daemon.core", "state"}
    assert done.stdout.strip() == "[]"


def test_the_public_module_says_what_is_public() -> None:
    """``__all__`` names everything it offers, in order, and nothing that is not there."""
    spec = importlib.util.find_spec("foliod")
    assert spec is not None
    import foliod

    offered = [name for name in vars(foliod) if name[0].isupper()]
    lazy = ["MultiSessionAggregator", "run_aggregation"]
    assert foliod.__all__ == sorted({*offered, *lazy})
    assert all(callable(getattr(foliod, name)) for name in lazy)
