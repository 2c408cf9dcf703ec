"""The power goes: what was acknowledged is there, and the next process comes up (DUR-1, REC-5).

``python -m tests.crash.power`` traces a process, cuts its log of writes and syncs at many places,
makes of each what a disk may hold then, starts the program on it, and prints a table. ``--plants``
traces processes that say more than their disk has; each must be caught. A life of its own each, so
that one cut leaves nothing to the next.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from random import Random  # noqa: TID251 - seeded by the command line

import msgspec

from adapters.feeds.recorder import Recorder
from adapters.feeds.recording import read_segments
from config.load import load
from daemon.runtime.home import check_home
from daemon.runtime.run_folder import DATABASE, MANIFEST
from state import verify_fold
from state.journal import read
from state.writer import Writer
from tests.builders import ROOT
from tests.crash.disk_log import Call, Disk, has_strace, record
from tests.crash.forks import folder_in_memory, import_what_a_life_needs, life, shared_out
from tests.crash.power_life import bars
from tests.crash.scenarios import SCENARIOS
from tests.crash.stage import (
    PORTFOLIO,
    SENT,
    Stage,
    broken,
    never_look_by_itself,
    sent_before_durable,
)
from tests.integration.journal_process import endless

SUBJECTS = (
    ("journal", "FULL"),
    ("lines", "synced"),
    ("daemon", "entries and exits"),
    ("daemon", "R-stop"),
    ("daemon", "over night"),
)
PLANTS = (("journal", "NORMAL"), ("lines", "unsynced"))
HERE = {"PYTHONPATH": str(ROOT), "PATH": os.environ.get("PATH", "")}

NO_STRACE = 69
"""The exit status where nothing can be traced."""

Subject = tuple[str, str]


class Cut(msgspec.Struct, frozen=True):
    """The power goes after so many calls, the disk being what ``seed`` draws."""

    after: int
    seed: int


class Outcome(msgspec.Struct, frozen=True):
    """What came of a cut: how much had been acknowledged, and what does not hold."""

    cut: Cut
    acknowledged: int
    violations: list[str]


class Power:
    """One subject, traced once, and cut as often as wanted."""

    def __init__(self, subject: Subject, folder: Path) -> None:
        """Trace it below ``folder``."""
        self._what, self._how = subject
        self._place = folder
        self._whole = folder / "whole"
        self._whole.mkdir(parents=True)
        if self._what == "daemon":
            self._scenario = next(one for one in SCENARIOS if one.name == self._how)
            self._scenario.write(folder / "given")
        command = [sys.executable, "-P", "-m", "tests.crash.power_life"]
        command += [*subject, str(self._whole)]
        self.calls = record(command, self._whole, folder / "strace.txt", HERE)
        warm, notes = folder / "warm", folder / "warm.found"
        (warm / "control").mkdir(parents=True)
        import_what_a_life_needs(partial(self._come_up, warm, 0, notes), folder)

    def cuts(self, count: int, seed: int) -> list[Cut]:
        """Draw where the power goes: anywhere, and as often right after something was said."""
        random = Random(seed)
        said = [number for number, call in enumerate(self.calls, 1) if call.name == "say"]
        places = [
            random.choice(said) if said and number % 2 else random.randrange(len(self.calls) + 1)
            for number in range(count)
        ]
        return [Cut(place, random.randrange(1 << 30)) for place in places]

    def run(self, cuts: Sequence[Cut], workers: int) -> list[Outcome]:
        """Cut, come up, look; return what came of each."""
        self._disk, self._done = Disk(), 0
        ordered = sorted(cuts, key=lambda one: one.after)
        return list(shared_out(ordered, self._run, Outcome, self._place, workers))

    def _run(self, cut: Cut) -> Outcome:
        """Go on to a cut, no earlier than the last one in this process, and see what comes up."""
        for call in self.calls[self._done : cut.after]:
            self._disk.take(call)
        self._done = cut.after
        past = self.calls[: cut.after]
        count = max([int(one.more.split()[1]) for one in past if one.name == "say"], default=0)
        folder = self._place / f"cut-{cut.after}-{cut.seed}"
        self._lay_out(folder, self._disk.cut(Random(cut.seed)), past)
        notes, problem = folder.with_suffix(".found"), folder.with_suffix(".problem")
        status = life(partial(self._come_up, folder, count, notes), problem)
        said = notes.read_text().splitlines() if notes.exists() else []
        if problem.exists():
            text = problem.read_text()
            said.append(f"nothing comes up: {text[text.rindex('Error: ') + 7 :].splitlines()[0]}")
        elif status != 0:
            said.append(f"the process ended with {status}")
        for path in (notes, problem):
            path.unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
        return Outcome(cut, count, said)

    def _lay_out(self, folder: Path, files: dict[str, bytes], past: Sequence[Call]) -> None:
        """Write what the disk has, and what the world outside knows."""
        (folder / "control").mkdir(parents=True)
        for name, content in files.items():
            path = folder / Path(name).relative_to(self._whole)
            if not path.name.endswith("-shm"):  # memory that processes share, on no disk
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
        sent = str(self._whole / SENT)
        (folder / SENT).write_bytes(b"".join(one.more for one in past if one.path == sent))

    def _come_up(self, folder: Path, count: int, notes: Path) -> None:
        found = {"journal": _journal, "lines": _lines}.get(self._what)
        said = list(found(folder, count) if found else self._daemon(folder))
        notes.write_text("".join(f"{one}\n" for one in said))

    def _daemon(self, folder: Path) -> Iterator[str]:
        home = folder / PORTFOLIO
        if home.is_dir() and not (home / MANIFEST).exists():
            # Nothing ran yet, and a reader takes nothing back that was torn: a start does, first.
            check_home(home)
            Writer(home / DATABASE, "FULL").close()
        yield from sent_before_durable(folder)
        never_look_by_itself()
        settings = load([self._place / "given" / "foliod.toml"], {})
        asyncio.run(Stage(settings, folder, self._scenario.acts).run())
        yield from broken(folder, self._whole, self._scenario)


def _journal(folder: Path, count: int) -> Iterator[str]:
    """DUR-1: open it for writing, as a start does; the acknowledged entries are a beginning."""
    path = folder / DATABASE
    with Writer(path, "FULL") as writer:
        here = writer.seq
        if here < count:
            yield f"DUR-1: {count} entries were acknowledged, {here} are there"
        writer.submit(list(islice(endless(), here, here + 1))).result()
    found = [entry for _, entry in read(path)]
    if found != list(islice(endless(), len(found))):
        yield "DUR-1: the journal is no beginning of what was written"
    for finding in verify_fold.check(path):
        yield f"REC-1: {finding.check}: {finding.text}"


def _lines(folder: Path, count: int) -> Iterator[str]:
    """DUR-1, DUR-2: the recorder cuts a torn end off; what was synced is there."""
    Recorder(folder).close()
    found = list(read_segments(folder))
    if len(found) < count:
        yield f"DUR-1: {count} bars were acknowledged, {len(found)} are there"
    if [one.bar.open_ns for one in found] != [
        one.bar.open_ns for one in islice(bars(), len(found))
    ]:
        yield "DUR-2: the recording is no beginning of what was recorded"


# What is told -----------------------------------------------------------------------------------


def swept(subjects: dict[Subject, int], seed: int, workers: int) -> Iterator[str]:
    """Cut each subject so many times; yield a table, and a line for each violation."""
    yield "| subject | calls | cuts | violations |"
    yield "|---|---|---|---|"
    for subject, count in subjects.items():
        with folder_in_memory() as name:
            power = Power(subject, Path(name))
            outcomes = power.run(power.cuts(count, seed), workers)
        bad = [one for one in outcomes if one.violations]
        yield f"| {' '.join(subject)} | {len(power.calls)} | {len(outcomes)} | {len(bad)} |"
        for one in bad[:5]:
            where = f"after call {one.cut.after}, disk {one.cut.seed}"
            yield f"{' '.join(subject)}, {where}: {'; '.join(one.violations[:3])}"


def main(arguments: Sequence[str]) -> int:
    """Cut, print, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash.power", description=__doc__)
    parser.add_argument("--cuts", type=int, default=120, help="of the journal and of the lines")
    parser.add_argument("--daemons", type=int, default=12, help="cuts of each daemon")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--plants", action="store_true", help="planted bugs instead")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args(arguments)
    if not has_strace():
        print("strace is not installed here, or may not trace")
        return NO_STRACE
    subjects = {
        one: given.daemons if one[0] == "daemon" else given.cuts
        for one in (PLANTS if given.plants else SUBJECTS)
    }
    bad = 0
    for line in swept(subjects, given.seed, given.workers):
        print(line, flush=True)
        bad += line.endswith(" 0 |") if given.plants else not line.startswith("|")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
