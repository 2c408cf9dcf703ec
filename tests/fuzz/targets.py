"""What is fuzzed: each codec and each history with frames it reads, and what must hold after it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from adapters.feeds.binance.codec import BinanceCodec
from adapters.feeds.binance.history import BinanceHistory
from adapters.feeds.finnhub.codec import FinnhubCodec
from adapters.feeds.finnhub.history import FinnhubHistory
from adapters.feeds.frames import LONGEST_TEXT
from adapters.feeds.generic.codec import GenericCodec
from adapters.feeds.generic.messages import Fields
from adapters.feeds.oanda.codec import OandaCodec
from adapters.feeds.oanda.history import OandaHistory
from adapters.feeds.twelvedata.codec import TwelveDataCodec
from adapters.feeds.twelvedata.history import TwelveDataHistory
from adapters.feeds.wire import (
    BarUpdate,
    Event,
    FrameError,
    Heartbeat,
    History,
    Quote,
    Refused,
    Subscribed,
    Tick,
    VenueStatus,
)
from state.bars import Bar, impossible
from state.units import MINUTE_NS

CORPUS: Final = Path(__file__).parent / "corpus"
FIRST_NS: Final = 946_684_800_000_000_000
LAST_NS: Final = 7_258_118_400_000_000_000
FIELDS: Final = Fields(
    bars="data", open_time="t", open="p.0", high="p.1", low="p.2", close="p.3", volume="v.d",
    symbol="m", closed="x",
)  # fmt: skip
FLAT: Final = Fields(
    open_time="t", open="o", high="h", low="l", close="c", volume="v", symbol="m", closed="x"
)

SYMBOLS: Final = ("BTCUSD", "EURUSD")
NAMES: Final = dict(zip(SYMBOLS, ("BTCUSDT", "EURUSDT"), strict=True))

CODECS: Final[dict[str, Callable[[bytes | str], Sequence[Event]]]] = {
    "binance": BinanceCodec(NAMES, ("kline_1m", "trade")).decode,
    "finnhub": FinnhubCodec(NAMES, "trade").decode,
    "twelvedata": TwelveDataCodec(NAMES, "mid").decode,
    "oanda": OandaCodec(NAMES).decode,
    "generic": GenericCodec(NAMES, FIELDS, interval_ns=MINUTE_NS, side="mid").decode,
    "generic_flat": GenericCodec(NAMES, FLAT, interval_ns=MINUTE_NS, side="mid").decode,
}
HISTORIES: Final[dict[str, History]] = {
    "binance_history": BinanceHistory(NAMES),
    "finnhub_history": FinnhubHistory(NAMES, "trade", "crypto"),
    "twelvedata_history": TwelveDataHistory(NAMES, "mid"),
    "oanda_history": OandaHistory(NAMES),
}
TARGETS: Final = (*CODECS, *HISTORIES)


def seeds(target: str) -> list[bytes]:
    """Return the frames of a target's corpus."""
    return [path.read_bytes() for path in sorted((CORPUS / target).iterdir())]


def feed(target: str, frame: bytes | str) -> bool:
    """Give a frame to a target; return whether it was read, and fail when anything else happens."""
    try:
        if target in CODECS:
            for event in CODECS[target](frame):
                check(event)
        else:
            body = frame if isinstance(frame, bytes) else frame.encode("utf-8", "surrogatepass")
            check_bars(HISTORIES[target].decode(body, MINUTE_NS))
    except FrameError as error:
        said = str(error)
        assert 10 < len(said) < 400, said
        assert said.isprintable(), said
        return False
    return True


def check(event: Event) -> None:
    """Check what must hold for every event, whatever the frame was."""
    match event:
        case Tick():
            assert event.symbol in SYMBOLS
            assert FIRST_NS <= event.at_ns < LAST_NS
            assert 0 < event.price < 1e15
            assert 0 <= event.size < math.inf
        case Quote():
            assert event.symbol in SYMBOLS
            assert FIRST_NS <= event.at_ns < LAST_NS
            assert 0 < event.bid <= event.ask < 1e15
            assert isinstance(event.tradeable, bool)
        case BarUpdate():
            assert event.symbol in SYMBOLS
            assert event.bar.close_ns - event.bar.open_ns == event.interval_ns > 0
            assert isinstance(event.closed, bool)
            check_bars([event.bar])
        case Heartbeat():
            assert event.at_ns == 0 or FIRST_NS <= event.at_ns < LAST_NS
        case Subscribed():
            assert set(event.symbols) <= set(SYMBOLS)
        case Refused():
            assert set(event.symbols) <= set(SYMBOLS)
            assert len(event.code) <= LONGEST_TEXT
            assert len(event.text) <= LONGEST_TEXT
            assert (event.code + event.text).isprintable()
        case VenueStatus():
            assert len(event.text) <= LONGEST_TEXT


def check_bars(bars: list[Bar]) -> None:
    """Check that every bar is possible, of this age, and after the one before it."""
    end_ns = FIRST_NS
    for bar in bars:
        assert impossible(bar.open, bar.high, bar.low, bar.close) is None
        assert bar.high < 1e15
        assert math.isnan(bar.volume) or 0 <= bar.volume < math.inf
        assert end_ns <= bar.open_ns < bar.close_ns
        assert bar.open_ns < LAST_NS
        end_ns = bar.close_ns
