"""One HTTP request to an address that is a secret, and what its answer means.

The address appears in no error: neither the library's texts nor the answer's body are repeated,
since both may hold it.
"""

from __future__ import annotations

import asyncio
import ssl
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Final

import aiohttp

from state.errors import NotifyError

AGAIN: Final = frozenset({408, 425, 429})
"""Statuses below 500 that ask for another try."""
WRONG_MESSAGE: Final = frozenset({400, 413, 415, 422})
"""Statuses that are about the message: the next one may well be taken."""
LONGEST_WAIT_S: Final = 3600.0


class Address:
    """A URL with a name; the name is all that is ever shown of it."""

    def __init__(self, name: str, url: str, timeout_s: float) -> None:
        """Take the URL; a request to it fails after ``timeout_s``."""
        self.name = name
        self._url = url
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._timeout_s = timeout_s
        self._session: aiohttp.ClientSession | None = None

    def __repr__(self) -> str:
        """Return the name, never the URL."""
        return f"Address({self.name!r})"

    async def request(self, method: str, body: bytes | None = None) -> None:
        """Make one request and take its answer; redirects are not followed.

        Raises:
            NotifyError: there was no answer, or not one of success.
        """
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=self._timeout)
        headers = {"User-Agent": "foliod"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            async with self._session.request(
                method, self._url, data=body, headers=headers, allow_redirects=False
            ) as answer:
                again = answer.headers.get("Retry-After", "")
                self._judge(answer.status, wait_s(again, answer.headers.get("Date", "")))
        except NotifyError:
            raise
        except TimeoutError:
            raise NotifyError(f"{self.name}: no answer within {self._timeout_s:g} s") from None
        except aiohttp.InvalidURL:
            raise NotifyError(f"{self.name}: the secret is no URL of http or https") from None
        except (aiohttp.ClientError, OSError, ssl.SSLError) as problem:
            raise NotifyError(f"{self.name}: {reason(problem)}") from None

    async def close(self) -> None:
        """Close connections that are kept open."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _judge(self, status: int, retry_after_s: float | None) -> None:
        if 200 <= status < 300:
            return
        text = f"{self.name}: answered {status}"
        if status in WRONG_MESSAGE:
            raise NotifyError(f"{text}: it does not take this message", is_final=True)
        if status in AGAIN or status >= 500:
            raise NotifyError(text, retry_after_s=retry_after_s)
        raise NotifyError(f"{text}: is the address in the secret right, and still valid?")


def wait_s(retry_after: str, date: str) -> float | None:
    """Read a Retry-After header: seconds, or a date after the answer's own; None for none.

    At most an hour: whoever asks for more is asked again then.

    >>> wait_s("7", "")
    7.0
    """
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:12]), LONGEST_WAIT_S)
    at, now = _date(text), _date(date)
    if at is None or now is None:
        return None
    return min(max(0.0, (at - now).total_seconds()), LONGEST_WAIT_S)


def _date(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
    except (ValueError, IndexError):
        return None
    return None if found.tzinfo is None else found


def reason(problem: BaseException) -> str:
    """Say what kept a connection from being made, without the address that errors repeat."""
    inner = getattr(problem, "os_error", None) or problem
    if isinstance(inner, ssl.SSLError):
        return f"TLS failed ({inner.reason or type(inner).__name__})"
    if isinstance(inner, asyncio.IncompleteReadError | aiohttp.ServerDisconnectedError):
        return "the connection was closed before an answer"
    if isinstance(inner, OSError) and inner.errno is not None and inner.strerror:
        number = f"[Errno {inner.errno}]"
        return f"cannot be reached {number}: {type(inner).__name__}"
    return f"cannot be reached: {type(inner).__name__}"
