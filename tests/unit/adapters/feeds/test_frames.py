"""What no codec lets through: sizes, encodings, numbers and instants that are none (F5)."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.feeds import frames
from adapters.feeds.wire import FrameError
from state.bars import Bar
from state.units import MINUTE_NS, utc_ns, utc_text

NOT_NUMBERS: tuple[object, ...] = (
    "nan", "NaN", "inf", "Infinity", "-Infinity", "1e999", "-1e999", "1_0", " 1", "1 ", "1\n", "",
    "0x10", "1,05", "\u0661", "\uff11", "--1", "1e", ".", "+1", "9" * 400, True, False, None, [],
    {}, math.nan, math.inf, -math.inf, 10**400, -(10**30),
)  # fmt: skip


@pytest.mark.parametrize("value", NOT_NUMBERS, ids=lambda v: ascii(v)[:20])
def test_what_is_no_finite_number_is_refused(value: object) -> None:
    """Neither what Python's float takes beyond JSON nor what JSON has beyond floats."""
    with pytest.raises(FrameError, match=r"^here: expected a (finite )?number, found "):
        frames.number(value, "here")


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_and_its_text_are_the_same(value: float) -> None:
    """Prices come as numbers or as text; both are the float that JSON means."""
    assert frames.number(value, "here") == value
    assert frames.number(repr(value), "here") == value


@pytest.mark.parametrize("value", ["0", "-1", 0, -1.5, 1e15, "1e300", -0.0])
def test_a_price_is_above_zero_and_below_a_bound(value: object) -> None:
    """Zero, negative, or so large that a sum of two is infinite."""
    with pytest.raises(FrameError, match="expected a price above 0 and below 1e15"):
        frames.price(value, "here")


def test_a_size_may_be_zero_but_not_below() -> None:
    """A price that changed without a trade has size 0."""
    assert str(frames.size("-0", "here")) == "0.0"
    with pytest.raises(FrameError, match="at least 0, found -1"):
        frames.size(-1, "here")


@pytest.mark.parametrize(
    ("prices", "reason"),
    [
        (("2", "1", "1", "1"), "HIGH_TOO_LOW"),
        (("1", "1", "2", "1"), "LOW_TOO_HIGH"),
        (("1", "1", "1", "2"), "HIGH_TOO_LOW"),
        (("2", "2", "1.5", "1"), "LOW_TOO_HIGH"),
    ],
)
def test_an_impossible_bar_is_named(prices: tuple[str, str, str, str], reason: str) -> None:
    """The text has the reason code and the four prices."""
    with pytest.raises(FrameError, match=f"{reason}: open .*, high .*, low .*, close "):
        frames.bar(0, MINUTE_NS, prices, None, "here")


def test_a_bar_without_volume_has_none() -> None:
    """NaN says that the source has no volume; 0 says that nothing was traded."""
    assert math.isnan(frames.bar(0, MINUTE_NS, (1, 1, 1, 1), None, "here").volume)
    assert frames.bar(0, MINUTE_NS, (1, 1, 1, 1), "0", "here").volume == 0


@pytest.mark.parametrize(
    ("value", "unit_ns"),
    [
        (1_650_000_000, 1_000_000),  # seconds where milliseconds are documented
        (1_650_000_000_000_000, 1_000_000),  # microseconds
        (0, 1_000_000),
        (-1, 1),
        (10**30, 1),
    ],
)
def test_an_instant_of_another_unit_is_refused(value: int, unit_ns: int) -> None:
    """A unit taken for another one lands in another century, and is seen."""
    with pytest.raises(FrameError, match="years 2000 to 2199"):
        frames.instant_ns(value, unit_ns, "here")


@given(
    st.datetimes(datetime(2000, 1, 1), datetime(2199, 12, 31)),  # noqa: DTZ001
    st.integers(0, 999),
)
def test_a_stamp_is_read_to_the_nanosecond(moment: datetime, ns: int) -> None:
    """The written instant is the read one; expected from the standard library's calendar."""
    at_ns = utc_ns(moment.replace(tzinfo=UTC)) + ns
    text = utc_text(at_ns)

    assert frames.stamp_ns(text, "here", zoned=True) == at_ns
    assert frames.stamp_ns(text[:-1].replace("T", " "), "here", zoned=False) == at_ns


@pytest.mark.parametrize(
    "text",
    [
        "2021-02-30T00:00:00Z", "2021-01-01T24:00:00Z", "2021-01-01T00:60:00Z",
        "2021-01-01T00:00:60Z", "2021-01-01T00:00:00", "2021-01-01", "2021-01-01T00:00:00+05:30",
        "1999-12-31T23:59:59Z", "2200-01-01T00:00:00Z", "0000-01-01T00:00:00Z", "yesterday", "",
        "\u0662021-01-01T00:00:00Z", "2021-01-01T00:00:00.0123456789Z", "2021-01-01T00:00:00Z\n",
    ],
)  # fmt: skip
def test_what_is_no_utc_stamp_is_refused(text: str) -> None:
    """Days that do not exist, leap seconds, other zones and other centuries."""
    with pytest.raises(FrameError, match=r"^here: expected "):
        frames.stamp_ns(text, "here", zoned=True)


def test_bars_of_an_answer_come_oldest_first() -> None:
    """A bar that goes back, or overlaps the one before, refuses the answer."""
    one, two = (Bar(k * MINUTE_NS, (k + 1) * MINUTE_NS, 1, 1, 1, 1) for k in (1, 2))

    assert frames.ascending([one, two], "here") == [one, two]
    for wrong in ([two, one], [one, one]):
        with pytest.raises(FrameError, match="oldest first"):
            frames.ascending(wrong, "here")


@pytest.mark.parametrize(
    ("frame", "text"),
    [
        (b" " * (frames.LONGEST_FRAME + 1), "expected at most 262144 bytes, found 262145"),
        ("[" * 1_000_000, "expected at most 262144 bytes, found 1000000"),
        (b'{"p":"\xff"}', "expected UTF-8"),
        (b'{"unread":"\xc3"}', "expected UTF-8"),
        ('{"unread":"\ud800"}', "expected UTF-8"),
        (b"\xef\xbb\xbf{}", "expected JSON"),
        ('{"p":1}'.encode("utf-16"), "expected UTF-8"),
        (b'{"unread":' + b"[" * 100_000, "found deep nesting"),
        (b"", "expected JSON, found ''"),
        (b'{"p":', "expected JSON"),
        (b'{"p":1}{}', "expected JSON"),
        (b'{"p":NaN}', "expected JSON"),
        (b'{"p":1e999}', "expected a message as documented"),
        (b'{"p":' + b"9" * 5000 + b"}", "expected a message as documented"),
        (b'{"n":' + b"9" * 5000 + b"}", "expected a message as documented"),
        (b'{"p":"1"}', "expected a message as documented"),
        (b"[]", "expected a message as documented"),
        (b"null", "expected a message as documented"),
    ],
    ids=range(18),
)
def test_what_is_no_message_is_refused_in_a_short_text(frame: bytes | str, text: str) -> None:
    """Whatever bytes come, one exception comes of them, and a line that a person can read."""

    class Message(msgspec.Struct):
        p: float = 0.0
        n: int = 0

    with pytest.raises(FrameError, match=text) as caught:
        frames.decoded("venue", msgspec.json.Decoder(Message), frame)

    said = str(caught.value)
    assert said.startswith("venue: ")
    assert len(said) < 260
    assert said.isprintable()


@given(
    st.one_of(st.text(), st.binary(), st.integers(), st.floats(), st.none(), st.lists(st.text()))
)
def test_a_quote_is_short_and_printable(value: object) -> None:
    """No control character, no bidirectional trick, at most 80 characters."""
    quoted = frames.shown(value)

    assert len(quoted) <= frames.LONGEST_TEXT
    assert quoted.isascii()
    assert quoted.isprintable()


@given(st.text())
def test_a_venues_words_are_one_short_line(text: str) -> None:
    """They go to status and log as they are."""
    line = frames.words(text)

    assert len(line) <= frames.LONGEST_TEXT
    assert line.isprintable()


def test_a_key_that_a_venue_repeats_is_not_quoted() -> None:
    """Nobody can tell how a venue words its refusals; what looks like a key is blotted."""
    key = "c1a2n3a4r5y6c1a2n3a4r5y6"

    assert key not in frames.words(f"Your key {key} is not valid")
    assert key not in frames.shown(f'{{"sorry":"{key}"}}')
    assert key[:8] not in frames.shown(f'{{"token":"{key}"}}')


def test_offsets_from_a_clock_are_not_needed() -> None:
    """The bounds of instants are fixed: a codec reads no clock."""
    first = datetime(2000, 1, 1, tzinfo=UTC)

    assert frames.instant_ns(utc_ns(first), 1, "here") == utc_ns(first)
    with pytest.raises(FrameError):
        frames.instant_ns(utc_ns(first - timedelta(microseconds=1)), 1, "here")
