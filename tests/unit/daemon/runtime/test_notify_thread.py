"""Notifications apart: on a thread and a loop of their own, ended in bounded time (C5)."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path

from adapters.clock import SteadyClock
from adapters.notify.dead_man import DeadMan
from adapters.notify.webhook import Webhook
from adapters.ports import Message
from daemon.runtime.notifications import Limits, Notifications
from daemon.runtime.notify_thread import GRACE_S, NotifyThread
from daemon.runtime.spool import Spool
from state.units import SECOND_NS
from tests.fakes.endpoints import Endpoint, dead_port, serving_apart

QUICK = Limits(fold_s=0.0, per_minute=600, first_wait_s=0.02, longest_wait_s=0.05)


def message(name: str) -> Message:
    """Return a message of a name."""
    return Message(0, "info", "test", name, name, name, "main", id=name)


def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    tick = threading.Event()
    for _ in range(2_000):
        if holds():
            return
        tick.wait(0.01)
    raise AssertionError("it never came to hold")


def test_what_is_offered_before_the_end_is_sent(tmp_path: Path) -> None:
    """The last message, that the daemon stops, is offered right before ``stop``, and arrives."""
    with serving_apart(Endpoint()) as endpoint:
        notifications = Notifications([Webhook("ops", endpoint.url, 5)], tmp_path, QUICK, print)
        thread = NotifyThread(notifications, print)
        thread.start()
        for name in ("started", "stopped"):
            notifications.offer(message(name))
        assert thread.stop(10.0)
    assert endpoint.titles() == ["started", "stopped"]


def test_a_silent_endpoint_does_not_hold_the_end(tmp_path: Path) -> None:
    """It ends in the time given, and what was not sent is on the disk."""
    clock = SteadyClock()
    with serving_apart(Endpoint(hold=asyncio.Event())) as endpoint:
        notifications = Notifications([Webhook("ops", endpoint.url, 60)], tmp_path, QUICK, print)
        thread = NotifyThread(notifications, print)
        thread.start()
        notifications.offer(message("a"))
        begun_ns = clock.now_ns()
        assert thread.stop(0.3)
        assert clock.now_ns() - begun_ns < (0.3 + GRACE_S) * SECOND_NS
    waiting = Spool(tmp_path / "webhook-ops", 10).first()
    assert waiting is not None
    assert waiting[1].title == "a"


def test_the_dead_man_is_pinged_there(tmp_path: Path) -> None:
    """Beside the notifications, while there is progress; a dead service hinders neither."""
    alive = [True]
    with serving_apart(Endpoint()) as endpoint:
        thread = NotifyThread(
            Notifications([], tmp_path, QUICK, print),
            print,
            dead_man=DeadMan("cron", endpoint.url, 5),
            every_s=0.02,
            is_alive=lambda: alive[0],
        )
        thread.start()
        until(lambda: len(endpoint.asked) >= 2)
        assert thread.stop(0.0)
    noted: list[str] = []
    man = DeadMan("cron", f"http://127.0.0.1:{dead_port()}/", 5)
    thread = NotifyThread(
        Notifications([], tmp_path, QUICK, print), noted.append, dead_man=man, every_s=0.02
    )
    thread.start()
    until(lambda: bool(noted))
    assert thread.stop(0.0)
    assert noted[0].startswith("dead man cron: cannot be reached")
