"""The catalogue, conversion routes, examples, schema, reference and the fast way to the data."""

from __future__ import annotations

import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from config import catalogue
from config.conversion import Hop, route
from config.load import load
from config.locate import Home, locate
from config.reference import markdown
from config.schema import schema
from daemon.core.strategies.registry import BUILT_IN
from state.errors import ConfigError
from tests.builders import ROOT, eurusd

EXAMPLE_FOLDER = ROOT / "config" / "examples"


@pytest.mark.parametrize("symbol", catalogue.symbols())
def test_every_entry_is_an_instrument(symbol: str) -> None:
    """Every entry is complete: tick, lot and pip above 0, and the smallest quantity whole lots."""
    made = catalogue.instrument(symbol)
    assert min(made.pip, made.tick, made.lot, made.min_quantity, made.multiplier) > 0
    assert made.min_quantity % made.lot == 0
    assert made.pip % made.tick == 0
    assert min(made.spread_pips, made.fee_fraction, made.fee_per_unit) >= 0


def test_pips_of_mission() -> None:
    """1 pip is 0.0001, 0.01 for JPY pairs, 0.1 for XAUUSD."""
    pips = {symbol: catalogue.instrument(symbol).pip for symbol in catalogue.symbols()}
    assert pips["EURUSD"] == Decimal("0.0001")
    assert pips["XAUUSD"] == Decimal("0.1")
    yen = {pip for symbol, pip in pips.items() if symbol.endswith("JPY")}
    assert yen == {Decimal("0.01")}
    assert catalogue.instrument("EURUSD") == eurusd()


def test_overrides_win() -> None:
    """An override replaces one field; None takes the calendar away."""
    made = catalogue.instrument("NIFTY50", {"spread_pips": Decimal(3), "calendar": None})
    assert (made.spread_pips, made.calendar, made.tick) == (Decimal(3), None, Decimal("0.05"))


def test_unknown_symbol() -> None:
    """A symbol without entry is refused with the nearest and with what would describe it."""
    with pytest.raises(ConfigError, match=r"did you mean \"EURUSD\"\?.*instruments.EURUDS"):
        catalogue.instrument("EURUDS")


def test_routes() -> None:
    """A route multiplies where the currency is the pair's first, divides where it is its second."""
    of = catalogue.instrument
    assert route("USD", "USD", {}, of) == ()
    assert route("JPY", "USD", {"JPY": "USDJPY"}, of) == (Hop("USDJPY", inverted=True),)
    assert route("EUR", "USD", {"EUR": "EURUSD"}, of) == (Hop("EURUSD", inverted=False),)
    pairs = {"JPY": "USDJPY", "USD": "EURUSD"}
    assert route("JPY", "EUR", pairs, of) == (Hop("USDJPY", True), Hop("EURUSD", True))
    with pytest.raises(ValueError, match=r"set conversion\.USD"):
        route("JPY", "EUR", {"JPY": "USDJPY"}, of)
    with pytest.raises(ValueError, match="more than 2 pairs"):
        route("JPY", "CHF", {"JPY": "EURJPY", "EUR": "EURUSD", "USD": "USDCHF"}, of)
    with pytest.raises(ValueError, match="no pair of INR"):
        route("INR", "USD", {"INR": "NIFTY50"}, of)


@pytest.mark.parametrize("example", ["london", "india", "crypto"])
def test_examples_load(example: str) -> None:
    """Every example is accepted, and its parameters are its strategies' parameters."""
    settings = load([EXAMPLE_FOLDER / f"{example}.toml"], {})
    assert settings.portfolio.id == example
    for strategy in settings.strategies:
        for symbol in strategy.symbols:
            params, _ = strategy.parameters(symbol)
            msgspec.convert(params, BUILT_IN[strategy.kind].Params)


def test_reference_page_is_generated() -> None:
    """docs/reference/config.md is what the models say; write config.reference.markdown() to it."""
    page = ROOT / "docs" / "reference" / "config.md"
    assert page.read_text(encoding="utf-8") == markdown()


def test_schema_knows_every_section() -> None:
    """The JSON schema is strict and has every section."""
    found = schema()
    assert found["additionalProperties"] is False
    assert {"portfolio", "risk", "strategies"} == set(found["required"])
    assert "conversion" in found["properties"]


def test_locate(tmp_path: Path) -> None:
    """The home is found from files, environment and options, later ones winning."""
    path = tmp_path / "foliod.toml"
    path.write_text('[portfolio]\nid = "main"\n')
    assert locate([path], {}) == Home("main", tmp_path / "var")
    path.write_text('[portfolio]\nid = "main"\ndata_dir = "data"\n')
    assert locate([path], {}).folder == tmp_path / "data" / "main"
    environ = {"FOLIOD_PORTFOLIO__ID": "other", "FOLIOD_PORTFOLIO__DATA_DIR": "/d"}
    assert locate([path], environ).folder == Path("/d/other")
    assert locate([], {}, portfolio="p", data_dir=Path("x")).folder == Path("x/p")
    with pytest.raises(ConfigError, match=r"portfolio\.id"):
        locate([path], {}, portfolio="../up")


def test_read_only_commands_need_no_pydantic() -> None:
    """Finding the data and the catalogue imports no pydantic (read-only commands are fast)."""
    code = (
        "import sys, config.locate, config.catalogue, config.profiles, config.conversion\n"
        "import daemon.cli.config, daemon.cli.init\n"
        "print([name for name in sys.modules if name.startswith('pydantic')])"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[]"
