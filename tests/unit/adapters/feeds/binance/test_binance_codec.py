"""Binance on the wire and its klines by REST, from the venue's documented messages (F2)."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from adapters.feeds.binance import address
from adapters.feeds.binance.codec import BinanceCodec
from adapters.feeds.binance.history import BinanceHistory
from adapters.feeds.wire import BarUpdate, Codec, FrameError, Refused, Subscribed, Tick
from state.bars import Bar
from state.errors import ConfigError, FeedError
from state.units import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS

SYMBOLS = {"BTCUSD": "BTCUSDT", "ETHUSD": "ethusdt"}
OPEN_MS = 1_672_515_780_000


def codec(*streams: str) -> BinanceCodec:
    """Make a codec of two symbols."""
    return BinanceCodec(SYMBOLS, streams or ("kline_1m",))


def kline(**changes: Any) -> dict[str, Any]:  # noqa: ANN401  (values of JSON)
    """Make a closed one-minute kline event; ``changes`` are of its ``k``."""
    inner = {
        "t": OPEN_MS, "T": OPEN_MS + 59_999, "s": "BTCUSDT", "i": "1m", "f": 100, "L": 200,
        "o": "16600.10", "c": "16601.00", "h": "16603.50", "l": "16599.00", "v": "12.5",
        "n": 100, "x": True, "q": "1.0", "V": "5", "Q": "0.5", "B": "0",
    }  # fmt: skip
    return {"e": "kline", "E": OPEN_MS + 60_001, "s": "BTCUSDT", "k": {**inner, **changes}}


def trade(**changes: Any) -> dict[str, Any]:  # noqa: ANN401
    """Make a trade event."""
    event = {
        "e": "trade", "E": OPEN_MS, "s": "ETHUSDT", "t": 12345, "p": "1200.01", "q": "0.5",
        "b": 88, "a": 50, "T": OPEN_MS + 7, "m": True, "M": True,
    }  # fmt: skip
    return {**event, **changes}


def test_it_is_a_codec() -> None:
    """The session takes it by its port; klines and trades are made of trades."""
    made: Codec = codec()

    assert (made.name, made.side) == ("binance", "trade")


def test_one_subscription_asks_for_every_stream() -> None:
    """Names are lower case in streams; one message stays under the venue's rate limit."""
    (sent,) = codec("kline_1m", "aggTrade").hello()

    assert msgspec.json.decode(sent) == {
        "method": "SUBSCRIBE",
        "params": [
            "btcusdt@kline_1m",
            "btcusdt@aggTrade",
            "ethusdt@kline_1m",
            "ethusdt@aggTrade",
        ],
        "id": 1,
    }


@pytest.mark.parametrize("streams", [(), ("kline_1M",), ("kline_",), ("depth",), ("Trade",)])
def test_a_stream_that_is_not_read_is_not_asked_for(streams: tuple[str, ...]) -> None:
    """A month has no length; a book is no bar."""
    with pytest.raises(ConfigError, match="expected"):
        BinanceCodec(SYMBOLS, streams)


@pytest.mark.parametrize("closed", [True, False])
@pytest.mark.parametrize("combined", [True, False])
@pytest.mark.parametrize("as_text", [True, False])
def test_a_kline_is_a_bar(closed: bool, combined: bool, as_text: bool) -> None:
    """Raw or wrapped by its stream, text or bytes: the same bar, under foliod's symbol."""
    event = kline(x=closed)
    text = json.dumps({"stream": "btcusdt@kline_1m", "data": event} if combined else event)
    bar = Bar(
        1_672_515_780_000_000_000,
        1_672_515_840_000_000_000,
        16600.10,
        16603.50,
        16599.00,
        16601.00,
        12.5,
    )

    (found,) = codec().decode(text if as_text else text.encode())

    assert found == BarUpdate("BTCUSD", MINUTE_NS, bar, closed)


@pytest.mark.parametrize(
    ("word", "length_ns"),
    [("1s", SECOND_NS), ("5m", 5 * MINUTE_NS), ("4h", 4 * HOUR_NS), ("1w", 7 * DAY_NS)],
)
def test_a_klines_word_is_its_length(word: str, length_ns: int) -> None:
    """The length is the venue's word for it, and first and last millisecond agree."""
    last = OPEN_MS + length_ns // 1_000_000 - 1

    (found,) = codec().decode(json.dumps(kline(i=word, T=last)))

    assert isinstance(found, BarUpdate)
    assert found.interval_ns == found.bar.close_ns - found.bar.open_ns == length_ns


@pytest.mark.parametrize("kind", ["trade", "aggTrade"])
def test_a_trade_is_a_tick_at_its_own_time(kind: str) -> None:
    """T is when it was traded, E when it was told."""
    (found,) = codec("trade").decode(json.dumps(trade(e=kind)))

    assert found == Tick("ETHUSD", 1_672_515_780_007_000_000, 1200.01, 0.5)


def test_a_futures_trade_that_is_none_says_nothing() -> None:
    """Futures mark events without a market trade as X "NA", with price 0."""
    assert codec().decode(json.dumps(trade(X="NA", p="0", q="0"))) == ()
    with pytest.raises(FrameError, match="price p of a trade"):
        codec().decode(json.dumps(trade(X="MARKET", p="0")))


@pytest.mark.parametrize(
    "event",
    [
        {"e": "depthUpdate", "E": 1, "s": "X", "U": 1, "u": 2, "b": [["1", "2"]], "a": []},
        {"e": "bookTicker", "u": 1, "s": "X", "b": "1", "B": "1", "a": "2", "A": "1"},
        {"u": 1, "s": "BNBUSDT", "b": "1", "B": "1", "a": "2", "A": "1"},
        {"lastUpdateId": 160, "bids": [], "asks": []},
        {"e": "24hrTicker", "s": "X", "p": "-1", "c": "2"},
        {"e": "markPriceUpdate", "s": "X", "p": "1", "T": 1},
        {"e": "forceOrder", "o": {"s": "X"}},
        {"e": "serverShutdown", "E": 1},
    ],
)
def test_what_is_no_bar_and_no_trade_says_nothing(event: dict[str, Any]) -> None:
    """Documented streams that a feed does not read, raw and combined."""
    assert codec().decode(json.dumps(event)) == ()
    assert codec().decode(json.dumps({"stream": "x@depth5", "data": event})) == ()


def test_answers_to_the_subscription() -> None:
    """Taken, or refused with the venue's words; a malformed request is refused for good."""
    assert codec().decode(b'{"result":null,"id":1}') == (Subscribed(),)
    text = "Invalid request: request ID must be an unsigned integer"
    for frame in (
        {"code": 2, "msg": text},
        {"error": {"code": 2, "msg": text}, "id": None},
        {"id": 1, "error": {"code": 2, "msg": text}},
    ):
        assert codec().decode(json.dumps(frame)) == (Refused("2", text, is_final=True),)
    (busy,) = codec().decode(b'{"code":-1003,"msg":"Too many requests"}')
    assert busy == Refused("-1003", "Too many requests", is_final=False)


@pytest.mark.parametrize(
    ("frame", "text"),
    [
        ({"e": "news", "s": "BTCUSDT"}, "expected an event, or the answer to a request"),
        ({}, "expected an event, or the answer to a request"),
        ({"result": None, "id": 2}, "expected an event, or the answer to a request"),
        ({"result": None}, "expected an event, or the answer to a request"),
        ({"result": {"list": []}, "id": 1}, "expected a message as documented"),
        ({"stream": "x@trade", "data": [trade()]}, "expected a message as documented"),
        ([1, {}, "trade", "X/Y"], "expected a message as documented"),
        (trade(s="SOLUSDT"), "expected a symbol that was subscribed to, found 'SOLUSDT'"),
        (trade(s="ethusdt"), "expected a symbol that was subscribed to, found 'ethusdt'"),
        (trade(p="NaN"), "price p of a trade: expected a number, found 'NaN'"),
        (trade(p="1e999"), "expected a finite number"),
        (trade(p=1200.01), "expected a message as documented"),
        (trade(q="-1"), "quantity q of a trade"),
        (trade(T=OPEN_MS // 1000), "time T of a trade: expected an instant"),
        (trade(T=OPEN_MS * 1000), "time T of a trade: expected an instant"),
        (trade(T=None), "expected a message as documented"),
        ({"e": "kline", "s": "BTCUSDT"}, "expected a kline k"),
        (kline(h="16600.00"), "HIGH_TOO_LOW"),
        (kline(l="16600.50"), "LOW_TOO_HIGH"),
        (kline(i="1M"), "expected an interval such as 1m, found '1M'"),
        (kline(i="5m"), "expected a kline of 5m"),
        (kline(T=OPEN_MS + 60_000), "expected a kline of 1m"),
        (kline(x=1), "expected a message as documented"),
        (kline(v="-1"), "at least 0"),
        (kline(t=10**30, T=10**30 + 59_999), "expected"),
    ],
)
def test_what_is_not_documented_is_refused(frame: object, text: str) -> None:
    """The text says what was expected and what was found."""
    with pytest.raises(FrameError, match=text):
        codec().decode(json.dumps(frame))


def test_where_it_is() -> None:
    """Streams and REST of both markets, or of a server of one's own."""
    assert address.stream().url() == "wss://stream.binance.com:9443/stream"
    assert address.stream("futures").url() == "wss://fstream.binance.com/stream"
    assert address.rest("futures").url("/x") == "https://fapi.binance.com/x"
    assert address.stream(base="ws://127.0.0.1:9").url() == "ws://127.0.0.1:9/stream"


def test_history_is_asked_for_by_opens() -> None:
    """[from, to) in nanoseconds becomes first and last millisecond, both inclusive."""
    history = BinanceHistory(SYMBOLS)
    start = OPEN_MS * 1_000_000

    assert history.request("BTCUSD", MINUTE_NS, start, start + 10 * MINUTE_NS) == (
        "/api/v3/klines?symbol=BTCUSDT&interval=1m&startTime=1672515780000"
        "&endTime=1672516379999&limit=1000"
    )
    futures = BinanceHistory(SYMBOLS, "futures").request("ETHUSD", HOUR_NS, 1, HOUR_NS)
    assert futures.startswith("/fapi/v1/klines?symbol=ETHUSDT&interval=1h&startTime=1&")


@pytest.mark.parametrize(
    ("symbol", "interval_ns", "bars", "text"),
    [
        ("SOLUSD", MINUTE_NS, 1, "SOLUSD is not one of its symbols"),
        ("BTCUSD", 7 * MINUTE_NS, 1, "no history of 7m; it has 1s, 1m, 3m"),
        ("BTCUSD", MINUTE_NS, 0, "not after its start"),
        ("BTCUSD", MINUTE_NS, 1001, "at most 1000 bars at once, found 1001"),
    ],
)
def test_history_that_the_venue_has_not_is_not_asked_for(
    symbol: str, interval_ns: int, bars: int, text: str
) -> None:
    """An answer that is silently cut would look like a gap."""
    start = OPEN_MS * 1_000_000
    with pytest.raises(FeedError, match=text):
        BinanceHistory(SYMBOLS).request(symbol, interval_ns, start, start + bars * interval_ns)


def row(minute: int, *prices: str) -> list[object]:
    """Make a row of twelve columns."""
    at = OPEN_MS + minute * 60_000
    four = prices or ("1.0", "1.5", "0.5", "1.2")
    return [at, *four, "7", at + 59_999, "8", 9, "1", "1", "0"]


def test_history_is_bars() -> None:
    """Prices in the venue's order are open, high, low, close; no row, no bar."""
    found = BinanceHistory(SYMBOLS).decode(json.dumps([row(0), row(2)]).encode(), MINUTE_NS)

    first = OPEN_MS * 1_000_000
    assert found == [
        Bar(first, first + MINUTE_NS, 1.0, 1.5, 0.5, 1.2, 7.0),
        Bar(first + 2 * MINUTE_NS, first + 3 * MINUTE_NS, 1.0, 1.5, 0.5, 1.2, 7.0),
    ]
    assert BinanceHistory(SYMBOLS).decode(b"[]", MINUTE_NS) == []


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ({"code": -1121, "msg": "Invalid symbol."}, "was refused: -1121 Invalid symbol."),
        ([row(2), row(0)], "oldest first"),
        ([row(0), row(0)], "oldest first"),
        ([row(0, "1", "0.9", "0.5", "1")], "HIGH_TOO_LOW"),
        ([row(0, "1", "inf", "0.5", "1")], "expected a number"),
        ([row(0)[:6]], "expected a message as documented"),
        ([[1, "2"]], "expected a message as documented"),
        ({"rows": []}, "expected a message as documented"),
        ("no", "expected a message as documented"),
    ],
)
def test_history_that_is_none_is_refused(answer: object, text: str) -> None:
    """Errors in the venue's words, and rows that are no bars."""
    with pytest.raises(FrameError, match=text):
        BinanceHistory(SYMBOLS).decode(json.dumps(answer).encode(), MINUTE_NS)


def test_history_of_another_interval_is_refused() -> None:
    """One-minute rows are not five-minute bars, whatever was asked."""
    with pytest.raises(FrameError, match="expected klines of 300000 ms"):
        BinanceHistory(SYMBOLS).decode(json.dumps([row(0)]).encode(), 5 * MINUTE_NS)
