"""Fills, exits and sizes against the bars: SLT-3, and MISSION's E4, E5, E6 and I2, by hand.

Only for runs on complete history with a perfect broker that fills at the next open; the checker
says where that is not so.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import numpy as np

from tests.history.audit import Audit, Config
from tests.history.bars import Bars, History, Prices
from tests.history.book import NEVER, Book, S, Trade
from tests.history.journal import Row, Violation

EPS_PIP = 1e-6


def can_check(config: Config) -> bool:
    """Say whether the broker of this configuration is the perfect one."""
    paper = config.get("paper", {})
    faults = any(paper.get(one, 0) for one in ("reject_every", "partial_fraction", "latency_s"))
    return not faults and config.get("costs", {}).get("fill", "next_open") == "next_open"


class Fills(Audit):
    """Each fill at the bar and price that the rules give, each size within its risk."""

    proves = ("SLT-3", "E4", "E5", "E6", "I2")

    def __init__(
        self, book: Book, found: list[Violation], config: Config, history: History, prices: Prices
    ) -> None:
        """Take configuration, bars and rates."""
        super().__init__(book, found)
        self._prices = prices
        costs = config.get("costs", {})
        self._slip_pips = float(costs.get("slippage_min_pips", 1.0))
        self._slip_atr = float(costs.get("slippage_atr_fraction", 0.001))
        self._sizing: Any = config.get("sizing", {})
        self._history = history

    def _half(self, symbol: str) -> float:
        one = self.book.instruments[symbol]
        return float(one["spread_pips"]) * float(one["pip"]) / 2

    # Sizes --------------------------------------------------------------------------------------

    def on_intentrecorded(self, row: Row) -> None:
        """Check E6: the largest whole number of lots whose risk is within the fraction."""
        intent = row["intent"]
        decided = self.book.accepted.get(intent["intent_id"])
        if intent["purpose"] != "entry" or decided is None:
            return
        one = self.book.instruments[intent["symbol"]]
        bars = self._history.bars(intent["symbol"], intent["interval_ns"])
        deciding = bars.at.get(decided["bar_open_ns"])
        self.must(deciding is not None, "E4", row, "decided on a bar that the file has not")
        if deciding is None:
            return
        bar = bars.rows[deciding]
        tick, reference = float(one["tick"]), intent["reference"]
        levels = [intent[name] for name in ("trigger_ticks", "limit_ticks") if intent[name]]
        asked = levels[0] * tick if levels else bar[3]
        self.must(abs(reference - asked) < 1e-9, "E6", row, f"reference {reference} not {asked}")
        rate = self._prices.rate(one["quote_currency"], row["at_ns"])
        if self._sizing.get("kind", "risk") != "risk" or rate is None:
            return
        distance = intent["stop_distance"]
        if distance is None:
            distance = abs(reference - intent["stop_ticks"] * tick)
        risk = float(self.book.cash) * float(self._sizing.get("risk_fraction", 0.005))
        exact = risk / (distance * float(one["lot"]) * float(one["multiplier"]) * rate)
        fits = exact - 1 - 1e-3 < intent["lots"] <= exact + 1e-3
        self.must(fits, "E6", row, f"{intent['lots']} lots, by hand {exact}")

    # Fills --------------------------------------------------------------------------------------

    def on_filled(self, row: Row) -> None:
        """Check one execution by its leg."""
        trade = self.book.trade_of(row)
        order = self.book.orders.get(row["intent_id"])
        if trade is None or order is None:
            return
        bars = self._history.bars(row["symbol"], trade.intent["interval_ns"])
        self._rate(row)
        if row["leg"] == "entry":
            self._entry(row, trade, bars)
        elif trade.entries and trade.plans and trade.lots:
            self._exit(row, trade, order.intent, bars)

    def _rate(self, row: Row) -> None:
        """Check the rate: of the last close that was known, which may be that of this instant."""
        currency = self.book.instruments[row["symbol"]]["quote_currency"]
        rates = [self._prices.rate(currency, row["at_ns"], before=bars) for bars in (0, 1)]
        near = any(one is not None and abs(float(row["rate"]) / one - 1) < 1e-9 for one in rates)
        self.must(near, "I2", row, f"rate {row['rate']}, by hand {rates}")

    def _cost(self, row: Row, atr: float, *, slips: bool) -> int:
        """Return the fill in ticks: half the spread and slippage against us, rounded against us."""
        one = self.book.instruments[row["symbol"]]
        pip, tick = float(one["pip"]), float(one["tick"])
        slip = max(self._slip_pips * pip, atr * self._slip_atr) if slips else 0.0
        side = row["side"]
        raw = (float(row["price"]) + side * (self._half(row["symbol"]) + slip)) / tick
        tie = EPS_PIP * pip / tick
        ticks: int = math.ceil(raw - tie) if side > 0 else math.floor(raw + tie)
        return ticks

    def _costs(self, row: Row, atr: float, *, slips: bool) -> None:
        ticks = self._cost(row, atr, slips=slips)
        self.must(ticks == row["fill_ticks"], "E5", row, f"fill {row['fill_ticks']}, not {ticks}")

    def _priced(self, row: Row, price: float) -> None:
        near = abs(float(row["price"]) - price) < 1e-9
        self.must(near, "E4", row, f"price {row['price']}, by hand {price}")

    def _entry(self, row: Row, trade: Trade, bars: Bars) -> None:
        """Check the entry: its bar, its price, its costs, its stamp."""
        intent, deciding = trade.intent, bars.at.get(trade.bar_open_ns)
        if deciding is None:  # an entry that nothing decided, which is said elsewhere
            return
        limit = intent["limit_ticks"] is not None
        self._costs(row, bars.atr[deciding], slips=not limit)
        index = bars.at.get(row["bar_open_ns"])
        if index is None:
            self.must(False, "E4", row, f"no bar opens at {_utc(row['bar_open_ns'])}")
            return
        bar = bars.rows[index]
        if not limit and intent["trigger_ticks"] is None:
            self.must(index == deciding + 1, "E4", row, "not at the next bar")
            late = row["bar_open_ns"] - intent["decided_ns"]
            self.must(late <= intent["interval_ns"], "E4", row, "the next bar came too late")
            self._priced(row, bar[0])
            stamped = row["filled_ns"] == row["bar_open_ns"]
            self.must(stamped, "E4", row, "not stamped with the open")
            return
        one = self.book.instruments[row["symbol"]]
        level = intent["limit_ticks" if limit else "trigger_ticks"] * float(one["tick"])
        tie, rising = EPS_PIP * float(one["pip"]), (intent["side"] > 0) != limit
        for i in range(deciding + 1, index + 1):
            touched = bars.rows[i, 1] > level - tie if rising else bars.rows[i, 2] < level + tie
            first = touched == (i == index)
            self.must(first, "E4", row, f"not the first bar that touches {level}")
            if not first:
                return
        self._priced(row, max(level, bar[0]) if rising else min(level, bar[0]))

    # Exits --------------------------------------------------------------------------------------

    def _exit(self, row: Row, trade: Trade, intent: Row, bars: Bars) -> None:
        """Check the exit against the bars: which level was met first, and where it filled."""
        last = bars.at.get(row["bar_open_ns"])
        touch = self._first_touch(trade, bars, len(bars.rows) if last is None else last)
        if row["leg"] == "exit":
            self._market_exit(row, trade, intent, bars)
            first = touch is None or bars.opens_ns[touch[0]] >= row["bar_open_ns"]
            self.must(first, "E4", row, f"left at market though {touch} came first")
            return
        name = "SLT-3" if row["leg"] == "stop" else "E4"
        if touch is None:
            self.must(False, name, row, "no bar touches the level")
            return
        index, leg, price = touch
        here = index == last
        self.must(here, name, row, f"another bar: {_utc(int(bars.opens_ns[index]))}")
        if not here:
            return
        self.must(leg == row["leg"], name, row, f"by hand the {leg}")
        near = abs(price - float(row["price"])) < 1e-9
        self.must(near, name, row, f"price {row['price']}, by hand {price}")
        stamped = row["filled_ns"] == row["bar_open_ns"] + trade.intent["interval_ns"]
        self.must(stamped, name, row, "not stamped with the close")
        self._costs(row, bars.atr[index - 1], slips=leg == "stop")

    def _first_touch(self, trade: Trade, bars: Bars, last: int) -> tuple[int, str, float] | None:
        """Return (bar, leg, price) of the first level touched from the entry bar on.

        The plan of a bar is the one that was in force when it opened.
        """
        one, side = self.book.instruments[trade.intent["symbol"]], trade.side
        tick, tie = float(one["tick"]), EPS_PIP * float(one["pip"])
        first = bars.at.get(trade.entries[0]["bar_open_ns"], len(bars.rows))
        place = 0
        for index in range(first, min(last + 1, len(bars.rows))):
            opened = bars.opens_ns[index]
            while place + 1 < len(trade.plans) and trade.plans[place + 1]["at_ns"] <= opened:
                place += 1
            plan = trade.plans[place]
            stop, target = (
                None if plan[name] is None else plan[name] * tick
                for name in ("stop_ticks", "target_ticks")
            )
            assert stop is not None
            open_, high, low, _ = bars.rows[index]
            worst, best = (low, high) if side > 0 else (high, low)
            if side * (worst - stop) < tie:
                gap = index > first and side * (open_ - stop) < 0
                return index, "stop", open_ if gap else stop
            if target is not None and side * (best - target) > -tie:
                gap = index > first and side * (open_ - target) > 0
                return index, "target", open_ if gap else target
        return None

    def _market_exit(self, row: Row, trade: Trade, intent: Row, bars: Bars) -> None:
        """Check a market exit: at the next open if in time, else at the last close before it."""
        due = intent["decided_ns"]
        if row["reason"] == "TIME":
            stop = trade.plans[-1]["time_stop_ns"]
            self.must(due == stop, "E4", row, f"time-stop at {due}, planned {stop}")
        index = int(np.searchsorted(bars.opens_ns, due))
        interval = intent["interval_ns"]
        if index < len(bars.rows) and bars.opens_ns[index] - due <= interval:
            price, stamp = bars.rows[index, 0], int(bars.opens_ns[index])
        else:
            price, stamp = bars.rows[index - 1, 3], due
        self._priced(row, price)
        self.must(row["filled_ns"] == stamp, "E4", row, f"by hand at {_utc(stamp)}")
        before = index - 1
        while bars.opens_ns[before] + interval > due:
            before -= 1
        self._costs(row, bars.atr[before], slips=True)

    def on_runended(self, row: Row) -> None:
        """Check that no time-stop is overdue at the end of the history."""
        trades = [self.book.trades[name] for name in self.book.open.values()]
        late = [one.key for one in trades if _due(one) <= row["at_ns"]]
        done = row["reason"] == "END_OF_HISTORY"
        self.must(not (late and done), "E4", row, f"time-stops overdue: {late}")


def _due(trade: Trade) -> int:
    return int(trade.plans[-1]["time_stop_ns"]) if trade.plans else NEVER


def _utc(at_ns: int) -> str:
    return datetime.fromtimestamp(at_ns / S, UTC).isoformat()
