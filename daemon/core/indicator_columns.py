"""The indicators over whole columns, equal to the incremental ones to the last bit.

For reports, research and tests. Nothing in the decision path may use this module: a column knows
later bars. Recursions (EMA, ATR, RSI) are sequential loops, because every reordering of their
arithmetic differs in the last bits; the others are vectorised.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from daemon.core.indicators import Rsi

Column = npt.NDArray[np.float64]


def _smooth(values: Column, a: float) -> Column:
    """Return y[0] = x[0], y[i] = a*x[i] + (1-a)*y[i-1]."""
    b = 1.0 - a
    out = values.tolist()
    for i in range(1, len(out)):
        out[i] = a * out[i] + b * out[i - 1]
    return np.array(out, dtype=np.float64)


def ema(values: Column, period: int) -> Column:
    """Average ``values`` ((n,) float64, oldest first) exponentially; shape (n,).

    Source: MISSION, Indicators.
    """
    return _smooth(values, 2.0 / (period + 1))


def true_range(high: Column, low: Column, close: Column) -> Column:
    """Return the true range of each bar; all (n,) float64, oldest first.

    Source: MISSION, Indicators.
    """
    out = np.asarray(high - low, dtype=np.float64)
    if len(out) > 1:
        last = close[:-1]
        gaps = np.maximum(np.abs(high[1:] - last), np.abs(low[1:] - last))
        np.maximum(out[1:], gaps, out=out[1:])
    return out


def atr(high: Column, low: Column, close: Column, period: int) -> Column:
    """Return Wilder's average true range; all (n,) float64, oldest first.

    Source: MISSION, Indicators.
    """
    return _smooth(true_range(high, low, close), 1.0 / period)


def sma(values: Column, period: int) -> Column:
    """Return the mean of the last ``period`` values; (n,) float64, NaN where there are fewer.

    Blocks of ``period`` values are summed forwards and backwards; a window is the tail of one block
    plus the head of the next, as in ``daemon.core.indicators.Sma``.
    """
    n = len(values)
    out = np.full(n, np.nan)
    if n < period:
        return out
    rows = -(-n // period)
    padded = np.zeros(rows * period)
    padded[:n] = values
    blocks = padded.reshape(rows, period)
    head = np.cumsum(blocks, axis=1).reshape(-1)
    tail = np.cumsum(blocks[:, ::-1], axis=1)[:, ::-1].reshape(-1)
    ends = np.arange(period - 1, n)
    begins = ends - (period - 1)
    sums = np.where(begins % period == 0, head[ends], tail[begins] + head[ends])
    out[ends] = sums / period
    return out


def rsi(values: Column, period: int) -> Column:
    """Return Wilder's relative strength index; (n,) float64, NaN before ``period`` changes."""
    indicator = Rsi(period)
    return np.array([indicator.update(x) for x in values.tolist()], dtype=np.float64)


def highest(values: Column, period: int) -> Column:
    """Return the largest of the last ``period`` values; (n,), NaN where there are fewer."""
    out = np.full(len(values), np.nan)
    if len(values) >= period:
        sliding_window_view(values, period).max(axis=1, out=out[period - 1 :])
    return out


def lowest(values: Column, period: int) -> Column:
    """Return the smallest of the last ``period`` values; (n,), NaN where there are fewer."""
    out = np.full(len(values), np.nan)
    if len(values) >= period:
        sliding_window_view(values, period).min(axis=1, out=out[period - 1 :])
    return out
