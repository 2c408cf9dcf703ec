"""Orders and executions: ORD-1 to ORD-4, FIL-1, FIL-2, and DET-1 where an id says what it is of."""

from __future__ import annotations

import hashlib

from tests.history.audit import Audit
from tests.history.book import ENDED, NEXT, engine, identity
from tests.history.journal import Row

LATE_FILL = "LATE_FILL"
BROKER_DIFFERS = "BROKER_DIFFERS"
_ALONE = ("RunStarted", "RunEnded")


class Orders(Audit):
    """Each order once, in the order of its life; each execution once, none too large."""

    proves = ("ORD-1", "ORD-2", "ORD-3", "ORD-4", "FIL-1", "FIL-2", "DET-1", "S4")
    _late: Row | None = None
    _suspended: Row | None = None

    def look(self, row: Row) -> None:
        """Judge an entry, and whether what was late or suspended before it alarmed."""
        if self._suspended is not None:
            alarmed = row["type"] == "HaltSet" and row["code"] == BROKER_DIFFERS
            self.must(alarmed, "S4", self._suspended, "a suspended fill without an alarm")
        self._suspended = row if row["type"] == "FillSuspended" else None
        if self._late is not None and row["type"] not in ("PlanSet", *_ALONE):
            alarmed = row["type"] == "HaltSet" and row["code"] == LATE_FILL
            self.must(alarmed, "ORD-4", self._late, "a late fill without an alarm")
            self._late = None
        super().look(row)

    def on_intentrecorded(self, row: Row) -> None:
        """Check that an intent is new, well named, and no second try of one in doubt."""
        intent = row["intent"]
        name = intent["intent_id"]
        self.must(name not in self.book.orders, "ORD-1", row, f"intent {name} a second time")
        plain = name.isascii() and name.isalnum() and len(name) <= 20
        self.must(plain, "ORD-1", row, f"{name!r} is no client order id")
        self.must(intent["lots"] > 0, "FIL-2", row, f"an order of {intent['lots']} lots")
        entry = intent["purpose"] == "entry"
        made_of = "entry" if entry else intent["reason"]
        if name not in self.book.orders:
            same = name == self._name(intent, made_of)
            self.must(same, "DET-1", row, f"{name} is not the id of its content")
        lost = [
            other.intent["intent_id"]
            for other in self.book.orders.values()
            if other.state == "UNKNOWN"
            and engine(other.intent) == engine(intent)
            and other.intent["purpose"] == intent["purpose"]
        ]
        self.must(not lost, "ORD-3", row, f"sent again while {lost} is of unknown outcome")

    def _name(self, intent: Row, made_of: str) -> str:
        """Work out an id: another exit of a trade counts those before it that came to nothing."""
        failed = sum(
            other.intent["purpose"] == intent["purpose"] == "exit"
            and other.intent["trade_id"] == intent["trade_id"]
            and other.state in ("CANCELLED", "REJECTED")
            for other in self.book.orders.values()
        )
        parts = (self.book.portfolio_id, engine(intent), made_of, intent["decided_ns"], failed)
        content = "\0".join(map(str, parts)).encode()
        return "f" + hashlib.blake2b(content, digest_size=9).hexdigest()

    def on_orderchanged(self, row: Row) -> None:
        """Check news against the table of what may happen."""
        name, event = row["intent_id"], row["event"]
        order = self.book.orders.get(name)
        if order is None:
            self.must(False, "ORD-2", row, f"{event} of order {name}, which no intent made")
            return
        if order.state == "UNKNOWN":
            evidence = event == "ACCEPT" or (event in ("CANCEL", "REJECT") and row["code"] != "")
            self.must(evidence, "ORD-3", row, f"{event} without evidence ends UNKNOWN of {name}")
            return
        since = order.news[order.news.index("LOSE") :] if "LOSE" in order.news else order.news
        if event == "SUBMIT" and "SUBMIT" in order.news:
            self.must(False, "ORD-1", row, f"order {name} submitted twice")
        elif event == "ACCEPT" and "ACCEPT" in since:
            self.must(False, "ORD-1", row, f"order {name} accepted twice")
        else:
            legal = event in NEXT.get(order.state, {})
            self.must(legal, "ORD-4", row, f"{event} of order {name}, which is {order.state}")

    def on_filled(self, row: Row) -> None:
        """Check that an execution is new and belongs to an order that could fill."""
        known = identity(row) in self.book.executions
        self.must(not known, "FIL-1", row, f"execution {row['execution_id']} a second time")
        if known:
            return
        self.must(row["lots"] > 0, "FIL-2", row, f"{row['lots']} lots")
        order, trade = self.book.orders.get(row["intent_id"]), self.book.trade_of(row)
        if row["leg"] in ("stop", "target"):
            self.must(trade is not None, "ORD-2", row, f"of {row['trade_id']}, never entered")
            return
        if order is None:
            self.must(False, "ORD-2", row, f"fill of {row['intent_id']}, which no intent made")
            return
        self.must(row["leg"] == order.intent["purpose"], "FIL-1", row, "of another kind of order")
        if row["leg"] == "entry":
            same = row["side"] == order.intent["side"]
            self.must(same, "FIL-1", row, "an entry to the other side")
            held = self.book.open.get(engine(row))
            self.must(held in (None, row["trade_id"]), "FIL-1", row, f"while {held} is open")
        filled, lots = order.filled + row["lots"], order.intent["lots"]
        self.must(filled <= lots, "FIL-2", row, f"{filled} filled of {lots} ordered")
        again = row["leg"] == "entry" and trade is not None and trade.exits and not trade.lots
        self.must(not again, "FIL-1", row, f"trade {row['trade_id']} has closed, and opens again")
        if order.state in ENDED and filled <= lots:
            self._late = row

    def on_dayrolled(self, row: Row) -> None:
        """Check the count of open positions against the sum of fills."""
        held = len(self.book.open)
        same = row["open_positions"] == held
        self.must(same, "FIL-1", row, f"{row['open_positions']} open, by the fills {held}")
