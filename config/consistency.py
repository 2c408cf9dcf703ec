"""Rules between sections, checked on what is known of each, so that no mistake hides another.

It works on facts taken from the sections, valid or half valid. Nothing here looks at files: whether
a bar file exists is not a matter of the settings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from config.catalogue import instrument, missing, unknown_symbol
from config.conversion import route
from config.types import did_you_mean, interval_s
from state.errors import ConfigError
from state.instruments import Instrument

Problem = tuple[tuple[str | int, ...], str]
"""Where (the key as a path) and what."""


class Source(NamedTuple):
    """What is known of one [[bars]] table; None where it is missing or wrong."""

    symbol: str | None
    interval: str | None


class Trader(NamedTuple):
    """What is known of one [[strategies]] table; None or empty where it is missing or wrong."""

    name: str | None
    symbols: tuple[str, ...]
    interval: str | None


@dataclass
class Facts:
    """What is known of the sections that depend on one another.

    Lists are by index in the file. ``described`` holds the fields given for each symbol, right or
    wrong, ``overrides`` the right ones. ``pairs`` is the conversion symbol by currency, None where
    it is wrong. ``commands`` holds name and argument.
    """

    base_currency: str | None = None
    sources: dict[int, Source] = field(default_factory=dict)
    traders: dict[int, Trader] = field(default_factory=dict)
    described: dict[str, set[str]] = field(default_factory=dict)
    overrides: dict[str, dict[str, Any]] = field(default_factory=dict)
    pairs: dict[str, str | None] = field(default_factory=dict)
    commands: dict[int, tuple[str, str]] = field(default_factory=dict)
    no_strategies: bool = False

    def lacking(self, symbol: str) -> list[str]:
        """Return the required fields that nobody gives for the symbol; empty: it is known."""
        return missing(symbol, dict.fromkeys(self.described.get(symbol, ())))

    def instrument(self, symbol: str) -> Instrument:
        """Return the instrument of a symbol.

        Raises:
            ConfigError: the symbol has no entry, or a wrong one.
        """
        return instrument(symbol, self.overrides.get(symbol))

    def traded(self) -> set[str]:
        """Return the symbols of all strategies."""
        return {symbol for trader in self.traders.values() for symbol in trader.symbols}

    def places(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """Yield every place that names a symbol, and the symbol."""
        for index, source in self.sources.items():
            if source.symbol is not None:
                yield ("bars", index, "symbol"), source.symbol
        for index, trader in self.traders.items():
            for symbol in trader.symbols:
                yield ("strategies", index, "symbols"), symbol
        for currency, pair in self.pairs.items():
            if pair is not None:
                yield ("conversion", currency), pair


def problems(facts: Facts) -> list[Problem]:
    """Return every broken rule."""
    rules: tuple[Callable[[Facts], Iterator[Problem]], ...] = (
        _strategies_exist,
        _names_unique,
        _symbols_known,
        _instruments_legal,
        _sources_unique,
        _intervals_fit,
        _currencies_named,
        _currencies_convert,
        _commands_known,
    )
    return [problem for rule in rules for problem in rule(facts)]


def is_currency(key: str) -> bool:
    """Whether a key of [conversion] is a currency: three to five capital letters."""
    return key.isascii() and key.isalpha() and key.isupper() and 3 <= len(key) <= 5


def _strategies_exist(facts: Facts) -> Iterator[Problem]:
    if facts.no_strategies:
        yield ("strategies",), "none given: a portfolio needs at least one [[strategies]] table"


def _names_unique(facts: Facts) -> Iterator[Problem]:
    first: dict[str, int] = {}
    for index, trader in facts.traders.items():
        if trader.name is None:
            continue
        if trader.name in first:
            yield (
                ("strategies", index, "name"),
                f'"{trader.name}" is the name of strategies[{first[trader.name]}] already; '
                f"allowed: a name of its own",
            )
        first.setdefault(trader.name, index)


def _symbols_known(facts: Facts) -> Iterator[Problem]:
    for where, symbol in facts.places():
        if lacking := facts.lacking(symbol):
            yield where, f'"{symbol}": {unknown_symbol(symbol, lacking)}'


def _instruments_legal(facts: Facts) -> Iterator[Problem]:
    used = {symbol for _, symbol in facts.places()}
    for symbol in facts.described:
        where = ("instruments", symbol)
        lacking = facts.lacking(symbol)
        if lacking and symbol not in used:
            yield where, unknown_symbol(symbol, lacking)
        if lacking or missing(symbol, facts.overrides.get(symbol, {})):
            continue
        made = facts.instrument(symbol)
        if made.min_quantity % made.lot:
            yield (
                (*where, "min_quantity"),
                f"{made.min_quantity} is not a multiple of the lot {made.lot}",
            )


def _sources_unique(facts: Facts) -> Iterator[Problem]:
    first: dict[Source, int] = {}
    for index, source in facts.sources.items():
        if source.symbol is not None and source in first:
            what = f"{source.symbol} {source.interval or '(interval not given)'}"
            yield (
                ("bars", index, "interval"),
                f"bars[{first[source]}] is a source of {what} already; allowed: one file per "
                f"symbol and interval",
            )
        first.setdefault(source, index)


def _intervals_fit(facts: Facts) -> Iterator[Problem]:
    steps: dict[str | None, list[int | None]] = {}
    for source in facts.sources.values():
        step = interval_s(source.interval) if source.interval is not None else None
        steps.setdefault(source.symbol, []).append(step)
    for index, trader in facts.traders.items():
        wanted = interval_s(trader.interval) if trader.interval is not None else None
        for symbol in trader.symbols if wanted is not None else ():
            found = steps.get(symbol)
            if found and not any(step is None or (wanted or 0) % step == 0 for step in found):
                yield (
                    ("strategies", index, "interval"),
                    f'"{trader.interval}" bars of {symbol} cannot be made of the bars given; '
                    f"allowed: a multiple of the interval of one [[bars]] of {symbol}",
                )


def _currencies_named(facts: Facts) -> Iterator[Problem]:
    for key, pair in facts.pairs.items():
        if pair is not None and not is_currency(key):
            near = did_you_mean(key, ["stale_after_s"])
            yield (
                ("conversion", key),
                f'unknown key (given: "{pair}"){near} allowed: a currency in capitals, '
                f"or stale_after_s",
            )


def _currencies_convert(facts: Facts) -> Iterator[Problem]:
    if facts.base_currency is None:
        return
    wrong = {currency for currency, pair in facts.pairs.items() if pair is None}
    pairs: Mapping[str, str] = {c: pair for c, pair in facts.pairs.items() if pair is not None}
    needed: dict[str, str] = {}
    for symbol in sorted(facts.traded()):
        if not missing(symbol, facts.overrides.get(symbol, {})):
            needed.setdefault(facts.instrument(symbol).quote_currency, symbol)
    named = {currency for currency in pairs if is_currency(currency)}
    for currency in sorted((needed.keys() | named) - wrong):
        why = f" ({needed[currency]} is priced in {currency})" if currency in needed else ""
        try:
            route(currency, facts.base_currency, pairs, facts.instrument)
        except ValueError as error:
            yield ("conversion", currency), f"{error}{why}"
        except ConfigError:
            continue  # the pair has no entry: _symbols_known says so


def _commands_known(facts: Facts) -> Iterator[Problem]:
    known = facts.traded() | {"loss_streak"}
    for index, (command, argument) in facts.commands.items():
        if command == "clear_cooldown" and argument and argument not in known:
            yield (
                ("replay", "commands", index, "argument"),
                f'"{argument}" has no cooldown{did_you_mean(argument, known)} '
                f'allowed: a symbol some strategy trades, or "loss_streak"',
            )
