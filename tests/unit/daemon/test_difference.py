"""The first difference between two journals, in the words an operator reads (V1)."""

from __future__ import annotations

import msgspec
import pytest

from daemon.reports.difference import first_difference, in_words
from state import codec
from state.entries import AlarmRung, BarsConsumed, Decided, Entry
from state.units import DAY_NS, HOUR_NS, NEVER_NS
from tests.run_folders import T0, decided

ALARM = AlarmRung(T0, T0 + HOUR_NS, "end_of_day")


def journal(*entries: Entry) -> list[tuple[int, bytes]]:
    """Return numbered payloads."""
    return [(seq, codec.encode(entry)) for seq, entry in enumerate(entries, start=1)]


def test_equal_journals() -> None:
    """Equal payloads are counted, and nothing is said."""
    entries = journal(ALARM, decided(T0, "orb"))
    assert first_difference(entries, entries, whole=True) == (2, "")


def test_one_journal_is_longer() -> None:
    """A whole journal may be neither longer nor shorter; a cut one may be shorter."""
    long, short = journal(ALARM, decided(T0, "orb")), journal(ALARM)
    assert first_difference(short, long, whole=False) == (1, "")
    same, text = first_difference(short, long, whole=True)
    assert (same, text) == (
        1,
        "entry 2: the journal ends before it; re-decided, it is"
        " Decided at 2017-01-05T00:00:00Z, EURUSD/orb",
    )
    _, text = first_difference(long, short, whole=False)
    assert text == (
        "entry 2 Decided at 2017-01-05T00:00:00Z, EURUSD/orb: re-decided, the run ends before it"
    )


def test_every_field_with_both_values() -> None:
    """Instants are written as such, verdicts are named by their gate, not by their place."""
    kept = decided(T0, "orb", gate="window", code="OUTSIDE_WINDOW")
    again = msgspec.structs.replace(
        kept,
        bar_open_ns=NEVER_NS,
        outcome="",
        verdicts=tuple(
            msgspec.structs.replace(one, observed="07:00") if one.gate == "window" else one
            for one in kept.verdicts
        ),
    )
    text = in_words(9, codec.encode(kept), codec.encode(again))
    assert text == (
        "entry 9 Decided at 2017-01-05T00:00:00Z, EURUSD/orb: "
        "bar_open_ns is 2017-01-04T23:55:00Z in the journal, re-decided never; "
        "verdicts[window].observed is 1 in the journal, re-decided 07:00; "
        'outcome is OUTSIDE_WINDOW in the journal, re-decided ""'
    )


def test_a_gate_too_many() -> None:
    """A verdict that only one side has is named as such."""
    kept = decided(T0, "orb")
    again = msgspec.structs.replace(kept, verdicts=kept.verdicts[:2])
    text = in_words(1, codec.encode(kept), codec.encode(again))
    assert "verdicts[spacing] is {" in text
    assert text.endswith("in the journal, re-decided not there")


def test_another_kind() -> None:
    """Entries of two kinds are told side by side."""
    text = in_words(3, codec.encode(ALARM), codec.encode(decided(T0 + DAY_NS, "lsg")))
    assert text == (
        "entry 3: the journal has AlarmRung at 2017-01-05T00:00:00Z, end_of_day; "
        "re-decided, it is Decided at 2017-01-06T00:00:00Z, EURUSD/lsg"
    )


def test_bars_that_are_not_those_of_the_run() -> None:
    """A digest of bars means nothing by itself: what it stands for is said."""
    kept = BarsConsumed(T0, "EURUSD", 5 * 60 * 10**9, 288, T0, "aa")
    text = in_words(3, codec.encode(kept), codec.encode(msgspec.structs.replace(kept, digest="bb")))
    assert text.startswith("entry 3 BarsConsumed at 2017-01-05T00:00:00Z, EURUSD/5m: digest is aa")
    assert "Bars of that series are not those of the run" in text


@pytest.mark.parametrize("damaged", [b"", b"\xff", b"[1]", b"{", b"[" * 100_000])
def test_a_payload_that_cannot_be_read(damaged: bytes) -> None:
    """Damage in the journal is a difference like any other, not a crash."""
    assert "entry 1 cannot be read" in in_words(1, damaged, codec.encode(ALARM))


def test_another_form_of_the_same_values() -> None:
    """Bytes are what counts: white space is a difference, and said to be no more."""
    payload = codec.encode(ALARM)
    text = in_words(1, payload.replace(b",", b", "), payload)
    assert text.endswith("the same values are written in another form")


def test_what_a_terminal_would_obey_is_written_out() -> None:
    """A journal that was tampered with cannot colour or clear the operator's screen."""
    bad = msgspec.structs.replace(ALARM, name="\x1b[2J")
    text = in_words(1, codec.encode(bad), codec.encode(ALARM))
    assert "\x1b" not in text


def test_long_differences_are_cut() -> None:
    """At most six fields are told; the rest is counted."""
    kept = decided(T0, "orb")
    again = Decided(T0 + 1, "GBPUSD", "lsg", 0, 0, kept.action, (), "NO", "x")
    text = in_words(1, codec.encode(kept), codec.encode(again))
    assert text.count(" in the journal, re-decided ") == 6
    assert text.endswith("more fields")
