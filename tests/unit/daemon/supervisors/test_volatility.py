"""The volatility gate: a bar out of all proportion passes no entry; off, it is not there (R5)."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.fingerprint import canonical, fingerprint
from config.load import load
from config.settings import Settings
from daemon.core.market import Series
from daemon.core.supervisors.volatility import VolatilityGate
from daemon.replay import Replay, ReplayOptions
from state.bars import Bar
from state.entries import Decided
from state.instruments import Grid
from state.units import MINUTE_NS
from tests.builders import eurusd
from tests.gate_builders import question
from tests.trading import demo_settings, journal_of


@pytest.mark.parametrize(
    ("true_range", "code"),
    [
        (0.00299, "VOLATILITY_WITHIN"),
        (0.003, "VOLATILITY_WITHIN"),
        (0.00301, "ABNORMAL_VOLATILITY"),
    ],
)
def test_the_limit_itself_passes(true_range: float, code: str) -> None:
    """Above three times the ATR before is too much, three times is not."""
    verdict = VolatilityGate(3.0).ask(question(true_range=true_range, atr_before=0.001))
    assert verdict.code == code
    assert verdict.observed.endswith("x ATR(14)")
    assert verdict.limit == "3 x ATR(14)"


def test_an_unknown_atr_denies() -> None:
    """What is usual is not known yet: closed, as every gate that cannot answer."""
    verdict = VolatilityGate(3.0).ask(question(true_range=0.001, atr_before=0.0))
    assert (verdict.allowed, verdict.code) == (False, "ABNORMAL_VOLATILITY")


def test_the_range_counts_the_gap_and_the_atr_leaves_the_bar_out() -> None:
    """After two bars of 10 pips, one that opens 90 pips higher: range 100 against an ATR of 10."""
    series = Series(Grid(eurusd()), MINUTE_NS)
    for number, low in enumerate((1.1, 1.1, 1.109)):
        at = number * MINUTE_NS
        series.update(Bar(at, at + MINUTE_NS, low, low + 0.001, low, low))
    assert series.atr_before == pytest.approx(0.001)
    assert series.true_range == pytest.approx(0.01)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Return the demo's settings."""
    return demo_settings(tmp_path)


def test_off_it_is_in_no_fingerprint_and_on_it_is(settings: Settings, tmp_path: Path) -> None:
    """Journals of configurations that do not use it stay what they were, byte for byte."""
    path = tmp_path / "foliod.toml"
    text = path.read_text()
    path.write_text(text.replace("[risk]\n", "[risk]\nvolatility_atr = 2.5\n"))
    on = load([path], {})
    path.write_text(text.replace("[risk]\n", "[risk]\nvolatility_atr = false\n"))

    assert fingerprint(load([path], {})) == fingerprint(settings) != fingerprint(on)
    assert b"volatility" not in canonical(settings)


async def test_on_it_denies_in_a_run(settings: Settings, tmp_path: Path) -> None:
    """With a low limit the demo's breakouts meet it; it is asked after freshness."""
    from adapters.clock import SystemClock

    path = tmp_path / "foliod.toml"
    path.write_text(path.read_text().replace("[risk]\n", "[risk]\nvolatility_atr = 1.2\n"))
    options = ReplayOptions(run_dir=tmp_path / "run")
    await Replay(load([path], {}), options, SystemClock()).run()
    asked = [one for one in journal_of(tmp_path / "run") if isinstance(one, Decided)]
    names = {tuple(v.gate for v in one.verdicts)[4:6] for one in asked if one.verdicts}

    assert names == {("freshness", "volatility")}
    assert "ABNORMAL_VOLATILITY" in {one.outcome for one in asked}
    assert "ACCEPTED" in {one.outcome for one in asked}
