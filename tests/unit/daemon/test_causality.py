"""The causality check finds planted look-ahead and passes what is honest (E2)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from daemon.core import causality
from daemon.core.calendar import Schedule, WindowSpec
from daemon.core.strategies.registry import BUILT_IN
from daemon.core.strategy import Context, NoParams, Strategy
from daemon.runtime import hindsight, loading
from state.bars import Bar, impossible
from state.signals import Signal
from state.units import DAY_NS, MINUTE_NS
from tests.fakes import planted

INTERVAL_NS = 5 * MINUTE_NS
SCHEDULE = Schedule([WindowSpec(7 * 3600, 10 * 3600, "UTC")])


def _context(schedule: Schedule = SCHEDULE) -> Context:
    return Context("EURUSD", INTERVAL_NS, 1e-4, 1e-5, 1e-10, schedule)


def _history(count: int) -> list[Bar]:
    return causality.sample_bars(
        INTERVAL_NS, count, begin_ns=19_723 * DAY_NS, pip=0.0001, tick=0.00001
    )


def _checked(kind: type[Strategy], count: int = 300) -> causality.Checked:
    return causality.check(lambda: kind(_context(), NoParams()), _history(count), [True] * count)


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    """Empty what planted strategies share, before and after."""
    for shared in (planted.ALL_BARS, planted.SharedMemory.seen, planted.Counting.made):
        shared.clear()
    yield
    for shared in (planted.ALL_BARS, planted.SharedMemory.seen, planted.Counting.made):
        shared.clear()


@pytest.mark.parametrize("name", list(BUILT_IN))
def test_every_built_in_is_causal(name: str) -> None:
    """A built-in decides on 3 weeks of bars and no comparison differs."""
    bars = _history(6000)
    flags = [SCHEDULE.covers(bar.open_ns) for bar in bars]
    found = loading.find(name)

    def make() -> Strategy:
        return loading.make(found, _context())

    result = causality.check(make, bars, flags)

    assert result.violation is None
    assert result.decisions > 0
    assert hindsight.look(make, bars, flags) is None


@pytest.mark.parametrize("count", [3, 60, 300])
def test_an_honest_strategy_passes(count: int) -> None:
    """Short histories are cut at every bar, long ones at samples; both pass."""
    result = _checked(planted.Honest, count)

    assert result.violation is None
    assert result.bars == count
    assert result.cuts >= min(count, 12)


def test_memory_shared_by_instances_is_found_at_its_first_bar() -> None:
    """What an earlier run left in the class is a future to the next run."""
    bars = _history(300)
    first = next(i for i in range(299) if bars[i + 1].close > bars[i].close)

    violation = _checked(planted.SharedMemory).violation

    assert violation is not None
    assert (violation.rule, violation.bar) == ("repeat", first)
    assert violation.open_ns == bars[first].open_ns
    assert violation.expected == "no action"


def test_a_decision_that_depends_on_the_instance_is_found() -> None:
    """Two runs over the same bars must be equal."""
    violation = _checked(planted.Counting).violation

    assert violation is not None
    assert violation.rule == "repeat"


def test_a_state_that_forgets_is_found() -> None:
    """A restart must not change a decision (law 9)."""
    violation = _checked(planted.Forgetful).violation

    assert violation is not None
    assert violation.rule == "restore"
    assert violation.cut <= violation.bar <= violation.cut + 3


def test_a_state_that_json_cannot_carry_is_found() -> None:
    """NaN comes back as null."""
    violation = _checked(planted.NotJson).violation

    assert violation is not None
    assert violation.rule == "state"


def test_a_strategy_that_raises_is_named_with_its_bar() -> None:
    """The check itself never raises for what a strategy does."""
    violation = _checked(planted.Raising).violation

    assert violation is not None
    assert (violation.rule, violation.bar) == ("raised", 3)
    assert "a range of zero" in violation.text()


def test_a_peek_into_a_list_of_all_bars_is_found() -> None:
    """Every run answers alike, so only the look into its module can tell."""
    bars = _history(300)
    planted.ALL_BARS.extend(bars)
    flags = [True] * len(bars)

    def make() -> Strategy:
        return planted.GlobalPeek(_context(), NoParams())

    violation = hindsight.look(make, bars, flags)

    assert violation is not None
    assert violation.rule == "held"
    assert "ALL_BARS" in violation.found


@pytest.mark.parametrize("kind", ["floats", "tuples", "dict", "array"])
def test_the_future_is_found_in_any_container(kind: str) -> None:
    """Closes alone, rows, a mapping by instant and a numeric buffer are all recognised."""
    import numpy as np

    bars = _history(40)
    closes = [bar.close for bar in bars]
    strategy = planted.Honest(_context(), NoParams())
    held: object = {
        "floats": closes,
        "tuples": [(bar.open_ns, bar.close) for bar in bars],
        "dict": {bar.open_ns: bar for bar in bars},
        "array": np.array(closes),
    }[kind]
    vars(strategy)["table"] = held

    assert hindsight.future_held(strategy, bars, 20) == "self.table"


def test_bars_already_given_are_no_future() -> None:
    """A strategy may keep every bar that it was given."""
    bars = _history(40)
    strategy = planted.Honest(_context(), NoParams())
    vars(strategy)["kept"] = bars[:20]

    assert hindsight.future_held(strategy, bars, 20) is None


def test_a_file_read_while_deciding_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The audit hook sees what no comparison of runs can."""
    bars = _history(60)
    path = tmp_path / "closes.txt"
    path.write_text("\n".join(str(bar.close) for bar in bars))
    monkeypatch.setattr(planted.FilePeek, "path", path)

    violation = hindsight.look(
        lambda: planted.FilePeek(_context(), NoParams()), bars, [True] * len(bars)
    )

    assert violation is not None
    assert (violation.rule, violation.bar) == ("opened", 0)
    assert "closes.txt" in violation.found


@pytest.mark.parametrize(("rule", "honest_runs"), [("prefix", 2), ("tail", 12)])
def test_prefix_and_tail_runs_are_compared(rule: str, honest_runs: int) -> None:
    """Each kind of run is really made: here the first of its kind decides otherwise.

    10 bars are cut at every bar: 2 whole runs, then 10 prefixes, then 10 altered tails.
    """
    runs: list[int] = []

    def make() -> Strategy:
        runs.append(1)
        kind = planted.Honest if len(runs) <= honest_runs else planted.Counting
        return kind(_context(), NoParams())

    violation = causality.check(make, _history(10), [False] * 10).violation

    assert violation is not None
    assert (violation.rule, violation.bar, violation.cut) == (rule, 0, 1)


@pytest.mark.parametrize("kind", [0, 1, 2])
def test_altered_tails_are_possible_bars(kind: int) -> None:
    """A strategy must never meet a bar that no feed would deliver."""
    bars = _history(60)

    tail = causality._altered(bars[:20], bars[20:], kind)

    assert [bar.open_ns for bar in tail] == [bar.open_ns for bar in bars[20:]]
    assert tail != bars[20:]
    assert all(impossible(bar.open, bar.high, bar.low, bar.close) is None for bar in tail)


def test_the_check_refuses_an_empty_history() -> None:
    """No bars prove nothing."""
    with pytest.raises(ValueError, match="found 0 bars"):
        causality.check(lambda: planted.Honest(_context(), NoParams()), [], [])


class Shouting(Strategy):
    """Answers with a word, which means nothing."""

    def on_bar(self, bar: Bar, in_window: bool) -> Any:  # noqa: ANN401  wrong on purpose
        """Answer every hundredth bar."""
        self.count = getattr(self, "count", 0) + 1
        return "buy" if self.count % 100 == 0 else None

    def state(self) -> dict[str, Any]:
        """Return how many bars were seen."""
        return {"count": getattr(self, "count", 0)}

    def restore(self, state: dict[str, Any]) -> None:
        """Take it back."""
        self.count = state["count"]


class Nonsense(Shouting):
    """Answers with a stop that is no number."""

    def on_bar(self, bar: Bar, in_window: bool) -> Any:  # noqa: ANN401  wrong on purpose
        """Answer every hundredth bar."""
        return Signal(1, stop=float("nan")) if super().on_bar(bar, in_window) else None


@pytest.mark.parametrize("kind", [Shouting, Nonsense])
def test_an_answer_that_means_nothing_is_refused(kind: type[Strategy]) -> None:
    """What the desk would quarantine an engine for, the check says before."""
    found = _checked(kind)
    assert found.violation is not None
    assert (found.violation.rule, found.violation.bar) == ("raised", 99)
