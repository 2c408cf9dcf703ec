"""Lines over one long HTTP answer, a JSON object a line, as brokers stream prices."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError

from adapters.feeds.backoff import LineError
from adapters.feeds.line import AddressOpener, LineLimits, Room, Take
from adapters.redaction import redacted


class StreamOpener(AddressOpener):
    """Opens streams from one address."""

    async def open(self) -> StreamLine:
        """Ask for the stream; it is open once the answer's head is there.

        Raises:
            LineError: it could not be opened, or the answer is not 200.
        """
        session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=None),
            # A line may be as long as both halves of the buffer, and no longer.
            read_bufsize=max(1, self._limits.max_frame_bytes // 2),
        )
        try:
            async with asyncio.timeout(self._limits.open_timeout_s):
                response = await session.get(
                    self._url,
                    headers={"Accept-Encoding": "identity", **self._headers},
                    allow_redirects=False,
                )
                if response.status != 200:
                    text = await response.content.read(200)
                    raise self._failed(f"status {response.status}: {text!r}", response.status)
        except (OSError, TimeoutError, ValueError, aiohttp.ClientError) as error:
            await session.close()
            raise self._failed(error) from None
        except BaseException:
            await session.close()
            raise
        return StreamLine(session, response, self._limits, self._secrets)


class StreamLine:
    """One open stream; it is read only."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        response: aiohttp.ClientResponse,
        limits: LineLimits,
        secrets: Sequence[str],
    ) -> None:
        """Take an answer whose head was read."""
        self._session = session
        self._response = response
        self._limits = limits
        self._secrets = secrets

    async def send(self, frame: bytes) -> None:
        """Refuse: what a stream sends is asked for in its address."""
        raise LineError("a stream takes no frames; its codec must have nothing to send")

    async def deliver(self, take: Take, room: Room) -> None:
        """Give every line that is not empty to ``take``, until the stream ends.

        Raises:
            LineError: how it ended.
        """
        while True:
            line = await self._next()
            if not room.has_room():
                await room.room()
            take(line)

    async def _next(self) -> bytes:
        while True:
            try:
                line = await self._response.content.readline()
            except (ValueError, HttpProcessingError):
                # What the library raises for a line without an end depends on its version.
                limit = self._limits.max_frame_bytes
                raise LineError(
                    f"expected lines of at most {limit} bytes", "FRAME_TOO_LARGE"
                ) from None
            except (OSError, TimeoutError, aiohttp.ClientError) as error:
                raise LineError(redacted(str(error), *self._secrets)) from None
            if not line:
                raise LineError("the venue ended the stream")
            if line.strip():
                return line

    async def close(self) -> None:
        """End the stream, and hard when that takes too long."""
        self.abort()
        try:
            async with asyncio.timeout(self._limits.close_timeout_s):
                await self._session.close()
        except (TimeoutError, OSError, aiohttp.ClientError):
            pass

    def abort(self) -> None:
        """End the stream at once."""
        self._response.close()
