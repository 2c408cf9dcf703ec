"""The level of the kill switch: it rises, and only a reset by name lowers it (KIL-3)."""

from __future__ import annotations

import pytest

from daemon.core.commands import Command, take
from daemon.runtime.at_once import at_once
from state.entries import KillChanged
from state.units import DAY_NS, HOUR_NS
from tests.builders import bar, eurusd
from tests.stepping import Scene, Scripts

EIGHT = 17_168 * DAY_NS + 8 * HOUR_NS
"""2017-01-02 08:00 UTC, a Monday."""


@pytest.mark.parametrize(
    ("words", "level"),
    [
        (["kill"], "halt"),
        (["kill_flatten"], "flatten"),
        (["kill", "kill_flatten"], "flatten"),
        (["kill_flatten", "kill"], "flatten"),
        (["kill_flatten", "reset_kill", "kill"], "halt"),
    ],
)
def test_a_lower_word_does_not_lower_the_level(words: list[str], level: str) -> None:
    """Who asked for everything to be closed still means it when somebody else asks for less."""
    scene = Scene([eurusd()], [Scripts("EURUSD", "hand", {})])
    scene.step({"EURUSD": [bar(EIGHT, 1.1, 1.1, 1.1, 1.1)]})
    for word in words:
        now_ns = scene.portfolio.now_ns
        batch = take(scene.desk, Command(now_ns, word, "", "by hand"))
        at_once(scene.stepper.commit(batch, now_ns))

    changes = [one for one in scene.sink.entries if isinstance(one, KillChanged)]
    assert scene.portfolio.kill == level
    assert changes[-1].level == level
    assert len(changes) == len(words)
