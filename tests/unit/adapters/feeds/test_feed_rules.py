"""Small rules of a feed: back-off, whom to ask again, what may be shown, which source is auto."""

from __future__ import annotations

import random  # noqa: TID251 - seeded here
from itertools import islice

import pytest

from adapters.feeds.backoff import (
    BackoffLimits,
    LineError,
    VenueRefusal,
    delays,
    should_reconnect,
)
from adapters.feeds.selection import AUTO, ORDER, choose_source
from adapters.feeds.wire import FrameError, Refused
from adapters.redaction import redacted
from state.errors import ConfigError

CANARY = "s3cr3tC4n4ry"


def test_pauses_grow_to_a_bound_and_never_fall_below_half_of_it() -> None:
    """F3: exponential, with jitter from outside, so that one seed gives one sequence."""
    limits = BackoffLimits(first_s=1.0, largest_s=8.0, factor=2.0)
    bounds = [1, 2, 4, 8, 8, 8]
    runs = [list(islice(delays(random.Random(seed), limits), 6)) for seed in (1, 1, 2)]

    assert runs[0] == runs[1] != runs[2]
    for run in runs:
        assert all(b / 2 <= pause < b for b, pause in zip(bounds, run, strict=True))


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (LineError("lost"), True),
        (LineError("silent", "LINE_SILENT"), True),
        (LineError("no", status=401), False),
        (LineError("no", status=403), False),
        (LineError("slow down", status=429), True),
        (LineError("down", status=503), True),
        (VenueRefusal(Refused("1", "bad key", is_final=True)), False),
        (VenueRefusal(Refused("2", "busy", is_final=False)), True),
        (ConnectionRefusedError(), True),
        (TimeoutError(), True),
        (ValueError("a fault of ours"), False),
    ],
)
def test_a_refused_key_is_never_tried_again(error: Exception, again: bool) -> None:
    """F3: what may be over by the next time is retried; refusals, and our own faults, are not."""
    assert should_reconnect(error) is again


@pytest.mark.parametrize(
    "url",
    [
        f"wss://ws.example.org/?token={CANARY}",
        f"wss://user:{CANARY}@ws.example.org/x",
        f"https://{CANARY}@example.org/x?y=1",
        f"wss://example.org/x?a=1&{CANARY}",
        f"wss://example.org/x#{CANARY}",
        f"wss://[broken/?apikey={CANARY}",
    ],
)
def test_no_secret_of_an_address_is_shown(url: str) -> None:
    """SEC-1: in an address, and in the message of a library that quotes it."""
    assert CANARY not in redacted(url)
    assert CANARY not in redacted(f"cannot connect to '{url}' (refused)", CANARY)
    if "[" not in url:
        shown = redacted(f"cannot connect to '{url}' (refused)")
        assert CANARY not in shown
        assert "example.org" in shown


def test_a_message_loses_headers_and_named_secrets_and_keeps_the_rest() -> None:
    """SEC-1: what an operator needs to read stays."""
    text = f"401 for Authorization: Bearer {CANARY} at /v3/x?key={CANARY}&s=EURUSD, see {CANARY}"

    shown = redacted(text, "", CANARY)

    assert CANARY not in shown
    assert "401 for Authorization" in shown
    assert "/v3/x?key=***" in shown
    assert redacted("wss://example.org:9443/stream") == "wss://example.org:9443/stream"


def test_auto_is_the_first_configured_source_of_the_documented_order() -> None:
    """F2: whatever the order in which they are configured."""
    for number, source in enumerate(ORDER):
        assert choose_source(AUTO, frozenset(ORDER[number:])) == source
    assert choose_source("binance", ORDER) == "binance"


@pytest.mark.parametrize(
    ("asked", "configured", "said"),
    [
        (AUTO, (), "none of them is configured"),
        ("finhub", ORDER, "known are auto and oanda"),
        ("oanda", ("generic", "binance"), "configured: binance, generic"),
    ],
)
def test_a_source_that_is_not_there_is_refused(
    asked: str, configured: tuple[str, ...], said: str
) -> None:
    """A live run never takes another source than the one it was told."""
    with pytest.raises(ConfigError, match=said):
        choose_source(asked, configured)


def test_a_frame_error_is_no_reason_to_give_up() -> None:
    """A malformed frame is dropped by the session; it never decides about the line."""
    assert not should_reconnect(FrameError("x"))
