"""The built-in strategies, rule by rule, on bars made by hand (E3).

Prices are written in pips above 1.0000 so that expectations can be read off; the golden runs in
tests/golden hold the whole against an independent implementation.
"""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from daemon.core.calendar import Schedule, WindowSpec
from daemon.core.indicators import Atr, Ema
from daemon.core.strategies.swings import Swings
from daemon.core.strategy import Context, Strategy
from daemon.runtime import loading
from state.bars import Bar
from state.signals import Signal
from state.units import DAY_NS, HOUR_NS, MINUTE_NS

PIP = 0.0001
DAY = 17_167 * DAY_NS
"""2017-01-02, a Monday."""
STEP = 5 * MINUTE_NS

Pips = tuple[float, float, float, float]
"""Open, high, low, close in pips above 1.0000."""


def _at(hour: int, minute: int = 0, day: int = 0) -> int:
    return DAY + day * DAY_NS + hour * HOUR_NS + minute * MINUTE_NS


def _price(pips: float) -> float:
    return round(1.0 + pips * PIP, 6)


def _pip_bar(open_ns: int, pips: Pips) -> Bar:
    return Bar(open_ns, open_ns + STEP, *(_price(x) for x in pips))


def _strategy(kind: str, start_h: float = 7, end_h: float = 10, **params: float) -> Strategy:
    spec = WindowSpec(int(start_h * 3600), int(end_h * 3600), "UTC")
    context = Context("EURUSD", STEP, PIP, PIP / 10, PIP * 1e-6, Schedule([spec]))
    return loading.make(loading.find(kind), context, params)


def _feed(one: Strategy, begin_ns: int, rows: Iterable[Pips]) -> list[Signal | None]:
    """Feed consecutive bars and return the answers."""
    schedule, answers = one.context.schedule, []
    for i, pips in enumerate(rows):
        made = _pip_bar(begin_ns + i * STEP, pips)
        action = one.on_bar(made, schedule.covers(made.open_ns))
        assert action is None or isinstance(action, Signal)
        answers.append(action)
    return answers


def _only(answers: list[Signal | None]) -> tuple[int, Signal]:
    """Return index and value of the one signal."""
    found = [(i, one) for i, one in enumerate(answers) if one is not None]
    assert len(found) == 1, found
    return found[0]


def _mirrored(rows: Iterable[Pips]) -> list[Pips]:
    """Turn the market upside down around 500 pips."""
    return [(1000 - o, 1000 - low, 1000 - high, 1000 - c) for o, high, low, c in rows]


FLAT: Pips = (502, 504, 500, 502)


def _night(*peaks: tuple[int, Pips]) -> list[Pips]:
    """Return 84 rising bars of 4 pips, so that no swing is there but the given (index, bar)."""
    rows = [(500 + i * 0.01, 502 + i * 0.01, 498 + i * 0.01, 500 + i * 0.01) for i in range(84)]
    for i, pips in peaks:
        rows[i] = pips
    return rows


TWO_HIGHS = _night((20, (500, 510, 499, 500)), (40, (500, 511, 499, 500)))
"""Swing highs 510 and 511: within 2 pips, so the high level is their median, 510.5."""

SWEEP: Pips = (505, 514, 504, 508)
"""High 514 >= 510.5 + 3."""
QUIET: Pips = (508, 509, 506, 508)


class TestSwings:
    """A swing exists two bars later; ties count."""

    def test_a_swing_appears_at_the_close_of_the_second_bar_after_it(self) -> None:
        """Highs 1 2 5 4 3: the 5 is known at the 3, not before."""
        swings = Swings(1e-10)
        seen = []
        for high in (1.0, 2.0, 5.0, 4.0, 3.0):
            swings.update(high, 0.5)
            seen.append(swings.last_high)

        assert seen == [None, None, None, None, 5.0]

    def test_ties_count(self) -> None:
        """Five equal bars: the middle one is a swing high and a swing low."""
        swings = Swings(1e-10)
        for _ in range(5):
            swings.update(2.0, 1.0)

        assert (swings.new_high, swings.new_low) == (True, True)
        assert (swings.last_high, swings.last_low) == (2.0, 1.0)


class TestLsg:
    """LSG v2, steps 1 to 6."""

    def _run(self, rows: list[Pips], *, up: bool = False, **params: bool) -> list[Signal | None]:
        """Run a night with two highs, then ``rows`` from 07:00; ``up`` mirrors the market."""
        one = _strategy("LSG", **params)
        both = TWO_HIGHS + rows
        return _feed(one, _at(0), _mirrored(both) if up else both)[84:]

    # After the sweep a swing low of 506 forms (QUIET), then 504 closes below 506 - 1 pip.
    BREAK: Pips = (506, 507, 503, 504.5)
    GRAB: Pips = (506, 508, 503, 505)
    """Close below 510.5 and below its open: the trigger is 503."""

    def _loose(self, rows: list[Pips], **params: bool) -> list[Signal | None]:
        return self._run(rows, bos_required=False, second_move_only=False, **params)

    @pytest.mark.parametrize("up", [False, True])
    def test_grab_without_break_of_structure_signals_at_once(self, up: bool) -> None:
        """Sweep, then grab: sell-stop at 503, stop 2 pips over the sweep's 514, target 1 R."""
        answers = self._run([SWEEP, self.GRAB], up=up, bos_required=False, second_move_only=False)

        index, signal = _only(answers)
        side = 1 if up else -1
        assert (index, signal.side, signal.target_r) == (1, side, 1.0)
        assert signal.trigger == pytest.approx(_price(497 if up else 503), abs=1e-12)
        assert signal.stop == pytest.approx(_price(484 if up else 516), abs=1e-12)

    def test_the_sweep_needs_every_pip_but_a_tie_counts(self) -> None:
        """510.5 + 3 = 513.5: a high of 513.5 sweeps, 513.49 does not."""
        edge, short = (505, 513.5, 504, 508), (505, 513.49, 504, 508)

        assert _only(self._loose([edge, self.GRAB]))[0] == 1
        assert self._loose([short, self.GRAB]) == [None, None]

    def test_one_step_a_bar(self) -> None:
        """A bar that sweeps and closes back below its open is the sweep only."""
        both = (512, 514, 503, 504)

        assert self._loose([both]) == [None]
        assert _only(self._loose([both, self.GRAB]))[0] == 1

    def test_the_grab_needs_a_body_in_its_direction(self) -> None:
        """A rising body does not confirm, unless the switch is off."""
        rising = (504, 508, 503, 505)

        assert self._loose([SWEEP, rising]) == [None, None]
        assert _only(self._loose([SWEEP, rising], confirm_body_required=False))[0] == 1

    def test_the_first_bar_closing_late_resets_and_is_not_examined(self) -> None:
        """30 minutes after the sweep's close the grab still counts; at 35 the bar only resets.

        That bar would itself be a sweep; the next one then is.
        """
        wait: Pips = (512, 513, 511, 512)
        assert _only(self._loose([SWEEP, *[wait] * 5, self.GRAB]))[0] == 6

        late = self._loose([SWEEP, *[wait] * 6, SWEEP, self.GRAB])
        assert late == [None] * 9
        again = self._loose([SWEEP, *[wait] * 6, self.GRAB, SWEEP, self.GRAB])
        assert _only(again)[0] == 9

    def test_break_of_structure_uses_the_latest_confirmed_swing(self) -> None:
        """Swing low 506 is confirmed two bars later; a close of 504.5 is below 506 - 1."""
        dip: Pips = (508, 509, 506, 508)
        up: Pips = (508, 510, 507, 509)
        rows = [SWEEP, dip, up, up, self.BREAK, self.GRAB]
        rows[0] = (508, 514, 507, 508)
        rows.insert(1, up)

        index, _ = _only(self._run(rows, second_move_only=False))

        assert index == 6

    def test_a_close_on_the_swing_minus_buffer_is_no_break(self) -> None:
        """506 - 1 = 505: a close of 505.0 is not below it, so the grab bar only breaks."""
        up: Pips = (508, 510, 507, 509)
        dip: Pips = (508, 509, 506, 508)
        on_the_line: Pips = (506, 507, 503, 505.0)
        rows: list[Pips] = [(508, 514, 507, 508), up, dip, up, up, on_the_line, self.BREAK]

        assert self._run(rows, second_move_only=False) == [None] * 7

    def test_the_second_move_waits_for_arming_and_a_close_back(self) -> None:
        """Low below 503 arms; the signal comes with the first close at or above it.

        The stop follows the furthest high up to the signal's bar: 515 + 2.
        """
        params = {"bos_required": False}
        under: Pips = (504, 505, 501, 502)
        back: Pips = (502, 515, 502, 503)
        index, signal = _only(self._run([SWEEP, self.GRAB, QUIET, under, back], **params))
        assert index == 4
        assert signal.trigger == pytest.approx(_price(503), abs=1e-12)
        assert signal.stop == pytest.approx(_price(517), abs=1e-12)

        at_once: Pips = (504, 505, 501, 503)
        assert _only(self._run([SWEEP, self.GRAB, at_once], **params))[0] == 2

    def test_touching_the_trigger_does_not_arm(self) -> None:
        """The low must be below it."""
        touch: Pips = (504, 505, 503, 504)

        assert self._run([SWEEP, self.GRAB, touch, touch], bos_required=False) == [None] * 4

    def test_the_first_signal_spends_the_date_and_midnight_gives_a_new_one(self) -> None:
        """A second setup of the day is ignored; the next day's is not."""
        one = _strategy("LSG", bos_required=False, second_move_only=False)
        day = [*TWO_HIGHS, SWEEP, self.GRAB, SWEEP, self.GRAB]

        assert _only(_feed(one, _at(0), day))[0] == 85
        assert _only(_feed(one, _at(0, day=1), day))[0] == 85

    def test_fewer_than_ten_bars_make_no_level(self) -> None:
        """Nine bars of night with a double top: no level, no trade."""
        rows: list[Pips] = [FLAT, FLAT, (500, 510, 499, 500), FLAT, FLAT]
        rows += [(500, 511, 499, 500), FLAT, FLAT, FLAT]
        one = _strategy("LSG", bos_required=False, second_move_only=False)
        assert len(rows) == 9
        _feed(one, _at(6, 15), rows)

        assert _feed(one, _at(7), [SWEEP, self.GRAB]) == [None, None]

    def test_a_swing_confirmed_after_the_range_does_not_count(self) -> None:
        """The second high at the last bar but one is known at 07:05 only: no group of two."""
        rows = _night((20, (500, 510, 499, 500)), (82, (500, 511, 499, 500)))
        one = _strategy("LSG", bos_required=False, second_move_only=False)
        _feed(one, _at(0), rows)

        assert _feed(one, _at(7), [SWEEP, self.GRAB]) == [None, None]


class TestOrb:
    """Opening range, break, trend, retest."""

    OPEN: Pips = (500, 504, 500, 502)
    BREAK: Pips = (504, 508, 503, 507)

    def _run(self, rows: list[Pips], trend: int = 1, **params: float) -> list[Signal | None]:
        """Run a trending night into 07:00, then ``rows``."""
        one = _strategy("ORB", **params)
        slope = [(x, x + 1, x - 1, x) for x in (500 - trend * (84 - i) * 0.5 for i in range(84))]
        return _feed(one, _at(0), [*slope, *rows])[84:]

    def test_a_close_three_pips_beyond_the_first_bar_is_the_break(self) -> None:
        """504 + 3 = 507, a tie, counts; market entry, stop 1 pip under 500, target 1 R."""
        index, signal = _only(self._run([self.OPEN, self.BREAK]))

        assert (index, signal.side, signal.trigger, signal.target_r) == (1, 1, None, 1.0)
        assert signal.stop == pytest.approx(_price(499), abs=1e-12)

    def test_short_is_mirrored(self) -> None:
        """Close 497 <= 500 - 3; stop 1 pip over 504."""
        index, signal = _only(self._run([self.OPEN, (500, 501, 496, 497)], trend=-1))

        assert (index, signal.side) == (1, -1)
        assert signal.stop == pytest.approx(_price(505), abs=1e-12)

    def test_a_break_against_the_trend_spends_the_day(self) -> None:
        """The averages fall: no entry now, nor at a later break."""
        assert self._run([self.OPEN, self.BREAK, self.BREAK], trend=-1) == [None] * 3

    def test_a_small_first_bar_spends_the_day(self) -> None:
        """3.99 pips are too few, 4 are enough."""
        small: Pips = (500, 503.99, 500, 502)

        assert self._run([small, self.BREAK]) == [None, None]

    def test_the_range_is_the_first_bar_there_is(self) -> None:
        """Bars missing at 07:00: the range is that of 07:10."""
        one = _strategy("ORB")
        slope = [(x, x + 1, x - 1, x) for x in (458.0 + i * 0.5 for i in range(84))]
        _feed(one, _at(0), slope)

        assert _only(_feed(one, _at(7, 10), [self.OPEN, self.BREAK]))[0] == 1

    def test_the_retest_comes_back_and_closes_beyond(self) -> None:
        """Within 2 pips of 504 (low 506) and a close above 504; touching neither is not enough."""
        far: Pips = (508, 509, 506.5, 508)
        below: Pips = (507, 507, 503, 504)
        good: Pips = (505, 507, 506, 506)

        answers = self._run([self.OPEN, self.BREAK, far, below, good], retest=True)

        index, signal = _only(answers)
        assert (index, signal.side) == (4, 1)


class TestArls:
    """Sweep of the night's range and re-entry."""

    NIGHT: list[Pips] = [(500, 505, 495, 500)] * 84
    SWEEP: Pips = (504, 509, 503, 507)
    """ATR is near 10 pips, a tenth of it 1 pip: 3 pips over 505 decide."""
    BACK: Pips = (507, 508, 502, 504)

    def _run(self, rows: list[Pips], night: list[Pips] | None = None) -> list[Signal | None]:
        one = _strategy("ARLS")
        bars = self.NIGHT if night is None else night
        _feed(one, _at(7) - len(bars) * STEP, bars)
        return _feed(one, _at(7), rows)

    def test_re_entry_after_a_sweep(self) -> None:
        """Short at market, stop 2 pips over the sweep's 509, target 1 R; long mirrored."""
        index, signal = _only(self._run([self.SWEEP, self.BACK]))
        assert (index, signal.side, signal.trigger, signal.target_r) == (1, -1, None, 1.0)
        assert signal.stop == pytest.approx(_price(511), abs=1e-12)

        rows = _mirrored([self.SWEEP, self.BACK])
        index, signal = _only(self._run(rows))
        assert (index, signal.side) == (1, 1)
        assert signal.stop == pytest.approx(_price(489), abs=1e-12)

    def test_the_stop_counts_the_re_entry_bar(self) -> None:
        """Its high of 512 is further than the sweep's."""
        _, signal = _only(self._run([self.SWEEP, (507, 512, 502, 504)]))

        assert signal.stop == pytest.approx(_price(514), abs=1e-12)

    def test_a_close_at_the_range_or_a_rising_body_is_no_re_entry(self) -> None:
        """Below the range high, and below its own open."""
        level: Pips = (507, 508, 502, 505)
        rising: Pips = (502, 508, 501, 504)

        assert self._run([self.SWEEP, level, rising]) == [None] * 3

    def test_forty_five_minutes_then_reset(self) -> None:
        """Nine bars after the sweep it still counts; the tenth only resets."""
        wait: Pips = (506, 507, 505, 506)

        assert _only(self._run([self.SWEEP, *[wait] * 8, self.BACK]))[0] == 9
        assert self._run([self.SWEEP, *[wait] * 9, self.BACK, self.BACK]) == [None] * 12

    def test_a_wild_market_needs_a_deeper_sweep(self) -> None:
        """Bars of 60 pips: a tenth of the ATR, near 6 pips, is more than 3."""
        wild: list[Pips] = [(500, 530, 470, 500)] * 84

        assert self._run([(529, 534, 525, 532), (532, 533, 520, 525)], wild) == [None, None]
        deep = self._run([(529, 537, 525, 532), (532, 533, 520, 525)], wild)
        assert _only(deep)[0] == 1

    @pytest.mark.parametrize(("bars", "found"), [(29, False), (30, True)])
    def test_thirty_bars_make_a_range(self, bars: int, found: bool) -> None:
        """A holiday's handful of bars is no range."""
        answers = self._run([self.SWEEP, self.BACK], self.NIGHT[:bars])

        assert (answers[1] is not None) is found


class TestEmaCross:
    """Sign changes, warm-up, distances."""

    def _closes(
        self, values: list[float], start_h: float = 0, **params: float
    ) -> list[Signal | None]:
        one = _strategy("EMA", start_h, 24, **params)
        return _feed(one, _at(0), [(x, x + 1, x - 1, x) for x in values])

    def test_a_cross_up_after_warmup_is_long_with_atr_distances(self) -> None:
        """Falling for 120 bars, then rising: one long, with 1 and 2 ATR of the deciding bar."""
        values = [600 - i * 0.5 for i in range(120)] + [540 + i * 2.0 for i in range(60)]

        index, signal = _only(self._closes(values))

        fast, slow, atr = Ema(20), Ema(50), Atr(14)
        for x in values[: index + 1]:
            before = fast.value - slow.value
            close = _price(x)
            gap = fast.update(close) - slow.update(close)
            atr.update(_price(x + 1), _price(x - 1), close)
        assert before < 0 < gap
        assert signal.side == 1
        assert signal.stop_distance == atr.value
        assert signal.target_distance == 2 * atr.value

    def test_the_first_hundred_bars_do_not_trade(self) -> None:
        """The cross at bar 40 is passed over, with warmup 0 it is taken."""
        values = [600 - i * 0.5 for i in range(30)] + [585 + i * 2.0 for i in range(60)]

        assert self._closes(values) == [None] * 90
        assert _only(self._closes(values, warmup=0))[1].side == 1

    def test_the_hundred_and_first_bar_trades(self) -> None:
        """Falling for 100 bars, then one huge bar up: bar number 101 crosses and trades."""
        values = [600 - i * 0.1 for i in range(100)] + [800.0]

        assert _only(self._closes(values))[0] == 100

    def test_a_cross_outside_the_window_is_lost(self) -> None:
        """The sign turns at 10:xx; a window from 20:00 sees no cross."""
        values = [600 - i * 0.5 for i in range(120)] + [540 + i * 2.0 for i in range(60)]

        assert self._closes(values, start_h=20) == [None] * 180

    def test_back_to_the_same_sign_through_zero_is_no_cross(self) -> None:
        """A standing market brings the sign to 0, then it rises again: no entry."""
        values = [500.0 + i for i in range(150)] + [649.0] * 900 + [649.0 + i for i in range(20)]

        assert self._closes(values) == [None] * len(values)


@pytest.mark.parametrize("name", ["LSG", "ORB", "ARLS", "EMA"])
def test_a_fresh_state_reads_back(name: str) -> None:
    """A restart before the first bar restores too."""
    old, new = _strategy(name), _strategy(name)

    new.restore(old.state())

    assert new.state() == old.state()
