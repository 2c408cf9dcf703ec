"""A plain webhook: each message as a JSON object, by POST."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path
from typing import Final

import msgspec

from adapters.notify.http import Address
from adapters.ports import Message
from state.units import utc_text

PICTURE_BYTES: Final = 1 << 20
"""A larger picture is left out, and the message says so."""


class Webhook:
    """Posts to one URL."""

    def __init__(self, name: str, url: str, timeout_s: float) -> None:
        """Take the URL and the name that stands for it."""
        self.name = f"webhook {name}"
        self._address = Address(self.name, url, timeout_s)

    async def send(self, message: Message) -> None:
        """Post one message. Raises NotifyError as the port says."""
        body = await asyncio.to_thread(payload, message)
        await self._address.request("POST", body)

    async def close(self) -> None:
        """Close the connection that is kept open."""
        await self._address.close()


def payload(message: Message) -> bytes:
    """Return the JSON of a message, its picture as base64 where there is one that can be read."""
    found: dict[str, object] = {
        "id": message.id,
        "at": utc_text(message.at_ns),
        "portfolio_id": message.portfolio_id,
        "level": message.level,
        "event": message.event,
        "title": message.title,
        "text": message.text,
        "count": message.count,
    }
    if message.picture:
        found["picture_png"] = picture(message.picture)
    return msgspec.json.encode(found)


def picture(path: str) -> str | None:
    """Return a PNG as base64; None when it is gone or too large."""
    try:
        with Path(path).open("rb") as file:
            content = file.read(PICTURE_BYTES + 1)
    except OSError:
        return None
    return base64.b64encode(content).decode() if len(content) <= PICTURE_BYTES else None
