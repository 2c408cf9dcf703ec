"""The daily R-stop: gate and watch (R1, RSK-2)."""

from __future__ import annotations

import math

import pytest

from daemon.core.supervisors.rstop import RStop, RStopWatch
from state.entries import HaltSet
from tests.gate_builders import DAY, halt, marks, portfolio, question


@pytest.mark.parametrize(
    ("realised", "open_r", "counts_open", "allowed"),
    [
        (-4.9, 0.0, True, True),
        (-5.0, 0.0, True, False),
        (-4.0, -1.0, True, False),  # -4.0 + -1.0 = -5.0
        (-4.0, -1.0, False, True),
        (-6.0, 2.0, True, True),
        (-6.0, 2.0, False, False),
        (math.nan, 0.0, True, False),  # a guard that cannot answer denies
    ],
)
def test_gate_and_watch_agree_on_when_the_stop_is_reached(
    realised: float, open_r: float, counts_open: bool, allowed: bool
) -> None:
    """R1: realised R + open R (by switch) <= limit."""
    gate = RStop(-5.0, open_r=counts_open, worst_case=False)
    watch = RStopWatch(-5.0, open_r=counts_open)
    book = portfolio()
    verdict = gate.ask(question(book, realised_r=realised, open_r=open_r))
    assert (verdict.allowed, verdict.code) == (
        allowed,
        "R_WITHIN" if allowed else "R_STOP_REACHED",
    )
    assert len(watch.look(marks(book, realised_r=realised, open_r=open_r))) == (not allowed)


def test_fifty_losses_of_a_tenth_are_five() -> None:
    """Binary floats never decide: 50 x -0.1 sums to -4.999999999999998."""
    total = sum([-0.1] * 50)
    assert total > -5.0
    assert not RStop(-5.0, open_r=True, worst_case=False).ask(question(realised_r=total)).allowed


@pytest.mark.parametrize(
    ("worst_case", "realised", "worst", "this", "allowed"),
    [
        (True, -3.0, -1.0, -1.0, True),  # -5.0 is not below -5.0
        (True, -3.0, -1.0, -1.05, False),  # -5.05 is
        (False, -3.0, -1.0, -1.05, True),
        (True, 0.0, 0.0, math.nan, False),
    ],
)
def test_worst_case_counts_every_stop(
    worst_case: bool, realised: float, worst: float, this: float, allowed: bool
) -> None:
    """R1: deny when realised + worst of positions and orders + worst of this trade < limit."""
    gate = RStop(-5.0, open_r=True, worst_case=worst_case)
    verdict = gate.ask(question(realised_r=realised, worst_r=worst, this_worst_r=this))
    assert (verdict.allowed, verdict.code) == (
        allowed,
        "R_WITHIN" if allowed else "R_STOP_WORST_CASE",
    )


def test_worst_case_shows_the_sum() -> None:
    """R7: the three parts and the limit."""
    gate = RStop(-5.0, open_r=True, worst_case=True)
    verdict = gate.ask(question(realised_r=-3.0, worst_r=-1.0, this_worst_r=-1.05))
    assert verdict.observed == "-3.000 R realised, -1.000 R at risk, -1.050 R this trade"
    assert verdict.limit == "-5.000 R"


@pytest.mark.parametrize(
    ("day", "allowed"), [(DAY, False), (DAY + 1, False), (DAY - 1, True), (0, False)]
)
@pytest.mark.parametrize("limit", [-5.0, None])
def test_latch_denies_for_its_day_even_after_recovery(
    limit: float | None, day: int, allowed: bool
) -> None:
    """RSK-2: once journalled, no further risk that day, not even with the stop switched off."""
    book = portfolio(halts={"r_stop": halt("r_stop", day=day, code="R_STOP_REACHED")})
    gate = RStop(limit, open_r=True, worst_case=False)
    verdict = gate.ask(question(book, realised_r=2.0))
    assert verdict.allowed is allowed
    if not allowed:
        assert (verdict.code, verdict.observed) == ("R_STOP_REACHED", "seen (latched)")


def test_switched_off_allows_any_loss() -> None:
    """R1 can be switched off; the gate still answers with what it saw."""
    verdict = RStop(None, open_r=True, worst_case=True).ask(question(realised_r=-50.0))
    assert (verdict.code, verdict.observed, verdict.limit) == ("R_WITHIN", "-50.000 R", "off")
    assert not RStopWatch(None, open_r=True).look(marks(portfolio(), realised_r=-50.0))


def test_watch_latches_once_per_day() -> None:
    """R1: one HaltSet, for the trading day at T; the next day it may be set again."""
    watch, book = RStopWatch(-5.0, open_r=True), portfolio()
    (latched,) = watch.look(marks(book, realised_r=-4.5, open_r=-0.75))
    assert isinstance(latched, HaltSet)
    assert (latched.name, latched.code, latched.day) == ("r_stop", "R_STOP_REACHED", DAY)
    assert (latched.observed, latched.limit) == ("-5.250 R", "-5.000 R")
    book.halts["r_stop"] = latched
    assert not watch.look(marks(book, realised_r=-6.0))
    assert watch.look(marks(book, day=DAY + 1, realised_r=-6.0))


def test_quiet_looks_share_one_empty_answer() -> None:
    """The hot path allocates nothing."""
    watch, book = RStopWatch(-5.0, open_r=True), portfolio()
    assert watch.look(marks(book)) is watch.look(marks(book))
