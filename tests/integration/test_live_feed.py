"""The daemon on a live feed over a real socket: trading, silence, loss, refusal, restart (F2-F7).

A minute is a second here. What a venue does is scripted; what the daemon must have done is read
from its journal, its recording and its status.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from http import HTTPStatus
from pathlib import Path

import msgspec
import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from adapters.clock import SystemClock
from adapters.feeds.events import LIVE, BarClosed
from adapters.feeds.generic.codec import GenericCodec
from adapters.feeds.recorder import Recorder
from adapters.feeds.recording import NO_CHAIN, RecordedBar, next_chain, segments
from adapters.feeds.wire import BarUpdate, Event, VenueStatus
from config.load import load
from config.settings import Settings
from daemon.parity import redecide
from daemon.recorded_replay import replay_recording
from daemon.runtime.recorded import FOLDER
from daemon.verify import verify
from state.entries import BarsRefused, Decided, Entry, Filled, HaltCleared, HaltSet, RunStarted
from state.errors import ExitCode
from state.journal import read
from state.units import MINUTE_NS, SECOND_NS
from tests.daemons import ended, spawn
from tests.fakes.bar_socket import (
    BEGIN_NS,
    SYMBOLS,
    BarSocket,
    FastClock,
    after,
    bar_of,
    frame_of,
    hangs_up,
    lags,
    says,
    speaks,
    stalls,
)
from tests.live_homes import Watched, daemon, live_settings, recorded

GRACE_NS = 15 * SECOND_NS
NEXT_FRAME_NS = 30 * SECOND_NS
"""Half a second of a busy machine."""


def minutes(rows: list[RecordedBar], symbol: str) -> list[int]:
    """Return the minutes of a symbol's recorded bars, as recorded; each bar must be true."""
    found = []
    for one in rows:
        if one.symbol == symbol:
            minute = (one.bar.open_ns - BEGIN_NS) // MINUTE_NS
            true = bar_of(symbol, minute)
            assert repr(one.bar) == repr(msgspec.structs.replace(true, volume=one.bar.volume))
            found.append(minute)
    return found


def check_recording(home: Path) -> None:
    """Hold a recording to what the venue sent: every bar true, in order, none twice."""
    rows = recorded(home)
    for symbol in SYMBOLS:
        found = minutes(rows, symbol)
        assert found == sorted(set(found)), symbol
    assert [one.at_ns for one in rows] == sorted(one.at_ns for one in rows)


async def check_decided_again(home: Path, settings: Settings) -> None:
    """Decide everything once more from the recording, in place and into a run of its own."""
    parity = await redecide(home, settings)
    assert parity.ok, parity
    assert parity.whole
    assert parity.entries == parity.until_seq - parity.since_seq > 0
    proof = await verify(home, SystemClock())
    assert proof.ok, proof.parts
    folder = home.parent / "runs" / "again"
    found = await replay_recording(home, folder, SystemClock(), lambda bars, now_ns: None)
    assert found.ok, found.difference
    assert found.same > len(recorded(home)) // 2


def journal(home: Path) -> list[Entry]:
    """Return the whole journal."""
    return [entry for _, entry in read(home / "foliod.db")]


async def test_bars_that_come_are_recorded_traded_and_decided_again(tmp_path: Path) -> None:
    """F6, F5, R5: entries, exits, refusals with their reason; all of it comes out again."""
    wild = msgspec.structs.replace(bar_of("EURUSD", 0), high=1.0, low=1.2)
    future = bar_of("EURUSD", 10_000)
    noise = [frame_of("EURUSD", future), frame_of("EURUSD", future), frame_of("EURUSD", wild)]
    noise += ["no JSON \ud7ff", '{"s": 7, "t": []}']
    socket = BarSocket(FastClock(), says(*noise))
    async with socket.open():
        settings = live_settings(tmp_path, socket.url)
        async with daemon(settings, tmp_path, socket) as found:
            await found.wait_until(lambda: bool(found.of(BarsRefused)))
            await found.wait_until(lambda: len(found.of(Filled)) >= 6)
            await found.wait_until(lambda: found.status().feed.refused >= 2)
            status = found.status()

    check_recording(found.home)
    legs = Counter(one.leg for one in found.of(Filled))
    assert legs["entry"] >= 2
    assert len(legs) >= 2, "exits, too"
    told: Counter[tuple[str, str]] = Counter()
    for one in found.of(BarsRefused):
        told[one.symbol, one.reason] += one.count
        assert one.first
    assert told["EURUSD", "FROM_FUTURE"] == 2
    assert told["", "FRAME_REFUSED"] == 3, "one is no bar, one no JSON, one of another type"
    assert (status.source, status.feed.refused) == ("generic", 5), "three frames could not be read"
    assert status.ws.connected
    await check_decided_again(found.home, settings)


async def test_a_stalled_symbol_is_halted_and_denied_and_goes_on(tmp_path: Path) -> None:
    """F4, R5: its entries are denied with the reason, others trade on, bars in time end it."""
    socket = BarSocket(FastClock(), after(2, lags("EURUSD", 3)))
    async with socket.open():
        settings = live_settings(tmp_path, socket.url)
        async with daemon(settings, tmp_path, socket) as found:
            await found.wait_until(lambda: bool(found.of(HaltSet)))
            heard_ns = socket.clock.now_ns()
            await found.wait_until(
                lambda: any(one.code == "FEED_STALE" for one in found.status().alerts)
            )
            await found.wait_until(lambda: bool(found.of(HaltCleared)))
            await found.wait_until(lambda: accepted_after_the_halt(found.journal(), "EURUSD"))

    entries = journal(found.home)
    (halt,) = found.of(HaltSet)
    (cleared,) = found.of(HaltCleared)
    assert (halt.name, halt.code, cleared.name) == ("stale/EURUSD", "FEED_STALE", "stale/EURUSD")
    last_ns = BEGIN_NS + 2 * MINUTE_NS
    assert heard_ns - (last_ns + MINUTE_NS + GRACE_NS) < NEXT_FRAME_NS, "one interval + grace"
    during = entries[entries.index(halt) : entries.index(cleared)]
    denied = [one for one in during if isinstance(one, Decided) and one.symbol == "EURUSD"]
    assert denied
    for one in denied:
        assert one.outcome == "HALTED"
        verdict = next(v for v in one.verdicts if not v.allowed)
        assert "stale/EURUSD" in verdict.observed
        assert "FEED_STALE" in verdict.observed
    others = [one for one in during if isinstance(one, Decided) and one.symbol == "GBPUSD"]
    assert "ACCEPTED" in {one.outcome for one in others}
    assert any(isinstance(one, Filled) and one.leg != "entry" for one in during), "exits pass"
    check_recording(found.home)
    await check_decided_again(found.home, settings)


def accepted_after_the_halt(entries: list[Entry], symbol: str) -> bool:
    """Whether an entry of a symbol was accepted after a halt had been cleared."""
    cleared = [isinstance(one, HaltCleared) for one in entries].index(True)
    return any(
        isinstance(one, Decided) and (one.symbol, one.outcome) == (symbol, "ACCEPTED")
        for one in entries[cleared:]
    )


async def test_a_symbol_without_orders_at_its_venue_is_halted_until_it_has_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R5: said with the bar of minute 2 and taken back with that of minute 5; others trade on."""
    decode = GenericCodec.decode

    def speaking(codec: GenericCodec, frame: bytes | str) -> Sequence[Event]:
        events = list(decode(codec, frame))
        for one in list(events):
            if isinstance(one, BarUpdate) and one.symbol == "EURUSD":
                minute = (one.bar.open_ns - BEGIN_NS) // MINUTE_NS
                events += [VenueStatus(minute == 5, "said", "EURUSD")] * (minute in (2, 5))
        return events

    monkeypatch.setattr(GenericCodec, "decode", speaking)
    socket = BarSocket(FastClock(), speaks)
    async with socket.open():
        settings = live_settings(tmp_path, socket.url)
        async with daemon(settings, tmp_path, socket) as found:
            await found.wait_until(lambda: bool(found.of(HaltSet)))
            await found.wait_until(
                lambda: any(one.code == "VENUE_CLOSED" for one in found.status().alerts)
            )
            await found.wait_until(lambda: bool(found.of(HaltCleared)))
            await found.wait_until(lambda: accepted_after_the_halt(found.journal(), "EURUSD"))

    entries = journal(found.home)
    (halt,) = found.of(HaltSet)
    (cleared,) = found.of(HaltCleared)
    assert (halt.name, halt.code, cleared.name) == ("venue/EURUSD", "VENUE_CLOSED", "venue/EURUSD")
    during = entries[entries.index(halt) : entries.index(cleared)]
    asked = [one for one in during if isinstance(one, Decided)]
    assert {one.outcome for one in asked if one.symbol == "EURUSD"} == {"HALTED"}
    assert "ACCEPTED" in {one.outcome for one in asked if one.symbol == "GBPUSD"}
    check_recording(found.home)
    await check_decided_again(found.home, settings)


async def test_a_line_that_answers_pings_and_sends_nothing_is_opened_anew(tmp_path: Path) -> None:
    """F3, F4: both symbols stale, the line dropped, a new one, and trading goes on by itself."""
    socket = BarSocket(FastClock(), after(2, stalls), speaks)
    async with socket.open():
        settings = live_settings(tmp_path, socket.url, "silent_after_s = 90.0")
        async with daemon(settings, tmp_path, socket) as found:
            await found.wait_until(lambda: len(found.of(HaltSet)) == 2)
            await found.wait_until(lambda: socket.lines == 2)
            await found.wait_until(lambda: len(found.of(HaltCleared)) == 2)
            await found.wait_until(lambda: found.status().ws.connected)

    assert {one.name for one in found.of(HaltSet)} == {"stale/EURUSD", "stale/GBPUSD"}
    lost = [one for one in found.log if one["event"] == "feed lost"]
    assert [one["code"] for one in lost] == ["LINE_SILENT"]
    check_recording(found.home)
    await check_decided_again(found.home, settings)


async def test_lines_that_are_lost_lose_and_double_no_bar_that_was_sent(tmp_path: Path) -> None:
    """F3, FEED-3: after three hang-ups every bar that the venue sent is in the recording once."""
    socket = BarSocket(FastClock(), after(2, hangs_up), after(1, hangs_up), speaks)
    async with socket.open():
        settings = live_settings(tmp_path, socket.url)
        async with daemon(settings, tmp_path, socket) as found:
            await found.wait_until(lambda: socket.lines == 3)
            count = len(recorded(found.home))
            await found.wait_until(lambda: len(recorded(found.home)) >= count + 4)

    check_recording(found.home)
    for symbol in SYMBOLS:
        kept = set(minutes(recorded(found.home), symbol))
        assert kept <= socket.sent[symbol]
        assert socket.sent[symbol] - kept <= {max(socket.sent[symbol])}, "the end may cut one off"
    await check_decided_again(found.home, settings)


async def test_a_venue_that_refuses_for_good_halts_and_the_daemon_stays(tmp_path: Path) -> None:
    """F3, R5: no more tries, a halt, the reason in status; a start that is let in ends it."""
    knocks = 0

    def closed_door(_: ServerConnection, request: Request) -> Response:
        nonlocal knocks
        knocks += 1
        return Response(HTTPStatus.UNAUTHORIZED, "Unauthorized", Headers())

    clock = FastClock()
    async with serve(speaks_never, "127.0.0.1", 0, process_request=closed_door) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        settings = live_settings(tmp_path, f"ws://127.0.0.1:{port}/bars")
        async with daemon(settings, tmp_path, BarSocket(clock)) as found:
            await found.wait_until(lambda: "refused" in {one.name for one in found.of(HaltSet)})
            await found.wait_until(
                lambda: any(one.code == "VENUE_REFUSED" for one in found.status().alerts)
            )
            assert not found.task.done()
    assert knocks == 1

    socket = BarSocket(clock, speaks)
    async with socket.open():
        settings = live_settings(tmp_path, socket.url)
        async with daemon(settings, tmp_path, socket) as found:
            await found.wait_until(lambda: "refused" in {one.name for one in found.of(HaltCleared)})
            await found.wait_until(lambda: accepted_after_the_halt(found.journal(), "EURUSD"))
    await check_decided_again(found.home, settings)


async def speaks_never(_: ServerConnection) -> None:
    """Never called: the door is closed."""


async def test_a_restart_goes_on_and_steps_what_was_only_recorded(tmp_path: Path) -> None:
    """REC-5, F6: the bar that a kill left between recording and step is stepped first."""
    clock = FastClock()
    socket = BarSocket(clock, speaks)
    async with socket.open():
        settings = live_settings(tmp_path, socket.url)
        async with daemon(settings, tmp_path, socket) as found:
            await found.wait_until(lambda: len(found.of(Decided)) >= 2)
        home = found.home
        first = recorded(home)
        left = max(one.bar.open_ns for one in first) // MINUTE_NS + 1 - BEGIN_NS // MINUTE_NS
        with Recorder(home / FOLDER) as recorder:
            for symbol in SYMBOLS:
                bar = bar_of(symbol, left)
                recorder.add(BarClosed(symbol, MINUTE_NS, bar, LIVE, bar.close_ns))
        left_ns = BEGIN_NS + left * MINUTE_NS
        while clock.now_ns() < left_ns + MINUTE_NS:
            await socket.next_minute()
        async with daemon(settings, tmp_path, socket) as found:
            await found.wait_until(lambda: len(recorded(home)) >= len(first) + 6)

    check_recording(home)
    assert len(found.of(RunStarted)) == 2
    assert [one.symbol for one in found.of(Decided) if one.bar_open_ns == left_ns] == [*SYMBOLS]
    opened = [one.bar_open_ns for one in found.of(Decided) if one.symbol == "EURUSD"]
    assert opened == sorted(set(opened))
    await check_decided_again(home, settings)


def replay(home: Path, name: str) -> tuple[int, str, str]:
    """Replay a daemon's recording by the command, into the run of this name."""
    process = spawn(home.parent, "replay", str(home), "--run-dir", f"runs/{name}")
    return ended(process)


def proof_holds(folder: Path) -> bool:
    """Whether a run holds, by the command."""
    return ended(spawn(folder.parent.parent, "verify", str(folder)))[0] == ExitCode.OK


async def test_an_edited_recording_is_named(tmp_path: Path) -> None:
    """F6, C2: one tick edited breaks the chain; with the chain made anew, parity names the bar."""
    socket = BarSocket(FastClock(), speaks)
    async with socket.open():
        settings = live_settings(tmp_path, socket.url)
        async with daemon(settings, tmp_path, socket) as found:
            await found.wait_until(lambda: len(found.of(Filled)) >= 4)
    home = found.home
    await check_decided_again(home, settings)
    status, out, err = replay(home, "a")
    assert status == ExitCode.OK, (out, err)
    assert proof_holds(home.parent / "runs" / "a")
    (path,) = segments(home / FOLDER)
    rows = path.read_bytes().splitlines(keepends=True)
    number = next(i for i, one in enumerate(rows) if b'"s":"EURUSD"' in one) + 2
    close = bar_of("EURUSD", 1).close
    assert f"{close}]".encode() in rows[number]
    rows[number] = rows[number].replace(f"{close}]".encode(), f"{round(close + 1e-5, 5)}]".encode())

    path.write_bytes(b"".join(rows))
    broken = await redecide(home, settings)
    assert not broken.ok
    assert f"{path}:{number + 1}: the record does not follow" in broken.problem
    status, _, err = replay(home, "b")
    assert status == ExitCode.DATA
    assert "the record does not follow" in err

    chain, whole = NO_CHAIN, []
    for row in rows:
        text = row[: row.rindex(b"\t")]
        chain = next_chain(chain, text)
        whole.append(text + b"\t" + chain.encode() + b"\n")
    path.write_bytes(b"".join(whole))
    forged = await redecide(home, settings)
    assert not forged.ok
    assert "EURUSD" in forged.divergence
    status, out, _ = replay(home, "c")
    assert status == ExitCode.NO
    assert forged.divergence.split(":")[0] in out
    assert "EURUSD" in out
    assert not (await verify(home, SystemClock())).ok


async def test_a_session_trades_one_day_of_a_feed(tmp_path: Path) -> None:
    """S2: from the first window after now to its end, and then it ends by itself."""
    socket = BarSocket(FastClock(), speaks)
    async with socket.open():
        settings = live_settings(tmp_path, socket.url)
        path = tmp_path / "foliod.toml"
        window = 'windows = [{ start = 09:01:00, end = 09:04:00, zone = "UTC" }]'
        path.write_text(path.read_text().replace('interval = "1m"', f'interval = "1m"\n{window}'))
        settings = load([path], {})
        found = Watched(settings, tmp_path, socket.clock, one_day=True)
        reason = await found.task

    assert reason == "SESSION_OVER"
    assert "trades one day, 2026-03-04" in " ".join(found.said)
    assert any(one.outcome == "ACCEPTED" for one in found.of(Decided))
    await check_decided_again(found.home, settings)
