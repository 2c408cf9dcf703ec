"""A run's folder: its lock, its manifest and where each of its files is.

The manifest says ``running`` from before the first byte until after the last one, so that a run
that died reads as interrupted, never as whole.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any, Final

import msgspec

from state import failpoints
from state.errors import JournalError
from state.lock import PortfolioLock, this_process
from state.units import SECOND_NS, utc_text

MANIFEST: Final = "run.json"
DATABASE: Final = "foliod.db"
LEFTOVERS: Final = ("config.toml", DATABASE, MANIFEST)


class BarsNote(msgspec.Struct, frozen=True):
    """One bar file of a run, as it was: ``digest`` is BLAKE2b of its bytes."""

    symbol: str
    path: str
    interval: str
    digest: str


class InputNote(msgspec.Struct, frozen=True):
    """One other input file of a run: ``kind`` is news or strategy, ``digest`` as of bars."""

    kind: str
    path: str
    digest: str


class Manifest(msgspec.Struct):
    """What a run is. ``state``: running, complete, interrupted or failed.

    ``started`` and ``ended`` are wall-clock instants as text, ``first`` and ``last`` instants of
    the history. ``options`` are the command line's that change the result. ``inputs`` are what was
    read beside bars and configuration.
    """

    run_id: str
    portfolio_id: str
    mode: str
    version: str
    config_hash: str
    state: str
    started: str
    bars: list[BarsNote]
    ended: str = ""
    first: str = ""
    last: str = ""
    reason: str = ""
    options: dict[str, Any] = msgspec.field(default_factory=dict)
    inputs: list[InputNote] = msgspec.field(default_factory=list)


class RunFolder:
    """The folder of one run, locked by this process."""

    def __init__(self, folder: Path, command: str, now_ns: int) -> None:
        """Create the folder and take its lock.

        Raises:
            HeldError: another process holds it.
            JournalError: it cannot be written, or a run is already there.
        """
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise JournalError(f"cannot create the run folder {folder}: {error}") from error
        self._lock = PortfolioLock(folder, this_process(command, now_ns))
        taken = [name for name in LEFTOVERS if (folder / name).exists()]
        if taken:
            self._lock.release()
            raise JournalError(
                f"{folder} already holds a run ({', '.join(taken)}); every replay writes its own "
                f"folder: name another one, or leave --run-dir out"
            )
        self.database = folder / DATABASE
        self.logs = folder / "logs"

    def write_manifest(self, manifest: Manifest) -> None:
        """Replace the manifest as a whole; a power cut may bring the one before back."""
        write_manifest(self.folder, manifest)

    def close(self) -> None:
        """Give the folder back."""
        self._lock.release()


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Replace the manifest in a folder, as ``write_atomically`` does.

    Raises:
        JournalError: it cannot be written; says why.
    """
    text = msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"
    write_atomically(folder / MANIFEST, text)


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file as a whole or not at all; the name is not synced, what it had may come back.

    Raises:
        JournalError: it cannot be written; says why.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        failpoints.hit("file.written")
        os.replace(temporary, path)
        failpoints.hit("file.replaced")
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise JournalError(
            f"cannot write {path}: {error.strerror}; free space or permissions?"
        ) from error


def free_name(runs: Path, stem: str) -> Path:
    """Return a folder below ``runs`` that is not there yet: ``stem``, else ``stem-2`` and so on."""
    candidate, number = runs / stem, 1
    while candidate.exists():
        number += 1
        candidate = runs / f"{stem}-{number}"
    return candidate


def run_stem(now_ns: int, run_id: str) -> str:
    """Return the name of a run's folder: a UTC stamp in milliseconds, which sorts, and its id."""
    seconds, rest = divmod(now_ns, SECOND_NS)
    stamp = utc_text(seconds * SECOND_NS).rstrip("Z").replace("-", "").replace(":", "")
    return f"{stamp}.{rest // 1_000_000:03d}Z-{run_id}"
