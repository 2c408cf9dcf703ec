"""How the kill file is noticed: told by the system, by looks alone, and whatever kind it is."""

from __future__ import annotations

import os
import resource
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from adapters.inotify import Watch
from adapters.kill_file import FILE, KillFile, Order, write_kill_file
from tests.daemons import wait_until

NEVER_S = 3_600.0
"""A period in which no look comes by itself within a test."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return an empty control folder."""
    path = tmp_path / "control"
    path.mkdir()
    return path


@pytest.fixture
def told(folder: Path) -> Iterator[KillFile]:
    """Return a gate that looks only when the system tells it of something."""
    found = KillFile(folder, period_s=NEVER_S)
    assert found.is_notified
    yield found
    found.close()


def _move_in(folder: Path) -> None:
    (folder.parent / "x").touch()
    (folder.parent / "x").rename(folder / FILE)


STRIKES: dict[str, Callable[[Path], object]] = {
    "touched": lambda folder: (folder / FILE).touch(),
    "written": lambda folder: write_kill_file(folder, "halt", "x"),
    "moved in": _move_in,
    "linked": lambda folder: os.symlink("/nowhere", folder / FILE),
    "folder renamed": lambda folder: folder.rename(folder.with_name("gone")),
    "folder removed": lambda folder: folder.rmdir(),
}


@pytest.mark.parametrize("strike", STRIKES.values(), ids=STRIKES)
def test_the_system_tells_of_it_before_any_period_is_over(
    told: KillFile, folder: Path, strike: Callable[[Path], object]
) -> None:
    """KIL-1: whatever way the file comes, or the folder goes, no period is waited for."""
    assert told.seen() is None

    strike(folder)

    wait_until(lambda: told.seen() is not None)


def test_a_level_written_after_the_file_was_made_is_seen(told: KillFile, folder: Path) -> None:
    """`echo flatten > KILL_SWITCH` makes it empty first: the halt seen then becomes a flatten."""
    (folder / FILE).touch()
    wait_until(lambda: told.seen() is not None)

    (folder / FILE).write_text("flatten now")

    wait_until(lambda: told.seen() == Order("flatten", "now"))


def test_a_halt_does_not_take_a_flatten_back(told: KillFile, folder: Path) -> None:
    """What was ordered and is not latched yet stays ordered when the file changes."""
    write_kill_file(folder, "flatten", "now")
    wait_until(lambda: told.seen() is not None)

    write_kill_file(folder, "halt", "or not")
    told.look()

    assert told.seen() == Order("flatten", "now")


def test_looks_alone_find_it_too(folder: Path) -> None:
    """Without the system's word (another system, a folder on the network) the period does it."""
    kill = KillFile(folder, notify=False)
    assert not kill.is_notified

    (folder / FILE).touch()

    wait_until(lambda: kill.seen() is not None)
    kill.close()


def test_a_broken_watch_leaves_the_looks(folder: Path) -> None:
    """The watch ends under the thread's feet: it goes on looking, and says that it is not told."""
    kill = KillFile(folder)
    assert kill._watch is not None
    os.close(kill._watch._descriptor)
    wait_until(lambda: not kill.is_notified)

    (folder / FILE).touch()

    wait_until(lambda: kill.seen() is not None)
    kill.close()


def test_a_folder_that_is_missing_cannot_be_watched_and_closes(folder: Path) -> None:
    """No folder, no watch, no entry."""
    kill = KillFile(folder / "none")

    assert not kill.is_notified
    assert kill.is_closed()
    kill.close()
    with pytest.raises(OSError, match="No such file"):
        Watch(folder / "none")


def test_a_full_queue_of_events_is_one_more_reason_to_look(folder: Path) -> None:
    """More happens than the system keeps: what it keeps still wakes, and the next thing too."""
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    if limit > 100_000:
        pytest.skip(f"{limit} events fit into the queue here")
    watch = Watch(folder)
    with (folder / "one").open("wb", 0) as one, (folder / "other").open("wb", 0) as other:
        for _ in range(limit):
            one.write(b"x")
            other.write(b"x")

    assert watch.wait(0)
    assert not watch.wait(0)
    (folder / FILE).touch()
    assert watch.wait(0)
    watch.close()


def test_a_pipe_in_the_files_place_halts_and_holds_nobody_up(folder: Path) -> None:
    """To open a pipe is to wait for its other end; a gate that waits would hold exits up."""
    os.mkfifo(folder / FILE)
    found: list[KillFile] = []
    thread = threading.Thread(target=lambda: found.append(KillFile(folder)), daemon=True)
    thread.start()

    wait_until(lambda: bool(found))
    assert found[0].seen() == Order("halt", "the kill file is there")
    found[0].close()


def test_a_link_to_nothing_counts_as_the_file(folder: Path) -> None:
    """It is there for whoever lists the folder."""
    os.symlink("/nowhere/KILL", folder / FILE)
    kill = KillFile(folder)

    order = kill.seen()
    assert order is not None
    assert "cannot be read" in order.reason
    kill.close()


def test_another_user_can_read_what_was_ordered(folder: Path) -> None:
    """An operator's strict mask must not turn a flatten into a halt that nobody can read."""
    before = os.umask(0o777)
    try:
        path = write_kill_file(folder, "flatten", "now")
    finally:
        os.umask(before)

    assert path.stat().st_mode & 0o444 == 0o444


@pytest.mark.parametrize("level", ["halt", "flatten"])
def test_a_full_disk_still_takes_an_order_to_halt(folder: Path, level: str) -> None:
    """No byte can be written: an empty file is made, and a flatten is said to be none."""
    _, hard = before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        write_kill_file(folder, level, "now")
        problem = None
    except OSError as found:
        problem = found
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    assert [one.name for one in folder.iterdir()] == [FILE]
    assert (problem is None) == (level == "halt")
    assert problem is None or "orders a halt" in str(problem)
