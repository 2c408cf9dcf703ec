"""Notifications on a thread with a loop of their own, apart from everything that trades.

On the daemon's loop they could wait for nothing of it, yet share its pool of threads: a name server
or a service that does not answer would hold threads that the feed needs. Here they share the
interpreter only. The thread never keeps the process from ending.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Final

from daemon.runtime.notifications import Notifications, Pinging, dead_man_task

GRACE_S: Final = 2.0
"""How long the end may take beyond the time given for sending."""


class NotifyThread:
    """Runs notifications, and pings a dead man's URL, from ``start`` to ``stop``."""

    def __init__(
        self,
        notifications: Notifications,
        note: Callable[[str], None],
        *,
        dead_man: Pinging | None = None,
        every_s: float = 60.0,
        is_alive: Callable[[], bool] = lambda: True,
    ) -> None:
        """Take what works there.

        ``note`` and ``is_alive`` are called on this thread: ``is_alive`` right before each ping, to
        say whether the daemon makes progress.
        """
        self._notifications = notifications
        self._note = note
        self._dead_man = dead_man
        self._every_s = every_s
        self._is_alive = is_alive
        self._ready = threading.Event()
        self._within_s = 0.0
        self._thread = threading.Thread(target=self._work, name="notify", daemon=True)

    def start(self) -> None:
        """Begin to work; return when the loop runs."""
        self._thread.start()
        self._ready.wait()

    def stop(self, within_s: float) -> bool:
        """Send what was offered for at most so long, keep the rest on disk, and end.

        Return whether the thread ended. It blocks: call it when nothing trades any more.
        """
        if not self._thread.is_alive():
            return True
        self._within_s = within_s
        self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join(within_s + GRACE_S)
        return not self._thread.is_alive()

    def _work(self) -> None:
        asyncio.run(self._main())

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._ending = asyncio.Event()
        tasks = [asyncio.create_task(self._notifications.run(), name="notifications")]
        if self._dead_man is not None:
            ping = dead_man_task(self._dead_man, self._every_s, self._is_alive, self._note)
            tasks.append(asyncio.create_task(ping, name="dead man"))
        self._ready.set()
        await self._ending.wait()
        await self._notifications.drain(self._within_s)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
