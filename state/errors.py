"""The one tree of errors and the exit statuses of the program.

The class decides the temperament: a ConfigError is never retried, a StrategyError quarantines one
engine, a JournalError or LedgerError stops the process.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit statuses of ``foliod``; systemd must not restart on 2, 65, 70, 73 and 78."""

    OK = 0
    NO = 1
    USAGE = 2
    DATA = 65
    UNAVAILABLE = 69
    INTERNAL = 70
    HELD = 73
    JOURNAL = 74
    TRY_AGAIN = 75
    CONFIG = 78
    INTERRUPTED = 130


class FoliodError(Exception):
    """An expected failure: its text is for the operator, its ``exit_code`` for the shell."""

    exit_code = ExitCode.INTERNAL


class ConfigError(FoliodError):
    """The configuration cannot be used. ``problems`` has one line per mistake, all at once."""

    exit_code = ExitCode.CONFIG

    def __init__(self, problems: list[str] | str) -> None:
        """Keep every problem; the text is all of them, one a line."""
        self.problems = [problems] if isinstance(problems, str) else problems
        super().__init__("\n".join(self.problems))


class FeedError(FoliodError):
    """A bar source cannot be read or is not what it was said to be."""

    exit_code = ExitCode.DATA


class StrategyError(FoliodError):
    """A strategy cannot be loaded or raised while it ran; it quarantines one engine."""

    exit_code = ExitCode.CONFIG


class JournalError(FoliodError):
    """The journal cannot be written or read; nothing may be acknowledged after it."""

    exit_code = ExitCode.JOURNAL


class DamagedError(JournalError):
    """A database is not what was written to it: a start is refused until it is restored."""

    exit_code = ExitCode.DATA


class LedgerError(FoliodError):
    """An entry cannot be applied: the books do not balance."""

    exit_code = ExitCode.INTERNAL


class HeldError(FoliodError):
    """Another process holds this portfolio or run folder."""

    exit_code = ExitCode.HELD


class NotifyError(FoliodError):
    """A message was not delivered; its text names no address.

    ``is_final``: this message will never be taken. ``retry_after_s``: how long the other side asks
    to be left alone, None when it said nothing.
    """

    exit_code = ExitCode.UNAVAILABLE

    def __init__(
        self, text: str, *, is_final: bool = False, retry_after_s: float | None = None
    ) -> None:
        """Keep what decides on the next try."""
        self.is_final = is_final
        self.retry_after_s = retry_after_s
        super().__init__(text)


class NothingToDo(FoliodError):
    """What was asked for cannot be done now, and may be later."""

    exit_code = ExitCode.TRY_AGAIN
