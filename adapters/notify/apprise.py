"""Apprise: mail, Slack, Discord, Telegram and a hundred more, behind one address each.

The library is an extra of the program and imported when the first such notifier is made. It is
synchronous, so it works on a thread; its own log is shut, because it repeats addresses.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Final

from adapters.ports import Message
from state.errors import ConfigError, NotifyError

if TYPE_CHECKING:
    import apprise

EXTRA: Final = "pip install 'foliod[apprise]'"
_KINDS: Final = {"info": "info", "warning": "warning", "critical": "failure"}


class AppriseNotifier:
    """Sends through one Apprise address."""

    def __init__(self, name: str, url: str, timeout_s: float) -> None:
        """Take the address and the name that stands for it.

        Raises:
            ConfigError: the library is not installed, or knows no such address.
        """
        self.name = f"apprise {name}"
        self._service = _service(name, url, timeout_s)

    async def send(self, message: Message) -> None:
        """Send one message. Raises NotifyError as the port says."""
        done = await asyncio.to_thread(self._send, message)
        if not done:
            raise NotifyError(f"{self.name}: the service did not take the message")

    async def close(self) -> None:
        """Do nothing: nothing is kept open."""

    def _send(self, message: Message) -> bool:
        attach = message.picture if message.picture and Path(message.picture).exists() else None
        return bool(
            self._service.notify(
                title=message.title,
                body=message.text or message.title,
                notify_type=_KINDS.get(message.level, "info"),
                attach=attach,
            )
        )


def _service(name: str, url: str, timeout_s: float) -> apprise.Apprise:
    try:
        import apprise
    except ImportError:
        raise ConfigError(
            f"notify.apprise: the secret {name} needs the extra that is not installed: {EXTRA}"
        ) from None
    log = logging.getLogger("apprise")
    log.handlers = [logging.NullHandler()]
    log.propagate = False
    service = apprise.Apprise()
    timed = f"{url}{'&' if '?' in url else '?'}cto={timeout_s:g}&rto={timeout_s:g}"
    if "://" not in url or not service.add(timed):
        raise ConfigError(
            f"notify.apprise: the secret {name} holds no address that Apprise knows; it begins"
            " with the service, such as slack:// or mailto://"
        )
    return service
