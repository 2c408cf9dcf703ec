"""The catalogue of instruments that ships with the program.

It knows symbols and their arithmetic, and completes an entry with the operator's overrides. A
symbol that neither the catalogue nor a complete entry describes is refused (I1). It imports no
pydantic: read-only commands may use it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from importlib import resources
from typing import Any, Final

import msgspec

from state.errors import ConfigError
from state.instruments import Instrument

REQUIRED: Final = ("quote_currency", "tick", "lot", "spread_pips")
"""What [instruments.SYMBOL] must give when the catalogue has no such symbol."""


@lru_cache(maxsize=1)
def entries() -> Mapping[str, Mapping[str, Any]]:
    """Return every entry of the catalogue by symbol: the fields of ``Instrument``."""
    text = resources.files("config").joinpath("catalogue.toml").read_text(encoding="utf-8")
    found: dict[str, dict[str, Any]] = tomllib.loads(text, parse_float=Decimal)
    return found


def symbols() -> tuple[str, ...]:
    """Return the symbols of the catalogue, sorted."""
    return tuple(sorted(entries()))


def missing(symbol: str, overrides: Mapping[str, Any]) -> list[str]:
    """Return the required fields that neither the catalogue nor the overrides give."""
    known = {**entries().get(symbol, {}), **overrides}
    return [field for field in REQUIRED if field not in known]


def instrument(symbol: str, overrides: Mapping[str, Any] | None = None) -> Instrument:
    """Make the instrument: the catalogue's entry, then the overrides.

    ``overrides`` holds fields of ``Instrument`` by name (``calendar`` None: no calendar). A symbol
    that the catalogue lacks needs at least ``REQUIRED``; its pip is the tick and its smallest
    quantity the lot unless given.

    Raises:
        ConfigError: the symbol is not described; says what is near and what is missing.
    """
    given = dict(overrides or {})
    lacking = missing(symbol, given)
    if lacking:
        raise ConfigError(f"{symbol}: {unknown_symbol(symbol, lacking)}")
    fields: dict[str, Any] = {**entries().get(symbol, {}), **given}
    fields.setdefault("pip", fields["tick"])
    fields.setdefault("min_quantity", fields["lot"])
    return msgspec.convert({"symbol": symbol, **fields}, Instrument)


def unknown_symbol(symbol: str, lacking: list[str]) -> str:
    """Say that a symbol has no entry, what is near, and how to describe it."""
    import difflib

    near = difflib.get_close_matches(symbol.upper(), symbols(), n=1, cutoff=0.6)
    suggestion = f'did you mean "{near[0]}"? ' if near else ""
    return (
        f"no such symbol in the catalogue; {suggestion}"
        f"To trade it, describe it in [instruments.{symbol}]: {', '.join(lacking)} missing"
    )


def base_asset(instrument: Instrument) -> str | None:
    """Return what a pair prices (EUR of EURUSD, BTC of BTCUSDT), None when it is no pair."""
    asset = instrument.symbol.removesuffix(instrument.quote_currency)
    return asset if asset and asset != instrument.symbol else None
