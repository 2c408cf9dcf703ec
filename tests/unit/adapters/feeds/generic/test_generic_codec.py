"""A generic socket: bars found by the names of their fields, and nothing guessed (F2)."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from adapters.feeds.generic.codec import GenericCodec
from adapters.feeds.generic.messages import Fields
from adapters.feeds.wire import BarUpdate, Codec, FrameError
from state.bars import Bar
from state.errors import ConfigError
from state.units import MINUTE_NS

SYMBOLS = {"BTCUSD": "BTC-USD", "ETHUSD": "ETH-USD"}
FIELDS = Fields(
    bars="data", open_time="start", open="ohlc.0", high="ohlc.1", low="ohlc.2", close="ohlc.3",
    volume="stats.volume", symbol="market", closed="final",
)  # fmt: skip
FLAT = Fields(open_time="t", open="o", high="h", low="l", close="c")
AT_NS = 1_672_515_780_000_000_000
CANARY = "c4n4ry"


def codec(fields: Fields = FIELDS, **settings: Any) -> GenericCodec:  # noqa: ANN401
    """Make a codec of two symbols and one minute."""
    values = {"symbols": SYMBOLS, "interval_ns": MINUTE_NS, "side": "mid", **settings}
    return GenericCodec(fields=fields, **values)


def one(**changes: Any) -> dict[str, Any]:  # noqa: ANN401  (values of JSON)
    """Make a bar as the fields say; a change to ... leaves it out."""
    fields = {
        "start": AT_NS // 1_000_000, "ohlc": [1.1, "1.5", 1, 1.2], "stats": {"volume": 7},
        "market": "BTC-USD", "final": True, **changes,
    }  # fmt: skip
    return {name: value for name, value in fields.items() if value is not ...}


def flat(**changes: Any) -> str:  # noqa: ANN401
    """Make a frame of one bar without symbol, volume or flag."""
    return json.dumps({"t": AT_NS // 1_000_000, "o": 1, "h": 2, "l": 1, "c": 2, **changes})


def test_it_is_a_codec() -> None:
    """With the side that the operator says."""
    made: Codec = codec()

    assert (made.name, made.side, made.hello()) == ("generic", "mid", ())


def test_bars_are_found_by_their_paths() -> None:
    """Names joined by dots, places in lists, one bar or a list of them, numbers as text."""
    bar = Bar(AT_NS, AT_NS + MINUTE_NS, 1.1, 1.5, 1.0, 1.2, 7.0)
    eth = one(market="ETH-USD", final=0)
    frame = json.dumps({"type": "bars", "data": [one(), eth]}).encode()

    assert codec().decode(frame) == (
        BarUpdate("BTCUSD", MINUTE_NS, bar, True),
        BarUpdate("ETHUSD", MINUTE_NS, bar, False),
    )
    assert codec().decode(json.dumps({"data": one()})) == (
        BarUpdate("BTCUSD", MINUTE_NS, bar, True),
    )


def test_what_a_socket_has_not_is_not_asked_of_it() -> None:
    """One symbol needs no name, no flag means closed, no volume is NaN."""
    made = codec(FLAT, symbols={"BTCUSD": "x"})
    (found,) = made.decode(flat())

    assert isinstance(found, BarUpdate)
    assert (found.symbol, found.closed, math.isnan(found.bar.volume)) == ("BTCUSD", True, True)


@pytest.mark.parametrize(
    ("unit", "value"),
    [
        ("s", AT_NS // 1_000_000_000),
        ("s", str(AT_NS // 1_000_000_000)),
        ("ms", AT_NS // 1_000_000),
        ("us", AT_NS // 1000),
        ("ns", AT_NS),
        ("iso", "2022-12-31T19:43:00Z"),
    ],
)
def test_an_open_time_is_read_in_its_unit(unit: str, value: object) -> None:
    """The same instant, however it is written; in any other unit it is refused."""
    symbols = {"BTCUSD": "x"}
    fields = Fields(open_time="t", open="o", high="h", low="l", close="c", unit=unit)
    (found,) = codec(fields, symbols=symbols).decode(flat(t=value))

    assert isinstance(found, BarUpdate)
    assert found.bar.open_ns == AT_NS
    for other in {"s", "ms", "us", "ns", "iso"} - {unit}:
        wrong = Fields(open_time="t", open="o", high="h", low="l", close="c", unit=other)
        with pytest.raises(FrameError, match="open time: expected"):
            codec(wrong, symbols=symbols).decode(flat(t=value))


@pytest.mark.parametrize(
    "frame", ['{"type":"subscribed"}', "[]", "{}", "null", "7", '"hello"', '{"data":[]}']
)
def test_what_has_no_field_of_a_bar_says_nothing(frame: str) -> None:
    """Answers and heartbeats of a socket that nobody has described."""
    assert codec().decode(frame) == ()
    assert codec(FLAT, symbols={"X": "x"}).decode(frame) == ()


@pytest.mark.parametrize(
    ("bar", "text"),
    [
        (one(start=...), "expected open_time at 'start'"),
        (one(ohlc=[1, 2, 1]), r"expected close at 'ohlc.3'"),
        (one(ohlc={"0": 1}), r"expected high at 'ohlc.1'"),
        (one(ohlc=[1, 2, 1, None]), "expected a number, found None"),
        (one(ohlc=[1, 2, 1, True]), "expected a number, found True"),
        (one(ohlc=[1, 2, 1, [1]]), "expected a number, found a list"),
        (one(ohlc=[1, 1, 1, 2]), "HIGH_TOO_LOW"),
        (one(ohlc=[1, 2, 0, 1]), "expected a price"),
        (one(ohlc=[1, 10**30, 1, 1]), "expected a "),
        (one(start=1.5), "open time: expected a count of ms, found 1.5"),
        (one(start=True), "open time: expected a count of ms, found True"),
        (one(start=None), "open time: expected a count of ms, found None"),
        (one(stats={}), "expected volume at 'stats.volume'"),
        (one(stats={"volume": -1}), "at least 0"),
        (one(market="SOL-USD"), "subscribed to, found 'SOL-USD'"),
        (one(market=...), "expected a symbol at 'market', found none"),
        (one(market=7), "expected a symbol at 'market', found 7"),
        (one(final=...), "expected true or false at 'final', found none"),
        (one(final=2), "expected true or false at 'final', found 2"),
        (one(final=None), "expected true or false at 'final', found None"),
        (one(final=[True]), "expected true or false at 'final', found a list"),
    ],
)
def test_half_a_bar_is_refused(bar: object, text: str) -> None:
    """What has some fields of a bar must have all of them, each of its kind."""
    with pytest.raises(FrameError, match=text):
        codec().decode(json.dumps({"data": bar}))


def test_more_bars_than_a_frame_can_mean_are_refused() -> None:
    """A list of five thousand is a history, not a frame."""
    with pytest.raises(FrameError, match="at most 5000 bars, found 5001"):
        codec().decode(json.dumps({"data": [0] * 5001}))


@pytest.mark.parametrize("flag", [True, 1, "1", "true"])
def test_a_flag_may_be_written_in_several_ways(flag: object) -> None:
    """As JSON's own, as a number, as text."""
    (found,) = codec().decode(json.dumps({"data": one(final=flag)}))

    assert isinstance(found, BarUpdate)
    assert found.closed


def test_the_subscription_is_the_operators() -> None:
    """Once for each symbol or once for all; braces of JSON stay as they are."""
    each = codec(subscribe='{"op":"sub","arg":{"m":"{symbol}"},"key":"{key}"}', key=CANARY)
    all_ = codec(subscribe='{"op":"sub","args":"{symbols}"}')

    assert each.hello() == (
        b'{"op":"sub","arg":{"m":"BTC-USD"},"key":"c4n4ry"}',
        b'{"op":"sub","arg":{"m":"ETH-USD"},"key":"c4n4ry"}',
    )
    assert all_.hello() == (b'{"op":"sub","args":"BTC-USD,ETH-USD"}',)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"fields": Fields(open_time="t", open="", high="h", low="l", close="c")}, "the open "),
        ({"fields": Fields(open_time="t", open="a..b", high="h", low="l", close="c")}, "joined by"),
        ({"fields": Fields(open_time="t", open="a" + ".a" * 8, high="h", low="l", close="c")}, "8"),
        ({"fields": Fields(open_time="9" * 201, open="o", high="h", low="l", close="c")}, "joined"),
        ({"fields": FLAT}, "symbol field for several symbols"),
        ({"unit": "h"}, "a unit of s, ms, us, ns, iso, found 'h'"),
        ({"interval_ns": 0}, "an interval above 0"),
        ({"side": ""}, "price side"),
        ({"subscribe": "{key}"}, "asks for a key"),
        ({"symbols": {}}, "at least one symbol"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, Any], text: str) -> None:
    """Before anything is connected."""
    if "unit" in settings:
        unit = settings.pop("unit")
        settings["fields"] = Fields(
            open_time="t", open="o", high="h", low="l", close="c", symbol="s", unit=unit
        )
    with pytest.raises(ConfigError, match=text):
        codec(**settings)


@pytest.mark.parametrize(
    "frame",
    ['{"error":"c4n4ry', '{"data":{"start":"c4n4ry","ohlc":[1,1,1,1]}}', b'\xff"c4n4ry"'],
)
def test_a_key_that_a_socket_repeats_is_not_quoted(frame: str | bytes) -> None:
    """Neither in an error nor in what the codec shows of itself (X1)."""
    made = codec(subscribe="{key}", key=CANARY)
    with pytest.raises(FrameError) as caught:
        made.decode(frame)

    assert CANARY not in str(caught.value)
    assert CANARY not in repr(made)
    assert caught.value.__cause__ is None
