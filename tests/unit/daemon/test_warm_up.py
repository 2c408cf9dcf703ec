"""What a new portfolio's engines are shown before they may trade, and what is said of it (F7)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import msgspec
import pytest

from adapters.feeds.backfill import RestHistory
from adapters.feeds.events import FILLED, REPLAYED
from adapters.feeds.recorder import Recorder
from adapters.feeds.recording import read_segments
from config.load import load
from config.settings import Settings
from daemon.feed_wiring import feed_parts
from daemon.warm_up import warm_up
from state.bars import Bar
from state.errors import FeedError
from state.units import utc_text
from tests.fakes.bar_socket import BEGIN_NS, bar_of
from tests.live_homes import live_settings

WANTED = 5


def settings(folder: Path, *symbols: str, minutes: int = 20) -> Settings:
    """Return a live configuration with files of the minutes before the start for these symbols."""
    live_settings(folder, "ws://127.0.0.1:9/bars")
    path = folder / "foliod.toml"
    text = path.read_text().replace("warm_up_bars = 0", f"warm_up_bars = {WANTED}")
    for symbol in symbols:
        rows = ["ts,open,high,low,close,volume"]
        for minute in range(-minutes, 0):
            bar = bar_of(symbol, minute)
            stamp = utc_text(bar.open_ns)
            rows.append(f"{stamp},{bar.open:.5f},{bar.high:.5f},{bar.low:.5f},{bar.close:.5f},1")
        (folder / f"{symbol}.csv").write_text("\n".join(rows) + "\n")
        text += f'\n[[bars]]\nsymbol = "{symbol}"\npath = "{symbol}.csv"\nprice = "mid"\n'
    path.write_text(text)
    return load([path], {})


class Past:
    """A source's history: every minute of every symbol, but for those that it lacks."""

    def __init__(self, *lacks: str) -> None:
        """Lack these symbols."""
        self._lacks = lacks

    async def fetch(self, symbol: str, interval_ns: int, from_ns: int, to_ns: int) -> Sequence[Bar]:
        """Return bars, each as long as asked for."""
        if symbol in self._lacks:
            raise FeedError("the venue has none")
        starts = range(from_ns, to_ns, interval_ns)
        first = bar_of(symbol, 0)
        return [msgspec.structs.replace(first, open_ns=n, close_ns=n + interval_ns) for n in starts]


async def warmed(
    folder: Path, given: Settings, history: Past | None = None
) -> tuple[dict[str, list[str]], list[str]]:
    """Warm up; return where the bars of each symbol came from, and what was said."""
    said: list[str] = []
    parts = feed_parts(given, {})
    parts = type(parts)(
        parts.source, parts.codec, parts.opener, cast("RestHistory | None", history),
        parts.interval_ns, parts.keys, parts.secrets,
    )  # fmt: skip
    with Recorder(folder / "recorded") as recorder:
        await warm_up(given, parts, recorder, BEGIN_NS, said.append)
    found: dict[str, list[str]] = {}
    for one in read_segments(folder / "recorded"):
        found.setdefault(one.symbol, []).append(one.provenance)
    return found, said


async def test_files_of_every_series_warm_up_in_silence(tmp_path: Path) -> None:
    """Control: the newest bars of each, and nothing to say."""
    found, said = await warmed(tmp_path, settings(tmp_path, "EURUSD", "GBPUSD"))

    assert found == {"EURUSD": [REPLAYED] * WANTED, "GBPUSD": [REPLAYED] * WANTED}
    assert said == []


async def test_a_file_is_used_though_another_series_has_none(tmp_path: Path) -> None:
    """What there is is shown; which series has no file and starts cold is said by name."""
    found, said = await warmed(tmp_path, settings(tmp_path, "EURUSD"))

    assert found == {"EURUSD": [REPLAYED] * WANTED}
    no_file, cold = said
    assert no_file.startswith("warm-up without a file: no bars for GBPUSD")
    assert cold == f"warm-up: GBPUSD has 0 of {WANTED} bars of 60 s: it starts cold"


async def test_the_history_warms_up_what_has_no_file(tmp_path: Path) -> None:
    """A series without a file is no reason to leave the others' files out, nor its history."""
    found, said = await warmed(tmp_path, settings(tmp_path, "EURUSD"), Past("EURUSD"))

    assert found == {"EURUSD": [REPLAYED] * WANTED, "GBPUSD": [FILLED] * WANTED}
    assert [one for one in said if "cold" in one] == []
    assert any("no bars for GBPUSD" in one for one in said)


async def test_too_few_bars_are_said_with_their_number(tmp_path: Path) -> None:
    """F7: two of five is not five."""
    given = settings(tmp_path, "EURUSD", "GBPUSD", minutes=2)
    found, said = await warmed(tmp_path, given)

    assert {symbol: len(rows) for symbol, rows in found.items()} == {"EURUSD": 2, "GBPUSD": 2}
    assert said == [
        f"warm-up: {one} has 2 of {WANTED} bars of 60 s" for one in ("EURUSD", "GBPUSD")
    ]


async def test_a_file_too_coarse_for_its_series_is_said(tmp_path: Path) -> None:
    """It can show nothing to that series, and the start says why."""
    given = settings(tmp_path, "EURUSD", "GBPUSD")
    rows = (tmp_path / "GBPUSD.csv").read_text().splitlines()
    (tmp_path / "GBPUSD.csv").write_text("\n".join([rows[0], *rows[1::5]]) + "\n")

    found, said = await warmed(tmp_path, given)

    assert found == {"EURUSD": [REPLAYED] * WANTED}
    assert any("GBPUSD needs 1m bars, but its files have 5m" in one for one in said)
    assert said[-1].endswith("it starts cold")


async def test_a_file_that_cannot_be_read_stops_the_start(tmp_path: Path) -> None:
    """What was configured and is not there is a mistake to correct, not a cold start."""
    given = settings(tmp_path, "EURUSD")
    (tmp_path / "EURUSD.csv").unlink()

    with pytest.raises(
        FeedError, match=r"EURUSD\.csv: there is no such file\n.*take their \[\[bars"
    ):
        await warmed(tmp_path, given)
