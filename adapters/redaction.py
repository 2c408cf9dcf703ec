"""Redaction: an address or a message with its secrets blotted out, for logs, errors and status.

It works on any text and never raises. In a query only values of names known to be harmless are
shown, because nobody can list what venues call their keys; what is blotted needlessly costs little.
Whoever holds the secret passes it along: then it is blotted wherever it stands.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote, quote_plus

BLOT: Final = "***"

_HARMLESS: Final = frozenset(
    {
        "alignmenttimezone", "dailyalignment", "end", "end_date", "endtime", "from", "granularity",
        "instruments", "interval", "limit", "order", "outputsize", "price", "resolution", "start",
        "start_date", "starttime", "streams", "symbol", "symbols", "timezone", "to",
    }
)  # fmt: skip
"""Names of query values that are shown: what was asked for, not who asked."""

_ADDRESS: Final = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*://|/)[^\s\"'<>\\]*")
_USER: Final = re.compile(r"(?<=://)[^/?#]*@")
_LONG: Final = re.compile(r"(?<=[^/]/)(?=[^/]*[0-9])(?=[^/]*[A-Za-z])[^/@]{24,}")
"""A part of a URL's path, not the host, that looks like a token: long, of digits and letters."""
_BOT: Final = re.compile(r"(?<=/bot)[0-9]+:[\w-]+")
"""The token of a chat bot, which is a part of the path by that service's design."""
_NAME: Final = (
    r"[\w-]*(?:api[-_ ]?key|token|secret|passw(?:or)?d|passphrase|signature|authorization)[\w-]*"
)
_PAIR: Final = re.compile(
    rf"(\b{_NAME}\\?[\"']?\s*[:=]\s*)(?:\\?\"[^\"]*|\\?'[^']*|[^\s,;&\"'}}]+)", re.IGNORECASE
)
_SCHEME: Final = re.compile(r"\b(bearer|basic|apikey)\s+[^\s\"',]{6,}", re.IGNORECASE)
_SCHEME_BLOT: Final = rf"\1 {BLOT}"


def redacted(text: str, *secrets: str) -> str:
    """Return a URL, or a text that may hold one, without passwords, keys and tokens.

    ``secrets`` are blotted wherever they stand, as they are and percent-encoded.

    >>> redacted("wss://ws.finnhub.io?token=abc")
    'wss://ws.finnhub.io?token=***'
    """
    for secret in secrets:
        if secret:
            for form in {secret, quote(secret, safe=""), quote(secret), quote_plus(secret)}:
                text = text.replace(form, BLOT)
    text = _ADDRESS.sub(_address, text)
    text = _SCHEME.sub(_SCHEME_BLOT, text)
    return _PAIR.sub(_pair, text)


def _address(match: re.Match[str]) -> str:
    place, mark, query = match[0].partition("?")
    place, hash_mark, _ = place.partition("#")
    place = _BOT.sub(BLOT, _USER.sub(f"{BLOT}@", place))
    if "://" in place:  # a path of this machine has long names and no secret
        place = _LONG.sub(BLOT, place)
    if hash_mark:
        return f"{place}#{BLOT}"
    return f"{place}{mark}{_query(query)}" if mark else place


def _query(query: str) -> str:
    query, hash_mark, _ = query.partition("#")
    shown = []
    for part in re.split("[&;]", query):
        name, equals, value = part.partition("=")
        if not equals:
            shown.append(BLOT if part else part)
        else:
            shown.append(f"{name}={value if name.lower() in _HARMLESS else BLOT}")
    return "&".join(shown) + (f"#{BLOT}" if hash_mark else "")


def _pair(match: re.Match[str]) -> str:
    value = match[0][len(match[1]) :]
    opening = re.match(r"\\?[\"']?", value)
    return f"{match[1]}{opening[0] if opening else ''}{BLOT}"
