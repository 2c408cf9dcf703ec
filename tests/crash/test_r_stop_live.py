"""An R-stop at 09:40, killed at 09:41, started again at 09:45 on a live feed (RSK-2).

What closed meanwhile, nobody heard: the new process first sees the bar that closes at 09:45. On
bars of files there is no such hole, because the run's clock stands while no process is there: the
sweep starts the same portfolio again with the bar of 09:42 (``AT_THE_R_STOP``).
"""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from adapters.feeds.recording import read_segments
from daemon.runtime.recorded import FOLDER
from state import verify_fold
from state.entries import Decided, Entry, Filled, HaltSet, IntentRecorded, RunStarted
from state.journal import read
from state.units import MINUTE_NS, utc_text
from tests.builders import ROOT
from tests.crash.scenarios import SCENARIOS, at
from tests.fakes.endpoints import dead_port
from tests.history.checker import check_folder

(R_STOP,) = (one for one in SCENARIOS if one.name == "R-stop")

FEED = """
[feed]
source = "generic"
warm_up_bars = 0
[[feed.hours]]
symbols = ["EURUSD"]
start = 09:30:00
end = 09:50:00
zone = "UTC"
weekdays = ["mon", "tue", "wed", "thu", "fri"]
[feed.generic]
url = "ws://127.0.0.1:{port}/bars"
side = "mid"
symbol = "s"
open = "open"
high = "high"
low = "low"
close = "close"
"""


def _lived(folder: Path, port: int, first: str, last: str, how: str) -> int:
    """Let a process live from one close to another and return how it ended."""
    command = [sys.executable, "-P", "-m", "tests.crash.live_life", str(folder), str(port)]
    done = subprocess.run(
        [*command, first, last, how], cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, timeout=90,
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode


def _killed_and_back(folder: Path, r_stop: float) -> list[Entry]:
    """Kill a process at 09:41, start the next one at 09:45; return the journal after both days."""
    port = dead_port()
    moves = [*R_STOP.moves, (at(0, "09:45"), -30)]
    replace(R_STOP, r_stop=r_stop, moves=moves, more=FEED.format(port=port)).write(folder)
    assert _lived(folder, port, "0 09:31", "0 09:41", "kill") == -signal.SIGKILL
    home = folder / "stage"
    before = [entry for _, entry in read(home / "foliod.db")]
    assert utc_text(before[-1].at_ns)[11:16] == "09:41"

    assert _lived(folder, port, "0 09:45", "1 09:50", "end") == 0

    closes = [one.bar.close_ns for one in read_segments(home / FOLDER)]
    day_one = [at(0, "09:31") + number * MINUTE_NS for number in range(20)]
    missed = [at(0, clock) for clock in ("09:42", "09:43", "09:44")]
    assert [one for one in closes if one < at(1, "00:00")] == sorted({*day_one} - {*missed})
    assert check_folder(home, folder / "foliod.toml").found == []
    assert verify_fold.check(home / "foliod.db") == []
    after = [entry for _, entry in read(home / "foliod.db")]
    assert after[: len(before)] == before
    assert sum(isinstance(one, RunStarted) for one in after) == 2
    return after


def _entered(entries: list[Entry]) -> list[int]:
    """Return the instants at which orders that open a position were decided."""
    found = [one for one in entries if isinstance(one, IntentRecorded)]
    return [one.at_ns for one in found if one.intent.purpose == "entry"]


def test_stopped_at_0940_killed_at_0941_started_at_0945(tmp_path: Path) -> None:
    """Every bar from 09:45 on is a wish, none is an entry that day; from 09:31 of the next."""
    entries = _killed_and_back(tmp_path / "stage", r_stop=-1.0)

    (halt,) = [one for one in entries if isinstance(one, HaltSet)]
    assert (halt.name, halt.at_ns) == ("r_stop", at(0, "09:40"))
    entered = _entered(entries)
    assert any(one < at(0, "09:40") for one in entered)
    assert min(one for one in entered if one >= at(0, "09:40")) == at(1, "09:31")
    filled = [one.at_ns for one in entries if isinstance(one, Filled) and one.leg == "entry"]
    assert not [one for one in filled if at(0, "09:41") <= one < at(1, "09:31")]
    asked = [one for one in entries if isinstance(one, Decided)]
    denied = [one for one in asked if at(0, "09:45") <= one.at_ns <= at(0, "09:50")]
    assert [one.at_ns for one in denied] == [
        at(0, "09:45") + number * MINUTE_NS for number in range(6)
    ]
    assert {one.outcome for one in denied} == {"R_STOP_REACHED"}


def test_without_the_stop_the_bar_of_0945_is_an_entry(tmp_path: Path) -> None:
    """Control: same bars, same kill, a limit that is not reached: nothing else denies the wish."""
    entries = _killed_and_back(tmp_path / "stage", r_stop=-8.0)

    assert not [one for one in entries if isinstance(one, HaltSet)]
    assert at(0, "09:45") in _entered(entries)
