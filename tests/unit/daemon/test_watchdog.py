"""Real progress, part by part (U5)."""

from __future__ import annotations

import pytest

from daemon.runtime.watchdog import Progress, ping_every_ns
from state.units import SECOND_NS

LIMIT_NS = 10 * SECOND_NS


@pytest.fixture
def progress() -> Progress:
    """Return a desk and a writer at work since 0."""
    return Progress({"desk": LIMIT_NS, "writer": 2 * LIMIT_NS}, 0)


def test_each_part_has_its_limit(progress: Progress) -> None:
    """At the limit it is well, after it stuck; the sentence names part, time and limit."""
    assert progress.may_ping(LIMIT_NS)
    assert progress.stuck(LIMIT_NS + 1) == ["desk: no step for 10.0 s, limit 10 s"]
    assert not progress.may_ping(LIMIT_NS + 1)
    assert len(progress.stuck(2 * LIMIT_NS + 1)) == 2


def test_one_part_at_work_does_not_speak_for_another(progress: Progress) -> None:
    """However often the writer steps, a stuck desk is stuck."""
    for now_ns in range(0, 5 * LIMIT_NS, SECOND_NS):
        progress.mark("writer", now_ns)

    assert [one.split(":")[0] for one in progress.stuck(5 * LIMIT_NS)] == ["desk"]


def test_a_part_without_work_may_wait_for_ever(progress: Progress) -> None:
    """Idle is no progress and no hang; it ends with the work handed over."""
    progress.idle("desk", SECOND_NS)
    progress.idle("writer", SECOND_NS)
    assert progress.may_ping(1_000 * LIMIT_NS)

    progress.expect("desk", 1_000 * LIMIT_NS)
    assert progress.may_ping(1_001 * LIMIT_NS)
    assert not progress.may_ping(1_001 * LIMIT_NS + 1)


def test_more_work_for_a_stuck_part_is_no_step_of_it(progress: Progress) -> None:
    """Bars that go on arriving in the inbox of a hanging desk do not keep it alive."""
    progress.mark("desk", 0)
    for now_ns in range(0, 2 * LIMIT_NS, SECOND_NS):
        progress.expect("desk", now_ns)

    assert not progress.may_ping(2 * LIMIT_NS)
    progress.mark("desk", 2 * LIMIT_NS)
    assert progress.may_ping(2 * LIMIT_NS)


def test_a_part_that_counts_its_steps_is_looked_at(progress: Progress) -> None:
    """Another count is a step, the same count is none, nothing to do is well."""
    progress.idle("desk", 0)
    progress.observe("writer", 0, LIMIT_NS, is_idle=True)
    progress.observe("writer", 0, 9 * LIMIT_NS, is_idle=False)
    assert progress.may_ping(11 * LIMIT_NS)
    progress.observe("writer", 0, 11 * LIMIT_NS + 1, is_idle=False)
    assert not progress.may_ping(11 * LIMIT_NS + 1)
    progress.observe("writer", 1, 11 * LIMIT_NS + 2, is_idle=False)
    assert progress.may_ping(13 * LIMIT_NS)


def test_an_unknown_part_is_a_defect(progress: Progress) -> None:
    """Nobody is watched by a misspelt name."""
    with pytest.raises(KeyError):
        progress.mark("dask", 0)


def test_several_signs_fit_into_the_managers_time() -> None:
    """Two may be lost; where the manager wants none there is none."""
    assert ping_every_ns(30 * SECOND_NS) == 10 * SECOND_NS
    assert ping_every_ns(0) == 0
