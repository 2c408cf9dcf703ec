"""What the command line says over the settings (config.override)."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.load import load
from config.override import override
from config.settings import Settings
from state.errors import ConfigError
from tests.builders import ROOT


def _london() -> Settings:
    return load((ROOT / "config" / "examples" / "london.toml",), {})


def test_nothing_given_changes_nothing() -> None:
    """A command line without options is the configuration."""
    settings = _london()

    assert override(settings) == settings


def test_bars_given_replace_all_and_the_spread_is_every_symbols() -> None:
    """One file named: it alone is read; the spread holds for it and for what is traded."""
    found = override(
        _london(),
        data_dir=Path("elsewhere"),
        bars=[{"symbol": "EURUSD", "path": "x.csv", "price": "bid"}],
        spread_pips=2.5,
    )

    assert [one.symbol for one in found.bars] == ["EURUSD"]
    assert found.portfolio.data_dir == Path("elsewhere")
    assert {str(found.instrument(symbol).spread_pips) for symbol in found.symbols()} == {"2.5"}


@pytest.mark.parametrize(
    ("bars", "spread_pips", "words"),
    [
        ([{"symbol": "EURUSD", "path": "x", "price": "bid", "zone": "Mars"}], None, "--zone"),
        ([{"symbol": "EURUSD", "path": "x", "price": "bid", "interval": "7q"}], None, "--interval"),
        ([], -1.0, "--spread-pips"),
    ],
)
def test_a_value_not_allowed_names_its_option(
    bars: list[dict[str, object]], spread_pips: float | None, words: str
) -> None:
    """A user's mistake is told by the option that was typed, with what is allowed."""
    with pytest.raises(ConfigError, match=rf"command line: {words}: .*allowed: ") as refused:
        override(_london(), bars=bars, spread_pips=spread_pips)

    assert refused.value.exit_code == 78
