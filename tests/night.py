"""A quarter of an hour of bars, by default around midnight, for tests of the ends of days."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

BARS = "bars/EURUSD.csv"
CONFIG = """
[portfolio]
id = "night"
base_currency = "USD"
equity = 100_000
data_dir = "."

[[bars]]
symbol = "EURUSD"
path = "{bars}"
interval = "1m"
price = "mid"

[risk.caps]
max_order_value = 10_000_000
max_gross_exposure = 20_000_000
max_positions = 10
max_positions_per_symbol = 4

[end_of_day]
at = 23:55:00

[[strategies]]
name = "ema"
kind = "EMA"
symbols = ["EURUSD"]
interval = "1m"
"""


def write_night(folder: Path, first: datetime, minutes: int) -> Path:
    """Write bars from an instant (UTC) on and a configuration; return the portfolio's home."""
    rows = ["ts,open,high,low,close,volume"]
    for number in range(minutes):
        at = (first + timedelta(minutes=number)).astimezone(UTC)
        price = 1.1 + 0.0001 * (number % 7)
        rows.append(
            f"{at:%Y-%m-%dT%H:%M:%SZ},{price:.5f},{price + 0.0002:.5f},{price - 0.0002:.5f}"
            f",{price + 0.0001:.5f},10"
        )
    path = folder / BARS
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(rows) + "\n")
    (folder / "foliod.toml").write_text(CONFIG.replace("{bars}", BARS))
    return folder / "night"
