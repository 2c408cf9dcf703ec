"""Frames as venues sent them: read, or refused in a line; never guessed.

Only the captures of exchanges are recordings. The fixtures of OANDA and the small ones of Binance
are documentation examples kept by other projects.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import random  # noqa: TID251 - seeded here
import re
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection, serve

from adapters.clock import SystemClock
from adapters.feeds.bar_policy import PolicyLimits
from adapters.feeds.binance.codec import BinanceCodec
from adapters.feeds.binance.history import BinanceHistory
from adapters.feeds.expected import AlwaysOpen
from adapters.feeds.intake import Intake
from adapters.feeds.line import LineLimits
from adapters.feeds.oanda.codec import OandaCodec
from adapters.feeds.series import SeriesRules, SeriesSpec
from adapters.feeds.session import FeedSession, FeedStatus
from adapters.feeds.websocket import WebsocketOpener
from adapters.feeds.wire import BarUpdate, Event, FrameError, Heartbeat, Quote, Tick
from state.bars import impossible
from state.units import DAY_NS, MINUTE_NS
from tests.builders import shared_data

RECEIVED = re.compile(r"[0-9]+\.[0-9]+: (.*)")
SPOT = {"NKNUSD": "NKNUSDT", "BLZETH": "BLZETH", "LRCBTC": "LRCBTC", "RUNEEUR": "RUNEEUR"}
FUTURES = {name: f"{name}USDT" for name in ("SUSHI", "AKRO", "KEEP", "CTK")}


def captured(name: str) -> list[str]:
    """Return what a capture received, in order, without the receiver's stamps."""
    path = shared_data() / "frames" / "cryptofeed" / name
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    found = [match[1] for line in lines if (match := RECEIVED.fullmatch(line))]
    assert found
    return found


def decoded(name: str, symbols: dict[str, str]) -> Iterator[tuple[dict[str, object], Event]]:
    """Decode a capture of Binance; yield the venue's event with each of ours."""
    codec = BinanceCodec(symbols, ("kline_1m", "aggTrade"))
    for frame in captured(name):
        for event in codec.decode(frame):
            yield json.loads(frame)["data"], event


@pytest.mark.parametrize(
    ("name", "symbols", "expected"),
    [
        ("BINANCE.ws.1.0.gz", SPOT, {"BarUpdate": 2, "Tick": 2}),
        ("BINANCE_FUTURES.ws.1.0.part_a.gz", FUTURES, {"BarUpdate": 36, "Tick": 51}),
    ],
)
def test_captures_of_binance_are_read(
    name: str, symbols: dict[str, str], expected: dict[str, int]
) -> None:
    """Every frame; as many klines and trades as the capture has, with its prices and times."""
    kinds: Counter[str] = Counter()
    for sent, event in decoded(name, symbols):
        kinds[type(event).__name__] += 1
        if isinstance(event, Tick):
            assert symbols[event.symbol] == sent["s"]
            assert (repr(event.price), event.at_ns) == (
                repr(float(str(sent["p"]))),
                int(str(sent["T"])) * 1_000_000,
            )
        elif isinstance(event, BarUpdate):
            kline = sent["k"]
            assert isinstance(kline, dict)
            bar = event.bar
            assert (event.interval_ns, event.closed) == (MINUTE_NS, kline["x"])
            assert impossible(bar.open, bar.high, bar.low, bar.close) is None
            assert [bar.open, bar.high, bar.low, bar.close, bar.volume] == [
                float(kline[key]) for key in "ohlcv"
            ]

    assert kinds == expected


@pytest.mark.parametrize(
    "name",
    [
        "BITMEX.ws.1.0.part_a.gz",
        "BITSTAMP.ws.1.0.gz",
        "BYBIT.ws.25.0.part_a.gz",
        "COINBASE.ws.28.0.part_a.gz",
        "KRAKEN.ws.48.0.gz",
        "KRAKEN.ws.50.0.part_a.gz",
    ],
)
def test_frames_of_other_exchanges_are_refused(name: str) -> None:
    """Each of them, in a short line that names what was found; none is taken for Binance's."""
    codec = BinanceCodec(SPOT, ("trade",))
    for frame in captured(name):
        with pytest.raises(FrameError, match=r"^binance: expected .*, found ") as caught:
            codec.decode(frame)
        assert len(str(caught.value)) < 260


def members(name: str) -> Iterator[tuple[str, bytes]]:
    """Yield the JSON files of an archive of fixtures."""
    path: Path = shared_data() / "frames" / f"{name}.zip"
    with zipfile.ZipFile(path) as archive:
        for member in sorted(archive.namelist()):
            if member.endswith(".json"):
                yield member, archive.read(member)


def test_fixtures_of_binance_are_read_or_refused() -> None:
    """Market messages are read; of accounts and orders, on another socket, none is taken."""
    codec = BinanceCodec({"BTCUSD": "BTCUSDT"})
    found: dict[str, Sequence[Event]] = {}
    refused: dict[str, str] = {}
    for member, body in members("nautilus_binance"):
        try:
            found[member] = codec.decode(body)
        except FrameError as error:
            assert len(str(error)) < 260
            refused[member] = str(error)
    market = "futures/market_data_json/"
    events = {member: [type(one).__name__ for one in all_] for member, all_ in found.items()}

    assert {member: kinds for member, kinds in events.items() if kinds} == {
        f"{market}kline_stream_closed.json": ["BarUpdate"],
    }
    # The documentation's own examples: a low above its open, and trades stamped in 1970.
    assert "LOW_TOO_HIGH" in refused[f"{market}kline_stream_open.json"]
    assert "years 2000" in refused[f"{market}trade_stream.json"]
    assert "years 2000" in refused[f"{market}agg_trade_stream.json"]
    assert not any(member.startswith(("futures/user", "spot/user")) for member in found)


def test_fixtures_of_other_exchanges_are_refused() -> None:
    """REST answers of Bybit and Coinbase look like answers to a subscription, and are none."""
    codec = BinanceCodec({"BTCUSD": "BTCUSDT"})
    for name in ("nautilus_bybit", "nautilus_coinbase"):
        for member, body in members(name):
            with pytest.raises(FrameError):
                pytest.fail(f"{member}: {codec.decode(body)}")


def test_the_history_example_of_binance_is_read() -> None:
    """The documentation's row is of one week."""
    body = dict(members("nautilus_binance"))["spot/http_json/klines_response.json"]
    (bar,) = BinanceHistory({"ETHBTC": "ETHBTC"}).decode(body, 7 * DAY_NS)

    assert (bar.open, bar.high, bar.low, bar.close) == (0.0163479, 0.8, 0.015758, 0.015771)
    assert bar.open_ns == 1_499_040_000_000 * 1_000_000


def test_examples_of_oandas_stream_are_read() -> None:
    """Prices and heartbeats as a client library documents them, one object a line."""
    path = shared_data() / "frames" / "oanda_v20" / "pricing.json"
    examples = json.loads(path.read_text(encoding="utf-8"))
    lines = examples["_v3_accounts_accountID_pricing_stream"]["response"]
    codec = OandaCodec({"EURUSD": "EUR_USD", "EURJPY": "EUR_JPY"})
    events = [event for line in lines for event in codec.decode(json.dumps(line))]

    assert [type(event).__name__ for event in events] == ["Quote", "Heartbeat", "Quote", "Quote"]
    for line, event in zip(lines, events, strict=True):
        if isinstance(event, Quote):
            assert event.tradeable
            assert event.bid == max(float(one["price"]) for one in line["bids"])
            assert event.ask == min(float(one["price"]) for one in line["asks"])
        else:
            assert isinstance(event, Heartbeat)
            assert event.at_ns == 1_477_557_524_327_443_673


def test_other_answers_of_oanda_are_refused() -> None:
    """Accounts, orders and books are no lines of the price stream."""
    codec = OandaCodec({"EURUSD": "EUR_USD"})
    for name in ("accounts", "instruments", "orders"):
        path = shared_data() / "frames" / "oanda_v20" / f"{name}.json"
        for key, example in json.loads(path.read_text(encoding="utf-8")).items():
            with pytest.raises(FrameError):
                pytest.fail(f"{key}: {codec.decode(json.dumps(example.get('response')))}")


async def over_a_socket(name: str, symbols: dict[str, str], *, ends: int) -> FeedStatus:
    """Serve a capture from 127.0.0.1 to a session of Binance's codec until ``ends`` frames came."""
    frames = captured(name)
    seen, all_seen = 0, asyncio.Event()

    async def speak(line: ServerConnection) -> None:
        for frame in frames:
            await line.send(frame)
        await line.wait_closed()

    def count(at_ns: int, frame: bytes | str) -> None:
        nonlocal seen
        seen += 1
        if seen == min(ends, len(frames)):
            all_seen.set()

    rules = SeriesRules(MINUTE_NS, PolicyLimits())
    clock = SystemClock()
    intake = Intake([SeriesSpec(one, AlwaysOpen()) for one in symbols], rules, clock.now_ns())
    async with serve(speak, "127.0.0.1", 0, compression=None, close_timeout=0.2) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        opener = WebsocketOpener(f"ws://127.0.0.1:{port}", LineLimits())
        codec = BinanceCodec(symbols, ("kline_1m", "aggTrade"))
        session = FeedSession(codec, opener, intake, clock, random.Random(7), on_frame=count)
        task = asyncio.ensure_future(session.run())
        async with asyncio.timeout(20):
            await all_seen.wait()
        status = session.status()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    return status


async def test_a_capture_of_binance_connects_over_a_real_socket() -> None:
    """F2, F3: every frame is taken, none is refused, and its prices prove the flow."""
    status = await over_a_socket("BINANCE.ws.1.0.gz", SPOT, ends=10**9)

    assert status.connected
    assert "FRAME_REFUSED" not in status.refused


@pytest.mark.parametrize(
    "name",
    [
        "BITMEX.ws.1.0.part_a.gz",
        "BYBIT.ws.25.0.part_a.gz",
        "COINBASE.ws.28.0.part_a.gz",
        "KRAKEN.ws.48.0.gz",
    ],
)
async def test_captures_of_others_never_connect_over_a_real_socket(name: str) -> None:
    """FEED-2: each frame is refused and counted, the last one in words; no bar, no flow."""
    frames = captured(name)[:200]
    status = await over_a_socket(name, SPOT, ends=len(frames))

    assert not status.connected
    assert status.refused["FRAME_REFUSED"] >= len(frames) - 1
    assert status.last_reason == "FRAME_REFUSED"
    assert "binance: expected" in status.last_text
