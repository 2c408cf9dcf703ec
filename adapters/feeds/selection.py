"""Which source a feed uses when the setting says ``auto`` (F2)."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from state.errors import ConfigError

AUTO: Final = "auto"

ORDER: Final = ("oanda", "finnhub", "twelvedata", "binance", "generic")
"""The order of ``auto``: quotes of a broker, trades, prices of a vendor, an exchange that needs no
key, and last the socket that may be anything."""


def choose_source(asked: str, configured: Collection[str]) -> str:
    """Return the source to use: the one asked for, or for ``auto`` the first configured of ORDER.

    Raises:
        ConfigError: it is unknown, not configured, or nothing is configured.
    """
    if asked == AUTO:
        for source in ORDER:
            if source in configured:
                return source
        raise ConfigError(
            f'source = "auto" takes the first configured of {", ".join(ORDER)}; none of them is '
            "configured"
        )
    if asked not in ORDER:
        raise ConfigError(f"unknown source {asked!r}; known are {AUTO} and {', '.join(ORDER)}")
    if asked not in configured:
        raise ConfigError(
            f"source {asked!r} is asked for and not configured; configured: "
            f"{', '.join(sorted(configured)) or 'none'}"
        )
    return asked
