"""A daemon's folder made by hand: its database, its manifest and the status line of its last entry.

It is as kill -9 leaves it: the write-ahead log is there, nothing was closed.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import msgspec

from daemon.core.market import Market, Series
from daemon.core.pace import Pace, PaceLimits
from daemon.core.status_board import StatusBoard
from daemon.core.status_inputs import RunFacts, StatusInputs
from daemon.runtime.status_file import StatusFile
from state import codec
from state.entries import Entry
from state.instruments import Grid
from state.portfolio import Portfolio
from state.units import MINUTE_NS
from state.writer import Writer
from tests.builders import eurusd
from tests.run_folders import T0, folded


def status_line(portfolio: Portfolio, now_ns: int) -> bytes:
    """Return the status line of a portfolio at an instant."""
    market = Market("USD", [Series(Grid(eurusd()), 5 * MINUTE_NS)])
    facts = RunFacts("paper", "files", "5m", T0, "none", global_daily_stop_r=-5.0)
    board = StatusBoard(facts, [], market, lambda position, now_ns: 0.2, Pace(PaceLimits()))
    return board.line(portfolio, StatusInputs(now_ns))


def write_home(home: Path, entries: Sequence[Entry], *, checkpointed: int = 0) -> Path:
    """Write the folder and return it; ``checkpointed`` entries are in the database file itself."""
    work = home.with_name(home.name + ".work")
    work.mkdir(parents=True)
    path = work / "foliod.db"
    with Writer(path, "FULL") as writer:
        writer.submit(list(entries[:checkpointed])).result()
    with Writer(path, "FULL") as writer:
        writer.submit(list(entries[checkpointed:])).result()
        portfolio = folded(entries)
        payload = codec.encode_snapshot(portfolio)
        writer.snapshot(portfolio.seq, portfolio.now_ns, payload).result()
        shutil.copytree(work, home)
    shutil.rmtree(work)
    write_manifest(home, "running")
    status = StatusFile(home / "logs", MINUTE_NS)
    status.write(portfolio.now_ns, status_line(portfolio, portfolio.now_ns))
    status.close()
    return home


def write_manifest(home: Path, state: str) -> None:
    """Write what a daemon says of itself."""
    manifest = {
        "run_id": "rabc",
        "portfolio_id": "main",
        "mode": "paper",
        "version": "0.1.0",
        "config_hash": "cafe",
        "state": state,
        "started": "2017-02-01T00:00:00Z",
        "bars": [],
    }
    (home / "run.json").write_bytes(msgspec.json.encode(manifest))
