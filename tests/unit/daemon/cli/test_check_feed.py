"""``foliod check`` of a live feed: what a start would trip over, with nothing opened (F2, S3)."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from config.load import load
from daemon import checks
from daemon.cli.main import run as run_command
from daemon.runtime.machine import Finding
from state.errors import ExitCode
from state.units import SECOND_NS
from tests.homes import write_home
from tests.run_folders import beginning

NOON_NS = 1_772_625_600 * SECOND_NS
"""2026-03-04T12:00:00Z, a Wednesday."""
KEY = "k3y-of-the-v3nue"

CONFIG = """
[portfolio]
id = "live"
base_currency = "USD"
zone = "UTC"
equity = 100_000
data_dir = "var"

[risk.caps]
max_order_value = 1_000_000
max_gross_exposure = 1_000_000
max_positions = 3
max_positions_per_symbol = 1

[[strategies]]
name = "lsg"
kind = "LSG"
symbols = ["EURUSD"]
interval = "5m"
profile = "london"

[feed]
"""
FINNHUB = """
source = "finnhub"

[feed.finnhub]
side = "mid"
"""


def look(
    folder: Path, feed: str, environ: dict[str, str] | None = None, *, online: bool = False
) -> dict[str, Finding]:
    """Check a configuration with this feed; return the findings by what they are of."""
    path = folder / "foliod.toml"
    path.write_text(CONFIG + feed)
    settings = load([path], {})
    ground = checks.Ground(
        settings, (path,), settings.portfolio.data_dir, NOON_NS, environ or {}, online
    )
    found = checks.check(ground)
    assert KEY not in repr(found), "SEC-1"
    return {one.what: one for one in found}


def test_a_feed_needs_no_bar_files(tmp_path: Path) -> None:
    """The source, its address, and of each symbol its intervals and hours; nothing fails."""
    found = look(tmp_path, FINNHUB, {"FOLIOD_SECRET_FINNHUB_KEY": KEY})

    assert {one.level for one in found.values()} == {"ok"}, found
    assert found["secret finnhub_key"].found.startswith("there")
    assert found["feed"].found.startswith("finnhub at wss://ws.finnhub.io")
    assert "bars of 1m, its history fills gaps" in found["feed"].found
    assert found["feed EURUSD"].found == "5m; open until 2026-03-06T22:00:00Z"


def test_a_bar_file_that_is_not_there_stops_a_new_portfolio_and_no_other(tmp_path: Path) -> None:
    """F7: as the start does; one that has begun needs no warm-up."""
    feed = FINNHUB + '[[bars]]\nsymbol = "EURUSD"\npath = "old.csv"\nprice = "mid"\n'
    environ = {"FOLIOD_SECRET_FINNHUB_KEY": KEY}
    found = look(tmp_path, feed, environ)["bars EURUSD"]
    home = tmp_path / "var" / "live"
    write_home(home, beginning())
    begun = look(tmp_path, feed, environ)["bars EURUSD"]

    assert found.level == "fail"
    assert "take its [[bars]] table away" in found.remedy
    assert begun.level == "warn"


def test_a_missing_secret_is_said_once(tmp_path: Path) -> None:
    """With its name and its remedy; the feed says nothing more of it."""
    found = look(tmp_path, FINNHUB)

    (failed,) = [one for one in found.values() if one.level == "fail"]
    assert failed.what == "secret finnhub_key"
    assert failed.remedy


@pytest.mark.parametrize(
    ("feed", "what", "said"),
    [
        ('source = "binance"\n[feed.binance]\n[feed.symbols]\nGBPUSD = "X"', "feed", "GBPUSD"),
        (
            'source = "generic"\n[feed.generic]\nurl = "ws://localhost"\ninterval = "15m"\n'
            'side = "mid"',
            "feed EURUSD",
            "bars of 300 s cannot be made of the source's bars of 900 s",
        ),
        (
            'source = "generic"\n[feed.generic]\nurl = "ws://localhost"\nside = "mid"\n'
            '[instruments.EURUSD]\ncalendar = "XNYS"',
            "feed EURUSD",
            "[[feed.hours]]",
        ),
    ],
)
def test_what_a_start_would_refuse_is_found(
    tmp_path: Path, feed: str, what: str, said: str
) -> None:
    """Unused names, bars too coarse, an exchange without hours: each with a remedy."""
    found = look(tmp_path, feed)

    assert found[what].level == "fail"
    assert said in found[what].found
    assert found[what].remedy


def test_online_reaches_the_feed(tmp_path: Path, unused_tcp_port: int) -> None:
    """A host that does not answer is warned of, by the feed's name and without its address."""
    url = f"ws://127.0.0.1:{unused_tcp_port}/bars"
    feed = f'source = "generic"\n[feed.generic]\nurl = "{url}"\nside = "mid"'
    found = look(tmp_path, feed, online=True)

    assert found["reach feed generic: stream"].level == "warn"
    assert "reach feed generic: history" not in found, "it has none"


@pytest.mark.parametrize("silent", ["stream", "history"])
def test_online_reaches_stream_and_history_apart(
    tmp_path: Path, unused_tcp_port: int, silent: str
) -> None:
    """They are two hosts at a venue: each is said by name, and one may be down alone."""
    there = socket.create_server(("127.0.0.1", 0))
    ports = dict.fromkeys(("stream", "history"), there.getsockname()[1])
    ports[silent] = unused_tcp_port
    feed = (
        'source = "finnhub"\n[feed.finnhub]\nside = "mid"\n'
        f'url = "ws://127.0.0.1:{ports["stream"]}"\n'
        f'rest_url = "http://127.0.0.1:{ports["history"]}"\n'
    )
    with there:
        found = look(tmp_path, feed, {"FOLIOD_SECRET_FINNHUB_KEY": KEY}, online=True)

    levels = {name: found[f"reach feed finnhub: {name}"].level for name in ports}
    assert levels == {"stream": "ok", "history": "ok"} | {silent: "warn"}


def test_a_history_that_is_not_asked_is_not_reached(tmp_path: Path, unused_tcp_port: int) -> None:
    """``fill_bars = 0`` asks for nothing, so nothing need answer."""
    feed = f'source = "binance"\nfill_bars = 0\n[feed.binance]\nurl = "ws://127.0.0.1:{unused_tcp_port}"'
    found = look(tmp_path, feed, online=True)

    assert [name for name in found if name.startswith("reach")] == ["reach feed binance: stream"]


@pytest.mark.parametrize("verb", ["run", "session"])
def test_a_live_source_has_its_own_pace(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], verb: str
) -> None:
    """``--speed`` is for files: refused before anything is opened."""
    path = tmp_path / "foliod.toml"
    path.write_text(CONFIG + FINNHUB)

    status = run_command(["-c", str(path), verb, "--speed", "60"])

    assert status == ExitCode.CONFIG
    assert "--speed 60" in capsys.readouterr().err
    assert not (tmp_path / "var").exists()
