"""A whole feed but its socket: order, gaps, history, silence (F2-F5, FEED-1 to FEED-3)."""

from __future__ import annotations

import random  # noqa: TID251 - seeded here
from collections.abc import Iterable, Sequence

import pytest

from adapters.feeds.aggregator import Coarser
from adapters.feeds.bar_policy import Gap, PolicyLimits
from adapters.feeds.events import (
    FILLED,
    LIVE,
    BarClosed,
    BarRefused,
    FeedEvent,
    FillWanted,
    Flowing,
    GapFound,
    GapUnfilled,
    Stale,
)
from adapters.feeds.expected import AlwaysOpen, fx_hours
from adapters.feeds.intake import Intake
from adapters.feeds.series import SeriesRules, SeriesSpec
from adapters.feeds.wire import (
    BarUpdate,
    Event,
    Heartbeat,
    Quote,
    Subscribed,
    Tick,
    VenueStatus,
)
from state.bars import Bar
from state.units import MINUTE_NS, SECOND_NS

GRACE_NS = SECOND_NS // 2
HOUR = 1_700_000_000 // 3600 * 3600 * SECOND_NS
LIMITS = PolicyLimits(grace_ns=GRACE_NS)


def at(second: float) -> int:
    """Return an instant of the hour."""
    return HOUR + round(second * SECOND_NS)


def minute(number: int, close: float = 1.0) -> Bar:
    """Make the bar of a minute of the hour."""
    return Bar(at(60 * number), at(60 * number + 60), close, close, close, close)


def intake(
    *, history: bool = False, coarser: tuple[int, ...] = (), start: float = 0.0, **spec: object
) -> Intake:
    """Begin a feed of one symbol at a second of the hour."""
    one = SeriesSpec("EURUSD", AlwaysOpen(), coarser, **spec)  # type: ignore[arg-type]
    return Intake([one], SeriesRules(MINUTE_NS, LIMITS, history), at(start))


def bars(events: Iterable[FeedEvent], interval_ns: int = MINUTE_NS) -> list[tuple[int, str]]:
    """Return minute of the hour and provenance of the accepted bars."""
    return [
        ((one.bar.open_ns - HOUR) // MINUTE_NS, one.provenance)
        for one in events
        if isinstance(one, BarClosed) and one.interval_ns == interval_ns
    ]


def kinds(events: Iterable[FeedEvent]) -> list[str]:
    """Return what the events are."""
    return [type(one).__name__ for one in events]


def send(feed: Intake, number: int, late_s: float = 0.1) -> list[FeedEvent]:
    """Let the closed bar of a minute come."""
    update = BarUpdate("EURUSD", MINUTE_NS, minute(number), True)
    return feed.take([update], at(60 * number + 60 + late_s))


def tick(feed: Intake, second: float, price: float = 1.0) -> list[FeedEvent]:
    """Let a tick come at once."""
    return feed.take([Tick("EURUSD", at(second), price)], at(second))


def test_silence_is_stale_at_one_interval_and_grace_whatever_else_arrives() -> None:
    """F4: heartbeats and forming bars prove nothing; a bar that is in time does."""
    feed = intake()
    assert kinds(send(feed, 0)) == ["BarClosed", "Flowing"]
    noise: list[Event] = [Heartbeat(at(119)), BarUpdate("EURUSD", MINUTE_NS, minute(1), False)]
    assert feed.take(noise, at(119)) == []
    due = at(120) + GRACE_NS

    assert feed.next_due_ns() == due
    assert feed.on_time(due - 1) == []
    assert feed.on_time(due) == [Stale("EURUSD", at(60), due)]
    assert feed.on_time(due + 1) == []
    assert feed.series["EURUSD"].state(due) == "stale"
    assert kinds(send(feed, 1, late_s=9)) == ["BarClosed", "Flowing"]
    assert feed.series["EURUSD"].state(due) == "flowing"


def test_bars_that_are_old_when_they_come_do_not_end_a_silence() -> None:
    """FEED-1: a stalled line that delivers its backlog is stale until it has caught up."""
    feed = intake()
    send(feed, 0)
    feed.on_time(at(400))

    found = [feed.take([BarUpdate("EURUSD", MINUTE_NS, minute(n), True)], at(400)) for n in
             range(1, 6)]  # fmt: skip

    assert [kinds(one) for one in found[:4]] == [["BarClosed"]] * 4
    assert kinds(found[4]) == ["BarClosed", "Flowing"]


def test_a_closed_market_is_no_silence() -> None:
    """F4: nothing is expected from Friday evening to Sunday evening."""
    friday = (1_768_000_000 // 604_800 * 604_800 + (8 * 24 + 22) * 3600) * SECOND_NS
    spec = SeriesSpec("EURUSD", fx_hours())
    feed = Intake([spec], SeriesRules(MINUTE_NS, LIMITS), friday)

    assert feed.series["EURUSD"].state(friday) == "closed"
    assert feed.next_due_ns() == friday + 48 * 3600 * SECOND_NS + MINUTE_NS + GRACE_NS
    assert feed.silent_by_ns(MINUTE_NS, friday) == friday + 48 * 3600 * SECOND_NS + MINUTE_NS


def test_the_first_bar_after_a_connect_is_refused_unless_all_of_it_was_heard() -> None:
    """F2: high and low are true or there is no bar; a line that was up from the start is whole."""
    feed = intake(start=30)
    tick(feed, 40)
    refused = feed.on_time(at(60) + GRACE_NS)
    tick(feed, 70)
    whole = feed.on_time(at(120) + GRACE_NS)
    subscribed = intake(start=30)
    subscribed.take([Subscribed()], at(55))
    tick(subscribed, 75)

    assert [one.code for one in refused if isinstance(one, BarRefused)] == ["INCOMPLETE"]
    assert bars(whole) == [(1, LIVE)]
    assert bars(subscribed.on_time(at(120) + GRACE_NS)) == [(1, LIVE)]


def test_a_lost_line_leaves_no_untrue_bar_and_history_fills_it() -> None:
    """F5: the torn minutes are refused and asked for; what waits comes after them, in order."""
    feed = intake(history=True)
    found = tick(feed, 0)
    found += feed.on_time(at(60) + GRACE_NS)
    tick(feed, 65)
    feed.lost(at(90))
    tick(feed, 100)
    torn = feed.on_time(at(120) + GRACE_NS)
    (wanted,) = feed.wanted()
    tick(feed, 130)
    assert bars(feed.on_time(at(180) + GRACE_NS)) == []
    filled = feed.fill(wanted, [minute(0), minute(1), minute(2)], at(181))

    assert bars(found) == [(0, LIVE)]
    assert kinds(torn) == ["BarRefused"], "prices flow: not stale before the history could answer"
    assert (wanted.from_ns, wanted.to_ns) == (at(60), at(120))
    assert bars(filled) == [(1, FILLED), (2, LIVE)]
    assert kinds(filled)[-1] == "Flowing", "the history took a minute"


def test_a_torn_bar_makes_stale_when_the_history_does_not_answer_within_a_grace() -> None:
    """F4: nor is silence put off where there is no history, or more than once for a bar."""
    alone, asked = intake(start=30), intake(history=True, start=30)
    for feed in (alone, asked):
        tick(feed, 40)
    torn_ns = at(60) + GRACE_NS

    assert kinds(alone.on_time(torn_ns)) == ["BarRefused"]
    assert kinds(alone.on_time(at(120) + GRACE_NS)) == ["Stale"]
    assert kinds(asked.on_time(torn_ns)) == ["BarRefused"]
    assert bars(asked.fill(asked.wanted()[0], [minute(0)], at(61))) == [(0, FILLED)]
    tick(asked, 70)
    asked.lost(at(80))
    tick(asked, 90)
    assert kinds(asked.on_time(at(120) + GRACE_NS)) == ["BarRefused"]
    assert kinds(asked.on_time(at(120) + 2 * GRACE_NS - 1)) == []
    assert kinds(asked.on_time(at(120) + 2 * GRACE_NS)) == ["Stale"]


def test_a_bar_that_waits_for_what_is_before_it_is_no_silence_for_a_grace() -> None:
    """F4: closed by the clock at the very instant at which the symbol would be stale."""
    feed = intake(history=True, start=30, recent=(minute(-1),))
    feed.take([Subscribed()], at(35))
    tick(feed, 70)
    found = feed.on_time(at(120) + GRACE_NS)

    assert kinds(found) == ["GapFound"]
    assert kinds(feed.on_time(at(120) + 2 * GRACE_NS)) == ["Stale"]


def test_a_gap_is_said_filled_and_what_waited_follows_in_order() -> None:
    """FEED-3: bars that come while the history is asked for wait for it."""
    feed = intake(history=True)
    send(feed, 0)
    found = send(feed, 4)
    (wanted,) = feed.wanted()
    waiting = send(feed, 5)
    filled = feed.fill(wanted, [minute(n) for n in (3, 1, 2, 0, 4, 9)], at(365))

    assert found == [GapFound("EURUSD", MINUTE_NS, Gap(at(60), at(240)))]
    assert wanted == FillWanted("EURUSD", MINUTE_NS, at(60), at(240))
    assert waiting == []
    assert bars(filled) == [(1, FILLED), (2, FILLED), (3, FILLED), (4, LIVE), (5, LIVE)]
    assert feed.wanted() == []


def test_a_bar_that_was_torn_and_never_went_on_is_refused_too() -> None:
    """F2: the line was lost within its interval and is still down when it is over."""
    feed = intake()
    tick(feed, 0)
    feed.on_time(at(60) + GRACE_NS)
    tick(feed, 65)
    feed.lost(at(90))

    found = feed.on_time(at(120) + GRACE_NS)

    assert [one.code for one in found if isinstance(one, BarRefused)] == ["INCOMPLETE"]
    assert bars(found) == []


def test_a_bar_that_comes_while_its_gap_is_asked_for_is_the_lines() -> None:
    """FEED-3: overtaken by a later one, it still fits; the history has no say in it."""
    feed = intake(history=True)
    send(feed, 0)
    send(feed, 4)
    (wanted,) = feed.wanted()
    feed.take([BarUpdate("EURUSD", MINUTE_NS, minute(2), True)], at(301))

    filled = feed.fill(wanted, [minute(n) for n in (1, 2, 3)], at(302))

    assert bars(filled) == [(1, FILLED), (2, LIVE), (3, FILLED), (4, LIVE)]


def test_a_longer_silence_is_asked_for_again_before_a_coarser_bar_closes() -> None:
    """F5: what the history did not have when the silence began it may have at the bar's end."""
    feed = intake(history=True, coarser=(5 * MINUTE_NS,))
    send(feed, 0)
    send(feed, 1)
    feed.on_time(at(180) + GRACE_NS)
    feed.fill(feed.wanted()[0], [], at(181))
    due = at(300) + GRACE_NS

    assert feed.on_time(due) == []
    (wanted,) = feed.wanted()
    filled = feed.fill(wanted, [minute(3), minute(4, 9.0)], due)

    assert (wanted.from_ns, wanted.to_ns) == (at(120), at(300))
    assert bars(filled) == [(3, FILLED), (4, FILLED)]
    assert [
        one.bar.close
        for one in filled
        if isinstance(one, BarClosed) and one.interval_ns == 5 * MINUTE_NS
    ] == [9.0]


def test_a_gap_without_history_is_said_and_left() -> None:
    """F5: nothing is invented."""
    feed = intake()
    send(feed, 0)

    found = send(feed, 4)

    assert kinds(found) == ["GapFound", "GapUnfilled", "BarClosed"]
    assert bars(found) == [(4, LIVE)]


def test_a_history_that_fails_or_is_empty_is_said_and_never_asked_in_a_circle() -> None:
    """F5: the bars that waited go on without it; one question for one gap."""
    failing, empty = intake(history=True), intake(history=True)
    for feed in (failing, empty):
        send(feed, 0)
        send(feed, 4)
    said = failing.fill_failed(failing.wanted()[0], "timeout", at(301))
    nothing = empty.fill(empty.wanted()[0], [], at(301))

    codes = [[(one.code, one.text) for one in found if isinstance(one, GapUnfilled)]
             for found in (said, nothing)]  # fmt: skip
    assert codes == [
        [("FILL_FAILED", "timeout")],
        [("GAP_UNFILLED", "the history has no bars there")],
    ]
    assert bars(said) == bars(nothing) == [(4, LIVE)]
    assert failing.wanted() == empty.wanted() == []
    assert failing.on_time(at(302)) == []
    assert failing.wanted() == []


def test_an_answer_to_another_question_is_ignored() -> None:
    """A slow history that answers after it was given up changes nothing."""
    feed = intake(history=True)
    send(feed, 0)
    send(feed, 4)
    (wanted,) = feed.wanted()
    feed.fill_failed(wanted, "timeout", at(301))

    assert feed.fill(wanted, [minute(1)], at(302)) == []
    assert feed.fill_failed(wanted, "again", at(302)) == []


def test_what_waits_is_bounded() -> None:
    """RES-1: a history that never answers does not hold bars without end."""
    feed = intake(history=True)
    send(feed, 0)
    found: list[FeedEvent] = []
    for number in range(4, 80):
        found += send(feed, number)

        assert number - 4 - len(bars(found)) <= 64

    assert bars(found) == [(number, LIVE) for number in range(4, 80)]
    assert [one.text for one in found if isinstance(one, GapUnfilled)] == [
        "more than 64 bars waited for it"
    ]


def test_a_silent_minute_is_asked_for_and_a_coarser_bar_waits_for_the_answer() -> None:
    """F5: history may still have what did not come; a coarser bar is closed only after it."""
    feed = intake(history=True, coarser=(5 * MINUTE_NS,))
    for number in range(4):
        send(feed, number)
    due = at(300) + GRACE_NS
    stale = feed.on_time(due)
    (wanted,) = feed.wanted()
    assert kinds(stale) == ["Stale"]
    assert feed.on_time(due + 1) == []
    filled = feed.fill(wanted, [minute(4, 3.0)], due + 2)

    assert bars(filled) == [(4, FILLED)]
    assert [one.bar.high for one in filled if isinstance(one, BarClosed)] == [3.0, 3.0]
    assert not any(isinstance(one, Flowing) for one in filled)
    assert feed.series["EURUSD"].state(due) == "stale"


def test_a_coarser_bar_closes_by_the_clock_when_nobody_has_its_last_part() -> None:
    """F2: with an empty history, a failing one, or none."""
    for history in (True, False):
        for fails in (True, False):
            feed = intake(history=history, coarser=(5 * MINUTE_NS,))
            for number in range(4):
                send(feed, number)
            due = at(300) + GRACE_NS
            found = feed.on_time(due)
            for wanted in feed.wanted():
                found += (
                    feed.fill_failed(wanted, "down", due) if fails else feed.fill(wanted, [], due)
                )
                found += feed.on_time(due)
            assert bars(found, 5 * MINUTE_NS) == [(0, LIVE)]


def test_prices_of_nobody_and_of_the_future_make_no_bar() -> None:
    """F5: each is counted with its reason; a skewed clock closes nothing early."""
    feed = intake()
    feed.take([Tick("GBPUSD", at(1), 1.0), Quote("EURUSD", at(9), 1.0, 1.1)], at(1))
    feed.take([BarUpdate("GBPUSD", MINUTE_NS, minute(0), True)], at(61))
    feed.take([Tick("EURUSD", at(-1e6), 1.0), Quote("EURUSD", at(2), 2.0, 1.1)], at(2))

    assert feed.counts() == {"WRONG_SYMBOL": 2, "FROM_FUTURE": 1, "LATE_TICK": 1, "CROSSED": 1}
    assert feed.late_ticks("EURUSD") == 1
    assert bars(feed.on_time(at(3600))) == []


def test_a_symbol_that_takes_no_orders_is_told_once_and_once_more_when_it_does() -> None:
    """R5: the first quote says it, then each change; a tick and an unknown symbol say nothing."""
    feed = intake()

    def told(*events: Event) -> list[FeedEvent]:
        return [x for x in feed.take(events, at(3)) if isinstance(x, VenueStatus)]

    shut = Quote("EURUSD", at(1), 1.0, 1.1, tradeable=False)
    assert told(Tick("EURUSD", at(1), 1.0), Quote("GBPUSD", at(1), 1.0, 1.1)) == []
    assert told(Quote("EURUSD", at(9), 1.0, 1.1, tradeable=False)) == [], "it is of the future"
    assert told(shut, shut) == [VenueStatus(False, "the venue takes no orders", "EURUSD")]
    assert told(Quote("EURUSD", at(2), 1.0, 1.1)) == [
        VenueStatus(True, "the venue takes orders", "EURUSD")
    ]
    assert told(Quote("EURUSD", at(2), 1.0, 1.1)) == []


def test_bids_and_asks_move_to_mid() -> None:
    """I3: bars of the line and of the history alike, by half the spread."""
    feed = intake(history=True, shift=0.25)
    send(feed, 0)
    found = send(feed, 2)
    found += feed.fill(feed.wanted()[0], [minute(1)], at(182))

    assert {one.bar.close for one in found if isinstance(one, BarClosed)} == {1.25}


def test_known_bars_tell_the_gap_of_a_restart() -> None:
    """F5: what came while the program was down is asked for with the first bar."""
    feed = intake(
        history=True, start=600, coarser=(5 * MINUTE_NS,), recent=tuple(minute(n) for n in range(7))
    )
    found = send(feed, 10)
    (wanted,) = feed.wanted()
    found += feed.fill(wanted, [minute(n, 2.0) for n in range(7, 10)], at(661))

    assert (wanted.from_ns, wanted.to_ns) == (at(420), at(600))
    assert bars(found) == [(7, FILLED), (8, FILLED), (9, FILLED), (10, LIVE)]
    assert bars(found, 5 * MINUTE_NS) == [(5, FILLED)]


def test_a_line_is_dead_when_every_open_symbol_is_silent() -> None:
    """F3: one quiet symbol among others that speak is said, not hung up on."""
    specs = [SeriesSpec(name, AlwaysOpen()) for name in ("EURUSD", "GBPUSD")]
    feed = Intake(specs, SeriesRules(MINUTE_NS, LIMITS), at(0))
    feed.opened(at(10))
    assert feed.silent_by_ns(MINUTE_NS, at(20)) == at(70)
    tick(feed, 40)

    assert feed.silent_by_ns(MINUTE_NS, at(41)) == at(100)


@pytest.mark.parametrize(
    ("specs", "said"),
    [
        ((), "at least one"),
        ((SeriesSpec("A", AlwaysOpen()),) * 2, "each once"),
        ((SeriesSpec("A", AlwaysOpen(), (90 * SECOND_NS,)),), "a multiple that divides a day"),
        ((SeriesSpec("A", AlwaysOpen(), (MINUTE_NS,)),), "a multiple that divides a day"),
    ],
)
def test_a_feed_that_cannot_be_is_refused(specs: Sequence[SeriesSpec], said: str) -> None:
    """Said at once, not at the first bar."""
    with pytest.raises(ValueError, match=said):
        Intake(specs, SeriesRules(MINUTE_NS), 0)


class _Venue:
    """A truth of minutes, some without a trade, and a history that sometimes fails or lags."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self.truth = {n: minute(n, 1 + rng.random()) for n in range(120) if rng.random() < 0.9}

    def answer(self, feed: Intake, now_ns: int) -> list[FeedEvent]:
        found: list[FeedEvent] = []
        for wanted in feed.wanted():
            if self._rng.random() < 0.2:
                found += feed.fill_failed(wanted, "down", now_ns)
            elif self._rng.random() < 0.8:
                found += feed.fill(wanted, self.truth.values(), now_ns)
        return found


@pytest.mark.parametrize("history", [True, False])
@pytest.mark.parametrize("seed", range(30))
def test_whatever_happens_bars_are_true_in_order_and_none_is_doubled(
    seed: int, history: bool
) -> None:
    """FEED-3, F4 over lost lines, repeats, reorder, stalls; coarser bars are made of them."""
    rng = random.Random(seed)
    venue = _Venue(rng)
    feed = intake(history=history, coarser=(5 * MINUTE_NS,))
    found: list[FeedEvent] = []
    late: list[Bar] = []
    for number in range(120):
        now = at(60 * number + 60.1)
        down, stalled = 30 <= number < 37, rng.random() < 0.15
        sent = [] if down or number not in venue.truth else [venue.truth[number]]
        if number == 30:
            feed.lost(now)
        if stalled:
            late, sent = late + sent, []
        else:
            late, sent = [], late + sent * rng.choice([1, 1, 2])
            rng.shuffle(sent)
        updates = [BarUpdate("EURUSD", MINUTE_NS, one, True) for one in sent]
        found += feed.take(updates, now)
        found += venue.answer(feed, now)
        found += feed.on_time(at(60 * number + 60) + GRACE_NS)
        found += venue.answer(feed, now)

    accepted = [e.bar for e in found if isinstance(e, BarClosed) and e.interval_ns == MINUTE_NS]
    opens = [one.open_ns for one in accepted]
    assert opens == sorted(set(opens))
    assert all(one == venue.truth[(one.open_ns - HOUR) // MINUTE_NS] for one in accepted)
    missed = {one.open_ns for one in venue.truth.values()} - set(opens)
    gaps = [one.gap for one in found if isinstance(one, GapUnfilled)]
    assert [
        (one - HOUR) // MINUTE_NS
        for one in missed
        if opens[0] < one < opens[-1] and not any(g.from_ns <= one < g.to_ns for g in gaps)
    ] == []
    wide = [e.bar for e in found if isinstance(e, BarClosed) and e.interval_ns == 5 * MINUTE_NS]
    again = Coarser(5 * MINUTE_NS, GRACE_NS)
    whole = {w.open_ns: w for one in accepted for w in again.add(one)}
    assert [one.open_ns for one in wide] == sorted({one.open_ns for one in wide})
    for one in wide:
        assert one.open_ns not in whole or one.high <= whole[one.open_ns].high
