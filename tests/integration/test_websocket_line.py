"""A websocket gives every message on once, in order, as it is read or a little later (F3)."""

from __future__ import annotations

import asyncio
import random  # noqa: TID251 - seeded here
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.server import ServerConnection, serve

from adapters.feeds.backoff import LineError
from adapters.feeds.line import LineLimits
from adapters.feeds.outbox import Outbox
from adapters.feeds.websocket import DirectConnection, WebsocketLine, WebsocketOpener

LIMITS = LineLimits(open_timeout_s=2.0, close_timeout_s=0.3, max_frame_bytes=4096, max_queue=4)
COUNT = 400


class Found(list[bytes | str]):
    """The frames that were given on; ``came`` once there are so many."""

    def __init__(self, count: int) -> None:
        """Begin with none."""
        super().__init__()
        self._count = count
        self.came = asyncio.Event()

    def take(self, frame: bytes | str) -> None:
        """Take one."""
        self.append(frame)
        if len(self) >= self._count:
            self.came.set()


class Gate:
    """Room that somebody closes and opens."""

    def __init__(self) -> None:
        """Begin with room."""
        self._opened = asyncio.Event()
        self._opened.set()

    def close(self) -> None:
        """Say that there is none."""
        self._opened.clear()

    def open(self) -> None:
        """Say that there is room again."""
        self._opened.set()

    def has_room(self) -> bool:
        """Whether there is."""
        return self._opened.is_set()

    async def room(self) -> None:
        """Wait until there is."""
        await self._opened.wait()


@asynccontextmanager
async def venue(
    send: Callable[[ServerConnection], object],
) -> AsyncIterator[WebsocketLine]:
    """Serve what ``send`` sends and hangs up; yield an open line to it."""

    async def one(connection: ServerConnection) -> None:
        await send(connection)  # type: ignore[misc]

    async with serve(one, "127.0.0.1", 0, compression=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        line = await WebsocketOpener(f"ws://127.0.0.1:{port}/", LIMITS).open()
        try:
            yield line
        finally:
            await line.close()


async def _numbers(connection: ServerConnection) -> None:
    rng = random.Random(5)
    for number in range(COUNT):
        text = str(number)
        if rng.random() < 0.3:
            await connection.send([text[:1], text[1:]])  # in two fragments
        else:
            await connection.send(text if rng.random() < 0.5 else text.encode())
        if rng.random() < 0.02:
            await connection.ping()
            await asyncio.sleep(0.001)


@pytest.mark.parametrize("seed", range(4))
async def test_messages_come_whole_once_and_in_order_however_room_comes_and_goes(
    seed: int,
) -> None:
    """Cut in fragments or not, with frames read before the delivery began, and with pauses."""
    rng, gate, found = random.Random(seed), Gate(), list[bytes | str]()

    def take(frame: bytes | str) -> None:
        assert gate.has_room()
        found.append(frame)
        if rng.random() < 0.1:
            gate.close()
            asyncio.get_running_loop().call_later(rng.choice((0.0, 0.003)), gate.open)

    async with venue(_numbers) as line:
        await asyncio.sleep(rng.choice((0.0, 0.05)))
        with pytest.raises(LineError):
            await asyncio.wait_for(line.deliver(take, gate), 20)

    assert found == [str(number).encode() for number in range(COUNT)]


async def test_most_messages_are_given_on_where_they_are_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Control: with room, the library's queue sees fragments only."""
    queued: list[bytes] = []
    receive = DirectConnection.recv

    async def noted(self: DirectConnection, *, decode: bool) -> object:
        message = await receive(self, decode=decode)
        assert isinstance(message, bytes)
        queued.append(message)
        return message

    async def send(connection: ServerConnection) -> None:
        await connection.recv()
        await connection.send(["2", "0"])
        await connection.recv()
        for number in range(20):
            await connection.send(str(number))
        await connection.recv()

    monkeypatch.setattr(DirectConnection, "recv", noted)
    cut, found = asyncio.Event(), Found(21)

    def take(frame: bytes | str) -> None:
        found.take(frame)
        cut.set()

    async with venue(send) as line:
        delivery = asyncio.create_task(line.deliver(take, Outbox(1)))
        await asyncio.sleep(0)
        await line.send(b"begin")
        await cut.wait()
        await line.send(b"go on")
        await found.came.wait()
        line.abort()
        with pytest.raises(LineError):
            await delivery

    assert queued == [b"20"]
    assert found == [b"20", *(str(number).encode() for number in range(20))]


async def test_without_room_nothing_is_given_on_and_nothing_is_lost() -> None:
    """The venue is held up meanwhile; afterwards all of it comes."""
    gate, found = Gate(), Found(COUNT)

    async def send(connection: ServerConnection) -> None:
        await connection.recv()
        for number in range(COUNT):
            await connection.send(str(number))
        await connection.recv()

    async with venue(send) as line:
        delivery = asyncio.create_task(line.deliver(found.take, gate))
        await asyncio.sleep(0)
        gate.close()
        await line.send(b"begin")
        await asyncio.sleep(0.05)
        assert found == []
        gate.open()
        await asyncio.wait_for(found.came.wait(), 5)
        delivery.cancel()
        await asyncio.wait([delivery])

    assert found == [str(number).encode() for number in range(COUNT)]


@pytest.mark.parametrize("is_direct", [True, False])
async def test_what_the_taker_raises_ends_the_delivery(*, is_direct: bool) -> None:
    """It comes out of the delivery itself, and nothing is given on after it."""
    found: list[bytes | str] = []

    def take(frame: bytes | str) -> None:
        found.append(frame)
        if frame == b"2":
            raise ZeroDivisionError

    async def send(connection: ServerConnection) -> None:
        await connection.recv()
        for number in range(6):
            await connection.send(str(number) if is_direct else [str(number), ""])
        await connection.recv()

    async with venue(send) as line:
        delivery = asyncio.create_task(line.deliver(take, Outbox(1)))
        await asyncio.sleep(0)
        await line.send(b"begin")
        with pytest.raises(ZeroDivisionError):
            await asyncio.wait_for(delivery, 5)

    assert found == [b"0", b"1", b"2"]


async def test_after_the_delivery_nothing_is_given_on() -> None:
    """A session that has let go of a line hears no more of it, also while it closes."""
    found = Found(3)

    async def send(connection: ServerConnection) -> None:
        number = 0
        while True:
            await connection.send(str(number))
            await asyncio.sleep(0.001)
            number += 1

    async with venue(send) as line:
        delivery = asyncio.create_task(line.deliver(found.take, Outbox(1)))
        await found.came.wait()
        delivery.cancel()
        await asyncio.wait([delivery])
        count = len(found)
        await asyncio.sleep(0.02)

    assert len(found) == count
