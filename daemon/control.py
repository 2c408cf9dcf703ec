"""The operator's line to a running daemon: a UNIX socket in the portfolio's folder, mode 0600.

One request and one answer a connection, a line of JSON each. It carries words; what they do is the
daemon's business. The asking side needs no loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import msgspec

from state.errors import ExitCode, FoliodError, JournalError

SOCKET: Final = "control.sock"
PATIENCE_S: Final = 10.0
_LINE_BYTES: Final = 65_536


class NotRunning(FoliodError):
    """No daemon answers for this portfolio."""

    exit_code = ExitCode.TRY_AGAIN


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is wanted: ``name`` is halt, resume, flatten or reset, ``argument`` what to reset.

    ``dry_run``: only say what would be done.
    """

    name: str
    argument: str = ""
    reason: str = ""
    dry_run: bool = False


class Answer(msgspec.Struct, frozen=True):
    """Whether it was done, and lines for the operator."""

    ok: bool
    lines: list[str]


class ControlServer:
    """Listens while a daemon works; ``answer`` is asked for each request."""

    def __init__(self, home: Path, answer: Callable[[Request], Awaitable[Answer]]) -> None:
        """Bind; ``serve`` begins to listen."""
        self._path = home / SOCKET
        self._answer = answer

    async def serve(self) -> None:
        """Listen until cancelled.

        Raises:
            JournalError: the socket cannot be made in the portfolio's folder.
        """
        before = os.umask(0o177)
        try:
            self._path.unlink(missing_ok=True)
            server = await asyncio.start_unix_server(
                self._connected, str(self._path), limit=_LINE_BYTES
            )
        except OSError as problem:
            raise JournalError(f"{self._path} cannot be listened on: {problem}") from problem
        finally:
            os.umask(before)
        try:
            await asyncio.Event().wait()
        finally:
            server.close()
            self._path.unlink(missing_ok=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                answer = await self._of(await reader.readline())
                writer.write(msgspec.json.encode(answer) + b"\n")
                await writer.drain()
        except (OSError, ValueError):
            pass  # whoever asked went away, took too long or wrote a line without an end
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _of(self, line: bytes) -> Answer:
        try:
            request = msgspec.json.decode(line, type=Request)
        except msgspec.MsgspecError as problem:
            return Answer(False, [f"that is no request: {problem}"])
        return await self._answer(request)


def ask(home: Path, request: Request) -> Answer:
    """Ask the daemon of the portfolio in ``home``.

    Raises:
        NotRunning: none answers.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.settimeout(PATIENCE_S)
        try:
            line.connect(str(home / SOCKET))
            line.sendall(msgspec.json.encode(request) + b"\n")
            with line.makefile("rb") as file:
                return msgspec.json.decode(file.readline(_LINE_BYTES), type=Answer)
        except (OSError, msgspec.MsgspecError) as problem:
            raise NotRunning(
                f"no daemon answers for the portfolio in {home} ({problem}). To stop entries all"
                " the same: foliod panic"
            ) from None
