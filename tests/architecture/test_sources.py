"""Sizes and habits that every source file keeps (CONVENTIONS)."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.builders import ROOT

PACKAGES = ("adapters", "benchmarks", "config", "daemon", "state")
FILE_LINES = 500
FUNCTION_LINES = 70
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b|raise NotImplementedError")
BAGS = ("manager", "handler", "helper", "helpers", "util", "utils")


def _sources() -> list[Path]:
    found = [ROOT / "foliod.py"]
    for package in PACKAGES:
        found += sorted((ROOT / package).rglob("*.py"))
    return found


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


@pytest.mark.parametrize("path", _sources(), ids=_name)
def test_a_source_file_is_small_and_documented(path: Path) -> None:
    """No file over 500 lines, no function over 70, a docstring that says what the module is."""
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    long = {
        node.name: size
        for node in _functions(tree)
        if (size := (node.end_lineno or node.lineno) - node.lineno + 1) > FUNCTION_LINES
    }

    assert text.count("\n") <= FILE_LINES
    assert long == {}
    assert ast.get_docstring(tree)


@pytest.mark.parametrize("path", _sources(), ids=_name)
def test_imports_are_absolute(path: Path) -> None:
    """An import names the module it takes from; the line can be searched for."""
    tree = ast.parse(path.read_text(encoding="utf-8"))

    relative = [n.lineno for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and n.level]
    stars = [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names)
    ]

    assert relative == []
    assert stars == []


@pytest.mark.parametrize("path", _sources(), ids=_name)
def test_nothing_is_left_unfinished(path: Path) -> None:
    """No note to do it later, no body that says it is not there."""
    lines = path.read_text(encoding="utf-8").splitlines()

    assert [f"{n}: {line}" for n, line in enumerate(lines, 1) if UNFINISHED.search(line)] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_an_init_file_is_a_docstring(package: str) -> None:
    """What a package is is said there; what it has is imported from its modules."""
    for path in (ROOT / package).rglob("__init__.py"):
        body = ast.parse(path.read_text(encoding="utf-8")).body

        assert len(body) == 1, _name(path)
        assert isinstance(body[0], ast.Expr), _name(path)
        assert isinstance(body[0].value, ast.Constant), _name(path)


def test_every_folder_of_sources_is_a_package() -> None:
    """A folder without an init file would be missing from contracts and types."""
    bare = {_name(path.parent) for path in _sources() if not (path.parent / "__init__.py").exists()}

    assert bare <= {"."}


def test_no_module_is_a_bag() -> None:
    """A module is named after a noun of the field."""
    assert [_name(path) for path in _sources() if set(path.stem.split("_")) & set(BAGS)] == []


def test_test_modules_have_unique_names() -> None:
    """A failing test is found by its name alone."""
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]

    assert sorted({name for name in names if names.count(name) > 1}) == []


_BEGUN_ELSEWHERE = (
    "daemon/live.py", "daemon/feeding.py", "daemon/trading.py", "daemon/operator.py",
    "daemon/runtime/stepper.py", "daemon/runtime/dispatch.py", "daemon/runtime/recovery.py",
    "daemon/runtime/session_day.py", "daemon/runtime/tasks/begun.py",
    "daemon/runtime/tasks/broker.py", "daemon/runtime/tasks/disk.py",
    "daemon/runtime/tasks/engines.py", "daemon/runtime/tasks/serial.py",
)  # fmt: skip
"""What router, desk and engines do, part of which runs in the task that brings it (ADR 11)."""
_OF_THE_CURRENT_TASK = ("timeout", "timeout_at", "wait_for", "current_task")


def _asks_for_its_task(text: str) -> list[int]:
    return [
        node.lineno
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Attribute) and node.attr in _OF_THE_CURRENT_TASK
    ]


@pytest.mark.parametrize("name", _BEGUN_ELSEWHERE)
def test_work_that_begins_elsewhere_asks_for_no_time_limit(name: str) -> None:
    """``asyncio.timeout`` would end the task that brought the work, or find none at all."""
    assert _asks_for_its_task((ROOT / name).read_text(encoding="utf-8")) == []


def test_a_time_limit_is_found() -> None:
    """Control: the follower has one, in a task of its own."""
    text = (ROOT / "daemon/runtime/tasks/follower.py").read_text(encoding="utf-8")

    assert _asks_for_its_task(text)
