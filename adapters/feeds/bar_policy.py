"""What makes a bar of a live feed an accepted one: a verdict with a reason for every bar (F5).

Bars of a series strictly increase: a duplicate is a no-op, a late bar never rewrites, a gap is
flagged, and an impossible or off-collar price goes no further. Pure: the clock is an argument, and
the only state is what was accepted.
"""

from __future__ import annotations

from typing import Final

import msgspec

from adapters.feeds.expected import MarketHours, has_missing
from adapters.feeds.resample import interval_text
from state.bars import Bar, impossible
from state.units import SECOND_NS, utc_text

_REMEMBERED: Final = 128
"""Accepted bars of a series that are told apart from late ones when they come again."""


class PolicyLimits(msgspec.Struct, frozen=True):
    """The limits of one feed.

    ``skew_ns`` is how far the end of a bar, or the stamp of a price, may lie ahead of this
    machine's clock. ``grace_ns`` is how long after its end a bar is in time. ``collar`` is the
    largest move of a price from the last accepted close, as a fraction of it; 0 switches it off.
    ``collar_confirm_bars`` is how many bars off the collar, in a row and within it of each other,
    prove that the market really moved: the last of them is accepted; 0 is never.
    """

    skew_ns: int = 2 * SECOND_NS
    grace_ns: int = SECOND_NS
    collar: float = 0.0
    collar_confirm_bars: int = 3


class Gap(msgspec.Struct, frozen=True, gc=False):
    """Bars that are missing: ``from_ns`` (inclusive) to ``to_ns`` (exclusive), UTC nanoseconds."""

    from_ns: int
    to_ns: int


class Judgement(msgspec.Struct, frozen=True, gc=False):
    """The answer for one bar.

    ``code`` is empty when it is accepted; ``text`` says what was expected and found. ``gap`` is
    what is missing before an accepted bar where the market was expected to be open.
    """

    code: str = ""
    text: str = ""
    gap: Gap | None = None

    @property
    def is_accepted(self) -> bool:
        """Whether the bar may go on."""
        return not self.code


ACCEPTED: Final = Judgement()


class BarPolicy:
    """Judges the bars of one series; ``refused`` counts, by reason code, those that it refused.

    ``judge`` once for a bar that came; ``accept`` then takes it as the last one of the series.
    """

    def __init__(
        self,
        symbol: str,
        interval_ns: int,
        hours: MarketHours,
        limits: PolicyLimits,
        start_ns: int = 0,
    ) -> None:
        """Begin without a bar; the first one must not have ended before ``start_ns``."""
        self.symbol = symbol
        self.interval_ns = interval_ns
        self.refused: dict[str, int] = {}
        self.last: Bar | None = None
        self._start_ns = start_ns
        self._hours = hours
        self._limits = limits
        self._accepted: dict[int, Bar] = {}
        self._off_collar: list[float] = []

    def judge(self, bar: Bar, now_ns: int, symbol: str = "", interval_ns: int = 0) -> Judgement:
        """Judge a bar that came at ``now_ns``, as what its source said (empty: as this series)."""
        code, text = self.problem(bar, now_ns, symbol or self.symbol, interval_ns)
        if not code:
            code, text = self._order(bar, now_ns)
        if not code and self._limits.collar:
            code, text = self._collar(bar)
        if code:
            return self.refuse(code, text)
        gap = self.gap_before(bar.open_ns)
        return Judgement(gap=gap) if gap else ACCEPTED

    def refuse(self, code: str, text: str) -> Judgement:
        """Count a refusal of somebody who knows more, such as that a bar is incomplete."""
        self.refused[code] = self.refused.get(code, 0) + 1
        return Judgement(code, text)

    def accept(self, bar: Bar) -> None:
        """Take a bar that was judged as the last one of its series."""
        self.last = bar
        self._off_collar.clear()
        self._accepted[bar.open_ns] = bar
        if len(self._accepted) > _REMEMBERED:
            del self._accepted[next(iter(self._accepted))]

    def gap_before(self, open_ns: int) -> Gap | None:
        """Return what is missing between the last accepted bar and one opening at ``open_ns``."""
        if self.last is None or open_ns <= self.last.close_ns:
            return None
        if not has_missing(self._hours, self.last.close_ns, open_ns, self.interval_ns):
            return None
        return Gap(self.last.close_ns, open_ns)

    def problem(self, bar: Bar, now_ns: int, symbol: str, interval_ns: int) -> tuple[str, str]:
        """Return code and text why a bar cannot be of this series at all, empty when it can."""
        if symbol != self.symbol:
            return "WRONG_SYMBOL", f"expected {self.symbol}, found {symbol[:40]!r}"
        length_ns = bar.close_ns - bar.open_ns
        said_ns = interval_ns or length_ns
        if said_ns != self.interval_ns or length_ns != self.interval_ns:
            found = interval_text(said_ns if said_ns != self.interval_ns else length_ns)
            return "WRONG_INTERVAL", f"expected {interval_text(self.interval_ns)}, found {found}"
        if bar.open_ns % self.interval_ns:
            return "WRONG_INTERVAL", (
                f"expected an open on a whole {interval_text(self.interval_ns)}, found "
                f"{utc_text(bar.open_ns)}"
            )
        code = impossible(bar.open, bar.high, bar.low, bar.close)
        if code is not None:
            return code, f"open {bar.open}, high {bar.high}, low {bar.low}, close {bar.close}"
        if bar.close_ns > now_ns + self._limits.skew_ns:
            return "FROM_FUTURE", f"closes at {utc_text(bar.close_ns)}, now {utc_text(now_ns)}"
        return "", ""

    def _order(self, bar: Bar, now_ns: int) -> tuple[str, str]:
        last = self.last
        if last is None and bar.close_ns <= self._start_ns:
            return "LATE_BAR", f"bar of {utc_text(bar.open_ns)} from before the feed was started"
        if last is None or bar.open_ns >= last.close_ns:
            return "", ""
        known = self._accepted.get(bar.open_ns)
        if known is not None:
            if _prices(known) == _prices(bar):
                return "DUPLICATE", f"the bar of {utc_text(bar.open_ns)} came again"
            return "REVISED", f"accepted {_prices(known)}, found {_prices(bar)}"
        text = f"bar of {utc_text(bar.open_ns)} after the one of {utc_text(last.open_ns)}"
        if now_ns > bar.close_ns + self._limits.grace_ns:
            return "LATE_BAR", text
        return "OUT_OF_ORDER", text

    def _collar(self, bar: Bar) -> tuple[str, str]:
        collar, last = self._limits.collar, self.last
        if last is None:
            return "", ""
        if _move(bar, last.close) <= collar:
            return "", ""
        agreeing = self._off_collar
        if agreeing and _move(bar, agreeing[-1]) > collar:
            agreeing.clear()
        agreeing.append(bar.close)
        needed = self._limits.collar_confirm_bars
        if needed and len(agreeing) >= needed:
            return "", ""
        return "OFF_COLLAR", (
            f"{_move(bar, last.close):.4g} from the last close {last.close}, allowed {collar:g}"
        )


def _prices(bar: Bar) -> tuple[float, float, float, float]:
    return bar.open, bar.high, bar.low, bar.close


def _move(bar: Bar, close: float) -> float:
    """Return the larger move of the extremes from a close, as a fraction of it."""
    return max(bar.high - close, close - bar.low) / close
