"""Notifications over a real server: at least once, in order, and never in the way (C5)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from adapters.clock import SteadyClock
from adapters.notify.webhook import Webhook
from adapters.ports import Message, Notifier
from config.secrets import Secret, hide
from daemon.runtime.notifications import INBOX, Limits, Notifications, dead_man_task
from state.errors import NotifyError
from tests.fakes.endpoints import Endpoint, dead_port, serving

QUICK = Limits(fold_s=0.0, per_minute=600, first_wait_s=0.02, longest_wait_s=0.05)
PATIENCE_S = 20.0


def message(name: str, level: str = "info") -> Message:
    """Return a message of a name."""
    return Message(0, level, "test", name, name, f"text of {name}", "main", id=f"main-{name}")


async def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(PATIENCE_S):
        while not holds():  # noqa: ASYNC110 - the other side is a real server, without an event
            await asyncio.sleep(0.01)


def made(
    folder: Path, url: str, limits: Limits = QUICK, timeout_s: float = 0.2
) -> tuple[Notifications, list[str]]:
    """Return notifications with one webhook, and the lines that they note."""
    noted: list[str] = []
    return Notifications([Webhook("ops", url, timeout_s)], folder, limits, noted.append), noted


class _Running:
    """Notifications at work for the length of a ``with``."""

    def __init__(self, notifications: Notifications) -> None:
        """Take what is to work."""
        self._notifications = notifications

    async def __aenter__(self) -> Notifications:
        """Begin."""
        self._task = asyncio.create_task(self._notifications.run())
        return self._notifications

    async def __aexit__(self, *_: object) -> None:
        """Cancel, as a daemon that ends does."""
        self._task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await self._task


async def test_messages_arrive_in_order(tmp_path: Path) -> None:
    """All of them, once each, and nothing is left on the disk."""
    async with serving(Endpoint()) as endpoint:
        notifications, noted = made(tmp_path, endpoint.url)
        async with _Running(notifications):
            for number in range(20):
                notifications.offer(message(str(number)))
            assert await notifications.drain(PATIENCE_S)
    assert endpoint.titles() == [str(number) for number in range(20)]
    assert list((tmp_path / "webhook-ops").iterdir()) == []
    assert noted == []
    (channel,) = notifications.status().channels
    assert (channel.name, channel.sent, channel.waiting) == ("webhook ops", 20, 0)


async def test_a_critical_one_overtakes(tmp_path: Path) -> None:
    """What waits behind a dead endpoint is sent with the critical ones first."""
    endpoint = Endpoint(script=[500, 200])
    async with serving(endpoint):
        notifications, _ = made(tmp_path, endpoint.url)
        for name, level in (("a", "info"), ("b", "info"), ("c", "critical")):
            notifications.offer(message(name, level))
        async with _Running(notifications):
            assert await notifications.drain(PATIENCE_S)
    assert endpoint.titles() == ["c", "c", "a", "b"]


async def test_server_errors_are_tried_again(tmp_path: Path) -> None:
    """500 until it answers: delivered once it does; one line when it fails, one when it is over."""
    endpoint = Endpoint(script=[500, 502, 503, 200])
    async with serving(endpoint):
        notifications, noted = made(tmp_path, endpoint.url)
        async with _Running(notifications):
            notifications.offer(message("a"))
            assert await notifications.drain(PATIENCE_S)
    assert endpoint.titles() == ["a"] * 4
    assert noted[-1] == "webhook ops: delivers again"
    assert len({json.loads(body)["id"] for _, body in endpoint.asked}) == 1


async def test_retry_after_is_kept(tmp_path: Path) -> None:
    """429 with Retry-After: 1 is left alone for a second, whatever the back-off would be."""
    endpoint = Endpoint(script=[(429, {"Retry-After": "1"}), 200])
    async with serving(endpoint):
        notifications, _ = made(tmp_path, endpoint.url)
        async with _Running(notifications):
            notifications.offer(message("a"))
            assert await notifications.drain(PATIENCE_S)
    assert endpoint.times[1] - endpoint.times[0] >= 0.99


async def test_a_refused_message_does_not_stop_the_next(tmp_path: Path) -> None:
    """400 is about this message: it is given up, counted and noted; the next one is sent."""
    endpoint = Endpoint(script=[400, 200])
    async with serving(endpoint):
        notifications, noted = made(tmp_path, endpoint.url)
        async with _Running(notifications):
            notifications.offer(message("a"))
            notifications.offer(message("b"))
            assert await notifications.drain(PATIENCE_S)
    assert endpoint.titles() == ["a", "b"]
    assert notifications.status().channels[0].dropped == 1
    assert "it is given up" in noted[0]


async def test_an_answer_that_comes_too_late(tmp_path: Path) -> None:
    """It counts as a failure, the message is sent again: at least once, under the same id."""
    endpoint = Endpoint(hold=asyncio.Event())
    async with serving(endpoint):
        notifications, _ = made(tmp_path, endpoint.url, timeout_s=0.1)
        async with _Running(notifications):
            notifications.offer(message("a"))
            await until(lambda: len(endpoint.asked) >= 2)
            assert endpoint.hold is not None
            endpoint.hold.set()
            assert await notifications.drain(PATIENCE_S)
    assert set(endpoint.titles()) == {"a"}


@pytest.mark.parametrize("kind", ["dead", "silent"])
async def test_a_restart_sends_what_waited(tmp_path: Path, kind: str) -> None:
    """Offered while the endpoint was dead or silent, and the daemon stopped: sent by the next."""
    async with serving(Endpoint(hold=asyncio.Event())) as silent:
        url = silent.url if kind == "silent" else f"http://127.0.0.1:{dead_port()}/hook"
        notifications, _ = made(tmp_path, url)
        async with _Running(notifications):
            for name in "abc":
                notifications.offer(message(name))
            assert not await notifications.drain(0.3)
            notifications.offer(message("right before the end"))
    async with serving(Endpoint()) as endpoint:
        again, _ = made(tmp_path, endpoint.url)
        async with _Running(again):
            assert await again.drain(PATIENCE_S)
    assert endpoint.titles() == ["a", "b", "c", "right before the end"]


async def test_two_endpoints_do_not_wait_for_each_other(tmp_path: Path) -> None:
    """One is silent, the other has every message."""
    async with serving(Endpoint(hold=asyncio.Event())) as silent, serving(Endpoint()) as endpoint:
        notifiers = [Webhook("silent", silent.url, 30), Webhook("ops", endpoint.url, 5)]
        notifications = Notifications(notifiers, tmp_path, QUICK, print)
        async with _Running(notifications):
            for number in range(5):
                notifications.offer(message(str(number)))
            await until(lambda: len(endpoint.asked) == 5)
    assert [one.waiting for one in notifications.status().channels] == [5, 0]


async def test_repetitions_arrive_as_one(tmp_path: Path) -> None:
    """Eight of one key: the first, then "x 7"."""
    limits = msgspec.structs.replace(QUICK, fold_s=0.5)
    async with serving(Endpoint()) as endpoint:
        notifications, _ = made(tmp_path, endpoint.url, limits)
        async with _Running(notifications):
            for _ in range(8):
                notifications.offer(message("halted"))
            await until(lambda: len(endpoint.asked) == 2)
    assert endpoint.titles() == ["halted", "halted x 7"]
    assert notifications.status().folded == 7


async def test_the_rate_is_kept(tmp_path: Path) -> None:
    """Three a minute: the fourth waits on the disk, and is not dropped."""
    limits = msgspec.structs.replace(QUICK, per_minute=3)
    async with serving(Endpoint()) as endpoint:
        notifications, _ = made(tmp_path, endpoint.url, limits)
        async with _Running(notifications):
            for number in range(5):
                notifications.offer(message(str(number)))
            await until(lambda: len(endpoint.asked) == 3)
            assert not await notifications.drain(0.3)
    assert len(endpoint.asked) == 3
    assert notifications.status().channels[0].waiting == 2


async def test_a_critical_one_waits_for_no_rate(tmp_path: Path) -> None:
    """With the minute's messages spent and others waiting, it is sent at once all the same."""
    limits = msgspec.structs.replace(QUICK, per_minute=2)
    async with serving(Endpoint()) as endpoint:
        notifications, _ = made(tmp_path, endpoint.url, limits)
        async with _Running(notifications):
            for number in range(4):
                notifications.offer(message(str(number)))
            await until(lambda: len(endpoint.asked) == 2)
            notifications.offer(message("kill", "critical"))
            await until(lambda: len(endpoint.asked) == 3)
    assert endpoint.titles() == ["0", "1", "kill"]


async def test_a_critical_one_waits_for_no_back_off(tmp_path: Path) -> None:
    """An endpoint that failed is left alone for a minute, but for what is critical."""
    limits = msgspec.structs.replace(QUICK, first_wait_s=60.0, longest_wait_s=60.0)
    async with serving(Endpoint(script=[500, 200])) as endpoint:
        notifications, _ = made(tmp_path, endpoint.url, limits)
        async with _Running(notifications):
            notifications.offer(message("a"))
            await until(lambda: len(endpoint.asked) == 1)
            notifications.offer(message("kill", "critical"))
            assert await notifications.drain(PATIENCE_S)
    assert endpoint.titles() == ["a", "kill", "a"]


async def test_offering_never_waits(tmp_path: Path) -> None:
    """With a silent endpoint, a full inbox and no task at all, 10,000 offers take no time.

    The bound is five hundred times what it takes: it fails where offering waits for anything.
    """
    clock = SteadyClock()
    async with serving(Endpoint(hold=asyncio.Event())) as silent:
        notifications, _ = made(tmp_path, silent.url)
        one = message("a")
        begun_ns = clock.now_ns()
        for _ in range(10_000):
            notifications.offer(one)
        assert (clock.now_ns() - begun_ns) / 10_000 < 100_000
    status = notifications.status()
    assert (status.offered, status.dropped) == (INBOX, 10_000 - INBOX)


async def test_a_disk_that_takes_nothing_is_told_once(tmp_path: Path) -> None:
    """Messages are sent from memory, and one line says that they would not survive."""
    (tmp_path / "webhook-ops").write_text("")
    async with serving(Endpoint()) as endpoint:
        notifications, noted = made(tmp_path, endpoint.url)
        async with _Running(notifications):
            notifications.offer(message("a"))
            assert await notifications.drain(PATIENCE_S)
            notifications.offer(message("b"))
            assert await notifications.drain(PATIENCE_S)
    assert endpoint.titles() == ["a", "b"]
    assert len(noted) == 1
    assert "messages wait in memory only" in noted[0]


async def test_drops_are_told(tmp_path: Path) -> None:
    """A full inbox is counted and noted in the log."""
    async with serving(Endpoint()) as endpoint:
        notifications, noted = made(tmp_path, endpoint.url)
        for _ in range(INBOX + 3):
            notifications.offer(message("a"))
        async with _Running(notifications):
            await until(lambda: bool(noted))
    assert "3 dropped, the inbox was full" in noted[0]


async def test_a_notifier_with_a_defect(tmp_path: Path) -> None:
    """One that raises anything at all ends nothing; its text may hold a secret and is left out."""

    class Broken:
        name = "broken"

        async def send(self, message: Message) -> None:
            raise ValueError("CANARY")

        async def close(self) -> None:
            raise ValueError("CANARY")

    noted: list[str] = []
    async with serving(Endpoint()) as endpoint:
        notifiers: list[Notifier] = [Broken(), Webhook("ops", endpoint.url, 5)]
        notifications = Notifications(notifiers, tmp_path, QUICK, noted.append)
        async with _Running(notifications):
            notifications.offer(message("a"))
            await until(lambda: len(endpoint.asked) == 1 and bool(noted))
    assert noted == ["broken: raised ValueError"]


async def test_a_log_that_cannot_be_written(tmp_path: Path) -> None:
    """A note that fails stops no message."""

    def note(_: str) -> None:
        raise BrokenPipeError

    async with serving(Endpoint(script=[500, 200])) as endpoint:
        notifications = Notifications([Webhook("ops", endpoint.url, 5)], tmp_path, QUICK, note)
        async with _Running(notifications):
            notifications.offer(message("a"))
            assert await notifications.drain(PATIENCE_S)


async def test_secrets_and_control_characters_are_taken_out(tmp_path: Path) -> None:
    """Before it is on the disk: a known secret in a text is hidden, an escape is spelled out."""
    secret = Secret("ops", "CANARY-4711", "variable")
    async with serving(Endpoint()) as endpoint:
        notifications = Notifications(
            [Webhook("ops", endpoint.url, 5)],
            tmp_path,
            QUICK,
            print,
            lambda text: hide(text, secret),
        )
        async with _Running(notifications):
            bad = msgspec.structs.replace(
                message("a"),
                title="x\x1b[31m CANARY-4711",
                text="l1\nCANARY-4711\x07" + "y" * 9_000,
            )
            notifications.offer(bad)
            assert await notifications.drain(PATIENCE_S)
    found = json.loads(endpoint.asked[0][1])
    assert found["title"] == "x\\x1b[31m (hidden)"
    assert found["text"].startswith("l1\n(hidden)\\x07y")
    assert len(found["text"]) == 4_000


# The dead man -------------------------------------------------------------------------------------


class Counting:
    """A ping that counts, and fails when told to."""

    def __init__(self) -> None:
        """Begin."""
        self.pings = 0
        self.closed = False
        self.fails = False

    async def ping(self) -> None:
        """Count."""
        self.pings += 1
        if self.fails:
            raise NotifyError("dead man cron: answered 500")

    async def close(self) -> None:
        """Remember."""
        self.closed = True


async def test_pings_only_while_there_is_progress() -> None:
    """Without progress there is none, so that the alarm sounds; it goes on when there is again."""
    man, answers, noted = Counting(), [True], list[str]()

    def is_alive() -> bool:
        answers.append(answers[0])
        return answers[0]

    task = asyncio.create_task(dead_man_task(man, 0.01, is_alive, noted.append))
    await until(lambda: man.pings >= 2)
    answers[0] = False
    await until(lambda: answers[-1] is False)
    stopped, asked = man.pings, len(answers)
    await until(lambda: len(answers) >= asked + 5)
    assert man.pings == stopped
    answers[0] = man.fails = True
    await until(lambda: man.pings >= stopped + 3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert man.closed
    assert noted == ["dead man cron: answered 500"]
