"""The whole daemon on ticks as Finnhub and Twelve Data document them: bars made of prices, a line
that is lost, and the torn and missing minutes taken from the history (F2-F7, SEC-1)."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.feeds.events import FILLED, LIVE
from config.settings import Settings
from state.entries import BarsRefused, Filled, HaltCleared, HaltSet
from tests.fakes.bar_socket import SYMBOLS, FastClock
from tests.fakes.tick_venue import KEY, Dialect, Finnhub, TickVenue, TwelveData
from tests.integration.test_live_feed import check_decided_again
from tests.live_homes import check_hidden, check_whole, daemon, recorded, venue_settings

WARM = 10
MARKET = {"finnhub": 'market = "forex"\n', "twelvedata": ""}


def tick_settings(folder: Path, venue: TickVenue, dialect: Dialect) -> Settings:
    """Write the configuration of a daemon on the venue and return its settings."""
    fields = f'side = "mid"\n{MARKET[dialect.source]}'
    fields += f'url = "ws://{venue.address}"\nrest_url = "http://{venue.address}"\n'
    feed = "record_frames = true"
    return venue_settings(folder, dialect.source, fields, warm=WARM, feed=feed)


@pytest.mark.parametrize("dialect", [Finnhub(), TwelveData()], ids=lambda one: one.source)
async def test_ticks_are_traded_and_a_lost_line_leaves_no_hole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dialect: Dialect
) -> None:
    """Every minute from the warm-up to the end is there once, in order, true to the tick; the key
    stands in no file and no line of the log."""
    monkeypatch.setenv(f"FOLIOD_SECRET_{dialect.source.upper()}_KEY", KEY)
    venue = TickVenue(FastClock(), dialect, 3)
    async with venue.open():
        settings = tick_settings(tmp_path, venue, dialect)
        async with daemon(settings, tmp_path, venue) as found:
            await found.wait_until(lambda: len(found.of(HaltSet)) == 2)
            venue.door.set()
            await found.wait_until(lambda: len(found.of(HaltCleared)) == 2, 40)
            rows = len(recorded(found.home))
            await found.wait_until(lambda: len(recorded(found.home)) >= rows + 6)

    assert sorted(one.name for one in found.of(HaltSet)) == [f"stale/{one}" for one in SYMBOLS]
    assert {one.reason for one in found.of(BarsRefused)} <= {"INCOMPLETE"}
    assert any(one.leg == "entry" for one in found.of(Filled))
    for symbol in SYMBOLS:
        came = check_whole(found.home, symbol, WARM)
        assert FILLED in came[came.index(LIVE) :]
        assert came.count(LIVE) >= 2
    check_hidden(KEY, found, tmp_path)
    await check_decided_again(found.home, settings)
