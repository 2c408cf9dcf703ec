"""A disk that takes nothing for a while loses, doubles and tears no recorded bar (F6, DUR-1)."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path
from random import Random  # noqa: TID251 - seeded here

import pytest

from adapters.feeds.events import LIVE, BarClosed
from adapters.feeds.recorder import Recorder
from adapters.feeds.recording import read_segments, segments
from state.bars import Bar
from state.errors import FeedError
from state.units import DAY_NS, MINUTE_NS

DAY = 20_000 * DAY_NS


def closed(number: int) -> BarClosed:
    """Make the bar of a minute; the sixth begins a day."""
    at = DAY + (number - 5) * MINUTE_NS
    price = 1 + number / 100
    bar = Bar(at, at + MINUTE_NS, price, price, price, price)
    return BarClosed("EURUSD", MINUTE_NS, bar, LIVE, bar.close_ns)


def recorded(folder: Path) -> list[int]:
    """Return the minutes that a folder holds; the chain is proved on the way."""
    return [(one.bar.open_ns - DAY) // MINUTE_NS + 5 for one in read_segments(folder)]


class Disk:
    """What of the disk fails: by name of the call, and how many times it is let through first."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        """Stand before the system's calls."""
        self.failing: dict[str, int] = {}
        self.lost_from: int | None = None
        for name in ("write", "fdatasync", "fsync", "ftruncate", "truncate", "open"):
            patch.setattr(os, name, self._guarded(name, getattr(os, name)))

    def _guarded(self, name: str, call: Callable[..., object]) -> Callable[..., object]:
        def guarded(*given: object, **more: object) -> object:
            if name in self.failing:
                self.failing[name] -= 1
                if self.failing[name] < 0:
                    if name == "write" and self.lost_from is not None:
                        handle, line = given
                        assert isinstance(line, bytes)
                        call(handle, line[: self.lost_from])
                    raise OSError(errno.ENOSPC, "No space left on device")
            return call(*given, **more)

        return guarded


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    """Stand before the disk."""
    return Disk(monkeypatch)


def opened(folder: Path) -> Recorder:
    """Open a recording as a daemon does."""
    return Recorder(folder, is_durable=False)


def put(recorder: Recorder, minute: int) -> bool:
    """Record a bar as the feed does; return whether the disk took it."""
    recorder.put(closed(minute))
    return recorder.write()


@pytest.mark.parametrize("number", range(9))
@pytest.mark.parametrize(
    "failing", [("write",), ("fdatasync",), ("fsync",), ("open",), ("write", "ftruncate")]
)
@pytest.mark.parametrize("torn", [None, 17])
def test_what_the_disk_does_not_take_waits_in_order(
    tmp_path: Path, disk: Disk, failing: tuple[str, ...], number: int, torn: int | None
) -> None:
    """From bar ``number`` on; the other bars come meanwhile, and then the disk takes it all."""
    recorder, noticed = opened(tmp_path), False
    for minute in range(number):
        put(recorder, minute)
        if minute % 2:
            recorder.sync()
    disk.failing, disk.lost_from = dict.fromkeys(failing, 0), torn
    for minute in range(number, 9):
        noticed |= not put(recorder, minute)
        try:
            recorder.sync()
        except OSError as problem:
            noticed = True
            assert problem.errno == errno.ENOSPC
    disk.failing = {}
    recorder.sync()
    put(recorder, 9)
    recorder.close()

    assert recorded(tmp_path) == list(range(10))
    assert len(segments(tmp_path)) == 2
    assert noticed or failing in (("fsync",), ("open",)), "a failure is told"


def test_what_an_error_of_the_disk_may_have_lost_is_written_again(
    tmp_path: Path, disk: Disk
) -> None:
    """After a failed sync nobody knows what arrived: all since the last one is written anew."""
    recorder = opened(tmp_path)
    put(recorder, 0)
    recorder.sync()
    put(recorder, 1)
    disk.failing = {"fdatasync": 0}
    with pytest.raises(OSError, match="No space left"):
        recorder.sync()
    (path,) = segments(tmp_path)
    # What the system had in memory never came to the disk: its pages are garbage by now.
    content = path.read_bytes()
    lost = content.splitlines(keepends=True)[-1]
    path.write_bytes(content[: -len(lost)] + b"\0" * len(lost))
    disk.failing = {}

    recorder.sync()
    recorder.close()

    assert recorded(tmp_path) == [0, 1]


def test_a_kill_while_bars_wait_leaves_what_was_written_before(tmp_path: Path, disk: Disk) -> None:
    """The next start finds a whole recording, and goes on with it."""
    recorder = opened(tmp_path)
    for minute in range(3):
        put(recorder, minute)
    disk.failing, disk.lost_from = {"write": 0, "ftruncate": 0}, 17
    assert not put(recorder, 3)
    disk.failing = {}

    again = Recorder(tmp_path, is_durable=False)
    assert again.repaired
    assert recorded(tmp_path) == [0, 1, 2]
    again.add(closed(3))
    again.close()
    assert recorded(tmp_path) == [0, 1, 2, 3]


def test_bars_come_while_another_thread_waits_for_the_disk(tmp_path: Path, disk: Disk) -> None:
    """The writer's thread syncs what waits, the loop goes on putting; none is lost or doubled."""
    recorder, done, refused = opened(tmp_path), threading.Event(), 0

    def wait() -> None:
        nonlocal refused
        while not done.is_set():
            try:
                recorder.sync()
            except OSError:
                refused += 1
            done.wait(0.0001)

    writer = threading.Thread(target=wait)
    writer.start()
    rng = Random(5)
    for minute in range(400):
        if minute % 20 == 5:
            disk.failing = {rng.choice(["write", "fdatasync"]): rng.randrange(3)}
        elif minute % 20 == 15:
            before, patience = refused, 0
            while refused == before and patience < 20_000:
                patience += 1
                done.wait(0.0001)
            disk.failing = {}
        put(recorder, minute)
    done.set()
    writer.join(timeout=30)
    recorder.close()

    assert refused > 1
    assert recorded(tmp_path) == list(range(400))


def test_memory_is_kept_for_so_many_bars(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything is bounded: beyond that the daemon ends and says why."""
    monkeypatch.setattr("adapters.feeds.recorder.MOST", 3)
    recorder = Recorder(tmp_path)
    for number in range(3):
        recorder.put(closed(number))
    with pytest.raises(FeedError, match=r"3 bars wait to be recorded below .*takes none"):
        recorder.put(closed(3))
    recorder.sync()
    recorder.put(closed(3))
    recorder.close()
    assert [one.bar.open_ns for one in read_segments(tmp_path)] == [
        closed(number).bar.open_ns for number in range(4)
    ]
