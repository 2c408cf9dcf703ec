"""The host's clock: the only module that reads it."""

from __future__ import annotations

import ctypes
import time
from typing import Final, NamedTuple

UNSYNCHRONISED: Final = 0x0040
"""STA_UNSYNC of adjtimex(2)."""
_ERROR: Final = -1


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


class Sync(NamedTuple):
    """What the kernel knows of its clock: kept by NTP or not, and how far off it may be."""

    is_kept: bool
    max_error_s: float


def sync() -> Sync | None:
    """Ask the kernel whether something keeps its clock; None where it does not say."""
    buffer = _Timex()
    try:
        if ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(buffer)) == _ERROR:
            return None
    except (OSError, AttributeError):
        return None
    return Sync(not buffer.status & UNSYNCHRONISED, buffer.maxerror / 1e6)


class _Timex(ctypes.Structure):
    """``struct timex`` as far as it is read, and room for the rest; ``modes`` 0 changes nothing.

    Source: adjtimex(2).
    """

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_long * 32),
    )
