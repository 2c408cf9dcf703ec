"""Whether the daemon makes real progress: what a service manager's watchdog is fed by (U5).

Every part that can hang tells what it did; one that has nothing to do says so. A part that has work
and has done nothing for longer than its limit is stuck, and then no sign of life is given. It reads
no clock and sends nothing. Parts may tell from any thread.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from state.units import SECOND_NS

PINGS_PER_LIMIT: Final = 3
"""Signs of life within the manager's time: two may be lost."""


@dataclass(slots=True)
class _Part:
    limit_ns: int
    since_ns: int
    steps: int = 0
    is_idle: bool = False


class Progress:
    """What each part did last. ``limits_ns`` is how long a part may work without a step.

    A part calls ``mark`` when it begins and when it ends a piece of work, and ``idle`` before it
    waits for the next; whoever hands it work calls ``expect``. A part that counts its steps itself
    is looked at with ``observe`` instead.
    """

    def __init__(self, limits_ns: Mapping[str, int], now_ns: int) -> None:
        """Begin with every part at work since ``now_ns``."""
        self._parts = {name: _Part(limit_ns, now_ns) for name, limit_ns in limits_ns.items()}

    def mark(self, part: str, now_ns: int) -> None:
        """A part made a step and goes on working."""
        one = self._parts[part]
        one.since_ns = now_ns
        one.is_idle = False

    def idle(self, part: str, now_ns: int) -> None:
        """A part has nothing to do until it is handed work."""
        one = self._parts[part]
        one.since_ns = now_ns
        one.is_idle = True

    def expect(self, part: str, now_ns: int) -> None:
        """A part was handed work: from now on it must step. Work it has already is no step."""
        one = self._parts[part]
        if one.is_idle:
            one.since_ns = now_ns
            one.is_idle = False

    def observe(self, part: str, steps: int, now_ns: int, *, is_idle: bool) -> None:
        """Look at a part that counts its ``steps``: another count than at the last look is one."""
        one = self._parts[part]
        if steps != one.steps or is_idle or one.is_idle:
            one.since_ns = now_ns
        one.steps, one.is_idle = steps, is_idle

    def stuck(self, now_ns: int) -> list[str]:
        """Return a sentence for each part that has work and made no step within its limit."""
        return [
            f"{name}: no step for {(now_ns - one.since_ns) / SECOND_NS:.1f} s,"
            f" limit {one.limit_ns / SECOND_NS:g} s"
            for name, one in self._parts.items()
            if not one.is_idle and now_ns - one.since_ns > one.limit_ns
        ]

    def may_ping(self, now_ns: int) -> bool:
        """Whether a sign of life may be given: no part is stuck."""
        return not self.stuck(now_ns)


def ping_every_ns(watchdog_ns: int) -> int:
    """Return how often to look and to give the sign, 0 where the manager wants none."""
    return watchdog_ns // PINGS_PER_LIMIT
