"""The service manager's view: a word on what goes on, and a sign of life only for real progress.

A loop that hangs gives no sign because this task does not run; a desk or a writer that has work and
makes no step stops the signs too. What then happens is the manager's business.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from adapters.ports import Clock
from adapters.systemd import Service
from daemon.runtime.past import Recorder
from daemon.runtime.run_log import RunLog
from daemon.runtime.tasks.serial import SerialTask
from daemon.runtime.watchdog import Progress, ping_every_ns
from state.units import SECOND_NS

STEP_NS: Final = 15 * SECOND_NS
"""How long desk or writer may be at one piece of work before they count as stuck."""
_STATUS_S: Final = 5.0


async def service_task(
    service: Service,
    steady: Clock,
    desk: SerialTask,
    writer: Recorder,
    log: RunLog,
    say: Callable[[], str],
) -> None:
    """Tell the manager until cancelled; ``say`` gives its line of status."""
    progress = Progress({"desk": STEP_NS, "writer": STEP_NS}, steady.now_ns())
    every_s = ping_every_ns(service.watchdog_ns) / SECOND_NS or _STATUS_S
    said = ""
    while True:
        now_ns = steady.now_ns()
        progress.observe("desk", desk.steps, now_ns, is_idle=desk.is_idle)
        progress.observe("writer", writer.steps, now_ns, is_idle=writer.is_idle)
        stuck = progress.stuck(now_ns)
        if stuck:
            log.error("no sign of life is given", stuck=stuck)
        else:
            service.alive()
        text = say()
        if text != said:
            said = text
            service.status(text)
        await asyncio.sleep(every_s)
