"""Incremental indicators: one value in, one value out, constant work and memory per bar.

Every indicator has ``update(...) -> float``, ``value`` (the last answer, NaN before the first
one), and ``state()``/``restore()`` with JSON values, so that a strategy may put them into its own
state. The arithmetic is written in exactly the form that the batch twins in
``daemon.core.indicator_columns`` use: the two are equal to the last bit. Nothing here may know of
bars, time or strategies.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Any


def _period(period: int) -> int:
    if period < 1:
        raise ValueError(f"a period is a whole number of bars of at least 1, found {period}")
    return period


def _number(value: float) -> float | None:
    """Write NaN as None: JSON has no NaN."""
    return None if math.isnan(value) else value


def _float(value: float | None) -> float:
    return math.nan if value is None else float(value)


class Ema:
    """Exponential moving average: a = 2/(n+1), seeded with the first value.

    Source: MISSION, Indicators: ema = a*x + (1-a)*ema.
    """

    __slots__ = ("_a", "_b", "period", "value")

    def __init__(self, period: int) -> None:
        """Start empty. ``period`` is n, in bars.

        Raises:
            ValueError: the period is below 1.
        """
        self.period = _period(period)
        self._a = 2.0 / (period + 1)
        self._b = 1.0 - self._a
        self.value = math.nan

    def update(self, x: float) -> float:
        """Take the next value and return the average."""
        last = self.value
        self.value = value = x if last != last else self._a * x + self._b * last
        return value

    def state(self) -> dict[str, Any]:
        """Return all that later answers depend on."""
        return {"value": _number(self.value)}

    def restore(self, state: dict[str, Any]) -> None:
        """Take back what ``state`` returned."""
        self.value = _float(state["value"])


class TrueRange:
    """Range of a bar including the gap from the previous close, a price difference.

    Source: MISSION, Indicators: high - low for the first bar, else the largest of high - low,
    |high - previous close| and |low - previous close|.
    """

    __slots__ = ("_close", "value")

    def __init__(self) -> None:
        """Start without a previous close."""
        self._close = math.nan
        self.value = math.nan

    def update(self, high: float, low: float, close: float) -> float:
        """Take the next bar and return its true range."""
        last = self._close
        self._close = close
        if last != last:
            self.value = high - low
        else:
            self.value = max(high - low, abs(high - last), abs(low - last))
        return self.value

    def state(self) -> dict[str, Any]:
        """Return all that later answers depend on."""
        return {"value": _number(self.value), "close": _number(self._close)}

    def restore(self, state: dict[str, Any]) -> None:
        """Take back what ``state`` returned."""
        self.value = _float(state["value"])
        self._close = _float(state["close"])


class Atr:
    """Wilder's average true range, a price difference: a = 1/n, seeded with the first TR.

    Source: MISSION, Indicators: atr = a*tr + (1-a)*atr.
    """

    __slots__ = ("_a", "_b", "_close", "period", "value")

    def __init__(self, period: int) -> None:
        """Start empty. ``period`` is n, in bars.

        Raises:
            ValueError: the period is below 1.
        """
        self.period = _period(period)
        self._a = 1.0 / period
        self._b = 1.0 - self._a
        self._close = math.nan
        self.value = math.nan

    def update(self, high: float, low: float, close: float) -> float:
        """Take the next bar and return the average."""
        last, self._close = self._close, close
        span = high - low
        if last != last:
            self.value = span
            return span
        # The true range; high >= low makes the other signs of |x - last| no larger than the range.
        if high - last > span:
            span = high - last
        elif last - low > span:
            span = last - low
        self.value = value = self._a * span + self._b * self.value
        return value

    def state(self) -> dict[str, Any]:
        """Return all that later answers depend on."""
        return {"value": _number(self.value), "close": _number(self._close)}

    def restore(self, state: dict[str, Any]) -> None:
        """Take back what ``state`` returned."""
        self.value = _float(state["value"])
        self._close = _float(state["close"])


class Sma:
    """Mean of the last n values; NaN until there are n.

    A running sum that adds and subtracts drifts for ever. Here a window is the tail of one block
    of n values plus the head of the next, both summed from scratch, so nothing drifts and nothing
    is subtracted. The tail sums are made once a block: constant work per value on average.
    """

    __slots__ = ("_block", "_head", "_tail", "period", "value")

    def __init__(self, period: int) -> None:
        """Start empty. ``period`` is n, in values.

        Raises:
            ValueError: the period is below 1.
        """
        self.period = _period(period)
        self._block: list[float] = []
        self._head = 0.0
        self._tail: list[float] = []
        self.value = math.nan

    def update(self, x: float) -> float:
        """Take the next value and return the mean."""
        block = self._block
        self._head = head = self._head + x if block else x
        block.append(x)
        seen = len(block)
        if seen == self.period:
            self.value = head / seen
            self._tail = _tail_sums(block)
            block.clear()
        elif self._tail:
            self.value = (self._tail[seen] + head) / self.period
        return self.value

    def state(self) -> dict[str, Any]:
        """Return all that later answers depend on."""
        return {
            "value": _number(self.value),
            "block": list(self._block),
            "head": self._head,
            "tail": list(self._tail),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take back what ``state`` returned."""
        self.value = _float(state["value"])
        self._block = [float(x) for x in state["block"]]
        self._head = float(state["head"])
        self._tail = [float(x) for x in state["tail"]]


def _tail_sums(block: list[float]) -> list[float]:
    """Return for each i the sum of ``block[i:]``, added from the end."""
    sums = block[:]
    for i in range(len(sums) - 2, -1, -1):
        sums[i] += sums[i + 1]
    return sums


class Rsi:
    """Wilder's relative strength index, 0 to 100; NaN until there were n changes.

    The first averages are the means of the first n gains and losses, later ones Wilder's a*x +
    (1-a)*average with a = 1/n. 50 where nothing moved. Source: Wilder 1978.
    """

    __slots__ = ("_a", "_b", "_gain", "_last", "_loss", "_seen", "period", "value")

    def __init__(self, period: int) -> None:
        """Start empty. ``period`` is n, in changes.

        Raises:
            ValueError: the period is below 1.
        """
        self.period = _period(period)
        self._a = 1.0 / period
        self._b = 1.0 - self._a
        self._last = math.nan
        self._gain = 0.0
        self._loss = 0.0
        self._seen = 0
        self.value = math.nan

    def update(self, x: float) -> float:
        """Take the next value and return the index."""
        last = self._last
        self._last = x
        if last != last:
            return self.value
        change = x - last
        gain, loss = max(change, 0.0), max(-change, 0.0)
        if self._seen < self.period:
            self._seen += 1
            self._gain += gain
            self._loss += loss
            if self._seen < self.period:
                return self.value
            self._gain /= self.period
            self._loss /= self.period
        else:
            self._gain = self._a * gain + self._b * self._gain
            self._loss = self._a * loss + self._b * self._loss
        moved = self._gain + self._loss
        self.value = 100.0 * self._gain / moved if moved > 0 else 50.0
        return self.value

    def state(self) -> dict[str, Any]:
        """Return all that later answers depend on."""
        return {
            "value": _number(self.value),
            "last": _number(self._last),
            "gain": self._gain,
            "loss": self._loss,
            "seen": self._seen,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take back what ``state`` returned."""
        self.value = _float(state["value"])
        self._last = _float(state["last"])
        self._gain = float(state["gain"])
        self._loss = float(state["loss"])
        self._seen = int(state["seen"])


class _Extreme:
    """The largest of sign * value over the last n values; NaN until there are n.

    The queue holds (index, value) of the values that can still become the extreme, best first;
    each value enters and leaves it once.
    """

    __slots__ = ("_queue", "_seen", "period", "value")

    sign = 1.0

    def __init__(self, period: int) -> None:
        """Start empty. ``period`` is n, in values.

        Raises:
            ValueError: the period is below 1.
        """
        self.period = _period(period)
        self._queue: deque[tuple[int, float]] = deque()
        self._seen = 0
        self.value = math.nan

    def update(self, x: float) -> float:
        """Take the next value and return the extreme."""
        queue, sign = self._queue, self.sign
        while queue and sign * queue[-1][1] <= sign * x:
            queue.pop()
        queue.append((self._seen, x))
        self._seen += 1
        if queue[0][0] < self._seen - self.period:
            queue.popleft()
        if self._seen >= self.period:
            self.value = queue[0][1]
        return self.value

    def state(self) -> dict[str, Any]:
        """Return all that later answers depend on."""
        return {
            "value": _number(self.value),
            "seen": self._seen,
            "queue": [list(pair) for pair in self._queue],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take back what ``state`` returned."""
        self.value = _float(state["value"])
        self._seen = int(state["seen"])
        self._queue = deque((int(i), float(x)) for i, x in state["queue"])


class Highest(_Extreme):
    """Largest of the last n values; NaN until there are n."""

    __slots__ = ()


class Lowest(_Extreme):
    """Smallest of the last n values; NaN until there are n."""

    __slots__ = ()

    sign = -1.0
