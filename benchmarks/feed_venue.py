"""A venue on loopback for ``benchmarks.feed_latency``: bars on time, in a burst, and for a soak.

Its bars are a function of their number, so that whoever receives them can tell a lost, a doubled
and an untrue one. Run as a module it is the server, in a process of its own, and prints its port.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec
import uvloop
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from adapters.clock import SteadyClock, SystemClock
from adapters.feeds.wire import BarUpdate, FrameError
from state.bars import Bar
from state.units import SECOND_NS

LINE_S = 60.0
"""How long a line of a soak lives before it is dropped without a word."""


class Order(msgspec.Struct):
    """What a client asks for: ``count`` bars of each of ``symbols``, ``per_s`` messages a second.

    ``per_s`` 0: all at once. ``drops``: the line ends after ``LINE_S``.
    """

    symbols: int
    interval_ns: int
    per_s: int
    count: int
    drops: bool = False


class Wire(msgspec.Struct):
    """One message: symbol, number of the interval, prices, and when it was sent (monotonic ns)."""

    s: int
    n: int
    p: tuple[float, float, float, float]
    x: int


def bar_of(number: int, interval_ns: int) -> Bar:
    """Return the true bar of an interval, counted from 1970."""
    close = 1.0 + number % 97 / 100
    at = number * interval_ns
    return Bar(at, at + interval_ns, close, close + 0.5, close - 0.5, close)


def symbol_of(index: int) -> str:
    """Return the name of a symbol."""
    return f"S{index:03d}"


class VenueCodec:
    """Decodes this venue; ``latest_x`` is when the last frame was sent."""

    name = "bench"
    side = "mid"

    def __init__(self, order: Order) -> None:
        """Ask for an order."""
        self.latest_x = 0
        self._order = order
        self._decoder = msgspec.json.Decoder(Wire)
        self._interval_ns = order.interval_ns
        self._names = [symbol_of(one) for one in range(order.symbols)]

    def hello(self) -> Sequence[bytes]:
        """Return the order."""
        return [msgspec.json.encode(self._order)]

    def decode(self, frame: bytes | str) -> Sequence[BarUpdate]:
        """Return the bar of a frame."""
        try:
            wire = self._decoder.decode(frame)
        except msgspec.MsgspecError as error:
            raise FrameError(str(error)) from error
        self.latest_x = wire.x
        at = wire.n * self._interval_ns
        bar = Bar(at, at + self._interval_ns, *wire.p)
        return (BarUpdate(self._names[wire.s], self._interval_ns, bar, True),)


async def _serve(line: ServerConnection) -> None:
    try:
        order = msgspec.json.decode(await line.recv(), type=Order)
        await _send(line, order)
        await line.wait_closed()
    except ConnectionClosed:
        pass


async def _send(line: ServerConnection, order: Order) -> None:
    """Send the bars of an order, each at its time: the interval's, and a place in it."""
    clock, steady = SystemClock(), SteadyClock()
    encoder = msgspec.json.Encoder()
    begun_ns = clock.now_ns()
    first = begun_ns // order.interval_ns + 1
    step_ns = SECOND_NS // order.per_s if order.per_s else 0
    for number in range(first, first + order.count):
        bar = bar_of(number, order.interval_ns)
        prices = (bar.open, bar.high, bar.low, bar.close)
        if order.drops and clock.now_ns() - begun_ns > LINE_S * SECOND_NS:
            line.transport.abort()
            return
        for symbol in range(order.symbols):
            due_ns = bar.close_ns + symbol * step_ns
            if order.per_s and (wait_ns := due_ns - clock.now_ns()) > 0:
                await asyncio.sleep(wait_ns / SECOND_NS)
            wire = Wire(symbol, number, prices, steady.now_ns())
            await line.send(encoder.encode(wire), text=True)


async def _main() -> None:
    async with serve(_serve, "127.0.0.1", 0, compression=None, ping_interval=None) as server:
        print(next(iter(server.sockets)).getsockname()[1], flush=True)
        await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    uvloop.run(_main())
