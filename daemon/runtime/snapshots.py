"""What a snapshot holds of a running core: the fold, and what the journal does not hold (law 9).

It takes states and writes nothing; the runner that restores them does so through the same
``state`` and ``restore`` pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from daemon.core.engine import Engine
from daemon.core.market import Market
from daemon.core.supervisors.drawdown import DrawdownWatch
from daemon.runtime.traceback_text import RAISED
from state.codec import Snapshot, survives
from state.portfolio import Portfolio


def snapshot_of(
    portfolio: Portfolio, engines: Sequence[Engine], market: Market, drawdown: DrawdownWatch
) -> Snapshot:
    """Return a core as a snapshot holds it.

    Left out: engines in quarantine, which decide no more, and those whose strategy cannot give its
    state as JSON values; a restart shows the latter their bars again.
    """
    states = {one.key: _state_of(one) for one in engines if not one.quarantined}
    return Snapshot(
        portfolio,
        engines={key: state for key, state in states.items() if state is not None},
        series={f"{one.symbol}/{one.interval_ns}": one.state() for one in market.series},
        drawdown=drawdown.state(),
    )


def _state_of(engine: Engine) -> dict[str, Any] | None:
    try:
        state = engine.state()
    except RAISED:
        return None
    return state if survives(state) else None
