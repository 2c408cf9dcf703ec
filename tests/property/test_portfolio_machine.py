"""The core under random histories with kills and restarts (``tests.property.portfolio_machine``).

Controls: without one of its gates the same machine finds a broken invariant.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test as run_machine

from state.instruments import Grid
from state.signals import Action
from tests.property.portfolio_machine import Broken, PortfolioMachine, Wish


def _settings(examples: int) -> settings:
    checks = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
    return settings(
        max_examples=examples, stateful_step_count=40, deadline=None, suppress_health_check=checks
    )


def _until_found() -> settings:
    """Return the settings of a control: many histories, the first that breaks ends it."""
    return settings(
        _settings(3000), phases=[Phase.generate], derandomize=True, report_multiple_bugs=False
    )


def test_invariants_hold_whatever_happens() -> None:
    """Three hundred random histories of up to forty bars, kills and commands each."""
    run_machine(PortfolioMachine, settings=_settings(300))


@pytest.mark.parametrize("gate", ["kill", "halts", "r_stop", "drawdown", "positions_symbol"])
def test_a_gate_left_out_is_noticed(gate: str) -> None:
    """Control: without one of the gates some invariant breaks."""
    broken = type("Broken", (PortfolioMachine,), {"left_out": gate})
    quick = _until_found()

    with pytest.raises((AssertionError, ExceptionGroup)):
        run_machine(broken, settings=quick)


class Trailing(PortfolioMachine):
    """The machine with a trail in every wish to enter."""

    def _action(self, symbol: str, wish: Wish) -> Action:
        return super()._action(symbol, wish._replace(trail=wish.trail or 10))


def test_a_trail_that_goes_back_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: a stop that follows the close both ways breaks an invariant (S5)."""

    def both_ways(grid: Grid, side: int, stop: int, close: float, distance: float) -> int:
        return grid.nearest(close - side * distance)

    monkeypatch.setattr("daemon.core.plans.trailed", both_ways)
    quick = _until_found()

    with pytest.raises(Broken) as caught:
        run_machine(Trailing, settings=quick)

    assert "S5" in caught.value.invariants


@pytest.mark.long
def test_invariants_hold_over_many_more_histories() -> None:
    """The same, ten thousand times."""
    run_machine(PortfolioMachine, settings=_settings(10_000))
