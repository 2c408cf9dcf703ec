"""A frame that is read in one go is the bar that it is when it is looked at step by step."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from adapters.feeds.generic.codec import GenericCodec
from adapters.feeds.generic.messages import Fields
from adapters.feeds.wire import FrameError
from state.units import MINUTE_NS

WHOLE = Fields(
    open_time="t", open="o", high="h", low="l", close="c", volume="v", symbol="s", closed="x"
)
LEAST = Fields(open_time="t", open="o", high="h", low="l", close="c", unit="s")
AT_MS = 1_672_515_780_000

_PRICE = st.sampled_from(
    [1, 1.1, 1.2, 1.3, 0, -1.1, "1.2", True, None, 1e15, 999_999_999_999_999, 2**70, 5e-324]
) | st.floats(0.9, 1.4)
_ODD: st.SearchStrategy[Any] = st.sampled_from(
    [None, [], {}, "x", 1.5, -0.0, 0, 10**19, 1e18, 1e17, 1e300, True, -1]
)
_FRAMES = st.fixed_dictionaries(
    {"t": st.sampled_from([AT_MS, AT_MS // 1000, 0, -1, 2**80, 1.0, "1672515780000", None])},
    optional={
        **dict.fromkeys("ohlc", _PRICE),
        "v": _ODD | st.floats(0, 1e6),
        "s": st.sampled_from(["BTC", "ETH", "XRP", "", None, 7, "É"]),
        "x": st.sampled_from([True, False, 1, 0, "1", "true", "no", None, 2]),
        "extra": st.sampled_from([{"a": [1, 2]}, "text", None, "\u00e9", 3]),
    },
)
_BAR = {"t": AT_MS, "o": 1.1, "h": 1.3, "l": 1.0, "c": 1.2, "v": 5, "s": "BTC", "x": True}


def both(fields: Fields, symbols: dict[str, str], frame: bytes | str) -> tuple[Any, Any]:
    """Return what comes of a frame with and without reading it in one go."""
    said: list[Any] = []
    for is_plain in (True, False):
        codec = GenericCodec(symbols, fields, interval_ns=MINUTE_NS, side="mid")
        assert codec._plain is not None
        if not is_plain:
            codec._plain = None
        try:
            # Encoded: a bar without a volume has NaN, which equals nothing.
            said.append([msgspec.msgpack.encode(one) for one in codec.decode(frame)])
        except FrameError as error:
            said.append(str(error))
    return said[0], said[1]


@example(_BAR)
@example({**_BAR, "v": -0.0})
@example({**_BAR, "o": 1.0, "h": 1.0, "c": 1.0})
@given(_FRAMES)
def test_both_ways_say_the_same(bar: dict[str, Any]) -> None:
    """Bars, nothing, and refusals in the same words; as bytes and as text."""
    text = json.dumps(bar, ensure_ascii=False)
    for fields, symbols in ((WHOLE, {"BTCUSD": "BTC", "ETHUSD": "ETH"}), (LEAST, {"X": "x"})):
        for frame in (text, text.encode()):
            plain, stepwise = both(fields, symbols, frame)

            assert plain == stepwise


@given(st.binary(max_size=60) | st.text(max_size=60))
def test_whatever_is_no_bar_is_refused_in_the_same_words(frame: bytes | str) -> None:
    """Also what is not JSON, or not even text."""
    plain, stepwise = both(WHOLE, {"BTCUSD": "BTC"}, frame)

    assert plain == stepwise


def test_a_plain_bar_is_read_in_one_go() -> None:
    """Control: most of what a socket sends takes the short way."""
    codec = GenericCodec({"BTCUSD": "BTC"}, WHOLE, interval_ns=MINUTE_NS, side="mid")
    assert codec._plain is not None

    found = codec._plain(json.dumps(_BAR).encode())

    assert found is not None
    assert (found.symbol, found.closed, found.bar.high, found.bar.volume) == (
        "BTCUSD", True, 1.3, 5.0,
    )  # fmt: skip


@pytest.mark.parametrize(
    "changes",
    [{"bars": "data"}, {"open": "k.o"}, {"low": "3"}, {"unit": "iso"}, {"volume": "c"}],
    ids=str,
)
def test_frames_of_another_shape_are_looked_at_step_by_step(changes: dict[str, str]) -> None:
    """Nested, in a list, with a text for a time, one field for two."""
    fields = msgspec.structs.replace(WHOLE, **changes)

    codec = GenericCodec({"BTCUSD": "BTC"}, fields, interval_ns=MINUTE_NS, side="mid")

    assert codec._plain is None
