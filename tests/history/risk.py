"""Risk and kill switch: RSK-1, RSK-2, KIL-1, KIL-3."""

from __future__ import annotations

from typing import Any

from tests.history.audit import Audit, Config
from tests.history.bars import Prices
from tests.history.book import Book
from tests.history.journal import Row, Violation

_LEVELS = {"halt": ("kill",), "flatten": ("kill_flatten", "kill"), "none": ("reset_kill",)}
_TIE = 1e-9


def is_of_another(name: str, symbol: str) -> bool:
    """Say whether a halt is for one symbol, and another one: silent, or shut."""
    kind, _, only = name.partition("/")
    return kind in ("stale", "venue") and only not in ("", symbol)


class Latches(Audit):
    """No entry while something latched forbids it; trading days that never go back."""

    proves = ("RSK-2", "KIL-1", "KIL-3", "R1", "R7")

    def __init__(self, book: Book, found: list[Violation], config: Config | None) -> None:
        """Take the configuration where it is known."""
        super().__init__(book, found)
        self._risk = config["risk"] if config else {}
        self._runs = 0
        self._killed_in = 0
        self._day = 0

    def on_runstarted(self, row: Row) -> None:
        """Count processes: a latch must outlive them."""
        self._runs += 1

    def _kill_holds(self, row: Row, what: str) -> None:
        name = "KIL-1" if self._runs == self._killed_in else "KIL-3"
        self.must(self.book.kill == "none", name, row, f"{what} while the kill switch is on")

    def on_decided(self, row: Row) -> None:
        """Check an entry that was let in."""
        if row["action"]["type"] != "enter":
            return
        day = max(self.book.civil(row["at_ns"]), self._day)
        self.must(row["day"] == day, "RSK-2", row, f"day {row['day']}, by the clock {day}")
        self._day = max(self._day, row["day"])
        if row["outcome"] != "ACCEPTED":
            return
        denied = [verdict[0] for verdict in row["verdicts"] if not verdict[1]]
        self.must(not denied, "R7", row, f"let in against {denied}")
        self._kill_holds(row, "let in")
        for name in ("r_stop", f"strategy_r_stop/{row['strategy']}"):
            latched = row["day"] <= self.book.latched.get(name, 0)
            self.must(not latched, "RSK-2", row, f"let in after {name} latched its day")
        for name, halt in self.book.halts.items():
            over = row["at_ns"] >= halt["until_ns"] or halt["day"]  # a day's latch is told above
            other = is_of_another(name, row["symbol"])
            self.must(bool(over) or other, "R7", row, f"let in while {name} halts entries")

    def on_intentrecorded(self, row: Row) -> None:
        """Check that an entry was decided, on the day that it says, and not after the kill."""
        intent = row["intent"]
        if intent["purpose"] != "entry":
            return
        decided = self.book.accepted.get(intent["intent_id"])
        if decided is None:
            if intent["intent_id"] not in self.book.orders:
                self.must(False, "R7", row, f"entry {intent['intent_id']} that no gate let in")
            self._kill_holds(row, "an entry")
            return
        same = intent["day"] == decided["day"]
        self.must(same, "RSK-2", row, f"day {intent['day']}, decided on {decided['day']}")

    def on_filled(self, row: Row) -> None:
        """Check that nothing was entered at an instant after the kill, or under a halt.

        What ended before is the venue's word against ours, and alarms (ORD-4).
        """
        order, at_ns = self.book.orders.get(row["intent_id"]), row["filled_ns"]
        if row["leg"] != "entry" or order is None or not order.is_open:
            return
        killed = self.book.kill != "none" and at_ns > self.book.killed_ns
        self.must(not killed, "KIL-1", row, "an entry filled after the kill switch")
        for name, halt in self.book.halts.items():
            own = name.startswith(("strategy_r_stop/", "strategy_win_lock/"))
            own = own or is_of_another(name, row["symbol"])
            met = not own and self.book.halted[name] < at_ns < halt["until_ns"]
            self.must(not met, "R1", row, f"an entry filled while {name} halts entries")

    def on_killchanged(self, row: Row) -> None:
        """Check that a person, by name, changed the switch."""
        if self.book.kill == "none":
            self._killed_in = self._runs
        before = self.book.last
        named = before["type"] == "CommandTaken" and before["name"] in _LEVELS[row["level"]]
        self.must(named, "KIL-3", row, f"the level became {row['level']} without a command")
        lower = self.book.kill == "flatten" and row["level"] == "halt"
        self.must(not lower, "KIL-3", row, "the level was lowered, not reset")

    def on_dayrolled(self, row: Row) -> None:
        """Check that days follow one another, and that a day past its R-stop latched."""
        book = self.book
        follows = row["day"] == book.day and row["next_day"] == row["day"] + 1
        text = f"from {row['day']} to {row['next_day']} while the day is {book.day}"
        self.must(follows, "RSK-2", row, text)
        self._day = max(self._day, row["next_day"])
        # With something open its R counts too; what closes at the roll or by an alarm is looked at
        # when the day is over.
        limit = self._risk.get("daily_r_stop", False)
        if limit is not False and book.flat_r.get(row["day"], 0.0) <= limit - _TIE:
            latched = book.latched.get("r_stop") == row["day"]
            self.must(latched, "RSK-2", row, "the day passed its R-stop and did not latch")


class Caps(Audit):
    """R3's caps, working orders and those of unknown outcome counted (RSK-1)."""

    proves = ("RSK-1",)

    def __init__(
        self, book: Book, found: list[Violation], config: Config, prices: Prices | None
    ) -> None:
        """Take the caps, and prices where bar files are known."""
        super().__init__(book, found)
        self._prices = prices
        self._caps: dict[str, Any] = config["risk"]["caps"]

    def on_intentrecorded(self, row: Row) -> None:
        """Check the room that an entry takes."""
        intent = row["intent"]
        if intent["purpose"] != "entry" or intent["intent_id"] in self.book.orders:
            return
        held = [key.rpartition("/")[0] for key in self.book.in_flight()]
        own, most = held.count(intent["symbol"]), self._caps["max_positions_per_symbol"]
        many = f"{len(held)} positions and orders before it"
        self.must(len(held) < self._caps["max_positions"], "RSK-1", row, many)
        self.must(own < most, "RSK-1", row, f"{own} in the symbol before it, cap {most}")
        if self._prices is not None:
            self._worth(row, self._prices)

    def _worth(self, row: Row, prices: Prices) -> None:
        """Check the value of the order, and of all that is open and in flight with it."""
        intent, now = row["intent"], row["at_ns"]
        value = prices.value(intent["symbol"], intent["lots"], intent["reference"], now)
        gross = [value]
        for name in self.book.open.values():
            trade = self.book.trades[name]
            symbol = trade.intent["symbol"]
            gross.append(prices.value(symbol, trade.lots, prices.last(symbol, now), now))
        for order in self.book.orders.values():
            other, left = order.intent, order.intent["lots"] - order.filled
            if order.is_open and other["purpose"] == "entry":
                gross.append(prices.value(other["symbol"], left, other["reference"], now))
        for name, worth in (("max_order_value", [value]), ("max_gross_exposure", gross)):
            known = [one for one in worth if one is not None]
            cap = float(self._caps[name]) * (1 + 1e-9)
            fits = len(known) == len(worth) and sum(known) <= cap
            self.must(fits, "RSK-1", row, f"{name} {worth}, cap {cap}")
