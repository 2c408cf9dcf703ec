"""A fork server: everything is imported once, and each life of a process is a child of its own.

The server and its workers start no thread, so that a child is as clean as a process that was just
started. Lives work in memory where the machine has such a folder: what the kernel has, a kill does
not take, so the disk would only be slow.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

_MEMORY = Path("/dev/shm")
PATIENCE_S = 120
"""After so long a life counts as hanging and is ended by its own alarm."""

_Trial = TypeVar("_Trial")
_Outcome = TypeVar("_Outcome", bound=msgspec.Struct)


def folder_in_memory() -> tempfile.TemporaryDirectory[str]:
    """Return a temporary folder, in memory where that can be had."""
    usable = _MEMORY.is_dir() and os.access(_MEMORY, os.W_OK)
    return tempfile.TemporaryDirectory(
        prefix="foliod-", dir=_MEMORY if usable else None, ignore_cleanup_errors=True
    )


def life(work: Callable[[], None], problem: Path) -> int:
    """Do ``work`` in a child and return how it ended: 0, or minus the signal that killed it.

    1: it raised, and ``problem`` has the traceback.
    """
    child = os.fork()
    if child == 0:
        status = 1
        try:
            signal.alarm(PATIENCE_S)
            work()
            status = 0
        except BaseException:
            problem.write_text(traceback.format_exc())
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def import_what_a_life_needs(work: Callable[[], None], folder: Path) -> None:
    """Let one life tell which modules it imported on its way, and import them here."""
    names = folder / "modules.txt"

    def told() -> None:
        before = set(sys.modules)
        work()
        names.write_text("\n".join(sorted(set(sys.modules) - before)))

    if life(told, folder / "problem.txt") != 0:
        raise RuntimeError(f"the first life failed: {(folder / 'problem.txt').read_text()}")
    for name in names.read_text().split():
        if importlib.util.find_spec(name.partition(".")[0]) is not None:
            importlib.import_module(name)


def shared_out(
    trials: Sequence[_Trial],
    run: Callable[[_Trial], _Outcome],
    kind: type[_Outcome],
    folder: Path,
    workers: int,
) -> Iterator[_Outcome]:
    """Run the trials in ``workers`` children, every n-th in each, and yield what came of them."""
    children = {}
    for number in range(workers):
        notes = folder / f"worker-{number}.jsonl"
        child = os.fork()
        if child == 0:
            status = 1
            try:
                with notes.open("wb") as file:
                    for trial in trials[number::workers]:
                        file.write(msgspec.json.encode(run(trial)) + b"\n")
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(status)
        children[child] = notes
    for child in children:
        if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0:
            raise RuntimeError("a worker of the sweep failed, see above")
    for notes in children.values():
        for line in notes.read_bytes().splitlines():
            yield msgspec.json.decode(line, type=kind)
