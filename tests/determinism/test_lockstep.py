"""Tasks decide what the stepped lane decides, however they are scheduled and delayed (V2, DET-1).

The daemon runs on a virtual clock, where any callback may pause and ready ones run in a drawn
order; work begins where it is brought, or (``_later``) always in the task that it belongs to. The
control lets the router go on without the engines' answers: then the order shows.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Sequence
from pathlib import Path
from random import Random  # noqa: TID251 - every one is made of a seed

import pytest

from config.override import override
from config.settings import Settings
from daemon.live import Live, LiveOptions
from daemon.runtime.lane import Lane
from daemon.runtime.run_folder import DATABASE
from daemon.runtime.stepper import Wish
from daemon.runtime.tasks.begun import Woken
from daemon.runtime.tasks.engines import EngineTasks
from daemon.runtime.tasks.serial import SerialTask
from daemon.trading import END_OF_HISTORY
from state.bars import Bar
from state.journal import journal_bytes_digest
from tests.simulation.life import substitutes
from tests.simulation.loop import VirtualClock, VirtualLoop
from tests.simulation.world import draw_portfolio
from tests.trading import finish, start

PORTFOLIOS = (3, 7, 11)
SEEDS = range(6)


@pytest.fixture(params=PORTFOLIOS)
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Return a drawn portfolio: some have partial fills, rejects, a strategy that raises."""
    return draw_portfolio(request.param, tmp_path / "given")


def _stepped(settings: Settings, folder: Path) -> str:
    """Return the digest of the journal of a run without a loop."""
    given = override(settings, data_dir=folder)
    finish(start(given, folder / "stage"))
    return journal_bytes_digest(folder / "stage" / DATABASE)


def _tasked(
    settings: Settings, folder: Path, seed: int, patches: pytest.MonkeyPatch, pauses: float = 0.2
) -> str:
    """Return the digest of the journal of a run as tasks that pause at random."""
    loop = VirtualLoop(Random(seed), pauses=pauses)
    latency = Random(seed + 1)
    for owner, name, value in substitutes(
        loop, lambda: latency.random() * 0.02, lambda seq, entry: None
    ):
        patches.setattr(owner, name, value)
    options = LiveOptions(None, folder / "control", "", io.StringIO(), lambda _: None)
    daemon = Live(override(settings, data_dir=folder), options, VirtualClock(loop))
    try:
        assert loop.run_until_complete(daemon.run()) == END_OF_HISTORY
    finally:
        loop.close()
    return journal_bytes_digest(folder / "stage" / DATABASE)


def _later(self: Woken) -> None:
    """Leave all of a job to its own task, whatever it is busy with."""
    if self._is_idle:
        self._is_idle = False
        self._waiting.put_nowait(self._job())


@pytest.mark.parametrize("begins_at_once", [True, False])
def test_tasks_journal_what_the_stepper_journals(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, begins_at_once: bool
) -> None:
    """Byte for byte, under every order and with every fifth callback pausing."""
    stepped = _stepped(settings, tmp_path / "stepped")
    if not begins_at_once:
        monkeypatch.setattr(Woken, "wake", _later)
        monkeypatch.setattr(SerialTask, "ask_now", SerialTask.ask)

    found = {_tasked(settings, tmp_path / f"{seed}", seed, monkeypatch) for seed in SEEDS}

    assert found == {stepped}


async def _without_waiting(self: EngineTasks, bars: Sequence[tuple[Lane, Bar]]) -> list[Wish]:
    """Ask the engines and go on with whatever has been answered by now."""
    for lane, bar in bars:
        lane.update(bar)
        for engine in lane.engines:
            self._tasks[engine.key].hand(bar)
    await asyncio.sleep(0)
    found, self.wishes = self.wishes, []
    return found


def test_without_the_engines_answers_the_schedule_decides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Control: a router that does not wait makes another journal under another seed."""
    settings = draw_portfolio(PORTFOLIOS[0], tmp_path / "given")
    stepped = _stepped(settings, tmp_path / "stepped")
    monkeypatch.setattr(Woken, "wake", _later)
    monkeypatch.setattr(EngineTasks, "ask", _without_waiting)

    found = {_tasked(settings, tmp_path / f"{seed}", seed, monkeypatch) for seed in SEEDS}

    assert len(found | {stepped}) > len(SEEDS) // 2
