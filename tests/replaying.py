"""Whole replays for tests: settings from TOML text through the real runner into a run folder."""

from __future__ import annotations

import asyncio
import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters.clock import SystemClock
from config.load import load
from daemon.replay import Replay, ReplayOptions, ReplayResult
from state.entries import Entry
from state.journal import read


@dataclass(frozen=True)
class Ran:
    """A finished run: its result, its journal, and the rows of its trades.csv."""

    result: ReplayResult
    entries: list[Entry]
    trades: list[dict[str, str]]

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return self.result.folder


def replay(text: str, folder: Path, **options: Any) -> Ran:  # noqa: ANN401 - ReplayOptions' own
    """Write ``text`` as the configuration below ``folder``, replay it, and read what it left."""
    path = folder / "foliod.toml"
    path.write_text(text)
    return replay_files([path], **options)


def replay_files(paths: list[Path], **options: Any) -> Ran:  # noqa: ANN401
    """Replay a configuration of these files, later ones winning, and read what it left."""
    settings = load(paths, {})
    given = ReplayOptions(strategies_folder=paths[-1].parent, **options)
    result = asyncio.run(Replay(settings, given, SystemClock()).run())
    with (result.folder / "trades.csv").open(newline="") as file:
        trades = list(csv.DictReader(file))
    entries = [entry for _, entry in read(result.folder / "foliod.db")]
    return Ran(result, entries, trades)
