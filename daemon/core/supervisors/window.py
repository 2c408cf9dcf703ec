"""The window gate: denies entries outside the engine's windows and from the last-entry time on.

It closes nothing: an intent carries its own time-stop (``daemon.core.intents``), and the core's
timers ring at it, bar or no bar.
"""

from __future__ import annotations

from collections.abc import Mapping

from daemon.core.calendar import Schedule
from daemon.core.supervision import Question
from state.units import utc_text
from state.verdicts import Verdict


class WindowGate:
    """Asks about T, half-open: T equal to an end is outside, T equal to a last entry too late."""

    name = "window"

    def __init__(self, schedules: Mapping[str, Schedule]) -> None:
        """Take the schedule of every engine by its key, ``SYMBOL/strategy``."""
        self._schedules = dict(schedules)
        self._texts = {key: schedule.text() for key, schedule in self._schedules.items()}

    def ask(self, question: Question) -> Verdict:
        """Allow when T and the deciding bar's open are inside and T is before the last entry.

        An engine without a schedule is denied. ``observed`` is the instant that decided.
        """
        now_ns = question.now_ns
        schedule = self._schedules.get(question.key)
        if schedule is None:
            return self._deny("OUTSIDE_WINDOW", utc_text(now_ns), "no windows known")
        limit = self._texts[question.key]
        if not question.bar_in_window:
            opened = f"bar opened {utc_text(question.bar.open_ns)}"
            return self._deny("OUTSIDE_WINDOW", opened, limit)
        window = schedule.at(now_ns)
        if window is None:
            return self._deny("OUTSIDE_WINDOW", utc_text(now_ns), limit)
        if now_ns >= window.last_entry_ns:
            last = utc_text(window.last_entry_ns)
            return self._deny("AFTER_LAST_ENTRY", utc_text(now_ns), last)
        return Verdict(self.name, True, "WINDOW_OPEN", utc_text(now_ns), limit)

    def _deny(self, code: str, observed: str, limit: str) -> Verdict:
        return Verdict(self.name, False, code, observed, limit)
