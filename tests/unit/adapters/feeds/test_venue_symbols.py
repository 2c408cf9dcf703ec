"""Symbols of a venue, their ways there and back, and addresses that keep their secret."""

from __future__ import annotations

import copy
import pickle
import pprint

import pytest

from adapters.feeds.address import Address
from adapters.feeds.finnhub import address as finnhub
from adapters.feeds.generic import address as generic
from adapters.feeds.oanda import address as oanda
from adapters.feeds.twelvedata import address as twelvedata
from adapters.feeds.venue_symbols import VenueSymbols
from adapters.feeds.wire import FrameError
from state.errors import ConfigError, FeedError

CANARY = "c4n4ry+key/with=signs"


def test_symbols_map_both_ways() -> None:
    """EURUSD goes out as EUR_USD and comes back as EURUSD; nothing else comes back."""
    symbols = VenueSymbols("oanda", {"EURUSD": "EUR_USD", "XAUUSD": "XAU_USD"})

    assert symbols.name("EURUSD") == "EUR_USD"
    assert symbols.symbol("XAU_USD") == "XAUUSD"
    assert symbols.known(["XAU_USD", "GBP_USD"]) == ("XAUUSD",)
    with pytest.raises(FrameError, match="found 'GBP_USD'"):
        symbols.symbol("GBP_USD")
    with pytest.raises(FeedError, match="GBPUSD is not one of its symbols"):
        symbols.name("GBPUSD")


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({}, "at least one symbol"),
        ({"A": ""}, "venue's name of A"),
        ({"A": " X"}, "venue's name of A"),
        ({"A": "X\n"}, "venue's name of A"),
        ({"A": "X", "B": "X"}, "A and B are both 'X' there"),
    ],
)
def test_symbols_that_cannot_be_told_apart_are_refused(given: dict[str, str], text: str) -> None:
    """Before anything is connected."""
    with pytest.raises(ConfigError, match=text):
        VenueSymbols("venue", given)


ADDRESSES = {
    "finnhub stream": finnhub.stream(CANARY),
    "finnhub rest": finnhub.rest(CANARY),
    "twelvedata stream": twelvedata.stream(CANARY),
    "twelvedata rest": twelvedata.rest(CANARY),
    "oanda stream": oanda.stream("101-1", CANARY, ["EUR_USD"], is_real=False),
    "oanda rest": oanda.rest(CANARY, is_real=True),
    "generic url": generic.stream("wss://feed.example/bars/{key}?symbol={key}", CANARY),
    "generic header": generic.stream("wss://feed.example/", CANARY, {"X-Key": "{key}"}),
}


@pytest.mark.parametrize("name", ADDRESSES)
def test_an_address_shows_its_secret_to_nobody(name: str) -> None:
    """It reaches the one who connects, and no text, representation or copy that is written (X1)."""
    address = ADDRESSES[name]
    sent = address.url() + str(address.headers)
    shown = f"{address} {address!r} {pprint.pformat([address])} {address.redact(address.url())}"

    assert CANARY in sent or "c4n4ry%2Bkey%2Fwith%3Dsigns" in sent
    assert "c4n4ry" not in shown
    assert str(address).startswith(("wss://", "https://"))
    for write in (pickle.dumps, copy.copy):
        with pytest.raises(TypeError, match="not pickled"):
            write(address)


@pytest.mark.parametrize("secret", ["", "c4n4ry two", "c4n4ry\n", "c4n4r\u00fd", "\x00"])
def test_a_secret_that_cannot_be_sent_is_refused_unseen(secret: str) -> None:
    """A line end from a file would end a header and begin another one."""
    for make in (finnhub.stream, finnhub.rest, twelvedata.stream, twelvedata.rest):
        with pytest.raises(ConfigError) as caught:
            make(secret)
        assert "c4n4r" not in str(caught.value)


def test_a_path_and_the_secret_are_joined() -> None:
    """The query of a request is kept, and the key follows it."""
    address = Address("https://feed.example", key="token", secret="a b")

    assert address.url() == "https://feed.example?token=a%20b"
    assert address.url("/x?symbol=1") == "https://feed.example/x?symbol=1&token=a%20b"


def test_oanda_says_what_it_streams() -> None:
    """Account and instruments are in the address, the token in a header."""
    address = oanda.stream("101-004-1-001", "t0ken", ["EUR_USD", "USD_JPY"], is_real=False)

    assert address.url() == (
        "https://stream-fxpractice.oanda.com/v3/accounts/101-004-1-001/pricing/stream"
        "?instruments=EUR_USD%2CUSD_JPY"
    )
    assert address.headers["Authorization"] == "Bearer t0ken"
    assert oanda.stream("1", "t", [], is_real=True).url().startswith("https://stream-fxtrade.")
    with pytest.raises(ConfigError, match="expected an account"):
        oanda.stream("101/../1", "t", [], is_real=True)


@pytest.mark.parametrize("url", ["", "feed.example", "http://feed.example", "wss://", "wss://[1"])
def test_a_generic_address_is_a_socket(url: str) -> None:
    """Anything else is refused with an example."""
    with pytest.raises(ConfigError, match="such as wss://feed"):
        generic.stream(url)


def test_a_generic_address_without_its_key_is_refused() -> None:
    """The place of the key is not sent as it stands."""
    for given in ({"url": "wss://a/{key}"}, {"url": "wss://a/", "headers": {"K": "{key}"}}):
        with pytest.raises(ConfigError, match="asks for a key"):
            generic.stream(**given)
