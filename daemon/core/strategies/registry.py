"""The built-in strategies by kind name, and the tuned sets that their kinds ship with.

A table and nothing else: users' own strategies are found by ``daemon.runtime.loading``.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import msgspec

from daemon.core.strategies.arls import Arls
from daemon.core.strategies.ema_cross import EmaCross
from daemon.core.strategies.lsg import Lsg
from daemon.core.strategies.orb import Orb
from daemon.core.strategy import Strategy

BUILT_IN: Final[Mapping[str, type[Strategy]]] = MappingProxyType(
    {"LSG": Lsg, "ORB": Orb, "ARLS": Arls, "EMA": EmaCross}
)
"""Kind name to class, in the order in which they are shown."""


class Profile(msgspec.Struct, frozen=True):
    """A tuned set: a daily window and parameters that replace defaults, by kind.

    ``start_s`` and ``end_s`` are seconds of the day in ``zone``.
    """

    start_s: int
    end_s: int
    zone: str
    params: Mapping[str, Mapping[str, Any]]


PROFILES: Final[Mapping[str, Profile]] = MappingProxyType(
    {
        "london": Profile(
            start_s=7 * 3600,
            end_s=10 * 3600,
            zone="UTC",
            params={
                "LSG": {
                    "tol_pips": 2.0,
                    "sweep_pips": 3.0,
                    "reentry_window_m": 30,
                    "bos_buffer_pips": 0.5,
                }
            },
        ),
        "new_york": Profile(
            start_s=12 * 3600 + 1800,
            end_s=16 * 3600,
            zone="UTC",
            params={
                "LSG": {
                    "tol_pips": 2.5,
                    "sweep_pips": 4.0,
                    "reentry_window_m": 40,
                    "bos_buffer_pips": 0.5,
                },
                "ORB": {"min_range_pips": 5.0, "break_pips": 4.0},
            },
        ),
    }
)
"""The profiles that MISSION names; profile ``default`` is the absence of one."""
