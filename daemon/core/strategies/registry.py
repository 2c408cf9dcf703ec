"""The built-in strategies by kind name.

A table and nothing else: users' own strategies are found by ``daemon.runtime.loading``, tuned
parameter sets are in ``config.profiles``.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from daemon.core.strategies.arls import Arls
from daemon.core.strategies.ema_cross import EmaCross
from daemon.core.strategies.lsg import Lsg
from daemon.core.strategies.orb import Orb
from daemon.core.strategy import Strategy

BUILT_IN: Final[Mapping[str, type[Strategy]]] = MappingProxyType(
    {"LSG": Lsg, "ORB": Orb, "ARLS": Arls, "EMA": EmaCross}
)
"""Kind name to class, in the order in which they are shown."""
