"""How long a frame takes to become a decision in the whole daemon, over a real socket.

``python -m benchmarks.live_decision`` starts a venue as a process of its own that sends a thousand
closed bars a second over loopback. The daemon (uvloop, with every task; its wall clock runs sixty
thousand times as fast, so that a minute is a thousandth of a second and a trading day 1.44 s; a
status line a second) steps each of them; on every hundredth its strategy wishes to enter.
Measured is the time from the sending of a frame to the strategy's answer, for a wish to the desk's
decision with every gate asked, and to the order that leaves, its intent being on the disk. The
floor is a bare client of the same library that receives and parses the same frames in the same run.

``--burst 500``: that many symbols close their bars in one go, once a second, and the strategies of
the first ``--wishing`` of them (all) wish on every second one: from the first frame to the last
answer, decision and order. ``--wishing 0``: nobody wishes, nothing waits for the disk.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from adapters.clock import SystemClock

if TYPE_CHECKING:
    from daemon.core.desk import Desk
    from daemon.core.effects import Effect
    from daemon.core.engine import Engine
    from daemon.runtime.dispatch import Dispatch
    from state.bars import Bar

SPEED: Final = 60_000
BURST_SPEED: Final = 60
GRACE_MS: Final = 400
"""How long the bars of an instant wait for each other, of the real time."""
WARM_S: Final = 2.0
"""Left out at the start: the first bars load what is loaded once."""
CONFIG: Final = """
[portfolio]
id = "bench"
base_currency = "USD"
equity = 10_000_000
data_dir = "{folder}/var"
[control]
dir = "{folder}/control"
[sizing]
kind = "fixed"
quantity = 1000
[risk]
daily_r_stop = false
[risk.strategy]
trades_per_day = false
r_stop = false
[risk.caps]
max_order_value = 1_000_000_000
max_gross_exposure = 1_000_000_000
max_positions = 1000
max_positions_per_symbol = 5
[pacing]
enabled = false
[end_of_day]
reports = false
{strategies}
[feed]
source = "generic"
warm_up_bars = 0
bar_grace_ms = {grace_ms}
clock_skew_ms = 60000
[[feed.hours]]
symbols = {symbols}
start = 00:00:00
end = "24:00"
zone = "UTC"
weekdays = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
[feed.generic]
url = "ws://127.0.0.1:{port}/"
side = "mid"
closed = "x"
volume = "v"
symbol = "s"
"""
INSTRUMENT: Final = """
[instruments.{symbol}]
quote_currency = "USD"
pip = 0.0001
tick = 0.00001
lot = 1000
min_quantity = 1000
spread_pips = 0.2
"""
STRATEGY: Final = """
[[strategies]]
name = "{name}"
kind = "talker.py:{name}"
symbols = {symbols}
interval = "1m"
"""
EVERY: Final = 100
TALKER: Final = '''
from foliod import Signal, Strategy


class Talker(Strategy):
    """Wishes to enter now and then; the bar after it stops the trade out."""

    bars = 0

    def on_bar(self, bar, in_window):
        """Wish."""
        self.bars += 1
        if self.bars % {every}:
            return None
        return Signal(1, stop_distance=0.0005, target_r=1.0)

    def state(self):
        """Keep nothing."""
        return {{}}

    def restore(self, state):
        """Take nothing back."""


class Silent(Talker):
    """Looks at its bars and wishes nothing."""

    def on_bar(self, bar, in_window):
        """Look."""
        return None
'''
VENUE: Final = """
import json, socket, sys, time
from websockets.frames import Frame, Opcode
from websockets.server import ServerProtocol

start, speed, steady = float(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
symbols = sys.argv[4].split(",")
STAMP, READY = b"1234567890123.123", 0.0003

def frames(minute):
    prices = {"o": 1.1, "h": 1.1008, "l": 1.0992, "c": 1.1001}
    for one in symbols:
        bar = json.dumps({"s": one, "t": (minute - 1) * 60000, **prices, "x": True})
        text = f'{bar[:-1]}, "v": {STAMP.decode()}}}'
        yield Frame(Opcode.TEXT, text.encode()).serialize(mask=False)

def greet(line):
    protocol = ServerProtocol()
    while not (asked := protocol.events_received()):
        protocol.receive_data(line.recv(65536))
    protocol.send_response(protocol.accept(asked[0]))
    line.sendall(b"".join(protocol.data_to_send()))

def send(line):
    minute = int((start + (time.monotonic() - steady) * speed) // 60)
    while True:
        minute += 1
        ends = steady + (minute * 60 - start) / speed
        time.sleep(max(0, ends - READY - time.monotonic()))
        parts = b"".join(frames(minute)).split(STAMP)
        while time.monotonic() < ends:
            pass
        line.sendall((b"%17.3f" % (time.monotonic_ns() / 1e3)).join(parts))

with socket.create_server(("127.0.0.1", 0)) as server:
    print(server.getsockname()[1], flush=True)
    while True:
        line, _ = server.accept()
        with line:
            try:
                line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                greet(line)
                send(line)
            except OSError:
                pass
"""


class FastClock:
    """A wall clock that runs ``speed`` times as fast."""

    def __init__(self, speed: int) -> None:
        """Begin now."""
        self.speed = speed
        self._start_ns, self._steady_ns = SystemClock().now_ns(), time.monotonic_ns()
        self.start_s, self.steady_s = self._start_ns / 1e9, self._steady_ns / 1e9

    def now_ns(self) -> int:
        """Return the present instant."""
        return self._start_ns + (time.monotonic_ns() - self._steady_ns) * self.speed


async def bare(port: int, seconds: float) -> list[float]:
    """Receive with the library alone; return the microseconds of closed bars, the last of each
    burst."""
    from websockets.asyncio.client import connect

    found: dict[float, float] = {}
    async with connect(f"ws://127.0.0.1:{port}/", compression=None) as line:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            bar = json.loads(await line.recv())
            if bar["x"]:
                found[bar["v"]] = time.monotonic_ns() / 1e3 - bar["v"]
    return list(found.values())


async def daemon(folder: Path, clock: FastClock, seconds: float) -> list[list[float]]:
    """Run the daemon; return the microseconds to the last answer, decision and order of each
    instant."""
    from config.load import load
    from daemon.core.desk import Desk
    from daemon.core.effects import Submit
    from daemon.core.engine import Engine
    from daemon.live import Live, LiveOptions
    from daemon.runtime.dispatch import Dispatch
    from daemon.runtime.tasks import status

    answered: dict[float, float] = {}
    decided: dict[float, float] = {}
    left: dict[float, float] = {}
    sent_us: dict[int, float] = {}
    on_bar, decide, carry_out = Engine.on_bar, Desk.decide, Dispatch._carry_out

    def timed_on_bar(engine: Engine, bar: Bar) -> Any:  # noqa: ANN401
        answer = on_bar(engine, bar)
        answered[bar.volume] = time.monotonic_ns() / 1e3 - bar.volume
        return answer

    def timed_decide(desk: Desk, engine: Engine, bar: Bar, *given: Any) -> Any:  # noqa: ANN401
        batch = decide(desk, engine, bar, *given)
        sent_us[given[-1]] = bar.volume
        decided[bar.volume] = time.monotonic_ns() / 1e3 - bar.volume
        return batch

    async def timed_carry_out(self: Dispatch, effect: Effect, now_ns: int) -> None:
        if isinstance(effect, Submit) and effect.intent.purpose == "entry":
            us = sent_us[effect.intent.decided_ns]
            left[us] = time.monotonic_ns() / 1e3 - us
        await carry_out(self, effect, now_ns)

    for where, name, what in (
        (status, "STATUS_NS", clock.speed * 10**9),
        (Engine, "on_bar", timed_on_bar),
        (Desk, "decide", timed_decide),
        (Dispatch, "_carry_out", timed_carry_out),
    ):
        setattr(where, name, what)
    options = LiveOptions(1.0, folder / "control", "", io.StringIO(), lambda _: None, folder)
    live = Live(load([folder / "foliod.toml"], {}), options, clock)
    asyncio.get_running_loop().call_later(seconds, os.kill, os.getpid(), signal.SIGTERM)
    await live.run()
    warm_us = min(answered) + WARM_S * 1e6
    return [
        [late for sent, late in found.items() if sent >= warm_us]
        for found in (answered, decided, left)
    ]


def _row(name: str, values: list[float]) -> str:
    if not values:
        return f"| {name} | 0 | - | - | - |"
    ranked = sorted(values)
    p99 = ranked[min(len(ranked) - 1, len(ranked) * 99 // 100)]
    cells = (statistics.median(ranked), p99, ranked[-1])
    return f"| {name} | {len(ranked)} | " + " | ".join(f"{one:,.0f}" for one in cells) + " |"


def main() -> None:
    """Read the command line, measure, print a table."""
    import uvloop

    parser = argparse.ArgumentParser(prog="python -m benchmarks.live_decision", description=__doc__)
    parser.add_argument("--seconds", type=float, default=90)
    parser.add_argument("--burst", type=int, default=1, metavar="SYMBOLS")
    parser.add_argument("--wishing", type=int, metavar="SYMBOLS")
    given = parser.parse_args()
    wishing = given.burst if given.wishing is None else given.wishing
    clock = FastClock(SPEED if given.burst == 1 else BURST_SPEED)
    symbols = [f"SYM{number:03d}" for number in range(given.burst)]
    facts = [str(clock.start_s), str(clock.speed), str(clock.steady_s)]
    venue = subprocess.Popen(
        [sys.executable, "-c", VENUE, *facts, ",".join(symbols)], stdout=subprocess.PIPE, text=True
    )
    assert venue.stdout is not None
    port = int(venue.stdout.readline())
    try:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            strategies = "".join(
                STRATEGY.format(name=name, symbols=json.dumps(ones))
                for name, ones in (("Talker", symbols[:wishing]), ("Silent", symbols[wishing:]))
                if ones
            )
            text = CONFIG.format(
                folder=folder,
                port=port,
                symbols=json.dumps(symbols),
                strategies=strategies,
                grace_ms=min(30_000, clock.speed * GRACE_MS),
            )
            text += "".join(INSTRUMENT.format(symbol=one) for one in symbols)
            (folder / "foliod.toml").write_text(text)
            every = 2 if given.burst > 1 else EVERY
            (folder / "talker.py").write_text(TALKER.format(every=every))
            floor = uvloop.run(bare(port, given.seconds / 3))
            answered, decided, left = uvloop.run(daemon(folder, clock, given.seconds))
    finally:
        venue.kill()
    print("| closed bar's frame to | samples | p50 us | p99 us | max us |")
    print("|---|---:|---:|---:|---:|")
    print(_row("a bare client's JSON", floor))
    print(_row("the strategy's answer", answered))
    print(_row("the desk's decision on a wish", decided))
    print(_row("the order, its intent on the disk", left))


if __name__ == "__main__":
    main()
