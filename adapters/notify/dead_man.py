"""The dead-man ping: a URL fetched again and again; its silence is the alarm."""

from __future__ import annotations

from adapters.notify.http import Address


class DeadMan:
    """Fetches one URL; whoever answers there alarms when it is not fetched any more."""

    def __init__(self, name: str, url: str, timeout_s: float) -> None:
        """Take the URL and the name that stands for it."""
        self.name = f"dead man {name}"
        self._address = Address(self.name, url, timeout_s)

    async def ping(self) -> None:
        """Fetch the URL once. Raises NotifyError when that failed."""
        await self._address.request("GET")

    async def close(self) -> None:
        """Close the connection that is kept open."""
        await self._address.close()
