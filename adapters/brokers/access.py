"""Whether a broker takes our credentials: asked once before the day, changing nothing there."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from adapters.ports import Access

REFUSED: Final = frozenset({401, 403})


class PaperAccess:
    """The paper broker needs no credentials."""

    name = "paper"

    def check(self) -> Access:
        """Say so."""
        return Access("ok", "the paper broker needs no credentials")


class HttpAccess:
    """Credentials tried with one GET, of an address that answers 2xx to whoever may trade."""

    def __init__(
        self, name: str, url: str, headers: Mapping[str, str], timeout_s: float = 10.0
    ) -> None:
        """Take the address and the headers that hold the credentials; neither is ever shown."""
        self.name = name
        self._url = url
        self._headers = dict(headers)
        self._timeout_s = timeout_s

    def __repr__(self) -> str:
        """Return the name, and no credentials."""
        return f"HttpAccess({self.name!r})"

    def check(self) -> Access:
        """Ask once: a refusal is the broker's word, everything else that fails is the network's."""
        try:
            status = self._status()
        except TimeoutError:
            return Access("unreachable", f"no answer within {self._timeout_s:g} s")
        except (OSError, http.client.HTTPException, ValueError) as problem:
            reason = getattr(problem, "strerror", None) or type(problem).__name__
            return Access("unreachable", f"it cannot be asked ({reason})")
        if 200 <= status < 300:
            return Access("ok", "takes the credentials")
        if status in REFUSED:
            return Access("refused", f"refuses the credentials (it answers {status})")
        return Access("unreachable", f"answers {status}, which says nothing of the credentials")

    def _status(self) -> int:
        parts = urlsplit(self._url)
        host, port = parts.hostname or "", parts.port
        line: http.client.HTTPConnection
        if parts.scheme == "https":
            context = ssl.create_default_context()
            line = http.client.HTTPSConnection(host, port, timeout=self._timeout_s, context=context)
        else:
            line = http.client.HTTPConnection(host, port, timeout=self._timeout_s)
        target = parts.path or "/"
        try:
            line.request(
                "GET", f"{target}?{parts.query}" if parts.query else target, headers=self._headers
            )
            return line.getresponse().status
        finally:
            line.close()
