"""The whole daemon on klines as Binance documents them: warmed up by REST, traded, cut off, and the
minutes between taken from the history (F2-F7)."""

from __future__ import annotations

from pathlib import Path

from adapters.feeds.events import FILLED, LIVE
from state.entries import BarsRefused, Filled, HaltCleared, HaltSet
from tests.fakes.bar_socket import SYMBOLS, FastClock
from tests.fakes.binance_venue import BinanceVenue
from tests.integration.test_live_feed import check_decided_again
from tests.live_homes import check_whole, daemon, recorded, venue_settings

FIELDS = """
url = "ws://{address}"
rest_url = "http://{address}"

[feed.symbols]
EURUSD = "EURUSDT"
GBPUSD = "GBPUSDT"
"""
WARM = 30


async def test_klines_are_traded_and_a_lost_line_leaves_no_hole(tmp_path: Path) -> None:
    """FEED-3, F7: every minute from the warm-up to the end is recorded once, in order and true;
    forming klines decide nothing; what is decided is decided again from the recording."""
    venue = BinanceVenue(FastClock(), 3)
    async with venue.open():
        settings = venue_settings(tmp_path, "binance", FIELDS.format(address=venue.url), warm=WARM)
        async with daemon(settings, tmp_path, venue) as found:
            await found.wait_until(lambda: len(found.of(HaltSet)) == 2)
            venue.door.set()
            await found.wait_until(lambda: len(found.of(HaltCleared)) == 2, 40)
            rows = len(recorded(found.home))
            await found.wait_until(lambda: len(recorded(found.home)) >= rows + 4)
            status = found.status()

    assert sorted(one.name for one in found.of(HaltSet)) == [f"stale/{one}" for one in SYMBOLS]
    assert status.ws.connected
    assert any(one.leg == "entry" for one in found.of(Filled))
    assert found.of(BarsRefused) == []
    for symbol in SYMBOLS:
        came = check_whole(found.home, symbol, WARM)
        assert FILLED in came[came.index(LIVE) :]
        assert came.count(LIVE) >= 4
    await check_decided_again(found.home, settings)
