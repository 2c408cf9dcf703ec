"""``python -m tests.simulation --seeds N``: many seeds, each a whole daemon through all its lives.

A seed that fails is told with how to repeat it.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import msgspec

from config.settings import Settings
from daemon.trading import END_OF_HISTORY
from state.entries import EngineQuarantined, Entry, HaltSet, KillChanged, OrderChanged
from tests.crash.forks import folder_in_memory, import_what_a_life_needs, life, shared_out
from tests.crash.stage import entries_of
from tests.simulation.life import Ended, decided_again, digest, live
from tests.simulation.plants import PLANTS
from tests.simulation.world import LIVES, draw_faults, draw_portfolio

DOWN_S = 7.0
"""Virtual seconds between two lives."""


class Seed(msgspec.Struct, frozen=True):
    """What came of one seed: how each life ended, what was violated, and a hash of it all.

    ``happened`` is what its journal has of the things that go wrong.
    """

    seed: int
    ends: list[str]
    violations: list[str]
    digest: str
    happened: list[str]


def _happened(entries: Sequence[Entry]) -> Iterator[str]:
    for one in entries:
        if isinstance(one, HaltSet):
            yield f"halt {one.name}"
        elif isinstance(one, KillChanged):
            yield f"kill {one.level}"
        elif isinstance(one, EngineQuarantined):
            yield "quarantine"
        elif isinstance(one, OrderChanged) and one.code:
            yield one.code


class Simulation:
    """Runs seeds, each in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        """Import what a life needs."""
        self._folder = folder
        self.plant = ""
        warm = folder / "warm"
        warm.mkdir()
        import_what_a_life_needs(partial(self._warm, warm), warm)

    def _warm(self, folder: Path) -> None:
        live(draw_portfolio(0, folder / "given"), folder, draw_faults(0, LIVES), 0.0)

    def run(self, seed: int) -> Seed:
        """Live through a seed until its bars end."""
        folder = self._folder / f"seed-{seed}{self.plant}"
        folder.mkdir()
        settings = draw_portfolio(seed, folder / "given")
        ends: list[str] = []
        now_s = 0.0
        for number in range(LIVES + 1):
            ended, status = self._lived(seed, number, settings, folder, now_s)
            ends.append(ended.reason if ended else f"killed by {status}")
            now_s = (ended.now_s if ended else now_s) + DOWN_S
            if status not in (0, -signal.SIGKILL) or (ended and ended.reason == END_OF_HISTORY):
                break
        violations = self._violations(settings, folder, ends)
        happened = sorted(set(_happened(entries_of(folder / settings.portfolio.id))))
        found = Seed(seed, ends, violations, digest(folder), happened)
        shutil.rmtree(folder, ignore_errors=True)
        return found

    def _lived(
        self, seed: int, number: int, settings: Settings, folder: Path, now_s: float
    ) -> tuple[Ended | None, int]:
        note = folder / f"life-{number}.json"

        def one() -> None:
            if self.plant:  # the child's memory is its own
                PLANTS[self.plant][1]()
            ended = live(settings, folder, draw_faults(seed, number), now_s)
            note.write_bytes(msgspec.json.encode(ended))

        status = life(one, folder / "problem.txt")
        ended = msgspec.json.decode(note.read_bytes(), type=Ended) if note.exists() else None
        return ended, status

    def _violations(self, settings: Settings, folder: Path, ends: Sequence[str]) -> list[str]:
        notes, problem = folder / "violations.txt", folder / "problem.txt"

        def look() -> None:
            with notes.open("a") as file:
                file.writelines(f"{one}\n" for one in decided_again(settings, folder))

        if ends[-1] == END_OF_HISTORY:
            life(look, problem)
        found = notes.read_text().splitlines() if notes.exists() else []
        if problem.exists():
            found.append(f"it failed: {problem.read_text().strip().splitlines()[-1]}")
        if ends[-1] != END_OF_HISTORY:
            found.append(f"LIV-1: it never came to the end: {ends}")
        return list(dict.fromkeys(found))


def _tell_plants(simulation: Simulation, seeds: Sequence[int]) -> int:
    """Run seeds with each bug planted until one violates something, and tell which."""
    missed = 0
    print("| planted bug | seed | first sign |")
    print("|---|---|---|")
    for name, (bug, _) in PLANTS.items():
        simulation.plant = name
        found = (simulation.run(seed) for seed in seeds)
        caught = next((one for one in found if one.violations), None)
        missed += caught is None
        sign = caught.violations[0][:120] if caught else "none: MISSED"
        print(f"| {bug} | {caught.seed if caught else ''} | {sign} |")
    return 1 if missed else 0


def main(arguments: Sequence[str]) -> int:
    """Run seeds, tell what failed, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=50, help="how many")
    parser.add_argument("--first", type=int, default=1, help="the first of them")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--verbose", action="store_true", help="a line for every seed")
    parser.add_argument("--plants", action="store_true", help="planted bugs, until each is caught")
    given = parser.parse_args(arguments)
    seeds = range(given.first, given.first + given.seeds)
    with folder_in_memory() as name:
        simulation = Simulation(Path(name))
        if given.plants:
            return _tell_plants(simulation, seeds)
        found = list(shared_out(seeds, simulation.run, Seed, Path(name), given.workers))
    found.sort(key=lambda one: one.seed)
    for one in found:
        if given.verbose:
            print(f"seed {one.seed} {one.digest}: {', '.join(each[:40] for each in one.ends)}")
        if one.violations:
            print(f"seed {one.seed}: {'; '.join(one.violations[:4])}")
            print(f"  again: python -m tests.simulation --first {one.seed} --seeds 1 --verbose")
    bad = sum(bool(one.violations) for one in found)
    lives = sum(len(one.ends) for one in found)
    killed = sum(each.startswith("killed") for one in found for each in one.ends)
    print(f"{len(found)} seeds, {lives} lives, {killed} killed, {bad} seeds with a violation")
    print("in so many of them:", _told(Counter(each for one in found for each in one.happened)))
    return 1 if bad else 0


def _told(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
