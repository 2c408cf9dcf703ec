from __future__ import annotations

import math
from decimal import Decimal

import numpy as np
import pytest

from state import codec
from state.entries import (
    CooldownCleared,
    DayPosition,
    DayRolled,
    Decided,
    Entry,
    EquityMarked,
    HaltCleared,
    InstrumentSet,
    IntentRecorded,
    RunStarted,
)
from state.errors import JournalError
from state.instruments import Instrument
from state.orders import Intent
from state.signals import Exit, Signal
from tests.builders import eurusd
from tests.journals import fold, journal


def test_an_entry_has_one_written_form() -> None:
    """Fields stand in their declared order, the kind first, amounts as text."""
    entry = EquityMarked(7, Decimal("100.10"), Decimal("-0.5"), Decimal(101))

    expected = (
        b'{"type":"EquityMarked","at_ns":7,"cash":"100.10","open_pnl":"-0.5","high_water":"101"}'
    )
    assert expected == codec.encode(entry)


def test_an_older_journal_stays_readable() -> None:
    """A field added later has a default, and a field this version dropped is passed over."""
    old = (
        b'{"type":"Decided","at_ns":1,"symbol":"EURUSD","strategy":"ORB","bar_open_ns":0,"day":1,'
        b'"action":{"type":"exit"},"verdicts":[],"outcome":"X","gone":1}'
    )

    assert Decided(1, "EURUSD", "ORB", 0, 1, Exit(), (), "X") == codec.decode(old)


@pytest.mark.parametrize(
    "payload",
    [
        b'{"type":"Conjured","at_ns":1}',
        b'{"at_ns":1}',
        b"\xff\x00",
        b"",
        b"[" * 10_000,
        b'{"type":"DayRolled","at_ns":1e999}',
    ],
)
def test_bytes_that_are_no_entry_are_refused(payload: bytes) -> None:
    """Damage and unknown kinds are JournalErrors, whatever the bytes."""
    with pytest.raises(JournalError, match="cannot be read"):
        codec.decode(payload)


def _instrument(spread: str) -> Instrument:
    return eurusd(spread)


@pytest.mark.parametrize(
    ("entry", "where"),
    [
        (EquityMarked(1, Decimal("NaN"), Decimal(0), Decimal(0)), "EquityMarked.cash"),
        (EquityMarked(1, Decimal(0), Decimal("-Infinity"), Decimal(0)), "EquityMarked.open_pnl"),
        (InstrumentSet(1, _instrument("sNaN")), "InstrumentSet.instrument.spread_pips"),
        (
            DayRolled(1, 1, 2, Decimal(0), Decimal(0), Decimal(0), Decimal(0), 0, math.inf, 0),
            "DayRolled.drawdown",
        ),
        (
            DayRolled(
                1,
                1,
                2,
                Decimal(0),
                Decimal(0),
                Decimal(0),
                Decimal(0),
                0,
                0.0,
                1,
                (
                    DayPosition(
                        "E",
                        "O",
                        "t",
                        1,
                        1,
                        Decimal(1),
                        1,
                        None,
                        math.nan,
                        1,
                        Decimal(0),
                        Decimal(1),
                    ),
                ),
            ),
            r"DayRolled.positions\[0\].trail_distance",
        ),
        (
            Decided(1, "EURUSD", "ORB", 0, 1, Signal(1, stop=math.nan), (), "X"),
            "Decided.action.stop",
        ),
        (
            IntentRecorded(
                1,
                Intent("a", "entry", "a", "E", "O", 1, 1, 1, 1, 1, stop_distance=math.nan),
            ),
            "IntentRecorded.intent.stop_distance",
        ),
    ],
)
def test_a_number_that_is_not_finite_is_refused(entry: Entry, where: str) -> None:
    """NaN and infinity never enter the journal: a NaN stop would come back as no stop."""
    with pytest.raises(JournalError, match=where):
        codec.encode(entry)


@pytest.mark.parametrize(
    "entry",
    [
        HaltCleared(1, "operator", "\ud800"),
        CooldownCleared(np.int64(1), "x"),  # type: ignore[arg-type]
    ],
)
def test_what_json_cannot_hold_is_refused(entry: Entry) -> None:
    """A text that is not Unicode and a number that is not Python's own are JournalErrors."""
    with pytest.raises(JournalError, match="cannot be journalled"):
        codec.encode(entry)


def test_words_that_look_like_numbers_are_only_words() -> None:
    """A text 'NaN' is a text."""
    entry = RunStarted(1, "NaN", "Infinity", "null", "")

    assert entry == codec.decode(codec.encode(entry))


def test_the_chain_depends_on_every_payload_before() -> None:
    """A link is BLAKE2b-128 of the previous link and the payload; nothing can be swapped."""
    one = codec.chain(codec.chain(codec.GENESIS, b"a"), b"b")
    other = codec.chain(codec.chain(codec.GENESIS, b"b"), b"a")

    assert len(one) == 16
    assert one != other


def test_a_snapshot_gives_the_portfolio_back_with_its_order() -> None:
    """Mappings keep their order: which execution is forgotten first depends on it."""
    portfolio = fold(journal())

    again = codec.decode_snapshot(codec.encode_snapshot(portfolio)).portfolio

    assert portfolio == again
    assert list(portfolio.executions) == list(again.executions)
    with pytest.raises(JournalError, match="snapshot"):
        codec.decode_snapshot(b"{}")
