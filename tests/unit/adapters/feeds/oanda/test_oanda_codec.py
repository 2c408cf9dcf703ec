"""OANDA's price stream and candles, from the venue's documented messages (F2)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from adapters.feeds.oanda.codec import OandaCodec
from adapters.feeds.oanda.history import OandaHistory
from adapters.feeds.wire import Codec, FrameError, Heartbeat, Quote, Refused
from state.bars import Bar
from state.errors import FeedError
from state.units import DAY_NS, HOUR_NS, MINUTE_NS

SYMBOLS = {"EURUSD": "EUR_USD", "USDJPY": "USD_JPY"}
AT_NS = 1_477_557_525_664_613_867  # 2016-10-27T08:38:45.664613867Z


def line(**changes: Any) -> bytes:  # noqa: ANN401  (values of JSON)
    """Make a PRICE line; a change to None leaves the field out."""
    fields = {
        "type": "PRICE", "instrument": "EUR_USD", "time": "2016-10-27T08:38:45.664613867Z",
        "bids": [{"price": "1.09177", "liquidity": 10000000}, {"price": "1.09175"}],
        "asks": [{"price": "1.09188", "liquidity": 10000000}, {"price": "1.09190"}],
        "closeoutBid": "1.09173", "closeoutAsk": "1.09192",
        "status": "tradeable", "tradeable": True, **changes,
    }  # fmt: skip
    return json.dumps({k: v for k, v in fields.items() if v is not None}).encode()


def decode(frame: bytes | str) -> object:
    """Decode with a codec of two symbols."""
    return OandaCodec(SYMBOLS).decode(frame)


def test_it_is_a_codec() -> None:
    """The request names the instruments, so there is nothing to send."""
    made: Codec = OandaCodec(SYMBOLS)

    assert (made.name, made.side, made.hello()) == ("oanda", "mid", ())


def test_a_price_is_a_quote_at_the_best_of_both_sides() -> None:
    """The first bucket is the best; the stamp is kept to the nanosecond."""
    assert decode(line()) == (Quote("EURUSD", AT_NS, 1.09177, 1.09188, tradeable=True),)


@pytest.mark.parametrize(
    ("tradeable", "status", "expected"),
    [
        (False, None, False),
        (None, "tradeable", True),
        (None, "non-tradeable", False),
        (False, "tradeable", False),
    ],
)
def test_whether_it_can_be_traded_is_said(
    tradeable: bool | None, status: str | None, expected: bool
) -> None:
    """By ``tradeable``, or by the older ``status`` where that is missing."""
    assert decode(line(tradeable=tradeable, status=status)) == (
        Quote("EURUSD", AT_NS, 1.09177, 1.09188, tradeable=expected),
    )


@pytest.mark.parametrize("side", ["bids", "asks"])
def test_a_side_without_liquidity_cannot_be_traded(side: str) -> None:
    """Its close-out prices are shown; without them there is no price at all."""
    assert decode(line(**{side: []})) == (
        Quote("EURUSD", AT_NS, 1.09173, 1.09192, tradeable=False),
    )
    assert decode(line(**{side: []}, closeoutBid=None)) == ()


def test_a_heartbeat_and_a_blank_line() -> None:
    """The venue's stamp is kept; a line end alone keeps the chunk alive and says nothing."""
    frame = b'{"type":"HEARTBEAT","time":"2016-10-27T08:38:45.664613867Z"}\n'

    assert decode(frame) == (Heartbeat(AT_NS),)
    assert decode(b"\r\n") == decode("") == ()


def test_a_refusal_is_told_with_the_venues_words() -> None:
    """A bad token stays bad; a busy server may not."""
    wrong = b'{"errorMessage":"Insufficient authorization to perform request."}'
    busy = b'{"errorCode":"BUSY","errorMessage":"Try later"}'

    assert decode(wrong) == (
        Refused("error", "Insufficient authorization to perform request.", is_final=True),
    )
    assert decode(busy) == (Refused("BUSY", "Try later", is_final=False),)


@pytest.mark.parametrize(
    ("frame", "text"),
    [
        (line(instrument="GBP_USD"), "subscribed to, found 'GBP_USD'"),
        (line(instrument=None), "subscribed to, found ''"),
        (line(tradeable=None, status=None), "say whether it is tradeable"),
        (line(bids=[{"price": "1.1"}], asks=[{"price": "1.0"}]), "a bid below its ask"),
        (line(bids=[{"price": "0"}]), "bid: expected a price"),
        (line(bids=[{"price": "nan"}]), "bid: expected a number"),
        (line(bids=[{"price": 1.1}]), "expected a message as documented"),
        (line(bids=[{}]), "expected a message as documented"),
        (line(bids={}), "expected a message as documented"),
        (line(time="1477557525.664613867"), "expected a time in UTC"),
        (line(time=None), "expected a time in UTC"),
        (line(time="1970-01-01T00:00:00Z"), "years 2000 to 2199"),
        (line(tradeable="yes"), "expected a message as documented"),
        (line(type="ORDER_FILL"), "expected a price, heartbeat or error"),
        (line(type=None), "expected a price, heartbeat or error"),
        (b"{}", "expected a price, heartbeat or error"),
        (line() + line(), "expected JSON"),
        (line()[:-9], "expected JSON"),
        (b'{"type":"HEARTBEAT"}', "time of a heartbeat"),
    ],
)
def test_what_is_not_documented_is_refused(frame: bytes, text: str) -> None:
    """The text says what was expected and what was found."""
    with pytest.raises(FrameError, match=text):
        decode(frame)


def candle(at: str, complete: bool = True, high: str = "1.5") -> dict[str, object]:
    """Make a mid candle."""
    mid = {"o": "1.1", "h": high, "l": "1.0", "c": "1.2"}
    return {"complete": complete, "volume": 3, "time": at, "mid": mid}


def answer(*candles: object, granularity: str = "M1") -> bytes:
    """Make a history answer."""
    whole = {"instrument": "EUR_USD", "granularity": granularity, "candles": candles}
    return json.dumps(whole).encode()


def test_history_is_asked_for_in_utc() -> None:
    """Mid candles, days from midnight UTC."""
    start = 1_477_555_200_000_000_000  # 2016-10-27T08:00:00Z
    assert OandaHistory(SYMBOLS).request("USDJPY", HOUR_NS, start, start + 2 * HOUR_NS) == (
        "/v3/instruments/USD_JPY/candles?price=M&granularity=H1&from=2016-10-27T08%3A00%3A00Z"
        "&to=2016-10-27T10%3A00%3A00Z&dailyAlignment=0&alignmentTimezone=UTC"
    )
    with pytest.raises(FeedError, match="no history of 7d"):
        OandaHistory(SYMBOLS).request("USDJPY", 7 * DAY_NS, start, start + 7 * DAY_NS)


def test_history_is_the_complete_bars() -> None:
    """A candle that is still forming is no bar; minutes without prices are absent."""
    body = answer(
        candle("2016-10-27T08:00:00.000000000Z"),
        candle("2016-10-27T08:02:00.000000000Z"),
        candle("2016-10-27T08:03:00.000000000Z", complete=False),
    )
    first = 1_477_555_200_000_000_000

    assert OandaHistory(SYMBOLS).decode(body, MINUTE_NS) == [
        Bar(first, first + MINUTE_NS, 1.1, 1.5, 1.0, 1.2, 3.0),
        Bar(first + 2 * MINUTE_NS, first + 3 * MINUTE_NS, 1.1, 1.5, 1.0, 1.2, 3.0),
    ]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (answer(granularity="M5"), "expected candles of M1, found 'M5'"),
        (b'{"errorMessage":"Invalid value"}', "was refused:  Invalid value"),
        (b"{}", "expected candles, found"),
        (b"[]", "expected a message as documented"),
        (answer(candle("2016-10-27T08:00:00Z", high="1.1")), "HIGH_TOO_LOW"),
        (answer(*[candle("2016-10-27T08:00:00Z")] * 2), "oldest first"),
        (answer({"time": "2016-10-27T08:00:00Z", "complete": True, "volume": 1}), "documented"),
    ],
)
def test_history_that_is_none_is_refused(body: bytes, text: str) -> None:
    """Errors in the venue's words, other granularities, and candles that are no bars."""
    with pytest.raises(FrameError, match=text):
        OandaHistory(SYMBOLS).decode(body, MINUTE_NS)
