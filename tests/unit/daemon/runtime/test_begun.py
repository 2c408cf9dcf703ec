"""Work that begins where it is brought and goes on in its own task: nothing lost, nothing doubled,
one at a time, and no caller who goes away takes it along."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from daemon.runtime.tasks.begun import Begun, Woken
from daemon.runtime.tasks.serial import SerialTask


@asynccontextmanager
async def running(work: SerialTask | Woken) -> AsyncIterator[asyncio.Task[None]]:
    """Run a task while the block runs."""
    task = asyncio.create_task(work.run())
    await asyncio.sleep(0)
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_what_never_waits_is_done_at_once() -> None:
    """Without a turn of the loop, and counted."""
    desk, done = SerialTask(), list[int]()

    async def job() -> int:
        done.append(1)
        return 7

    async with running(desk):
        asking = Begun(desk.ask_now(job))
        assert (asking.is_done, asking.value, done) == (True, 7, [1])
        assert (desk.steps, desk.is_idle, desk.most) == (1, True, 0)


async def test_what_waits_is_finished_before_anything_else_begins() -> None:
    """Also what was asked for meanwhile, in the order in which it was asked."""
    desk, gate, said = SerialTask(), asyncio.Event(), list[str]()

    def job(name: str, *, waits: bool) -> Any:  # noqa: ANN401
        async def work() -> str:
            said.append(f"{name} begins")
            if waits:
                await gate.wait()
                await asyncio.sleep(0)
            said.append(f"{name} ends")
            return name

        return work

    async with running(desk):
        first = asyncio.create_task(desk.ask_now(job("one", waits=True)))
        second = asyncio.create_task(desk.ask_now(job("two", waits=False)))
        third = asyncio.create_task(desk.ask(job("three", waits=False)))
        for _ in range(5):
            await asyncio.sleep(0)
        assert said == ["one begins"]
        assert not desk.is_idle
        gate.set()

        assert [await one for one in (first, second, third)] == ["one", "two", "three"]
        assert said == [f"{name} {when}" for name in ("one", "two", "three")
                        for when in ("begins", "ends")]  # fmt: skip
        assert desk.steps == 3


async def test_who_is_cancelled_leaves_a_begun_job_to_its_end() -> None:
    """The job began in the caller's task, and goes on without it."""
    desk, gate, said = SerialTask(), asyncio.Event(), list[str]()

    async def job() -> None:
        try:
            await gate.wait()
        except asyncio.CancelledError:
            said.append("cancelled")
            raise
        said.append("done")

    async with running(desk):
        caller = asyncio.create_task(desk.ask_now(job))
        await asyncio.sleep(0)
        caller.cancel()
        await asyncio.sleep(0)
        assert caller.cancelled()
        gate.set()
        for _ in range(3):
            await asyncio.sleep(0)

    assert said == ["done"]


@pytest.mark.parametrize("waits", [False, True])
async def test_a_job_that_fails_ends_the_task_wherever_it_began(waits: bool) -> None:
    """It does not come out at the caller, who might think that it can go on."""
    desk = SerialTask()

    async def job() -> None:
        if waits:
            await asyncio.sleep(0)
        raise ZeroDivisionError

    task = asyncio.create_task(desk.run())
    await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await desk.ask_now(job)
    with pytest.raises(ZeroDivisionError):
        await task


async def test_a_job_that_asks_its_own_task_is_refused() -> None:
    """Another job between its halves would see half of what it did."""
    desk, other = SerialTask(), list[asyncio.Future[None]]()

    async def nothing() -> None:
        return

    async def job() -> None:
        other.append(asyncio.ensure_future(desk.ask(nothing)))
        begun = Begun(desk.ask(nothing))
        assert not begun.is_done
        await asyncio.sleep(0)

    async with running(desk):
        with pytest.raises(RuntimeError, match="asked the task that carries it out"):
            await desk.ask_now(job)
        other[0].cancel()


async def test_woken_at_work_is_served_by_the_work_in_hand() -> None:
    """Once more only when it is idle again."""
    gate, items, done = asyncio.Event(), [1, 2], list[int]()

    async def job() -> None:
        while items:
            done.append(items.pop(0))
            if done[-1] == 2:
                await gate.wait()

    work = Woken(job)
    work.wake()
    assert done == []  # nobody is heard before its task runs
    async with running(work):
        assert done == [1, 2]
        items.append(3)
        work.wake()
        assert done == [1, 2]
        gate.set()
        for _ in range(3):
            await asyncio.sleep(0)
        assert done == [1, 2, 3]
        items.append(4)
        work.wake()
        assert done == [1, 2, 3, 4]
    items.append(5)
    work.wake()
    assert done == [1, 2, 3, 4]


async def test_cancelling_the_task_reaches_what_it_took_over() -> None:
    """And what the coroutine raises or returns comes out as if it had been awaited whole."""
    said: list[str] = []

    async def job() -> str:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            said.append("cancelled")
            raise
        return "never"

    begun = Begun(job())

    async def wait() -> str:
        return await begun

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert said == ["cancelled"]
