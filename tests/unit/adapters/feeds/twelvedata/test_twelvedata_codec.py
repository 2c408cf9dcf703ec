"""Twelve Data on the wire and its time series, from the venue's documented messages (F2)."""

from __future__ import annotations

import json
import math
from typing import Any

import msgspec
import pytest

from adapters.feeds.finnhub.codec import FinnhubCodec
from adapters.feeds.twelvedata.codec import TwelveDataCodec
from adapters.feeds.twelvedata.history import TwelveDataHistory
from adapters.feeds.wire import Codec, FrameError, Heartbeat, KeptAlive, Refused, Subscribed, Tick
from state.bars import Bar
from state.units import DAY_NS, MINUTE_NS

SYMBOLS = {"EURUSD": "EUR/USD", "AAPL": "AAPL"}


def decode(frame: object) -> object:
    """Decode a frame, given as JSON value, with a codec of two symbols."""
    return tuple(TwelveDataCodec(SYMBOLS, "mid").decode(json.dumps(frame)))


def event(**changes: Any) -> dict[str, Any]:  # noqa: ANN401  (values of JSON)
    """Make a price event."""
    return {
        "event": "price", "symbol": "EUR/USD", "currency_base": "Euro", "type": "Physical Currency",
        "timestamp": 1647950462, "price": 1.1001, "bid": 1.1, "ask": 1.1002, **changes,
    }  # fmt: skip


def test_it_is_a_codec_that_keeps_its_line() -> None:
    """All symbols in one message; the venue wants to hear from its client."""
    made: Codec = TwelveDataCodec(SYMBOLS, "mid")

    assert (made.name, made.side) == ("twelvedata", "mid")
    assert [msgspec.json.decode(one) for one in made.hello()] == [
        {"action": "subscribe", "params": {"symbols": "EUR/USD,AAPL"}}
    ]
    assert isinstance(made, KeptAlive)
    assert msgspec.json.decode(made.keepalive) == {"action": "heartbeat"}
    assert made.keepalive_every_s == 10
    assert not isinstance(FinnhubCodec(SYMBOLS, "trade"), KeptAlive)


def test_a_price_is_a_tick_of_unknown_size() -> None:
    """The stamp is in seconds; the day's volume is no size."""
    at = 1_647_950_462_000_000_000

    assert decode(event()) == (Tick("EURUSD", at, 1.1001),)
    assert decode(event(symbol="AAPL", price=172, day_volume=9e9)) == (Tick("AAPL", at, 172.0),)


def test_answers_to_the_subscription() -> None:
    """What was taken and what was refused, under foliod's names; other statuses say nothing."""
    took = [{"symbol": "EUR/USD", "exchange": "PHYSICAL CURRENCY"}]
    status = {"event": "subscribe-status", "status": "ok"}

    assert decode({**status, "success": took, "fails": None}) == (Subscribed(("EURUSD",)),)
    assert decode({**status, "success": took, "fails": [{"symbol": "AAPL"}]}) == (
        Subscribed(("EURUSD",)),
        Refused("fails", "not subscribed: AAPL", is_final=True, symbols=("AAPL",)),
    )
    assert decode({**status, "status": "error", "fails": [{"symbol": "XX"}]}) == (
        Refused("fails", "not subscribed: XX", is_final=True),
    )
    assert decode({**status, "success": [], "fails": []}) == ()
    assert decode({"event": "reset-status", "status": "ok"}) == ()


def test_a_heartbeat_is_one() -> None:
    """The venue's answer to the client's."""
    assert decode({"event": "heartbeat", "status": "ok"}) == (Heartbeat(),)


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (
            {"status": "error", "code": 401, "message": "**apikey** parameter is incorrect"},
            Refused("401", "**apikey** parameter is incorrect", is_final=True),
        ),
        (
            {"status": "error", "code": 429, "message": "Too many requests"},
            Refused("429", "Too many requests", is_final=False),
        ),
        (
            {"event": "subscribe-status", "status": "error", "messages": ["a", "b"]},
            Refused("error", "a; b", is_final=False),
        ),
        (
            {"event": "message-processing", "status": "error", "messages": ["Invalid JSON"]},
            Refused("error", "Invalid JSON", is_final=False),
        ),
    ],
)
def test_an_error_is_told_with_the_venues_words(frame: object, expected: Refused) -> None:
    """With the code where there is one; a bad key stays bad."""
    assert decode(frame) == (expected,)


@pytest.mark.parametrize(
    ("frame", "text"),
    [
        (event(symbol="GBP/USD"), "subscribed to, found 'GBP/USD'"),
        (event(price=None), "expected price and timestamp"),
        (event(timestamp=None), "expected price and timestamp"),
        (event(price=0), "twelvedata: price: expected a price"),
        (event(price="1.1"), "expected a message as documented"),
        (event(timestamp=1647950462000), "years 2000 to 2199"),
        (event(event="trade"), "expected a price, heartbeat, status or error"),
        ({}, "expected a price, heartbeat, status or error"),
        ([], "expected a message as documented"),
    ],
)
def test_what_is_not_documented_is_refused(frame: object, text: str) -> None:
    """The text says what was expected and what was found."""
    with pytest.raises(FrameError, match=text):
        decode(frame)


def series(*rows: dict[str, str], interval: str = "1min", **changes: Any) -> bytes:  # noqa: ANN401
    """Make a history answer."""
    meta = {"symbol": "EUR/USD", "interval": interval, "currency_base": "Euro"}
    return json.dumps({"meta": meta, "values": rows, "status": "ok", **changes}).encode()


def row(at: str, **changes: str) -> dict[str, str]:
    """Make a row."""
    return {"datetime": at, "open": "1.1", "high": "1.5", "low": "1.0", "close": "1.2", **changes}


def test_history_is_asked_for_in_utc_and_oldest_first() -> None:
    """[from, to) becomes the first and the last second."""
    start = 1_647_950_400_000_000_000  # 2022-03-22T12:00:00Z
    history = TwelveDataHistory(SYMBOLS, "mid")

    assert history.request("EURUSD", 5 * MINUTE_NS, start, start + 10 * MINUTE_NS) == (
        "/time_series?symbol=EUR%2FUSD&interval=5min&start_date=2022-03-22+12%3A00%3A00"
        "&end_date=2022-03-22+12%3A09%3A59&timezone=UTC&order=ASC&outputsize=5000"
    )


def test_history_is_bars() -> None:
    """Days are stamped with a date; a market may have no volume."""
    history = TwelveDataHistory(SYMBOLS, "mid")
    first = 1_647_950_400_000_000_000
    (one,) = history.decode(series(row("2022-03-22 12:00:00", volume="12")), MINUTE_NS)
    (day,) = history.decode(series(row("2022-03-22"), interval="1day"), DAY_NS)

    assert one == Bar(first, first + MINUTE_NS, 1.1, 1.5, 1.0, 1.2, 12.0)
    assert day.open_ns == first - DAY_NS // 2
    assert math.isnan(day.volume)
    none = b'{"code":400,"status":"error","message":"No data is available on the specified dates"}'
    assert history.decode(none, MINUTE_NS) == []


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"code":401,"message":"no key","status":"error"}', "was refused: 401 no key"),
        (b"{}", "expected status, meta and values"),
        (series(status=""), "expected status, meta and values"),
        (series(interval="5min"), "expected bars of 1min, found '5min'"),
        (series(row("2022-03-22 12:01:00"), row("2022-03-22 12:00:00")), "oldest first"),
        (series(row("2022-03-22T12:00:00Z")), "expected a time without a zone"),
        (series(row("2022-03-22 12:00:00", high="1.1")), "HIGH_TOO_LOW"),
        (series(row("2022-03-22 12:00:00", low="-1")), "expected a price"),
        (series({"datetime": "2022-03-22 12:00:00"}), "expected a message as documented"),
    ],
)
def test_history_that_is_none_is_refused(body: bytes, text: str) -> None:
    """Errors in the venue's words, other intervals, and rows that are no bars."""
    with pytest.raises(FrameError, match=text):
        TwelveDataHistory(SYMBOLS, "mid").decode(body, MINUTE_NS)
