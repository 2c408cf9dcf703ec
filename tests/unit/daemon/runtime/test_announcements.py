"""What people are told of the journal and the process: once each, with the numbers (C5)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from adapters.ports import Message
from config.settings_operation import NotifyLevels
from daemon.runtime.announcements import Announcer
from state.entries import EngineQuarantined, Entry, HaltCleared, HaltSet, KillChanged
from state.ledger import apply
from state.portfolio import Portfolio
from tests.run_folders import T0, beginning, folded, two_days

LEVELS = NotifyLevels().model_dump()


def told(entries: Sequence[Entry], portfolio: Portfolio | None = None) -> list[Message]:
    """Apply entries one by one, as a stepper does, and return the messages."""
    found: list[Message] = []
    book = portfolio or Portfolio()
    announcer = Announcer(book, {**LEVELS, "start": "off"}, found.append)
    announcer.started([], 0)
    for seq, entry in enumerate(entries, start=book.seq + 1):
        apply(book, seq, entry)
        announcer.take(seq, entry)
    return found


def test_two_days() -> None:
    """A win of 0.90 and a loss of 0.55 at a risk of 1, then the R-stop: three messages."""
    found = told(two_days())
    assert [(one.event, one.level, one.title) for one in found] == [
        ("trade", "info", "main: EURUSD orb +0.90 R, +0.90 USD"),
        ("trade", "info", "main: EURUSD lsg -0.55 R, -0.55 USD"),
        ("halt", "warning", "main: halted: r_stop"),
    ]
    assert found[1].text == (
        "short EURUSD by lsg closed (SL): -0.55 R, -0.55 USD.\nToday: -0.55 R in 1 trades."
    )
    assert "observed -0.550 R, limit -0.500 R" in found[2].text
    assert "0 positions and 0 orders open, today -0.55 R." in found[2].text
    assert len({one.id for one in found}) == 3


def test_a_trade_that_was_open_at_the_start() -> None:
    """A restart between entry and exit: the exit is told with the whole trade's result."""
    entries = two_days()
    open_at = next(place for place, one in enumerate(entries) if "t1-1" in repr(one)) + 2
    (first, *_) = told(entries[open_at:], folded(entries[:open_at]))
    assert first.title == "main: EURUSD orb +0.90 R, +0.90 USD"


def test_what_must_not_wait() -> None:
    """The kill switch and a quarantine are critical and say what to do; lifting them is told."""
    entries: list[Entry] = [
        *beginning(),
        KillChanged(T0, "flatten", "the feed is wrong"),
        KillChanged(T0, "none", "checked"),
        EngineQuarantined(T0, "EURUSD", "mine", "ValueError: no", "Traceback ..."),
        HaltSet(T0, "operator", "HALTED", "lunch", "halt", "no halt"),
        HaltCleared(T0, "operator", "back"),
        HaltSet(T0, "health", "HEALTH_BELOW", "drawdown", "12 %", "10 %"),
    ]
    found = told(entries)
    assert [(one.event, one.level) for one in found] == [
        ("kill", "critical"),
        ("resume", "info"),
        ("quarantine", "critical"),
        ("halt", "warning"),
        ("resume", "info"),
        ("health", "warning"),
    ]
    assert "foliod reset kill" in found[0].text
    assert found[2].title == "main: quarantined: EURUSD/mine"
    assert "Traceback" not in found[2].text


def test_recovery_tells_nothing_twice() -> None:
    """Entries that are decided once more before the start was told make no message."""
    found: list[Message] = []
    book = Portfolio()
    announcer = Announcer(book, LEVELS, found.append)
    for seq, entry in enumerate(two_days(), start=1):
        apply(book, seq, entry)
        announcer.take(seq, entry)
    assert found == []


def test_levels() -> None:
    """An event that is off makes no message; a level is the setting's."""
    found: list[Message] = []
    portfolio = folded(beginning())
    announcer = Announcer(portfolio, {**LEVELS, "start": "off", "stop": "critical"}, found.append)
    announcer.started(["a new portfolio"], T0)
    announcer.stopped("STOPPED", T0)
    assert [(one.level, one.title) for one in found] == [("critical", "main: stopped: STOPPED")]


def test_the_process(tmp_path: Path) -> None:
    """Start, failure and report: what was found, what failed, the picture's path."""
    found: list[Message] = []
    announcer = Announcer(folded(beginning()), LEVELS, found.append)
    announcer.started(["journal: 3 entries", "position: none"], T0)
    announcer.failed("the journal cannot be written", T0)
    announcer.failed("the journal cannot be written", T0 + 1)
    announcer.reported("2017-01-05", "1 trade", tmp_path / "2017-01-05.png", T0)
    announcer.reported("2017-01-06", "none", None, T0)
    assert found[0].text == "journal: 3 entries\nposition: none"
    assert found[1].key == found[2].key
    assert (found[1].level, found[1].event) == ("critical", "error")
    assert found[3].picture == str(tmp_path / "2017-01-05.png")
    assert found[4].picture == ""
