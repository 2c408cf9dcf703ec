"""Where Twelve Data is. The key is in the socket's address, and a header of the REST history."""

from __future__ import annotations

from typing import Final

from adapters.feeds.address import Address, checked_secret

STREAM: Final = "wss://ws.twelvedata.com"
REST: Final = "https://api.twelvedata.com"


def stream(key: str, base: str = "") -> Address:
    """Return the socket.

    Raises:
        ConfigError: the key cannot be sent.
    """
    secret = checked_secret(key, "twelvedata", "API key")
    return Address(f"{base or STREAM}/v1/quotes/price", key="apikey", secret=secret)


def rest(key: str, base: str = "") -> Address:
    """Return where the history is asked for.

    Raises:
        ConfigError: the key cannot be sent.
    """
    key = checked_secret(key, "twelvedata", "API key")
    return Address(base or REST, secret=key, headers={"Authorization": f"apikey {key}"})
