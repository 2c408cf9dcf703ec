"""Redaction: canary secrets in every place where a venue, a proxy or an operator puts them (X1)."""

from __future__ import annotations

from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.redaction import redacted

CANARY = "cAnArY0123456789zz"

PLACES = (
    "wss://ws.finnhub.io?token={}",
    "wss://ws.finnhub.io/?token={}&x=1",
    "wss://ws.twelvedata.com/v1/quotes/price?apikey={}",
    "wss://feed.example/bars?k={}",
    "wss://feed.example/bars?{}",
    "wss://feed.example/bars#{}",
    "wss://feed.example/bars?symbol=X#{}",
    "wss://operator:{}@feed.example/bars",
    "https://{}@feed.example:8443/bars?symbol=X",
    "https://feed.example/v1/{}abcdefgh/candles",
    "/bot12345678:{}abc/sendMessage",
    "/v1/candles?symbol=X&Token={}",
    "cannot open wss://ws.finnhub.io?token={}: 401",
    "('wss://ws.finnhub.io?token={}',)",
    "Authorization: Bearer {}",
    "Authorization: Bearer {}, next",
    "{{'Authorization': 'Bearer {}'}}",
    "apikey {} was refused",
    '{{"api_key":"{}","symbol":"X"}}',
    '{{"apiKey": "{}"}}',
    "{{'password': '{}'}}",
    "secret={}",
    "client_secret: {}",
    "passphrase={}",
    "X-Finnhub-Token: {}",
)


@pytest.mark.parametrize("place", PLACES)
def test_a_canary_is_blotted_wherever_keys_are_put(place: str) -> None:
    """A key in an address, a header, JSON or a sentence is not shown, in whatever case."""
    text = redacted(place.format(CANARY))

    assert CANARY not in text
    assert CANARY.lower() not in text.lower()
    assert "***" in text


def test_what_is_harmless_stays() -> None:
    """An address is still of use to the one who reads the log."""
    harmless = (
        "wss://stream.binance.com:9443/stream?streams=btcusdt@kline_1m/ethusdt@kline_1m",
        "https://api.binance.com/api/v3/klines?symbol=BTCUSDT&interval=1m&limit=1000",
        "https://stream-fxpractice1.oanda.com:443/v3/accounts/101-004-1234567-001/pricing",
        "cannot write /var/lib/foliod/runs/20260301T100000Z-4f2a9c1b7d/events.jsonl: disk full",
        "halted at 2026-03-01T10:00:00Z: stale feed EURUSD 1m",
    )
    for text in harmless:
        assert redacted(text) == text


@pytest.mark.parametrize("secret", ["p w/1+&=%", "short", "päss"])
def test_a_secret_that_is_known_is_blotted_in_every_encoding(secret: str) -> None:
    """Whoever holds the secret passes it along; plain or percent-encoded it is found anywhere."""
    for form in (secret, quote(secret), quote(secret, safe=""), quote_plus(secret)):
        assert form not in redacted(f"the venue said: '{form}' is no key", secret)


def test_no_secret_is_no_secret() -> None:
    """An empty secret blots nothing out."""
    assert redacted("all is well", "") == "all is well"


@given(st.text(max_size=100), st.text(max_size=100))
def test_whatever_stands_around_an_address_hides_nothing(before: str, after: str) -> None:
    """It is called where errors are reported: any text is taken, and the key in it is found."""
    text = f"{before} wss://feed.example/?q={CANARY} {after}"

    assert CANARY not in redacted(text)
    assert CANARY not in redacted(f"{before}{CANARY}{after}", CANARY)
