"""An auditor of a run's journal that shares no code with the program.

It reads the raw rows of the database, the bars with pandas and the configuration with tomllib, and
works out for itself what must have happened. Every finding is one line of text; none is good.
Source of the rules: MISSION, "Fills, costs and indicators, exactly", and RELIABILITY's invariants.
"""

from __future__ import annotations

import json
import math
import sqlite3
import tomllib
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from tests.golden.audit_bars import Bars, History

S = 1_000_000_000
EPS_PIP = 1e-6
WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
LONDON_NEW_YORK = {
    "london": (time(7), time(10)),
    "new_york": (time(12, 30), time(16)),
}

Row = dict[str, Any]


def journal(database: Path) -> list[Row]:
    """Return every entry of a journal as it lies in the database."""
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        rows = connection.execute("SELECT CAST(payload AS TEXT) FROM journal ORDER BY seq")
        return [json.loads(row[0]) for row in rows]
    finally:
        connection.close()


@dataclass
class Trade:
    """A trade as its fills tell it."""

    intent: Row
    decided: int
    entry: Row | None = None
    plan: Row | None = None
    exit: Row | None = None
    lots: int = 0
    pnl: Decimal = Decimal(0)
    fees: Decimal = Decimal(0)


@dataclass
class Book:
    """What the fold knows at one moment."""

    cash: Decimal
    trades: dict[str, Trade] = field(default_factory=dict)
    open: dict[str, str] = field(default_factory=dict)
    counted: list[tuple[int, str, str, str]] = field(default_factory=list)
    exits: list[tuple[int, str, str, int]] = field(default_factory=list)
    run: int = 0
    latched: dict[str, int] = field(default_factory=dict)
    locked: bool = False
    day_r: dict[int, float] = field(default_factory=lambda: defaultdict(float))
    executions: set[str] = field(default_factory=set)


class Audit:
    """One journal, checked against one configuration and its bars."""

    def __init__(self, config: Path, rows: list[Row]) -> None:
        """Read the configuration and the bars it names."""
        self.config = tomllib.loads(config.read_text())
        self.rows = rows
        self.found: list[str] = []
        self.instruments = {
            row["instrument"]["symbol"]: row["instrument"]
            for row in rows
            if row["type"] == "InstrumentSet"
        }
        self._history = History(config.parent, self.config["bars"], self._halves())
        self._strategies = {one["name"]: one for one in self.config["strategies"]}

    def _halves(self) -> dict[str, float]:
        """Return half the spread of each symbol in price units."""
        return {
            symbol: float(one["spread_pips"]) * float(one["pip"]) / 2
            for symbol, one in self.instruments.items()
        }

    # The walk -----------------------------------------------------------------------------------

    def check(self) -> list[str]:
        """Walk the journal once and return every finding."""
        opening = self.rows[0]
        self._zone = ZoneInfo(opening["zone"])
        self._base = opening["base_currency"]
        self._book = Book(Decimal(opening["cash"]))
        self._decided: dict[str, Row] = {}
        for number, row in enumerate(self.rows, start=1):
            step = getattr(self, "_on_" + row["type"].lower(), None)
            if step is not None:
                step(row)
            if self.found and len(self.found) > 20:
                return [*self.found, f"... and more after entry {number}"]
        return self.found

    def _say(self, row: Row, text: str) -> None:
        self.found.append(f"{_utc(row['at_ns'])} {row['type']}: {text}")

    def _must(self, ok: bool, row: Row, text: str) -> None:
        if not ok:
            self._say(row, text)

    def _day(self, at_ns: int) -> int:
        return datetime.fromtimestamp(at_ns // S, self._zone).date().toordinal()

    # Decisions ----------------------------------------------------------------------------------

    def _on_decided(self, row: Row) -> None:
        """Check what was let through: the window, the latches, the kill switch."""
        if row["outcome"] != "ACCEPTED" or row["action"]["type"] != "enter":
            return
        self._decided[row["intent_id"]] = row
        book, now = self._book, row["at_ns"]
        denied = [verdict[2] for verdict in row["verdicts"] if not verdict[1]]
        self._must(not denied, row, f"accepted against {denied}")
        self._must(self._window(row["strategy"], now) is not None, row, "outside its window")
        day = self._day(now)
        self._must(row["day"] == day, row, f"day {row['day']}, by the clock {day}")
        for name in ("r_stop", f"strategy_r_stop/{row['strategy']}"):
            self._must(book.latched.get(name) != day, row, f"let in after {name} latched")
        self._must(not book.locked, row, "let in while the drawdown lock is on")
        key = f"{row['symbol']}/{row['strategy']}"
        self._must(key not in book.open, row, f"{key} already has a position")
        self._pace(row, now, day)
        self._room(row)

    def _window(self, strategy: str, now_ns: int) -> tuple[datetime, datetime] | None:
        """Return (end of entries, time-stop) in UTC of the window around an instant, or None."""
        spec = self._strategies[strategy]
        windows = spec.get("windows")
        if windows is None:
            start, end = LONDON_NEW_YORK[spec["profile"]]
            windows = [{"start": start, "end": end, "zone": "UTC"}]
        moment = datetime.fromtimestamp(now_ns / S, UTC)
        for window in windows:
            zone = ZoneInfo(window.get("zone", "UTC"))
            date = moment.astimezone(zone).date()
            if WEEK[date.weekday()] not in window.get("weekdays", WEEK[:5]):
                continue
            begin = datetime.combine(date, window["start"], zone).astimezone(UTC)
            closes = datetime.combine(date, window["end"], zone).astimezone(UTC)
            stop = closes - timedelta(seconds=spec.get("flatten_before_s", 0))
            last = stop
            if "last_entry" in window:
                given = datetime.combine(date, window["last_entry"], zone).astimezone(UTC)
                last = min(last, given)
            if begin <= moment < last:
                return last, stop
        return None

    def _pace(self, row: Row, now: int, day: int) -> None:
        """Check spacing, hourly and daily caps, trades per strategy, cooldowns (P1, R2)."""
        pacing = {
            "spacing_s": 180, "symbol_spacing_s": 900, "per_hour": 5, "per_day": 120,
            "cooldown_win_m": 10, "cooldown_loss_m": 60, "cooldown_stop_m": 120, "loss_streak": 3,
            "loss_streak_cooldown_m": 60, **self.config.get("pacing", {}),
        }  # fmt: skip
        counted, symbol = self._book.counted, row["symbol"]
        last = max((at for at, *_ in counted), default=-(10**19))
        mine = max((at for at, name, *_ in counted if name == symbol), default=-(10**19))
        self._must(now - last >= pacing["spacing_s"] * S, row, "too soon after the last entry")
        self._must(now - mine >= pacing["symbol_spacing_s"] * S, row, "too soon in this symbol")
        hour = sum(1 for at, *_ in counted if now - 3600 * S < at <= now)
        self._must(hour < pacing["per_hour"], row, f"{hour} entries in the hour")
        today = [one for one in counted if self._day(one[0]) == day]
        self._must(len(today) < pacing["per_day"], row, f"{len(today)} entries today")
        limit = self.config["risk"]["strategy"]["trades_per_day"]
        own = sum(1 for one in today if one[2] == row["strategy"])
        self._must(own < limit, row, f"{own} entries of this strategy today")
        for at, name, outcome, run in self._book.exits:
            cool = pacing[f"cooldown_{outcome}_m"] * 60 * S
            self._must(name != symbol or now >= at + cool, row, f"cooling after a {outcome}")
            streak = pacing["loss_streak_cooldown_m"] * 60 * S
            self._must(run < pacing["loss_streak"] or now >= at + streak, row, "loss streak")

    def _room(self, row: Row) -> None:
        """Check the caps on positions (R3): open ones and entries in flight."""
        caps = self.config["risk"]["caps"]
        waiting = [
            trade.intent for trade in self._book.trades.values()
            if trade.entry is None and trade.intent.get("state") == "open"
        ]  # fmt: skip
        symbols = [key.split("/")[0] for key in self._book.open]
        symbols += [intent["symbol"] for intent in waiting]
        self._must(len(symbols) < caps["max_positions"], row, "max_positions")
        own = symbols.count(row["symbol"])
        self._must(own < caps["max_positions_per_symbol"], row, "max_positions_per_symbol")

    def _on_intentrecorded(self, row: Row) -> None:
        intent = dict(row["intent"], state="open")
        if intent["purpose"] != "entry":
            return
        decided = self._decided.pop(intent["intent_id"], None)
        if decided is None:
            self._say(row, f"entry {intent['intent_id']} that nothing decided")
            return
        book, now = self._book, row["at_ns"]
        book.trades[intent["trade_id"]] = Trade(intent, decided["bar_open_ns"])
        book.counted.append((now, intent["symbol"], intent["strategy"], intent["trade_id"]))
        window = self._window(intent["strategy"], now)
        if window is not None:
            last = round(window[0].timestamp()) * S
            self._must(intent["until_ns"] == last, row, "another last-entry time")
        self._size(row, intent)

    def _size(self, row: Row, intent: Row) -> None:
        """Check E6: the largest whole number of lots whose risk is within the fraction."""
        one = self.instruments[intent["symbol"]]
        bars = self._history.bars(intent["symbol"], intent["interval_ns"])
        bar = bars.rows[bars.at[self._book.trades[intent["trade_id"]].decided]]
        tick = Decimal(one["tick"])
        reference = intent["reference"]
        if intent["trigger_ticks"] is None:
            self._must(abs(reference - bar[3]) < 1e-9, row, "reference is not the close")
        else:
            level = float(intent["trigger_ticks"] * tick)
            self._must(abs(reference - level) < 1e-9, row, "reference is not the trigger")
        distance = intent["stop_distance"]
        if distance is None:
            distance = abs(reference - float(intent["stop_ticks"] * tick))
        risk = float(self._book.cash) * self.config.get("sizing", {}).get("risk_fraction", 0.005)
        per_lot = distance * float(one["lot"]) * float(one["multiplier"])
        exact = risk / per_lot
        self._must(
            intent["lots"] <= exact + 1e-6 and intent["lots"] > exact - 1 - 1e-6,
            row, f"{intent['lots']} lots, by hand {exact}",
        )  # fmt: skip

    def _on_orderchanged(self, row: Row) -> None:
        trade = self._book.trades.get(row["intent_id"])
        if trade is None or row["event"] not in ("CANCEL", "REJECT"):
            return
        trade.intent["state"] = row["event"]
        if trade.entry is None:
            self._book.counted = [one for one in self._book.counted if one[3] != row["intent_id"]]

    # Fills --------------------------------------------------------------------------------------

    def _on_filled(self, row: Row) -> None:
        book = self._book
        trade = book.trades[row["trade_id"]]
        self._must(row["execution_id"] not in book.executions, row, "an execution twice")
        book.executions.add(row["execution_id"])
        book.cash += Decimal(row["pnl"]) - Decimal(row["fee"])
        trade.fees += Decimal(row["fee"])
        self._fee(row)
        key = f"{row['symbol']}/{row['strategy']}"
        if row["leg"] == "entry":
            self._must(trade.entry is None and trade.lots == 0, row, "entered twice")
            trade.entry, trade.lots = row, row["lots"]
            self._must(row["lots"] == trade.intent["lots"], row, "not the size intended")
            self._must(key not in book.open, row, "a second position of one engine")
            book.open[key] = row["trade_id"]
            self._entry(row, trade)
            return
        self._must(row["side"] == -trade.intent["side"], row, "an exit that adds")
        trade.lots -= row["lots"]
        self._must(trade.lots == 0, row, f"{trade.lots} lots left or flipped by an exit")
        book.open.pop(key, None)
        trade.exit = row
        trade.pnl += Decimal(row["pnl"])
        self._exit(row, trade)
        self._closed(row, trade)

    def _fee(self, row: Row) -> None:
        one = self.instruments[row["symbol"]]
        quantity = row["lots"] * Decimal(one["lot"])
        value = quantity * Decimal(one["multiplier"]) * row["fill_ticks"] * Decimal(one["tick"])
        fee = quantity * Decimal(one["fee_per_unit"]) + value * Decimal(one["fee_fraction"])
        self._must(_cents(fee) == Decimal(row["fee"]), row, f"fee {row['fee']}, by hand {fee}")

    def _cost(self, row: Row, atr: float, *, slips: bool) -> int:
        """Return the fill in ticks: half the spread and slippage against us, rounded against us."""
        one = self.instruments[row["symbol"]]
        slip = max(float(one["pip"]), atr / 1000) if slips else 0.0
        side, tick = row["side"], float(one["tick"])
        raw = (float(row["price"]) + side * (self._halves()[row["symbol"]] + slip)) / tick
        tie = EPS_PIP * float(one["pip"]) / tick
        ticks: int = math.ceil(raw - tie) if side > 0 else math.floor(raw + tie)
        return ticks

    def _entry(self, row: Row, trade: Trade) -> None:
        """Check the entry: its bar, its price, its costs, its time."""
        intent = trade.intent
        bars = self._history.bars(row["symbol"], intent["interval_ns"])
        now, deciding = intent["decided_ns"], bars.at[trade.decided]
        atr = bars.atr[deciding]
        self._must(self._cost(row, atr, slips=True) == row["fill_ticks"], row, "another fill")
        self._must(row["bar_open_ns"] < intent["until_ns"], row, "entered after its last entry")
        index = bars.at[row["bar_open_ns"]]
        bar = bars.rows[index]
        if intent["trigger_ticks"] is None:
            self._must(index == deciding + 1, row, "not at the next bar")
            late = row["bar_open_ns"] - now
            self._must(late <= intent["interval_ns"], row, "the next bar came too late")
            self._must(abs(float(row["price"]) - bar[0]) < 1e-9, row, "not at the open")
            self._must(row["filled_ns"] == row["bar_open_ns"], row, "not stamped with the open")
            return
        one = self.instruments[row["symbol"]]
        level = intent["trigger_ticks"] * float(one["tick"])
        tie = EPS_PIP * float(one["pip"])
        buy = intent["side"] > 0
        for i in range(deciding + 1, index + 1):
            touched = bars.rows[i, 1] >= level - tie if buy else bars.rows[i, 2] <= level + tie
            self._must(touched == (i == index), row, "not the first bar that touches the trigger")
        price = max(level, bar[0]) if buy else min(level, bar[0])
        self._must(abs(float(row["price"]) - price) < 1e-9, row, f"by hand at {price}")

    def _on_planset(self, row: Row) -> None:
        trade = self._book.trades[row["trade_id"]]
        if trade.plan is not None:
            self._must(row["reason"] != "ENTRY", row, "a second first plan")
            return
        trade.plan = row
        entry, one = trade.entry, self.instruments[trade.intent["symbol"]]
        assert entry is not None
        away = abs(entry["fill_ticks"] - row["stop_ticks"]) * entry["lots"]
        money = away * Decimal(one["tick"]) * Decimal(one["lot"]) * Decimal(one["multiplier"])
        risk = _cents(money * Decimal(entry["rate"]))
        self._must(risk == Decimal(row["initial_risk"]), row, f"risk by hand {risk}")
        side = trade.intent["side"]
        below = side * (entry["fill_ticks"] - row["stop_ticks"]) > 0
        self._must(below, row, "the stop is on the wrong side of the fill")

    def _exit(self, row: Row, trade: Trade) -> None:
        """Check the exit against the bars: which level was met first, and where it filled."""
        entry, plan = trade.entry, trade.plan
        assert entry is not None and plan is not None
        bars = self._history.bars(row["symbol"], trade.intent["interval_ns"])
        first, last = bars.at[entry["bar_open_ns"]], bars.at.get(row["bar_open_ns"])
        by_hand = self._first_touch(trade, first, bars, len(bars.rows) if last is None else last)
        if row["leg"] == "exit":
            self._market_exit(row, trade, bars)
            self._must(
                by_hand is None or bars.opens_ns[by_hand[0]] >= row["bar_open_ns"],
                row, f"left at market though {by_hand} came first",
            )  # fmt: skip
            return
        if by_hand is None:
            self._say(row, "no bar touches the level")
            return
        index, leg, price = by_hand
        self._must(index == last, row, f"another bar: {_utc(int(bars.opens_ns[index]))}")
        self._must(leg == row["leg"], row, f"by hand the {leg}")
        self._must(abs(price - float(row["price"])) < 1e-9, row, f"by hand at {price}")
        self._must(row["filled_ns"] == row["at_ns"], row, "not stamped with the close")
        ticks = self._cost(row, bars.atr[index - 1], slips=leg == "stop")
        self._must(ticks == row["fill_ticks"], row, f"fill by hand {ticks}")

    def _first_touch(
        self, trade: Trade, first: int, bars: Bars, last: int
    ) -> tuple[int, str, float] | None:
        """Return (bar, leg, price) of the first level touched from the entry bar on."""
        one, plan, side = self.instruments[trade.intent["symbol"]], trade.plan, trade.intent["side"]
        assert plan is not None
        tick, tie = float(one["tick"]), EPS_PIP * float(one["pip"])
        stop = plan["stop_ticks"] * tick
        target = None if plan["target_ticks"] is None else plan["target_ticks"] * tick
        for index in range(first, min(last + 1, len(bars.rows))):
            open_, high, low, _ = bars.rows[index]
            worst, best = (low, high) if side > 0 else (high, low)
            if side * (worst - stop) < tie:
                gap = index > first and side * (open_ - stop) < 0
                return index, "stop", open_ if gap else stop
            if target is not None and side * (best - target) > -tie:
                gap = index > first and side * (open_ - target) > 0
                return index, "target", open_ if gap else target
        return None

    def _market_exit(self, row: Row, trade: Trade, bars: Bars) -> None:
        """Check a time-stop: at the next open if in time, else at the last close before it."""
        plan, interval = trade.plan, trade.intent["interval_ns"]
        assert plan is not None
        due = plan["time_stop_ns"]
        index = int(np.searchsorted(bars.opens_ns, due))
        before = index - 1
        if row["reason"] != "TIME":
            return
        if index < len(bars.rows) and bars.opens_ns[index] - due <= interval:
            price, stamp = bars.rows[index, 0], int(bars.opens_ns[index])
        else:
            price, stamp = bars.rows[before, 3], due
        self._must(abs(float(row["price"]) - price) < 1e-9, row, f"time-stop by hand at {price}")
        self._must(row["filled_ns"] == stamp, row, f"time-stop by hand {_utc(stamp)}")
        while bars.opens_ns[before] + interval > due:
            before -= 1
        ticks = self._cost(row, bars.atr[before], slips=True)
        self._must(ticks == row["fill_ticks"], row, f"fill by hand {ticks}")

    def _closed(self, row: Row, trade: Trade) -> None:
        """Check the P&L, then note outcome, streak and the day's R."""
        entry, plan, book = trade.entry, trade.plan, self._book
        assert entry is not None and plan is not None
        one = self.instruments[row["symbol"]]
        moved = (row["fill_ticks"] - entry["fill_ticks"]) * trade.intent["side"] * row["lots"]
        unit = Decimal(one["tick"]) * Decimal(one["lot"]) * Decimal(one["multiplier"])
        pnl = _cents(moved * unit * Decimal(row["rate"]))
        self._must(pnl == Decimal(row["pnl"]), row, f"P&L {row['pnl']}, by hand {pnl}")
        net = trade.pnl - trade.fees
        stamp = row["filled_ns"] if row["leg"] == "exit" else row["bar_open_ns"]
        day = self._day(stamp)
        self._must(row["day"] == day, row, f"trading day by hand {day}")
        book.day_r[day] += float(net / Decimal(plan["initial_risk"]))
        book.run = 0 if net > 0 else book.run + 1
        outcome = "win" if net > 0 else "stop" if row["leg"] == "stop" else "loss"
        book.exits.append((row["filled_ns"], row["symbol"], outcome, book.run))

    # Latches, marks and days --------------------------------------------------------------------

    def _on_haltset(self, row: Row) -> None:
        if row["name"] == "drawdown":
            self._book.locked = True
        elif row["day"]:
            self._book.latched[row["name"]] = row["day"]

    def _on_haltcleared(self, row: Row) -> None:
        if row["name"] == "drawdown":
            self._book.locked = False
        else:
            self._say(row, f"{row['name']} cleared by nobody")

    def _on_equitymarked(self, row: Row) -> None:
        cash = self._book.cash
        self._must(Decimal(row["cash"]) == cash, row, f"cash {row['cash']}, by hand {cash}")

    def _on_dayrolled(self, row: Row) -> None:
        book, day = self._book, row["day"]
        self._must(row["next_day"] == day + 1, row, "a day left out")
        self._must(row["open_positions"] == len(book.open), row, "open positions miscounted")
        limit = self.config["risk"]["daily_r_stop"]
        if book.day_r.get(day, 0.0) <= limit:
            self._must(book.latched.get("r_stop") == day, row, "the R-stop did not latch")
        if not book.open:
            self._must(Decimal(row["end_equity"]) == book.cash, row, "flat, yet equity is not cash")

    def _on_runended(self, row: Row) -> None:
        overdue = [
            key for key, trade in self._book.open.items()
            if (self._book.trades[trade].plan or {})["time_stop_ns"] <= row["at_ns"]
        ]  # fmt: skip
        self._must(not overdue, row, f"time-stops overdue: {overdue}")


def _cents(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.00000001"), ROUND_HALF_EVEN)


def _utc(at_ns: int) -> str:
    return datetime.fromtimestamp(at_ns / S, UTC).isoformat()
