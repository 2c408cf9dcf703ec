"""Conversion routes: which pairs' last prices turn a quote currency into the base currency (I2).

It knows no price: a route is a list of hops, and who has the prices walks it. It imports no
pydantic.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from config.catalogue import base_asset
from state.instruments import Instrument

MAX_HOPS: Final = 2


class Hop(NamedTuple):
    """One step of a route: multiply by the symbol's last price, or divide when ``inverted``."""

    symbol: str
    inverted: bool


def route(
    currency: str,
    base_currency: str,
    pairs: Mapping[str, str],
    instrument: Callable[[str], Instrument],
) -> tuple[Hop, ...]:
    """Return the hops from ``currency`` to ``base_currency``, at most two; none when equal.

    ``pairs`` is the conversion symbol by currency, ``instrument`` gives the instrument of a symbol.

    Raises:
        ValueError: there is no route; the text says what is missing.
    """
    hops: list[Hop] = []
    reached = currency
    while reached != base_currency:
        symbol = pairs.get(reached)
        if symbol is None:
            raise ValueError(
                f"no conversion of {reached} to {base_currency}: set conversion.{reached} to a "
                f'pair of both, such as "{base_currency}{reached}" or "{reached}{base_currency}"'
            )
        if len(hops) == MAX_HOPS:
            raise ValueError(
                f"the conversion of {currency} takes more than {MAX_HOPS} pairs to reach "
                f"{base_currency}: {', '.join(hop.symbol for hop in hops)}, {symbol}"
            )
        pair = instrument(symbol)
        asset = base_asset(pair)
        if asset is not None and reached == pair.quote_currency:
            hops.append(Hop(symbol, inverted=True))
            reached = asset
        elif asset is not None and reached == asset:
            hops.append(Hop(symbol, inverted=False))
            reached = pair.quote_currency
        else:
            raise ValueError(
                f"{symbol} is no pair of {reached}: its price cannot convert {reached}"
            )
    return tuple(hops)
