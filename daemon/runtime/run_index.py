"""Which runs there are, which one is meant, and whether it still runs. For whoever only reads.

A manifest that says ``running`` while nobody holds the folder's lock is of a run that was killed:
it reads as ``interrupted``. Names of run folders begin with a UTC stamp, so the newest is the last
by name. Nothing here opens a database.
"""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Final

import msgspec

from daemon.runtime.run_folder import DATABASE, MANIFEST, Manifest
from state.errors import ExitCode, FoliodError
from state.lock import is_held

RUNS: Final = "runs"


class RunMissing(FoliodError):
    """There is no such run; the text says which there are."""

    exit_code = ExitCode.USAGE


def runs(data_dir: Path) -> list[Path]:
    """Return the run folders, oldest first."""
    try:
        found = [one for one in (data_dir / RUNS).iterdir() if one.is_dir()]
    except OSError:
        return []
    return sorted((one for one in found if not one.name.startswith(".")), key=lambda p: p.name)


def resolve(data_dir: Path, run: str | None, portfolio: str | None = None) -> Path:
    """Return the folder of a run given by name or path; None: the newest (of ``portfolio``).

    Raises:
        RunMissing: there is none, with what there is and what to do.
    """
    known = runs(data_dir)
    if run is None and portfolio is not None and known:
        return _newest_of(portfolio, known, data_dir)
    if run is None:
        if not known:
            raise RunMissing(
                f"there is no run in {data_dir / RUNS} yet; start one with `foliod replay`, or name"
                " the folder that holds `runs` with --data-dir"
            )
        return known[-1]
    for one in known:
        if one.name == run:
            return one
    path = Path(run)
    if path.is_dir() and ((path / DATABASE).exists() or (path / MANIFEST).exists()):
        return path
    near = difflib.get_close_matches(run, [one.name for one in known], n=1, cutoff=0.4)
    hint = f"; did you mean {near[0]}?" if near else ""
    if path.is_dir():
        hint = f"; that folder holds no {DATABASE} and no {MANIFEST}" + hint
    raise RunMissing(
        f"there is no run {run!r} among the {len(known)} in {data_dir / RUNS}{hint};"
        " `foliod show runs` lists them"
    )


def _newest_of(portfolio: str, known: list[Path], data_dir: Path) -> Path:
    others = set()
    for one in reversed(known):
        owner = manifest_of(one).portfolio_id
        if owner == portfolio:
            return one
        others.add(owner or "?")
    raise RunMissing(
        f"portfolio {portfolio!r} has no run among the {len(known)} in {data_dir / RUNS}, which are"
        f" of {', '.join(sorted(others))}; `foliod show runs` lists them"
    )


def manifest_of(folder: Path) -> Manifest:
    """Read ``run.json`` as it is true now; a missing or damaged one has the state ``unknown``."""
    try:
        found = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
    except (OSError, msgspec.MsgspecError) as problem:
        why = f"{MANIFEST} cannot be read: {problem}"
        return Manifest("", "", "", "", "", "unknown", "", [], reason=why)
    if found.state == "running" and not is_held(folder):
        found.state = "interrupted"
        found.reason = found.reason or "the process ended without a word (killed, or power lost)"
    return found
