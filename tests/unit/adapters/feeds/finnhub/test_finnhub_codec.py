"""Finnhub on the wire and its candles by REST, from the venue's documented messages (F2)."""

from __future__ import annotations

import json
import math
from typing import Any

import msgspec
import pytest

from adapters.feeds.finnhub.codec import FinnhubCodec
from adapters.feeds.finnhub.history import FinnhubHistory
from adapters.feeds.wire import Codec, FrameError, Heartbeat, Refused, Tick
from state.bars import Bar
from state.errors import ConfigError, FeedError
from state.units import HOUR_NS, MINUTE_NS

SYMBOLS = {"BTCUSD": "BINANCE:BTCUSDT", "AAPL": "AAPL"}


def decode(frame: object) -> object:
    """Decode a frame, given as JSON value, with a codec of two symbols."""
    return FinnhubCodec(SYMBOLS, "trade").decode(json.dumps(frame))


def trade(**changes: Any) -> dict[str, Any]:  # noqa: ANN401  (values of JSON)
    """Make one trade."""
    return {"p": 7296.89, "s": "BINANCE:BTCUSDT", "t": 1575526691134, "v": 0.011467, **changes}


def test_it_is_a_codec_that_asks_for_each_symbol() -> None:
    """One message a symbol; which side prices are of is the operator's word."""
    made: Codec = FinnhubCodec(SYMBOLS, "bid")

    assert (made.name, made.side) == ("finnhub", "bid")
    assert [msgspec.json.decode(one) for one in made.hello()] == [
        {"type": "subscribe", "symbol": "BINANCE:BTCUSDT"},
        {"type": "subscribe", "symbol": "AAPL"},
    ]
    with pytest.raises(ConfigError, match="price side of bid, ask, mid, trade, found 'last'"):
        FinnhubCodec(SYMBOLS, "last")


def test_trades_of_a_batch_come_in_its_order() -> None:
    """Conditions are not read; a price that changed without a trade has size 0."""
    batch = [trade(c=["1", "12"]), trade(s="AAPL", p=189, v=0), trade(v=None, c=None)]
    at = 1_575_526_691_134_000_000

    assert decode({"type": "trade", "data": batch}) == (
        Tick("BTCUSD", at, 7296.89, 0.011467),
        Tick("AAPL", at, 189.0, 0.0),
        Tick("BTCUSD", at, 7296.89, 0.0),
    )
    assert decode({"type": "trade", "data": []}) == ()


def test_a_ping_is_a_heartbeat() -> None:
    """It needs no answer."""
    assert decode({"type": "ping"}) == (Heartbeat(),)


@pytest.mark.parametrize(
    ("text", "is_final"),
    [
        ("Invalid API key", True),
        ("Invalid symbol", True),
        ("Subscribing to too many symbols", True),
        ("You don't have access to this resource.", True),
        ("Internal error", False),
    ],
)
def test_an_error_is_told_with_the_venues_words(text: str, is_final: bool) -> None:
    """What another attempt cannot cure is final."""
    assert decode({"type": "error", "msg": text}) == (Refused("error", text, is_final=is_final),)


@pytest.mark.parametrize(
    ("frame", "text"),
    [
        ({"type": "news", "data": []}, "expected a trade, ping or error"),
        ({"type": "trade"}, "expected a trade, ping or error"),
        ({"data": [trade()]}, "expected a message as documented"),
        ({"type": "trade", "data": trade()}, "expected a message as documented"),
        ({"type": "trade", "data": [trade(s="TSLA")]}, "subscribed to, found 'TSLA'"),
        ({"type": "trade", "data": [trade(), trade(p=0)]}, "price p of a trade"),
        ({"type": "trade", "data": [trade(p=-1)]}, "price p of a trade"),
        ({"type": "trade", "data": [trade(p="1.5")]}, "expected a message as documented"),
        ({"type": "trade", "data": [trade(v=-1)]}, "volume v of a trade"),
        ({"type": "trade", "data": [trade(t=1575526691)]}, "time t of a trade"),
        ({"type": "trade", "data": [trade(t=1.5)]}, "expected a message as documented"),
        ([], "expected a message as documented"),
    ],
)
def test_what_is_not_documented_is_refused(frame: object, text: str) -> None:
    """One impossible trade refuses its batch: a frame is taken whole or not at all."""
    with pytest.raises(FrameError, match=text):
        decode(frame)


def columns(**changes: Any) -> bytes:  # noqa: ANN401
    """Make a history answer of two candles."""
    found = {
        "s": "ok", "t": [1575526680, 1575526740], "o": [1.1, 2], "h": [1.5, 2], "l": [1.0, 2],
        "c": [1.2, 2], "v": [7, 0], **changes,
    }  # fmt: skip
    return json.dumps(found).encode()


def test_history_is_asked_for_by_market() -> None:
    """Three markets, three paths; [from, to) becomes whole seconds, both inclusive."""
    start = 1_575_526_680_000_000_000
    history = FinnhubHistory(SYMBOLS, "trade", "crypto")

    assert history.request("BTCUSD", HOUR_NS, start, start + HOUR_NS) == (
        "/api/v1/crypto/candle?symbol=BINANCE%3ABTCUSDT&resolution=60&from=1575526680&to=1575530279"
    )
    with pytest.raises(FeedError, match="no history of 4h"):
        history.request("BTCUSD", 4 * HOUR_NS, start, start + HOUR_NS)


def test_history_is_bars() -> None:
    """Columns become bars; ``no_data`` is no bar; a market may have no volume."""
    history = FinnhubHistory(SYMBOLS, "trade", "crypto")
    first = 1_575_526_680_000_000_000

    assert history.decode(columns(), MINUTE_NS) == [
        Bar(first, first + MINUTE_NS, 1.1, 1.5, 1.0, 1.2, 7.0),
        Bar(first + MINUTE_NS, first + 2 * MINUTE_NS, 2.0, 2.0, 2.0, 2.0, 0.0),
    ]
    assert math.isnan(history.decode(columns(v=[]), MINUTE_NS)[0].volume)
    assert history.decode(b'{"s":"no_data"}', MINUTE_NS) == []


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"error":"Please use an API key."}', "found Please use an API key."),
        (b"{}", "expected candles, found '{}'"),
        (columns(o=[1.1]), "expected 2 values in each column"),
        (columns(v=[1]), "expected 2 values in each column"),
        (columns(h=[1.0, 2]), "HIGH_TOO_LOW"),
        (columns(t=[1575526740, 1575526680]), "oldest first"),
        (columns(t=[1575526680, 1575526690]), "oldest first"),
        (columns(t=[1, 2]), "years 2000"),
        (columns(c=[1.2, None]), "expected a message as documented"),
    ],
)
def test_history_that_is_none_is_refused(body: bytes, text: str) -> None:
    """Errors in the venue's words, columns of different lengths, and rows that are no bars."""
    with pytest.raises(FrameError, match=text):
        FinnhubHistory(SYMBOLS, "trade", "crypto").decode(body, MINUTE_NS)
