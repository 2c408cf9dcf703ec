"""The window and news gates answer with code, observed value and limit (W2, W4, R7)."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from daemon.core.calendar import Schedule, WindowSpec
from daemon.core.engine import Engine
from daemon.core.intents import entry_until
from daemon.core.strategy import Context, NoParams
from daemon.core.supervision import Question, Sizing
from daemon.core.supervisors.news import NewsGate
from daemon.core.supervisors.window import WindowGate
from state.bars import Bar
from state.news import NewsEvent
from state.portfolio import Portfolio
from state.signals import Signal
from state.units import MINUTE_NS, NEVER_NS, SECOND_NS, utc_ns
from state.verdicts import Verdict
from tests.stepping import Scripted

H = 3600


def at(text: str) -> int:
    """Read an ISO instant in UTC."""
    return utc_ns(datetime.fromisoformat(text).replace(tzinfo=UTC))


def question(now_ns: int, *, symbol: str = "EURUSD", bar_in_window: bool = True) -> Question:
    """Ask about a long entry of strategy ``orb`` on the 5-minute bar that closes now."""
    open_ns = now_ns - 5 * MINUTE_NS
    return Question(
        now_ns=now_ns,
        day=736_330,
        symbol=symbol,
        strategy="orb",
        key=f"{symbol}/orb",
        interval_ns=5 * MINUTE_NS,
        bar=Bar(open_ns, now_ns, 1.05, 1.06, 1.04, 1.05),
        bar_in_window=bar_in_window,
        signal=Signal(side=1, stop=1.04),
        portfolio=Portfolio(),
        sizing=Sizing(1, Decimal(1), "SIZED", "", ""),
        order_value=None,
        gross_exposure=None,
        positions=0,
        positions_symbol=0,
        has_rate=True,
        true_range=0.02,
        atr_before=0.02,
        bar_age_ns=0,
        rate_age_ns=0,
        realised_r=0.0,
        open_r=0.0,
        worst_r=0.0,
        this_worst_r=-1.0,
    )


def window_gate(last_entry_s: int | None = None, flatten_before_s: int = 0) -> WindowGate:
    """Make the gate of one engine with the window 07:00-10:00 in London."""
    spec = WindowSpec(7 * H, 10 * H, "Europe/London", last_entry_s=last_entry_s)
    return WindowGate({"EURUSD/orb": Schedule([spec], flatten_before_s=flatten_before_s)})


def test_inside_the_window_is_allowed_with_a_reason() -> None:
    """08:00 UTC on a winter day is inside 07:00-10:00 London."""
    assert window_gate().ask(question(at("2017-01-02T08:00"))) == Verdict(
        "window", True, "WINDOW_OPEN", "2017-01-02T08:00:00Z", "07:00-10:00 Europe/London"
    )


@pytest.mark.parametrize(
    ("now", "code"),
    [
        ("2017-01-02T06:59:59", "OUTSIDE_WINDOW"),
        ("2017-01-02T07:00", "WINDOW_OPEN"),
        ("2017-01-02T09:59:59", "WINDOW_OPEN"),
        ("2017-01-02T10:00", "OUTSIDE_WINDOW"),
        # In summer time the window is 06:00-09:00 UTC.
        ("2017-03-27T06:00", "WINDOW_OPEN"),
        ("2017-03-27T09:00", "OUTSIDE_WINDOW"),
    ],
)
def test_the_gate_is_half_open_at_T(now: str, code: str) -> None:
    """A signal at exactly the end is denied, one at exactly the start is not."""
    verdict = window_gate().ask(question(at(now)))
    assert (verdict.code, verdict.allowed) == (code, code == "WINDOW_OPEN")


def test_a_bar_that_opened_outside_is_denied_although_T_is_inside() -> None:
    """The bar that closes at 07:00 opened at 06:55: T is inside, the bar is not."""
    verdict = window_gate().ask(question(at("2017-01-02T07:00"), bar_in_window=False))
    assert (verdict.code, verdict.observed) == (
        "OUTSIDE_WINDOW",
        "bar opened 2017-01-02T06:55:00Z",
    )


def test_from_the_last_entry_on_entries_are_denied() -> None:
    """Last entry 09:30: 09:29:59 is in time, 09:30 is not."""
    gate = window_gate(9 * H + 1800)
    assert gate.ask(question(at("2017-01-02T09:29:59"))).allowed
    assert gate.ask(question(at("2017-01-02T09:30"))) == Verdict(
        "window", False, "AFTER_LAST_ENTRY", "2017-01-02T09:30:00Z", "2017-01-02T09:30:00Z"
    )


def test_the_last_entry_is_never_later_than_the_time_stop() -> None:
    """Positions close 15 minutes early: from 09:45 on nothing is opened."""
    gate = window_gate(9 * H + 3000, flatten_before_s=900)
    assert gate.ask(question(at("2017-01-02T09:44:59"))).allowed
    assert gate.ask(question(at("2017-01-02T09:45"))).code == "AFTER_LAST_ENTRY"


def test_an_engine_without_a_schedule_is_denied() -> None:
    """A guard that cannot answer denies."""
    verdict = window_gate().ask(question(at("2017-01-02T08:00"), symbol="USDJPY"))
    assert (verdict.allowed, verdict.code) == (False, "OUTSIDE_WINDOW")


def test_the_time_stop_is_the_end_less_flatten_before() -> None:
    """07:00-10:00 London on a summer day ends at 09:00 UTC; 5 minutes earlier is 08:55.

    An entry decided outside would end at once; held ones and those without windows never do.
    """
    spec = WindowSpec(7 * H, 10 * H, "Europe/London", last_entry_s=9 * H)
    inside, outside = at("2017-03-27T06:30"), at("2017-03-27T12:00")
    last, end = at("2017-03-27T08:00"), at("2017-03-27T09:00")
    assert entry_until(engine_in(Schedule([spec])), inside) == (last, end)
    early = engine_in(Schedule([spec], flatten_before_s=300), flatten_before_s=300)
    assert entry_until(early, inside) == (last, end - 300 * SECOND_NS)
    assert entry_until(early, outside) == (outside, outside)
    assert entry_until(engine_in(Schedule([spec]), at_end="hold"), inside) == (last, NEVER_NS)
    assert entry_until(engine_in(Schedule.always()), inside) == (NEVER_NS, NEVER_NS)


def engine_in(schedule: Schedule, *, at_end: str = "close", flatten_before_s: int = 0) -> Engine:
    """Make an engine with these windows that never speaks."""
    context = Context("EURUSD", 5 * MINUTE_NS, 0.0001, 0.00001, 1e-10, schedule)
    silent = Scripted(context, NoParams(), {})
    return Engine(silent, "silent", at_end=at_end, flatten_before_s=flatten_before_s)


EVENTS = [
    NewsEvent(at("2017-03-15T18:00"), frozenset({"USD"}), "high", "FOMC Statement"),
    NewsEvent(at("2017-03-15T18:30"), frozenset({"USD"}), "high", "FOMC Press Conference"),
    NewsEvent(at("2017-03-15T12:00"), frozenset({"GBP", "EUR"}), "medium", "Talks"),
    NewsEvent(at("2017-03-16T12:00"), frozenset({"GBP"}), "high", "Bank Rate"),
]
CURRENCIES = {"EURUSD": {"EUR", "USD"}, "EURGBP": {"EUR", "GBP"}}


def news_gate(impact: set[str] | None = None) -> NewsGate:
    """Guard 30 minutes before and 10 after."""
    return NewsGate(EVENTS, CURRENCIES, 30, 10, impact or {"high"})


@pytest.mark.parametrize(
    ("now_ns", "allowed"),
    [
        (at("2017-03-15T17:30") - 1, True),
        (at("2017-03-15T17:30"), False),
        (at("2017-03-15T18:00"), False),
        (at("2017-03-15T18:40"), False),
        (at("2017-03-15T18:40") + 1, True),
    ],
)
def test_both_edges_of_the_news_guard_are_inside(now_ns: int, allowed: bool) -> None:
    """18:00 - 30 min to 18:30 + 10 min, both included, to the nanosecond."""
    verdict = news_gate().ask(question(now_ns))
    assert (verdict.allowed, verdict.code) == (allowed, "NO_NEWS" if allowed else "NEWS_GUARD")
    assert verdict.limit == "30 min before to 10 min after"


def test_the_nearest_event_is_named_with_its_distance() -> None:
    """At 18:10 the statement was 10 minutes ago and the conference is 20 ahead; at 18:22 not."""
    assert news_gate().ask(question(at("2017-03-15T18:10"))).observed == (
        "FOMC Statement (USD, high) 10 min ago, at 2017-03-15T18:00:00Z"
    )
    assert news_gate().ask(question(at("2017-03-15T18:22:30"))).observed == (
        "FOMC Press Conference (USD, high) in 7.5 min, at 2017-03-15T18:30:00Z"
    )


def test_other_currencies_and_other_impacts_do_not_guard() -> None:
    """Bank Rate moves EURGBP, not EURUSD; the talks count only when medium is guarded."""
    rate = at("2017-03-16T12:00")
    assert news_gate().ask(question(rate)).allowed
    assert not news_gate().ask(question(rate, symbol="EURGBP")).allowed
    talks = at("2017-03-15T12:00")
    assert news_gate().ask(question(talks)).allowed
    assert not news_gate({"high", "medium"}).ask(question(talks)).allowed


def test_a_symbol_of_unknown_currencies_is_denied() -> None:
    """A guard that cannot answer denies."""
    verdict = news_gate().ask(question(at("2017-01-01T00:00"), symbol="XYZ"))
    assert (verdict.allowed, verdict.observed) == (False, "currencies of XYZ unknown")


def test_the_guard_agrees_with_a_linear_search_at_every_half_minute() -> None:
    """Around all events, allowed means that no event is within the minutes."""
    gate = news_gate()
    for step in range(-200, 200):
        now_ns = at("2017-03-15T18:15") + step * 30 * SECOND_NS
        near = [
            event
            for event in EVENTS
            if event.impact == "high"
            and event.currencies & CURRENCIES["EURUSD"]
            and -10 * MINUTE_NS <= event.at_ns - now_ns <= 30 * MINUTE_NS
        ]
        verdict = gate.ask(question(now_ns))
        assert verdict.allowed == (not near)
        if near:
            nearest = min(near, key=lambda event: (abs(event.at_ns - now_ns), event.at_ns))
            assert verdict.observed.startswith(nearest.title)
