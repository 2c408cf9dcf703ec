"""Where Finnhub is. The key is part of the socket's address, and a header of the REST history."""

from __future__ import annotations

from typing import Final

from adapters.feeds.address import Address, checked_secret

STREAM: Final = "wss://ws.finnhub.io"
REST: Final = "https://finnhub.io"


def stream(key: str, base: str = "") -> Address:
    """Return the socket.

    Raises:
        ConfigError: the key cannot be sent.
    """
    return Address(base or STREAM, key="token", secret=checked_secret(key, "finnhub", "API key"))


def rest(key: str, base: str = "") -> Address:
    """Return where the history is asked for.

    Raises:
        ConfigError: the key cannot be sent.
    """
    key = checked_secret(key, "finnhub", "API key")
    return Address(base or REST, secret=key, headers={"X-Finnhub-Token": key})
