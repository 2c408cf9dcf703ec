"""Lines over websockets. Of the library nothing else is used, and nothing of it gets out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import (
    ConnectionClosed,
    InvalidStatus,
    WebSocketException,
)

from adapters.feeds.backoff import LineError
from adapters.feeds.line import AddressOpener, LineLimits
from adapters.redaction import redacted

_TOO_BIG: Final = 1009
_SILENT: Final = logging.getLogger("foliod.websocket")
"""The library would log addresses and headers, which hold secrets; what went wrong is raised."""

_SILENT.addHandler(logging.NullHandler())
_SILENT.propagate = False


class WebsocketOpener(AddressOpener):
    """Opens websocket lines to one address, straight, through no proxy."""

    async def open(self) -> WebsocketLine:
        """Open a line within its limit.

        Raises:
            LineError: it could not be opened.
        """
        limits = self._limits
        try:
            connection = await connect(
                self._url,
                additional_headers=self._headers,
                open_timeout=limits.open_timeout_s,
                close_timeout=limits.close_timeout_s,
                ping_interval=limits.ping_interval_s,
                ping_timeout=limits.ping_timeout_s,
                max_size=limits.max_frame_bytes,
                max_queue=limits.max_queue,
                compression=None,
                proxy=None,
                logger=_SILENT,
            )
        except InvalidStatus as error:
            raise self._failed(error, error.response.status_code) from None
        except (OSError, TimeoutError, ValueError, WebSocketException) as error:
            raise self._failed(error) from None
        return WebsocketLine(connection, limits, self._secrets)


class WebsocketLine:
    """One open websocket."""

    def __init__(
        self, connection: ClientConnection, limits: LineLimits, secrets: Sequence[str]
    ) -> None:
        """Take an open connection."""
        self._connection = connection
        self._limits = limits
        self._secrets = secrets

    async def send(self, frame: bytes) -> None:
        """Send a frame as text: every codec here speaks JSON."""
        try:
            await self._connection.send(frame, text=True)
        except (ConnectionClosed, OSError) as error:
            raise self._ended(error) from None

    async def receive(self) -> bytes:
        """Return the next frame."""
        try:
            return await self._connection.recv(decode=False)
        except (ConnectionClosed, OSError) as error:
            raise self._ended(error) from None

    async def close(self) -> None:
        """End the line politely, and hard when that takes too long."""
        try:
            async with asyncio.timeout(self._limits.close_timeout_s):
                await self._connection.close()
        except (TimeoutError, OSError, WebSocketException):
            pass
        finally:
            self.abort()

    def abort(self) -> None:
        """End the line at once."""
        self._connection.transport.abort()

    def _ended(self, error: ConnectionClosed | OSError) -> LineError:
        sent = error.sent if isinstance(error, ConnectionClosed) else None
        if sent is not None and sent.code == _TOO_BIG:
            text = f"expected frames of at most {self._limits.max_frame_bytes} bytes: {sent.reason}"
            return LineError(text, "FRAME_TOO_LARGE")
        return LineError(redacted(str(error), *self._secrets))
