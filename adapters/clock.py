"""The host's clock: the only module that reads it."""

from __future__ import annotations

import time


class SystemClock:
    """The wall clock of this machine."""

    def now_ns(self) -> int:
        """Return the present instant in UTC nanoseconds."""
        return time.time_ns()


class SteadyClock:
    """A clock that is never set: for measuring how long something takes, not for dates."""

    def now_ns(self) -> int:
        """Return nanoseconds since an instant that never changes while the machine runs."""
        return time.monotonic_ns()
