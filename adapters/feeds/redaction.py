"""Redaction: addresses and messages without the secrets that venues put into them (SEC-1)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit, urlunsplit

HIDDEN: Final = "***"

_PARAMETER = re.compile(r"([?&;#][^=&;#\s]*=)[^&;#\s'\"]*")
_USER = re.compile(r"(?<=://)[^/@\s]*@")
_BEARER = re.compile(r"(?i)\b(bearer|basic|token)\s+[A-Za-z0-9._~+/=-]{6,}")
_ADDRESS = re.compile(r"\b(?:wss?|https?)://[^\s'\"<>]+")


def redacted(url: str) -> str:
    """Return an address that may be shown: no user, and no value of any query parameter.

    Which parameter is a secret differs between venues, so none is shown.

    >>> redacted("wss://me:pw@ws.example.org:443/quotes?symbol=EURUSD&apikey=abc#x=1")
    'wss://***@ws.example.org:443/quotes?symbol=***&apikey=***#***'
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return HIDDEN
    host = parts.netloc.rpartition("@")[2]
    netloc = f"{HIDDEN}@{host}" if host != parts.netloc else host
    query = "&".join(
        f"{item.partition('=')[0]}={HIDDEN}" if "=" in item else HIDDEN
        for item in parts.query.split("&")
        if item
    )
    return urlunsplit((parts.scheme, netloc, parts.path, query, HIDDEN if parts.fragment else ""))


def without_secrets(text: str, secrets: Iterable[str] = ()) -> str:
    """Return a message without the ``secrets``, and without those of addresses and headers in it.

    Libraries quote the address they failed to reach; an empty secret hides nothing.
    """
    for secret in secrets:
        if secret:
            text = text.replace(secret, HIDDEN)
    text = _ADDRESS.sub(lambda found: redacted(found[0]), text)
    text = _USER.sub(f"{HIDDEN}@", text)
    text = _PARAMETER.sub(rf"\1{HIDDEN}", text)
    return _BEARER.sub(rf"\1 {HIDDEN}", text)
