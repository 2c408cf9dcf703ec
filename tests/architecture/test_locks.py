"""The locks hold every dependency that pyproject asks for, hashed, and name no address."""

from __future__ import annotations

import re
import tomllib

import pytest

from tests.builders import ROOT

LOCKS = ("requirements.lock", "requirements-dev.lock")


def _text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def _pins(name: str) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9.-]+)==(\S+)", _text(name), re.MULTILINE))


def _asked(requirements: list[str]) -> set[str]:
    return {re.split(r"[<>=;!~ \[]", text, maxsplit=1)[0].lower() for text in requirements}


@pytest.mark.parametrize("name", LOCKS)
def test_every_pin_of_a_lock_has_hashes(name: str) -> None:
    """pip takes nothing that is not what was locked."""
    blocks = re.split(r"^(?=[a-z0-9])", _text(name), flags=re.MULTILINE)[1:]

    assert len(blocks) == len(_pins(name))
    assert [block.split("==")[0] for block in blocks if "--hash=sha256:" not in block] == []


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_names_no_address(name: str) -> None:
    """Where packages come from is the installing machine's own business."""
    assert re.findall(r"^(?:-|.*(?:://|file:)).*", _text(name), re.MULTILINE) == []


def test_the_locks_hold_what_the_project_asks_for() -> None:
    """Run dependencies and the build's in one, the checks' in the other, at the same versions."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    run = _asked(settings["project"]["dependencies"] + settings["build-system"]["requires"])
    dev = _asked(settings["project"]["optional-dependencies"]["dev"])
    locked, checked = (_pins(name) for name in LOCKS)

    assert run <= set(locked)
    assert run | dev <= set(checked)
    assert {name: checked.get(name) for name in locked} == locked
