"""What a status line is made from beside the portfolio: fixed facts of a run, and its inputs.

Plain data: nothing here reads, formats or decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from daemon.core.calendar import Schedule
from daemon.core.status import Alert


class EngineFacts(msgspec.Struct, frozen=True):
    """What never changes of an engine; ``params`` are JSON values, ``schedule`` its windows."""

    symbol: str
    strategy: str
    kind: str
    interval: str
    params_set: str
    params: dict[str, Any]
    schedule: Schedule


class RunFacts(msgspec.Struct, frozen=True):
    """What never changes of a run.

    ``global_daily_stop_r`` and ``drawdown_limit`` (a fraction) are None where switched off; the
    caps are None where the run has none, values in base currency. ``zone`` is the trading day's.
    ``open_r_counts``: the R-stop adds open R to realised R. ``entries_per_hour`` and
    ``entries_per_day`` are the pacing limits.
    """

    mode: str
    source: str
    interval: str
    since_ns: int
    slippage_model: str
    zone: str = "UTC"
    broker: str = "paper"
    global_daily_stop_r: float | None = None
    open_r_counts: bool = True
    drawdown_limit: float | None = None
    news_enabled: bool = False
    entries_per_hour: int | None = None
    entries_per_day: int | None = None
    max_positions: int | None = None
    max_positions_per_symbol: int | None = None
    max_order_value: float | None = None
    max_gross_exposure: float | None = None


class StatusInputs(msgspec.Struct):
    """What the runner tells the board for one line.

    ``phase`` is ``starting``, ``ready``, ``running`` or ``stopping``, ``phase_reason`` its why.
    ``last_bar_ns`` is the close of the last bar (0: none yet), ``bars`` counts them, ``refused``
    the rows that did not become bars. ``news_until_ns`` 0: no guard is active.
    ``alerts`` are the runner's own (a log that cannot be written ...). ``durable_seq`` is the last
    entry on the disk where that is not the portfolio's last one, else None.
    """

    now_ns: int
    phase: str = "running"
    phase_reason: str = ""
    last_bar_ns: int = 0
    bars: int = 0
    refused: int = 0
    news_until_ns: int = 0
    news_title: str = ""
    ws_connected: bool = False
    ws_errors: int = 0
    broker_ok: bool = True
    db_ok: bool = True
    durable_seq: int | None = None
    wal_bytes: int = 0
    loop_lag_ms_p99: float | None = None
    queue_max: int = 0
    alerts: Sequence[Alert] = ()
