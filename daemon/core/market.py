"""What the core knows of the market: the last bar of each series, its ATR, conversion rates.

A series is one symbol at one interval. Nothing here decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from state.bars import Bar
from state.instruments import Grid
from state.units import NEVER_NS

ATR_BARS: Final = 14
_ONE: Final = Decimal(1)
_RATE_PLACES: Final = Decimal("0.000000000001")


class Series:
    """One symbol at one interval: its last close and its Wilder ATR(14).

    ``atr`` is price units, over all bars so far; 0.0 before the first bar. ``atr_before`` is the
    one before the last bar, and ``true_range`` that bar's own; both are of this instant and in no
    snapshot. ``last_ns`` is the close of the last bar. The ATR is written in exactly the form of
    the definition (another form differs in the last bits). Source: MISSION, Indicators.
    """

    __slots__ = (
        "atr",
        "atr_before",
        "close",
        "count",
        "grid",
        "interval_ns",
        "key",
        "last_ns",
        "symbol",
        "true_range",
    )

    def __init__(self, grid: Grid, interval_ns: int) -> None:
        """Begin without bars."""
        self.grid = grid
        self.symbol = grid.symbol
        self.interval_ns = interval_ns
        self.key = (self.symbol, interval_ns)
        self.atr = self.atr_before = self.true_range = 0.0
        self.close = 0.0
        self.last_ns = 0
        self.count = 0

    def update(self, bar: Bar) -> None:
        """Take the next closed bar."""
        high, low, before = bar.high, bar.low, self.close
        true_range = high - low
        self.atr_before = self.atr
        if self.count:
            # high >= low, so these two cases are all in which a gap makes the range larger.
            if before > high:
                true_range = before - low
            elif before < low:
                true_range = high - before
            self.atr = _ALPHA * true_range + _REST * self.atr
        else:
            self.atr = true_range
        self.true_range = true_range
        self.count += 1
        self.close = bar.close
        self.last_ns = bar.close_ns

    def state(self) -> dict[str, Any]:
        """Return what later answers depend on, as JSON values."""
        return {
            "atr": self.atr, "close": self.close, "last_ns": self.last_ns, "count": self.count
        }  # fmt: skip

    def restore(self, state: dict[str, Any]) -> None:
        """Take back what ``state`` returned."""
        self.atr, self.close = float(state["atr"]), float(state["close"])
        self.last_ns, self.count = int(state["last_ns"]), int(state["count"])


_ALPHA: Final = 1 / ATR_BARS
_REST: Final = 1 - _ALPHA


class Costs:
    """The cost model: slippage per side as a function of ATR.

    Half the spread is the instrument's; slippage is max(``min_pips`` pips, ``atr_fraction`` x ATR).
    """

    __slots__ = ("atr_fraction", "fill_at_close", "min_pips")

    def __init__(
        self, min_pips: float = 1.0, atr_fraction: float = 0.001, *, fill_at_close: bool = False
    ) -> None:
        """Keep the parameters; ``fill_at_close`` fills market orders at the deciding close."""
        self.min_pips = min_pips
        self.atr_fraction = atr_fraction
        self.fill_at_close = fill_at_close

    def slippage(self, grid: Grid, atr: float) -> float:
        """Return the slippage per side in price units."""
        return max(self.min_pips * grid.pip, self.atr_fraction * atr)


class Market:
    """All series, the last price of each symbol and conversion to the base currency.

    ``conversion`` maps a currency to the pair whose price converts it, with the pair's base and
    quote currency: ``{"JPY": ("USDJPY", "USD", "JPY")}``; one hop over another converted currency
    is allowed.
    """

    def __init__(
        self,
        base_currency: str,
        series: Sequence[Series],
        conversion: Mapping[str, tuple[str, str, str]] | None = None,
    ) -> None:
        """Index the series by symbol, finest interval first."""
        self.base_currency = base_currency
        self.series = sorted(series, key=lambda one: one.key)
        self.by_key = {one.key: one for one in self.series}
        self.by_symbol: dict[str, list[Series]] = {}
        for one in self.series:
            self.by_symbol.setdefault(one.symbol, []).append(one)
        self.conversion = dict(conversion or {})

    def last(self, symbol: str) -> tuple[float, int] | None:
        """Return the last close of a symbol and its instant, or None before its first bar."""
        best: Series | None = None
        for one in self.by_symbol.get(symbol, ()):
            if one.count and (best is None or one.last_ns > best.last_ns):
                best = one
        return None if best is None else (best.close, best.last_ns)

    def rate(self, currency: str, now_ns: int) -> tuple[Decimal | None, int]:
        """Return the rate currency -> base at the last price, and its age in ns.

        The rate is None without a price; the age is that of the oldest price used, 0 when no
        conversion is needed.
        """
        return self._rate(currency, now_ns, hops=2)

    def _rate(self, currency: str, now_ns: int, hops: int) -> tuple[Decimal | None, int]:
        if currency == self.base_currency:
            return _ONE, 0
        pair = self.conversion.get(currency)
        last = self.last(pair[0]) if pair and hops else None
        if pair is None or last is None:
            return None, NEVER_NS
        price = Decimal(repr(last[0]))
        inverted = pair[2] == currency
        onward, age = self._rate(pair[1] if inverted else pair[2], now_ns, hops - 1)
        if onward is None:
            return None, NEVER_NS
        rate = onward / price if inverted else onward * price
        return rate.quantize(_RATE_PLACES), max(age, now_ns - last[1])
