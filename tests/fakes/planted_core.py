"""Bugs of the core, planted one at a time by replacing one function, and the layer that names each.

``layer`` is ``machine`` (the stateful machine and the checker in it), ``ledger`` (the fold refuses
and the process stops) or ``replay`` (the checker over a run with its bars).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import msgspec
import pytest

import daemon.core.civil
from adapters.brokers.paper import Book
from daemon.core import late_fills, suspense
from daemon.core.desk import Desk
from daemon.core.effects import Batch, Protect
from daemon.core.market import Market
from daemon.core.supervisors.killswitch import KillSwitch
from daemon.core.supervisors.rstop import RStopWatch
from daemon.core.supervisors.window import WindowGate
from daemon.core.suspense import Fit
from daemon.core.valuation import Valuation
from state import ledger
from state.bars import Bar
from state.entries import Entry, Filled, OrderChanged, RunStarted
from state.executions import BrokerEvent, Execution, OrderNews, identity
from state.portfolio import Portfolio
from state.verdicts import Verdict

Patch = pytest.MonkeyPatch


@dataclass(frozen=True)
class Bug:
    """A bug: what is wrong, which layer names it by which invariant, and how it is planted."""

    what: str
    layer: str
    invariant: str
    plant: Callable[[Patch], None]


def _at_start(change: Callable[[Portfolio], None]) -> Callable[[Patch], None]:
    """Plant something that a process does to the portfolio when it starts."""

    def plant(patch: Patch) -> None:
        honest = ledger._FOLDS[RunStarted]

        def started(portfolio: Portfolio, entry: RunStarted) -> None:
            honest(portfolio, entry)
            change(portfolio)

        patch.setitem(ledger._FOLDS, RunStarted, started)

    return plant


def _still_counted(patch: Patch) -> None:
    honest = ledger._FOLDS[OrderChanged]

    def changed(portfolio: Portfolio, entry: OrderChanged) -> None:
        counted = portfolio.counted
        honest(portfolio, entry)
        portfolio.counted = counted

    patch.setitem(ledger._FOLDS, OrderChanged, changed)


def _day_of_the_clock(patch: Patch) -> None:
    patch.setattr(Desk, "day", lambda self, now_ns: self.clock.day(now_ns))


def _never_latched(patch: Patch) -> None:
    patch.setattr(RStopWatch, "look", lambda self, marks: ())


def _gate_open(gate: type, code: str) -> Callable[[Patch], None]:
    def plant(patch: Patch) -> None:
        patch.setattr(gate, "ask", lambda self, question: Verdict(self.name, True, code, "", ""))

    return plant


def _silence_is_a_refusal(patch: Patch) -> None:
    honest = suspense.news

    def news(portfolio: Portfolio, one: OrderNews, now_ns: int) -> list[Entry]:
        if one.event == "LOSE" and not portfolio.orders[one.intent_id].filled:
            one = OrderNews(one.intent_id, "REJECT", "TIMEOUT")
        return honest(portfolio, one, now_ns)

    patch.setattr(suspense, "news", news)


def _silent_late_fill(patch: Patch) -> None:
    patch.setattr(late_fills, "alarm", lambda portfolio, execution, now_ns: None)


def _positions_only(patch: Patch) -> None:
    patch.setattr(Valuation, "_add", lambda self, standing, intent, filled: None)


def _unprotected(patch: Patch) -> None:
    honest = Desk._on_entry

    def on_entry(self: Desk, execution: Execution, now_ns: int) -> Batch:
        batch = honest(self, execution, now_ns)
        batch.effects = [one for one in batch.effects if not isinstance(one, Protect)]
        return batch

    patch.setattr(Desk, "_on_entry", on_entry)


def _money(**wrong: Decimal) -> Callable[[Patch], None]:
    def plant(patch: Patch) -> None:
        honest = Desk._money

        def filled(self: Desk, *given: Any) -> Filled:  # noqa: ANN401 - as it was called
            return msgspec.structs.replace(honest(self, *given), **wrong)

        patch.setattr(Desk, "_money", filled)

    return plant


def _any_execution(patch: Patch) -> None:
    honest = suspense.fit

    def fit(portfolio: Portfolio, market: Market, execution: Execution, now_ns: int) -> Fit:
        known = identity(execution) in portfolio.executions
        is_open = execution.intent_id in portfolio.orders and execution.leg == "entry"
        if known and is_open:
            return Fit(execution, None)
        return honest(portfolio, market, execution, now_ns)

    patch.setattr(suspense, "fit", fit)


def _known_for_another(patch: Patch) -> None:
    patch.setattr(suspense, "_is_known", lambda portfolio, name, said: False)


def _vanishing(patch: Patch) -> None:
    honest = suspense.fit

    def fit(portfolio: Portfolio, market: Market, execution: Execution, now_ns: int) -> Fit:
        return Fit(honest(portfolio, market, execution, now_ns).booked, None)

    patch.setattr(suspense, "fit", fit)


def _told_twice(patch: Patch) -> None:
    honest = Book.on_bar

    def on_bar(self: Book, bar: Bar, slippage: float) -> Iterator[BrokerEvent]:
        for event in honest(self, bar, slippage):
            yield event
            if isinstance(event, Execution):
                yield msgspec.structs.replace(event, execution_id=f"{event.execution_id}-again")

    patch.setattr(Book, "on_bar", on_bar)


def _stops_without_slippage(patch: Patch) -> None:
    honest = Book._guard_exit

    def guard_exit(self: Book, slot: Any, guard: Any, bar: Bar, leg: str, price: float,  # noqa: ANN401
                   _: float) -> Execution:  # fmt: skip
        return honest(self, slot, guard, bar, leg, price, 0.0)

    patch.setattr(Book, "_guard_exit", guard_exit)


def _stops_at_their_level(patch: Patch) -> None:
    honest = Book._guarded

    def guarded(self: Book, slot: Any, guard: Any, bar: Bar, slippage: float) -> Execution | None:  # noqa: ANN401
        slot.entered_ns = bar.open_ns  # as if no bar could open beyond a level
        return honest(self, slot, guard, bar, slippage)

    patch.setattr(Book, "_guarded", guarded)


def _naive_zone(patch: Patch) -> None:
    honest = daemon.core.civil._piece

    def piece(zone: str, ns: int) -> tuple[int, int, int]:
        start_ns, end_ns, _ = honest(zone, ns)
        return start_ns, end_ns, 0

    patch.setattr(daemon.core.civil, "_piece", piece)


BUGS = (
    Bug("pacing refilled by a restart", "machine", "RSK-3",
        _at_start(lambda portfolio: portfolio.counted.clear())),
    Bug("the kill switch forgotten by a restart", "machine", "KIL-3",
        _at_start(lambda portfolio: setattr(portfolio, "kill", "none"))),
    Bug("an R-stop in memory only", "machine", "RSK-2", _never_latched),
    Bug("a trading day that a clock brings back", "machine", "RSK-2", _day_of_the_clock),
    Bug("a cancelled entry still counted", "machine", "RSK-3", _still_counted),
    Bug("silence taken for a refusal", "machine", "ORD-3", _silence_is_a_refusal),
    Bug("a late fill without an alarm", "machine", "ORD-4", _silent_late_fill),
    Bug("caps that overlook working orders", "machine", "RSK-1", _positions_only),
    Bug("a kill switch that lets in", "machine", "KIL-[13]", _gate_open(KillSwitch, "KILL_CLEAR")),
    Bug("windows that are always open", "machine", "SES-1", _gate_open(WindowGate, "WINDOW_OPEN")),
    Bug("a stop in the books, none at the broker", "machine", "SLT-1", _unprotected),
    Bug("fees forgotten", "machine", "CASH-1", _money(fee=Decimal(0))),
    Bug("an execution taken twice", "ledger", "recorded twice", _any_execution),
    Bug("an execution told again for another", "machine", "FIL-1", _known_for_another),
    Bug("a fill told again under a new id", "machine", "S4", _told_twice),
    Bug("a fill that nobody books vanishes", "machine", "S4", _vanishing),
    Bug("stops without slippage", "replay", "E5", _stops_without_slippage),
    Bug("stops at their level through a gap", "replay", "SLT-3", _stops_at_their_level),
    Bug("a zone read as UTC", "replay", "SES-1", _naive_zone),
)  # fmt: skip
"""Every bug; ``invariant`` is a pattern, for the ledger of what its refusal says."""
