"""Where a generic socket is: the URL as set, with the key in its place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, urlsplit

from adapters.feeds.address import Address, checked_secret
from adapters.redaction import redacted
from state.errors import ConfigError

KEY: Final = "{key}"


def stream(url: str, key: str = "", headers: Mapping[str, str] | None = None) -> Address:
    """Return the socket; ``{key}`` in the URL or in a header's value stands for the key.

    Raises:
        ConfigError: it is no ``ws://`` or ``wss://`` URL, or the key is missing or cannot be sent.
    """
    headers = dict(headers or {})
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("ws", "wss") and bool(parts.hostname)
    except ValueError:
        usable = False
    if not usable:
        raise ConfigError(
            f"generic: expected a URL such as wss://feed.example/bars, found {redacted(url, key)!r}"
        )
    if key:
        checked_secret(key, "generic", "key")
    elif KEY in url or any(KEY in value for value in headers.values()):
        raise ConfigError("generic: the address asks for a key and none is given")
    return Address(
        url.replace(KEY, quote(key, safe="")),
        secret=key,
        headers={name: value.replace(KEY, key) for name, value in headers.items()},
    )
