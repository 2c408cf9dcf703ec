"""The watch over a session: which day is traded, and when it is over."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from daemon.core.calendar import Schedule
from daemon.runtime.session_day import SessionDay, next_day
from state.errors import NothingToDo
from state.portfolio import Portfolio
from state.units import NEVER_NS, day_text, utc_text


class SessionWatch:
    """Ends a session when its day is done. Without a ``day`` it never does.

    ``over`` is set then. ``anchor_ns`` is where the run's clock begins: on recorded bars no night
    is waited for.
    """

    def __init__(self, day: SessionDay | None = None, anchor_ns: int = 0) -> None:
        """Watch over ``day``."""
        self.day = day
        self.anchor_ns = anchor_ns
        self.over = asyncio.Event()

    def next_ns(self, now_ns: int) -> int:
        """Return the end of the last window while it is yet to come, NEVER_NS after it."""
        day = self.day
        return NEVER_NS if day is None or now_ns > day.closes_ns else day.closes_ns

    def look(self, now_ns: int, portfolio: Portfolio) -> None:
        """End the session once its last window is over and no order is on its way.

        What a strategy holds over the day is left as it is.
        """
        if self.day is not None and now_ns > self.day.closes_ns and not portfolio.orders:
            self.over.set()

    def text(self) -> str:
        """Say which day it is."""
        day = self.day
        if day is None:
            return "trades day after day"
        span = f"{utc_text(day.opens_ns)} to {utc_text(day.closes_ns)}"
        return f"trades one day, {day_text(day.day)}: windows from {span}"


def session_watch(
    schedules: Iterable[Schedule], zone: str, now_ns: int, first_ns: int | None
) -> SessionWatch:
    """Return the watch over the next day; ``first_ns`` opens the next bar, None: there is none.

    Raises:
        NothingToDo: no bar comes, or no window opens any more.
    """
    if first_ns is None:
        raise NothingToDo(
            f"the bars end at {utc_text(now_ns)}: there is no day left; add newer rows"
        )
    anchor_ns = max(now_ns, first_ns)
    day = next_day(schedules, zone, anchor_ns)
    if day is None:
        raise NothingToDo("no window of any strategy opens again; see `foliod show windows`")
    return SessionWatch(day, anchor_ns)
