"""Folding and the spool: repetitions become one, what waits survives, and both are bounded (C5)."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from adapters.ports import Message
from daemon.runtime.folding import KEYS_KEPT, Folding
from daemon.runtime.spool import Spool

PLAIN = Message(0, "info", "halt", "halt/x", "halted", "why")


def message(name: str, level: str = "info") -> Message:
    """Return a message of a name."""
    return msgspec.structs.replace(PLAIN, title=name, key=name, level=level)


# Folding ------------------------------------------------------------------------------------------


def test_the_first_goes_at_once_and_seven_become_one() -> None:
    """Eight of one key in a window: the first now, the seven others as one "x 7" at its end."""
    folding = Folding(60)
    assert folding.take(PLAIN, 100.0) is PLAIN
    newest = msgspec.structs.replace(PLAIN, text="the newest")
    for second in range(7):
        assert folding.take(newest, 101.0 + second) is None
    assert folding.due(159.9) == []
    (one,) = folding.due(160.0)
    assert one.title == "halted x 7"
    assert one.count == 7
    assert one.text.startswith("the newest\n")
    assert folding.folded == 7


def test_a_storm_is_one_message_a_window() -> None:
    """A key that goes on and on is told once each window, and at once again after a quiet one."""
    folding, sent = Folding(60), 0
    for second in range(600):
        sent += folding.take(PLAIN, float(second)) is not None
        sent += len(folding.due(float(second)))
    assert sent == 10
    assert [one.count for one in folding.due(660.0)] == [59]
    assert folding.due(720.0) == []
    assert folding.take(PLAIN, 720.0) is PLAIN


def test_other_keys_are_not_folded() -> None:
    """Two things that happened are two messages; a single repetition stays as it is."""
    folding = Folding(60)
    assert folding.take(message("a"), 0.0) is not None
    assert folding.take(message("b"), 0.0) is not None
    again = message("a")
    assert folding.take(again, 1.0) is None
    assert folding.due(60.0) == [again]


def test_no_folding_when_off() -> None:
    """A window of 0 lets everything through."""
    folding = Folding(0)
    assert all(folding.take(PLAIN, 0.0) is PLAIN for _ in range(5))


def test_nothing_is_held_back_at_the_end() -> None:
    """What waits for its window goes out when the daemon stops."""
    folding = Folding(60)
    folding.take(PLAIN, 0.0)
    for _ in range(3):
        folding.take(PLAIN, 1.0)
    assert [one.count for one in folding.rest()] == [3]
    assert folding.rest() == []


def test_keys_are_bounded() -> None:
    """Beyond 1024 keys in their windows nothing is remembered, and nothing is lost."""
    folding = Folding(60)
    for number in range(KEYS_KEPT):
        folding.take(message(str(number)), 0.0)
    one = message("one more")
    assert folding.take(one, 0.0) is one
    assert folding.take(one, 0.0) is one
    folding.due(60.0)
    assert folding.take(one, 61.0) is one
    assert folding.take(one, 61.0) is None


# Spool --------------------------------------------------------------------------------------------


def waiting(spool: Spool) -> list[str]:
    """Empty a spool in its order and return the titles."""
    found = []
    while (one := spool.first()) is not None:
        found.append(one[1].title)
        spool.remove(one[0])
    return found


def test_order(tmp_path: Path) -> None:
    """Critical ones first, else as they came."""
    spool = Spool(tmp_path, 100)
    for name, level in (("a", "info"), ("b", "critical"), ("c", "warning"), ("d", "critical")):
        spool.add(message(name, level))
    assert waiting(spool) == ["b", "d", "a", "c"]


def test_a_restart_loses_nothing(tmp_path: Path) -> None:
    """What was not sent is there again, in order; what was sent is not."""
    spool = Spool(tmp_path / "x", 100)
    for name in "abc":
        spool.add(message(name))
    first = spool.first()
    assert first is not None
    spool.remove(first[0])
    spool.sync()
    again = Spool(tmp_path / "x", 100)
    again.add(message("d"))
    again.sync()
    assert waiting(Spool(tmp_path / "x", 100)) == ["b", "c", "d"]
    assert (tmp_path / "x").stat().st_mode & 0o077 == 0


def test_the_oldest_that_is_not_critical_is_dropped(tmp_path: Path) -> None:
    """Full: the oldest plain one goes, critical ones stay; among critical ones the oldest goes."""
    spool = Spool(tmp_path, 3)
    for name, level in (("a", "critical"), ("b", "info"), ("c", "warning"), ("d", "critical")):
        spool.add(message(name, level))
    assert spool.dropped == 1
    spool.add(message("e", "critical"))
    spool.add(message("f", "critical"))
    assert spool.dropped == 3
    spool.sync()
    assert waiting(Spool(tmp_path, 3)) == ["d", "e", "f"]
    assert len(list(tmp_path.iterdir())) == 3


def test_a_smaller_bound_after_a_restart(tmp_path: Path) -> None:
    """What is too much for the new setting is dropped and counted."""
    spool = Spool(tmp_path, 100)
    for name in "abcd":
        spool.add(message(name))
    spool.sync()
    again = Spool(tmp_path, 2)
    assert again.dropped == 2
    assert waiting(again) == ["c", "d"]


def test_a_torn_file(tmp_path: Path) -> None:
    """Half a message, a draft and a stranger's file hinder nothing; the torn one is counted."""
    spool = Spool(tmp_path, 100)
    spool.add(message("a"))
    spool.sync()
    (tmp_path / "000000000007.json").write_bytes(b'{"at_ns": 1, "lev')
    (tmp_path / "000000000008.part").write_bytes(b"{")
    (tmp_path / "README").write_text("mine")
    again = Spool(tmp_path, 100)
    assert again.dropped == 1
    again.add(message("b"))
    again.sync()
    assert waiting(again) == ["a", "b"]
    assert not (tmp_path / "000000000007.json").exists()
    assert (tmp_path / "000000000008.json").exists()
    assert (tmp_path / "README").exists()


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_a_disk_that_takes_nothing(tmp_path: Path) -> None:
    """The message waits in memory, and the reason is known."""
    tmp_path.chmod(0o500)
    spool = Spool(tmp_path / "x", 100)
    spool.add(message("a"))
    spool.sync()
    assert "Permission denied" in spool.problem
    assert waiting(spool) == ["a"]


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    """Nothing can be kept there: said, and messages are sent all the same."""
    (tmp_path / "x").write_text("")
    spool = Spool(tmp_path / "x", 100)
    spool.add(message("a"))
    spool.sync()
    assert "File exists" in spool.problem
    assert waiting(spool) == ["a"]
