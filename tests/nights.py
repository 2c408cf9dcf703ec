"""A portfolio that holds one position over nights: its bars, its strategy, its configuration.

Five-minute bars of EURUSD and a strategy of the user's own that buys at its first bar: filled at
1.10013 with its stop at 1.07, as in tests/unit/daemon/test_nights_by_hand.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

from config.load import load
from config.settings import Settings
from state.units import utc_ns

STRATEGY = '''
from foliod import Signal, Strategy


class Once(Strategy):
    """Buys once, at the first bar of its window."""

    done = False

    def on_bar(self, bar, in_window):
        if self.done or not in_window:
            return None
        self.done = True
        return Signal(1, stop=1.07, target=1.2, trail_distance=TRAIL)

    def state(self):
        return {"done": self.done}

    def restore(self, state):
        self.done = state["done"]
'''

CONFIG = """
[portfolio]
id = "nights"
base_currency = "USD"
equity = 100_000
[sizing]
kind = "fixed"
quantity = 1000
[instruments.EURUSD]
pip = 0.0001
tick = 0.00001
spread_pips = 0.6
calendar = false
[risk]
daily_r_stop = false
[risk.drawdown]
lock_fraction = false
[risk.caps]
max_order_value = 1_000_000
max_gross_exposure = 1_000_000
max_positions = 5
max_positions_per_symbol = 5
[[bars]]
symbol = "EURUSD"
path = "{folder}/bars.csv"
price = "mid"
zone = "UTC"
stamp = "open"
[[strategies]]
name = "hand"
kind = "{folder}/once.py:Once"
symbols = ["EURUSD"]
at_end = "hold"
overnight_widen = true
max_overnight_r = {max_r}
windows = [{{ start = 08:00:00, end = 09:00:00, zone = "UTC" }}]
"""

Row = tuple[str, float]
"""When bars begin, and the price at which they stay until the next row."""

GAP: Sequence[Row] = (
    ("2017-01-02 08:00", 1.1),
    ("2017-01-02 16:00", 0.0),
    ("2017-01-03 07:00", 1.05),
    ("2017-01-03 08:00", 0.0),
)
LATE: Sequence[Row] = (
    ("2017-01-02 08:00", 1.1),
    ("2017-01-02 10:00", 0.0),
    ("2017-01-03 10:00", 1.11),
    ("2017-01-03 11:00", 0.0),
    ("2017-01-04 07:00", 1.12),
    ("2017-01-04 11:00", 0.0),
)


def portfolio(
    folder: Path, rows: Sequence[Row], *, trail: float | None = None, max_r: float = 1.5
) -> Settings:
    """Write bars, strategy and configuration below ``folder`` and return the settings."""
    lines = ["ts,open,high,low,close,volume"]
    for (begin, price), (end, _) in pairwise(rows):
        moment, last = datetime.fromisoformat(begin), datetime.fromisoformat(end)
        while price and moment < last:
            lines.append(f"{moment:%Y-%m-%dT%H:%M:%SZ},{price},{price},{price},{price},1")
            moment += timedelta(minutes=5)
    (folder / "bars.csv").write_text("\n".join(lines) + "\n")
    (folder / "once.py").write_text(STRATEGY.replace("TRAIL", repr(trail)))
    path = folder / "foliod.toml"
    path.write_text(CONFIG.format(folder=folder, max_r=max_r))
    return load([path], {})


def ns(text: str) -> int:
    """Read ``2017-01-02 08:00`` (UTC)."""
    return utc_ns(datetime.fromisoformat(text).replace(tzinfo=UTC))
