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
from websockets.frames import DATA_OPCODES, Frame, Opcode
from websockets.protocol import Event

from adapters.feeds.backoff import LineError
from adapters.feeds.line import AddressOpener, LineLimits, Room, Take
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
                create_connection=DirectConnection,
            )
        except InvalidStatus as error:
            raise self._failed(error, error.response.status_code) from None
        except (OSError, TimeoutError, ValueError, WebSocketException) as error:
            raise self._failed(error) from None
        assert isinstance(connection, DirectConnection)
        return WebsocketLine(connection, limits, self._secrets)


class DirectConnection(ClientConnection):
    """The library's connection, which gives a frame on where it is read: a turn of the loop less.

    Only a whole message with nothing before it, and with room for it, goes that way. All else takes
    the library's own: its queue, its limits, its errors.
    """

    _take: Take | None = None
    _room: Room
    _fault: Exception | None = None
    _behind = 0
    """Whole messages in the library's queue, or out of it and not taken yet."""

    def process_event(self, event: Event) -> None:
        """Take a frame that was read."""
        if not isinstance(event, Frame) or event.opcode not in DATA_OPCODES:
            super().process_event(event)
        elif (
            self._take is not None
            and not self._behind
            and event.fin
            and event.opcode is not Opcode.CONT
            and self._room.has_room()
        ):
            self._give(self._take, bytes(event.data))
        else:
            self._behind += event.fin
            super().process_event(event)

    async def deliver(self, take: Take, room: Room) -> None:
        """Give every message to ``take`` until the connection ends.

        Raises:
            ConnectionClosed: it has ended.
            Exception: whatever ``take`` raised.
        """
        self._take, self._room = take, room
        try:
            while True:
                message = await self.recv(decode=False)
                await room.room()
                self._give(take, message)
                self._behind -= 1
                if self._fault is not None:
                    raise self._fault
        except ConnectionClosed:
            if self._fault is not None:
                raise self._fault from None
            raise
        finally:
            self._take = None

    def _give(self, take: Take, message: bytes) -> None:
        """Give a message on; what is raised there ends the connection, not who reads it."""
        if self._fault is not None:
            return
        try:
            take(message)
        except Exception as error:
            self._fault = error
            self.transport.abort()


class WebsocketLine:
    """One open websocket."""

    def __init__(
        self, connection: DirectConnection, limits: LineLimits, secrets: Sequence[str]
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

    async def deliver(self, take: Take, room: Room) -> None:
        """Give every frame to ``take``, most of them as they are read, until the line ends.

        Raises:
            LineError: how it ended.
        """
        try:
            await self._connection.deliver(take, room)
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
