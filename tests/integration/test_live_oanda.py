"""The whole daemon on a price stream as OANDA documents it: quotes over chunked HTTP become bars,
silence behind heartbeats is silence, and what was missed comes from the candles (F2-F7, R5)."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.feeds.events import FILLED, LIVE, BarClosed
from adapters.feeds.recorder import Recorder
from config.settings import Settings
from daemon.cli.status import look, text
from daemon.runtime.recorded import FOLDER
from state.entries import Decided, Filled, HaltCleared, HaltSet
from state.units import MINUTE_NS
from tests.fakes.bar_socket import SYMBOLS, FastClock, bar_of
from tests.fakes.oanda_venue import (
    ACCOUNT,
    TOKEN,
    OandaVenue,
    quotes,
    quotes_then_beats,
    shuts,
)
from tests.integration.test_live_feed import check_decided_again
from tests.live_homes import check_hidden, check_whole, daemon, venue_settings

FIELDS = """
account = "{account}"
url = "{url}"
rest_url = "{url}"
"""
WARM = 5


def oanda_settings(folder: Path, venue: OandaVenue, feed: str = "") -> Settings:
    """Write the configuration of a daemon on the stream and return its settings."""
    fields = FIELDS.format(account=ACCOUNT, url=venue.url)
    return venue_settings(folder, "oanda", fields, warm=WARM, feed=feed)


async def test_a_stream_of_quotes_is_traded_through_silence_and_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Heartbeats prove nothing: both symbols go stale, their entries are denied, the line is opened
    anew, the minutes between come from the candles, and trading goes on."""
    monkeypatch.setenv("FOLIOD_SECRET_OANDA_TOKEN", TOKEN)
    venue = OandaVenue(FastClock(), quotes_then_beats(3), quotes)
    async with venue.open():
        settings = oanda_settings(tmp_path, venue, "silent_after_s = 100.0\nrecord_frames = true")
        async with daemon(settings, tmp_path, venue) as found:
            await found.wait_until(lambda: len(found.of(HaltSet)) == 2)
            await found.wait_until(lambda: venue.lines == 2)
            await found.wait_until(lambda: len(found.of(HaltCleared)) == 2)
            entries = len([one for one in found.of(Filled) if one.leg == "entry"])
            await found.wait_until(
                lambda: len([one for one in found.of(Filled) if one.leg == "entry"]) > entries
            )

    halts = sorted(one.name for one in found.of(HaltSet))
    assert halts == [f"stale/{one}" for one in SYMBOLS], "none for the torn minutes of a connect"
    lost = [one for one in found.log if one["event"] == "feed lost"]
    assert [one["code"] for one in lost] == ["LINE_SILENT"]
    for symbol in SYMBOLS:
        came = check_whole(found.home, symbol, WARM)
        assert came.count(LIVE) >= 4
        assert FILLED in came[came.index(LIVE) :], "so are the minutes without a price"
    assert all("/v3/instruments/" in one for one in venue.asked)
    check_hidden(TOKEN, found, tmp_path)
    await check_decided_again(found.home, settings)


async def test_a_first_start_that_ended_in_its_warm_up_is_begun_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """REC-1: bars of the history without a database are no portfolio; told, and warmed up anew."""
    monkeypatch.setenv("FOLIOD_SECRET_OANDA_TOKEN", TOKEN)
    venue = OandaVenue(FastClock(), quotes)
    async with venue.open():
        settings = oanda_settings(tmp_path, venue)
        home = settings.portfolio.data_dir / settings.portfolio.id
        with Recorder(home / FOLDER, is_durable=False) as recorder:
            old = bar_of("EURUSD", -WARM - 300)
            recorder.add(BarClosed("EURUSD", MINUTE_NS, old, FILLED, old.close_ns))
        async with daemon(settings, tmp_path, venue) as found:
            await found.wait_until(lambda: any(one.leg == "entry" for one in found.of(Filled)))

    assert "the warm-up of an earlier start did not come to its end: begun anew" in found.said
    for symbol in SYMBOLS:
        check_whole(found.home, symbol, WARM)
    await check_decided_again(found.home, settings)


async def test_a_symbol_without_orders_is_halted_for_as_long_as_its_quotes_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R5: not a minute longer, and its neighbour trades on."""
    monkeypatch.setenv("FOLIOD_SECRET_OANDA_TOKEN", TOKEN)
    venue = OandaVenue(FastClock(), shuts(2, 3))
    async with venue.open():
        settings = oanda_settings(tmp_path, venue)
        async with daemon(settings, tmp_path, venue) as found:
            await found.wait_until(lambda: bool(found.of(HaltCleared)))
            await found.wait_until(
                lambda: any(
                    isinstance(one, Decided) and (one.symbol, one.outcome) == ("EURUSD", "ACCEPTED")
                    for one in found.journal()[found.journal().index(found.of(HaltCleared)[-1]) :]
                )
            )

    halted = [one for one in found.of(HaltSet) if one.name.startswith("venue/")]
    assert [(one.name, one.code) for one in halted] == [("venue/EURUSD", "VENUE_CLOSED")]
    entries = found.journal()
    cleared = next(one for one in found.of(HaltCleared) if one.name == "venue/EURUSD")
    during = entries[entries.index(halted[0]) : entries.index(cleared)]
    asked = [one for one in during if isinstance(one, Decided)]
    assert {one.outcome for one in asked if one.symbol == "EURUSD"} == {"HALTED"}
    assert "ACCEPTED" in {one.outcome for one in asked if one.symbol == "GBPUSD"}
    check_hidden(TOKEN, found, tmp_path)


async def test_a_token_that_is_not_let_in_halts_and_is_never_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F3, SEC-1: one try, a halt, the venue's words in the log without the token."""
    wrong = "wr0ng-t0k3n-of-a-test"
    monkeypatch.setenv("FOLIOD_SECRET_OANDA_TOKEN", wrong)
    venue = OandaVenue(FastClock(), quotes)
    async with venue.open():
        settings = oanda_settings(tmp_path, venue)
        async with daemon(settings, tmp_path, venue) as found:
            await found.wait_until(lambda: bool(found.of(HaltSet)))
            await found.wait_until(lambda: found.status().ws.errors > 0)
            screen = "\n".join(text(await look(found.home)))

    assert "oanda: NOT CONNECTED, 1 errors since the start, last bar" in " ".join(screen.split())
    assert [(one.name, one.code) for one in found.of(HaltSet)] == [("refused", "VENUE_REFUSED")]
    assert venue.lines == 0
    said = repr(found.log) + repr(found.said)
    assert "401" in said
    assert wrong not in said
