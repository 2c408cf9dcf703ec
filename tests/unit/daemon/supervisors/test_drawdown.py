"""The drawdown lock: gate and watch (R4)."""

from __future__ import annotations

import json
import math
from decimal import Decimal

import pytest

from daemon.core.supervisors.drawdown import DrawdownLock, DrawdownWatch
from state.entries import Entry, HaltCleared, HaltSet
from state.portfolio import Portfolio
from state.units import MINUTE_NS, NEVER_NS
from tests.gate_builders import NOW_NS, halt, marks, portfolio, question


class Book:
    """A portfolio and its watch; ``see`` looks at an equity and applies what follows."""

    def __init__(self, *, auto: bool = True, fraction: float | None = 0.05) -> None:
        """Start flat with 100,000 USD and a cool-off of 120 minutes."""
        self.portfolio: Portfolio = portfolio()
        self.watch = DrawdownWatch(fraction, 120, auto_rearm=auto)

    def see(self, equity: float, minute: int = 0) -> list[Entry]:
        """Look ``minute`` minutes after the start."""
        at = marks(self.portfolio, equity=equity, now_ns=NOW_NS + minute * MINUTE_NS)
        found = list(self.watch.look(at))
        for entry in found:
            if isinstance(entry, HaltSet):
                self.portfolio.halts[entry.name] = entry
            elif isinstance(entry, HaltCleared):
                del self.portfolio.halts[entry.name]
        return found

    def move(self, amount: int) -> None:
        """Deposit or withdraw."""
        self.portfolio.deposits += Decimal(amount)
        self.portfolio.cash += Decimal(amount)

    def mark(self, equity: float) -> float:
        """Return the mark at an equity, as it would be journalled."""
        return self.watch.mark_at(marks(self.portfolio, equity=equity))


def test_locks_at_the_depth_below_the_trailing_mark() -> None:
    """R4: mark 100,000, then 110,000; 5 % below that is 104,500."""
    book = Book()
    assert not book.see(95_000.01)
    assert not book.see(110_000.0)
    assert not book.see(104_500.01)
    (lock,) = book.see(104_500.0, minute=1)
    assert isinstance(lock, HaltSet)
    assert (lock.name, lock.code) == ("drawdown", "DRAWDOWN_LOCK")
    assert lock.until_ns == NOW_NS + 121 * MINUTE_NS
    assert (lock.observed, lock.limit) == ("5.000 % below 110000.00", "5 %")
    assert not book.see(90_000.0, minute=2), "locked already"


def test_rearms_with_the_equity_of_the_moment_the_cool_off_ends() -> None:
    """R4: after 120 min the equity of that moment, 94,000, is the new mark: next lock 89,300."""
    book = Book()
    book.see(95_000.0)
    assert not book.see(96_000.0, minute=119)
    (cleared,) = book.see(94_000.0, minute=120)
    assert isinstance(cleared, HaltCleared)
    assert cleared.name == "drawdown"
    assert book.mark(94_000.0) == 94_000.0
    assert not book.see(89_300.01, minute=121)
    assert len(book.see(89_300.0, minute=122)) == 1


def test_manual_lock_holds_until_cleared_by_name() -> None:
    """R4: with rearm = manual no time ends it; the clearing makes that equity the mark."""
    book = Book(auto=False)
    (lock,) = book.see(95_000.0)
    assert isinstance(lock, HaltSet)
    assert lock.until_ns == NEVER_NS
    assert not book.see(95_000.0, minute=100_000)
    del book.portfolio.halts["drawdown"]
    assert not book.see(93_000.0, minute=100_001)
    assert book.mark(93_000.0) == 93_000.0


@pytest.mark.parametrize("amount", [50_000, -50_000])
def test_money_that_moves_neither_locks_nor_hides(amount: int) -> None:
    """R4: 4 % down stays 4 % down after a deposit or withdrawal; 5 % locks as it would have.

    Withdrawing 50,000 of 96,000 leaves 46,000 under a mark of 100,000 x 46/96 = 47,916.67; a mark
    of 50,000 would call it 8 % and lock. The floor is 45,520.83.
    """
    book = Book()
    assert not book.see(96_000.0)
    book.move(amount)
    after = 96_000.0 + amount
    assert not book.see(after)
    assert book.mark(after) == pytest.approx(100_000 * after / 96_000)
    assert not book.see(after * 95.001 / 96)
    assert len(book.see(after * 95 / 96)) == 1


def test_deposit_into_an_empty_account_starts_from_it() -> None:
    """R4: nothing was left to scale, so the mark moves by the amount."""
    book = Book()
    assert len(book.see(0.0)) == 1
    book.move(1_000)
    assert not book.see(1_000.0, minute=1)
    assert isinstance(book.see(1_000.0, minute=120)[0], HaltCleared)
    assert book.mark(1_000.0) == 1_000.0


def test_mark_without_a_look_takes_deposits_and_marks_in() -> None:
    """A mark may be journalled at an instant without a position: it is never behind the money."""
    book = Book()
    book.move(10_000)
    # A fresh watch starts from the portfolio's mark, which the ledger moved with the deposit.
    book.portfolio.high_water = Decimal(110_000)
    assert book.mark(110_000.0) == 110_000.0
    book.move(-11_000)
    assert book.mark(99_000.0) == pytest.approx(99_000.0)
    assert book.mark(120_000.0) == 120_000.0


def test_state_survives_a_restart() -> None:
    """A restart changes no decision: the mark lives in the state, through JSON."""
    book = Book()
    book.see(123_456.789)
    fresh = DrawdownWatch(0.05, 120, auto_rearm=True)
    fresh.restore(json.loads(json.dumps(book.watch.state())))
    assert fresh.state() == book.watch.state()
    low = 123_456.789 * 0.95
    assert len(fresh.look(marks(book.portfolio, equity=low))) == 1


def test_fresh_watch_keeps_a_lock_of_the_journal() -> None:
    """A lock outlives the process that set it, and its clearing by name re-arms."""
    book = Book()
    book.portfolio.halts["drawdown"] = halt("drawdown", until_ns=NOW_NS + MINUTE_NS)
    assert not book.see(90_000.0)
    assert isinstance(book.see(91_000.0, minute=1)[0], HaltCleared)
    assert book.mark(91_000.0) == 91_000.0


def test_equity_that_is_no_number_locks_and_does_not_rearm() -> None:
    """A guard that cannot answer denies."""
    book = Book()
    assert len(book.see(math.nan)) == 1
    assert isinstance(book.see(math.nan, minute=120)[0], HaltCleared)
    assert len(book.see(math.nan, minute=121)) == 1
    assert book.mark(100_000.0) == 100_000.0


def test_switched_off_trails_but_never_locks() -> None:
    """R4 can be off; the mark is still shown."""
    book = Book(fraction=None)
    assert not book.see(110_000.0)
    assert not book.see(1.0)
    assert book.mark(1.0) == 110_000.0


@pytest.mark.parametrize(
    ("until_ns", "allowed", "left"),
    [
        (NOW_NS + 1, False, "seen, 1 s left"),
        (NOW_NS, True, "not locked"),
        (NEVER_NS, False, "seen, until cleared by name"),
    ],
)
def test_gate_denies_until_the_end(until_ns: int, allowed: bool, left: str) -> None:
    """R4: a lock that ends at T allows at T; the gate needs no watch to know."""
    book = portfolio(halts={"drawdown": halt("drawdown", until_ns=until_ns)})
    verdict = DrawdownLock(0.05).ask(question(book))
    assert (verdict.allowed, verdict.observed) == (allowed, left)
    assert verdict.code == ("DRAWDOWN_WITHIN" if allowed else "DRAWDOWN_LOCK")
    assert DrawdownLock(None).ask(question(book)).allowed is allowed


def test_the_mark_in_force_is_the_one_that_is_recorded() -> None:
    """Eight places, like every amount: what is derived from the journal locks at the same price."""
    book = Book()
    book.see(110_000.123456784)
    assert book.watch.state()["mark"] == 110_000.12345678
    assert book.mark(110_000.123456784) == 110_000.12345678
    derived = DrawdownWatch(0.05, 120, auto_rearm=True)
    book.portfolio.high_water = Decimal("110000.12345678")
    derived.derive(book.portfolio, has_looked=True)
    assert derived.state() == book.watch.state()


def test_a_watch_that_never_looked_is_derived_as_one() -> None:
    """Control: it takes the portfolio's own mark when it looks first, and no sooner."""
    derived = DrawdownWatch(0.05, 120, auto_rearm=True)
    derived.derive(Book().portfolio, has_looked=False)
    assert derived.state() == DrawdownWatch(0.05, 120, auto_rearm=True).state()
