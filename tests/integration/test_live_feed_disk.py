"""A live feed whose recording no disk takes: exits only, and nothing lost (F6, R5, DUR-1)."""

from __future__ import annotations

import errno
import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from adapters.feeds.recorder import Recorder
from daemon.runtime.recorded import FOLDER
from state.entries import (
    CommandTaken,
    Decided,
    Entry,
    Filled,
    HaltSet,
    IntentRecorded,
    OrderChanged,
)
from state.errors import ExitCode
from state.journal import last_seq
from tests.fakes.bar_socket import BarSocket, FastClock, speaks
from tests.integration.test_live_feed import (
    accepted_after_the_halt,
    check_decided_again,
    check_recording,
    journal,
    minutes,
)
from tests.live_homes import Watched, daemon, live_settings, recorded


class Full:
    """The disk below the recording: full while ``is_full``."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        """Stand before it; the journal's own disk stays sound."""
        self.is_full = False
        write = Recorder._write

        def guarded(recorder: Recorder, records: Sequence[Any]) -> None:
            if self.is_full:
                raise OSError(errno.ENOSPC, "No space left on device")
            write(recorder, records)

        patch.setattr(Recorder, "_write", guarded)


def blocked(found: Watched) -> bool:
    """Whether the newest status says that the recording cannot be written."""
    told = [one.what for one in found.status().alerts if one.code == "JOURNAL_BLOCKED"]
    return any("were decided from cannot be written" in one and "Free space" in one for one in told)


async def reset(found: Watched) -> None:
    """Lift the halt as the operator does."""
    live = found.live
    await live._desk.ask(lambda: live._operator.give("reset", "journal", "there is room again"))


def check_exits_only(entries: list[Entry]) -> None:
    """No entry order went out from the halt on, those before it were kept back, exits passed."""
    halts = [one for one in entries if isinstance(one, HaltSet)]
    assert [(one.name, one.code) for one in halts] == [("journal", "JOURNAL_BLOCKED")]
    at = entries.index(halts[0])
    cleared = next(
        n for n, one in enumerate(entries) if isinstance(one, CommandTaken) and one.name == "reset"
    )
    wished = [one for one in entries[at:cleared] if isinstance(one, IntentRecorded)]
    assert not [one for one in wished if one.intent.purpose == "entry"]
    kept_back = [one for one in entries if isinstance(one, OrderChanged) and one.event == "REJECT"]
    assert {one.code for one in kept_back} == {"JOURNAL_BLOCKED"}
    asked = [one for one in entries[at:cleared] if isinstance(one, Decided)]
    assert {one.outcome for one in asked} == {"HALTED"}, "bars are decided on meanwhile"


async def test_a_recording_that_cannot_be_written_leaves_exits_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told in status and log; nothing is journalled that follows from an unrecorded bar."""
    disk, socket = Full(monkeypatch), BarSocket(FastClock(), speaks)
    async with socket.open():
        settings = live_settings(tmp_path, socket.url)
        async with daemon(settings, tmp_path, socket) as found:
            await found.wait_until(lambda: len(found.of(Filled)) >= 4)
            disk.is_full = True
            await found.wait_until(lambda: blocked(found))
            seq, count = last_seq(found.home / "foliod.db"), len(recorded(found.home))
            sent = len(socket.sent["EURUSD"])
            await found.wait_until(lambda: len(socket.sent["EURUSD"]) >= sent + 3)
            assert not found.task.done()
            assert (last_seq(found.home / "foliod.db"), len(recorded(found.home))) == (seq, count)
            disk.is_full = False
            await found.wait_until(lambda: not found.status().alerts)
            await found.wait_until(lambda: len(recorded(found.home)) >= count + 6)
            await reset(found)
            await found.wait_until(lambda: accepted_after_the_halt(found.journal(), "EURUSD"))

    said = [one["event"] for one in found.log]
    assert said.count("exits only") == said.count("the journal is written again") == 1
    entries = journal(found.home)
    check_exits_only(entries)
    check_recording(found.home)
    for symbol in ("EURUSD", "GBPUSD"):
        kept = minutes(recorded(found.home), symbol)
        assert kept == list(range(kept[0], kept[-1] + 1)), "no bar is missing"
    await check_decided_again(found.home, settings)


async def test_killed_while_the_recording_waits_it_goes_on_with_a_gap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """REC-5: what was decided from bars that no disk took is on no disk either."""
    before, after = tmp_path / "before", tmp_path / "after"
    before.mkdir()
    clock = FastClock()
    disk, socket = Full(monkeypatch), BarSocket(clock, speaks)
    async with socket.open():
        settings = live_settings(before, socket.url)
        async with daemon(settings, before, socket) as found:
            await found.wait_until(lambda: len(found.of(Filled)) >= 4)
            disk.is_full = True
            await found.wait_until(lambda: blocked(found))
            sent = len(socket.sent["EURUSD"])
            await found.wait_until(lambda: len(socket.sent["EURUSD"]) >= sent + 2)
            shutil.copytree(before, after, ignore=shutil.ignore_patterns("*.sock", "control"))
            disk.is_full = False
        kept = len(recorded(after / "live"))
        settings = live_settings(after, socket.url)
        async with daemon(settings, after, socket) as found:
            await found.wait_until(lambda: len(recorded(found.home)) >= kept + 6)

    check_recording(found.home)
    found_minutes = minutes(recorded(found.home), "EURUSD")
    assert len(found_minutes) < found_minutes[-1] - found_minutes[0] + 1, "a gap, and no false bar"
    await check_decided_again(found.home, settings)


def test_a_full_disk_below_recording_and_journal_is_waited_out(tmp_path: Path) -> None:
    """A real file system without space, until somebody makes room; then every bar is there."""
    if shutil.which("unshare") is None:
        pytest.skip("unshare is not installed, no small disk can be made")
    disk, kept = tmp_path / "disk", tmp_path / "kept"
    disk.mkdir()
    script = (
        'mount -t tmpfs -o size=16m tmpfs "$1"'
        ' && exec "$2" -m tests.integration.full_disk_feed "$1" "$3"'
    )
    done = subprocess.run(
        ["unshare", "-Urm", "sh", "-c", script, "sh", disk, sys.executable, kept],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    if not done.stdout and "mount" in done.stderr:
        pytest.skip(f"no small disk can be mounted here: {done.stderr.strip()[:80]}")

    assert done.returncode == ExitCode.OK, done.stderr
    said = json.loads(done.stdout)
    assert said.index("exits only") < said.index("the journal is written again")
    check_exits_only(journal(kept))
    check_recording(kept)
    for symbol in ("EURUSD", "GBPUSD"):
        found = minutes(recorded(kept), symbol)
        assert found == list(range(found[0], found[-1] + 1)), "no bar is missing"
    assert not [one for one in (kept / FOLDER).iterdir() if one.suffix != ".jsonl"]
