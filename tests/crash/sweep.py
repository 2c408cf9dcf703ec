"""The crash sweep: SIGKILL at every failpoint, in every scenario, and again during the recovery.

``python -m tests.crash.sweep`` prints a table of kills and violations and ends with status 1 when
there is one. ``--depth 2`` kills once more at every point of the second life, ``--all`` takes the
first, middle and last hit everywhere instead of one of them in turn. ``--plants`` sweeps over
daemons with a bug planted, each of which must be caught.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import shutil
import signal
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

import msgspec

from config.settings import Settings
from state import failpoints
from tests.crash.forks import folder_in_memory, import_what_a_life_needs, life, shared_out
from tests.crash.plants import EVERY, FIRST, LAST, MIDDLE, PLANTS
from tests.crash.scenarios import SCENARIOS, Scenario
from tests.crash.stage import Stage, broken, forget, never_look_by_itself, sent_before_durable

WHICH = (FIRST, MIDDLE, LAST)

FOLDED = "recovery.folded"
AGAIN = (
    "recovery.opened",
    FOLDED,
    "recovery.restored",
    "recovery.held",
    "recovery.caught_up",
    "run.beginning",
    "snapshot.encoded",
    "writer.committed",
    "run.begun",
)
"""Where the ordinary sweep kills a second time: before the second life's first bar."""

Kill = tuple[str, int]
"""A point, and at which of its hits (from 1) the process dies."""


class Trial(msgspec.Struct, frozen=True):
    """A scenario, and where each life of the process ends but the last, which ends in order."""

    scenario: int
    kills: tuple[Kill, ...]
    plant: str = ""


_R_STOP = next(number for number, one in enumerate(SCENARIOS) if one.name == "R-stop")
AT_THE_R_STOP = [
    Trial(_R_STOP, (("instant.filled", 11),)),
    Trial(_R_STOP, (("instant.concluded", 11), ("instant.concluded", 12))),
]
"""Reached at 09:40, the tenth bar; killed at 09:41 and started again, and once more at once."""


class Outcome(msgspec.Struct, frozen=True):
    """What came of a trial: how many lives were killed where they should be, what does not hold."""

    trial: Trial
    died: int
    violations: list[str]


class Sweep:
    """Scenarios with their unbroken runs, in one folder."""

    def __init__(self, folder: Path, workers: int) -> None:
        """Write the scenarios, run each of them unbroken, count the hits of every point."""
        self._folder = folder
        self._workers = workers
        self._settings: list[Settings] = []
        self.hits: list[Counter[str]] = []
        never_look_by_itself()
        for number, scenario in enumerate(SCENARIOS):
            place = folder / f"scenario-{number}"
            self._settings.append(scenario.write(place / "given"))
            if number == 0:
                (place / "warm").mkdir()
                import_what_a_life_needs(partial(self._play, number, place / "warm"), place)
            self.hits.append(self._unbroken(number, scenario, place))

    def _unbroken(self, number: int, scenario: Scenario, place: Path) -> Counter[str]:
        home, counts = place / "unbroken", place / "hits.json"
        home.mkdir()

        def counted() -> None:
            hits: Counter[str] = Counter()
            failpoints.arm(lambda name: hits.update([name]))
            self._play(number, home)
            failpoints.arm(None)
            problems = list(broken(home, home, scenario))
            if problems:
                raise AssertionError(problems)
            counts.write_bytes(msgspec.json.encode(hits))

        if life(counted, place / "problem.txt") != 0:
            raise RuntimeError(
                f"unbroken, {scenario.name} fails:\n{(place / 'problem.txt').read_text()}"
            )
        return Counter(msgspec.json.decode(counts.read_bytes(), type=dict[str, int]))

    def _play(self, number: int, home: Path) -> None:
        asyncio.run(Stage(self._settings[number], home, SCENARIOS[number].acts).run())

    def run(self, trials: Sequence[Trial]) -> list[Outcome]:
        """Run all trials and return what came of them, in their order."""
        place = {trial: index for index, trial in enumerate(trials)}
        found = shared_out(trials, self._run, Outcome, self._folder, self._workers)
        return sorted(found, key=lambda one: place[one.trial])

    def _run(self, trial: Trial) -> Outcome:
        """Live through a trial: one life per kill, then one to the end, then look."""
        name = "-".join(f"{point}.{hit}" for point, hit in trial.kills)
        folder = self._folder / f"{trial.scenario}-{trial.plant}-{name}"
        folder.mkdir()
        problem = folder / "problem.txt"
        died, said = 0, []
        for kill in (*trial.kills, None):
            status = life(partial(self._live, trial, folder, kill), problem)
            if problem.exists():
                said.append(f"the process failed: {problem.read_text().strip().splitlines()[-1]}")
                break
            if status == -signal.SIGKILL and kill is not None:
                died += 1
            elif status != 0:
                said.append(f"the process ended with {status}")
                break
        notes = folder / "violations.txt"
        if notes.exists():
            said += notes.read_text().splitlines()
        shutil.rmtree(folder, ignore_errors=True)
        return Outcome(trial, died, said)

    def _live(self, trial: Trial, folder: Path, kill: Kill | None) -> None:
        scenario = SCENARIOS[trial.scenario]
        _note(folder, sent_before_durable(folder))
        if trial.plant:
            PLANTS[trial.plant].plant()
        if scenario.forgets:
            forget(folder)
        if kill is not None:
            failpoints.arm(_die_at(*kill))
        self._play(trial.scenario, folder)
        if kill is None:
            reference = self._folder / f"scenario-{trial.scenario}" / "unbroken"
            _note(folder, broken(folder, reference, scenario))

    # Which trials -------------------------------------------------------------------------------

    def at(self, scenario: int, point: str, which: str) -> list[int]:
        """Return the number of the first, middle or last hit, or all of them; none: never hit."""
        count = self.hits[scenario][point]
        if which == EVERY:
            return list(range(1, count + 1))
        return [{FIRST: 1, MIDDLE: (count + 1) // 2, LAST: count}[which]] if count else []

    def once(self, *, everywhere: bool) -> Iterator[Trial]:
        """Yield one kill at every point of every scenario: at each of three hits, or in turn."""
        for number, (row, point) in itertools.product(
            range(len(SCENARIOS)), enumerate(failpoints.POINTS)
        ):
            chosen = WHICH if everywhere else (WHICH[(number + row) % 3],)
            for hit in sorted({one for which in chosen for one in self.at(number, point, which)}):
                yield Trial(number, ((point, hit),))

    def twice(self, points: Iterable[str], first: Sequence[str]) -> Iterator[Trial]:
        """Yield two kills: in the middle of ``first``, then at the first hit of each point."""
        for number, before, point in itertools.product(range(len(SCENARIOS)), first, points):
            if point == FOLDED and not SCENARIOS[number].forgets:
                continue  # a snapshot is there
            for hit in self.at(number, before, MIDDLE):
                yield Trial(number, ((before, hit), (point, 1)))


def _die_at(point: str, hit: int) -> failpoints.Strike:
    left = hit

    def strike(name: str) -> None:
        nonlocal left
        if name == point:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    return strike


def _note(folder: Path, violations: Iterable[str]) -> None:
    with (folder / "violations.txt").open("a") as file:
        file.writelines(f"{one}\n" for one in violations)


# What is told -----------------------------------------------------------------------------------


def table(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Yield a Markdown table: a row for each point at which a process died last before its end."""
    yield "| point | what is true there | scenarios | kills | violations |"
    yield "|---|---|---|---|---|"
    for point, meaning in failpoints.POINTS.items():
        mine = [one for one in outcomes if one.trial.kills[-1][0] == point]
        kills = sum(one.died for one in mine)
        scenarios = len({one.trial.scenario for one in mine if one.died})
        bad = sum(bool(one.violations) for one in mine)
        yield f"| `{point}` | {meaning} | {scenarios} | {kills} | {bad} |"
    kills = sum(one.died for one in outcomes)
    bad = sum(bool(one.violations) for one in outcomes)
    yield f"| {len(failpoints.POINTS)} points | | {len(SCENARIOS)} | {kills} | {bad} |"


def told(outcome: Outcome) -> str:
    """Say what one trial violated, and how it is repeated."""
    kills = ", ".join(f"{point} at hit {hit}" for point, hit in outcome.trial.kills)
    name = SCENARIOS[outcome.trial.scenario].name
    planted = f" [{outcome.trial.plant}]" if outcome.trial.plant else ""
    return f"{name}{planted}, killed: {kills}: {'; '.join(outcome.violations[:3])}"


def swept(sweep: Sweep, *, depth: int, everywhere: bool) -> list[Outcome]:
    """Run the ordinary sweep or a long one."""
    trials = list(sweep.once(everywhere=everywhere))
    trials += AT_THE_R_STOP
    if depth == 1:
        trials += sweep.twice(AGAIN, ["batch.applied"])
    else:
        trials += sweep.twice(failpoints.POINTS, list(failpoints.POINTS))
    return sweep.run(list(dict.fromkeys(trials)))


def planted(sweep: Sweep) -> dict[str, list[Outcome]]:
    """Return, for each plant, the trials of its scenario that caught it; '' is the control."""
    caught: dict[str, list[Outcome]] = {"": []}
    for name, plant in PLANTS.items():
        number = next(i for i, one in enumerate(SCENARIOS) if one.name == plant.scenario)
        hits = [
            (point, hit) for point, which in plant.kills for hit in sweep.at(number, point, which)
        ]
        for key in ("", name):
            trials = [Trial(number, (one,), key) for one in hits]
            caught.setdefault(key, []).extend(one for one in sweep.run(trials) if one.violations)
    return caught


def main(arguments: Sequence[str]) -> int:
    """Sweep, print, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash.sweep", description=__doc__)
    parser.add_argument("--depth", type=int, choices=(1, 2), default=1)
    parser.add_argument("--all", action="store_true", help="first, middle and last hit everywhere")
    parser.add_argument("--plants", action="store_true", help="planted bugs instead")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args(arguments)
    with folder_in_memory() as name:
        sweep = Sweep(Path(name), given.workers)
        if given.plants:
            return _tell_plants(planted(sweep))
        outcomes = swept(sweep, depth=given.depth, everywhere=given.all)
    print("\n".join(table(outcomes)))
    bad = [told(one) for one in outcomes if one.violations]
    print(f"\n{len(outcomes)} trials, {len(bad)} with a violation")
    print("\n".join(bad[:20]))
    unhit = set(failpoints.POINTS) - {one.trial.kills[-1][0] for one in outcomes if one.died}
    if unhit:
        print(f"never died at: {', '.join(sorted(unhit))}")
    return 1 if bad or unhit else 0


def _tell_plants(caught: dict[str, list[Outcome]]) -> int:
    print("| planted bug | scenario | first sign |")
    print("|---|---|---|")
    for name, plant in PLANTS.items():
        first = caught[name][0].violations[0] if caught[name] else "none: MISSED"
        print(f"| {plant.bug} | {plant.scenario} | {first[:120]} |")
    print("\n".join(f"control: {told(one)}" for one in caught[""]))
    return 1 if caught[""] or not all(caught[name] for name in PLANTS) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
