"""Cooldowns (P1, P3): the loss streak and the symbol's cooldown."""

from __future__ import annotations

import pytest

from daemon.core.supervisors.cooldowns import SymbolCooldownGate
from daemon.core.supervisors.loss_streak import LossStreakGate
from state.units import HOUR_NS, MINUTE_NS, SECOND_NS
from tests.gate_builders import NOW_NS, closed, portfolio, question


def _ago(minutes: float) -> int:
    return NOW_NS - round(minutes * MINUTE_NS)


def _symbols(*, adaptive: bool = False) -> SymbolCooldownGate:
    return SymbolCooldownGate(10, 60, 120, adaptive=adaptive)


@pytest.mark.parametrize(
    ("outcome", "minutes"), [("win", 10), ("loss", 60), ("stop", 120), ("unheard of", 120)]
)
def test_cooldown_follows_the_outcome(outcome: str, minutes: int) -> None:
    """P3: win 10 min, loss 60, losing stop 120 only; over at exactly its end."""
    book = portfolio(exits=[closed(_ago(0), outcome)])
    end_ns = NOW_NS + minutes * MINUTE_NS
    gate = _symbols()
    assert gate.ask(question(book, now_ns=end_ns - 1)).code == "SYMBOL_COOLDOWN"
    assert gate.ask(question(book, now_ns=end_ns)).code == "NO_COOLDOWN"
    assert gate.ask(question(book, symbol="GBPUSD")).code == "NO_COOLDOWN"


def test_cooldown_is_never_shortened() -> None:
    """Pacing: a win (10 min) 30 min after a losing stop (120 min) leaves 90 min, not 10."""
    book = portfolio(exits=[closed(_ago(30), "stop"), closed(_ago(0), "win")])
    verdict = _symbols().ask(question(book))
    assert verdict.code == "SYMBOL_COOLDOWN"
    assert verdict.observed.startswith("1 h 30 min 0 s left, stop at 2024-01-10T08:30:00Z")
    (running,) = _symbols().running(book, NOW_NS)
    assert (running.name, running.kind) == ("EURUSD", "stop")
    assert (running.until_ns, running.left_s) == (_ago(30) + 120 * MINUTE_NS, 5400.0)


def test_a_stamp_that_lags_hides_nothing() -> None:
    """Exits stand in journal order: a market exit stamped at the open of its bar comes late."""
    late = closed(_ago(49 * 60), symbol="GBPUSD")
    book = portfolio(exits=[closed(_ago(100), "stop", run=3), closed(_ago(30), run=3), late])
    assert not _symbols().ask(question(book)).allowed
    assert not LossStreakGate(3, 60).ask(question(book)).allowed


def test_answers_follow_the_portfolio_that_is_asked_about() -> None:
    """What was computed for one portfolio is never the answer about another."""
    gate, streak, last = _symbols(), LossStreakGate(3, 60), closed(_ago(90), "win", symbol="X")
    calm = portfolio(exits=[closed(_ago(130), symbol="Y"), last])
    hurt = portfolio(exits=[closed(_ago(30), "stop", run=3), last])
    for _ in range(2):
        assert gate.ask(question(calm)).allowed
        assert streak.ask(question(calm)).allowed
        assert not gate.ask(question(hurt)).allowed
        assert not streak.ask(question(hurt)).allowed
    hurt.cleared["EURUSD"] = hurt.cleared["loss_streak"] = NOW_NS
    assert gate.ask(question(hurt)).allowed
    assert streak.ask(question(hurt)).allowed


@pytest.mark.parametrize(("factor", "minutes"), [(2.0, 240), (0.5, 60), (1.2, 144)])
def test_adaptive_scales_by_the_factor_of_the_exit(factor: float, minutes: int) -> None:
    """P3: 120 min x the factor that the ledger fixed; without the option it is ignored."""
    book = portfolio(exits=[closed(NOW_NS, "stop", factor=factor)])
    (scaled,) = _symbols(adaptive=True).running(book, NOW_NS)
    assert scaled.until_ns == NOW_NS + minutes * MINUTE_NS
    (plain,) = _symbols().running(book, NOW_NS)
    assert plain.until_ns == NOW_NS + 120 * MINUTE_NS


@pytest.mark.parametrize(
    ("cleared_ns", "allowed"), [(_ago(5), True), (_ago(5) - 1, False), (NOW_NS, True)]
)
def test_cleared_by_name_until_the_next_exit(cleared_ns: int, allowed: bool) -> None:
    """P3: clearing a symbol ends the cooldowns of exits up to then, of this symbol only."""
    exits = [closed(_ago(5)), closed(_ago(5), symbol="GBPUSD")]
    book = portfolio(exits=exits, cleared={"EURUSD": cleared_ns})
    assert _symbols().ask(question(book)).allowed is allowed
    assert not _symbols().ask(question(book, symbol="GBPUSD")).allowed
    book.exits.append(closed(NOW_NS + 1))
    assert not _symbols().ask(question(book, now_ns=NOW_NS + 1)).allowed


def test_zero_switches_a_cooldown_off() -> None:
    """P2: no cooldown after a win of 0 minutes, others stay."""
    gate = SymbolCooldownGate(0, 60, 120, adaptive=False)
    assert gate.ask(question(portfolio(exits=[closed(NOW_NS, "win")]))).allowed
    assert not gate.ask(question(portfolio(exits=[closed(NOW_NS, "loss")]))).allowed


@pytest.mark.parametrize(("run", "allowed"), [(2, True), (3, False), (4, False)])
def test_streak_starts_at_n_losses(run: int, allowed: bool) -> None:
    """P1: the third loss in a row, of any symbol, starts 60 min for all."""
    gate = LossStreakGate(3, 60)
    book = portfolio(exits=[closed(_ago(59), symbol="GBPUSD", run=run)])
    verdict = gate.ask(question(book))
    assert verdict.allowed is allowed
    assert verdict.code == ("NO_STREAK" if allowed else "LOSS_STREAK")
    assert gate.ask(question(book, now_ns=NOW_NS + MINUTE_NS)).allowed


def test_every_further_loss_starts_the_streak_again_and_a_win_does_not_end_it() -> None:
    """Pacing: each losing exit with run >= n counts from itself; a win ends the run only."""
    exits = [closed(_ago(90), run=3), closed(_ago(40), run=4), closed(_ago(10), "win")]
    book = portfolio(exits=exits)
    (running,) = LossStreakGate(3, 60).running(book, NOW_NS)
    assert (running.name, running.kind) == ("loss_streak", "streak")
    assert running.until_ns == _ago(40) + HOUR_NS
    assert running.left_s == 1200.0
    assert LossStreakGate(3, 60).ask(question(book)).observed == "20 min 0 s left"


def test_streak_is_cleared_by_name() -> None:
    """P3: ``loss_streak`` is its name; a loss after the clearing starts it again."""
    book = portfolio(exits=[closed(_ago(10), run=3)], cleared={"loss_streak": _ago(10)})
    assert LossStreakGate(3, 60).ask(question(book)).allowed
    book.exits.append(closed(_ago(1), run=4))
    assert not LossStreakGate(3, 60).ask(question(book)).allowed


def test_streak_of_zero_minutes_is_off() -> None:
    """P2: zero switches a cooldown off."""
    assert LossStreakGate(1, 0).ask(question(portfolio(exits=[closed(NOW_NS, run=9)]))).allowed


def test_time_left_is_rounded_up() -> None:
    """A cooldown that runs never says that 0 s are left."""
    book = portfolio(exits=[closed(_ago(60) + SECOND_NS // 2, "loss")])
    assert _symbols().ask(question(book)).observed.startswith("1 s left")
