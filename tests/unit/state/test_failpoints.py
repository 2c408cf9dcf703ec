"""Failpoints: inert unless armed in the process, each known by name and hit somewhere."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator

import pytest

from state import failpoints
from tests.builders import ROOT

PACKAGES = ("adapters", "config", "daemon", "state")


@pytest.fixture(autouse=True)
def disarmed() -> Iterator[None]:
    """Leave nothing armed behind."""
    yield
    failpoints.arm(None)


def _calls(function: str) -> Iterator[ast.Call]:
    """Yield the calls of a function of ``failpoints`` in what is shipped."""
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and ast.unparse(node.func) in (
                    f"failpoints.{function}",
                    function,
                ):
                    yield node


def test_a_point_does_nothing_until_it_is_armed() -> None:
    """Without ``arm`` nothing is called; with it every hit is, and no longer once disarmed."""
    seen: list[str] = []
    failpoints.hit("batch.taken")
    failpoints.arm(seen.append)
    failpoints.hit("batch.taken")
    failpoints.hit("batch.applied")
    failpoints.arm(None)
    failpoints.hit("batch.taken")

    assert seen == ["batch.taken", "batch.applied"]


def test_every_point_is_hit_at_one_place() -> None:
    """The registry is what a sweep strikes at: a point that nothing hits would prove nothing."""
    names = Counter(ast.literal_eval(call.args[0]) for call in _calls("hit"))

    assert names == Counter(dict.fromkeys(failpoints.POINTS, 1))


def test_nothing_that_is_shipped_arms_a_point() -> None:
    """Only a test in the same process can: no setting, no variable, no verb."""
    assert [ast.unparse(call) for call in _calls("arm")] == []
