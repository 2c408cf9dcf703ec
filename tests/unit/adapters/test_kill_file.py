"""The kill file: what it orders, and that what cannot be told closes (R6, KIL-2)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.kill_file import FILE, KillFile, Order, order_of, write_kill_file


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return an empty control folder."""
    path = tmp_path / "control"
    path.mkdir()
    return path


@pytest.fixture
def kill(folder: Path) -> Iterator[KillFile]:
    """Return a gate that watches the folder."""
    found = KillFile(folder)
    yield found
    found.close()


@pytest.mark.parametrize(
    ("text", "level", "reason"),
    [
        ("", "halt", "the kill file is there"),
        ("flatten\n", "flatten", "the kill file is there"),
        ("FLATTEN the feed\nis wrong", "flatten", "the feed is wrong"),
        ("halt by hand", "halt", "by hand"),
        ("stop it", "halt", "stop it"),
        ("\x00\ufffd", "halt", "\x00\ufffd"),
    ],
)
def test_the_first_word_is_the_level(text: str, level: str, reason: str) -> None:
    """Any other content than `flatten` first means halt."""
    assert order_of(text) == Order(level, reason)


def test_an_empty_folder_leaves_the_gate_open(kill: KillFile) -> None:
    """Nothing there: entries may go out."""
    assert not kill.is_closed()
    assert kill.seen() is None


def test_a_look_that_finds_the_file_closes_the_gate_for_good(kill: KillFile, folder: Path) -> None:
    """Seen once, it stays closed after the file is gone, until it is latched elsewhere."""
    path = write_kill_file(folder, "flatten", "the feed is wrong")
    kill.look()
    path.unlink()
    kill.look()
    order = kill.seen()

    assert kill.is_closed()
    assert order == Order("flatten", "the feed is wrong")
    kill.acknowledge(order)
    assert not kill.is_closed()


def test_a_file_that_is_still_there_cannot_be_acknowledged_away(
    kill: KillFile, folder: Path
) -> None:
    """The gate stays closed while the file lies there."""
    (folder / FILE).touch()
    kill.look()
    order = kill.seen()
    assert order is not None

    kill.acknowledge(order)

    assert kill.is_closed()


def test_a_folder_that_vanishes_closes_the_gate(kill: KillFile, folder: Path) -> None:
    """What cannot be looked into counts as a file that is there."""
    folder.rename(folder.with_name("gone"))
    kill.look()

    order = kill.seen()
    assert order is not None
    assert order.level == "halt"
    assert "cannot be looked into" in order.reason


def test_another_folder_in_its_place_closes_the_gate(kill: KillFile, folder: Path) -> None:
    """An unmounted folder leaves an empty one behind: that is no proof of anything."""
    folder.rename(folder.with_name("gone"))
    folder.mkdir()
    kill.look()

    order = kill.seen()
    assert order is not None
    assert "another folder" in order.reason


def test_a_file_that_cannot_be_read_closes_the_gate(kill: KillFile, folder: Path) -> None:
    """A folder in the file's place is no kill file that can be read, and halts all the same."""
    (folder / FILE).mkdir()
    kill.look()

    order = kill.seen()
    assert order is not None
    assert order.level == "halt"


def test_a_slow_look_does_not_bring_back_a_file_that_is_gone(
    kill: KillFile, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """KIL-1: what a thread saw before the removal is no news after a later look found nothing."""
    found, saw, go_on = kill._found, threading.Event(), threading.Event()

    def slow() -> Order | None:
        order = found()
        saw.set()
        go_on.wait(10)
        return order

    (folder / FILE).write_text("halt at noon")
    with monkeypatch.context() as patch:
        patch.setattr(kill, "_found", slow)
        earlier = threading.Thread(target=kill.look)
        earlier.start()
        assert saw.wait(10)
    (folder / FILE).unlink()
    later = threading.Thread(target=kill.look)
    later.start()
    later.join(0.2)
    go_on.set()
    for one in (earlier, later):
        one.join(10)

    order = kill.seen()
    assert order is not None and order.level == "halt"
    kill.acknowledge(order)
    assert kill.seen() is None and not kill.is_closed()
