"""Reading a run's bars again: denied entries put through alone, excursions of trades."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from daemon.aftermath import Aftermath, _excursion, _recorded, look_back
from daemon.cli.replay import _demo
from state.errors import FeedError
from state.signals import Signal
from state.table_rows import Trade
from state.units import HOUR_NS, MINUTE_NS
from tests.builders import ROOT, shared_data
from tests.small_runs import call


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run of the demo: every gate denies something in it."""
    home = tmp_path_factory.mktemp("demo")
    config = _demo(home)
    folder = home / "runs" / "demo"
    given = ["-q", "-c", str(config), "--data-dir", str(home), "replay", "--run-dir", str(folder)]
    assert call(*given, "--no-tearsheet") == 0
    return folder


async def compare_with_the_trades(folder: Path) -> int:
    """Put every accepted entry of a run through alone and hold it to its trade."""
    trades, wishes = await _recorded(folder)
    run = Aftermath(folder)
    followed = {
        id(one) for one in wishes if not one.code and isinstance(one.decided.action, Signal)
    }
    alone = {one.wish.decided.intent_id: one for one in run.follow(wishes, followed)}
    ticks = {symbol: float(grid.instrument.tick) for symbol, grid in run._core.grids.items()}
    for trade in trades:
        found = alone[trade.trade_id]
        assert (found.entry_ns, found.exit_ns, found.reason) == (
            trade.entry_ns, trade.exit_ns, trade.exit_reason,
        )  # fmt: skip
        assert found.entry_ticks is not None and found.exit_ticks is not None
        tick = ticks[trade.symbol]
        assert found.entry_ticks * tick == pytest.approx(float(trade.entry_fill), abs=tick / 2)
        assert found.exit_ticks * tick == pytest.approx(float(trade.exit_fill or 0), abs=tick / 2)
        # Conversion rates move between entry and exit.
        assert found.r == pytest.approx(trade.r, abs=0.02)
    return len(trades)


async def test_an_accepted_entry_put_through_alone_is_the_trade_that_it_became(demo: Path) -> None:
    """T2: the proof of the counterfactual: fills, instants, reason and R of every trade."""
    assert await compare_with_the_trades(demo) > 100


def test_a_trailing_entry_put_through_alone_trails_as_its_trade_did(tmp_path: Path) -> None:
    """S5: the counterfactual's stop follows the same closes."""
    config = _demo(tmp_path)
    text = config.read_text().replace("[[strategies]]", "[[strategies]]\ntrail_r = 0.8")
    config.write_text(text)
    folder = tmp_path / "runs" / "demo"
    given = ["-q", "-c", str(config), "--data-dir", str(tmp_path), "replay"]
    assert call(*given, "--run-dir", folder, "--no-tearsheet") == 0

    assert asyncio.run(compare_with_the_trades(folder)) > 100


@pytest.mark.parametrize(("name", "trades"), [("real-fx", 190), ("real-nse", 138)])
def test_it_is_so_on_real_bars(name: str, trades: int, tmp_path: Path) -> None:
    """T2: gaps, two price sides, fees, positions held past the window: the same."""
    shared_data()
    config = ROOT / "docs" / "examples" / f"{name}.toml"
    folder = tmp_path / "run"
    assert call("-q", "-c", config, "replay", "--run-dir", folder, "--no-tearsheet") == 0
    assert asyncio.run(compare_with_the_trades(folder)) == trades


async def test_every_denial_is_answered_or_says_why_not(demo: Path) -> None:
    """T2: denied entries by gate; outside every window there is no time-stop, so no answer."""
    found = await look_back(demo)
    gates = {(one.gate, one.code): one for one in found.denied}

    assert sum(one.denied for one in found.denied) > 100
    assert gates[("window", "OUTSIDE_WINDOW")].closed == 0
    assert gates[("window", "OUTSIDE_WINDOW")].mean_r is None
    assert all(one.closed <= one.denied for one in found.denied)
    assert "cannot be added" in found.note


async def test_excursions_enclose_every_result(demo: Path) -> None:
    """T1: no trade ends beyond its excursions (costs of the exit aside)."""
    trades, _ = await _recorded(demo)
    results = {one.trade_id: one.r or 0.0 for one in trades}
    found = await look_back(demo)

    assert len(found.trades) == len(trades)
    for one in found.trades:
        assert one.mae_r <= 0 <= one.mfe_r
        assert one.mae_r - 0.02 <= results[one.trade_id] <= one.mfe_r + 0.02


async def test_changed_bars_are_refused(demo: Path) -> None:
    """T2: no answer from other bars than the run's."""
    manifest = demo / "run.json"
    text = manifest.read_text()
    digest = text.split('"digest": "')[1][:16]
    try:
        manifest.write_text(text.replace(digest, "0" * 16))
        with pytest.raises(FeedError, match="not those of the run"):
            await look_back(demo)
    finally:
        manifest.write_text(text)


def trade(signal_ns: int, entry_ns: int, exit_ns: int) -> Trade:
    """Make a long from 1.1000 with its stop at 1.0990, out at 1.1010."""
    zero = Decimal(0)
    price = Decimal("1.1000")
    return Trade(
        "t", 1, "p", "r", "v", "EURUSD", "s", "long", Decimal(1), 1, signal_ns, entry_ns, price,
        price, Decimal("1.0990"), None, exit_ns, Decimal("1.1010"), Decimal("1.1010"), "TP", zero,
        zero, zero, zero, zero, Decimal(1), 1.0,
    )  # fmt: skip


def test_excursions_by_hand() -> None:
    """T1: 5m bars; risk 0.0010. The bar of the signal and the one after the exit do not count."""
    five = 5 * MINUTE_NS
    close_ns = np.array([HOUR_NS + n * five for n in range(5)])
    high = np.array([1.2000, 1.1004, 1.1015, 1.1002, 1.2000])
    low = np.array([1.0000, 1.0995, 1.0998, 1.0992, 1.0000])
    # Signal and fill at 01:00, the close of bar 0; out inside bar 2, stamped 01:10.
    at_open = _excursion(trade(HOUR_NS, HOUR_NS, HOUR_NS + 2 * five), close_ns, high, low)
    # Signal at 01:00, a stop-entry filled in bar 2; out in bar 3.
    resting = _excursion(
        trade(HOUR_NS, HOUR_NS + 2 * five, HOUR_NS + 3 * five), close_ns, high, low
    )

    assert at_open is not None and resting is not None
    assert (at_open.mae_r, at_open.mfe_r) == pytest.approx((-0.5, 1.5))
    assert (resting.mae_r, resting.mfe_r) == pytest.approx((-0.8, 1.5))
