# ruff: noqa: D102, D107 - what the methods do is the protocol's
"""The smallest wire format that says everything a codec can say, for tests of the session."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from adapters.feeds.wire import (
    BarUpdate,
    Event,
    FrameError,
    Heartbeat,
    Quote,
    Refused,
    Subscribed,
    Tick,
    VenueStatus,
)
from state.bars import Bar

SUBSCRIBE = b'{"subscribe":true}'


class _Message(msgspec.Struct, tag_field="k"):
    """Common to all messages."""


class _Tick(_Message, tag="tick"):
    s: str
    at: int
    p: float


class _Quote(_Message, tag="quote"):
    s: str
    at: int
    bid: float
    ask: float


class _Bar(_Message, tag="bar"):
    s: str
    at: int
    end: int
    p: tuple[float, float, float, float]
    closed: bool = True


class _Beat(_Message, tag="beat"):
    pass


class _Subscribed(_Message, tag="subscribed"):
    pass


class _Refused(_Message, tag="no"):
    code: str
    text: str
    final: bool


class _Status(_Message, tag="status"):
    open: bool


_DECODER = msgspec.json.Decoder(_Tick | _Quote | _Bar | _Beat | _Subscribed | _Refused | _Status)


def bar_frame(symbol: str, bar: Bar, *, closed: bool = True) -> str:
    """Write a bar as the fake venue does."""
    prices = (bar.open, bar.high, bar.low, bar.close)
    return msgspec.json.encode(_Bar(symbol, bar.open_ns, bar.close_ns, prices, closed)).decode()


def tick_frame(symbol: str, at_ns: int, price: float) -> str:
    """Write a tick as the fake venue does."""
    return msgspec.json.encode(_Tick(symbol, at_ns, price)).decode()


def refusal_frame(text: str, *, final: bool) -> str:
    """Write a refusal as the fake venue does."""
    return msgspec.json.encode(_Refused("42", text, final)).decode()


class SmallCodec:
    """Decodes one message a frame; ``greets`` False for streams, which take no frames."""

    name = "small"
    side = "mid"

    def __init__(self, *, greets: bool = True) -> None:
        self._hello = [SUBSCRIBE] if greets else []

    def hello(self) -> Sequence[bytes]:
        return self._hello

    def decode(self, frame: bytes | str) -> Sequence[Event]:
        try:
            message = _DECODER.decode(frame)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
            raise FrameError(f"expected a message, found {frame[:80]!r}: {error}") from None
        return [_event(message)]


def _event(message: _Message) -> Event:
    if isinstance(message, _Tick):
        return Tick(message.s, message.at, message.p)
    if isinstance(message, _Quote):
        return Quote(message.s, message.at, message.bid, message.ask)
    if isinstance(message, _Bar):
        bar = Bar(message.at, message.end, *message.p)
        return BarUpdate(message.s, message.end - message.at, bar, message.closed)
    if isinstance(message, _Refused):
        return Refused(message.code, message.text, message.final)
    if isinstance(message, _Status):
        return VenueStatus(message.open)
    return Subscribed() if isinstance(message, _Subscribed) else Heartbeat()
