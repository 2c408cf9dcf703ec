"""The whole daemon through faults that a seed draws, and to its end (RELIABILITY, simulation).

The simulation is a process of its own: it forks a child for each life of the daemon.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.builders import ROOT

PATIENCE_S = 300
LONG_S = 7_200
FOUND = (5441, 5787, 6093)
HAPPENS = (
    "KILL_SWITCH",
    "PAPER_REJECT",
    "halt operator",
    "halt r_stop",
    "kill flatten",
    "kill halt",
    "kill none",
    "quarantine",
)
"""What fifty seeds must have in their journals, or they would prove nothing of it."""


def _simulated(
    *arguments: str, patience_s: int = PATIENCE_S, hash_seed: str = "0"
) -> tuple[int, str]:
    command = [sys.executable, "-P", "-m", "tests.simulation", *arguments]
    done = subprocess.run(
        command, cwd=ROOT, env={"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": hash_seed},
        capture_output=True, text=True, timeout=patience_s,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def test_fifty_seeds_violate_nothing_and_come_to_the_end() -> None:
    """Deaths, a failing disk, the operator, the kill file, clock steps: no rule is broken."""
    status, text = _simulated("--seeds", "50")

    assert status == 0, text
    assert "0 seeds with a violation" in text
    for one in HAPPENS:
        assert f" {one} " in text.splitlines()[-1], f"{one} never happened"


@pytest.mark.parametrize("seed", FOUND)
def test_a_seed_that_found_something_finds_nothing_more(seed: int) -> None:
    """A stop while bars were late let time run over them; a command shared an alarm's instant."""
    status, text = _simulated("--seeds", "1", "--first", str(seed))

    assert status == 0, text


def test_a_seed_is_the_same_twice() -> None:
    """Two processes under two hash seeds: every life ends alike, every decision is the same."""
    one, two = (_simulated("--seeds", "8", "--verbose", hash_seed=seed) for seed in ("1", "31337"))

    assert one[0] == 0, one[1]
    assert one == two
    assert len({line.split()[2] for line in one[1].splitlines()[:8]}) == 8


def test_planted_bugs_are_caught() -> None:
    """A failed or late write taken for its contrary, a gate that asks ``exists``, and others."""
    status, text = _simulated("--plants", "--seeds", "60")

    assert status == 0, text
    assert "MISSED" not in text


@pytest.mark.long
def test_two_thousand_seeds_violate_nothing() -> None:
    """As fifty, for an hour."""
    status, text = _simulated("--seeds", "2000", "--first", "1000", patience_s=LONG_S)

    assert status == 0, text
