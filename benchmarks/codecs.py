"""What reading one frame costs, per codec: ``python -m benchmarks.codecs``.

Medians over rounds, CPU time of one thread, a frame that is read again and again. The ratio is to
``msgspec.json.decode`` of the same frame without a type, in the same round: what any Python program
pays at least to look into it. A batch of Finnhub is also shown per trade.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

import msgspec

from adapters.feeds.binance.codec import BinanceCodec
from adapters.feeds.binance.history import BinanceHistory
from adapters.feeds.finnhub.codec import FinnhubCodec
from adapters.feeds.generic.codec import GenericCodec
from adapters.feeds.generic.messages import Fields
from adapters.feeds.oanda.codec import OandaCodec
from adapters.feeds.oanda.history import OandaHistory
from adapters.feeds.twelvedata.codec import TwelveDataCodec
from state.units import MINUTE_NS, utc_text

AT_MS = 1_672_515_780_000
NAMES = {"BTCUSD": "BTCUSDT", "EURUSD": "EUR_USD"}
BATCH = 50

Decode = Callable[[bytes], object]


def frames() -> dict[str, tuple[Decode, bytes, int]]:
    """Return per row of the table: what decodes, the frame, and how many repetitions a round."""
    kline = {
        "t": AT_MS, "T": AT_MS + 59_999, "s": "BTCUSDT", "i": "1m", "f": 100, "L": 200,
        "o": "16600.10", "c": "16601.00", "h": "16603.50", "l": "16599.00", "v": "12.5",
        "n": 100, "x": True, "q": "1.0", "V": "5", "Q": "0.5", "B": "0",
    }  # fmt: skip
    trade = {
        "e": "trade", "E": AT_MS, "s": "BTCUSDT", "t": 12345, "p": "16600.10", "q": "0.5",
        "T": AT_MS, "m": True, "M": True,
    }  # fmt: skip
    tick = {"p": 16600.1, "s": "BTCUSDT", "t": AT_MS, "v": 0.011, "c": ["1"]}
    quote = {
        "type": "PRICE", "time": "2016-10-27T08:38:45.664613867Z", "instrument": "EUR_USD",
        "bids": [{"price": "1.09177", "liquidity": 10_000_000}],
        "asks": [{"price": "1.09188", "liquidity": 10_000_000}],
        "closeoutBid": "1.09173", "closeoutAsk": "1.09192", "tradeable": True,
    }  # fmt: skip
    last = {
        "event": "price", "symbol": "EUR_USD", "type": "Physical Currency",
        "timestamp": AT_MS // 1000, "price": 1.1001, "bid": 1.1, "ask": 1.1002,
    }  # fmt: skip
    fields = Fields(
        bars="data", open_time="t", open="o", high="h", low="l", close="c", volume="v",
        symbol="s", closed="x",
    )  # fmt: skip
    bar = {"t": AT_MS, "o": 1, "h": 2, "l": 1, "c": 2, "v": 7, "s": "BTCUSDT", "x": True}
    binance = BinanceCodec(NAMES, ("kline_1m", "trade")).decode
    finnhub = FinnhubCodec(NAMES, "trade").decode
    generic = GenericCodec(NAMES, fields, interval_ns=MINUTE_NS, side="mid").decode
    rows: dict[str, tuple[Decode, Any, int]] = {
        "binance kline": (binance, {"stream": "btcusdt@kline_1m", "data": {
            "e": "kline", "E": AT_MS, "s": "BTCUSDT", "k": kline}}, 2000),
        "binance trade": (binance, {"stream": "btcusdt@trade", "data": trade}, 2000),
        "finnhub, 1 trade": (finnhub, {"type": "trade", "data": [tick]}, 2000),
        f"finnhub, {BATCH} trades": (finnhub, {"type": "trade", "data": [tick] * BATCH}, 200),
        "twelvedata price": (TwelveDataCodec(NAMES, "mid").decode, last, 2000),
        "oanda price": (OandaCodec(NAMES).decode, quote, 2000),
        "generic bar": (generic, {"data": bar}, 2000),
        "binance history, 1000": (_binance_history, [_row(k) for k in range(1000)], 5),
        "oanda history, 5000": (_oanda_history, _candles(5000), 1),
    }  # fmt: skip
    return {
        name: (decode, json.dumps(value, separators=(",", ":")).encode(), count)
        for name, (decode, value, count) in rows.items()
    }


def _binance_history(body: bytes) -> object:
    return BinanceHistory(NAMES).decode(body, MINUTE_NS)


def _oanda_history(body: bytes) -> object:
    return OandaHistory(NAMES).decode(body, MINUTE_NS)


def _row(minute: int) -> list[object]:
    at = AT_MS + 60_000 * minute
    return [at, "1.0", "1.5", "0.5", "1.2", "7", at + 59_999, "8", 9, "1", "1", "0"]


def _candles(count: int) -> dict[str, object]:
    mid = {"o": "1.10001", "h": "1.10009", "l": "1.10000", "c": "1.10005"}
    candles = [
        {
            "complete": True,
            "volume": 42,
            "time": utc_text((AT_MS + 60_000 * k) * 1_000_000).replace("Z", ".000000000Z"),
            "mid": mid,
        }
        for k in range(count)
    ]
    return {"instrument": "EUR_USD", "granularity": "M1", "candles": candles}


def measure(decode: Decode, frame: bytes, count: int) -> float:
    """Return microseconds a frame."""
    began = time.thread_time_ns()
    for _ in range(count):
        decode(frame)
    return (time.thread_time_ns() - began) / count / 1000


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.codecs", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    gc.disable()
    print(f"{'frame':24}{'bytes':>9}{'us':>10}{'untyped us':>12}{'ratio':>8}")
    for name, (decode, frame, count) in frames().items():
        pairs = [
            (measure(decode, frame, count), measure(msgspec.json.decode, frame, count))
            for _ in range(rounds)
        ]
        ours = statistics.median(pair[0] for pair in pairs)
        floor = statistics.median(pair[1] for pair in pairs)
        ratio = statistics.median(pair[0] / pair[1] for pair in pairs)
        print(f"{name:24}{len(frame):9,}{ours:10.2f}{floor:12.2f}{ratio:8.1f}")
        gc.collect()


if __name__ == "__main__":
    main()
