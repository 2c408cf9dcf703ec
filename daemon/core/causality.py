"""The causality check: a decision must not change when later bars are absent, appended or others.

Strategies get bars one by one, so look-ahead can only come in by a side door: data that outlives an
instance (a class attribute, a module global), data that was never given (a file), or an instance
that a restart makes forget. The check runs a strategy many times over one history and compares.

What it proves, for the history it was given: same bars, same decisions (*repeat*); the decisions
on a prefix are those on the whole (*prefix*); bars after t, made different, change nothing up to t
(*tail*); ``state`` and ``restore`` at t lose nothing (*restore*). What it cannot prove: that other
histories would not show more, and that a strategy does not carry constants of the future in its
code or reads the same file on every run; a fixed table is not a function of the bars.
``daemon.runtime.hindsight`` looks for those two.

Nothing here may read a clock or draw random numbers: the check itself is repeatable.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Final, TypeVar

import msgspec

from daemon.core.engine import check_signal, checked
from daemon.core.strategy import Strategy
from state.bars import Bar
from state.signals import Action, Signal
from state.units import utc_text

T = TypeVar("T")
Make = Callable[[], Strategy]
"""Makes a fresh instance of the strategy under check."""

ALL_PREFIXES: Final = 64
"""Histories of at most this many bars are cut at every bar."""
CUTS: Final = 12
"""Cuts at which a longer history is sampled, besides those around decisions."""
TAIL_BARS: Final = 500
"""Bars that are run after a restore, and given after a cut with an altered tail."""


class Violation(msgspec.Struct, frozen=True):
    """The first bar at which a rule is broken.

    ``rule`` is ``repeat``, ``prefix``, ``tail``, ``restore``, ``state``, ``raised``, ``opened`` or
    ``held``; ``bar`` counts from 0, ``open_ns`` is that bar's open. ``expected`` and ``found`` are
    the decisions (or states) compared, ``cut`` the number of bars that were left untouched, -1
    where none was cut.
    """

    rule: str
    bar: int
    open_ns: int
    expected: str
    found: str
    cut: int = -1

    def text(self) -> str:
        """Say in one line what was found where."""
        where = f"bar {self.bar} ({utc_text(self.open_ns)})"
        what = _RULES[self.rule].format(cut=self.cut)
        return f"{what}: first at {where}: expected {self.expected}, found {self.found}"


_RULES: Final = {
    "repeat": "a second run over the same bars decides otherwise",
    "prefix": "with only the first {cut} bars there the decision is another",
    "tail": "bars after the first {cut} change an earlier decision",
    "restore": "restored from its state after {cut} bars the strategy decides otherwise",
    "state": "state() is not JSON that reads back as the same",
    "raised": "the strategy raises",
    "opened": "the strategy opens something outside while it decides",
    "held": "after {cut} bars the strategy holds bars that it was not given yet",
}


class Checked(msgspec.Struct, frozen=True):
    """What was done: ``bars`` in the history, ``decisions`` found in it, ``cuts`` tried.

    ``violation`` is None when every comparison held. Without decisions the check says little.
    """

    bars: int
    decisions: int
    cuts: int
    violation: Violation | None


class _Raised(Exception):
    """A strategy raised at bar ``index``."""

    def __init__(self, index: int, cause: BaseException) -> None:
        super().__init__(f"{type(cause).__name__}: {cause}")
        self.index = index


def check(make: Make, bars: Sequence[Bar], in_window: Sequence[bool]) -> Checked:
    """Compare runs over ``bars`` and report the first violation found.

    ``in_window[i]`` says whether ``bars[i]`` opens in a window. A strategy that raises is a
    violation too, so the check itself raises only for mistakes of its caller.

    Raises:
        ValueError: the two sequences differ in length or there is no bar.
    """
    if not bars or len(bars) != len(in_window):
        raise ValueError(f"expected as many window flags as bars, found {len(bars)} bars")
    cuts: list[int] = []
    decisions: list[str] = []
    try:
        first = _run(make(), bars, in_window)
        decisions = [text for text in first if text]
        cuts = list(_cuts(first))
        found = next(_violations(make, bars, in_window, first, cuts), None)
    except _Raised as error:
        found = Violation("raised", error.index, bars[error.index].open_ns, "an answer", str(error))
    return Checked(len(bars), len(decisions), len(cuts), found)


def _violations(
    make: Make,
    bars: Sequence[Bar],
    in_window: Sequence[bool],
    first: list[str],
    cuts: list[int],
) -> Iterator[Violation]:
    """Yield violations, the plainest rules first."""

    def differ(rule: str, again: list[str], begin: int = 0, cut: int = -1) -> Iterator[Violation]:
        for i, (a, b) in enumerate(zip(first[begin:], again, strict=False), begin):
            if a != b:
                yield Violation(rule, i, bars[i].open_ns, a or "no action", b or "no action", cut)
                return

    yield from differ("repeat", _run(make(), bars, in_window))
    for cut in cuts:
        yield from differ("prefix", _run(make(), bars[:cut], in_window[:cut]), 0, cut)
    for number, cut in enumerate(cuts):
        tail = _altered(bars[:cut], bars[cut : cut + TAIL_BARS], number)
        flags = in_window[: cut + len(tail)]
        again = _run(make(), [*bars[:cut], *tail], flags)
        yield from differ("tail", again[:cut], 0, cut)
    states = yield from _states(make, bars, in_window, first, cuts)
    for cut, kept in states:
        end = min(len(bars), cut + TAIL_BARS)
        again = _run(_restored(make, kept, cut - 1), bars[cut:end], in_window[cut:end], cut)
        yield from differ("restore", again, cut, cut)


def _states(
    make: Make,
    bars: Sequence[Bar],
    in_window: Sequence[bool],
    first: list[str],
    cuts: list[int],
) -> Generator[Violation, None, list[tuple[int, bytes]]]:
    """Run once, ask for the state at every cut, and return the (cut, JSON) pairs."""
    strategy, at = make(), set(cuts)
    kept: list[tuple[int, bytes]] = []
    for i, bar in enumerate(bars):
        answer = _answer(strategy, bar, in_window[i], i)
        if answer != first[i]:
            yield Violation(
                "repeat", i, bar.open_ns, first[i] or "no action", answer or "no action"
            )
            break
        if i + 1 in at:
            state = _called(strategy.state, i)
            text = _json(state)
            if text is None or msgspec.json.decode(text) != state:
                yield Violation("state", i, bar.open_ns, "JSON values", repr(state)[:200], i + 1)
                break
            kept.append((i + 1, text))
    return kept


def _restored(make: Make, text: bytes, index: int) -> Strategy:
    strategy = make()
    state = msgspec.json.decode(text)
    _called(lambda: strategy.restore(state), index)
    return strategy


def _json(state: object) -> bytes | None:
    try:
        return msgspec.json.encode(state)
    except (TypeError, ValueError, OverflowError):
        return None


def _run(
    strategy: Strategy, bars: Sequence[Bar], in_window: Sequence[bool], begin: int = 0
) -> list[str]:
    """Return the answers as text, empty where there was none; ``begin`` numbers the first bar."""
    return [
        _answer(strategy, bar, inside, i)
        for i, (bar, inside) in enumerate(zip(bars, in_window, strict=True), begin)
    ]


def _answer(strategy: Strategy, bar: Bar, inside: bool, index: int) -> str:
    action = _called(lambda: _meant(strategy.on_bar(bar, inside)), index)
    return "" if action is None else repr(action)


def _meant(answer: object) -> Action | None:
    """Return an answer that means something; the desk would quarantine the engine of any other."""
    if answer is None:
        return None
    action = checked(answer)
    if isinstance(action, Signal):
        check_signal(action)
    return action


def _called(call: Callable[[], T], index: int) -> T:
    try:
        return call()
    except Exception as error:
        raise _Raised(index, error) from error


def _cuts(first: list[str]) -> Iterator[int]:
    """Yield cuts (numbers of bars kept), ascending: evenly spread, and around decisions.

    A peek by one bar shows at a cut right after a decision, or right before one that hindsight
    made.
    """
    n = len(first)
    if n <= ALL_PREFIXES:
        yield from range(1, n + 1)
        return
    found = {max(1, n * i // CUTS) for i in range(1, CUTS + 1)}
    decided = [i for i, text in enumerate(first) if text]
    step = max(1, len(decided) // CUTS)
    for i in decided[::step][:CUTS]:
        found.update((max(1, i), i + 1))
    yield from sorted(found)


def _altered(head: Sequence[Bar], tail: Sequence[Bar], number: int) -> list[Bar]:
    """Return other bars at the stamps of ``tail``: mirrored, three times as wild, or standing.

    Prices stay positive and consistent; ``number`` chooses the kind.
    """
    base = head[-1].close
    out = []
    for bar in tail:
        kind = number % 3
        if kind == 0:
            scale = base * base
            open_, close = scale / bar.open, scale / bar.close
            high, low = scale / bar.low, scale / bar.high
        elif kind == 1:
            open_, high, low, close = (
                base * (x / base) ** 3 for x in (bar.open, bar.high, bar.low, bar.close)
            )
        else:
            open_ = high = low = close = base
        high, low = max(open_, high, close), min(open_, low, close)
        out.append(Bar(bar.open_ns, bar.close_ns, open_, high, low, close, bar.volume))
    return out


def sample_bars(
    interval_ns: int, count: int, *, begin_ns: int, pip: float, tick: float
) -> list[Bar]:
    """Make a repeatable random walk of ``count`` bars, lively enough for most strategies.

    Prices are whole ticks around 11,000 pips. Steps come from a 64-bit linear congruential
    generator; a wave of changing volatility runs over them. Weekends are not left out.
    """
    seed, last, floor = 20_240_229, 11_000.0, 2_000.0
    bars = []
    for i in range(count):
        wild = 3.85 * (1.0 + (i // 97 % 5) * 0.5)
        path = [last]
        for _ in range(6):
            seed = (seed * 6_364_136_223_846_793_005 + 1_442_695_040_888_963_407) % (1 << 64)
            path.append(max(path[-1] + ((seed >> 11) / (1 << 53) - 0.5) * wild, floor))
        last = path[-1]
        ticks = [round(round(x * pip / tick) * tick, 10) for x in path]
        start_ns = begin_ns + i * interval_ns
        bars.append(
            Bar(start_ns, start_ns + interval_ns, ticks[0], max(ticks), min(ticks), ticks[-1], 0.0)
        )
    return bars
