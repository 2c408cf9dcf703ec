"""Used budget only ever takes away: no gate allows with more used what it denied with less.

Invariants: entries that count, losses, exits, exposure and open positions are budgets. Time is one
that comes back: once no window, latch or new fact interferes, a later T never denies more.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.core.pace import Pace, PaceLimits
from daemon.core.supervision import Question
from state.portfolio import CountedEntry, DayStats, ExitFact, Portfolio
from state.units import HOUR_NS, MINUTE_NS
from tests.gate_builders import DAY, NOW_NS, closed, counted, gates, portfolio, question

_SYMBOLS = st.sampled_from(["EURUSD", "GBPUSD"])
_STRATEGIES = st.sampled_from(["lsg", "orb"])
_AGO = st.one_of(
    st.integers(0, 48 * HOUR_NS),
    st.integers(0, 180).map(lambda minutes: minutes * MINUTE_NS),  # the edges of the limits
)
_ENTRIES = st.builds(
    lambda ago, symbol, strategy: counted(
        NOW_NS - ago, symbol, strategy, day=DAY if ago < 9 * HOUR_NS else DAY - 1
    ),
    _AGO,
    _SYMBOLS,
    _STRATEGIES,
)
_EXITS = st.builds(
    lambda ago, outcome, symbol, run, factor: closed(
        NOW_NS - ago, outcome, symbol=symbol, run=run, factor=factor
    ),
    _AGO,
    st.sampled_from(["win", "loss", "stop"]),
    _SYMBOLS,
    st.integers(1, 5),
    st.floats(0.5, 2.0),
)
_R = st.floats(-6.0, 6.0)
_LOSS = st.floats(0.0, 3.0)
_MONEY = st.decimals(0, 30_000, places=2)


def _book(entries: list[CountedEntry], exits: list[ExitFact], strategy_r: float) -> Portfolio:
    return portfolio(
        counted=sorted(entries, key=lambda entry: entry.at_ns),
        exits=sorted(exits, key=lambda fact: fact.at_ns),
        days={DAY: DayStats(DAY, strategy_r={"lsg": strategy_r})},
    )


def _question(
    data: st.DataObject, more: bool, used: dict[str, Any]
) -> tuple[Question, dict[str, Any]]:
    """Draw a question, or one that has used what ``used`` has and more."""
    draw = data.draw
    entries = used.get("entries", []) + draw(st.lists(_ENTRIES, max_size=8))
    exits = used.get("exits", []) + draw(st.lists(_EXITS, max_size=6))
    loss = draw(_LOSS) if more else 0.0
    now: dict[str, Any] = {
        "entries": entries,
        "exits": exits,
        "strategy_r": used["strategy_r"] - loss if more else draw(_R),
        "realised_r": used["realised_r"] - loss if more else draw(_R),
        "open_r": used["open_r"] - draw(_LOSS) if more else draw(_R),
        "worst_r": used["worst_r"] - draw(_LOSS) if more else -draw(_LOSS),
        "gross": used["gross"] + draw(_MONEY) if more else draw(_MONEY),
        "order": used["order"] + draw(_MONEY) if more else draw(_MONEY),
        "positions": used.get("positions", 0) + draw(st.integers(0, 3)),
        "positions_symbol": used.get("positions_symbol", 0) + draw(st.integers(0, 2)),
    }
    asked = question(
        _book(entries, exits, now["strategy_r"]),
        realised_r=now["realised_r"],
        open_r=now["open_r"],
        worst_r=now["worst_r"],
        gross_exposure=now["gross"],
        order_value=now["order"],
        positions=now["positions"],
        positions_symbol=now["positions_symbol"],
    )
    return asked, now


@settings(max_examples=300)
@given(st.data())
def test_more_used_budget_never_turns_a_denial_into_an_approval(data: st.DataObject) -> None:
    """Every gate, all budgets at once. Win-lock is left out: winning is what uses it up."""
    less, used = _question(data, False, {})
    more, _ = _question(data, True, used)
    for gate in gates():
        if not gate.ask(less).allowed:
            assert not gate.ask(more).allowed, gate.name


@settings(max_examples=100)
@given(_R, _LOSS)
def test_more_won_never_opens_the_win_lock(r: float, won: float) -> None:
    """R2: the win-lock is used up by winning."""
    (gate,) = (gate for gate in gates(win_lock_r=3.0) if gate.name == "strategy_day")
    if gate.ask(question(_book([], [], r))).code == "STRATEGY_WIN_LOCK":
        assert not gate.ask(question(_book([], [], r + won))).allowed


@settings(max_examples=300)
@given(st.lists(_ENTRIES, max_size=12), st.lists(_EXITS, max_size=8), st.booleans())
def test_next_allowed_is_the_first_instant_that_pacing_allows(
    entries: list[CountedEntry], exits: list[ExitFact], adaptive: bool
) -> None:
    """P1: nothing portfolio-wide denies at that instant, something does just before it."""
    book = _book(entries, exits, 0.0)
    pace = Pace(PaceLimits(adaptive=adaptive))
    free_ns = pace.next_allowed_ns(book, NOW_NS)
    wide = [gate for gate in pace.gates if gate.name in ("loss_streak", "per_hour", "spacing")]
    assert all(gate.ask(question(book, now_ns=free_ns)).allowed for gate in wide)
    if free_ns > NOW_NS:
        assert not all(gate.ask(question(book, now_ns=free_ns - 1)).allowed for gate in wide)


@settings(max_examples=100)
@given(st.lists(_EXITS, max_size=8), st.booleans())
def test_listed_cooldowns_are_those_that_deny(exits: list[ExitFact], adaptive: bool) -> None:
    """P3: a symbol is listed exactly when its gate denies, until exactly when it allows."""
    book = _book([], exits, 0.0)
    pace = Pace(PaceLimits(adaptive=adaptive))
    (gate,) = (gate for gate in pace.gates if gate.name == "symbol_cooldown")
    listed = {one.name: one for one in pace.cooldowns(book, NOW_NS)}
    for symbol in ("EURUSD", "GBPUSD"):
        assert gate.ask(question(book, symbol=symbol)).allowed is (symbol not in listed)
        if symbol in listed:
            until_ns = listed[symbol].until_ns
            assert not gate.ask(question(book, symbol=symbol, now_ns=until_ns - 1)).allowed
            assert gate.ask(question(book, symbol=symbol, now_ns=until_ns)).allowed


@settings(max_examples=100)
@given(_MONEY, st.integers(0, 9))
def test_caps_allow_exactly_up_to_their_limit(value: Decimal, others: int) -> None:
    """R3: value <= cap, positions with this one <= cap."""
    asked = question(order_value=value, gross_exposure=Decimal(0), positions=others)
    answers = {gate.name: gate.ask(asked).allowed for gate in gates()}
    assert answers["order_value"] is (value <= 5_000)
    assert answers["gross_exposure"] is (value <= 20_000)
    assert answers["positions"] is (others + 1 <= 4)
