"""Ports: what the program needs of the world, as small as it can be said."""

from __future__ import annotations

from typing import Literal, Protocol

import msgspec


class Clock(Protocol):
    """Tells the time. Only runners hold one; the core is handed instants."""

    def now_ns(self) -> int:
        """Return the present instant in UTC nanoseconds."""


class Message(msgspec.Struct, frozen=True):
    """Something that a person should be told.

    ``level`` is info, warning or critical; ``event`` what happened, of the names in
    ``[notify.levels]``. Messages of one ``key`` may be folded: ``count`` says how many repetitions
    this one stands for. ``at_ns`` is the run's clock. ``picture`` is the path of a PNG, or empty.
    ``id`` is the same each time that one message is sent, so that a receiver can know it again.
    """

    at_ns: int
    level: str
    event: str
    key: str
    title: str
    text: str
    portfolio_id: str = ""
    picture: str = ""
    count: int = 1
    id: str = ""


class Notifier(Protocol):
    """A way to a person. ``name`` is for logs and status, and holds no address."""

    name: str

    async def send(self, message: Message) -> None:
        """Deliver one message and return, or raise; it ends within a time limit of its own.

        Raises:
            NotifyError: it was not delivered; the text holds no address and no secret.
        """

    async def close(self) -> None:
        """Give up what is held; ``send`` is not called again."""


class Access(msgspec.Struct, frozen=True):
    """What became of asking a broker whether it takes our credentials.

    ``refused`` is the broker's own word; ``unreachable`` says nothing of the credentials. ``text``
    goes on after the broker's name and holds no secret.
    """

    outcome: Literal["ok", "refused", "unreachable"]
    text: str


class BrokerAccess(Protocol):
    """Asks a broker whether our credentials are good. ``name`` is for the finding."""

    name: str

    def check(self) -> Access:
        """Ask once, within a time limit of its own; never raises, changes nothing there."""
