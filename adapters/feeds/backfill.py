"""History over HTTP: past bars of a source, a page at a time, within limits (F5).

What a venue's requests and answers look like is its ``HistoryCodec``'s business, which is pure; the
socket, the limits and the secrets are here. Nothing is invented: what cannot be had is an error.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Protocol

import aiohttp
import msgspec

from adapters.redaction import redacted
from state.bars import Bar
from state.errors import FeedError


class HistoryCodec(Protocol):
    """One venue's requests for past bars; pure. ``max_bars`` is the most of one answer."""

    max_bars: int

    def request(self, symbol: str, interval_ns: int, from_ns: int, to_ns: int) -> str:
        """Return the address that answers with the bars opening in ``[from_ns, to_ns)``."""

    def parse(self, answer: bytes, symbol: str, interval_ns: int) -> Sequence[Bar]:
        """Return the bars of an answer, in any order; bars outside what was asked may be in it.

        Raises:
            FeedError: it is not what the venue documents.
        """


class RestLimits(msgspec.Struct, frozen=True):
    """What an answer may cost: seconds and bytes each, and how many pages one question may have."""

    timeout_s: float = 5.0
    max_bytes: int = 8_388_608
    max_pages: int = 10


class RestHistory:
    """Asks one venue for past bars. ``headers`` and ``secrets`` are kept out of every error."""

    def __init__(
        self,
        codec: HistoryCodec,
        limits: RestLimits,
        headers: Mapping[str, str] | None = None,
        secrets: Sequence[str] = (),
    ) -> None:
        """Keep the parts; a connection is opened for each question and ended with it."""
        self._codec = codec
        self._limits = limits
        self._headers = dict(headers or {})
        self._secrets = (*secrets, *self._headers.values())
        # A venue counts requests: the symbols of a feed ask one after the other.
        self._turn = asyncio.Lock()

    async def fetch(self, symbol: str, interval_ns: int, from_ns: int, to_ns: int) -> Sequence[Bar]:
        """Return the bars opening from ``from_ns`` (inclusive) to ``to_ns`` (exclusive), by time.

        Raises:
            FeedError: the venue, the network or a limit said no.
        """
        page_ns = self._codec.max_bars * interval_ns
        starts = range(from_ns, to_ns, page_ns)
        if len(starts) > self._limits.max_pages:
            raise FeedError(
                f"{symbol}: {(to_ns - from_ns) // interval_ns} bars are missing, at most "
                f"{self._limits.max_pages * self._codec.max_bars} are asked for at a time"
            )
        found: dict[int, Bar] = {}
        async with self._turn, aiohttp.ClientSession(headers=self._headers) as session:
            for start_ns in starts:
                end_ns = min(start_ns + page_ns, to_ns)
                url = self._codec.request(symbol, interval_ns, start_ns, end_ns)
                answer = await self._get(session, url)
                for bar in self._codec.parse(answer, symbol, interval_ns):
                    if start_ns <= bar.open_ns < end_ns:
                        found[bar.open_ns] = bar
        return [found[open_ns] for open_ns in sorted(found)]

    async def _get(self, session: aiohttp.ClientSession, url: str) -> bytes:
        """Return the body of an answer with status 200.

        Raises:
            FeedError: anything else; the text has no secret in it.
        """
        limit = self._limits.max_bytes
        try:
            async with asyncio.timeout(self._limits.timeout_s):
                async with session.get(url, allow_redirects=False) as response:
                    body = await _read(response, limit)
                    if response.status == 200 and len(body) <= limit:
                        return body
                    said = f"status {response.status}: {body[:200]!r}"
                    if len(body) > limit:
                        said = f"expected at most {limit} bytes, found more"
        except TimeoutError:
            said = f"no answer within {self._limits.timeout_s:g} s"
        except (OSError, ValueError, aiohttp.ClientError) as error:
            said = str(error) or type(error).__name__
        raise FeedError(redacted(f"{redacted(url)}: {said}", *self._secrets))


async def _read(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """Read an answer, a little beyond the limit at most."""
    parts, size = [], 0
    async for part in response.content.iter_chunked(65_536):
        parts.append(part)
        size += len(part)
        if size > limit:
            break
    return b"".join(parts)
