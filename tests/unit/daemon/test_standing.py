"""What gates look at is kept up from wish to wish, and equals what a look at everything gives."""

from __future__ import annotations

import random  # noqa: TID251 - seeded here

import msgspec
import pytest

from daemon.core.desk import Desk
from daemon.core.supervision import Question
from daemon.core.supervisors.strategy_day import StrategyDay
from daemon.core.valuation import Valuation
from state.bars import Bar
from state.signals import Action, CancelEntry, Exit, Signal
from state.units import DAY_NS, HOUR_NS
from state.verdicts import Verdict
from tests.builders import bar, eurusd
from tests.stepping import M5, Scene, Scripts

EIGHT = 17_168 * DAY_NS + 20 * HOUR_NS
NAMES = ("AUDUSD", "EURUSD", "GBPUSD", "NZDUSD")


class Auditor:
    """A gate that allows everything and holds each question against a fresh look."""

    name = "auditor"

    def __init__(self) -> None:
        """Begin without a desk, which is made after its gates."""
        self.desk: Desk | None = None
        self.day = StrategyDay(None, None, None)
        self.kept = 0
        self.seen = 0
        self.wrong: set[str] = set()

    def ask(self, question: Question) -> Verdict:
        """Compare, bit for bit; the stepper would take an error of a gate for the strategy's."""
        assert self.desk is not None
        desk, portfolio = self.desk, question.portfolio
        intervals = {key: one.interval_ns for key, one in desk.engines.items()}
        fresh = Valuation(portfolio, desk.market, desk.costs, intervals, worst_case=True)
        here, anew = desk.valuation.standing(question.now_ns), fresh.standing(question.now_ns)
        for field in ("gross", "count", "by_symbol", "open_r", "worst_r"):
            if getattr(here, field) != getattr(anew, field):
                self.wrong.add(field)
        if question.positions != anew.count or question.worst_r != anew.worst_r:
            self.wrong.add("question")
        counted = [one for one in portfolio.counted if one.day == question.day]
        trades = sum(one.strategy == question.strategy for one in counted)
        if not self.day.ask(question).observed.startswith(f"{trades} trades"):
            self.wrong.add("trades")
        self.seen += 1
        self.kept += len(portfolio.orders) > 1
        return Verdict(self.name, True, "SEEN", "", "")


def script(rng: random.Random) -> dict[int, Action]:
    """Wish something on most bars: market and resting entries, exits, withdrawals."""
    found: dict[int, Action] = {}
    for number in range(60):
        kind = rng.randrange(6)
        if kind < 2:
            found[number] = Signal(1, stop_distance=0.002, target_r=1.5)
        elif kind == 2:
            found[number] = Signal(-1, trigger=1.099, stop=1.102, target_r=1.0)
        elif kind == 3:
            found[number] = Exit("enough")
        elif kind == 4:
            found[number] = CancelEntry()
    return found


def walk(rng: random.Random) -> list[Bar]:
    """Make bars around 1.1, over midnight."""
    found, price = [], 1.1
    for number in range(60):
        close = round(price + rng.uniform(-0.001, 0.001), 5)
        high, low = max(price, close) + 0.0004, min(price, close) - 0.0004
        found.append(bar(EIGHT + number * M5, price, round(high, 5), round(low, 5), close))
        price = close
    return found


def audited(seed: int) -> Auditor:
    """Run eight engines on four symbols."""
    rng = random.Random(seed)
    auditor = Auditor()
    scripts = [Scripts(name, which, script(rng)) for name in NAMES for which in ("one", "two")]
    scene = Scene(
        [msgspec.structs.replace(eurusd(), symbol=name) for name in NAMES],
        scripts,
        gates=[auditor],
        worst_case=True,
    )
    auditor.desk = scene.desk
    scene.run({name: walk(rng) for name in NAMES})
    assert not scene.portfolio.quarantined
    return auditor


@pytest.mark.parametrize("seed", range(5))
def test_what_is_kept_up_equals_a_fresh_look(seed: int) -> None:
    """R1, R3: over fills, partial instants, exits, cancels and a day's end."""
    auditor = audited(seed)
    assert auditor.wrong == set()
    assert auditor.seen > 100 and auditor.kept > 20


def test_an_order_that_was_forgotten_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: where an accepted order is not added, the comparison fails."""
    decided = Valuation.decided
    monkeypatch.setattr(
        Valuation, "decided", lambda self, intent, entries: decided(self, None, entries)
    )
    assert audited(0).wrong >= {"gross", "count", "worst_r"}
