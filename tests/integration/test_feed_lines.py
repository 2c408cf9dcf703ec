"""Lines and histories over real sockets: their limits hold, their errors say no secret (SEC-1)."""

from __future__ import annotations

import asyncio
import random  # noqa: TID251 - seeded here
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path

import pytest
from aiohttp import web
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from adapters.clock import SystemClock
from adapters.feeds.backfill import RestHistory, RestLimits
from adapters.feeds.backoff import BackoffLimits, LineError, should_reconnect
from adapters.feeds.bar_policy import PolicyLimits
from adapters.feeds.events import BarClosed, Disconnected, FeedEvent, Stale
from adapters.feeds.expected import AlwaysOpen
from adapters.feeds.intake import Intake
from adapters.feeds.line import LineLimits
from adapters.feeds.outbox import Outbox
from adapters.feeds.recorder import Recorder
from adapters.feeds.recording import read_frames
from adapters.feeds.series import SeriesRules, SeriesSpec
from adapters.feeds.session import FeedSession, SessionLimits
from adapters.feeds.stream import StreamOpener
from adapters.feeds.websocket import WebsocketOpener
from state.bars import Bar
from state.errors import FeedError
from state.units import MINUTE_NS
from tests.fakes.hostile_feed import GRACE_NS, INTERVAL_NS, SYMBOL, bar_of
from tests.fakes.small_codec import SmallCodec, bar_frame

KEY = "c4n4ryK3y"
HEADERS = {"Authorization": f"Bearer {KEY}"}
LIMITS = LineLimits(open_timeout_s=0.3, close_timeout_s=0.3, max_frame_bytes=4096)


@asynccontextmanager
async def answering(answer: object) -> AsyncIterator[str]:
    """Serve every request with a coroutine function; yield the address, with a key in it."""
    app = web.Application()
    app.router.add_get("/{rest:.*}", answer)  # type: ignore[arg-type]
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        port = runner.addresses[0][1]
        yield f"http://127.0.0.1:{port}/v3?token={KEY}"
    finally:
        await runner.cleanup()


async def _stream(request: web.Request, *parts: bytes) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    for part in parts:
        await response.write(part)
    return response


async def test_a_stream_gives_its_lines_however_they_were_cut() -> None:
    """F2: whole lines only, empty ones left out; its end is a lost line, not silence."""

    async def answer(request: web.Request) -> web.StreamResponse:
        assert request.headers["Authorization"] == f"Bearer {KEY}"
        return await _stream(request, b'{"a":', b"1}\n\r\n\n", b'{"b":2}\n{"c":3}\n')

    async with answering(answer) as url:
        line = await StreamOpener(url, LIMITS, HEADERS).open()
        found: list[bytes | str] = []
        with pytest.raises(LineError, match="ended the stream"):
            await line.deliver(found.append, Outbox(1))
        assert found == [b'{"a":1}\n', b'{"b":2}\n', b'{"c":3}\n']
        with pytest.raises(LineError, match="takes no frames"):
            await line.send(b"x")
        await line.close()


async def test_a_stream_line_above_the_limit_is_never_held() -> None:
    """RES-1: without an end it is refused once it is too long."""

    async def answer(request: web.Request) -> web.StreamResponse:
        return await _stream(request, *[b"x" * 1024] * 64)

    async with answering(answer) as url:
        line = await StreamOpener(url, LIMITS).open()
        with pytest.raises(LineError) as caught:
            await line.deliver(lambda _: pytest.fail("it was given on"), Outbox(1))
        await line.close()

    assert caught.value.code == "FRAME_TOO_LARGE"


async def test_a_stream_that_is_aborted_ends_for_who_waits_for_it() -> None:
    """F4: a silent line can be dropped from beside; closing it then hangs nothing."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = await _stream(request, b"1\n")
        await asyncio.sleep(30)
        return response

    async with answering(answer) as url:
        line = await StreamOpener(url, LIMITS).open()
        came = asyncio.Event()
        waiting = asyncio.create_task(line.deliver(lambda _: came.set(), Outbox(1)))
        await came.wait()
        line.abort()
        with pytest.raises(LineError):
            await asyncio.wait_for(waiting, 2)
        await line.close()


@pytest.mark.parametrize("status", [401, 403, 302, 429, 503])
async def test_an_answer_that_is_a_no_keeps_its_status_and_no_key(status: int) -> None:
    """F3, SEC-1: 401 and 403 are final; the words of the venue stand there without the key."""

    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=status, text=f"bad key {KEY}", headers={"Location": "/x"})

    async with answering(answer) as url:
        with pytest.raises(LineError) as caught:
            await StreamOpener(url, LIMITS, HEADERS, [KEY]).open()

    assert caught.value.status == status
    assert should_reconnect(caught.value) is (status not in (401, 403))
    assert "bad key ***" in str(caught.value)
    assert KEY not in str(caught.value)


async def test_a_websocket_that_is_refused_keeps_its_status_and_no_key() -> None:
    """F3, SEC-1: by the status of the handshake."""

    def refuse(line: ServerConnection, request: Request) -> Response:
        return line.respond(HTTPStatus.UNAUTHORIZED, f"bad key {KEY}")

    async def nothing(line: ServerConnection) -> None:
        await line.wait_closed()

    async with serve(nothing, "127.0.0.1", 0, process_request=refuse) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        with pytest.raises(LineError) as caught:
            await WebsocketOpener(f"ws://127.0.0.1:{port}/?t={KEY}", LIMITS, HEADERS).open()

    assert caught.value.status == 401
    assert not should_reconnect(caught.value)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("scheme", ["ws", "http"])
async def test_an_address_that_says_nothing_is_given_up_in_time(scheme: str) -> None:
    """F3: accepted and never answered is a lost line after the limit; so is nobody listening."""

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    opener: type[WebsocketOpener | StreamOpener]
    opener = WebsocketOpener if scheme == "ws" else StreamOpener
    server = await asyncio.start_server(mute, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    for expected in ("within 0.3 s|timed out", "(?i)connect"):
        with pytest.raises(LineError, match=expected) as caught:
            await opener(f"{scheme}://127.0.0.1:{port}/?token={KEY}", LIMITS).open()
        assert should_reconnect(caught.value)
        assert KEY not in str(caught.value)
        server.close()
        await server.wait_closed()


@pytest.mark.parametrize("url", ["ws://", "nonsense", "ws://[/"])
async def test_an_address_that_is_none_is_an_error_for_people(url: str) -> None:
    """Never a traceback for a user's mistake."""
    with pytest.raises(LineError):
        await WebsocketOpener(url, LIMITS).open()


async def test_a_session_over_a_stream_tells_silence_and_keeps_its_frames(tmp_path: Path) -> None:
    """F2, F4, F6: chunked lines are a feed like any other; a stall is found and opened anew."""
    asked = 0

    async def answer(request: web.Request) -> web.StreamResponse:
        nonlocal asked
        asked += 1
        response = await _stream(request, b"\n")
        number = SystemClock().now_ns() // INTERVAL_NS
        for one in range(number, number + 3 if asked == 1 else number + 50):
            await asyncio.sleep(max(0.0, (bar_of(one).close_ns - SystemClock().now_ns()) / 1e9))
            await response.write(bar_frame(SYMBOL, bar_of(one)).encode() + b"\n")
        await asyncio.sleep(30)
        return response

    clock = SystemClock()
    rules = SeriesRules(INTERVAL_NS, PolicyLimits(grace_ns=GRACE_NS))
    intake = Intake([SeriesSpec(SYMBOL, AlwaysOpen())], rules, clock.now_ns())
    limits = SessionLimits(silent_after_s=0.4, nap_s=0.02, pauses=BackoffLimits(first_s=0.05))
    found: list[FeedEvent] = []
    with Recorder(tmp_path, is_durable=False, kind="frames") as recorder:
        async with answering(answer) as url, asyncio.timeout(10):
            opener = StreamOpener(url, LIMITS, HEADERS)
            session = FeedSession(
                SmallCodec(greets=False), opener, intake, clock, random.Random(1), limits,
                on_frame=recorder.add_frame,
            )  # fmt: skip
            five = asyncio.Event()

            def take() -> None:
                while (event := session.take_event()) is not None:
                    found.append(event)
                if sum(isinstance(one, BarClosed) for one in found) >= 5:
                    five.set()

            session.on_events(take)
            running = asyncio.create_task(session.run())
            await five.wait()
            running.cancel()
            await asyncio.wait([running])

    bars = [one.bar for one in found if isinstance(one, BarClosed)]
    assert bars == [bar_of(one.open_ns // INTERVAL_NS) for one in bars]
    assert [one.code for one in found if isinstance(one, Disconnected)] == ["LINE_SILENT"]
    assert any(isinstance(one, Stale) for one in found)
    assert len(list(read_frames(tmp_path))) >= len(bars)
    assert KEY not in repr(found) + repr(session.status())


class Pages:
    """A history codec that answers with one bar a line: ``minute close``."""

    max_bars = 3

    def __init__(self, url: str) -> None:
        """Take the address."""
        self._url = url

    def request(self, symbol: str, interval_ns: int, from_ns: int, to_ns: int) -> str:
        """Ask by minutes."""
        return f"{self._url}&s={symbol}&from={from_ns // MINUTE_NS}&to={to_ns // MINUTE_NS}"

    def parse(self, answer: bytes, symbol: str, interval_ns: int) -> Sequence[Bar]:
        """Read the lines."""
        try:
            rows = [(int(a), float(b)) for a, b in (one.split() for one in answer.splitlines())]
        except ValueError as error:
            raise FeedError(f"expected a minute and a price: {error}") from None
        return [Bar(n * MINUTE_NS, (n + 1) * MINUTE_NS, p, p, p, p) for n, p in rows]


def history(url: str, **limits: float) -> RestHistory:
    """Make a history with small limits."""
    made = RestLimits(timeout_s=0.3, max_bytes=2048, max_pages=4)
    for name, value in limits.items():
        object.__setattr__(made, name, value)
    return RestHistory(Pages(url), made, HEADERS, [KEY])


async def fetch(url: str, minutes: int = 8) -> list[int]:
    """Ask for so many minutes from the 10th; return which came."""
    bars = await history(url).fetch("EURUSD", MINUTE_NS, 10 * MINUTE_NS, (10 + minutes) * MINUTE_NS)
    return [one.open_ns // MINUTE_NS for one in bars]


async def test_history_comes_in_pages_by_time_and_only_what_was_asked() -> None:
    """F5: from (inclusive) to (exclusive), each once, however the venue sorts and overlaps."""
    asked: list[tuple[int, int]] = []

    async def answer(request: web.Request) -> web.Response:
        first, last = int(request.query["from"]), int(request.query["to"])
        asked.append((first, last))
        rows = [f"{n} 1.5" for n in range(last + 1, first - 2, -1) if n != 12]
        return web.Response(text="\n".join(rows))

    async with answering(answer) as url:
        assert await fetch(url) == [10, 11, 13, 14, 15, 16, 17]
    assert asked == [(10, 13), (13, 16), (16, 18)]


async def _too_much(request: web.Request) -> web.StreamResponse:
    return await _stream(request, *[b"1 1.0\n" * 1000] * 4)


async def _never(request: web.Request) -> web.Response:
    await asyncio.sleep(30)
    return web.Response()


async def _down(request: web.Request) -> web.Response:
    return web.Response(status=503, text=f"maintenance of {KEY}")


async def _elsewhere(request: web.Request) -> web.Response:
    return web.Response(status=302, headers={"Location": "http://127.0.0.1:1/"})


async def _nonsense(request: web.Request) -> web.Response:
    return web.Response(text="<html>")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (_too_much, "at most 2048 bytes, found more"),
        (_never, "no answer within 0.3 s"),
        (_down, "status 503: b'maintenance of \\*\\*\\*'"),
        (_elsewhere, "status 302"),
        (_nonsense, "expected a minute and a price"),
    ],
)
async def test_a_history_that_fails_says_so_without_the_key(answer: object, said: str) -> None:
    """F5, RES-1, SEC-1: within its limits of time and size; nothing is invented."""
    async with answering(answer) as url:
        with pytest.raises(FeedError, match=said) as caught:
            await fetch(url)

    assert KEY not in str(caught.value)


async def test_a_gap_that_is_too_long_is_refused_before_anybody_is_asked() -> None:
    """F5: pages are bounded, and so is what one question can cost."""
    with pytest.raises(FeedError, match="13 bars are missing, at most 12 are asked for"):
        await fetch("http://127.0.0.1:1/?x=1", minutes=13)
    with pytest.raises(FeedError) as caught:
        await fetch(f"http://127.0.0.1:1/?token={KEY}")
    assert KEY not in str(caught.value)
