"""Built-in strategies: a restart at any bar changes no later answer.

Invariants: cut anywhere, state() through JSON into a fresh instance; every later answer is equal,
and so is the state at the end. Bars may be missing anywhere, weekends and clock changes included.
"""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.core import causality
from daemon.core.calendar import Schedule, WindowSpec
from daemon.core.strategy import Context, Strategy
from daemon.runtime import loading
from state.bars import Bar
from state.units import DAY_NS, MINUTE_NS

STEP = 5 * MINUTE_NS
BEGIN = 17_248 * DAY_NS
"""2017-03-23: London's clocks change on the 26th."""
BARS = causality.sample_bars(STEP, 3000, begin_ns=BEGIN, pip=0.0001, tick=0.00001)
SPEC = WindowSpec(7 * 3600, 16 * 3600, "Europe/London")

KINDS: list[tuple[str, dict[str, Any]]] = [
    ("LSG", {}),
    ("LSG", {"bos_required": False, "second_move_only": False}),
    ("ORB", {}),
    ("ORB", {"retest": True}),
    ("ARLS", {}),
    ("EMA", {}),
]


def _make(kind: str, params: dict[str, Any]) -> Strategy:
    context = Context("EURUSD", STEP, 1e-4, 1e-5, 1e-10, Schedule([SPEC]))
    return loading.make(loading.find(kind), context, params)


def _answers(one: Strategy, bars: list[Bar]) -> list[str]:
    schedule = one.context.schedule
    return [repr(one.on_bar(bar, schedule.covers(bar.open_ns))) for bar in bars]


@pytest.mark.parametrize(("kind", "params"), KINDS)
@given(
    cut=st.integers(min_value=0, max_value=2999),
    holes=st.lists(st.tuples(st.integers(0, 2999), st.integers(1, 400)), max_size=4),
)
@settings(max_examples=25, deadline=None)
def test_a_restart_changes_no_answer(
    kind: str, params: dict[str, Any], cut: int, holes: list[tuple[int, int]]
) -> None:
    """Law 9, for every built-in, in the middle of whatever it was doing."""
    missing = {i for begin, length in holes for i in range(begin, begin + length)}
    bars = [bar for i, bar in enumerate(BARS) if i not in missing]
    old, new = _make(kind, params), _make(kind, params)
    _answers(old, bars[:cut])

    new.restore(msgspec.json.decode(msgspec.json.encode(old.state())))

    assert _answers(new, bars[cut:]) == _answers(old, bars[cut:])
    assert new.state() == old.state()


@pytest.mark.parametrize(("kind", "params"), KINDS)
def test_the_sample_really_makes_each_of_them_decide(kind: str, params: dict[str, Any]) -> None:
    """Without decisions the property above would hold of nothing."""
    assert any(text != "None" for text in _answers(_make(kind, params), BARS))
