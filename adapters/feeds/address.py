"""Addresses: where a venue's stream and its REST history are, and how to be let in.

An address carries the secret to the one who connects and to nobody else: text and representation
of it are redacted.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from adapters.redaction import BLOT, redacted
from state.errors import ConfigError


class Address:
    """A URL and the headers to send to it.

    ``headers`` and ``url()`` hold the secret; ``str`` and ``repr`` do not.
    """

    __slots__ = ("_base", "_key", "_secret", "headers")

    def __init__(
        self,
        base: str,
        *,
        key: str = "",
        secret: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Take ``base`` without a secret; ``key`` is the query name that carries ``secret``."""
        self._base = base
        self._key = key
        self._secret = secret
        self.headers = dict(headers or {})

    def url(self, path: str = "") -> str:
        """Return the URL to connect to; ``path`` (with a query) is appended to the base."""
        whole = self._base + path
        if not self._key:
            return whole
        mark = "&" if "?" in whole else "?"
        return f"{whole}{mark}{self._key}={quote(self._secret, safe='')}"

    def redact(self, text: str) -> str:
        """Return a text without this address's secret."""
        return redacted(text, self._secret)

    def __str__(self) -> str:
        """Return the URL, redacted."""
        return self.redact(self.url())

    def __repr__(self) -> str:
        """Name the URL, redacted, and the headers without their values."""
        names = "".join(f", {name}: {BLOT}" for name in self.headers)
        return f"Address({self}{names})"

    def __reduce__(self) -> str:
        """Refuse to be pickled: a secret is not written anywhere.

        Raises:
            TypeError: always.
        """
        raise TypeError("an address holds a secret and is not pickled")


def checked_secret(secret: str, venue: str, name: str) -> str:
    """Return a secret that can be sent: printable ASCII without blanks.

    Raises:
        ConfigError: it cannot; the text does not show it.
    """
    if not secret:
        raise ConfigError(f"{venue}: expected its {name}, found none")
    if not (secret.isascii() and secret.isprintable()) or " " in secret:
        raise ConfigError(
            f"{venue}: expected its {name} in printable ASCII without blanks; "
            "look for a line end or quotes around it"
        )
    return secret
